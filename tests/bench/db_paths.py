"""Paths of a library of 456,534 tracks: rewritten, and looked for on the disk."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from plexguard.db_export.database.files import PlexData
from plexguard.db_export.database.sqlite import reading
from tests.bench.libraries import copied, large
from tests.bench.measure import PYTHON, Row, at_most, row, wall_s
from tests.fakes.libraries import MEDIA

_RUNS = 3
_COMMAND = (PYTHON, "-m", "plexguard.db_export")


def measure(folder: Path) -> Iterator[Row]:
    with copied(folder / "remapped", large(page_bytes=4096)) as data:
        yield from _measure(folder, data)


def _measure(folder: Path, data: PlexData) -> Iterator[Row]:
    media = folder / "media"
    there = _write_mappings(folder / "there.json", {MEDIA: str(media)})
    back = _write_mappings(folder / "back.json", {str(media): MEDIA})
    ours = [_remap(data, mappings) for mappings in (there, back, there)]
    count = _make_files(data)
    yield row("db.remap", ours, None, unit="s", note=f"{count:,} files moved", target=at_most(10))
    command = [*_COMMAND, "paths", "--all", "--data", str(data.folder)]
    looks = [wall_s(command) for _ in range(_RUNS)]
    yield row("db.paths", looks, None, unit="s", note=f"{count:,} files looked for", target=at_most(20))


def _remap(data: PlexData, mappings: Path) -> float:
    # 1: what it looks for afterwards is not there.
    return wall_s([*_COMMAND, "remap", "--mappings", str(mappings), "--data", str(data.folder)], codes=(0, 1))


def _write_mappings(path: Path, mappings: dict[str, str]) -> Path:
    path.write_text(json.dumps({"mappings": mappings}), encoding="utf-8")
    return path


def _make_files(data: PlexData) -> int:
    made: set[str] = set()
    count = 0
    with reading(data.library) as connection:
        for (path,) in connection.execute("SELECT DISTINCT file FROM media_parts"):
            folder = os.path.dirname(path)
            if folder not in made:
                os.makedirs(folder, exist_ok=True)
                made.add(folder)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
            count += 1
    return count
