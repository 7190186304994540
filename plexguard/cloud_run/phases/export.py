"""What Plex holds in the end, brought home: packed on the run's machine, fetched, and verified there and here."""

from plexguard.cloud_run import events
from plexguard.cloud_run.life.summary import make_summary, show_libraries
from plexguard.cloud_run.phases.following import Following
from plexguard.cloud_run.phases.results import NotWhole, bring, forget_checkpoint, forget_old, open_results, refuse_full
from plexguard.cloud_run.phases.work import Work
from plexguard.cloud_run.reference.own import verify
from plexguard.cloud_run.section.told import Plan
from plexguard.cloud_run.section.worker import FORMER
from plexguard.cloud_run.server.place import Place
from plexguard.core.events import FilePath


def work(run: Work) -> None:
    """Raises WorkFailed, NotWhole, IoFailed, and what the machine and carrying raise."""
    if not (run.file.scan or run.file.analyze):
        run.tell("none: nothing was worked on")
        return
    place = Place(run.lease.label)
    plan = Plan(
        data=place.data,
        is_claimed=run.file.claim != "never",
        export=place.program("db-export"),
        trees=run.file.bring,
        former=f"{place.folder}/scan/{FORMER}",
    )
    with run.machine() as machine:
        told = Following(run=run, machine=machine, task="export", limit_s=run.file.limit.total_seconds()).do(plan)
    folder = open_results(run)
    refuse_full(folder, told.packed)
    archive, *_ = [bring(run, packed, folder) for packed in told.packed]
    run.tell(f"verifying {archive.name}")
    fault, _ = verify(str(archive), run.ports.host)
    if fault:
        raise NotWhole(f"{archive}: {fault}", hint=f"plexguard-db-export verify --deep {archive}")
    forget_checkpoint(folder)
    forget_old(folder)
    changes = show_libraries(make_summary(run.book.change(after=told.counted, result=str(archive))))
    run.ports.journal.send(events.EXPORTED, run=run.name, path=FilePath(str(archive)), changes=changes)
    run.tell(changes)
