"""The analysis of what was found."""

from plexguard.cloud_run.phases.work import Work


def work(run: Work) -> None:
    run.tell("nothing to do yet")
