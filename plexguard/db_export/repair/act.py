"""Mend both databases of a Plex that is stopped, and put what was made in their place as one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from plexguard.core.clock import Clock
from plexguard.core.state import sync_file
from plexguard.db_export.database.files import LIBRARY, NAMES, PlexData
from plexguard.db_export.repair.decide import Loss, Rung, too_much
from plexguard.db_export.repair.ladder import Climb, Ladder
from plexguard.db_export.repair.work import check_room, work_folder
from plexguard.db_export.swap.generations import Generation
from plexguard.db_export.swap.pieces import all_files
from plexguard.db_export.swap.replace import replace as put_in_place

REASON = "repair"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What came of a repair. generation: what was there before; None where nothing was put in place. with_snapshot: databases that
    were taken from the archive because the other one was: their rows belong together."""

    climbs: tuple[Climb, ...]
    generation: Generation | None = None
    with_snapshot: tuple[str, ...] = ()
    dry_run: bool = False

    @property
    def is_sound(self) -> bool:
        """Whether nothing was to be done."""
        return all(climb.is_sound for climb in self.climbs)

    @property
    def failed(self) -> tuple[Climb, ...]:
        """Those that nothing good enough could be made of."""
        return tuple(climb for climb in self.climbs if climb.tried and climb.taken is None)

    @property
    def lost(self) -> int:
        return sum(climb.taken.lost for climb in self.climbs if climb.taken is not None)

    @property
    def to_do(self) -> tuple[tuple[str, str], ...]:
        """What is left for Plex's own SQLite: (database, statement)."""
        return tuple((c.database, sql) for c in self.climbs if c.taken is not None for sql in c.taken.to_do)


def repair(data: PlexData, ladder: Ladder, *, clock: Clock, keep: int, dry_run: bool) -> Repaired:
    """Mend what is damaged. ladder: its work folder is set here. keep: how many generations stay. Call it within hold(), with Plex
    proven to be stopped. One database that cannot be mended keeps the other one as it is: they belong together.

    Raises PlexguardError; nothing is changed then.
    """
    check_room(data, all_files(data))
    with work_folder(data) as work:
        at_work = replace(ladder, work=work)
        there = [data.databases / name for name in NAMES if (data.databases / name).exists()]
        climbs = tuple(at_work.climb(path, like=next((other for other in there if other != path), None)) for path in there)
        done = Repaired(climbs=climbs, dry_run=dry_run)
        new, with_snapshot = choose(climbs)
        if done.failed or not new or dry_run:
            return replace(done, with_snapshot=with_snapshot)
        for path in new.values():
            sync_file(path)
        generation = put_in_place(data, new, reason=REASON, keep=keep, clock=clock)
        return replace(done, generation=generation, with_snapshot=with_snapshot)


def choose(climbs: tuple[Climb, ...]) -> tuple[Mapping[str, Path], tuple[str, ...]]:
    """Return what is to be put in place, and which databases come along with a library that is taken from an archive."""
    new = {climb.database: climb.taken.file for climb in climbs if climb.taken is not None and climb.taken.file is not None}
    library = next((climb.taken for climb in climbs if climb.database == LIBRARY), None)
    if library is None or library.rung is not Rung.SNAPSHOT or library.file is None:
        return new, ()
    along = {path.name: path for path in library.file.parent.iterdir() if path.name in NAMES and path.name != LIBRARY}
    return new | along, tuple(along)


def refused(climb: Climb, *, max_loss: float) -> tuple[Loss, ...]:
    """Return the losses that kept the best that was made from being put in place."""
    return too_much(climb.best.losses, max_loss=max_loss) if climb.best is not None else ()
