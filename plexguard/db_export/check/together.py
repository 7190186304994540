"""Run looks at one copy side by side, each with a connection of its own; SQLite leaves the interpreter to the others meanwhile."""

import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from plexguard.db_export.archive.progress import NoProgress, Progress
from plexguard.db_export.check.variant import opened
from plexguard.db_export.database.sqlite import Halt

T = TypeVar("T")
# Two halves of the indexes: memory is bounded, and what else runs on the machine keeps its share.
_MOST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Look(Generic[T]):
    """One look. changes: to the schema, as opened() takes them."""

    take: Callable[[sqlite3.Connection], T]
    changes: Mapping[str, str]


def how_many() -> int:
    """Return how many looks are worth taking side by side."""
    return min(_MOST, len(os.sched_getaffinity(0)))


def take_all(copy: Path, looks: Sequence[Look[T]], *, what: str = "", progress: Progress | None = None) -> list[T]:
    """Take the looks and return what they saw, in order. Ends at once, and all of them, when the first one fails or when a person
    ends the program. what: is looked at, for the progress; each look is one step of it. Raises what they raise."""
    halt = Halt()
    progress = progress or NoProgress()
    progress.begin(f"checking the {what} of {copy.name}", len(looks))
    with ThreadPoolExecutor(how_many()) as pool:
        try:
            # In here too: whoever is interrupted while the first look begins has nothing yet to wait for, and a look that goes on.
            futures = [pool.submit(_take, copy, look, halt) for look in looks]
            for future in as_completed(futures):
                future.result()
                progress.advance(1)
            return [future.result() for future in futures]
        finally:
            halt.end()
            pool.shutdown(wait=True, cancel_futures=True)


def _take(copy: Path, look: Look[T], halt: Halt) -> T:
    with opened(copy, look.changes) as connection, halt.ends(connection):
        return look.take(connection)


def raise_if_stopped(error: sqlite3.DatabaseError) -> None:
    """Raise the error on if it only tells that the look shall stop."""
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
        raise error
