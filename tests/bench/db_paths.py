"""Paths of a library of 456,534 tracks: rewritten, and looked for on the disk."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from plexguard.db_export.database.files import PlexData
from plexguard.db_export.database.sqlite import reading
from tests.bench.libraries import make_large
from tests.bench.measure import PYTHON, Row, row, wall_s
from tests.fakes.libraries import MEDIA

_RUNS = 3
_COMMAND = (PYTHON, "-m", "plexguard.db_export")
_REMAP_MOST_S, _PATHS_MOST_S = 10.0, 20.0


def measure(folder: Path) -> Iterator[Row]:
    """folder: of the other measurements of databases; what they made is left as it is."""
    large = make_large(folder, page_bytes=4096)
    data, media = PlexData(folder=folder / "remapped" / large.folder.name), folder / "media"
    shutil.copytree(large.folder, data.folder)
    there = _write_mappings(folder / "there.json", {MEDIA: str(media)})
    back = _write_mappings(folder / "back.json", {str(media): MEDIA})
    ours = []
    for _ in range(_RUNS):
        ours.append(_remap(data, there))
        ours.append(_remap(data, back))
    ours.append(_remap(data, there))
    count = _make_files(data)
    yield row("db.remap", ours, [_REMAP_MOST_S] * len(ours), unit="s", note=f"{count} files moved, and 10 s at most")
    command = [*_COMMAND, "paths", "--all", "--data", str(data.folder)]
    looks = [wall_s(command) for _ in range(_RUNS)]
    yield row("db.paths", looks, [_PATHS_MOST_S] * _RUNS, unit="s", note=f"{count} files looked for, and 20 s at most")
    shutil.rmtree(media)
    shutil.rmtree(folder / "remapped")


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
