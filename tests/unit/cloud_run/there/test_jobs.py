from collections.abc import Callable, Sequence

import pytest

from plexguard.cloud_run.there.jobs import Job, JobFailed, JobGone, Standing, read_standing
from plexguard.core.host import CommandFailed, Completed
from plexguard.core.ssh import ConnectionLost
from tests.fakes.ports import FakeClock, FakeHost

GONE = "LoadState=not-found\nActiveState=inactive\nResult=success\nExecMainStatus=0\n"
QUEUED = "LoadState=loaded\nActiveState=inactive\nResult=success\nExecMainStatus=0\n"
RUNS = "LoadState=loaded\nActiveState=activating\nResult=success\nExecMainStatus=0\n"
DONE = "LoadState=loaded\nActiveState=active\nResult=success\nExecMainStatus=0\n"
FAILED = "LoadState=loaded\nActiveState=failed\nResult=exit-code\nExecMainStatus=3\n"
KILLED = "LoadState=loaded\nActiveState=failed\nResult=timeout\nExecMainStatus=15\n"


def said(text: str, code: int = 0) -> Completed:
    return Completed(code=code, stdout=text, stderr="")


def in_turn(*answers: str | Exception) -> Callable[[Sequence[str]], Completed]:
    """Answer one after the other, the last for ever."""
    left = list(answers)

    def answer(_: Sequence[str]) -> Completed:
        now = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(now, Exception):
            raise now
        return said(now)

    return answer


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GONE, Standing(is_there=False)),
        ("", Standing(is_there=False)),
        (QUEUED, Standing(is_there=True, result="success")),
        (RUNS, Standing(is_there=True, result="success")),
        (DONE, Standing(is_there=True, has_ended=True, result="success")),
        (FAILED, Standing(is_there=True, has_ended=True, code=3, result="exit-code")),
        (KILLED, Standing(is_there=True, has_ended=True, code=15, result="timeout")),
    ],
    ids=["gone", "nothing said", "queued", "runs", "done", "failed", "overran"],
)
def test_how_a_job_is_is_read(text: str, expected: Standing) -> None:
    assert read_standing(text) == expected
    assert expected.is_good is (text == DONE)


def test_job_is_begun_once() -> None:
    host = FakeHost({"systemctl show": in_turn(GONE, RUNS), "systemd-run": said("")})
    job = Job(host=host, name="scan")

    assert job.begin(["sleep", "5"], limit_s=60)
    assert not job.begin(["sleep", "5"], limit_s=60)

    (run,) = [argv for argv in host.ran if argv[0] == "systemd-run"]
    assert run[-3:] == ["--", "sleep", "5"] and "--unit=plexguard-job-scan.service" in run
    assert "--property=TimeoutStartSec=60" in run


def test_job_that_came_through_just_before_is_taken_for_begun_and_what_was_refused_is_told() -> None:
    refused = CommandFailed("Failed to start transient service unit")
    found = Job(host=FakeHost({"systemctl show": in_turn(GONE, RUNS), "systemd-run": refused}), name="scan")
    assert not found.begin(["true"], limit_s=60)

    with pytest.raises(CommandFailed):
        Job(host=FakeHost({"systemctl show": in_turn(GONE), "systemd-run": refused}), name="scan").begin(["true"], limit_s=60)


def test_job_is_waited_for_however_often_the_connection_is_lost() -> None:
    lost = ConnectionLost("gone")
    host = FakeHost({"systemctl show": in_turn(RUNS, lost, lost, RUNS, lost, DONE)})
    seen: list[bool] = []

    Job(host=host, name="scan").wait(FakeClock(), tell=lambda standing: seen.append(standing.has_ended))

    assert seen == [False, False, True]


def test_end_of_a_job_is_seen_though_nothing_that_it_tells_can_be_read() -> None:
    clock, host = FakeClock(), FakeHost({"systemctl show": in_turn(RUNS, RUNS, DONE)})

    def unread(_: Standing) -> None:
        raise CommandFailed("cat told.json: no answer")

    Job(host=host, name="scan").wait(clock, tell=unread)

    assert len(host.ran) == 3


def test_machine_that_stays_away_is_not_waited_for_for_ever() -> None:
    clock = FakeClock()
    host = FakeHost({"systemctl show": in_turn(RUNS, ConnectionLost("gone"))})

    with pytest.raises(ConnectionLost):
        Job(host=host, name="scan").wait(clock, away_s=3600)

    assert 3600 <= clock.monotonic_s() - FakeClock().monotonic_s() < 3700


def test_job_that_failed_is_told_with_its_last_lines() -> None:
    host = FakeHost({"systemctl show": in_turn(RUNS, FAILED), "journalctl": said("one\n\nno space left\n")})

    with pytest.raises(JobFailed, match=r"scan: exit-code, exit code 3: one / no space left"):
        Job(host=host, name="scan").wait(FakeClock())


def test_job_of_an_earlier_boot_is_gone_and_not_done() -> None:
    with pytest.raises(JobGone):
        Job(host=FakeHost({"systemctl show": in_turn(RUNS, GONE)}), name="scan").wait(FakeClock())


def test_job_that_is_forgotten_is_ended_and_makes_room() -> None:
    host = FakeHost({"systemctl": said("", code=5)})

    Job(host=host, name="scan").forget()

    assert [argv[1] for argv in host.ran] == ["stop", "reset-failed"]
