"""How fast a storage gives its files through its mount: some large ones are read at once, for a while."""

import os
import threading
from collections.abc import Callable, Iterator
from functools import partial

from plexguard.core.clock import Clock
from plexguard.core.spans import show_bytes

# Smaller ones tell how long a file takes to open, and not how fast it is read.
_LARGE_BYTES = 8 << 20
_AT_ONCE = 4
_READ_S = 20.0
_CHUNK = 1 << 20
# A listing may take for ever, and hang.
_LOOK_S = 120.0


def measure(point: str, clock: Clock) -> str:
    """Return how fast it is, in words, or why that cannot be told."""
    paths: list[str] = []
    finder = _start(lambda: paths.extend(_find_large(point)))
    finder.join(_LOOK_S)
    if not paths:
        return f"how fast the storage is cannot be told: no file of {show_bytes(_LARGE_BYTES)} or more was found"
    read, faults, began_s = [0] * _AT_ONCE, list[str](), clock.monotonic_s()

    def take(place: int) -> None:
        for path in paths[place::_AT_ONCE]:
            try:
                with open(path, "rb", buffering=0) as file:
                    while (piece := file.read(_CHUNK)) and clock.monotonic_s() - began_s < _READ_S:
                        read[place] += len(piece)
            except OSError as error:
                faults.append(f"{path}: {error.strerror}")

    readers = [_start(partial(take, place)) for place in range(_AT_ONCE)]
    for reader in readers:
        reader.join(max(0.0, 2 * _READ_S - (clock.monotonic_s() - began_s)))  # one that hangs keeps nobody from ending
    seconds = max(clock.monotonic_s() - began_s, 0.001)
    said = f"the storage gives {show_bytes(round(sum(read) / seconds))} a second, with {_AT_ONCE} files read at once"
    return f"{said}; of these failed: {'; '.join(faults[:3])}" if faults else said


def _find_large(point: str) -> Iterator[str]:
    """Yield the first large files, a few for each reader."""
    left = 4 * _AT_ONCE
    for folder, _, names in os.walk(point):
        for name in names:
            path = os.path.join(folder, name)
            if os.stat(path).st_size >= _LARGE_BYTES:
                yield path
                left -= 1
                if not left:
                    return


def _start(do: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    return thread
