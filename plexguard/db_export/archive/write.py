"""Make an archive of Plex's data while Plex runs: copied, packed, read back, and only then given its name.

Everything is made in a folder of its own beside its place, so that an archive that has its name is whole, and what a run that was
killed has left is known and removed by the next.
"""

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from plexguard import __version__
from plexguard.core.clock import Clock
from plexguard.core.errors import DataError, IoFailed, NoPermission
from plexguard.core.state import exclusive_lock, sync_file, sync_folder
from plexguard.db_export.archive import tape, trees
from plexguard.db_export.archive.facts import Survey
from plexguard.db_export.archive.lists import Lists, make_line
from plexguard.db_export.archive.manifest import MANIFEST, PREFERENCES, Manifest, Member, TreeFacts, member_of
from plexguard.db_export.archive.packed import frame_manifest, packing
from plexguard.db_export.archive.preferences import machine_identifier, read_preferences, without_identity
from plexguard.db_export.archive.progress import NoProgress, Progress
from plexguard.db_export.archive.read import open_archive
from plexguard.db_export.database.copy import snapshot
from plexguard.db_export.database.files import NAMES, PlexData, need_space, with_sides
from plexguard.db_export.database.sqlite import DiskFull

WORK = ".plexguard-export-"
_LOCK = ".plexguard-export.lock"
# What is packed is smaller: 0.2 to 0.45 of a library, some more of blobs, which are packed already for the most part.
_PACKED_SHARE = 0.7
_SPARE_BYTES = 16 * 1024 * 1024
_MAX_PREFERENCES_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an archive takes beside the databases. plex: the version of the server, "" when it does not answer."""

    with_identity: bool = False
    trees: tuple[str, ...] = ()
    plex: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """size: of the archive, in bytes."""

    path: Path
    manifest: Manifest
    size: int
    seconds: float


def export(data: PlexData, target: Path, wanted: Wanted, *, clock: Clock, progress: Progress | None = None) -> Exported:
    """Make an archive in the folder `target` and return it, verified. A database that is damaged is kept as it is, and the
    manifest says so. Raises SystemRefused (no room), DiskFull, IoFailed, TryAgain (another export is at work there), DatabaseBusy,
    NotADatabase."""
    began_s = clock.monotonic_s()
    progress = progress or NoProgress()
    _make_target(target)
    with exclusive_lock(target / _LOCK), _said_plainly(target):
        clean_up(target)
        sizes = {name: trees.measure(data.folder / name)[1] for name in wanted.trees}
        _need_room(data, target, sum(sizes.values()))
        now = clock.now()
        with _work_folder(target, now) as work:
            copies = _copy(data, work, progress)
            packed, manifest = _pack(data, work, copies, wanted, now=now, tree_bytes=sum(sizes.values()), progress=progress)
            # From here on the copies only take room.
            for copy in copies:
                copy.unlink()
            _make_lasting(packed)
            _read_back(packed, manifest, progress)
            path = _give_name(packed, target, now)
    return Exported(path=path, manifest=manifest, size=path.stat().st_size, seconds=clock.monotonic_s() - began_s)


def _make_target(target: Path) -> None:
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
    except PermissionError as error:
        raise NoPermission(f"Failed to make {target}: {error.strerror}", hint="run it as root") from error
    except OSError as error:
        raise IoFailed(f"Failed to make {target}: {error.strerror}") from error


@contextlib.contextmanager
def _said_plainly(target: Path) -> Iterator[None]:
    """Say what the file system refuses in the suite's words."""
    try:
        yield
    except PermissionError as error:
        raise NoPermission(f"{error.filename or target}: {error.strerror}", hint="run it as root") from error
    except OSError as error:
        kind = DiskFull if error.errno in (28, 122) else IoFailed  # ENOSPC, EDQUOT
        raise kind(f"Failed to write an archive in {target}: {error.strerror}") from error


def clean_up(target: Path) -> None:
    """Remove what runs that were killed have left. The caller holds the lock."""
    for left in target.glob(f"{WORK}*"):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)


def _need_room(data: PlexData, target: Path, tree_bytes: int) -> None:
    files = [path for name in NAMES for path in with_sides(data.databases / name)]
    copied = sum(path.stat().st_size for path in files if path.exists())
    need_space(
        target, int(copied * (1 + _PACKED_SHARE)) + tree_bytes + _SPARE_BYTES, what="the archive, with the copies it is made of,"
    )


@contextlib.contextmanager
def _work_folder(target: Path, now: datetime) -> Iterator[Path]:
    work = target / f"{WORK}{now:%Y%m%dT%H%M%SZ}-{os.getpid()}"
    work.mkdir(mode=0o700)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _copy(data: PlexData, work: Path, progress: Progress) -> tuple[Path, ...]:
    """Copy the databases, the library first: blobs that belong to no item do no harm."""
    present = [data.databases / name for name in NAMES if name == NAMES[0] or (data.databases / name).exists()]
    progress.begin("copying", sum(source.stat().st_size for source in present if source.exists()))
    copies = []
    for source in present:
        copy = work / source.name
        snapshot(source, copy)
        copies.append(copy)
        progress.advance(copy.stat().st_size)
    return tuple(copies)


def _pack(
    data: PlexData,
    work: Path,
    copies: tuple[Path, ...],
    wanted: Wanted,
    *,
    now: datetime,
    tree_bytes: int,
    progress: Progress,
) -> tuple[Path, Manifest]:
    """Write the archive. The copies are hashed and their rows counted meanwhile, and so the manifest is its last member."""
    packed = work / "archive"
    total = sum(copy.stat().st_size for copy in copies) + tree_bytes
    progress.begin("packing", total)
    with Survey(copies) as survey, open(packed, "xb", buffering=0) as target:
        os.fchmod(target.fileno(), _find_mode(work.parent, wanted))
        with packing(target.fileno(), expected_bytes=total) as pipe:
            for copy in copies:
                _send_file(pipe, copy, progress)
            preferences, machine = _send_preferences(pipe, data, wanted)
            sums = {name: _send_tree(pipe, data.folder / name, progress) for name in wanted.trees}
            manifest = Manifest(
                made=now,
                plexguard=__version__,
                plex=wanted.plex,
                machine_identifier=machine,
                members=(*survey.members(), *preferences),
                databases=survey.databases(),
                trees=sums,
                with_identity=wanted.with_identity,
            )
            text = manifest.to_json().encode("ascii")
            _send_bytes(pipe, MANIFEST, text)
            _write_all(pipe, tape.END)
        target.seek(0, os.SEEK_END)
        _write_all(target.fileno(), frame_manifest(text))
    return packed, manifest


def _send_file(pipe: int, copy: Path, progress: Progress) -> None:
    with open(copy, "rb", buffering=0) as source:
        size = os.fstat(source.fileno()).st_size
        _write_all(pipe, tape.make_header(member_of(copy.name), size, mtime=os.fstat(source.fileno()).st_mtime))
        offset = 0
        while offset < size:
            sent = os.sendfile(pipe, source.fileno(), offset, min(size - offset, 16 * tape.CHUNK))
            if not sent:
                raise IoFailed(f"{copy.name}: became shorter while it was packed")
            offset += sent
            progress.advance(sent)
    _write_all(pipe, tape.padding(size))


def _send_preferences(pipe: int, data: PlexData, wanted: Wanted) -> tuple[tuple[Member, ...], str]:
    """Write Plex's settings; return them as a member, and who the server is. A server without any has none in its archive."""
    try:
        with open(data.preferences, "rb") as file:
            text = file.read(_MAX_PREFERENCES_BYTES)
        found = read_preferences(text)
    except FileNotFoundError:
        return (), ""
    kept = text if wanted.with_identity else without_identity(text)
    return (_send_bytes(pipe, PREFERENCES, kept),), machine_identifier(found)


def _send_bytes(pipe: int, name: str, text: bytes) -> Member:
    import hashlib

    _write_all(pipe, tape.make_header(name, len(text)) + text + tape.padding(len(text)))
    return Member(name=name, size=len(text), sha256=hashlib.sha256(text).hexdigest())


def _send_tree(pipe: int, folder: Path, progress: Progress) -> TreeFacts:
    """Write the files of a folder, each as long as it is when it is opened: Plex may be at work in it; and after some of them the
    list of their hashes."""
    total, lists = trees.TreeSum(), Lists(folder.name)
    for found in trees.walk(folder):
        with contextlib.suppress(FileNotFoundError):
            size, sha256 = _send_tree_file(pipe, found)
            line = make_line(found.name, size, sha256)
            total.add(size, line)
            lists.add(line)
            progress.advance(1)
        if lists.is_full:
            _send_list(pipe, lists)
    if not lists.is_empty:
        _send_list(pipe, lists)
    return total.facts(list_bytes=lists.size)


def _send_list(pipe: int, lists: Lists) -> None:
    name = lists.name
    _send_bytes(pipe, name, b"".join(lists.end()))


def _send_tree_file(pipe: int, found: trees.Found) -> tuple[int, str]:
    """Write a file, and return its size and its hash."""
    import hashlib

    fd = os.open(found.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb", buffering=0) as source:
        seen, digest = os.fstat(fd), hashlib.sha256()
        left = seen.st_size
        _write_all(pipe, tape.make_header(found.name, left, mtime=seen.st_mtime, mode=seen.st_mode & 0o777))
        while left:
            # What became shorter meanwhile is filled: the header has been written.
            chunk = source.read(min(left, tape.CHUNK)) or bytes(min(left, tape.CHUNK))
            digest.update(chunk)
            _write_all(pipe, chunk)
            left -= len(chunk)
        _write_all(pipe, tape.padding(seen.st_size))
    return seen.st_size, digest.hexdigest()


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _make_lasting(packed: Path) -> None:
    """Have the archive on the disk, and not in memory: what is read back then is what the disk has."""
    sync_file(packed)
    fd = os.open(packed, os.O_RDONLY)
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)


def _read_back(packed: Path, manifest: Manifest, progress: Progress) -> None:
    with open_archive(packed) as archive:
        if archive.manifest != manifest:
            raise DataError(f"{packed}: what was read back is another manifest than was written")
        archive.verify(count=False, progress=progress)


def _find_mode(target: Path, wanted: Wanted) -> int:
    """Return the mode of an archive: its owner's alone, and where its folder hands on its group (setgid) for that to read; but for
    one that has Plex's token."""
    is_shared = target.stat().st_mode & stat.S_ISGID and not wanted.with_identity
    return 0o640 if is_shared else 0o600


def _give_name(packed: Path, target: Path, now: datetime) -> Path:
    path = target / f"plex-{now:%Y%m%dT%H%M%SZ}.tar.zst"
    number = 2
    while path.exists():
        path, number = target / f"plex-{now:%Y%m%dT%H%M%SZ}-{number}.tar.zst", number + 1
    packed.rename(path)
    sync_folder(target)
    return path
