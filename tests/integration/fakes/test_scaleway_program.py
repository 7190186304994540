"""The fake cloud outlives its program, boots what it is told to boot, and is driven from elsewhere."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
import urllib.error
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.fakes.ports import FakeClock
from tests.fakes.scaleway import FakeScaleway, Machine, Mishap, Timing
from tests.fakes.scaleway.remote import Remote
from tests.integration.fakes.scaleway_calls import Caller, kinds, run
from tests.waiting import await_true

PACKAGE = Path(__file__).resolve().parents[2] / "fakes" / "scaleway"


# What is kept.


def test_all_there_is_survives_a_restart(tmp_path: Path) -> None:
    clock = FakeClock()
    with FakeScaleway(clock=clock, state=tmp_path) as cloud:
        caller = Caller(cloud.url)
        running = run(cloud, caller)
        caller.create(kind="sbs_volume", name="job-2")
        caller.ask("PATCH", f"servers/{running}/user_data/cloud-init", b"#cloud-config")
        caller.act(running, "terminate")
        before, spent, asked = cloud.left(), cloud.spent_eur(), [row.status for row in cloud.requests]

    with FakeScaleway(clock=clock, state=tmp_path) as cloud:
        caller = Caller(cloud.url)
        assert (cloud.left(), cloud.spent_eur()) == (before, spent)
        assert [row.status for row in cloud.requests] == asked
        assert caller.state(running) == "stopping"
        assert caller.ask("GET", f"servers/{running}/user_data/cloud-init").body == b"#cloud-config"
        assert cloud.requests[-1].number == len(asked) + 2
        cloud.pass_time(5)
        assert kinds(cloud) == ["sbs_volume", "server"]


# Real machines.


class Booter:
    """Stands for what boots machines: records its calls, and waits for `ready`, or the end of its block, before it returns."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Machine]] = []
        self.ready = threading.Event()
        self.ready.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # The fake waits for its hooks before it ends.
        self.ready.set()

    def poweron(self, machine: Machine) -> str:
        self.calls.append(("poweron", machine))
        self.ready.wait()
        return "10.0.0.7"

    def terminate(self, machine: Machine) -> None:
        self.calls.append(("terminate", machine))
        self.ready.wait()


def test_a_server_runs_once_its_machine_does_and_has_its_address() -> None:
    booter = Booter()
    with FakeScaleway(clock=FakeClock(), poweron=booter.poweron, terminate=booter.terminate) as cloud, booter:
        caller = Caller(cloud.url)
        server = caller.create()
        caller.ask("PATCH", f"servers/{server}/user_data/cloud-init", b"#cloud-config")
        booter.ready.clear()
        caller.act(server, "poweron")
        cloud.pass_time(3600)
        assert caller.state(server) == "starting"

        booter.ready.set()
        await_true(lambda: caller.state(server) == "running")
        assert [ip["address"] for ip in caller.server(server)["public_ips"]] == ["10.0.0.7"]
        booter.ready.clear()
        caller.act(server, "terminate")
        cloud.pass_time(3600)
        assert caller.state(server) == "stopping"
        booter.ready.set()
        await_true(lambda: cloud.left() == [])

    (verb, machine), (last, _) = booter.calls
    assert (verb, machine.id, machine.image_label, last) == ("poweron", server, "debian_bookworm", "terminate")
    assert machine.user_data == {"cloud-init": b"#cloud-config"} and machine.tags == ("suite=scan", "job=1")


def test_a_machine_that_does_not_boot_leaves_its_server_starting(capfd: pytest.CaptureFixture[str]) -> None:
    def fail(machine: Machine) -> str:
        raise OSError("no room")

    with FakeScaleway(clock=FakeClock(), poweron=fail) as cloud:
        caller = Caller(cloud.url)
        server = caller.create()
        caller.act(server, "poweron")
        await_true(lambda: cloud.machines.errors)
        cloud.pass_time(3600)
        assert caller.state(server) == "starting"

    assert "no room" in cloud.machines.errors[0] and "no room" in capfd.readouterr().err


def test_a_restart_boots_again_what_was_booting(tmp_path: Path) -> None:
    clock, booter = FakeClock(), Booter()
    with FakeScaleway(clock=clock, state=tmp_path, poweron=booter.poweron) as cloud:
        caller = Caller(cloud.url)
        server = caller.create()
        caller.act(server, "poweron")

    with FakeScaleway(clock=clock, state=tmp_path, poweron=booter.poweron) as cloud:
        cloud.pass_time(60)
        await_true(lambda: Caller(cloud.url).state(server) == "running")

    assert [(verb, machine.id) for verb, machine in booter.calls] == [("poweron", server)] * 2


def test_an_ignored_terminate_does_not_end_the_machine() -> None:
    booter = Booter()
    with FakeScaleway(clock=FakeClock(), poweron=booter.poweron, terminate=booter.terminate) as cloud:
        caller = Caller(cloud.url)
        server = caller.create()
        caller.act(server, "poweron")
        cloud.pass_time(60)
        await_true(lambda: caller.state(server) == "running")
        cloud.set(terminate_ignored=True)
        caller.act(server, "terminate")
        cloud.pass_time(60)
        assert caller.state(server) == "running"

    assert [verb for verb, _ in booter.calls] == ["poweron"]


# The program.


class Program:
    """The fake as a program, from a copy of its folder alone."""

    def __init__(self, folder: Path, *options: str) -> None:
        if not (folder / "scaleway").exists():
            shutil.copytree(PACKAGE, folder / "scaleway", ignore=shutil.ignore_patterns("__pycache__"))
        command = [sys.executable, "-B", "-m", "scaleway", "--state", str(folder / "state"), *options]
        self.process = subprocess.Popen(command, cwd=folder, env={"PATH": "/usr/bin:/bin"}, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait()


def test_the_program_is_killed_and_knows_everything_afterwards(tmp_path: Path) -> None:
    program = Program(tmp_path, "--scale", "0")
    try:
        caller, remote = Caller(program.url), Remote(program.url)
        server = caller.create()
        caller.act(server, "poweron")
        assert caller.state(server) == "running"
        remote.pass_time(5 * 3600)
        spent, left = remote.spent_eur(), remote.left()
        assert program.end(signal.SIGKILL) == -signal.SIGKILL

        program = Program(tmp_path, "--scale", "0")
        caller, remote = Caller(program.url), Remote(program.url)
        assert caller.state(server) == "running"
        assert (remote.left(), remote.spent_eur()) == (left, pytest.approx(spent, abs=0.001))
        assert [row.number for row in remote.requests] == list(range(1, len(remote.requests) + 1))
        assert program.end(signal.SIGTERM) == 0
    finally:
        program.end(signal.SIGKILL)


def test_the_program_is_driven_from_elsewhere(tmp_path: Path) -> None:
    program = Program(tmp_path)
    try:
        caller, remote = Caller(program.url), Remote(program.url)
        remote.set(mishaps=[Mishap(kind="too-many", times=1)])
        assert [caller.ask("GET", "servers").status for _ in range(2)] == [429, 200]
        remote.set(hold_before=3)
        asking = threading.Thread(target=caller.ask, args=("GET", "servers"))
        asking.start()
        await_true(lambda: remote.held == {3})
        remote.heal()
        asking.join()
        with pytest.raises(urllib.error.HTTPError, match="400"):
            remote.set(slowness=1)
        server = caller.create()
        caller.act(server, "poweron")
        remote.pass_time(16)
        assert caller.state(server) == "running"
        remote.power_off_guest(server)
        remote.pass_time(10)
        assert caller.state(server) == "stopped in place"
        assert remote.errors == []
    finally:
        program.end(signal.SIGKILL)


def test_the_program_boots_by_a_command(tmp_path: Path) -> None:
    hook = tmp_path / "hook"
    hook.write_text('#!/bin/sh\ncat >"$0.$1"\necho 10.0.0.9\n')
    hook.chmod(0o755)
    program = Program(tmp_path, "--scale", "0", "--hook", str(hook))
    try:
        caller = Caller(program.url)
        server = caller.create()
        caller.ask("PATCH", f"servers/{server}/user_data/cloud-init", b"\xff#")
        caller.act(server, "poweron")
        await_true(lambda: caller.state(server) == "running")

        assert caller.server(server)["public_ips"][0]["address"] == "10.0.0.9"
        told = json.loads((tmp_path / "hook.poweron").read_text())
        assert (told["id"], told["user_data"]) == (server, {"cloud-init": "/yM="})
        caller.act(server, "terminate")
        await_true(lambda: Remote(program.url).left() == [])
        assert (tmp_path / "hook.terminate").exists()
    finally:
        program.end(signal.SIGKILL)


def test_steps_without_time_are_over_at_the_next_look() -> None:
    with FakeScaleway(timing=Timing.none()) as cloud:
        caller = Caller(cloud.url)
        server = caller.create()
        caller.act(server, "poweron")
        assert caller.state(server) == "running"
        caller.act(server, "terminate")
        assert cloud.left() == []
