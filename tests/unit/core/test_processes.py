"""Is a package manager at work? Read from the form of /proc/locks."""

import os
from pathlib import Path

import pytest

from plexguard.core.processes import Process, packages_are_changing

LOCK = Path("/var/lib/dpkg/lock")
HELD_BY_OTHERS = """\
1: POSIX  ADVISORY  WRITE 812 fd:00:123456 0 EOF
2: FLOCK  ADVISORY  WRITE 900 00:1a:77 0 EOF
2: -> FLOCK  ADVISORY  WRITE 901 00:1a:77 0 EOF
3: LEASE  ACTIVE    READ  950 08:01:5 0 EOF
"""


def name_of(path: Path) -> str:
    """Return device and inode as lslocks and proc_locks(5) write them."""
    status = path.stat()
    return f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"


def test_lock_of_dpkg_that_is_held_means_packages_are_changing() -> None:
    assert packages_are_changing(HELD_BY_OTHERS + f"4: POSIX  ADVISORY  WRITE 1000 {name_of(LOCK)} 0 EOF\n")


def test_waiting_for_a_lock_is_not_holding_it() -> None:
    assert not packages_are_changing(f"4: -> POSIX  ADVISORY  WRITE 1000 {name_of(LOCK)} 0 EOF\n")


@pytest.mark.parametrize("text", ["", HELD_BY_OTHERS, "garbage\n", "1:\n\n 2: POSIX\n"], ids=["none", "others", "garbage", "cut"])
def test_other_locks_mean_nothing(text: str) -> None:
    assert not packages_are_changing(text)


def test_inode_that_only_begins_alike_is_another() -> None:
    assert not packages_are_changing(f"4: POSIX  ADVISORY  WRITE 1000 {name_of(LOCK)}1 0 EOF\n")


def test_table_of_this_machine_can_be_read() -> None:
    assert packages_are_changing() in (True, False)


def test_process_is_shown_with_its_state() -> None:
    assert str(Process(pid=7, name="Plex Media Serv", state="disk-sleep", uid=997)) == "Plex Media Serv (pid 7, disk-sleep)"
