"""What an archive says of itself: where it comes from, what is in it, and the hashes and rows that prove it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from plexguard.core.errors import DataError
from plexguard.core.records import decode, encode
from plexguard.db_export.database.files import BLOBS, LIBRARY

# 2: with the hashes of the files of trees. 1 is read as well.
FORMAT = 2
MANIFEST = "plexguard-manifest.json"
PREFERENCES = "Preferences.xml"
# Where they lie in Plex's folder and in an archive: one that is unpacked by hand there has everything in its place.
DATABASES = "Plug-in Support/Databases"
TREES = ("Metadata", "Media")
MAX_MANIFEST_BYTES = 4 * 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


class BadArchive(DataError):
    """An archive is cut short, changed, or none at all."""


class CutShort(BadArchive):
    """The stream of its members ends before they do."""


def member_of(database: str) -> str:
    """Return the name that a database has in an archive."""
    return f"{DATABASES}/{database}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file in an archive. size: in bytes."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """rows: of each table, counted in the table itself. roots: the page at which each begins. sections: how many items each library
    has, by its number. damage: what SQLite could not read meanwhile, "" if nothing."""

    schema_version: str
    page_size: int
    rows: Mapping[str, int]
    roots: Mapping[str, int] = field(default_factory=dict)
    sections: Mapping[str, int] = field(default_factory=dict)
    damage: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeFacts:
    """A folder with all its files. size: of these together, in bytes. sha256: over the lines "SHA256 size name" of them, in
    the order of the archive, each name as it is in it. list_bytes: of these lines, 0 in an archive that has none."""

    files: int
    size: int
    sha256: str
    list_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """plexguard, plex: versions; Plex's is "" when it did not answer. machine_identifier: what Plex calls itself over HTTP."""

    made: datetime
    plexguard: str
    plex: str
    machine_identifier: str
    members: tuple[Member, ...]
    databases: Mapping[str, DatabaseFacts]
    trees: Mapping[str, TreeFacts] = field(default_factory=dict)
    with_identity: bool = False
    format: int = FORMAT

    @property
    def is_good(self) -> bool:
        return not self.damage

    @property
    def damage(self) -> tuple[str, ...]:
        """What is wrong with its databases, one line each."""
        return tuple(f"{name}: {facts.damage}" for name, facts in self.databases.items() if facts.damage)

    @property
    def size(self) -> int:
        """How large everything in it is once unpacked, in bytes."""
        return sum(member.size for member in self.members) + sum(tree.size for tree in self.trees.values())

    def to_json(self) -> str:
        return json.dumps(encode(self), ensure_ascii=True, separators=(",", ":"))


def from_json(text: str | bytes) -> Manifest:
    """Return the manifest of that text. Raises BadArchive where it is none, or one that cannot be true."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadArchive(f"the manifest is no JSON: {error}") from error
    found = data.get("format") if isinstance(data, dict) else None
    if isinstance(found, int) and found > FORMAT:
        raise BadArchive(f"the manifest has format {found}, which a newer plexguard has written; known is {FORMAT}")
    try:
        manifest = decode(Manifest, data)
    except DataError as error:
        raise BadArchive(f"the manifest makes no sense: {error}") from error
    if (fault := _find_fault(manifest)) is not None:
        raise BadArchive(f"the manifest makes no sense: {fault}")
    return manifest


def _find_fault(manifest: Manifest) -> str | None:
    """Return what cannot be true."""
    names = [member.name for member in manifest.members]
    known = {PREFERENCES, member_of(LIBRARY), member_of(BLOBS)}
    if len(set(names)) < len(names) or not set(names) <= known:
        return "its members are not those of an archive"
    if {member_of(name) for name in manifest.databases} != {name for name in names if name != PREFERENCES}:
        return "its databases are not those of its members"
    if member_of(LIBRARY) not in names:
        return "there is no library in it"
    if not set(manifest.trees) <= set(TREES):
        return "its folders are not those of an archive"
    numbers = [m.size for m in manifest.members]
    numbers += [n for tree in manifest.trees.values() for n in (tree.size, tree.files, tree.list_bytes)]
    numbers += [rows for facts in manifest.databases.values() for rows in (*facts.rows.values(), *facts.sections.values())]
    if min(numbers) < 0 or manifest.format < 1:
        return "a number is negative"
    hashes = [m.sha256 for m in manifest.members] + [tree.sha256 for tree in manifest.trees.values()]
    return None if all(map(_SHA256.fullmatch, hashes)) else "a hash is none"
