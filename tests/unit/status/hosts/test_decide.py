"""Several hosts, each by what it has told."""

import json
from dataclasses import replace

import pytest

from plexguard.core.records import encode
from plexguard.core.told import Told
from plexguard.status.hosts.decide import HostsView, decide
from plexguard.status.hosts.observe import Journals
from plexguard.status.hosts.show import render
from plexguard.status.overview import State
from plexguard.status.show import plain
from tests.fakes.ports import BEGIN
from tests.unit.status.test_incidents import at, tell


def view(told: dict[str, tuple[Told, ...]], *, heard_s: float = -60, is_complete: bool = True) -> HostsView:
    return decide(Journals(told=told, heard={host: at(heard_s) for host in told}, is_complete=is_complete), BEGIN)


def test_a_host_whose_problem_is_not_over_is_one_and_the_others_are_well() -> None:
    found = view(
        {
            "barn": (tell("plex.hung", -300, host="barn"),),
            "house": (tell("plex.hung", -300), tell("plex.recovered", -200, downtime_s=110.0)),
        }
    )

    assert {host.host: host.state for host in found.hosts} == {"barn": State.PROBLEM, "house": State.WELL}
    assert [problem.command for problem in found.hosts[0].problems] == ["journalctl -x PLEXGUARD_EVENT=plex.hung"]
    assert [host.incidents for host in found.hosts] == [1, 1]
    assert not found.healthy


def test_what_is_meant_is_no_problem() -> None:
    found = view({"house": (tell("plex.stopped", -300),)})

    assert found.healthy


def test_what_a_host_forgot_when_it_was_started_anew_is_no_problem() -> None:
    lost = replace(tell("container.docker-lost", -300), cursor="b=1;m=1")
    found = replace(tell("discover.found", -200), cursor="b=1;m=2")
    anew = replace(found, cursor="b=2;m=1")

    assert [host.state for host in view({"house": (lost, found)}).hosts] == [State.PROBLEM]
    assert [host.state for host in view({"house": (lost, anew)}).hosts] == [State.WELL]


@pytest.mark.parametrize(("heard_s", "state"), [(-3_600, State.WELL), (-3_601, State.UNKNOWN)])
def test_a_host_that_has_gone_silent_is_not_known(heard_s: float, state: State) -> None:
    found = view({"house": (tell("speed.result", -3_700),)}, heard_s=heard_s)

    assert found.hosts[0].state is state
    assert found.healthy is (state is State.WELL)


def test_a_host_whose_clock_is_ahead_is_not_known() -> None:
    assert view({"house": ()}, heard_s=3_600).healthy
    assert view({"house": ()}, heard_s=3_601).hosts[0].state is State.UNKNOWN


def test_what_cannot_be_read_may_be_anybodys() -> None:
    found = decide(Journals(told={"house": ()}, heard={"house": at(-60)}, broken=("/j/barn.journal",)), BEGIN)

    assert not found.healthy
    shown = plain(render(found, width=80)).splitlines()
    assert shown[0].endswith("not all is known")
    assert "/j/barn.journal cannot be read: it is no journal." in shown


def test_a_host_of_which_only_the_journal_is_left_is_shown() -> None:
    found = decide(Journals(told={}, heard={"barn": at(-700_000)}), BEGIN)

    assert [(host.host, host.last_event) for host in found.hosts] == [("barn", None)]


def test_no_host_and_a_journal_that_was_not_read_whole_are_not_healthy() -> None:
    assert not view({}).healthy
    assert not view({"house": ()}, is_complete=False).healthy
    assert view({"house": ()}).healthy


def test_the_last_event_of_each_area_is_shown() -> None:
    found = view({"house": (tell("plex.stopped", -300), tell("speed.result", -200), tell("plex.recovered", -100))})

    assert [(area.area, area.name, area.at) for area in found.hosts[0].areas] == [
        ("plex", "plex.recovered", at(-100)),
        ("speed", "speed.result", at(-200)),
    ]


def test_hosts_are_shown_as_text_and_as_json() -> None:
    evil = "barn\x1b[2J"
    found = view({evil: (tell("plex.hung", -300, host=evil),)})

    shown = plain(render(found, width=80))

    assert "\x1b" not in shown
    assert "not healthy" in shown.splitlines()[0]
    assert "   journalctl -x PLEXGUARD_EVENT=plex.hung" in shown.splitlines()
    assert json.loads(json.dumps(encode(found)))["hosts"][0]["state"] == "problem"
