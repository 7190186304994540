"""Read an archive: whether it is what it says it is, and what is in it, unpacked. Trusts neither its names nor its sizes.

Also what came before plexguard: a tar.gz of Plex's folder, or of its databases alone, without a manifest.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from types import MappingProxyType

from plexguard.core.errors import IoFailed, MissingInput, NoPermission
from plexguard.db_export.archive.lists import ListCheck, make_line
from plexguard.db_export.archive.manifest import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    PREFERENCES,
    TREES,
    BadArchive,
    Manifest,
    from_json,
    member_of,
)
from plexguard.db_export.archive.packed import read_framed_manifest, unpacking
from plexguard.db_export.archive.pages import PageCounter, find_difference
from plexguard.db_export.archive.progress import NoProgress, Progress
from plexguard.db_export.archive.tape import BLOCK, Entry, Tape, is_safe
from plexguard.db_export.archive.trees import TreeSum
from plexguard.db_export.database.files import NAMES, SIDES, need_space
from plexguard.db_export.database.sqlite import DiskFull

# A database packs to a third, one of nothing but empty pages to very little. What packs better than this was made to do harm.
_MOST_RATIO = 1_000
_ALWAYS_BYTES = 256 * 1024 * 1024
# A header, one for a long name, and what fills the last block of each.
_OVERHEAD_BYTES = 10 * BLOCK
_RECORD_BYTES = 64 * 1024


class Part(Enum):
    """What can be taken out of an archive."""

    DATABASES = "databases"
    PREFERENCES = "preferences"
    METADATA = "Metadata"
    MEDIA = "Media"


@contextlib.contextmanager
def open_archive(path: Path) -> Iterator["Archive"]:
    """Open an archive: its manifest is read, and nothing else. Raises BadArchive, MissingInput, NoPermission, IoFailed."""
    with _said_plainly(path):
        framed = read_framed_manifest(path)
        yield Archive(path, None if framed is None else framed)


@contextlib.contextmanager
def _said_plainly(path: Path) -> Iterator[None]:
    try:
        yield
    except BadArchive as error:
        text = str(error)
        raise BadArchive(text if text.startswith(f"{path}: ") else f"{path}: {text}", hint=error.hint) from error
    except FileNotFoundError as error:
        raise MissingInput(f"{error.filename or path}: no such file") from error
    except PermissionError as error:
        raise NoPermission(f"{error.filename or path}: {error.strerror}", hint="run it as root") from error
    except OSError as error:
        kind = DiskFull if error.errno in (28, 122) else IoFailed  # ENOSPC, EDQUOT
        raise kind(f"Failed to read {path}: {error.strerror}") from error


class Archive:
    """manifest: None for a tar.gz of the time before."""

    def __init__(self, path: Path, framed: bytes | None) -> None:
        self.path = path
        self._framed = framed
        self.manifest: Manifest | None = None if framed is None else from_json(framed)
        self._limit_bytes = _limit_bytes(self.manifest, self.size)

    @property
    def size(self) -> int:
        """Of the file, in bytes."""
        return self.path.stat().st_size

    def verify(self, *, count: bool = True, progress: Progress | None = None) -> None:
        """Read everything, and hold it against the manifest. count: the rows of its tables too. Raises BadArchive."""
        facts = self.manifest.databases if count and self.manifest is not None else {}
        counters = {member_of(name): PageCounter(found.page_size) for name, found in facts.items() if not found.damage}
        self._pass({}, None, progress or NoProgress(), counters=counters)
        for name, found in facts.items():
            if not found.damage and (difference := find_difference(counters[member_of(name)], found.roots, found.rows)):
                raise BadArchive(f"{name}: {difference}")

    def extract(
        self, folder: Path, parts: Iterable[Part] = (Part.DATABASES,), *, progress: Progress | None = None
    ) -> tuple[Path, ...]:
        """Unpack parts into a folder that is the caller's alone, and return what is now right in it: the databases, with a -wal
        where one of the time before brings it, Preferences.xml, Metadata and Media. All of the archive is verified on the way.

        Raises BadArchive, SystemRefused (no room), DiskFull, IoFailed; then nothing of it is left in the folder but folders.
        """
        wanted = frozenset(parts)
        with _said_plainly(self.path):
            if self.manifest is not None:
                need_space(folder, self._wanted_bytes(self.manifest, wanted), what=f"what is in {self.path.name}")
            files = self._targets(folder, wanted)
            trees = {part.value for part in (Part.METADATA, Part.MEDIA) if part in wanted}
            with contextlib.ExitStack() as undo:
                made = self._pass(files, _Trees(folder, frozenset(trees), undo), progress or NoProgress(), undo)
                undo.pop_all()
            return made

    def _targets(self, folder: Path, wanted: frozenset[Part]) -> dict[str, Path]:
        sides = ("",) if self.manifest is not None else ("", *SIDES[:1])
        names = [f"{name}{side}" for name in NAMES for side in sides] if Part.DATABASES in wanted else []
        targets = {member_of(name): folder / name for name in names}
        return targets | ({PREFERENCES: folder / PREFERENCES} if Part.PREFERENCES in wanted else {})

    def _wanted_bytes(self, manifest: Manifest, wanted: frozenset[Part]) -> int:
        trees = sum(tree.size for name, tree in manifest.trees.items() if Part(name) in wanted)
        return trees + sum(
            member.size for member in manifest.members if (member.name == PREFERENCES) <= (Part.PREFERENCES in wanted)
        )

    def _pass(
        self,
        files: dict[str, Path],
        trees: "_Trees | None",
        progress: Progress,
        undo: contextlib.ExitStack | None = None,
        *,
        counters: Mapping[str, PageCounter] = MappingProxyType({}),
    ) -> tuple[Path, ...]:
        """Read the archive once, write what is wanted, and compare everything with what it should be."""
        judge = _Judge(self.manifest, self._framed)
        limit = self._limit_bytes
        progress.begin("reading", limit if self.manifest is None else self.manifest.size)
        made = []
        with judge.naming_files(), unpacking(self.path, expected_bytes=limit) as stream:
            for entry, body in Tape(stream, limit_bytes=limit).entries():
                name = judge.admit(entry)
                if name is None:
                    continue
                place = files.get(name) or (trees.place(name) if trees is not None else None)
                digest, head, counter = hashlib.sha256(), b"", counters.get(name)
                with _open_new(place, undo) as target:
                    for chunk in body:
                        digest.update(chunk)
                        if counter is not None:
                            counter.feed(chunk)
                        if target >= 0:
                            _write_all(target, chunk)
                        if judge.reads(name):
                            head += chunk
                        progress.advance(len(chunk))
                judge.take(name, entry.size, digest.hexdigest(), head)
                if place is not None:
                    made.append(place)
        judge.conclude()
        return tuple(dict.fromkeys(path for path in made if path in files.values())) + (trees.made() if trees is not None else ())


def _limit_bytes(manifest: Manifest | None, archive_bytes: int) -> int:
    """Return how much may come out of an archive, whatever it says."""
    most = max(_ALWAYS_BYTES, archive_bytes * _MOST_RATIO)
    if manifest is None:
        return most
    # As many lists as files is more than there can be.
    members = len(manifest.members) + 1 + sum(tree.files * (2 if tree.list_bytes else 1) for tree in manifest.trees.values())
    declared = (
        manifest.size
        + sum(tree.list_bytes for tree in manifest.trees.values())
        + MAX_MANIFEST_BYTES
        + members * _OVERHEAD_BYTES
        + _RECORD_BYTES
    )
    if declared > most + members * _OVERHEAD_BYTES + MAX_MANIFEST_BYTES + _RECORD_BYTES:
        raise BadArchive("it says that more is in it than can be")
    return declared


class _Judge:
    """Holds the members of an archive against its manifest; those of one that has none against what such archives are."""

    def __init__(self, manifest: Manifest | None, framed: bytes | None) -> None:
        self._manifest = manifest
        self._framed = framed
        self._members = {member.name: member for member in manifest.members} if manifest is not None else {}
        trees = manifest.trees if manifest is not None else {}
        self._sums = {name: TreeSum() for name in trees}
        # Archives of the time before have none.
        self._lists = {name: ListCheck(name, facts) for name, facts in trees.items() if facts.list_bytes}
        self._seen: set[str] = set()

    def reads(self, name: str) -> bool:
        """Tell whether what is in a member is to be handed over, which is not long."""
        return name == MANIFEST or any(check.name == name for check in self._lists.values())

    def admit(self, entry: Entry) -> str | None:
        """Return the name of a member that counts, None for one that is of no interest. Raises BadArchive."""
        if self._manifest is None:
            return self._admit_old(entry)
        if not entry.is_file:
            raise BadArchive(f"{entry.name!r} is no file")
        if not is_safe(entry.name):
            raise BadArchive(f"{entry.name!r} is no name of a member")
        tree = entry.name.partition("/")[0]
        if tree in self._sums and "/" in entry.name:
            facts, total = self._manifest.trees[tree], self._sums[tree]
            if total.files >= facts.files or total.size + entry.size > facts.size:
                raise BadArchive(f"there is more in {tree} than its manifest says")
            return entry.name
        for check in self._lists.values():
            if entry.name == check.name:
                check.admit(entry.size)
                return entry.name
        self._claim(entry.name)
        member = self._members.get(entry.name)
        if member is None and entry.name != MANIFEST:
            raise BadArchive(f"{entry.name!r} is not in its manifest")
        if entry.size != (member.size if member is not None else len(self._framed or b"")):
            raise BadArchive(f"{entry.name} has {entry.size} bytes, and not as many as the manifest says")
        return entry.name

    def _claim(self, name: str) -> None:
        if name in self._seen:
            raise BadArchive(f"{name} is in it more than once")
        self._seen.add(name)

    def _admit_old(self, entry: Entry) -> str | None:
        """Know the databases and the settings wherever they lie: such archives begin at "Plex Media Server", above or below it."""
        parent, _, name = entry.name.rpartition("/")
        known = {f"{database}{side}": member_of(f"{database}{side}") for database in NAMES for side in ("", *SIDES)}
        if name == PREFERENCES and parent.rpartition("/")[2] in ("", ".", "Plex Media Server"):
            known[PREFERENCES] = PREFERENCES
        if name not in known or entry.is_folder:
            return None
        if not entry.is_file:
            raise BadArchive(f"{entry.name!r} is no file")
        self._claim(known[name])
        return known[name]

    def take(self, name: str, size: int, sha256: str, head: bytes) -> None:
        """Compare a member that was read. Raises BadArchive."""
        if self._manifest is None:
            return
        tree = name.partition("/")[0]
        if tree in self._sums and "/" in name:
            line = make_line(name, size, sha256)
            self._sums[tree].add(size, line)
            if tree in self._lists:
                self._lists[tree].add(line)
        elif (check := next((one for one in self._lists.values() if one.name == name), None)) is not None:
            check.compare(head)
        elif name == MANIFEST:
            if head != self._framed:
                raise BadArchive("its two manifests differ")
        elif sha256 != self._members[name].sha256:
            raise BadArchive(f"{name} is not what was written: its hash differs")

    def conclude(self) -> None:
        """Miss what has not come. Raises BadArchive."""
        if self._manifest is None:
            if member_of(NAMES[0]) not in self._seen:
                raise BadArchive("there is no library in it")
            return
        if missing := sorted({*self._members, MANIFEST} - self._seen):
            raise BadArchive(f"{', '.join(missing)} is not in it")
        if difference := self.difference():
            raise BadArchive(difference)
        for name, total in self._sums.items():
            facts, check = self._manifest.trees[name], self._lists.get(name)
            if total.facts(list_bytes=facts.list_bytes) != facts:
                raise BadArchive(f"{name} is not what was written: its files differ")
            if check is not None and not check.is_over:
                raise BadArchive(f"{check.name} is not in it")

    @contextlib.contextmanager
    def naming_files(self) -> Iterator[None]:
        """Say which files are the ones where something else is said: zstd knows that bits were flipped, and not in what."""
        try:
            yield
        except BadArchive as error:
            if difference := self.difference():
                raise BadArchive(f"{error}; {difference}", hint=error.hint) from error
            raise

    def difference(self) -> str:
        """Return which files of trees were not what was written, "" where none was."""
        found = ((name, check.difference) for name, check in self._lists.items())
        return "; ".join(f"{name} is not what was written: {difference}" for name, difference in found if difference)


class _Trees:
    """Where the files of trees go: below a folder that is ours alone, in which there are no links."""

    def __init__(self, folder: Path, wanted: frozenset[str], undo: contextlib.ExitStack) -> None:
        self._folder = folder
        self._wanted = wanted
        self._made: dict[str, Path] = {}
        for name in wanted:
            undo.callback(_remove_tree, folder / name)

    def place(self, name: str) -> Path | None:
        tree = name.partition("/")[0]
        if tree not in self._wanted or tree not in TREES:
            return None
        self._made[tree] = self._folder / tree
        place = self._folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def made(self) -> tuple[Path, ...]:
        return tuple(self._made.values())


def _remove_tree(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _open_new(place: Path | None, undo: contextlib.ExitStack | None) -> Iterator[int]:
    """Open a file that does not exist yet, -1 where nothing is to be written."""
    if place is None:
        yield -1
        return
    fd = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    if undo is not None:
        undo.callback(place.unlink, missing_ok=True)
    try:
        yield fd
    finally:
        os.close(fd)


def _write_all(fd: int, data: memoryview) -> None:
    while data:
        data = data[os.write(fd, data) :]
