"""What looking at a library costs while Plex works on it, and how fast its files are brought into a mount's cache."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from plexguard.cloud_run.section import warm as warming
from plexguard.cloud_run.section.warm import warm
from plexguard.core.clock import SystemClock
from tests.bench.libraries import TRACKS, copied, large
from tests.bench.measure import PYTHON, Row, at_least_times, at_most, row, wall_s

_TIMES = 7
_FILES, _LATENCY_S = 2_000, 0.02
_ONE_BY_ONE = 200


def measure(folder: Path) -> Iterator[Row]:
    with copied(folder / "watched", large(page_bytes=4096)) as data:
        yield from _measure_poll(data.library)
    yield _measure_warm(folder)


def _measure_poll(library: Path) -> Iterator[Row]:
    """A poll while somebody writes to the database all the time, as Plex does; and what a writer waits for meanwhile."""
    ours, bare, waits = [], [], []
    argv = [PYTHON, "-m", "plexguard.db_export", "count", "--format=json", str(library)]
    with _Writing(library) as waited:
        for _ in range(_TIMES):
            waited.clear()
            ours.append(wall_s(argv))
            waits.append(max(waited, default=0.0))
            bare.append(wall_s([PYTHON, "-c", "import plexguard.db_export.__main__"]))
    note = f"one look at {TRACKS:,} tracks, while somebody writes, the whole command; reference: its start alone"
    yield row("cloud.poll", ours, bare, unit="s", note=note, target=at_most(0.3))
    yield row("cloud.poll-wait", waits, None, unit="s", note="the longest that a writer waited for its commit meanwhile")


class _Writing:
    """Has a thread write a row a time, and gives how long each took."""

    def __init__(self, library: Path) -> None:
        self._library = library
        self._stopping = threading.Event()
        self._waits: list[float] = []
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> list[float]:
        self._thread.start()
        return self._waits

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(30)

    def _work(self) -> None:
        with closing(sqlite3.connect(self._library, timeout=30, isolation_level=None)) as connection:
            while not self._stopping.wait(0.005):
                began_s = time.perf_counter()
                connection.execute("UPDATE metadata_items SET extra_data = extra_data WHERE id = 1")
                self._waits.append(time.perf_counter() - began_s)


def _measure_warm(folder: Path) -> Row:
    """Files that answer after 20 ms, as those of a storage do, against one after the other."""
    place = folder / "warm"
    place.mkdir()
    files = [str(place / f"{number}.mkv") for number in range(_FILES)]
    for file in files:
        Path(file).write_bytes(b"film")
    read = warming._read

    def slow(path: str) -> tuple[str, str] | None:
        time.sleep(_LATENCY_S)
        return read(path)

    warming._read = slow
    try:
        ours, theirs = [], []
        for _ in range(3):
            began_s = time.perf_counter()
            assert warm(files, SystemClock()).read == _FILES
            ours.append(_FILES / (time.perf_counter() - began_s))
            began_s = time.perf_counter()
            for file in files[:_ONE_BY_ONE]:
                slow(file)
            theirs.append(_ONE_BY_ONE / (time.perf_counter() - began_s))
    finally:
        warming._read = read
    note = f"{_FILES:,} files at {_LATENCY_S * 1000:.0f} ms each; reference: one after the other"
    return row("cloud.warm", ours, theirs, unit="/s", note=note, target=at_least_times(8))
