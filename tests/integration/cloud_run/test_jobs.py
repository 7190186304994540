"""Long jobs on a machine with a real service manager."""

from collections.abc import Iterator, Sequence

import pytest

from plexguard.cloud_run.there.jobs import Job, JobFailed, JobGone
from plexguard.core.clock import SystemClock
from plexguard.core.host import CommandFailed, Completed
from tests.machine import READY, Machine, can_run

pytestmark = [pytest.mark.machine, pytest.mark.skipif(bool(can_run()), reason=str(can_run()))]


class Inside:
    """Commands in a test machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def run(self, argv: Sequence[str], *, timeout_s: float, check: bool = True) -> Completed:
        done = self.machine.run(argv, check=False, timeout_s=timeout_s)
        if check and done.returncode != 0:
            raise CommandFailed(f"{' '.join(argv)}: {done.stderr}")
        return Completed(code=done.returncode, stdout=done.stdout, stderr=done.stderr)


@pytest.fixture(scope="module")
def host() -> Iterator[Inside]:
    with Machine(READY) as machine:
        yield Inside(machine)


def test_job_is_begun_once_and_ends_by_itself(host: Inside) -> None:
    job = Job(host=host, name="good")

    assert job.begin(["sh", "-c", "echo begun >> /srv/begun; sleep 2; echo 'the end'"], limit_s=60)
    assert not job.look().has_ended
    assert not job.begin(["sh", "-c", "echo begun >> /srv/begun"], limit_s=60)
    job.wait(SystemClock())

    assert job.look().is_good and job.read_lines()[-1] == "the end"
    assert host.machine.read("/srv/begun") == "begun\n"
    job.forget()
    assert not job.look().is_there


def test_job_that_fails_is_told_with_its_last_words_and_can_be_begun_anew(host: Inside) -> None:
    job = Job(host=host, name="bad")
    job.begin(["sh", "-c", "echo no space left >&2; exit 3"], limit_s=60)

    with pytest.raises(JobFailed, match=r"bad: exit-code, exit code 3: no space left$"):
        job.wait(SystemClock())

    job.forget()
    assert job.begin(["true"], limit_s=60)


def test_job_that_overruns_its_limit_is_ended_by_its_machine(host: Inside) -> None:
    job = Job(host=host, name="slow")
    job.begin(["sleep", "600"], limit_s=1)

    with pytest.raises(JobFailed, match="slow: timeout"):
        job.wait(SystemClock())


def test_job_does_not_outlast_a_boot_and_that_is_told(host: Inside) -> None:
    job = Job(host=host, name="long")
    job.begin(["sleep", "600"], limit_s=900)
    host.machine.reboot()

    with pytest.raises(JobGone):
        job.wait(SystemClock())
