"""What is looked at before a test, in which order, and that what cannot be told is not taken for nothing."""

from datetime import timedelta

import pytest

from plexguard.core.endpoints import Endpoint
from plexguard.core.found import FoundContainer, FoundPlex, Server
from plexguard.core.plex import PlexError, PlexMaintenance, PlexRefused, PlexTimeout, PlexUnauthorized, Session
from plexguard.core.viewers import Paused
from plexguard.speed_test.config import Config
from plexguard.speed_test.observe import Observation, Starter, find_command, find_outage, find_starter, observe
from tests.fakes.ports import FakeClock, FakePlex
from tests.unit.speed_test.samples import VIEWER

FOUND = FoundPlex(server=Server.UNIT, name="plexmediaserver.service", url="http://127.0.0.1:32400")
FIRST, SECOND = Config().endpoints


class Internet:
    """Takes connections at some endpoints, and keeps who asked."""

    def __init__(self, *answering: Endpoint) -> None:
        self.answering = answering
        self.asked: list[Endpoint] = []

    def connect(self, endpoint: Endpoint) -> str:
        self.asked.append(endpoint)
        return "" if endpoint in self.answering else f"{endpoint}: unreachable"


def look(
    *,
    found: FoundPlex | None = FOUND,
    sessions: tuple[Session, ...] | PlexError = (),
    command: str = "/usr/bin/speedtest-cli",
    update: str = "",
    internet: Internet | None = None,
    has_token: bool = True,
    container: FoundContainer | None = None,
    config: Config | None = None,
) -> tuple[Observation, FakePlex, Internet]:
    plex, outside = FakePlex(), internet or Internet(FIRST)
    plex.session_lists = [sessions]
    seen = observe(
        config or Config(),
        found,
        open_plex=lambda _: plex,
        container=container,
        paused=Paused(),
        paused_limit=timedelta(hours=2),
        now=FakeClock().moment(),
        has_token=has_token,
        connect=outside.connect,
        find=lambda _: command,
        look_for_update=lambda seen: update if seen is container else "another container",
    )
    return seen, plex, outside


def test_with_a_command_a_network_and_no_viewer_nothing_is_in_the_way() -> None:
    seen, _, outside = look()

    assert seen == Observation(command="/usr/bin/speedtest-cli")
    assert outside.asked == [FIRST]


def test_without_a_command_nobody_is_asked_anything() -> None:
    seen, plex, outside = look(command="")

    assert seen.command == ""
    assert (plex.asked, outside.asked) == ([], [])


def test_an_update_is_seen_in_the_container_too_and_nobody_outside_is_asked() -> None:
    seen, plex, outside = look(update="apt-get (pid 5)", container=FoundContainer(name="plex"))

    assert seen.update == "apt-get (pid 5)"
    assert (plex.asked, outside.asked) == ([], [])


def test_a_viewer_is_seen_and_nobody_outside_is_asked() -> None:
    seen, _, outside = look(sessions=(VIEWER,))

    assert seen.viewers == (VIEWER,)
    assert outside.asked == []


@pytest.mark.parametrize("fault", [PlexTimeout, PlexUnauthorized, PlexMaintenance], ids=lambda kind: kind.__name__)
def test_sessions_that_cannot_be_asked_are_not_none(fault: type[PlexError]) -> None:
    seen, _, outside = look(sessions=fault("why"))

    assert (seen.viewers, seen.unknown) == (None, "Plex does not answer that")
    assert outside.asked == []


def test_without_a_token_that_is_the_reason() -> None:
    seen, _, _ = look(sessions=PlexUnauthorized("401"), has_token=False)

    assert (seen.viewers, seen.unknown) == (None, "Plex does not answer that without its token, and none is known")


def test_where_nobody_listens_nobody_watches() -> None:
    assert look(sessions=PlexRefused("refused"))[0].viewers == ()


@pytest.mark.parametrize(
    ("found", "reason"),
    [(None, "plexguard-discover has not run yet"), (FoundPlex(server=Server.NONE, missing="no Plex here"), "no Plex here")],
    ids=["not looked for", "not found"],
)
def test_a_plex_that_is_not_known_may_have_viewers(found: FoundPlex | None, reason: str) -> None:
    seen, plex, _ = look(found=found)

    assert (seen.viewers, seen.unknown, plex.asked) == (None, reason, [])


def test_one_endpoint_that_answers_is_a_network() -> None:
    _, _, outside = look(internet=Internet(SECOND))

    assert outside.asked == [FIRST, SECOND]
    assert look(internet=Internet(SECOND))[0].no_network == ""


def test_without_an_answer_from_any_there_is_none_and_each_says_why() -> None:
    assert look(internet=Internet())[0].no_network == "1.1.1.1:443: unreachable; 9.9.9.9:443: unreachable"


def test_with_no_endpoint_the_network_is_taken_for_granted() -> None:
    outside = Internet()

    assert look(internet=outside, config=Config(endpoints=()))[0].no_network == ""
    assert find_outage((), outside.connect) == ""
    assert outside.asked == []


def test_a_command_is_found_by_name_and_by_path() -> None:
    assert find_command(["sh", "-c"]).endswith("/sh")
    assert find_command(["/bin/sh"]) == "/bin/sh"
    assert (find_command(["no-such-speedtest"]), find_command(["/etc/passwd"])) == ("", "")


@pytest.mark.parametrize(
    ("fired_us", "unit", "is_timer"),
    [
        ("1000000000", "plexguard-speed-test.timer", True),
        ("971000000", "plexguard-speed-test.timer", True),
        ("970000000", "plexguard-speed-test.timer", False),  # left over from the night, when somebody starts it by hand
        ("1000000000", "some.path", False),
        ("", "plexguard-speed-test.timer", False),
        ("soon", "plexguard-speed-test.timer", False),
    ],
    ids=["just now", "a while ago", "long ago", "no timer", "no time", "nonsense"],
)
def test_it_was_the_timer_only_if_that_was_just_now(fired_us: str, unit: str, is_timer: bool) -> None:
    environment = {"TRIGGER_UNIT": unit, "TRIGGER_TIMER_MONOTONIC_USEC": fired_us}

    starter = find_starter(environment, 1000.0, by_hand=False)

    assert starter is (Starter.TIMER if is_timer else Starter.UNIT)


def test_who_started_it_without_a_timer_is_a_unit_or_a_person() -> None:
    assert find_starter({}, 1000.0, by_hand=False) is Starter.UNIT
    assert find_starter({}, 1000.0, by_hand=True) is Starter.PERSON
