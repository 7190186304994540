"""Taking an observation: what is asked, what cannot be, and that it ends."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from plexguard.core.clock import Moment
from plexguard.core.config import DEFAULT_PATH
from plexguard.core.host import CommandTimeout
from plexguard.core.manager import Timer, Unit
from plexguard.core.told import Told
from plexguard.status.observe import (
    LOOK_BACK,
    GuardedMount,
    JournalSeen,
    Limits,
    Observation,
    find_boot,
    find_life,
    observe,
    read_limits,
    read_told,
)
from tests.fakes.ports import BEGIN, FakeClock, FakeManager
from tests.unit.status.test_incidents import at, fold, tell
from tests.unit.status.world import before


class FakeEvents:
    """Events at their times; each one that is read takes its time of the clock."""

    def __init__(self, clock: FakeClock, told: tuple[Told, ...], *, took_s: float = 0.0) -> None:
        self._clock, self._all, self._took_s = clock, told, took_s
        self._ahead: list[Told] = []
        self.sought: list[datetime] = []
        self.began: datetime | None = None

    def seek(self, cursor: str) -> bool:
        raise AssertionError

    def seek_end(self) -> str:
        raise AssertionError

    def first(self) -> datetime | None:
        return self.began

    def seek_time(self, at: datetime) -> None:
        self.sought.append(at)
        self._ahead = [one for one in self._all if one.at >= at]

    def read(self, limit: int) -> tuple[Told, ...]:
        found, self._ahead = tuple(self._ahead[:limit]), self._ahead[limit:]
        self._clock.pass_time(self._took_s * len(found))
        return found

    def wait(self, timeout_s: float) -> None:
        raise AssertionError


@pytest.fixture
def journals(tmp_path: Path) -> tuple[Path]:
    (tmp_path / "machine").mkdir()
    (tmp_path / "machine/system.journal").touch()
    return (tmp_path,)


DEFAULTS = Limits()


def take(manager: FakeManager, root: Path, *, limits: Limits = DEFAULTS) -> Observation:
    return observe(manager, FakeClock(), read_told=lambda: JournalSeen(), limits=limits, root=root, runtime=root)


def test_units_timers_and_states_are_taken(tmp_path: Path) -> None:
    manager = FakeManager(Unit(name="plexguard-plex-probe.timer"), Unit(name="ssh.service"))
    manager.timers = (Timer(name="plexguard-plex-probe.timer"),)
    (tmp_path / "plex-probe").mkdir()
    (tmp_path / "plex-probe/state.json").write_text(json.dumps({"schema": 1, "verdict": "hung"}))
    (tmp_path / "plex.json").write_text(json.dumps({"schema": 1, "server": "none"}))

    seen = take(manager, tmp_path)

    assert (list(seen.units), list(seen.timers)) == (["plexguard-plex-probe.timer"], ["plexguard-plex-probe.timer"])
    assert seen.probe.record is not None
    assert seen.plex.record is not None
    assert seen.network.record is None


def test_a_manager_that_does_not_answer_is_noted(tmp_path: Path) -> None:
    manager = FakeManager()
    manager.fail["find-units"] = CommandTimeout("systemctl: no end within 10 s")

    assert take(manager, tmp_path).manager_why == "systemctl: no end within 10 s"


def test_nothing_that_is_installed_is_nothing_known(tmp_path: Path) -> None:
    assert take(FakeManager(), tmp_path).manager_why


def test_nothing_is_asked_of_the_manager_but_what_there_is(tmp_path: Path) -> None:
    manager = FakeManager(Unit(name="plexguard.target"))

    take(manager, tmp_path)

    assert {verb for verb, _ in manager.asked} == {"find-units", "look-up", "find-timers"}


# -- which boot -------------------------------------------------------------------------------------------------------

NOW = Moment(wall=BEGIN, boot_id="of the container", uptime_s=10_000.0)


@pytest.mark.parametrize(
    ("checked", "boot"),
    [
        (before(12), "boot-1"),
        # The wall clock says other than the uptime: there was a reboot in between.
        (Moment(wall=BEGIN - timedelta(seconds=600), boot_id="boot-1", uptime_s=9_000.0), "of the container"),
        (Moment(wall=BEGIN - timedelta(seconds=600), boot_id="boot-1", uptime_s=20_000.0), "of the container"),
    ],
)
def test_a_boot_that_has_two_names_is_one(checked: Moment, boot: str) -> None:
    assert find_boot(NOW, [checked]).boot_id == boot


@pytest.mark.parametrize(
    ("newest", "boot"),
    [
        (None, "of the container"),
        (before(12), "boot-1"),
        (Moment(wall=BEGIN - timedelta(days=1), boot_id="boot-1", uptime_s=50.0), "of the container"),
    ],
)
def test_a_life_is_of_the_boot_by_which_the_journal_counts(newest: Moment | None, boot: str) -> None:
    units = {name: Unit(name=name, started_s=started_s) for name, started_s in (("a.service", 60.0), ("b.service", 0.0))}

    life = find_life(NOW, JournalSeen(newest=newest), units)

    assert (life.boot_id, life.began, life.started_s) == (boot, BEGIN - timedelta(seconds=10_000), {"a.service": 60.0})


def test_what_a_unit_has_forgotten_is_over(tmp_path: Path) -> None:
    clock = FakeClock()
    lost = replace(tell("container.docker-lost", -600, unit="plexguard-a.service"), cursor=f"b={clock.boot_id};m={int(9_400e6):x}")

    def look(started_s: float) -> bool:
        told = JournalSeen(incidents=fold([lost]), newest=lost.moment, since=BEGIN - LOOK_BACK)
        manager = FakeManager(Unit(name="plexguard-a.service", load_state="loaded", started_s=started_s))
        seen = observe(manager, clock, read_told=lambda: told, limits=Limits(), root=tmp_path, runtime=tmp_path)
        return seen.told.incidents[0].is_open

    assert look(started_s=9_000.0)
    assert not look(started_s=9_900.0)


# -- the journal ------------------------------------------------------------------------------------------------------


def test_the_journal_of_a_week_is_read_and_folded(journals: tuple[Path]) -> None:
    clock = FakeClock()
    reader = FakeEvents(clock, tuple(tell("plex.hung", -number) for number in range(1200, 0, -1)))

    found = read_told(lambda: reader, clock, folders=journals)

    assert (found.since, found.why) == (BEGIN - LOOK_BACK, "")
    assert [incident.count for incident in found.incidents] == [1200]
    assert found.last == {"plex.hung": at(-1)}


def test_before_the_journal_begins_nothing_is_known(journals: tuple[Path]) -> None:
    clock = FakeClock()
    reader = FakeEvents(clock, (tell("plex.hung", -60),))
    reader.began = at(-600)

    assert read_told(lambda: reader, clock, folders=journals).since == at(-600)
    reader.began = at(-10_000_000)
    assert read_told(lambda: reader, clock, folders=journals).since == BEGIN - LOOK_BACK


def test_a_journal_that_is_too_long_gives_its_last_day(journals: tuple[Path]) -> None:
    clock = FakeClock()
    old = tuple(tell("plex.hung", -100_000 - number) for number in range(5000, 0, -1))
    reader = FakeEvents(clock, (*old, tell("net.lost", -60)), took_s=0.002)

    found = read_told(lambda: reader, clock, folders=journals)

    assert [incident.name for incident in found.incidents] == ["net.lost"]
    assert found.since == BEGIN - timedelta(days=1)
    assert "only what was told since" in found.why


def test_a_journal_that_is_far_too_long_is_given_up(journals: tuple[Path]) -> None:
    clock = FakeClock()
    reader = FakeEvents(clock, tuple(tell("plex.hung", -1) for _ in range(20_000)), took_s=0.1)

    found = read_told(lambda: reader, clock, folders=journals)

    assert (found.since, found.incidents) == (None, ())
    assert "too long" in found.why
    assert (clock.wall - BEGIN).total_seconds() < 200


def test_a_user_who_may_not_read_it_is_no_well_machine(tmp_path: Path) -> None:
    found = read_told(lambda: pytest.fail("it was read all the same"), FakeClock(), folders=(tmp_path,))

    assert found.since is None
    assert found.why


def test_a_journal_that_fails_is_told(journals: tuple[Path]) -> None:
    def fail() -> FakeEvents:
        raise OSError(5, "Input/output error")

    assert "Input/output error" in read_told(fail, FakeClock(), folders=journals).why


# -- the configuration ------------------------------------------------------------------------------------------------


def test_limits_are_those_of_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "plexguard.toml"
    file.write_text('[plex-probe]\ninterval = "5min"\nmax_restarts_per_day = 9\n[net-recover]\nreboot = true\n')

    limits, mistakes = read_limits(file, {})

    assert (limits.probe_interval, limits.max_restarts_per_day, limits.reboot) == (timedelta(minutes=5), 9, True)
    assert mistakes == ()


def test_mounts_are_known_from_the_configuration_alone(tmp_path: Path) -> None:
    file = tmp_path / "plexguard.toml"
    file.write_text(
        '[rclone.films]\nremote = "s3:films"\nmount_point = "/srv/films"\n[rclone.nas]\nmount_point = "/mnt/nas"\n'
        '[rclone-watchdog]\ntrash = true\nbackend_interval = "1min"\n'
    )

    limits, _ = read_limits(file, {})

    assert limits.mounts == {"films": GuardedMount(path="/srv/films"), "nas": GuardedMount(path="/mnt/nas", is_ours=False)}
    assert (limits.trash, limits.mount_fresh_s) == (True, 180)


def test_the_watchdog_of_a_mount_is_asked_for_by_its_name(tmp_path: Path) -> None:
    unit = Unit(name="plexguard-rclone-watchdog@films.service", load_state="loaded", active_state="active")

    class Installed(FakeManager):
        """Lists what is installed: of a template nothing is that was started and never enabled."""

        def find_units(self, pattern: str) -> tuple[Unit, ...]:
            return ()

    seen = take(Installed(unit), tmp_path, limits=Limits(mounts={"films": GuardedMount(path="/srv/films")}))

    assert seen.units == {unit.name: unit}


def test_mistakes_are_told_and_defaults_stand_in(tmp_path: Path) -> None:
    file = tmp_path / "plexguard.toml"
    file.write_text('[plex-probe]\ninterval = "soon"\n')

    limits, mistakes = read_limits(file, {})

    assert limits.probe_interval == timedelta(seconds=30)
    assert len(mistakes) == 1


def test_the_defaults_are_those_of_the_programs() -> None:
    limits, _ = read_limits(DEFAULT_PATH.with_name("nowhere.toml"), {})

    assert limits.speed_zone == ZoneInfo("America/New_York")
    assert Limits(speed_zone=ZoneInfo("America/New_York")) == limits
