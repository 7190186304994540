"""What is looked at before trash is emptied: Plex, what it misses, the mounts that this lies on, and whether it is gone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from plexguard.core.clock import Moment
from plexguard.core.events import show_path
from plexguard.core.found import FoundContainer, FoundPlex
from plexguard.core.mounts import mount_of
from plexguard.core.plex import Activity, Count, Item, Library, PlexControl, PlexError
from plexguard.core.published import HoldSeen, Reading
from plexguard.rclone_watchdog.asking.kernel import RCLONE_TYPE
from plexguard.rclone_watchdog.config import Config
from plexguard.rclone_watchdog.trash.limits import Reason, Why, find_limit
from plexguard.rclone_watchdog.trash.places import Ground, find_host_path, find_reasons
from plexguard.rclone_watchdog.trash.survey import Judge

# A question to a Plex that may be busy and has nobody waiting for us.
TIMEOUT_S = 30.0
# So many of what is missing are listed where there are more.
MOST_LISTED = 1_000
SETTING = "autoEmptyTrash"
_COUNTED = frozenset({"movie", "show", "artist", "photo"})
# What Plex does with items that it has, and which ends none of them.
_HARMLESS = ("media.generate.", "provider.")
Survey = Callable[..., tuple[Reason, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LibrarySeen:
    """A library. count: None where Plex does not tell. limit: the most that may be missing. missing: what is, the first of it where
    it is too much anyway. reasons: what speaks against emptying its trash. mounts: by folder, the mount point that it lies on."""

    library: Library
    count: Count | None = None
    limit: int = 0
    missing: tuple[Item, ...] = ()
    reasons: tuple[Reason, ...] = ()
    mounts: dict[str, str] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """Whether nothing of it is missing, for certain."""
        return self.count is not None and self.count.missing == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """fault: why Plex tells nothing, "" when it does. held: why its settings are not to be touched now, "" when they may be.
    setting: of Plex, whether it empties its trash itself. proven: when bytes of each mount were read last, by its path. lasts: the
    mount point that each folder was on, for the next time."""

    now: Moment
    fault: str = ""
    held: str = ""
    setting: str = ""
    libraries: tuple[LibrarySeen, ...] = ()
    proven: dict[str, Moment] = field(default_factory=dict)
    lasts: dict[str, str] = field(default_factory=dict)

    def find(self, key: str) -> LibrarySeen | None:
        return next((one for one in self.libraries if one.library.key == key), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What an observation is made of. hold: what is switched off in Plex. survey: asks the file systems."""

    plex: PlexControl
    found: FoundPlex
    container: FoundContainer | None
    hold: Reading[HoldSeen]
    ground: Ground
    now: Moment
    survey: Survey


def observe(world: World, config: Config, *, only: str = "") -> Observation:
    """Look at everything, or at one library only, by its key."""
    proven = {guard.path: guard.proven for guard in world.ground.guards if guard.proven is not None and not guard.fault}
    held = find_hold(world.hold)
    try:
        settings = world.plex.preferences(timeout_s=TIMEOUT_S)
        libraries = world.plex.libraries(timeout_s=TIMEOUT_S)
        activities = world.plex.activities(timeout_s=TIMEOUT_S)
    except PlexError as error:
        return Observation(now=world.now, fault=str(error), held=held, proven=proven)
    seen = tuple(_look_at(library, activities, world, config) for library in libraries if only in ("", library.key))
    return Observation(
        now=world.now,
        fault="" if SETTING in settings else f"Plex does not tell its setting {SETTING}",
        held=held,
        setting=settings.get(SETTING, ""),
        libraries=seen,
        proven=proven,
        lasts=_find_lasts(seen, world.ground),
    )


def _find_lasts(seen: tuple[LibrarySeen, ...], ground: Ground) -> dict[str, str]:
    """Return the mount point that each folder was on. One that is away is not forgotten: what is seen there is not it."""
    present = {mount.path for mount in ground.table}
    return {
        folder: last if (last := ground.lasts.get(folder, "")) and last not in present else mount
        for one in seen
        for folder, mount in one.mounts.items()
    }


def find_hold(hold: Reading[HoldSeen]) -> str:
    """Return why Plex's settings are another's just now, "" when they are not."""
    if hold.record is None:
        return f"whether Plex is held cannot be told: {hold.why}" if hold.why else ""
    if hold.record.holders:
        return "Plex is held for mount " + ", ".join(sorted(hold.record.holders))
    return "settings of Plex are still to be put back" if hold.record.before else ""


def _look_at(library: Library, activities: tuple[Activity, ...], world: World, config: Config) -> LibrarySeen:
    if library.type not in _COUNTED:
        why = f"what has files in a library of type {library.type} is not known"
        return LibrarySeen(library=library, reasons=(Reason(why=Why.PLEX, text=why),))
    try:
        count = world.plex.count_items(library, timeout_s=TIMEOUT_S)
        limit = find_limit(count.items, config)
        most = max(limit, MOST_LISTED)
        missing = world.plex.list_missing(library, limit=most, timeout_s=TIMEOUT_S) if count.missing else ()
    except PlexError as error:
        return LibrarySeen(library=library, reasons=(Reason(why=Why.PLEX, text=str(error)),))
    if not count.missing:
        return LibrarySeen(library=library, count=count, limit=limit, mounts=_find_mounts(library, world))
    reasons = tuple(
        dict.fromkeys(
            (
                *_find_numbers(count, limit, missing, most),
                *_find_work(library, activities),
                *_find_doubts(library, missing, world, is_few=count.missing <= limit),
            )
        )
    )
    return LibrarySeen(
        library=library, count=count, limit=limit, missing=missing, reasons=reasons, mounts=_find_mounts(library, world)
    )


def _find_numbers(count: Count, limit: int, missing: tuple[Item, ...], most: int) -> Iterator[Reason]:
    if count.missing > limit:
        yield Reason(why=Why.MANY, text=f"{count.missing} of {count.items} are missing, more than {limit}")
    if len(missing) != min(count.missing, most):
        yield Reason(why=Why.PLEX, text=f"Plex says that {count.missing} are missing, and lists {len(missing)}")


def _find_work(library: Library, activities: tuple[Activity, ...]) -> Iterator[Reason]:
    if library.scanning:
        yield Reason(why=Why.BUSY, text="Plex scans it")
    for activity in activities:
        # One without a library may become one of this library's: a scan begins without it. The kinds are not all known.
        if activity.library in ("", library.key) and not activity.type.startswith(_HARMLESS):
            yield Reason(why=Why.BUSY, text=f"Plex is at work: {show_path(activity.title or activity.type)}")


def _find_doubts(library: Library, missing: tuple[Item, ...], world: World, *, is_few: bool) -> Iterator[Reason]:
    """Yield why what is missing may not be gone. is_few: each file is looked at, and not the folders alone."""
    if not library.folders:
        yield Reason(why=Why.FOLDER, text="it has no folder")
        return
    folders, doubts = _map_paths(library.folders, world)
    doubts += [reason for folder in folders for reason in find_reasons(folder, world.ground)]
    files = [file for item in missing for file in item.files] if is_few else []
    outside, unmapped = _map_paths(tuple(files), world)
    doubts += unmapped
    doubts += [
        Reason(why=Why.BACK, text=f"{show_path(item.title)} has no file that could be looked for")
        for item in missing
        if is_few and not item.files
    ]
    yield from doubts
    # Nothing is touched that lies on what is in doubt already.
    if not doubts:
        whole: Judge = partial(find_reasons, ground=world.ground)
        alone: Judge = partial(find_reasons, ground=world.ground, is_whole=False)

        def is_remembered(path: str) -> bool:
            return mount_of(path, world.ground.table).type == RCLONE_TYPE

        yield from world.survey(tuple(folders), tuple(outside), judge=alone, judge_whole=whole, is_remembered=is_remembered)


def _map_paths(paths: tuple[str, ...], world: World) -> tuple[list[str], list[Reason]]:
    """Return paths as this machine has them, and why there are none."""
    found, doubts = [], []
    for path in paths:
        outside, why = find_host_path(path, world.found, world.container)
        if why:
            doubts.append(Reason(why=Why.FOLDER, text=f"{show_path(path)}: {why}"))
        else:
            found.append(outside)
    return found, doubts


def _find_mounts(library: Library, world: World) -> dict[str, str]:
    folders, _ = _map_paths(library.folders, world)
    return {folder: mount_of(folder, world.ground.table).path for folder in folders}
