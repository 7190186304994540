"""plexguard-status --journal on real journals of several hosts."""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from plexguard.core.suite import events
from tests.integration.status.journals import REMOTE, make_entry, tell_entry, write_journal
from tests.integration.status.test_command import status

pytestmark = pytest.mark.skipif(not REMOTE.exists(), reason="systemd-journal-remote is not installed")
EVENTS = {event.name: event for event in events()}
FAULT = {"detail": "no answer", "level": "identity", "looks": 3, "silent_s": 20.0, "server": "unit", "processes": "none"}
Ago = Callable[[float], datetime]


@pytest.fixture
def ago() -> Ago:
    now = datetime.now(UTC)
    return lambda minutes: now - timedelta(minutes=minutes)


def hang(host: str, at: datetime) -> str:
    event = EVENTS["plex.hung"]
    return tell_entry(host, at, event, **{name: FAULT.get(name, kind()) for name, kind in event.fields.items()})


def recover(host: str, at: datetime) -> str:
    event = EVENTS["plex.recovered"]
    return tell_entry(host, at, event, **{**{name: kind() for name, kind in event.fields.items()}, "downtime_s": 75.5})


def test_each_host_of_a_merged_journal_is_shown(tmp_path: Path, ago: Ago) -> None:
    write_journal(tmp_path, "remote-barn", hang("barn", ago(30)), make_entry("barn", ago(1), "something else"))
    write_journal(tmp_path, "remote-house", hang("house", ago(30)), recover("house", ago(20)), make_entry("house", ago(2), "well"))

    done = status("--journal", str(tmp_path), "--format", "json")

    hosts = {host["host"]: host for host in json.loads(done.stdout)["hosts"]}
    assert {name: host["state"] for name, host in hosts.items()} == {"barn": "problem", "house": "well"}
    assert [host["incidents"] for host in hosts.values()] == [1, 1]
    assert hosts["barn"]["problems"][0]["command"] == "journalctl -x PLEXGUARD_EVENT=plex.hung"
    # Heard of by any entry, not only by events.
    assert datetime.fromisoformat(hosts["barn"]["heard"]) == ago(1).replace(microsecond=ago(1).microsecond)
    assert done.returncode == 1


def test_one_file_with_several_hosts_is_read_as_well(tmp_path: Path, ago: Ago) -> None:
    write_journal(
        tmp_path, "remote", hang("barn", ago(9)), hang("house", ago(8)), recover("house", ago(7)), recover("barn", ago(6))
    )

    done = status("--journal", str(tmp_path))

    assert done.stdout.splitlines()[0].startswith("2 hosts")
    assert done.stdout.splitlines()[0].endswith("all healthy")
    assert done.returncode == 0


def test_two_hosts_of_one_name_are_two(tmp_path: Path, ago: Ago) -> None:
    other = hashlib.sha256(b"barn").hexdigest()[:32]
    twin = recover("house", ago(10)).replace(hashlib.sha256(b"house").hexdigest()[:32], other)
    write_journal(tmp_path, "remote-house", hang("house", ago(30)))
    write_journal(tmp_path, "remote-twin", twin)

    done = status("--journal", str(tmp_path), "--format", "json")

    hosts = {host["host"]: host["state"] for host in json.loads(done.stdout)["hosts"]}
    assert hosts == {f"house ({hashlib.sha256(b'house').hexdigest()[:8]})": "problem", f"house ({other[:8]})": "well"}


@pytest.mark.parametrize("content", [b"", b"x" * 100_000], ids=["empty", "rubbish"])
def test_a_file_that_is_no_journal_is_named(tmp_path: Path, ago: Ago, content: bytes) -> None:
    write_journal(tmp_path, "remote-house", make_entry("house", ago(2), "well"), hang("house", ago(9)), recover("house", ago(8)))
    (tmp_path / "remote-barn.journal").write_bytes(content)

    done = status("--journal", str(tmp_path), "--format", "json")

    assert json.loads(done.stdout)["broken"] == [str(tmp_path / "remote-barn.journal")]
    assert done.returncode == 69


def test_a_host_that_is_silent_is_not_known(tmp_path: Path, ago: Ago) -> None:
    write_journal(tmp_path, "remote", hang("barn", ago(900)), recover("barn", ago(890)))

    done = status("--journal", str(tmp_path))

    assert "nothing has been heard of it" in done.stdout
    assert done.returncode == 69


def test_what_another_user_forged_is_not_believed(tmp_path: Path, ago: Ago) -> None:
    forged = hang("barn", ago(5)).replace("_UID=0\n", "_UID=1000\n")
    forged = forged.replace("_SYSTEMD_UNIT=plexguard-plex-probe.service\n", "_SYSTEMD_UNIT=user@1000.service\n")
    write_journal(tmp_path, "remote", forged)

    assert "problem" not in status("--journal", str(tmp_path)).stdout


@pytest.mark.parametrize("missing", [True, False], ids=["missing", "empty"])
def test_no_journal_is_said_to_be_none(tmp_path: Path, missing: bool) -> None:
    done = status("--journal", str(tmp_path / "nowhere" if missing else tmp_path))

    assert done.returncode == 66
    assert "there is no journal in it" in done.stderr


def test_watching_is_for_this_machine(tmp_path: Path) -> None:
    assert status("--journal", str(tmp_path), "--watch").returncode == 64
