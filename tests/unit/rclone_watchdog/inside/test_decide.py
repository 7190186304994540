"""Whether a container sees a mount, and when it is restarted for it."""

import dataclasses

import pytest

from plexguard.core.plex import Activity, PlexError, PlexRefused, PlexTimeout, Session
from plexguard.rclone_watchdog.inside.decide import (
    COOLDOWN_S,
    DAY_S,
    MAX_IN_DAY,
    Bind,
    Blind,
    Budget,
    InsideSeen,
    Observation,
    Place,
    Restart,
    Seen,
    decide,
    explain,
    find_binds,
    find_blindness,
)
from plexguard.rclone_watchdog.inside.observe import find_use, parse_inspect
from tests.fakes.ports import FakeClock, FakePlex

POINT = "/mnt/cloud"
ABOVE = Bind(source="/mnt", destination="/data", propagation="rprivate")
ITSELF = Bind(source=POINT, destination="/films", propagation="rprivate")
OTHER = Bind(source="/srv", destination="/srv", propagation="rprivate")
DEAD = Observation(device="0:50", is_running=True, places=(Place(bind=ABOVE, path="/data/cloud", device="0:40"),), in_use="")
LIVE = dataclasses.replace(DEAD, places=(Place(bind=ABOVE, path="/data/cloud", device="0:50"),))


def judge(seen: Observation, budget: Budget | None = None, *, may_restart: bool = True, clock: FakeClock | None = None) -> object:
    return decide(seen, budget or Budget(), (clock or FakeClock()).moment(), mount_point=POINT, may_restart=may_restart)


def test_binds_lead_to_the_mount_from_above_and_from_below() -> None:
    below = Bind(source=f"{POINT}/Films", destination="/f/", propagation="")
    root = Bind(source="/", destination="/host", propagation="rslave")
    found = find_binds([ABOVE, ITSELF, OTHER, below, root], POINT)
    assert [path for _, path in found] == ["/data/cloud", "/films", "/f", "/host/mnt/cloud"]


def test_a_container_that_has_the_mount_and_reads_it_sees_it() -> None:
    assert isinstance(judge(LIVE), Seen)
    assert isinstance(judge(dataclasses.replace(LIVE, places=())), Seen)


@pytest.mark.parametrize(
    ("seen", "word"),
    [
        (dataclasses.replace(LIVE, device=""), "absent"),
        (dataclasses.replace(LIVE, is_running=False), "stopped"),
        (dataclasses.replace(LIVE, reading="Permission denied"), "unread"),
    ],
)
def test_what_no_restart_cures_is_only_told(seen: Observation, word: str) -> None:
    verdict = judge(seen)
    assert isinstance(verdict, Blind)
    assert verdict.word == word


def test_a_container_that_has_the_dead_mount_is_restarted_and_that_is_counted() -> None:
    clock = FakeClock()
    verdict = judge(DEAD, clock=clock)
    assert isinstance(verdict, Restart)
    assert verdict.budget.restarts == (clock.moment(),)
    assert "/mnt was given to it at /data without :rslave" in verdict.detail


@pytest.mark.parametrize(
    ("seen", "may_restart", "why"),
    [
        (DEAD, False, "restart_container = false"),
        (dataclasses.replace(DEAD, in_use="somebody watches Dune, which lies elsewhere"), True, "somebody watches Dune"),
        (dataclasses.replace(DEAD, in_use=None), True, "cannot be told whether somebody watches"),
    ],
)
def test_a_restart_is_refused_with_its_reason(seen: Observation, may_restart: bool, why: str) -> None:
    verdict = judge(seen, may_restart=may_restart)
    assert isinstance(verdict, Blind)
    assert why in verdict.detail


def test_a_budget_that_is_spent_stays_so_for_a_day_and_a_restart_that_does_not_help_is_not_repeated_at_once() -> None:
    clock = FakeClock()
    budget = Budget()
    for _ in range(MAX_IN_DAY):
        verdict = judge(DEAD, budget, clock=clock)
        assert isinstance(verdict, Restart)
        budget = verdict.budget
        assert isinstance(judge(DEAD, budget, clock=clock), Blind)
        clock.pass_time(COOLDOWN_S)
    assert isinstance(judge(DEAD, budget, clock=clock), Blind)
    clock.reboot()
    assert isinstance(judge(DEAD, budget, clock=clock), Blind)
    clock.pass_time(DAY_S)
    assert isinstance(judge(DEAD, budget, clock=clock), Restart)


def test_the_bind_that_is_in_the_way_is_named_with_what_to_write() -> None:
    assert "give it /mnt with :rslave" in explain(ITSELF, POINT)
    assert "give it /mnt with :rslave" in explain(Bind(source=f"{POINT}/Films", destination="/f", propagation="rslave"), POINT)
    assert "without :rslave" in explain(ABOVE, POINT)
    assert "with :rslave, and yet another mount" in explain(dataclasses.replace(ABOVE, propagation="rslave"), POINT)


def test_an_answer_counts_for_the_device_that_it_was_given_for() -> None:
    seen = InsideSeen(is_seen=True, detail="", device="0:50", checked=FakeClock().moment())
    assert find_blindness(seen, "0:50") == ""
    assert "not known yet" in find_blindness(seen, "0:51")
    assert "not known yet" in find_blindness(None, "0:50")
    assert find_blindness(dataclasses.replace(seen, is_seen=False, detail="why"), "0:50") == "why"
    assert find_blindness(seen, "") == "nothing is mounted there"


def test_what_docker_tells_is_read_and_what_it_does_not_write_is_its_mistake() -> None:
    text = (
        '[{"State": {"Running": true, "Pid": 77}, "Mounts": ['
        '{"Type": "bind", "Source": "/mnt", "Destination": "/data", "Propagation": "rslave"},'
        '{"Type": "volume", "Source": "/var/lib/docker/volumes/x", "Destination": "/x"}]}]'
    )
    assert parse_inspect(text) == (77, (Bind(source="/mnt", destination="/data", propagation="rslave"),))
    assert parse_inspect(text.replace("true", "false"))[0] == 0
    for broken in ("", "[]", "{}", '[{"State": null}]', text.replace("77", '"x"')):
        with pytest.raises(Exception, match="not as Docker writes it"):
            parse_inspect(broken)


WATCHED = Session(kind="movie", title="Dune", user="owner", state="playing", library="2")
SCAN = Activity(type="library.update.section", title="Scanning Films", library="1")


@pytest.mark.parametrize(
    ("sessions", "activities", "use"),
    [
        ((), (), ""),
        (None, (), None),
        ((WATCHED,), (), "somebody watches Dune, which lies elsewhere"),
        ((dataclasses.replace(WATCHED, library="1"),), (), ""),
        ((), (SCAN,), "Plex is at work: Scanning Films"),
        ((), PlexTimeout("x"), None),
        ((), PlexRefused("x"), ""),
    ],
)
def test_nobody_is_disturbed_who_can_go_on(
    sessions: tuple[Session, ...] | None, activities: tuple[Activity, ...] | PlexError, use: str | None
) -> None:
    plex = FakePlex()
    plex.activity_lists = [activities]
    assert find_use(plex, sessions, frozenset({"1"})) == use
