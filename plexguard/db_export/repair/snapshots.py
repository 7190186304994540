"""The kept archives, as the last rung sees them: the good ones of this server, the newest first."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from plexguard.core.errors import DataError, MissingInput
from plexguard.db_export.archive.keep import list_archives
from plexguard.db_export.archive.manifest import Manifest
from plexguard.db_export.archive.preferences import machine_identifier, read_preferences
from plexguard.db_export.archive.read import open_archive


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSnapshot:
    """A good archive."""

    path: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        return self.path.name

    def rows(self, database: str) -> Mapping[str, int]:
        facts = self.manifest.databases.get(database)
        return facts.rows if facts is not None else {}

    def unpack(self, folder: Path) -> Mapping[str, Path]:
        with open_archive(self.path) as archive:
            return {path.name: path for path in archive.extract(folder)}


def find_snapshots(folder: Path, *, machine_identifier: str) -> tuple[KeptSnapshot, ...]:
    """Return the good archives of a server. machine_identifier: "" where it is not known; then any server's."""
    try:
        kept = list_archives(folder)
    except MissingInput:
        return ()
    return tuple(
        KeptSnapshot(path=one.path, manifest=one.manifest)
        for one in reversed(kept)
        if one.manifest is not None
        and one.is_good
        and (not machine_identifier or one.manifest.machine_identifier == machine_identifier)
    )


def read_identifier(preferences: Path) -> str:
    """Return what a server calls itself, "" where its settings do not tell."""
    try:
        return machine_identifier(read_preferences(preferences.read_bytes()))
    except (OSError, DataError):
        return ""
