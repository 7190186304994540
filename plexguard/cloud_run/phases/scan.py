"""Plex scans its libraries, one after the other, on the run's machine; this one follows."""

from plexguard.cloud_run.phases.following import Following
from plexguard.cloud_run.phases.mount import find_media
from plexguard.cloud_run.phases.work import Work
from plexguard.cloud_run.section.told import Plan
from plexguard.cloud_run.server.place import Place


def work(run: Work) -> None:
    """Raises WorkFailed, and what the machine raises."""
    if not run.file.scan:
        run.tell("none: the run's file wants none")
        return
    media = find_media(run)
    with run.machine() as machine:
        place = Place(run.lease.label)
        plan = Plan(
            libraries=run.book.state.libraries,
            sections=run.file.sections,
            max_libraries=run.file.max_libraries,
            data=place.data,
            is_claimed=run.file.claim != "never",
            export=place.program("db-export"),
            mount=media.name if media is not None else "",
            point=media.point if media is not None else "",
            is_measured=run.file.measure_storage,
            is_forced=run.file.force_deep_scan,
            most_loss_percent=run.file.most_loss,
        )
        told = Following(run=run, machine=machine, task="scan", limit_s=run.file.limit.total_seconds()).do(plan)
    gained = sum(one.after.items - one.before.items for one in told.libraries.values())
    run.tell(f"libraries scanned: {len(told.libraries)}, {gained:+,} items")
