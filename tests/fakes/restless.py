"""A server that changes its database all the time, and never leaves it half done: what a copy shows must have been so at one moment."""

import multiprocessing
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

from tests.fakes.plex import database

_JOIN_S = 20.0


class Writer:
    """version: of the last state that was committed. longest_s: for how long it has waited for others, at most."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("fork")
        self._version: Synchronized[int] = context.Value("q", 0)
        self._longest: Synchronized[float] = context.Value("d", 0.0)
        self._stop = context.Event()

    @property
    def version(self) -> int:
        return self._version.value

    @property
    def longest_s(self) -> float:
        return self._longest.value

    def work(self, library: Path) -> None:
        """Write versions until it is told to stop: the same number in all rows of two tables, and a row more of a third."""
        with closing(database.connect(library)) as connection:
            while not self._stop.is_set():
                version = self._version.value + 1
                began = time.perf_counter()
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("UPDATE section_locations SET root_path = ?", (f"/version/{version}",))
                connection.execute("UPDATE media_parts SET file = '/version/' || ? || '/' || id", (version,))
                connection.execute("INSERT INTO statistics_resources (timespan, at) VALUES (?, ?)", (version, version))
                connection.execute("COMMIT")
                self._longest.value = max(self._longest.value, time.perf_counter() - began)
                self._version.value = version

    def stop(self) -> None:
        self._stop.set()


@contextmanager
def restless(library: Path) -> Iterator[Writer]:
    """Have a process of its own write to a library."""
    writer = Writer()
    process = multiprocessing.get_context("fork").Process(target=writer.work, args=(library,), daemon=True)
    process.start()
    try:
        yield writer
        assert process.is_alive(), "the writer has ended by itself"
    finally:
        writer.stop()
        process.join(_JOIN_S)
        process.kill()


def version_of(library: Path) -> int:
    """Return the version that a copy shows. Raises AssertionError where it is of no one moment."""
    with closing(sqlite3.connect(f"file:{library}?mode=ro&immutable=1", uri=True)) as connection:
        roots = {int(path.split("/")[2]) for (path,) in connection.execute("SELECT root_path FROM section_locations")}
        parts = {int(path.split("/")[2]) for (path,) in connection.execute("SELECT file FROM media_parts")}
        (rows, last) = connection.execute("SELECT count(*), max(at) FROM statistics_resources").fetchone()
    assert roots == parts == {rows} == {last}
    return rows
