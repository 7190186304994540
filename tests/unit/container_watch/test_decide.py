"""Which container is Plex's and what was stopped on purpose, from events and from what was known before."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from plexguard.container_watch.decide import Heard, choose, date_start, find_plex, is_plex_image, judge_end, remember
from plexguard.container_watch.observe import ContainerEvent, Listed
from plexguard.core.found import FoundContainer
from tests.fakes.ports import FakeClock

NOTHING = Heard()
ASKED = Heard(asked=True, died=True)
DIED = Heard(died=True)


def hear(*lines: str, heard: Heard = NOTHING) -> Heard:
    for line in lines:
        action, _, signal = line.partition(" ")
        heard = remember(ContainerEvent(action=action, id="c0ffee", signal=signal), heard)
    return heard


@pytest.mark.parametrize(
    ("actions", "heard"),
    [
        (("kill 15", "die", "stop"), ASKED),
        (("kill 15", "kill 9", "die", "stop"), ASKED),
        (("kill 9", "die"), ASKED),
        (("kill 15",), Heard(asked=True)),
        (("die",), DIED),
        (("oom", "die"), DIED),
        (("kill 1", "die"), DIED),
        (("die", "stop"), ASKED),
        (("die", "start"), NOTHING),
        (("kill 15", "die", "stop", "start", "restart"), NOTHING),
        (("kill 15", "die", "stop", "start", "die"), DIED),
        (("pause", "unpause"), NOTHING),
        (("kill 15", "die", "stop", "rename"), ASKED),
        (("exec_create", "health_status: unhealthy", "rename"), NOTHING),
        ((), NOTHING),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, tuple) else "",
)
def test_remember_follows_the_events(actions: tuple[str, ...], heard: Heard) -> None:
    assert hear(*actions) == heard


def test_an_event_that_means_nothing_changes_nothing() -> None:
    assert hear("oom", "rename", "", "?", heard=ASKED) == ASKED


@pytest.mark.parametrize(
    ("event", "asked"),
    [("kill 15", True), ("kill 9", True), ("kill 37", True), ("kill 28", False), ("kill 1", False), ("stop", True), ("die", False)],
    ids=["TERM", "KILL", "a stop signal of the image's own", "WINCH", "HUP", "stop", "die"],
)
def test_a_signal_that_asks_for_no_end_is_no_stop(event: str, asked: bool) -> None:
    assert hear(event).asked is asked


# -- the end ----------------------------------------------------------------------------------------------------------

STARTED = datetime(2026, 3, 1, tzinfo=UTC)


def ended(code: int, *, by_code: bool, **differs: object) -> FoundContainer:
    """Return a container that has ended; by_code: whether its exit code alone speaks of purpose."""
    found = FoundContainer(name="plex", id="c0ffee", status="exited", exit_code=code, stopped_on_purpose=by_code, started=STARTED)
    return dataclasses.replace(found, **differs)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "heard", "on_purpose"),
    [
        pytest.param(ended(137, by_code=True), NOTHING, True, id="nothing heard: by its code"),
        pytest.param(ended(139, by_code=False), NOTHING, False, id="nothing heard of a crash"),
        pytest.param(ended(1, by_code=False), ASKED, True, id="docker stop, whatever its code"),
        pytest.param(ended(137, by_code=False), ASKED, True, id="docker stop of one that was out of memory once"),
        pytest.param(ended(137, by_code=True), DIED, False, id="killed from outside of Docker"),
        pytest.param(ended(143, by_code=True), DIED, False, id="ended from outside of Docker"),
        pytest.param(ended(0, by_code=True), DIED, True, id="shut down from within"),
        pytest.param(ended(0, by_code=False), DIED, False, id="out of memory, with code 0"),
        pytest.param(ended(139, by_code=False), DIED, False, id="a crash"),
    ],
)
def test_an_end_is_judged_by_what_was_heard_of_it(found: FoundContainer, heard: Heard, on_purpose: bool) -> None:
    assert judge_end(found, heard, None).stopped_on_purpose is on_purpose


@pytest.mark.parametrize("status", ["running", "paused", "restarting"])
def test_what_has_not_ended_is_not_judged(status: str) -> None:
    found = FoundContainer(name="plex", id="c0ffee", status=status, started=STARTED)

    assert judge_end(found, Heard(asked=True), ended(1, by_code=True)) == found


STOPPED, CRASHED = ended(1, by_code=True), ended(137, by_code=False)


@pytest.mark.parametrize("code_says", [True, False])
@pytest.mark.parametrize("last", [STOPPED, CRASHED], ids=["stopped", "crashed"])
def test_an_end_that_was_judged_stays_so_until_a_start(last: FoundContainer, code_says: bool) -> None:
    found = dataclasses.replace(last, stopped_on_purpose=code_says, seen_s=900.0)

    assert judge_end(found, NOTHING, last).stopped_on_purpose is last.stopped_on_purpose


@pytest.mark.parametrize(
    ("found", "last"),
    [
        (ended(1, by_code=False), None),
        (ended(1, by_code=False), dataclasses.replace(STOPPED, status="running")),
        (ended(1, by_code=False, started=STARTED + timedelta(days=1)), STOPPED),
        (ended(1, by_code=False, id="facade"), STOPPED),
    ],
    ids=["nothing known", "it ran", "started since", "another container"],
)
def test_what_was_judged_before_holds_for_nothing_else(found: FoundContainer, last: FoundContainer | None) -> None:
    assert not judge_end(found, NOTHING, last).stopped_on_purpose


def test_a_stop_that_is_heard_of_late_corrects_what_was_published() -> None:
    assert judge_end(CRASHED, ASKED, CRASHED).stopped_on_purpose


# -- which one --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "image",
    [
        "plexinc/pms-docker",
        "plexinc/pms-docker:latest",
        "plexinc/pms-docker:1.43.4.10903-e5521bd8c",
        "plexinc/pms-docker@sha256:0123",
        "linuxserver/plex:latest@sha256:0123",
        "registry.example/linuxserver/plex",
        "registry.example:5000/mirror/linuxserver/plex:version-1.43",
        "hotio/plex:release",
        "binhex/arch-plex",
        "binhex/arch-plexpass:latest",
    ],
)
def test_an_image_of_plex_is_known_whatever_its_registry_and_version(image: str) -> None:
    assert is_plex_image(image)


@pytest.mark.parametrize(
    "image",
    [
        "",
        "plex",
        "/plex",
        "sha256:0123456789abcdef",
        "0123456789ab",
        "linuxserver/plex/extras",
        "linuxserver/plex-meta-manager",
        "linuxserver",
        "someone/plex",
        "notlinuxserver/plex",
        "plexinc/pms-docker-exporter:plexinc/pms-docker",
        "postgres@linuxserver/plex",
        "localhost:5000/plex",
    ],
)
def test_another_image_is_not_plex(image: str) -> None:
    assert not is_plex_image(image)


ONE, TWO = (Listed(id=f"id-{name}", name=name, image="linuxserver/plex") for name in ("one", "two"))
OTHER = Listed(id="id-db", name="db", image="postgres:16")


def test_the_containers_of_a_plex_image_are_found_by_name() -> None:
    assert find_plex((TWO, OTHER, ONE)) == (ONE, TWO)


@pytest.mark.parametrize(
    ("candidates", "followed", "several_s", "chosen"),
    [
        pytest.param((), "id-one", 0.0, None, id="none"),
        pytest.param((ONE,), "", 0.0, ONE, id="the only one"),
        pytest.param((ONE,), "id-gone", 0.0, ONE, id="another after the one that is gone"),
        pytest.param((ONE, TWO), "", 0.0, None, id="several"),
        pytest.param((ONE, TWO), "id-gone", 0.0, None, id="several after the one that is gone"),
        pytest.param((ONE, TWO), "id-two", 299.0, TWO, id="the old one, while it is replaced"),
        pytest.param((ONE, TWO), "id-two", 300.0, None, id="several for good"),
    ],
)
def test_only_what_is_certain_is_chosen(
    candidates: tuple[Listed, ...], followed: str, several_s: float, chosen: Listed | None
) -> None:
    assert choose(candidates, followed=followed, several_s=several_s) == chosen


# -- the start --------------------------------------------------------------------------------------------------------


def test_a_start_is_reckoned_once_and_a_clock_that_is_set_does_not_move_it() -> None:
    clock = FakeClock(uptime_s=500.0)
    found = FoundContainer(name="plex", id="c0ffee", status="running", started=clock.wall - timedelta(seconds=20))

    first = date_start(found, None, clock.moment())
    clock.pass_time(30)
    clock.wall += timedelta(days=40)

    assert first.started_s == 480.0
    assert date_start(found, first, clock.moment()).started_s == 480.0
    assert date_start(dataclasses.replace(found, id="facade"), first, clock.moment()).started_s == 0.0


@pytest.mark.parametrize("started_in_s", [-5000.0, 600.0])
def test_a_start_before_the_boot_or_in_the_future_is_no_nonsense(started_in_s: float) -> None:
    clock = FakeClock(uptime_s=500.0)
    found = FoundContainer(name="plex", started=clock.wall + timedelta(seconds=started_in_s))

    assert 0.0 <= (date_start(found, None, clock.moment()).started_s or 0.0) <= 500.0


def test_what_was_never_started_has_no_start() -> None:
    assert date_start(FoundContainer(name="plex"), None, FakeClock().moment()).started_s is None
