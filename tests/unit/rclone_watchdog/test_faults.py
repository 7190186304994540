"""Each fault that a mount can have, made in simulated time: what is found, when, and what follows."""

import dataclasses

import pytest

from plexguard.core.events import Tell
from plexguard.core.manager import Unit
from plexguard.rclone_watchdog.config import Mount
from plexguard.rclone_watchdog.observe import Outcome, Question
from tests.unit.rclone_watchdog.simulated import HANGS, MOUNT, OF_RCLONE, REMOTE, STORAGE, WELL, Simulated, Way

TOLD_WITHIN_S = 10.0
BACK_WITHIN_S = 15.0


def kill_rclone(sim: Simulated) -> None:
    sim.kill()


def kill_for_memory(sim: Simulated) -> None:
    sim.kill(result="oom-kill")


def freeze_rclone(sim: Simulated) -> None:
    sim.set(HANGS, *OF_RCLONE)
    sim.kernel = dataclasses.replace(sim.kernel, rclone_state="T")


def deafen_rclone(sim: Simulated) -> None:
    sim.set(HANGS, *OF_RCLONE)


def stop_storage(sim: Simulated) -> None:
    sim.set(Way(Outcome.FAILED, 0.01, "connection refused"), *REMOTE)


def hang_storage(sim: Simulated) -> None:
    sim.set(HANGS, *REMOTE)


def fail_bytes(sim: Simulated) -> None:
    sim.set(Way(Outcome.FAILED, 0.2, "500 Internal Server Error"), Question.DATA, Question.THROUGH, Question.DIRECT)


def fail_all(sim: Simulated) -> None:
    sim.set(Way(Outcome.FAILED, 0.2, "500 Internal Server Error"), *REMOTE)


def refuse(sim: Simulated) -> None:
    sim.set(Way(Outcome.REFUSED, 0.05, "403 Forbidden"), *STORAGE, Question.DIRECT)
    sim.set(Way(Outcome.FAILED, 0.05, "Input/output error"), Question.THROUGH)


def throttle(sim: Simulated) -> None:
    sim.set(Way(Outcome.REFUSED, 1.5, "429 Too Many Requests"), *STORAGE, Question.DIRECT)
    sim.set(HANGS, Question.THROUGH)


def reset(sim: Simulated) -> None:
    sim.set(Way(Outcome.FAILED, 0.3, "connection reset by peer"), *REMOTE)


def empty_bucket(sim: Simulated) -> None:
    sim.entries = 0
    sim.set(Way(Outcome.MISSING, 0.02, "no such file"), Question.DATA, Question.CONTROL, Question.THROUGH, Question.DIRECT)


def cover_by_another(sim: Simulated) -> None:
    sim.kernel = dataclasses.replace(sim.kernel, is_expected=False, type="tmpfs", source="none", device="0:77")


def unmount(sim: Simulated) -> None:
    sim.unmount()
    sim.kill()


def fail_mount(sim: Simulated) -> None:
    sim.set(Way(Outcome.FAILED, 0.01, "Input/output error"), Question.THROUGH)
    # Nobody reads just now, and the next that is sent to read comes with its interval: somebody else's request waits.
    sim.kernel = dataclasses.replace(sim.kernel, waiting=1, waiting_since_s=sim.now_s)


def fill_cache(sim: Simulated) -> None:
    # Whoever reads gets an error at once: nothing waits, and the storage knows nothing of it.
    sim.set(Way(Outcome.FAILED, 0.01, "Input/output error"), Question.THROUGH)
    sim.cache = dataclasses.replace(sim.cache, free_bytes=0, is_full=True)


STORAGES_OWN = {
    "the storage is stopped": (stop_storage, "degraded"),
    "the storage hangs": (hang_storage, "hung"),
    "bytes fail with 500": (fail_bytes, "degraded"),
    "all fails with 500": (fail_all, "degraded"),
    "403": (refuse, "refusing"),
    "429": (throttle, "refusing"),
    "connections are reset": (reset, "degraded"),
    "the bucket is emptied": (empty_bucket, "empty"),
    "the cache's disk is full": (fill_cache, "degraded"),
}
MOUNTS_OWN = {
    "rclone is killed": (kill_rclone, "stale"),
    "rclone is killed for want of memory": (kill_for_memory, "stale"),
    "rclone is frozen": (freeze_rclone, "hung"),
    "rclone answers nothing": (deafen_rclone, "hung"),
    "another lies on top": (cover_by_another, "foreign"),
    "it is unmounted": (unmount, "absent"),
    "the mount does not read": (fail_mount, "degraded"),
}


@pytest.mark.parametrize("offset_s", [0.0, 1.0, 2.5, 4.0, 5.5])
@pytest.mark.parametrize("fault", [*STORAGES_OWN, *MOUNTS_OWN])
def test_each_fault_is_told_and_plex_held_within_ten_seconds(fault, offset_s):
    sim = Simulated()
    sim.run(60.0 + offset_s)
    make, verdict = {**STORAGES_OWN, **MOUNTS_OWN}[fault]
    began_s = sim.now_s
    sim.forget()

    make(sim)

    assert sim.run_until(lambda: f"mount.{verdict}" in sim.told) <= TOLD_WITHIN_S
    assert sim.held_after(began_s) <= TOLD_WITHIN_S
    assert sim.told[0] == f"mount.{verdict}" or sim.told[0] == "mount.cache-full"


def answer(outcome, words):
    """Our own requests are answered at once. What rclone asks it asks again and again by itself, and tells much later."""

    def make(sim: Simulated) -> None:
        sim.set(Way(outcome, 12.0, words), Question.CONTROL, Question.LISTING)
        sim.set(Way(outcome, 0.05 if sim.data_requests == 1 else 12.0, words), Question.DATA)
        sim.set(Way(outcome, 0.8, words), Question.DIRECT)
        sim.set(HANGS, Question.THROUGH)

    return make


ANSWERED = {
    "401": (answer(Outcome.REFUSED, "401 Unauthorized"), "refusing"),
    "429": (answer(Outcome.REFUSED, "429 Too Many Requests"), "refusing"),
    "503": (answer(Outcome.FAILED, "503 Service Unavailable"), "degraded"),
    "refused": (answer(Outcome.FAILED, "connection refused"), "degraded"),
}


@pytest.mark.parametrize(("data_requests", "more_s"), [(1, 1.0), (2, 2.5)], ids=["s3", "others"])
@pytest.mark.parametrize("fault", ANSWERED)
def test_what_the_storage_answers_is_told_by_its_name_at_once_and_by_no_other(fault, data_requests, more_s):
    make, verdict = ANSWERED[fault]
    interval_s = Simulated().config.backend_interval.total_seconds()
    phases = [0.5 * number for number in range(round(interval_s / 0.5) + 1)]
    for phase_s in phases:
        sim = Simulated()
        sim.data_requests = data_requests
        sim.run(61.0 + phase_s)
        sim.forget()

        make(sim)

        assert sim.run_until(lambda sim=sim: bool(sim.told)) <= interval_s + more_s, phase_s
        sim.run(120.0)
        assert sim.told == [f"mount.{verdict}"], phase_s


def test_why_a_storage_gives_nothing_stays_the_reason_while_it_is_only_silent():
    sim = Simulated()
    sim.data_requests = 2
    sim.set(HANGS, *REMOTE)
    sim.set(Way(Outcome.FAILED, 0.8, "connection refused"), Question.DIRECT)
    sim.run_until(lambda: bool(sim.told))
    sim.set(Way(Outcome.LATE, 5.0, "no answer"), Question.DIRECT)
    sim.run(60.0)
    assert sim.told == ["mount.degraded"]
    assert "connection refused" in sim.state.detail


def test_a_silence_is_not_told_in_the_words_of_the_outage_before_it():
    sim = Simulated()
    stop_storage(sim)
    sim.run_until(lambda: sim.last[Question.DIRECT].outcome is Outcome.FAILED if Question.DIRECT in sim.last else False)
    sim.set(WELL, *STORAGE, Question.THROUGH)
    sim.run_until(lambda: sim.state.verdict.is_proven)
    sim.run(20.0)
    sim.forget()

    hang_storage(sim)
    sim.run(30.0)

    assert sim.told == ["mount.hung"]


@pytest.mark.parametrize("minutes", [1, 30])
@pytest.mark.parametrize("fault", STORAGES_OWN)
def test_a_fault_of_the_storage_never_remounts_and_is_over_when_it_is_back(fault, minutes):
    sim = Simulated()
    sim.run(20.0)
    STORAGES_OWN[fault][0](sim)
    sim.run(60.0 * minutes)
    assert not sim.remounts
    assert sim.state.is_held

    sim.entries = 12
    sim.cache = dataclasses.replace(sim.cache, free_bytes=1 << 40, is_full=False)
    sim.kernel = dataclasses.replace(sim.kernel, waiting=0, waiting_since_s=None)
    sim.set(WELL, *REMOTE)

    assert sim.run_until(lambda: sim.state.verdict.is_proven) <= BACK_WITHIN_S
    assert not sim.remounts
    assert sim.told.count("mount.proven") == 1
    sim.run(5.0)
    assert not sim.state.is_held


def test_a_full_cache_that_has_kept_some_files_is_not_proven_by_reading_those():
    sim = Simulated()
    sim.run(20.0)
    fill_cache(sim)
    sim.run(15.0)
    sim.forget()
    for _ in range(20):
        sim.set(WELL, Question.THROUGH)
        sim.run(4.0)
        fill_cache(sim)
        sim.run(4.0)

    assert sim.told == []
    assert sim.state.is_held

    # rclone has dropped what it can, and manages with what is left.
    sim.set(WELL, Question.THROUGH)
    assert sim.run_until(lambda: "mount.proven" in sim.told) <= 30.0


@pytest.mark.parametrize("fault", MOUNTS_OWN)
def test_a_fault_of_the_mount_is_mended_within_fifteen_seconds(fault):
    sim = Simulated()
    sim.run(20.0)
    sim.forget()
    MOUNTS_OWN[fault][0](sim)
    sim.run_until(lambda: bool(sim.told))

    assert sim.run_until(lambda: "mount.proven" in sim.told, within_s=60.0) <= BACK_WITHIN_S
    assert len(sim.remounts) <= 1


def test_for_how_long_nothing_was_read_counts_from_the_last_bytes():
    sim = Simulated()
    sim.run(30.0)
    hang_storage(sim)
    sim.run_until(lambda: "mount.hung" in sim.told)
    last_s = max(answer.asked_s + answer.latency_s for answer in (sim.last[Question.DATA], sim.last[Question.THROUGH]))
    (silent_s,) = (step.values["silent_s"] for _, plan in sim.plans for step in plan.steps if isinstance(step, Tell))
    assert silent_s == pytest.approx(sim.now_s - last_s, abs=1.0)
    assert silent_s > sim.config.answer_limit.total_seconds()


def test_a_mount_that_hangs_on_when_its_storage_is_back_is_remounted():
    sim = Simulated()
    sim.run(20.0)
    # Somebody was sent to read just when it happened, and is stuck.
    sim.run_until(lambda: Question.THROUGH in sim.asked)
    hang_storage(sim)
    sim.run(120.0)
    assert sim.state.verdict.value == "hung"
    assert not sim.remounts

    sim.set(WELL, *STORAGE, Question.DIRECT)

    assert sim.run_until(lambda: "mount.proven" in sim.told) <= BACK_WITHIN_S
    assert len(sim.remounts) == 1
    assert sim.done == ["Abort", "Kill", "LookInside"]


def test_connections_that_died_in_an_outage_are_not_waited_for():
    sim = Simulated()
    sim.run(20.0)
    hang_storage(sim)
    sim.run(60.0)

    # What is asked anew is answered; what was asked before never is.
    old = dict(sim.asked)
    sim.set(WELL, *REMOTE)
    for question, waiting in old.items():
        waiting.asked_s = sim.now_s + 1e6 if question is Question.DATA else waiting.asked_s

    assert sim.run_until(lambda: sim.state.verdict.is_proven) <= BACK_WITHIN_S


@pytest.mark.parametrize("starts_proven", [True, False])
def test_reads_of_thirty_seconds_are_slow_and_never_remounted(starts_proven):
    sim = Simulated(starts_proven=starts_proven)
    sim.set(Way(after_s=30.0), Question.DATA, Question.THROUGH)
    sim.run(600.0)
    assert not sim.remounts
    assert sim.state.verdict.value == "slow"
    assert "mount.hung" not in sim.told
    assert sim.told.count("mount.slow") == 1
    # Not flapping.
    assert len(sim.verdicts) <= 3

    sim.set(WELL, Question.DATA, Question.THROUGH)
    sim.run_until(lambda: sim.state.verdict.value == "proven")
    assert sim.told[-1] == "mount.in-time"


def test_thirty_seconds_on_everything_is_no_reason_to_remount():
    sim = Simulated()
    sim.set(Way(after_s=30.0), *REMOTE)
    sim.run(600.0)
    assert not sim.remounts
    assert sim.state.verdict.value == "slow"
    assert len(sim.verdicts) <= 4


def test_a_mount_that_is_stopped_by_hand_is_left_stopped_and_plex_held():
    sim = Simulated()
    sim.run(20.0)
    sim.forget()
    sim.unmount()
    sim.unit = Unit(name=sim.unit.name, load_state="loaded", active_state="inactive", left_active_s=10.0, ended_s=10.1)
    sim.kernel = dataclasses.replace(sim.kernel, rclone_pid=0)
    sim.run(3600.0)

    assert sim.told == ["mount.stopped"]
    assert not sim.remounts
    assert sim.done == []
    assert sim.state.is_held


def test_remounts_are_ten_twenty_and_thirty_seconds_apart_and_then_it_is_given_up():
    sim = Simulated()
    sim.run(20.0)
    sim.forget()
    sim.restart_s = None
    sim.unmount()
    sim.kill(result="exit-code")
    sim.set(Way(Outcome.FAILED, 0.1), Question.DIRECT)

    sim.run_until(lambda: "mount.gave-up" in sim.told)
    first, second, third = sim.remounts
    assert second - first == pytest.approx(10.0, abs=1.0)
    assert third - second == pytest.approx(20.0, abs=1.0)
    assert sim.now_s - third == pytest.approx(30.0, abs=2.0)
    assert [plan.gives_up for _, plan in sim.plans].count(True) == 1

    sim.run(3600.0)
    assert len(sim.remounts) == 3
    assert sim.told.count("mount.gave-up") == 1

    # Its storage answers again, and rclone mounts.
    sim.restart_s = 3.0
    sim.set(WELL, Question.DIRECT)
    sim.run_until(lambda: sim.state.verdict.is_proven)
    assert sim.told[-1] == "mount.proven"


def test_a_given_up_mount_is_back_within_fifteen_seconds_of_its_storage():
    sim = Simulated()
    sim.restart_s = None
    sim.unmount()
    sim.kill(result="exit-code")
    sim.set(Way(Outcome.FAILED, 0.1), Question.DIRECT)
    sim.run(300.0)
    sim.restart_s = 3.0
    sim.set(WELL, Question.DIRECT)
    assert sim.run_until(lambda: sim.state.verdict.is_proven) <= BACK_WITHIN_S


def test_a_mount_of_others_is_told_and_held_and_left_alone():
    sim = Simulated(Mount(mount_point="/mnt/nfs"))
    sim.run(30.0)
    sim.forget()
    sim.set(HANGS, Question.THROUGH)
    began_s = sim.now_s
    assert sim.run_until(lambda: "mount.hung" in sim.told, within_s=30.0) <= 15.0
    assert sim.held_after(began_s) <= 15.0
    sim.run(600.0)
    assert sim.done == []
    assert sim.told == ["mount.hung"]
    sim.set(WELL, Question.THROUGH)
    sim.run_until(lambda: sim.state.verdict.is_proven)


def test_a_watchdog_that_begins_anew_takes_up_where_it_was():
    sim = Simulated()
    sim.run(30.0)
    sim.forget()
    for _ in range(20):
        sim.restart_watchdog()
        sim.run(5.0)
    assert sim.told == []
    assert MOUNT.protect
