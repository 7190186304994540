"""The scan of the sections, one after the other."""

from plexguard.cloud_run.phases.work import Work


def work(run: Work) -> None:
    run.tell("nothing to do yet")
