"""A process is recognised as Plex by the name that the kernel keeps of it."""

import dataclasses
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from plexguard.core import processes
from plexguard.core.processes import Inside, find_plex, look_inside
from tests.waiting import await_true


@contextmanager
def running(folder: Path, name: str) -> Iterator[int]:
    """Run a program of that name that does nothing."""
    command = shutil.copy("/bin/sleep", folder / name)
    process = subprocess.Popen([str(command), "60"])
    try:
        # The kernel lets the parent go on a moment before the child has its new name.
        await_true(lambda: Path(f"/proc/{process.pid}/comm").read_text() == name[:15] + "\n")
        yield process.pid
    finally:
        process.kill()
        process.wait()


def test_server_is_found_though_the_kernel_cuts_its_name(tmp_path: Path) -> None:
    with running(tmp_path, "Plex Media Server") as pid:
        assert Path(f"/proc/{pid}/comm").read_text().strip() == "Plex Media Serv"

        (found,) = [process for process in find_plex() if process.pid == pid]

    assert found.name.startswith("Plex Media Serv")
    assert found.uid == os.getuid()
    assert found.state in ("running", "sleeping", "disk-sleep")
    assert pid not in [process.pid for process in find_plex()]


@pytest.mark.parametrize("name", ["Plex Media Scanner", "Plex Script Host", "plexmediaserver", "sleep"])
def test_other_process_is_no_server(tmp_path: Path, name: str) -> None:
    with running(tmp_path, name) as pid:
        assert pid not in [process.pid for process in find_plex()]


def test_server_that_ended_and_was_not_waited_for_is_seen_as_such(tmp_path: Path) -> None:
    command = shutil.copy("/bin/true", tmp_path / "Plex Media Server")
    process = subprocess.Popen([str(command)])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    states = [found.state for found in find_plex() if found.pid == process.pid]
    process.wait()

    assert states == ["zombie"]


def test_a_plex_in_a_container_is_dated_by_the_clock_that_nobody_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    with running(tmp_path, "Plex Media Server") as pid:
        inside = tuple(process for process in find_plex() if process.pid == pid)
        monkeypatch.setattr(processes, "find_in_container", lambda container_id: inside if container_id == "c0ffee" else ())
        found = look_inside("c0ffee")

        assert found.has_plex
        # as exact as the kernel's clock ticks
        assert found.plex_started_s is not None
        assert before_s - 0.02 <= found.plex_started_s <= time.clock_gettime(time.CLOCK_BOOTTIME)
        # of a container that cannot be seen nothing is known, of one with other processes that it has no Plex
        assert look_inside("facade") == look_inside("") == Inside()
        other = tuple(dataclasses.replace(process, name="s6-svscan") for process in inside)
        monkeypatch.setattr(processes, "find_in_container", lambda container_id: other)
        assert look_inside("c0ffee") == Inside(has_plex=False)
