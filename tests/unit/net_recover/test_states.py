"""From what was seen to a verdict."""

import dataclasses

import pytest

from plexguard.net_recover.holders import Held, Holder
from plexguard.net_recover.links import Addresses, Link, Neighbour
from plexguard.net_recover.network import Answer, Reply
from plexguard.net_recover.observe import Observation
from plexguard.net_recover.states import Verdict, describe, judge
from tests.unit.net_recover.samples import LOST, NO_DNS, NO_LINK, NO_WAY, NOWHERE, OFF, ONLINE, TARGET, UPSTREAM


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (ONLINE, Verdict.ONLINE),
        (dataclasses.replace(ONLINE, names=(), names_asked=False), Verdict.ONLINE),
        (NO_DNS, Verdict.NO_DNS),
        (UPSTREAM, Verdict.NO_INTERNET),
        (dataclasses.replace(LOST, gateway=Neighbour.UNKNOWN), Verdict.NO_INTERNET),
        (LOST, Verdict.NO_GATEWAY),
        (dataclasses.replace(LOST, route=None, gateway=Neighbour.UNKNOWN, answers=NO_WAY), Verdict.NO_GATEWAY),
        (dataclasses.replace(LOST, route=None, gateway=Neighbour.UNKNOWN), Verdict.NO_INTERNET),
        (dataclasses.replace(LOST, addresses=Addresses()), Verdict.NO_ADDRESS),
        (dataclasses.replace(UPSTREAM, addresses=None), Verdict.NO_INTERNET),
        (NO_LINK, Verdict.NO_LINK),
        (dataclasses.replace(LOST, link=Link(name="eth0", exists=False, is_up=False, carrier=False)), Verdict.NO_LINK),
        (OFF, Verdict.SWITCHED_OFF),
        (dataclasses.replace(LOST, held=Held(by=Holder.NETWORK_MANAGER, switched_off="nmcli")), Verdict.SWITCHED_OFF),
        (NOWHERE, Verdict.UNKNOWN),
        (dataclasses.replace(LOST, answers=(Answer(target=TARGET, reply=Reply.DENIED),)), Verdict.UNKNOWN),
    ],
    ids=lambda value: value.value if isinstance(value, Verdict) else "",
)
def test_the_nearest_thing_that_is_missing_is_the_verdict(seen: Observation, verdict: Verdict) -> None:
    assert judge(seen) is verdict
    assert describe(seen, verdict)


def test_an_interface_that_a_step_of_ours_may_have_left_down_is_not_switched_off_by_a_person() -> None:
    assert judge(OFF, is_excused=True) is Verdict.NO_LINK


def test_what_answers_is_described_with_its_method_and_time() -> None:
    assert describe(ONLINE, Verdict.ONLINE) == "1.1.1.1 answers in 12 ms (tcp 443), plex.tv resolves in 4 ms"
    assert "none of plex.tv resolves" in describe(NO_DNS, Verdict.NO_DNS)
    assert describe(LOST, Verdict.NO_GATEWAY) == "gateway 192.0.2.1 does not answer, and no endpoint does"
