"""plexguard-speed-test with its parts together: a simulated Plex, a command, files; what was found is handed in."""

import functools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from plexguard.core.clock import SystemClock
from plexguard.core.found import FoundPlex, Server
from plexguard.core.program import run
from plexguard.core.secret import Secret
from plexguard.core.state import exclusive_lock
from plexguard.speed_test import __main__ as speed_test
from plexguard.speed_test.config import Config
from plexguard.speed_test.observe import observe
from tests.fakes.plex import PlexSimulator
from tests.unit.speed_test.samples import SPEEDTEST_CLI, changed

Start = Callable[..., int]
OUTPUT = changed(SPEEDTEST_CLI, timestamp="STAMP")


@pytest.fixture(scope="module")
def plex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlexSimulator]:
    with PlexSimulator(tmp_path_factory.mktemp("plex") / "Plex Media Server") as simulator:
        yield simulator


@pytest.fixture
def start(plex: PlexSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Start the command as a person does, on a machine with that Plex, whatever packages this one is just installing."""
    found = FoundPlex(server=Server.UNIT, name="plexmediaserver.service", url=plex.url)
    monkeypatch.setattr(speed_test, "read_plex", lambda _: found)
    monkeypatch.setattr(speed_test, "read_token", lambda: Secret(plex.token))
    monkeypatch.setattr(speed_test, "observe", functools.partial(observe, look_for_update=lambda _: ""))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    monkeypatch.delenv("TRIGGER_UNIT", raising=False)
    write_command(tmp_path, f"echo '{OUTPUT}' | sed \"s/STAMP/$(date -u +%FT%TZ)/\"")

    def start(*arguments: str) -> int:
        config = [] if "list" in arguments else ["--config", str(tmp_path / "plexguard.toml")]
        return run("speed-test", speed_test.cli, [*config, *arguments])

    return start


def write_command(folder: Path, script: str, *, more: str = "") -> None:
    """Make the command of the tests: it keeps what was on disk when it was started."""
    command = folder / "speedtest"
    command.write_text(f"#!/bin/sh\ncat {folder}/state/state.json >> {folder}/runs\n{script}\n")
    command.chmod(0o755)
    (folder / "plexguard.toml").write_text(f'[speed-test]\ncommand = ["{command}"]\nendpoints = []\n{more}')


def attempts_seen(folder: Path) -> list[int]:
    """Return how many attempts were counted on disk at each start of the command."""
    text = (folder / "runs").read_text() if (folder / "runs").exists() else ""
    return [sum(day["attempts"] for day in json.loads(part + "}")["days"].values()) for part in text.split("\n}\n") if part]


def test_a_person_reads_the_result_and_the_list_holds_it(start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = start()
    out, err = capsys.readouterr()
    listed = start("list")

    assert (code, err, listed) == (0, "", 0)
    assert out == "download    93.4 Mbit/s  upload    20.1 Mbit/s  ping    12 ms  Example Networks (New York, NY)  143 MB used\n"
    assert out.strip() in capsys.readouterr().out
    # Counted before it was started.
    assert attempts_seen(tmp_path) == [1]


def test_programs_read_the_same_as_json(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    start("--format", "json")
    made = json.loads(capsys.readouterr().out)
    start("list", "--format", "json")

    assert json.loads(capsys.readouterr().out) == [made]
    assert made["result"]["download_bit_per_s"] == SPEEDTEST_CLI["download"]
    assert made["day"] == SystemClock().now().astimezone(ZoneInfo(Config().time_zone)).date().isoformat()


def test_four_attempts_are_all_there_are_in_a_day_however_they_end(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_command(tmp_path, "echo 'ERROR: it is broken' >&2; exit 1")

    codes = [start() for _ in range(12)]
    err = capsys.readouterr().err

    # Unless the day ended in between, which is not what this is about.
    assert codes == [os.EX_UNAVAILABLE] * 4 + [os.EX_TEMPFAIL] * 8
    assert attempts_seen(tmp_path) == [1, 2, 3, 4]
    assert "(attempt 4 of 4 on " in err and "ended with exit code 1: ERROR: it is broken" in err
    assert "4 of 4 attempts were made" in err


def test_nothing_is_measured_while_somebody_watches(
    start: Start, plex: PlexSimulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = plex.add_session()
    try:
        code = start()
    finally:
        plex.end_session(session)

    assert (code, attempts_seen(tmp_path)) == (os.EX_TEMPFAIL, [])
    assert "No speed test now: somebody watches" in capsys.readouterr().err
    assert start() == 0


def test_a_plex_that_gives_no_answer_may_have_viewers(
    start: Start, plex: PlexSimulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plex.set(mode="maintenance")
    try:
        code = start()
    finally:
        plex.set(mode="healthy")

    assert (code, attempts_seen(tmp_path)) == (os.EX_TEMPFAIL, [])
    assert "whether somebody watches cannot be told: Plex does not answer that" in capsys.readouterr().err


def test_without_a_network_nothing_is_measured(start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "plexguard.toml"
    # Nobody listens at the first port of a machine.
    config.write_text(config.read_text().replace("endpoints = []", 'endpoints = ["127.0.0.1:1", "[::1]:1"]'))

    code = start()

    assert (code, attempts_seen(tmp_path)) == (os.EX_TEMPFAIL, [])
    assert "there is no network: 127.0.0.1:1: Connection refused; [::1]:1: " in capsys.readouterr().err


def test_a_slow_line_is_told_and_is_the_exit_code(start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start()
    history = tmp_path / "state/history.jsonl"
    history.write_text(history.read_text().replace("93412345.6", "500000000.0") * 3)

    code = start()
    out, err = capsys.readouterr()

    assert code == 1
    assert "The line is slow (download): download 93.4 Mbit/s, usually 500.0" in err
    assert out.count("download    93.4 Mbit/s") == 2


def test_a_command_that_is_not_there_is_one_clear_line(start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "speedtest").unlink()

    code = start()

    assert code == os.EX_UNAVAILABLE
    err = capsys.readouterr().err
    assert "apt-get install speedtest-cli" in err and len(err.splitlines()) == 1


def test_two_tests_at_a_time_would_measure_each_other(start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start()
    with exclusive_lock(tmp_path / "state/lock"):
        assert start() == os.EX_TEMPFAIL

    assert attempts_seen(tmp_path) == [1]
    assert "held by another run" in capsys.readouterr().err


def test_a_state_that_is_torn_is_set_aside_and_a_test_is_made(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/state.json").write_text('{"schema": 1, "days"')
    (tmp_path / "state/history.jsonl").write_text('{"time": "2026-\n[]\n')

    assert start() == 0

    assert (tmp_path / "state/state.json.bad").exists()
    assert "state.json could not be used and was moved to" in capsys.readouterr().err
    assert attempts_seen(tmp_path) == [1]


def test_a_zone_that_is_not_on_the_machine_is_told_with_its_package(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import zoneinfo

    zoneinfo.ZoneInfo.clear_cache()
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath([str(tmp_path)])
    try:
        code = start()
    finally:
        zoneinfo.reset_tzpath(before)

    assert code == os.EX_NOINPUT
    assert "apt-get install tzdata" in capsys.readouterr().err
