"""What is given back, and what is left alone."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.cloud_run.reap.decide import UNLABELLED, belongs_to, decide, decide_destroy
from plexguard.cloud_run.reap.observe import Hold, LeaseSeen, Observation
from plexguard.cloud_run.rent.resources import Kind
from tests.fakes.ports import BEGIN
from tests.unit.cloud_run.samples import DEADLINE, LABEL, LEASE, ZONE, key, labelled, listing, server, volume


def seen(*resources, leases=None, unlisted=None, own_project=False, at=BEGIN + timedelta(hours=1)):
    listings = {} if unlisted else {ZONE: listing(*resources, at=at)}
    return Observation(owner="home", listings=listings, unlisted=unlisted or {}, leases=leases or {}, own_project=own_project)


def held(hold: Hold, lease=LEASE) -> dict[str, LeaseSeen]:
    return {"delta": LeaseSeen(hold=hold, lease=lease, why=hold.value)}


def ids(plan) -> list[str]:
    return [resource.key.id for task in plan.give_back for resource in task.resources]


@pytest.mark.parametrize("hold", [Hold.HELD, Hold.OTHER_BOOT, Hold.UNKNOWN])
def test_what_is_held_or_may_be_is_left_alone_until_its_deadline(hold):
    before = decide(seen(server(), leases=held(hold), at=DEADLINE - timedelta(seconds=1)))
    after = decide(seen(server(), leases=held(hold), at=DEADLINE))

    assert (ids(before), before.forget, [kept.why for kept in before.kept]) == ([], (), [hold.value])
    assert ids(after) == ["s1"] and after.give_back[0].is_overdue


def test_what_was_held_by_a_unit_that_has_ended_is_given_back_with_all_of_it():
    plan = decide(seen(server(), volume(), leases=held(Hold.DEAD)))

    (task,) = plan.give_back
    assert ids(plan) == ["s1", "v1"]
    assert (task.label, task.is_overdue) == (LABEL, False)
    # The lease goes when all of it is gone, not before.
    assert plan.forget == ()


def test_what_no_lease_knows_is_given_back():
    assert ids(decide(seen(server()))) == ["s1"]


def test_lease_that_cannot_be_read_keeps_what_bears_its_run():
    unread = {"delta": LeaseSeen(hold=Hold.UNKNOWN, why="torn")}

    assert ids(decide(seen(server(), leases=unread))) == []
    assert ids(decide(seen(server(), leases=unread, at=DEADLINE))) == ["s1"]


def test_what_an_earlier_run_of_that_name_left_is_given_back_while_the_new_one_works():
    plan = decide(seen(server("old", labelled(hours=50)), server("new"), leases=held(Hold.HELD)))

    assert ids(plan) == ["old"]
    assert [resource.key.id for kept in plan.kept for resource in kept.resources] == ["new"]


def test_thing_without_a_label_is_known_by_its_id_on_the_lease():
    lease = LEASE.with_key(key(Kind.BLOCK_VOLUME, "v9"))

    plan = decide(seen(volume("v9", None), leases=held(Hold.DEAD, lease)))

    assert ids(plan) == ["v9"] and plan.give_back[0].label == LABEL


def test_what_bears_another_owner_is_shown_and_left_alone():
    plan = decide(seen(server("theirs", labelled(owner="neighbour")), at=DEADLINE + timedelta(days=99)))

    assert (plan.give_back, [stranger.key.id for stranger in plan.strangers]) == ((), ["theirs"])


def test_what_was_rented_under_another_name_of_the_owner_is_still_ours():
    # [cloud-run] owner was changed since.
    lease = replace(LEASE, owner="home-of-old")
    plan = decide(seen(server(label=lease.label), server("theirs", labelled(owner="neighbour")), leases=held(Hold.DEAD, lease)))

    assert ids(plan) == ["s1"]
    assert [stranger.key.id for stranger in plan.strangers] == ["theirs"]


def test_machine_without_a_label_is_nobodys_business():
    plan = decide(seen(server("private", None), volume("theirs", None, holder="private"), own_project=True))

    assert (plan.give_back, plan.unclaimed, plan.strangers, plan.kept) == ((), (), (), ())


@pytest.mark.parametrize("own_project", [True, False])
def test_volume_that_belongs_to_nothing_goes_only_where_the_project_is_our_own(own_project):
    plan = decide(seen(volume("stray", None), own_project=own_project))

    assert ids(plan) == (["stray"] if own_project else [])
    assert [resource.key.id for resource in plan.unclaimed] == ([] if own_project else ["stray"])
    assert all(task.label.run == UNLABELLED for task in plan.give_back)


def test_volume_that_was_made_just_now_may_be_about_to_belong_to_something():
    plan = decide(seen(volume("young", None), own_project=True, at=BEGIN + timedelta(minutes=9)))

    assert (plan.give_back, plan.unclaimed) == ((), ())


def test_zone_that_cannot_be_listed_is_no_empty_one():
    plan = decide(seen(leases=held(Hold.DEAD), unlisted={ZONE: "no answer"}))

    assert (plan.give_back, plan.forget, plan.unlisted) == ((), (), ((ZONE, "no answer"),))


@pytest.mark.parametrize(
    ("hold", "hours", "forget"),
    [
        (Hold.DEAD, 1, (LEASE,)),
        (Hold.HELD, 1, ()),
        (Hold.OTHER_BOOT, 1, ()),
        (Hold.UNKNOWN, 1, ()),
        (Hold.OTHER_BOOT, 97, (LEASE,)),
    ],
)
def test_lease_is_forgotten_when_nothing_of_it_is_there_and_nobody_rents_by_it(hold, hours, forget):
    assert decide(seen(leases=held(hold), at=BEGIN + timedelta(hours=hours))).forget == forget


def test_lease_of_a_zone_that_nobody_looked_at_is_kept():
    lease = replace(LEASE, zone="nl-ams-1")

    assert decide(seen(leases=held(Hold.DEAD, lease))).forget == ()


@given(
    owner=st.sampled_from(["home", "neighbour"]),
    hours=st.integers(-100, 100),
    hold=st.sampled_from([*Hold, None]),
    is_kept_lease=st.booleans(),
)
def test_nothing_of_another_is_ever_given_back_and_everything_of_ours_in_the_end(owner, hours, hold, is_kept_lease):
    label = labelled(owner=owner)
    leases = held(hold, replace(LEASE, keep=is_kept_lease)) if hold is not None else {}

    plan = decide(seen(server(label=label), leases=leases, at=DEADLINE + timedelta(hours=hours)))

    if owner == "neighbour":
        assert ids(plan) == []
    elif hours >= 0:
        assert ids(plan) == ["s1"]


@pytest.mark.parametrize("hold", list(Hold))
def test_what_a_person_has_given_back_goes_whoever_holds_it_and_nothing_else(hold):
    plan = decide_destroy(seen(server(), server("other", labelled("full")), leases=held(hold)), "delta", why="so")

    assert ids(plan) == ["s1"]
    assert all(task.is_overdue and not task.is_orphan for task in plan.give_back)


def test_lease_of_nothing_is_forgotten_when_a_person_says_so():
    assert decide_destroy(seen(leases=held(Hold.OTHER_BOOT)), "delta", why="so").forget == (LEASE,)
    assert decide_destroy(seen(leases=held(Hold.OTHER_BOOT), unlisted={ZONE: "?"}), "delta", why="so").forget == ()
    assert decide_destroy(seen(), "delta", why="so").forget == ()


def test_task_takes_what_bears_its_label_and_what_is_noted_and_nothing_else():
    lease = LEASE.with_key(key(Kind.BLOCK_VOLUME, "noted"))
    (task,) = decide(seen(server(), leases=held(Hold.DEAD))).give_back
    belongs = belongs_to(task, lease)

    assert belongs(server()) and belongs(volume()) and belongs(volume("noted", None))
    assert not belongs(volume("stray", None))
    assert not belongs(server("x", labelled(hours=50)))
    # A volume that was taken over and labelled by somebody else is his.
    assert not belongs(volume("noted", labelled(owner="neighbour")))
