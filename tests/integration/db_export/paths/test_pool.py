"""Work that hangs or dies takes its own task with it, and no other."""

import os
import signal
import time

import pytest

from plexguard.db_export.paths.pool import Alive, Pool


def work(task: str, tell_alive: Alive) -> str:
    if task == "hang":
        signal.pause()
    if task == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "slow":
        for _ in range(12):
            tell_alive()
            time.sleep(0.3)
    return task.upper()


def test_all_tasks_are_done():
    tasks = [f"task {n}" for n in range(50)]
    with Pool[str, str](work, workers=3) as pool:
        for task in tasks:
            pool.add(task)
        assert sorted(pool) == sorted((task, task.upper()) for task in tasks)


def test_tasks_can_be_added_and_taken_back_meanwhile():
    found = []
    with Pool[str, str](work, workers=1) as pool:
        pool.add("one")
        for task, _ in pool:
            found.append(task)
            if task == "one":
                pool.add("two")
                pool.add("three")
                assert pool.drop(lambda other: other == "three") == ["three"]
    assert found == ["one", "two"]


@pytest.mark.parametrize("bad", ["hang", "die"])
def test_a_child_that_hangs_or_dies_is_given_up_and_the_others_go_on(bad):
    with Pool[str, str](work, stall_s=0.5, workers=2) as pool:
        for task in ("a", bad, "b", "c"):
            pool.add(task)
        assert dict(pool) == {"a": "A", bad: None, "b": "B", "c": "C"}
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_child_that_is_slow_and_says_so_is_not_given_up():
    with Pool[str, str](work, stall_s=3.0, workers=1) as pool:
        pool.add("slow")
        assert dict(pool) == {"slow": "SLOW"}
