"""What is told of a unit that failed."""

import pytest

from plexguard.core.manager import Unit
from plexguard.notify.alert import UNIT_NAME, describe_failure, is_restarted, read_last_lines
from plexguard.notify.events import UNIT_FAILED
from tests.fakes.ports import FakeManager

MONITOR = {
    "MONITOR_UNIT": "plexguard-perms-audit@srv.service",
    "MONITOR_SERVICE_RESULT": "exit-code",
    "MONITOR_EXIT_CODE": "exited",
    "MONITOR_EXIT_STATUS": "3",
}


def test_manager_says_whose_failure_it_was() -> None:
    values = describe_failure("plexguard-perms-audit-srv.service", MONITOR, FakeManager(), ["first", "X-Plex-Token=abcdefgh", ""])
    assert values == {
        "failed_unit": "plexguard-perms-audit@srv.service",
        "result": "exit-code",
        "ended": "exited 3",
        "lines": "\nfirst\nX-Plex-Token=***",
    }
    assert UNIT_FAILED.render(values).splitlines()[0] == "plexguard-perms-audit@srv.service failed (exit-code, exited 3)"


@pytest.mark.parametrize("unit", ["plexguard-mail@3-1234-998.service", "plexguard-mail@41-1234_567890-998.service"])
def test_connections_of_one_service_are_one_unit_that_fails_again_and_again(unit: str) -> None:
    values = describe_failure("plexguard-mail-3.service", MONITOR | {"MONITOR_UNIT": unit}, FakeManager(), [])
    assert values["failed_unit"] == "plexguard-mail@*.service"


ENDING = {"SERVICE_RESULT": "signal", "EXIT_CODE": "killed", "EXIT_STATUS": "KILL"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, True),
        ({"SERVICE_RESULT": "watchdog", "EXIT_CODE": "dumped", "EXIT_STATUS": "ABRT"}, True),
        ({"SERVICE_RESULT": "exit-code", "EXIT_CODE": "exited", "EXIT_STATUS": "70"}, True),
        ({"SERVICE_RESULT": "exit-code", "EXIT_CODE": "exited", "EXIT_STATUS": "78"}, False),
        ({"SERVICE_RESULT": "protocol", "EXIT_CODE": "exited", "EXIT_STATUS": "75"}, False),
        ({"SERVICE_RESULT": "success", "EXIT_CODE": "killed", "EXIT_STATUS": "TERM"}, False),
    ],
    ids=["killed", "watchdog", "bug", "configuration", "of its own accord", "stopped"],
)
def test_a_service_that_is_started_again_tells_of_itself(changes: dict[str, str], told: bool) -> None:
    assert is_restarted(ENDING | changes) is told


def test_a_service_that_ends_just_now_knows_how() -> None:
    values = describe_failure("plexguard-log-watch.service", ENDING, FakeManager(), [])

    assert (values["failed_unit"], values["result"], values["ended"]) == ("plexguard-log-watch.service", "signal", "killed KILL")


def test_by_hand_the_manager_is_asked() -> None:
    manager = FakeManager(Unit(name="plexguard-x.service", result="watchdog", exit_code=6))
    values = describe_failure("plexguard-x.service", {}, manager, [])
    assert (values["failed_unit"], values["result"], values["ended"]) == (
        "plexguard-x.service",
        "watchdog",
        "exit code or signal 6",
    )


def test_last_words_are_bounded() -> None:
    values = describe_failure("x", MONITOR, FakeManager(), ["y" * 10_000, "a\n\x00b"])
    assert len(values["lines"]) < 400


@pytest.mark.parametrize("name", ["", "a b.service", "x\ny.service", "$(reboot).service", "x" * 256])
def test_name_that_no_unit_has_is_none(name: str) -> None:
    assert UNIT_NAME.fullmatch(name) is None


def test_invocation_that_is_none_asks_no_journal() -> None:
    assert read_last_lines("") == read_last_lines("_UID=0") == ()
