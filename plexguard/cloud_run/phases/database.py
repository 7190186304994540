"""Plex's database, brought to the run's machine, checked and made to fit."""

from plexguard.cloud_run.phases.work import Work


def work(run: Work) -> None:
    run.tell("nothing to do yet")
