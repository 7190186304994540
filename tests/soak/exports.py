"""Exports of a library that somebody changes all the time, many of them."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.libraries import make_plex
from tests.fakes.restless import restless
from tests.integration.db_export.archives import prove_export


@dataclass(frozen=True)
class Exports:
    """What became of them. versions: how many states the writer made meanwhile. longest_wait_s: the longest time that one of its
    transactions took."""

    times: int
    versions: int
    longest_wait_s: float


def export_while_written(times: int) -> Exports:
    """Export so often, and prove each archive. Raises AssertionError."""
    # A library on a disk, as Plex has it, and not in memory.
    with tempfile.TemporaryDirectory(prefix="plexguard-soak-", dir="/var/tmp") as folder:
        data = make_plex(Path(folder, "Plex Media Server"), films=300, episodes=300, tracks=300)
        with restless(data.library) as writer:
            seen = [prove_export(data, Path(folder, "archives"), writer) for _ in range(times)]
            assert seen == sorted(seen), seen
            return Exports(times=times, versions=writer.version, longest_wait_s=writer.longest_s)


def describe(exports: Exports) -> Iterator[str]:
    yield f"\n{exports.times} exports while {exports.versions} versions of the library were written: each archive shows one that there was,"
    yield f"and passes the whole check. The longest transaction of the writer took {exports.longest_wait_s:.2f} s."
