"""Plex analyses its libraries, one after the other, on the run's machine; this one follows, and brings home what is found out."""

from plexguard.cloud_run.phases.following import Following
from plexguard.cloud_run.phases.mount import find_media
from plexguard.cloud_run.phases.results import bring_checkpoint
from plexguard.cloud_run.phases.work import Work
from plexguard.cloud_run.section.told import Plan
from plexguard.cloud_run.section.warm import FEWEST, MOST
from plexguard.cloud_run.section.worker import FORMER
from plexguard.cloud_run.server.place import Place


def work(run: Work) -> None:
    """Raises WorkFailed, and what the machine raises."""
    if not run.file.analyze:
        run.tell("none: the run's file wants none")
        return
    media, place = find_media(run), Place(run.lease.label)
    plan = Plan(
        sections=run.file.sections,
        max_libraries=run.file.max_libraries,
        data=place.data,
        is_claimed=run.file.claim != "never",
        export=place.program("db-export"),
        mount=media.name if media is not None else "",
        point=media.point if media is not None else "",
        former=f"{place.folder}/scan/{FORMER}",
        monitoring=run.file.monitoring,
        sonic=run.file.sonic,
        refreshes=run.file.force_refresh,
        # A router at home does not bear more.
        most_at_once=MOST if run.world.provider.is_rented else FEWEST,
        checkpoint_s=run.file.checkpoint.total_seconds(),
    )
    with run.machine() as machine:
        told = Following(
            run=run,
            machine=machine,
            task="analyze",
            limit_s=run.file.limit.total_seconds(),
            bring=lambda packed: bring_checkpoint(run, packed),
        ).do(plan)
    gained = sum(one.after.analysed - one.before.analysed for one in told.libraries.values())
    run.tell(f"libraries analysed: {len(told.libraries)}, {gained:+,} items")
