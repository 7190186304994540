import pytest

from plexguard.cloud_run.first_boot.readiness import LIMIT_S, NotReady, Stage, await_ready, judge
from plexguard.core.host import CommandMissing, Completed
from plexguard.core.ssh import ConnectionLost
from tests.fakes.ports import FakeClock, FakeHost
from tests.unit.cloud_run.there.test_jobs import in_turn

READY = Completed(code=0, stdout="boot_id=abc\ndocker=20.10.24\n", stderr="")
ABSENT = Completed(code=1, stdout="", stderr="cat: no such file")
FAILED = Completed(code=0, stdout="plexguard: installing zstd failed with exit code 127\n", stderr="")


def status(word: str, code: int = 0) -> Completed:
    return Completed(code=code, stdout=f"status: {word}\ntime: Thu\ndetail:\nDataSourceNoCloud\n", stderr="")


@pytest.mark.parametrize(
    ("said", "failed", "ready", "stage"),
    [
        (status("running"), ABSENT, ABSENT, Stage.WAITING),
        # Before version 23.4 and since.
        (status("not run"), ABSENT, ABSENT, Stage.WAITING),
        (status("not started"), ABSENT, ABSENT, Stage.WAITING),
        (status("running", 2), ABSENT, ABSENT, Stage.WAITING),
        (Completed(code=1, stdout="", stderr="boom"), ABSENT, ABSENT, Stage.WAITING),
        # Its own script is done, and cloud-init is not.
        (status("running"), ABSENT, READY, Stage.WAITING),
        (status("done"), ABSENT, READY, Stage.READY),
        # A problem that does no harm: an error before 23.4, and a code of its own since.
        (status("error", 1), ABSENT, READY, Stage.READY),
        (status("done", 2), ABSENT, READY, Stage.READY),
        # Through, with exit code 0, and yet our script has not run: the user data never came, or had an unknown key.
        (status("done"), ABSENT, ABSENT, Stage.FAILED),
        (status("error", 1), ABSENT, ABSENT, Stage.FAILED),
        (status("disabled"), ABSENT, ABSENT, Stage.FAILED),
        (status("running"), FAILED, ABSENT, Stage.FAILED),
        (status("error", 1), FAILED, READY, Stage.FAILED),
    ],
)
def test_a_machine_is_ready_by_its_own_word_once_cloud_init_is_through(
    said: Completed, failed: Completed, ready: Completed, stage: Stage
) -> None:
    assert judge(said, failed, ready).stage is stage


def test_what_cloud_init_says_against_a_ready_machine_is_kept() -> None:
    assert judge(status("done"), ABSENT, READY).problems == ""
    assert "DataSourceNoCloud" in judge(status("error", 1), ABSENT, READY).problems
    assert judge(status("done", 2), ABSENT, READY).problems


def host(*words: str | Exception, failed: Completed = ABSENT, ready: Completed = READY) -> FakeHost:
    said = [word if isinstance(word, Exception) else status(word).stdout for word in words]
    return FakeHost(
        {
            "cloud-init": in_turn(*said),
            "cat /run/plexguard/ready": ready,
            "cat /run/plexguard/failed": failed,
            "tail": Completed(code=0, stdout="E: Unable to locate package zstd\n\nfailed\n", stderr=""),
        }
    )


def test_machine_is_waited_for_also_while_it_is_away() -> None:
    verdict = await_ready(host("running", ConnectionLost("gone"), "running", "done"), FakeClock())

    assert verdict.ready is not None and verdict.ready.boot_id == "abc"


def test_machine_that_failed_is_told_with_the_last_lines_of_its_log() -> None:
    with pytest.raises(NotReady, match=r"installing zstd failed with exit code 127: E: Unable to locate package zstd / failed$"):
        await_ready(host("running", failed=FAILED), FakeClock())


def test_machine_is_not_waited_for_for_ever() -> None:
    clock = FakeClock()
    begun_s = clock.monotonic_s()

    with pytest.raises(NotReady, match="not ready within 15 min"):
        await_ready(host("running"), clock)

    assert LIMIT_S <= clock.monotonic_s() - begun_s < LIMIT_S + 60


def test_machine_that_stays_away_is_told_as_away() -> None:
    with pytest.raises(ConnectionLost):
        await_ready(host(ConnectionLost("gone")), FakeClock())


def test_image_without_cloud_init_is_not_waited_for() -> None:
    with pytest.raises(NotReady, match="has no cloud-init"):
        await_ready(host(CommandMissing("none")), FakeClock())
