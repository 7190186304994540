"""The service manager: what systemctl is asked, and what its answers mean."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from plexguard.core.errors import PeerError
from plexguard.core.host import CommandFailed, Completed
from plexguard.core.manager import SystemdManager, Unit, parse_unit
from tests.fakes.ports import FakeHost

RUNNING = """\
Result=success
Environment=PLEX_HOME=/var/lib/plexmediaserver A=b=c
MainPID=812
ExecMainStatus=3
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
User=plex
Group=plex
InactiveExitTimestampMonotonic=12500000
"""
TWO = """\
Id=plexguard-plex-probe.timer
LoadState=loaded
ActiveState=active
UnitFileState=enabled
UnitFilePreset=enabled

ExecMainStatus=1
Id=plexguard-plex-probe.service
LoadState=loaded
ActiveState=failed
Result=exit-code
"""
FILES = '[{"unit_file":"plexguard-plex-probe.timer","state":"enabled"},{"unit_file":"plexguard-perms-audit@.service"}]'
# As 252 writes it: "left" and "passed" are moments too, and 0 is never.
TIMERS = """\
[{"next":1795286703905388,"left":1795286703905388,"last":0,"passed":0,"unit":"plexguard-plex-probe.timer","activates":"x"},
 {"next":null,"left":null,"last":1795286674520492,"passed":null,"unit":"plexguard-discover.timer","activates":"y"}]
"""
DONE = Completed(code=0, stdout="", stderr="")


def test_running_unit_is_read_whole() -> None:
    unit = parse_unit("plexmediaserver.service", RUNNING)

    assert unit == Unit(
        name="plexmediaserver.service",
        load_state="loaded",
        active_state="active",
        sub_state="running",
        result="success",
        file_state="enabled",
        user="plex",
        group="plex",
        environment="PLEX_HOME=/var/lib/plexmediaserver A=b=c",
        main_pid=812,
        exit_code=3,
        started_s=12.5,
    )
    assert unit.exists
    assert unit.runs


@pytest.mark.parametrize(
    ("text", "exists", "runs"),
    [
        ("", False, False),
        ("LoadState=not-found\nActiveState=inactive\nMainPID=0\n", False, False),
        ("LoadState=masked\nActiveState=inactive\n", True, False),
        ("LoadState=loaded\nActiveState=reloading\n", True, True),
        ("LoadState=loaded\nActiveState=activating\n", True, False),
        ("LoadState=loaded\nActiveState=failed\nResult=exit-code\n", True, False),
        ("LoadState=bad-setting\nActiveState=inactive\n", False, False),
    ],
)
def test_state_of_a_unit_says_whether_it_exists_and_runs(text: str, exists: bool, runs: bool) -> None:
    unit = parse_unit("x.service", text)

    assert (unit.exists, unit.runs) == (exists, runs)


@pytest.mark.parametrize("text", ["garbage", "MainPID=\nInactiveExitTimestampMonotonic=[not set]\n", "=\n==\n", "\x00\n"])
def test_answer_that_makes_no_sense_is_a_unit_that_is_not_there(text: str) -> None:
    assert parse_unit("x.service", text) == Unit(name="x.service")


@pytest.mark.parametrize(
    ("text", "was_skipped"),
    [
        ("ConditionResult=no\nConditionTimestampMonotonic=7100000\n", True),
        ("ConditionResult=yes\nConditionTimestampMonotonic=7100000\n", False),
        # Nobody has started it yet.
        ("ConditionResult=no\nConditionTimestampMonotonic=0\n", False),
    ],
)
def test_unit_of_which_a_condition_was_not_met_was_skipped(text: str, was_skipped: bool) -> None:
    assert parse_unit("x.service", text).was_skipped is was_skipped


def test_unit_is_asked_for_by_name_after_the_options() -> None:
    host = FakeHost({"systemctl show": Completed(code=0, stdout=RUNNING, stderr="")})

    unit = SystemdManager(host).unit("plexmediaserver.service")

    (argv,) = host.ran
    assert unit.main_pid == 812
    assert argv[:2] == ["systemctl", "show"]
    assert argv[-2:] == ["--", "plexmediaserver.service"]
    asked = argv[2].removeprefix("--property=").split(",")
    assert set(asked) >= {line.partition("=")[0] for line in RUNNING.splitlines()}


@pytest.mark.parametrize(
    ("ask", "argv"),
    [
        (lambda m: m.start("a.service"), "systemctl --no-ask-password --no-block start a.service"),
        (lambda m: m.start("a.service", timeout_s=90.0), "systemctl --no-ask-password start a.service"),
        (lambda m: m.restart("a.service", timeout_s=60.0), "systemctl --no-ask-password restart a.service"),
        (lambda m: m.try_restart("a.service", timeout_s=60.0), "systemctl --no-ask-password try-restart a.service"),
        (lambda m: m.try_reload("a.service"), "systemctl --no-ask-password --no-block try-reload-or-restart a.service"),
        (lambda m: m.kill("a.service"), "systemctl --no-ask-password kill --signal=SIGKILL a.service"),
        (lambda m: m.reset_failed("a.service"), "systemctl --no-ask-password reset-failed a.service"),
        (lambda m: m.reload(), "systemctl --no-ask-password daemon-reload"),
    ],
    ids=["queue", "start", "restart", "try-restart", "try-reload", "kill", "reset-failed", "reload"],
)
def test_each_verb_is_one_systemctl(ask: Callable[[SystemdManager], None], argv: str) -> None:
    host = FakeHost({"systemctl": DONE})

    ask(SystemdManager(host))

    assert host.ran == [argv.split()]


def test_job_that_fails_raises() -> None:
    host = FakeHost({"systemctl": Completed(code=1, stdout="", stderr="Job for a.service failed")})

    with pytest.raises(CommandFailed, match=r"Job for a\.service failed"):
        SystemdManager(host).start("a.service", timeout_s=5.0)


def test_nothing_to_forget_is_no_failure() -> None:
    host = FakeHost({"systemctl": Completed(code=1, stdout="", stderr="Unit a.service not loaded.")})

    SystemdManager(host).reset_failed("a.service")

    assert len(host.ran) == 1


def test_lock_against_sleep_is_held_by_a_command_that_ends_with_us() -> None:
    host = FakeHost()

    with SystemdManager(host).inhibit(what="shutdown", why="Restarting Plex"):
        pass

    assert host.held == [["systemd-inhibit", "--what=shutdown", "--mode=delay", "--who=plexguard", "--why=Restarting Plex", "cat"]]


@pytest.mark.parametrize(
    ("left_active_us", "ended_us", "told"),
    [(6269809498, 6272935760, True), (6320404708, 6320404551, False), (0, 0, False), (0, 5, False)],
    ids=["a stop that ended badly", "a crash", "never ran", "a start that failed"],
)
def test_a_unit_that_was_told_to_stop_is_known_by_what_came_first(left_active_us: int, ended_us: int, told: bool) -> None:
    text = f"ActiveExitTimestampMonotonic={left_active_us}\nExecMainExitTimestampMonotonic={ended_us}\n"

    assert parse_unit("a.service", text).was_told_to_stop is told


# -- many at once -----------------------------------------------------------------------------------------------------


def test_installed_units_are_found_with_what_they_are_by_default_and_templates_are_left_out() -> None:
    host = FakeHost(
        {
            "systemctl --output=json list-unit-files": Completed(code=0, stdout=FILES, stderr=""),
            "systemctl show": Completed(code=0, stdout=TWO, stderr=""),
        }
    )

    timer, service = SystemdManager(host).find_units("plexguard*")

    assert (timer.name, timer.file_state, timer.preset, timer.runs) == ("plexguard-plex-probe.timer", "enabled", "enabled", True)
    assert (service.name, service.active_state, service.exit_code) == ("plexguard-plex-probe.service", "failed", 1)
    assert "plexguard-perms-audit@.service" not in host.ran[-1]


def test_no_unit_of_that_name_is_none() -> None:
    host = FakeHost({"systemctl --output=json": Completed(code=0, stdout="[]", stderr="")})

    assert SystemdManager(host).find_units("plexguard*") == ()


def test_timers_have_their_last_and_next_time_or_none() -> None:
    host = FakeHost({"systemctl --output=json list-timers": Completed(code=0, stdout=TIMERS, stderr="")})

    probe, discover = SystemdManager(host).find_timers("plexguard*")

    assert (probe.last, probe.next) == (None, datetime.fromtimestamp(1795286703.905388, UTC))
    assert (discover.name, discover.next) == ("plexguard-discover.timer", None)


def test_an_answer_that_is_no_json_is_told_as_one() -> None:
    host = FakeHost({"systemctl --output=json": Completed(code=0, stdout="NEXT LEFT", stderr="")})

    with pytest.raises(PeerError, match="no JSON"):
        SystemdManager(host).find_timers("plexguard*")


def test_a_start_that_fails_after_a_crash_was_not_told_to_stop() -> None:
    # As systemd 252 stamps them: killed at 421.5, started again at 423.5, which failed at 425.8; and a stop by hand.
    crashed = Unit(name="x.service", active_state="failed", result="exit-code", left_active_s=421.5, started_s=423.5, ended_s=425.8)
    stopped = Unit(name="x.service", result="success", started_s=672.5, left_active_s=681.361, ended_s=681.4)

    assert not crashed.was_told_to_stop
    assert stopped.was_told_to_stop
