"""Heavy slow reading: many who read at once from a storage that gives little, late, and by fits. No reason to mount anew."""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.fakes.fault_proxy import DATA
from tests.machine.inside import Spawned
from tests.system.mounting import POINT, Stand

_READERS = 8
_CHANGE_S = 20.0
# Each reader takes its own way through all files, and says how much it got.
_READ = """
import os, pathlib, random, sys, time
files = sorted(pathlib.Path(sys.argv[1]).rglob("*.mkv"))
chosen, ends, got = random.Random(sys.argv[2]), time.monotonic() + float(sys.argv[3]), 0
while time.monotonic() < ends:
    try:
        got += len(chosen.choice(files).read_bytes())
    except OSError as error:
        print(error, file=sys.stderr)
print(got)
"""


@dataclass(frozen=True)
class Calm:
    """What was told and done while many read slowly. story: all events of mounts."""

    seconds: float
    read_bytes: int
    remounts: int
    story: list[str]


def read_slowly(stand: Stand, *, seconds: float) -> Calm:
    since = stand.machine.cursor()
    argv = ["/usr/bin/python3", "-c", _READ, POINT]
    readers = [stand.machine.spawn([*argv, str(number), str(seconds)], user="plex") for number in range(_READERS)]
    chosen, ends = random.Random(1), time.monotonic() + seconds
    while time.monotonic() < ends:
        stand.faults.set(DATA, *chosen.choice([("trickle",), ("slow",)]), bytes_per_s=100_000, seconds=chosen.uniform(1, 10))
        time.sleep(min(_CHANGE_S, max(0.0, ends - time.monotonic())))
    stand.faults.clear()
    got = sum(_outputs(readers))
    story = [name for name in stand.told(since) if name.startswith("mount.")]
    return Calm(seconds=seconds, read_bytes=got, remounts=stand.remounts(since), story=story)


def _outputs(readers: list[Spawned]) -> Iterator[int]:
    for reader in readers:
        yield int(reader.communicate(timeout=300)[0] or 0)
