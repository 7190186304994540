"""Debian's own speedtest-cli against a Speedtest Mini page of ours: what it prints when it is well, and when it only says so."""

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from plexguard.core.clock import SystemClock
from plexguard.core.host import LocalHost
from plexguard.speed_test.act import make_test
from plexguard.speed_test.config import Config
from plexguard.speed_test.decide import Failed, Missing, Outcome
from plexguard.speed_test.result import Result
from tests.fakes.ports import FakeClock
from tests.fakes.speedtest import SpeedtestServer

COMMAND = "/usr/bin/speedtest-cli"
pytestmark = pytest.mark.skipif(shutil.which(COMMAND) is None, reason="speedtest-cli is not installed")


class Waiting(SystemClock):
    """The real time, without waiting: what would have been waited is kept."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def server() -> Iterator[SpeedtestServer]:
    with SpeedtestServer() as server:
        yield server


def run(server: SpeedtestServer, *arguments: str, clock: Waiting | None = None, timeout_s: float = 60) -> Outcome:
    # For its configuration it goes to www.speedtest.net even with --mini: through the proxy that comes to the same server.
    command = ("/usr/bin/env", f"http_proxy={server.url}", COMMAND, "--json", *arguments)
    return make_test(Config(command=command, timeout=timedelta(seconds=timeout_s)), LocalHost(), clock or Waiting())


def mini(server: SpeedtestServer) -> tuple[str, str]:
    return "--mini", server.url


def test_its_result_is_understood(server: SpeedtestServer) -> None:
    outcome = run(server, *mini(server))

    assert isinstance(outcome, Result)
    assert outcome.download_bit_per_s > 0 and outcome.upload_bit_per_s > 0
    assert 0 < outcome.ping_ms < 60_000
    assert outcome.server == f"Speedtest Mini ({server.url.removeprefix('http://')})"
    # Ten pictures of 200,000 bytes came in, and what went out was counted too.
    assert outcome.data_bytes is not None and outcome.data_bytes > 2_000_000


def test_the_result_of_a_server_from_the_list_is_understood(server: SpeedtestServer) -> None:
    outcome = run(server)

    assert isinstance(outcome, Result)
    assert outcome.server == "Example Networks (New York, NY)"


def test_a_request_that_is_refused_once_is_repeated_once(server: SpeedtestServer) -> None:
    server.mode, clock = "forbidden-once", Waiting()

    outcome = run(server, *mini(server), clock=clock)

    assert isinstance(outcome, Result)
    assert clock.slept == [5.0]
    assert server.count("speedtest-config.php") == 2


def test_a_request_that_is_refused_twice_is_left(server: SpeedtestServer) -> None:
    server.mode = "forbidden"

    outcome = run(server, *mini(server))

    assert isinstance(outcome, Failed)
    assert "HTTP Error 403: Forbidden" in outcome.reason
    assert (outcome.code, server.count("speedtest-config.php")) == (os.EX_UNAVAILABLE, 2)


def test_no_matched_servers_are_looked_for_once_more(server: SpeedtestServer) -> None:
    clock = Waiting()

    outcome = run(server, "--server", "4711", clock=clock)

    assert isinstance(outcome, Failed)
    assert "No matched servers: 4711" in outcome.reason
    assert (clock.slept, server.count("speedtest-config.php")) == ([5.0], 2)


@pytest.mark.parametrize(
    ("mode", "reason"), [("no-data", "nothing was downloaded"), ("no-latency", "ping: 1800000.0 is not within")]
)
def test_figures_of_a_test_that_never_took_place_are_no_result(server: SpeedtestServer, mode: str, reason: str) -> None:
    """It ends with exit code 0 and prints 0 bit/s, or half an hour of ping."""
    server.mode = mode

    outcome = run(server, *mini(server))

    assert isinstance(outcome, Failed)
    assert reason in outcome.reason
    assert outcome.code == os.EX_PROTOCOL


def test_a_server_that_hangs_is_given_up_and_nothing_is_left_behind(server: SpeedtestServer, tmp_path: Path) -> None:
    server.mode = "hang"

    outcome = run(server, *mini(server), "--timeout", "600", timeout_s=1)

    assert isinstance(outcome, Failed)
    assert "did not end within 1s" in outcome.reason
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if server.url.encode() in _read(path)]


def test_a_server_that_is_away_is_a_failure_with_its_own_words() -> None:
    # Nobody listens at the first port of a machine.
    command = ("/usr/bin/env", "http_proxy=http://127.0.0.1:1", COMMAND, "--json")

    outcome = make_test(Config(command=command), LocalHost(), FakeClock())

    assert isinstance(outcome, Failed)
    assert "Connection refused" in outcome.reason


def test_a_command_that_may_not_be_run_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "speedtest"
    file.write_text("#!/no/such/interpreter\n")
    file.chmod(0o755)

    assert isinstance(make_test(Config(command=(str(file),)), LocalHost(), FakeClock()), Missing)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
