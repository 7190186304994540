"""Where Plex's logs and its database are for this process, and what a path in them is called on this machine."""

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from plexguard.core.found import FoundContainer, FoundPlex, Mount, Server, host_path
from plexguard.core.mounts import MountPoint, mount_of
from plexguard.log_watch.units import BOUND_DATABASES, BOUND_LOGS, DATABASES, LOGS

_LIBRARY = "com.plexapp.plugins.library.db"
_NO_PLEX = FoundPlex(server=Server.NONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """folder: Plex's own folder of logs, "" when there is none to follow. logs, database: where they are for this process.
    mounts: of Plex's container, None when it has none, () when they are not known. found: the server, by which links are known.
    why: the reason when there is no folder, or when it is not touched, and database_fault the same for the database. is_expected:
    whether there should be a folder, so that its absence is worth an event."""

    folder: str = ""
    logs: Path = Path(BOUND_LOGS)
    database: Path = Path(BOUND_DATABASES, _LIBRARY)
    mounts: tuple[Mount, ...] | None = None
    found: FoundPlex = _NO_PLEX
    why: str = ""
    database_fault: str = ""
    is_expected: bool = True

    def host_path(self, path: str) -> str | None:
        """Return what a path of Plex's is called on this machine, None when no mount of its container leads there."""
        return path if self.mounts is None else host_path(path, self.mounts)


def find_sources(found: FoundPlex | None, container: FoundContainer | None, mounts: Iterable[MountPoint]) -> Sources:
    """Return what there is to follow. mounts: of this process, in which the unit's binds are mounts too."""
    if found is None or found.server in (Server.NONE, Server.REMOTE):
        return Sources(why="there is no Plex on this machine to follow", is_expected=False)
    if not found.preferences:
        return Sources(why="Plex's Preferences.xml was not found, and its logs lie beside it")
    support = posixpath.dirname(found.preferences)
    table = tuple(mounts)
    logs, databases = _choose(f"{support}/{LOGS}", BOUND_LOGS, table), _choose(f"{support}/{DATABASES}", BOUND_DATABASES, table)
    in_container = found.server is Server.CONTAINER
    return Sources(
        found=found,
        folder=f"{support}/{LOGS}",
        logs=Path(logs),
        database=Path(databases, _LIBRARY),
        mounts=(container.mounts if container is not None else ()) if in_container else None,
        why=_judge_place(logs, table),
        database_fault=_judge_place(databases, table),
    )


def _judge_place(path: str, mounts: tuple[MountPoint, ...]) -> str:
    """Return why a folder is not touched: it could hang, and this process with it."""
    mount = mount_of(path, mounts)
    return f"it lies on a network or FUSE mount ({mount.type})" if mount.is_remote else ""


def _choose(path: str, bound: str, mounts: tuple[MountPoint, ...]) -> str:
    """Return where a folder is seen: at the place that the unit binds it to, where it has done so."""
    return bound if any(mount.path == bound for mount in mounts) else path
