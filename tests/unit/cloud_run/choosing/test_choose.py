"""Which machine a run gets."""

from dataclasses import replace
from datetime import timedelta

import pytest

from plexguard.cloud_run.choosing.choose import NoMachine, choose_machine, make_plan, take_machine
from plexguard.cloud_run.choosing.estimate import Prices
from plexguard.cloud_run.life.run_file import RunFile
from tests.unit.cloud_run.samples import BASIC3, DEV1_S, GB, GIB, GP1_S, PRO2_S


def find(offers, asked=None):
    """Return what knows the offers of zones, and keeps which zones were asked for."""

    def find_offers(zone):
        if asked is not None:
            asked.append(zone)
        return {offer.type: offer for offer in offers.get(zone, ())}

    return find_offers


def test_type_of_the_instance_in_the_first_zone_is_taken_and_no_other_zone_is_asked():
    asked = []

    choice = choose_machine(RunFile(), ("a", "b"), find({"a": (GP1_S, PRO2_S), "b": (GP1_S,)}, asked))

    assert (choice.zone, choice.offer, choice.is_other, choice.is_local_disk) == ("a", GP1_S, False, True)
    assert asked == ["a"]


def test_same_type_in_another_zone_comes_before_a_stand_in():
    busy = replace(GP1_S, is_free=False)

    choice = choose_machine(RunFile(), ("a", "b"), find({"a": (busy, PRO2_S), "b": (GP1_S,)}))

    assert (choice.zone, choice.offer.type) == ("b", "GP1-S")


@pytest.mark.parametrize(
    ("offers", "expected"),
    [
        ((PRO2_S, BASIC3), "PRO2-S"),
        ((replace(PRO2_S, is_free=False), BASIC3), "BASIC3-X8C-32G"),
        ((replace(GP1_S, is_ending=True), BASIC3), "BASIC3-X8C-32G"),
        # A stand-in of that name may be another machine by now.
        ((replace(PRO2_S, cpus=4), BASIC3), "BASIC3-X8C-32G"),
        ((replace(PRO2_S, ram_bytes=16 * GIB), BASIC3), "BASIC3-X8C-32G"),
    ],
    ids=["not offered", "not free", "ending", "fewer processors", "less memory"],
)
def test_stand_in_is_the_first_that_is_free_and_no_smaller(offers, expected):
    choice = choose_machine(RunFile(), ("a",), find({"a": offers}))

    assert (choice.offer.type, choice.wanted, choice.is_other) == (expected, "GP1-S", True)
    # It has no disk of its own.
    assert not choice.is_local_disk


def test_nothing_stands_in_for_a_type_that_was_named():
    with pytest.raises(NoMachine, match="GP1-S in a: none is free"):
        choose_machine(RunFile(type="GP1-S"), ("a",), find({"a": (replace(GP1_S, is_free=False), PRO2_S)}))


def test_who_names_a_small_type_gets_it():
    choice = choose_machine(RunFile(type="DEV1-S", disk=10 * GB), ("a",), find({"a": (DEV1_S,)}))

    assert choice.offer == DEV1_S
    assert choice.limits.memory_bytes == 1536 << 20


def test_disk_that_is_larger_than_the_machines_own_is_a_volume():
    choice = choose_machine(RunFile(instance="lite", disk=50 * GB), ("a",), find({"a": (DEV1_S,)}))

    assert not choice.is_local_disk


def test_no_machine_anywhere_is_told_with_every_reason():
    with pytest.raises(NoMachine) as caught:
        choose_machine(RunFile(instance="lite"), ("a", "b"), find({"a": (replace(DEV1_S, is_free=False),)}))

    assert "DEV1-S in a: none is free, DEV1-S in b: not offered" in str(caught.value)


def test_machine_that_is_there_is_taken_however_small():
    small = replace(DEV1_S, type="nas", cpus=1)

    choice = take_machine(RunFile(instance="superpower"), "nas", small)

    assert (choice.offer, choice.limits.cpus, choice.disk_bytes) == (small, 1, 0)


@pytest.mark.parametrize(("max_cost", "is_affordable"), [(20.0, True), (19.0, False)])
def test_cost_is_that_of_the_whole_limit(max_cost, is_affordable):
    run = RunFile(limit=timedelta(hours=96))
    choice = choose_machine(run, ("a",), find({"a": (GP1_S,)}))

    plan = make_plan(run, choice, Prices(machine=0.19074, disk_gb=0.000044, address=0.004), max_cost=max_cost)

    assert plan.estimate.total == pytest.approx(19.12, abs=0.01)
    assert plan.is_affordable is is_affordable


def test_what_was_refused_when_it_was_asked_for_is_not_asked_for_again():
    offers = {"a": (GP1_S, PRO2_S), "b": (GP1_S,)}

    choice = choose_machine(RunFile(), ("a", "b"), find(offers), refused=frozenset({("GP1-S", "a")}))
    stand_in = choose_machine(RunFile(), ("a", "b"), find(offers), refused=frozenset({("GP1-S", "a"), ("GP1-S", "b")}))

    assert (choice.zone, choice.offer.type) == ("b", "GP1-S")
    assert (stand_in.zone, stand_in.offer.type) == ("a", "PRO2-S")
    with pytest.raises(NoMachine, match="GP1-S in a: refused when it was asked for"):
        choose_machine(RunFile(type="GP1-S"), ("a",), find(offers), refused=frozenset({("GP1-S", "a")}))
