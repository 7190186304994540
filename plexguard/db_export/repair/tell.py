"""Tell the journal what came of a repair."""

from plexguard.core.events import FilePath
from plexguard.core.journal import Journal
from plexguard.db_export.repair import events
from plexguard.db_export.repair.act import Repaired
from plexguard.db_export.repair.report import say_failure, say_losses


def tell(done: Repaired, journal: Journal, *, max_loss: float) -> None:
    for climb in done.failed:
        journal.send(events.REPAIR_FAILED, database=climb.database, reason=say_failure(climb, max_loss=max_loss))
    if done.generation is None:
        return
    for climb in done.climbs:
        if climb.taken is not None:
            journal.send(
                events.REPAIRED,
                database=climb.database,
                how=climb.taken.rung.value,
                lost=climb.taken.lost,
                losses=say_losses(climb.taken),
                left="; ".join(climb.taken.to_do) or "nothing",
                path=FilePath(done.generation.folder),
            )
