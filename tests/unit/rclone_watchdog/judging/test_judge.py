"""What is believed of a mount, look by look, and how often its storage is asked."""

import dataclasses
import itertools
import random
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plexguard.core.manager import Unit
from plexguard.rclone_watchdog.config import Config, Mount
from plexguard.rclone_watchdog.judging.find import find
from plexguard.rclone_watchdog.judging.judge import judge
from plexguard.rclone_watchdog.judging.known import Judged, Track, is_lost
from plexguard.rclone_watchdog.observe import Answer, Kernel, Listing, Observation, Outcome, Question
from plexguard.rclone_watchdog.states import Verdict
from tests.unit.rclone_watchdog.simulated import HANGS, MOUNT, REMOTE, STORAGE, WELL, Simulated, Way

CONFIG = Config()
KERNEL = Kernel(is_mounted=True, is_expected=True, type="fuse.rclone", device="0:40", rclone_pid=400, rclone_state="S")


@pytest.mark.parametrize("seed", range(5))
def test_ten_thousand_looks_at_a_storage_of_any_slowness_remount_nothing(seed):
    rng = random.Random(seed)
    sim = Simulated()
    sim.busy = True
    for _ in range(2_000):
        if rng.random() < 0.05:
            slow = Way(after_s=rng.choice([0.02, 0.5, 2.9, 3.1, 8.0, 30.0, 90.0]))
            sim.set(slow, Question.DATA, Question.THROUGH)
            sim.set(Way(after_s=min(slow.after_s, 2.0)), Question.CONTROL, Question.LISTING)
        sim.step()
    assert not sim.remounts
    assert not {step for step in sim.done if step in ("Abort", "Kill", "Start", "Refresh")}
    assert all(verdict in ("proven", "slow") for _, verdict in sim.verdicts)


def test_an_hour_of_heavy_reading_that_starves_our_own_questions_remounts_nothing():
    sim = Simulated()
    sim.busy = True
    sim.set(Way(after_s=40.0), *STORAGE, Question.THROUGH, Question.PROCESS)
    sim.run(3600.0)
    assert not sim.remounts
    assert "mount.hung" not in sim.told


def test_a_healthy_mount_is_asked_at_most_twelve_times_a_minute():
    sim = Simulated()
    sim.run(60.0)
    sim.forget()
    sim.run(3600.0)
    light = sum(len(sim.times[question]) for question in REMOTE)
    assert light <= 12 * 60
    assert len(sim.times[Question.DATA]) >= 3600 / sim.config.backend_interval.total_seconds() - 10


def test_a_storage_whose_data_costs_two_requests_is_asked_as_often_and_for_less():
    sim = Simulated()
    sim.data_requests = 2
    sim.run(60.0)
    sim.forget()
    sim.run(600.0)
    requests = sum(len(sim.times[question]) for question in REMOTE) + len(sim.times[Question.DATA])
    assert requests <= 120
    asked_s = sorted(at for question in REMOTE for at in sim.times[question])
    interval_s = sim.config.backend_interval.total_seconds()
    assert max(later - at for at, later in itertools.pairwise(asked_s)) == pytest.approx(interval_s, abs=0.3)


def test_a_storage_that_refuses_is_asked_less_than_one_that_is_well():
    sim = Simulated()
    sim.set(Way(Outcome.REFUSED, 0.1), *REMOTE)
    sim.run(60.0)
    sim.forget()
    sim.run(300.0)
    assert sum(len(sim.times[question]) for question in REMOTE) <= 6 * 5 + 1


def test_who_may_read_and_not_list_is_proven_and_asked_no_more_for_it():
    sim = Simulated()
    sim.set(Way(Outcome.REFUSED, 0.1, "AccessDenied"), Question.LISTING, Question.CONTROL)
    sim.run(60.0)
    sim.forget()
    sim.run(600.0)
    assert sim.state.verdict is Verdict.PROVEN
    assert sim.told == []
    assert sum(len(sim.times[question]) for question in REMOTE) <= 240


def test_nobody_is_sent_to_read_while_the_storage_is_silent():
    sim = Simulated()
    sim.run_until(lambda: Question.THROUGH not in sim.asked and sim.now_s - sim.last[Question.THROUGH].asked_s > 20.0)
    sim.set(HANGS, *REMOTE)
    sim.forget()
    sim.run(600.0)
    assert sim.times[Question.THROUGH] == []
    sim.set(WELL, *REMOTE)
    sim.run_until(lambda: sim.state.verdict.is_proven)
    assert not sim.remounts


def test_a_storage_that_comes_and_goes_is_not_told_each_time():
    sim = Simulated()
    sim.run(30.0)
    sim.forget()
    for _ in range(60):
        sim.set(Way(Outcome.FAILED, 0.1, "500"), *REMOTE)
        sim.run(6.0)
        sim.set(WELL, *REMOTE)
        sim.run(6.0)
    assert sim.told.count("mount.proven") <= 6
    assert not sim.remounts


def test_a_mount_that_was_made_anew_between_two_looks_is_not_proven_by_the_one_before():
    sim = Simulated()
    sim.run(30.0)
    sim.mount_anew()
    sim.set(HANGS, Question.THROUGH)
    sim.run(1.5)
    assert not sim.state.verdict.is_proven
    assert sim.state.is_held


def test_the_start_is_not_proven_by_a_storage_that_answers_alone():
    sim = Simulated(starts_proven=False)
    sim.set(HANGS, Question.THROUGH)
    sim.run(3.0)
    assert sim.state.verdict is Verdict.UNKNOWN
    assert "mount.proven" not in sim.told


def test_an_empty_mount_is_never_proven():
    sim = Simulated(starts_proven=False)
    sim.entries = 0
    for question in (Question.DATA, Question.THROUGH):
        sim.ways[question] = Way(Outcome.MISSING, 0.05)
    sim.run(60.0)
    assert sim.state.verdict is Verdict.EMPTY
    assert "nothing was ever seen in it" in sim.state.detail


def test_a_listing_that_shrinks_by_half_is_told_with_both_numbers():
    sim = Simulated()
    sim.entries = 1421
    sim.run(70.0)
    sim.entries = 397
    sim.run_until(lambda: "mount.empty" in sim.told, within_s=70.0)
    assert "it listed 1421 entries, and lists 397" in sim.state.detail


@pytest.mark.parametrize(
    ("entries", "baseline", "lost"),
    [(0, 0, True), (0, 5, True), (5, 0, False), (397, 1421, True), (1000, 1421, False), (711, 1421, False), (710, 1421, True)],
)
def test_is_lost(entries, baseline, lost):
    assert is_lost(entries, baseline, CONFIG) is lost


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        (Unit(name="u", load_state="loaded", active_state="activating", result="oom-kill"), "want of memory"),
        (Unit(name="u", load_state="loaded", active_state="failed", result="exit-code", exit_code=1), "code 1"),
        (Unit(name="u", load_state="loaded", active_state="failed", result="exit-code", exit_code=78), "last line of u says"),
        (Unit(name="u", load_state="loaded", active_state="failed", result="signal", exit_code=9), "signal 9"),
        (Unit(name="u", load_state="loaded", active_state="failed", result="start-limit-hit"), "too often"),
        (Unit(name="u", load_state="masked"), "masked"),
        (Unit(name="u", load_state="loaded", left_active_s=5.0, ended_s=5.1), "was stopped"),
        (None, "still there"),
    ],
)
def test_the_reason_names_what_the_manager_knows(unit, words):
    kernel = dataclasses.replace(KERNEL, rclone_pid=0)
    finding = find(Observation(now_s=1.0, kernel=kernel), Judged(), MOUNT, CONFIG, unit)
    assert finding.verdict is Verdict.STALE
    assert words in finding.reason


def test_the_limit_follows_what_the_storage_takes_and_is_capped_by_patience():
    track = Track(recent_s=(0.1, 30.0, 0.1))
    assert track.limit_s(CONFIG) == 90.0
    assert Track(recent_s=(1000.0,)).limit_s(CONFIG) == CONFIG.patience.total_seconds()
    assert Track(recent_s=(0.1,)).limit_s(CONFIG) == CONFIG.answer_limit.total_seconds()
    assert Track().limit_s(Config(answer_limit=timedelta(seconds=10))) == 10.0


def test_the_answer_that_ends_an_outage_is_soon_forgotten():
    sim = Simulated()
    sim.run(30.0)
    sim.set(HANGS, *REMOTE)
    sim.run(200.0)
    sim.set(WELL, *REMOTE)
    sim.run_until(lambda: sim.state.verdict.is_proven)
    sim.run(10.0)
    sim.set(HANGS, *REMOTE)
    sim.forget()
    assert sim.run_until(lambda: "mount.hung" in sim.told) <= 12.0


# -- whatever is seen -------------------------------------------------------------------------------------------------

ANSWERS = st.one_of(
    st.none(),
    st.builds(
        Answer,
        outcome=st.sampled_from(Outcome),
        asked_s=st.floats(0.0, 300.0),
        latency_s=st.floats(0.0, 600.0),
        is_pending=st.booleans(),
    ),
)
KERNELS = st.builds(
    Kernel,
    is_mounted=st.booleans(),
    is_expected=st.booleans(),
    device=st.sampled_from(["0:40", "0:41"]),
    since_s=st.floats(0.0, 300.0),
    rclone_pid=st.sampled_from([0, 400, 401]),
    rclone_state=st.sampled_from(["S", "T", "R", "D", ""]),
    is_covered=st.booleans(),
)
SEEN = st.builds(
    Observation,
    now_s=st.just(0.0),
    kernel=KERNELS,
    process=ANSWERS,
    control=ANSWERS,
    data=ANSWERS,
    through=ANSWERS,
    listing_answer=ANSWERS,
    listing=st.one_of(st.none(), st.builds(Listing, entries=st.integers(0, 50), baseline=st.just(0))),
    direct=ANSWERS,
    transferred_bytes=st.one_of(st.none(), st.integers(0, 3)),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(SEEN, min_size=1, max_size=30), st.booleans())
def test_whatever_is_seen_nothing_is_proven_without_bytes_through_what_is_there(looks, is_ours):
    mount = MOUNT if is_ours else Mount(mount_point="/mnt/nfs")
    judged, were_bytes = Judged(), False
    for number, look in enumerate(looks):
        seen = dataclasses.replace(look, now_s=1000.0 + number)
        through = seen.through
        were_bytes |= through is not None and through.outcome is Outcome.GOOD and not through.is_pending
        judged = judge(seen, judged, mount, CONFIG)
        if judged.verdict.is_proven and judged.found.is_proven:
            assert were_bytes
            assert seen.kernel.is_mounted
            assert seen.kernel.is_expected
            assert seen.kernel.rclone_pid or not is_ours
