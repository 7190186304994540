"""The storage on the run's machine, mounted and proven."""

from plexguard.cloud_run.phases.work import Work


def work(run: Work) -> None:
    run.tell("nothing to do yet")


def release(run: Work) -> int:
    return 0
