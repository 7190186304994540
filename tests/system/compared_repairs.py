"""Run in a machine: damage a library in every way there is, and count what a repair keeps, and what `.dump` and `.recover` do.

Prints one JSON object: by kind of damage, how many rows that were there each of the three has, and how many a repair invented.
"""

import json
import multiprocessing
import shutil
import subprocess
import tempfile
from pathlib import Path

from plexguard.db_export.database.files import PlexData, with_sides
from tests.fakes.damage import KINDS, grow
from tests.fakes.libraries import make_plex
from tests.integration.db_export.repair.damaged import Rows, climb, common, invented, plain, read_rows

_SQLITE3 = "/usr/bin/sqlite3"
_GAVE_UP = b"ROLLBACK; -- due to errors"


def make_library(folder: Path) -> PlexData:
    data = make_plex(folder / "Plex Media Server", films=60, episodes=30, tracks=36)
    grow(data.library)
    return data


def compare(kind: str, library: PlexData, true: Rows) -> dict[str, int | str]:
    with tempfile.TemporaryDirectory() as work:
        data = PlexData(folder=Path(shutil.copytree(library.folder, Path(work) / "Plex Media Server")))
        KINDS[kind](data.library)
        dumped, recovered = (common(rewrite(data.library, Path(work), how), true) for how in (".dump", ".recover"))
        done = climb(data)
        if done.is_sound:
            kept = plain(read_rows(data.library))
        else:
            kept = plain(read_rows(done.taken.file)) if done.taken is not None and done.taken.file is not None else {}
        rung = done.taken.rung.value if done.taken is not None else ""
        tried = "; ".join(f"{one.rung.value}: {one.failed}" for one in done.tried if one.failed)
        wrong = sum(invented(kept, true).values())
        return {"ours": common(kept, true), "wrong": wrong, "dump": dumped, "recover": recovered, "rung": rung, "tried": tried}


def rewrite(source: Path, work: Path, how: str) -> Rows:
    """Return the rows of a new database that is made as the manual of sqlite3 says; a dump is not thrown away for its errors."""
    copy, new = work / f"copy{how}", work / f"new{how}"
    for path, name in zip(with_sides(source), with_sides(copy), strict=True):
        if path.exists():
            shutil.copy(path, name)
    text = subprocess.run([_SQLITE3, copy, how], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60).stdout
    subprocess.run([_SQLITE3, new], input=text.replace(_GAVE_UP, b"COMMIT;"), capture_output=True, check=False, timeout=60)
    return plain(read_rows(new)) if new.exists() else {}


def compare_all() -> dict[str, dict[str, int | str]]:
    with tempfile.TemporaryDirectory() as folder:
        library = make_library(Path(folder))
        true = plain(read_rows(library.library))
        with multiprocessing.Pool(2) as pool:
            found = pool.starmap(compare, [(kind, library, true) for kind in KINDS], chunksize=1)
    return dict(zip(KINDS, found, strict=True))


if __name__ == "__main__":
    print(json.dumps(compare_all()))
