"""The check of a library of 456,534 tracks against SQLite's own, which must do without the index in Plex's order."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tests.bench.libraries import TRACKS, large
from tests.bench.measure import PYTHON, Row, at_most_times, peak_pss_mb, row, wall_s

_RUNS = 2


def measure(folder: Path) -> Iterator[Row]:
    data = large(page_bytes=4096)
    plain = folder / "plain.db"
    shutil.copy(data.library, plain)
    with closing(sqlite3.connect(plain)) as connection:
        connection.execute("DROP INDEX index_title_sort_icu")
    ours = [PYTHON, "-m", "plexguard.db_export", "check", str(data.library)]
    theirs = ["sqlite3", str(plain), "PRAGMA integrity_check"]
    runs = [(wall_s(ours), wall_s(theirs)) for _ in range(_RUNS)]
    memory_mb = peak_pss_mb(ours)
    plain.unlink()
    note = f"{TRACKS:,} tracks, copied and checked; reference: integrity_check without the ICU index; {memory_mb:.0f} MB"
    yield row("db.check", *zip(*runs, strict=True), unit="s", note=note, target=at_most_times(1.5))
