"""Who holds a lock, and what a container does before it starts Plex."""

import os
from pathlib import Path

import pytest

from plexguard.core import updates
from plexguard.core.found import FoundContainer
from plexguard.core.processes import Process
from plexguard.core.updates import Lock, find_package_work, find_preparation, parse_locks

# As Linux 6.1 prints it: two locks of programs, one that is waited for, one for reading, one of flock(2).
TABLE = """1: POSIX  ADVISORY  WRITE 4711 00:2d:1234 0 EOF
1: -> POSIX  ADVISORY  WRITE 4712 00:2d:1234 0 EOF
2: POSIX  ADVISORY  READ  4713 00:2d:99 128 128
3: FLOCK  ADVISORY  WRITE 4714 00:2d:98 0 EOF
4: POSIX  ADVISORY  WRITE 4715 fe:01:97 100 100
"""
CONTAINER = FoundContainer(name="plex", id="c0ffee", status="running")


def test_write_locks_that_are_held_are_found() -> None:
    assert parse_locks(TABLE) == (Lock(4711, os.makedev(0, 0x2D), 1234), Lock(4715, os.makedev(0xFE, 1), 97))


@pytest.mark.parametrize(
    "table", ["", "\n", "nonsense", "1: POSIX ADVISORY WRITE", "1: POSIX  ADVISORY  WRITE 4711 <none>:0 0 EOF"]
)
def test_table_that_is_none_holds_no_lock(table: str) -> None:
    assert parse_locks(table) == ()


@pytest.mark.parametrize(
    ("device", "holder", "held"),
    [
        ("the same", "odd-installer", True),
        ("another", "apt-get", True),
        ("another", "unattended-upgr", True),
        ("another", "Plex Media Serv", False),
        ("another", "mariadbd", False),
        ("another", "", False),
    ],
)
def test_lock_is_known_by_its_device_or_by_who_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, holder: str, held: bool
) -> None:
    lock, table = tmp_path / "lock", tmp_path / "locks"
    lock.write_text("")
    status = lock.stat()
    number = status.st_dev if device == "the same" else os.makedev(0xFF, 0xFF)
    place = f"{os.major(number):02x}:{os.minor(number):02x}:{status.st_ino}"
    table.write_text(f"1: POSIX  ADVISORY  WRITE 4711 {place} 0 EOF\n")
    monkeypatch.setattr(updates, "read_comm", lambda pid: holder if pid == 4711 else "")

    assert find_package_work(locks=(lock,), table=table) == (f"{holder} (pid 4711) holds {lock}" if held else "")
    assert find_package_work(locks=(tmp_path / "none",), table=table) == ""
    assert find_package_work(locks=(lock,), table=tmp_path / "none") == ""


def see(monkeypatch: pytest.MonkeyPatch, *commands: str) -> None:
    processes = tuple(
        Process(pid=n, name=c.partition(" -")[0][:15], state="sleeping", uid=0, command=c) for n, c in enumerate(commands, 7)
    )
    monkeypatch.setattr(updates, "find_in_container", lambda container_id: processes if container_id == "c0ffee" else ())


def test_container_that_downloads_its_plex_prepares_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    see(monkeypatch, "s6-svscan -t0", "bash /var/run/s6/etc/cont-init.d/50-plex-update", "curl -o /tmp/plexmediaserver.deb")

    assert find_preparation(CONTAINER) == "container plex prepares itself: bash /var/run/s (pid 8)"


@pytest.mark.parametrize(
    "commands",
    [
        ("s6-svscan -t0",),
        ("s6-svscan -t0", "curl --connect-timeout 15 -sSf http://localhost:32400/identity"),
        ("s6-svscan -t0", "Plex Media Server", "dpkg --print-architecture"),
        (),
    ],
)
def test_container_that_has_a_plex_or_does_nothing_prepares_nothing(
    monkeypatch: pytest.MonkeyPatch, commands: tuple[str, ...]
) -> None:
    see(monkeypatch, *commands)

    assert find_preparation(CONTAINER) == ""


def test_container_that_does_not_run_prepares_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    see(monkeypatch, "dpkg -i plexmediaserver.deb")

    assert find_preparation(FoundContainer(name="plex", id="c0ffee", status="exited")) == ""
    assert find_preparation(FoundContainer(name="plex", status="running")) == ""
