"""Restore an archive: verify and unpack it beside the databases, check what came out, carry over, and swap all in as one."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from plexguard.core.clock import Clock
from plexguard.core.errors import DataError, IoFailed, NoPermission, PlexguardError
from plexguard.db_export.archive.manifest import PREFERENCES, TREES, Manifest
from plexguard.db_export.archive.preferences import machine_identifier, read_preferences
from plexguard.db_export.archive.progress import Progress
from plexguard.db_export.archive.read import Archive, Part, open_archive
from plexguard.db_export.check.findings import Kind, Severity
from plexguard.db_export.check.run import check_copy
from plexguard.db_export.database.files import BLOBS, LIBRARY, PlexData, with_sides
from plexguard.db_export.database.schema import schema_version, version_key
from plexguard.db_export.database.sqlite import DatabaseDamaged, reading, writing
from plexguard.db_export.restore.preferences import combine
from plexguard.db_export.restore.watch_state import Merged, merge_watch_state
from plexguard.db_export.swap.generations import Generation
from plexguard.db_export.swap.replace import WORK_PREFIX, Look, replace
from plexguard.db_export.swap.users import check_unused

# What is made anew from the rows: a database with such damage is better than none.
_MENDED = (Kind.INDEX, Kind.FULL_TEXT)
WORK = f"{WORK_PREFIX}restore"


class Mismatch(DataError):
    """The archive is sound, but not for this server unless somebody says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a person allows and asks for, as the options of the command. keep_settings: the server's own stay as they are."""

    merge_watch_state: bool = False
    newer_schema: bool = False
    other_machine: bool = False
    with_identity: bool = False
    keep_settings: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What came of it. made: when the archive was, None where it does not say. merged: None when it was not asked for. damage: what
    repair mends without a loss."""

    generation: Generation
    made: datetime | None
    parts: tuple[str, ...]
    merged: Merged | None
    damage: tuple[str, ...] = ()

    @property
    def made_text(self) -> str:
        return f"{self.made:%Y-%m-%d %H:%M} UTC" if self.made is not None else "a time that it does not say"


def check_sound(copy: Path) -> tuple[str, ...]:
    """Check a copy whole; return what is wrong with it that is mended without a loss. Raises DatabaseDamaged for anything worse."""
    found = [finding for finding in check_copy(copy).findings if finding.severity is Severity.DAMAGE]
    worse = [finding for finding in found if finding.kind not in _MENDED]
    if worse:
        reason = "; ".join(f"{finding.table or 'the file'}: {finding.detail}" for finding in worse[:3])
        raise DatabaseDamaged(
            f"{copy.name} in the archive is damaged: {reason}", hint="restore another archive: plexguard-db-export list"
        )
    return tuple(f"{copy.name}: {finding.table}: {finding.detail}" for finding in found)


def restore(
    data: PlexData,
    path: Path,
    wanted: Wanted,
    *,
    keep: int,
    clock: Clock,
    progress: Progress | None = None,
    check: Callable[[Path], tuple[str, ...]] = check_sound,
    look: Look = check_unused,
) -> Restored:
    """Put the databases of an archive in place of Plex's, with all else that is in it.

    check: raises an error for a database that is damaged, as check_sound() does. Call it within hold(), when Plex is
    proven to be stopped. Raises BadArchive, Mismatch, SystemRefused (no room), DiskFull, and what replace() raises: then all is as
    it was.
    """
    with open_archive(path) as archive, _work_folder(data) as work:
        if archive.manifest is not None:
            _refuse_damaged(path, archive.manifest)
            _refuse_identity(path, has_identity=archive.manifest.with_identity, wanted=wanted)
            _refuse_other_machine(path, archive.manifest.machine_identifier, data, wanted)
            _refuse_newer(path, archive.manifest.databases[LIBRARY].schema_version, data, wanted)
        archive.extract(work, _parts(archive), progress=progress)
        # Blobs belong to their library: without those of the archive there are none, and Plex makes them anew.
        new = {name: path if (path := work / name).exists() else None for name in (LIBRARY, BLOBS)}
        databases = [path for path in new.values() if path is not None]
        damage: list[str] = []
        for database in databases:
            settle(database)
            damage += check(database)
        if archive.manifest is None:
            _judge_old(path, work, data, wanted)
        merged = merge_watch_state(data.library, work / LIBRARY) if wanted.merge_watch_state and data.library.exists() else None
        others = _prepare_others(work, data, wanted)
        generation = replace(data, new, reason="restore", keep=keep, clock=clock, others=others, look=look)
    made = archive.manifest.made if archive.manifest is not None else None
    return Restored(
        generation=generation, made=made, parts=(*(path.name for path in databases), *others), merged=merged, damage=tuple(damage)
    )


@contextlib.contextmanager
def _work_folder(data: PlexData) -> Iterator[Path]:
    """Make a folder on the file system that is written to. hold() has removed what a run that was killed left of it."""
    work = data.databases / WORK
    try:
        work.mkdir(mode=0o700)
    except PermissionError as error:
        raise NoPermission(f"Failed to make {work}: {error.strerror}", hint="run it as root") from error
    except OSError as error:
        raise IoFailed(f"Failed to make {work}: {error.strerror}") from error
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _parts(archive: Archive) -> tuple[Part, ...]:
    trees = archive.manifest.trees if archive.manifest is not None else ()
    return (Part.DATABASES, Part.PREFERENCES, *(Part(name) for name in TREES if name in trees))


def _refuse_damaged(path: Path, manifest: Manifest) -> None:
    if not manifest.is_good:
        raise DataError(
            f"{path}: its database was damaged when it was made: {'; '.join(manifest.damage)}",
            hint="plexguard-db-export list, and restore a good one",
        )


def _refuse_identity(path: Path, *, has_identity: bool, wanted: Wanted) -> None:
    if wanted.with_identity and not has_identity:
        raise Mismatch(f"{path}: has no identity in it", hint="export it --with-identity where that server is")


def _refuse_other_machine(path: Path, identifier: str, data: PlexData, wanted: Wanted) -> None:
    present = _read(data.preferences)
    ours = machine_identifier(read_preferences(present)) if present is not None else ""
    if not wanted.other_machine and identifier and ours and identifier != ours:
        raise Mismatch(
            f"{path}: is of another server, {identifier}, and not of {ours}", hint="add --other-machine if that is meant"
        )


def _refuse_newer(path: Path, version: str, data: PlexData, wanted: Wanted) -> None:
    ours = read_version(data.library)
    if not wanted.newer_schema and ours and version_key(version) > version_key(ours):
        raise Mismatch(
            f"{path}: has schema {version}, newer than {ours} that is here: an older Plex can't open it",
            hint="install that Plex first, or add --newer-schema",
        )


def read_version(library: Path) -> str:
    """Return the schema version of a library, "" where there is none or where it can't be read: a restore is what helps then."""
    try:
        with reading(library) as connection:
            return schema_version(connection)
    except PlexguardError:
        return ""


def _judge_old(path: Path, work: Path, data: PlexData, wanted: Wanted) -> None:
    """Look at what came out of an archive that says nothing of itself."""
    archived = _read(work / PREFERENCES)
    theirs = read_preferences(archived) if archived is not None else {}
    _refuse_identity(path, has_identity="MachineIdentifier" in theirs, wanted=wanted)
    _refuse_other_machine(path, machine_identifier(theirs), data, wanted)
    _refuse_newer(path, read_version(work / LIBRARY), data, wanted)


def settle(database: Path) -> None:
    """Have a database be one file: the -wal that an old archive brings goes into it, and none is made by those who look at it."""
    with writing(database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
    for side in with_sides(database)[1:]:
        side.unlink(missing_ok=True)


def _prepare_others(work: Path, data: PlexData, wanted: Wanted) -> dict[str, Path]:
    """Return the further files and folders that are to be put in place, ready."""
    names = TREES if wanted.keep_settings else (PREFERENCES, *TREES)
    others = {name: work / name for name in names if (work / name).exists()}
    if PREFERENCES in others:
        path = others[PREFERENCES]
        path.write_bytes(combine(path.read_bytes(), _read(data.preferences), with_identity=wanted.with_identity))
    trees = [others[name] for name in TREES if name in others]
    for tree in trees:
        give_tree(tree, data.folder)
    if trees:
        # Hundreds of thousands of files: one call, and not one for each.
        os.sync()
    return others


def give_tree(tree: Path, like: Path) -> None:
    """Give all of a folder to the owner of another, with the modes that Plex gives. Raises IoFailed."""
    owner = like.stat()
    try:
        for _, _, files, fd in os.fwalk(tree):
            os.fchmod(fd, 0o755)
            os.fchown(fd, owner.st_uid, owner.st_gid)
            for name in files:
                os.chown(name, owner.st_uid, owner.st_gid, dir_fd=fd, follow_symlinks=False)
                os.chmod(name, 0o644, dir_fd=fd)
    except OSError as error:
        raise IoFailed(f"Failed to give {tree} its owner: {error.strerror}") from error


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise IoFailed(f"Failed to read {path}: {error.strerror}") from error
