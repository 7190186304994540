"""What the dead man's ping tells: well only on the word of a probe that looks."""

import dataclasses

from plexguard.core.published import ProbeSeen
from plexguard.notify.heartbeat import SILENT_PROBE, Ping, Signal, judge_ping
from tests.fakes.ports import FakeClock


def seen(clock: FakeClock) -> ProbeSeen:
    return ProbeSeen(verdict="healthy", checked=clock.moment())


def test_fresh_check_without_problems_is_success():
    clock = FakeClock()
    assert judge_ping(seen(clock), (), clock.moment()) == Ping(signal=Signal.SUCCESS)


def test_problem_is_failure_whatever_the_probe_says():
    clock = FakeClock()
    found = judge_ping(seen(clock), ("Plex hangs", "Disk is full"), clock.moment())
    assert found == Ping(signal=Signal.FAIL, reason="Plex hangs; Disk is full")


def test_probe_that_is_silent_for_too_long_is_failure():
    clock = FakeClock()
    probe = seen(clock)
    clock.pass_time(SILENT_PROBE.total_seconds())
    assert judge_ping(probe, (), clock.moment()).signal is Signal.SUCCESS
    clock.pass_time(60)
    found = judge_ping(probe, (), clock.moment())
    assert found.signal is Signal.FAIL and "for 16min" in found.reason


def test_probe_that_is_to_look_once_an_hour_is_not_silent_for_half_of_one():
    clock = FakeClock()
    probe = dataclasses.replace(seen(clock), interval_s=3600.0)
    clock.pass_time(2 * 3600)
    assert judge_ping(probe, (), clock.moment()).signal is Signal.SUCCESS
    clock.pass_time(2 * 3600)
    assert judge_ping(probe, (), clock.moment()).signal is Signal.FAIL


def test_machine_that_has_just_started_is_start_until_the_probe_has_looked():
    clock = FakeClock()
    before = seen(clock)
    clock.reboot()
    clock.pass_time(30)
    assert judge_ping(before, (), clock.moment()).signal is Signal.START
    assert judge_ping(None, (), clock.moment()).signal is Signal.START
    assert judge_ping(seen(clock), (), clock.moment()).signal is Signal.SUCCESS


def test_probe_that_never_looks_after_a_start_is_failure():
    clock = FakeClock(uptime_s=SILENT_PROBE.total_seconds() + 1)
    for probe in (None, ProbeSeen(verdict="unknown")):
        assert judge_ping(probe, (), clock.moment()).signal is Signal.FAIL
