"""Whether an update stopped Plex and left it so, from dpkg's own log."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from plexguard.core.manager import Unit
from plexguard.plex_probe.packages import parse_log, was_stopped_by_update
from tests.fakes.ports import FakeClock

# As dpkg 1.21 writes it.
UPGRADE = """2026-03-01 11:00:00 startup archives unpack
2026-03-01 11:00:01 upgrade plexmediaserver:amd64 1.42.1.10060 1.43.4.10903
2026-03-01 11:00:01 status half-configured plexmediaserver:amd64 1.42.1.10060
2026-03-01 11:00:04 status unpacked plexmediaserver:amd64 1.42.1.10060
2026-03-01 11:00:04 status half-installed plexmediaserver:amd64 1.42.1.10060
2026-03-01 11:00:20 status unpacked plexmediaserver:amd64 1.43.4.10903
2026-03-01 11:00:20 startup packages configure
2026-03-01 11:00:20 configure plexmediaserver:amd64 1.43.4.10903 <none>
2026-03-01 11:00:20 status unpacked plexmediaserver:amd64 1.43.4.10903
2026-03-01 11:00:20 status half-configured plexmediaserver:amd64 1.43.4.10903
2026-03-01 11:00:25 status installed plexmediaserver:amd64 1.43.4.10903
2026-03-01 11:00:25 trigproc man-db:amd64 2.11.2-2 <none>
2026-03-01 11:00:25 status half-configured man-db:amd64 2.11.2-2
2026-03-01 11:00:26 status installed man-db:amd64 2.11.2-2
"""
BROKEN_OFF = UPGRADE.partition("2026-03-01 11:00:25 status installed plex")[0]
REMOVED = (
    UPGRADE
    + "2026-03-01 11:30:00 remove plexmediaserver:amd64 1.43.4.10903 <none>\n2026-03-01 11:30:01 status config-files plexmediaserver:amd64 1.43.4.10903\n"
)
OTHERS = "2026-03-01 11:00:01 upgrade libc6:amd64 2.36-9 2.36-10\n2026-03-01 11:00:05 status installed libc6:amd64 2.36-10\n"


def at(text: str) -> datetime:
    return datetime.strptime(f"2026-03-01 {text}", "%Y-%m-%d %H:%M:%S").astimezone()


def test_an_upgrade_is_read_from_its_first_line_to_its_last() -> None:
    run = parse_log(OTHERS + UPGRADE)

    assert run is not None
    assert (run.began, run.ended, run.installed) == (at("11:00:01"), at("11:00:25"), True)


def test_of_two_upgrades_the_last_counts() -> None:
    run = parse_log(UPGRADE + UPGRADE.replace(" 11:", " 14:"))

    assert run is not None
    assert run.began == at("14:00:01")


def test_an_upgrade_that_broke_off_is_not_installed_and_is_whole_once_it_was_finished() -> None:
    broken = parse_log(BROKEN_OFF)
    finished = parse_log(
        BROKEN_OFF
        + "2026-03-01 12:00:00 configure plexmediaserver:amd64 1.43.4.10903 <none>\n"
        + "2026-03-01 12:00:03 status installed plexmediaserver:amd64 1.43.4.10903\n"
    )

    assert broken is not None
    assert not broken.installed
    assert finished is not None
    assert (finished.began, finished.ended, finished.installed) == (at("11:00:01"), at("12:00:03"), True)


@pytest.mark.parametrize(
    "text", ["", OTHERS, REMOVED, "\0\xff\n\n", "plexmediaserver", "2026-13-77 99:00:00 upgrade plexmediaserver:amd64 1 2"]
)
def test_what_tells_of_no_upgrade_is_none(text: str) -> None:
    assert parse_log(text) is None


@pytest.mark.parametrize(
    ("stopped", "log", "by_update"),
    [
        ("10:59:30", UPGRADE, False),
        ("11:00:02", UPGRADE, True),
        ("11:00:27", UPGRADE, True),
        ("11:05:00", UPGRADE, False),
        ("11:00:02", BROKEN_OFF, False),
        ("11:00:02", OTHERS, False),
        ("11:00:02", REMOVED, False),
    ],
)
def test_a_unit_that_stopped_during_the_update_was_stopped_by_it(tmp_path: Path, stopped: str, log: str, by_update: bool) -> None:
    clock = FakeClock(uptime_s=90_000.0)
    clock.wall = at("13:00:00")
    (tmp_path / "dpkg.log").write_text(log)
    unit = Unit(name="plexmediaserver.service", left_active_s=90_000.0 - (at("13:00:00") - at(stopped)).total_seconds())

    assert was_stopped_by_update(unit, clock, tmp_path / "dpkg.log") is by_update


def test_a_unit_that_the_update_started_again_was_stopped_by_a_person(tmp_path: Path) -> None:
    """`apt upgrade && systemctl stop plexmediaserver`, as a script does that makes a backup then."""
    clock = FakeClock(uptime_s=90_000.0)
    clock.wall = at("11:00:30")
    (tmp_path / "dpkg.log").write_text(UPGRADE)
    stopped_by_a_person = Unit(name="plexmediaserver.service", started_s=90_000.0 - 6, left_active_s=90_000.0 - 4)
    stopped_by_the_update = Unit(name="plexmediaserver.service", started_s=90_000.0 - 3600, left_active_s=90_000.0 - 28)

    assert not was_stopped_by_update(stopped_by_a_person, clock, tmp_path / "dpkg.log")
    assert was_stopped_by_update(stopped_by_the_update, clock, tmp_path / "dpkg.log")


def test_a_unit_that_never_ran_in_this_boot_and_a_log_that_is_not_there_tell_nothing(tmp_path: Path) -> None:
    clock = FakeClock()
    assert not was_stopped_by_update(Unit(name="x", left_active_s=5.0), clock, tmp_path / "none")
    (tmp_path / "dpkg.log").write_text(UPGRADE)
    clock.wall = at("11:00:10") + timedelta(seconds=0)
    assert not was_stopped_by_update(Unit(name="x"), clock, tmp_path / "dpkg.log")
