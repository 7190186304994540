"""Incidents out of events: what belongs together, and what ended."""

from datetime import datetime, timedelta

import pytest

from plexguard.core.events import Event, Priority
from plexguard.core.suite import events
from plexguard.core.told import Told
from plexguard.status.incidents import fold
from tests.fakes.ports import BEGIN

BY_NAME = {event.name: event for event in events()}


def tell(name: str, at_s: float, *, host: str = "house", **values: object) -> Told:
    event = BY_NAME[name]
    return Told(id=f"{host}-{name}-{at_s}", cursor="", at=at(at_s), event=event, message=f"told {name}", values=values, host=host)


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def test_a_problem_ends_with_its_recovery() -> None:
    (incident,) = fold([tell("plex.hung", 0), tell("plex.recovered", 60, downtime_s=75.5)])

    assert (incident.began, incident.ended, incident.downtime_s) == (at(0), at(60), 75.5)
    assert (incident.area, incident.severity, incident.count) == ("plex", "warning", 1)


def test_a_problem_without_its_recovery_is_open() -> None:
    (incident,) = fold([tell("plex.hung", 0), tell("net.recovered", 60)])

    assert incident.is_open


def test_a_problem_that_is_told_again_is_the_same_one_with_its_newest_line() -> None:
    again = tell("plex.hung", 4000)

    (incident,) = fold([tell("plex.hung", 0), again])

    assert (incident.began, incident.last, incident.count, incident.is_open) == (at(0), at(4000), 2, True)


def test_a_problem_after_a_recovery_is_another_one() -> None:
    first, second = fold([tell("plex.hung", 0), tell("plex.recovered", 60), tell("plex.hung", 120)])

    assert not first.is_open
    assert second.is_open
    assert first.id != second.id


@pytest.mark.parametrize(("gap_s", "incidents"), [(60, 1), (3_599, 1), (3_600, 2)])
def test_what_no_event_ends_is_a_moment_and_the_same_one_for_an_hour(gap_s: float, incidents: int) -> None:
    assert not [name for event in events() for name in event.ends if name == "program.failed"]

    found = fold([tell("program.failed", at_s, program="plexguard-sample") for at_s in (0, gap_s)])

    assert len(found) == incidents
    assert not any(incident.is_open for incident in found)


def test_a_line_of_a_healthy_run_is_no_incident() -> None:
    assert fold([tell("speed.result", 0)]) == ()


def test_each_host_has_its_own() -> None:
    found = fold([tell("plex.hung", 0), tell("plex.hung", 1, host="barn"), tell("plex.recovered", 2, host="barn")])

    assert {(incident.host, incident.is_open) for incident in found} == {("house", True), ("barn", False)}


# -- which of several -------------------------------------------------------------------------------------------------

_ID = "0" * 31


def make_event(name: str, number: int, *, about: tuple[str, ...] = (), ends: tuple[str, ...] = ()) -> Event:
    priority = Priority.NOTICE if ends else Priority.ERR
    fields = dict.fromkeys(about, str)
    return Event(
        name=name,
        message_id=f"{_ID}{number}",
        priority=priority,
        message="",
        subject="",
        meaning="",
        decided="",
        did="",
        action="",
        fields=fields,
        about=about,
        ends=ends,
    )


STALE = make_event("mount.stale", 1, about=("mount",))
BACK = make_event("mount.back", 2, about=("mount",), ends=("mount.stale",))
ALL_BACK = make_event("mount.all-back", 3, ends=("mount.stale",))


@pytest.fixture
def mounts(monkeypatch: pytest.MonkeyPatch) -> None:
    for event in (STALE, BACK, ALL_BACK):
        monkeypatch.setitem(BY_NAME, event.name, event)
    monkeypatch.setattr("plexguard.status.incidents.events", lambda: tuple(BY_NAME.values()))


@pytest.mark.usefixtures("mounts")
def test_a_recovery_ends_the_problem_of_its_own_thing() -> None:
    found = fold([tell("mount.stale", 0, mount="a"), tell("mount.stale", 1, mount="b"), tell("mount.back", 2, mount="a")])

    assert [(incident.about, incident.is_open) for incident in found] == [("a", False), ("b", True)]


@pytest.mark.usefixtures("mounts")
def test_a_recovery_of_nothing_in_particular_ends_all() -> None:
    found = fold([tell("mount.stale", 0, mount="a"), tell("mount.stale", 1, mount="b"), tell("mount.all-back", 2)])

    assert [incident.is_open for incident in found] == [False, False]
