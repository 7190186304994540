"""Where Plex's databases lie, and what must be so before anything is written there. Reads file systems, opens no database."""

import os
from dataclasses import dataclass
from pathlib import Path

from plexguard.core.errors import MissingInput, SystemRefused
from plexguard.core.found import FoundPlex
from plexguard.core.mounts import mount_of, read_mounts
from plexguard.core.spans import show_bytes

LIBRARY = "com.plexapp.plugins.library.db"
# The same schema, and rows that belong to the library's by their ids: the two are only ever copied and put back together.
BLOBS = "com.plexapp.plugins.library.blobs.db"
NAMES = (LIBRARY, BLOBS)
# They belong to the database beside them: one that is left over brings its old rows into another.
SIDES = ("-wal", "-shm")
_PREFERENCES = "Preferences.xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlexData:
    """The folder "Plex Media Server" of one Plex."""

    folder: Path

    @property
    def databases(self) -> Path:
        return self.folder / "Plug-in Support" / "Databases"

    @property
    def library(self) -> Path:
        return self.databases / LIBRARY

    @property
    def blobs(self) -> Path:
        return self.databases / BLOBS

    @property
    def preferences(self) -> Path:
        return self.folder / _PREFERENCES


def find_data(given: Path | None, found: FoundPlex | None) -> PlexData:
    """Return the folder that somebody named, or that of the Plex that was found. Raises MissingInput."""
    hint = 'name the folder "Plex Media Server" with --data'
    if given is None and (found is None or not found.preferences):
        raise MissingInput("Failed to find Plex's data: no Plex of this machine is known", hint=hint)
    folder = given if given is not None else Path(found.preferences).parent if found is not None else Path()
    data = PlexData(folder=Path(os.path.abspath(folder)))
    if not data.databases.is_dir():
        raise MissingInput(f"{data.databases}: no such folder", hint=hint)
    return data


def check_file_system(folder: Path) -> None:
    """Raise SystemRefused for a database that lies on a network: SQLite's locks and its -wal do not hold there.

    Source: https://www.sqlite.org/wal.html, "all processes using a database must be on the same host computer".
    """
    mount = mount_of(os.path.realpath(folder), read_mounts())
    if mount.is_remote:
        raise SystemRefused(
            f"{folder}: lies on {mount.type}, where a database in WAL mode gets corrupted",
            hint="move Plex's data to a local disk",
        )


def need_space(folder: Path, size_bytes: int, *, what: str) -> None:
    """Raise SystemRefused unless the file system of a folder has room for so much more."""
    found = os.statvfs(folder)
    free_bytes = found.f_bavail * found.f_frsize
    if free_bytes < size_bytes:
        raise SystemRefused(
            f"{folder}: {what} needs {show_bytes(size_bytes)}, free are {show_bytes(free_bytes)}",
            hint=f"make {show_bytes(size_bytes - free_bytes)} of room there, or name another folder",
        )


def with_sides(database: Path) -> tuple[Path, ...]:
    """Return a database and the files that belong to it, whether or not they are there."""
    return (database, *(Path(f"{database}{side}") for side in SIDES))


def mount_id(path: Path) -> int:
    """Return the mount that a file itself, and no link's target, lies on: what is renamed must stay on one.

    Device numbers do not tell: an overlay gives those of its layers, and a bind mount the one of what it shows.
    Source: proc_pid_fdinfo(5).
    """
    fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        lines = Path(f"/proc/self/fdinfo/{fd}").read_text(encoding="ascii").splitlines()
    finally:
        os.close(fd)
    return next(int(line.split()[1]) for line in lines if line.startswith("mnt_id:"))
