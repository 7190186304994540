"""A watched mount: how soon a fault is told and a mount is back, what the watching takes, and what it leaves of the throughput."""

import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.measure import Row, at_least_times, at_most, row
from tests.machine import Machine, can_run
from tests.soak.__main__ import run
from tests.system.conftest import DEB
from tests.system.mount_faults import SLOW
from tests.system.mounting import POINT, SERVED, WATCHDOG_UNIT, Stand, watch, with_storage

_IDLE_S = 120
_PAIRS = 5
_BIG_BYTES = 128_000_000
# What a group of processes takes, as the sum over its members; a page that several share is counted once in all.
_PSS = """
import subprocess, sys
group = subprocess.check_output(["systemctl", "show", "-P", "ControlGroup", sys.argv[1]], text=True).strip()
pids = open(f"/sys/fs/cgroup{group}/cgroup.procs").read().split()
lines = [line for pid in pids for line in open(f"/proc/{pid}/smaps_rollup") if line.startswith("Pss:")]
print(sum(int(line.split()[1]) for line in lines))
"""
_READ = """
import sys, time
began = time.monotonic()
with open(sys.argv[1], "rb", buffering=0) as file:
    while file.read(1 << 20):
        pass
print(time.monotonic() - began)
"""


def measure_watching(folder: Path) -> Iterator[Row]:
    reason = can_run()
    assert reason is None, f"no machine can be booted here: {reason}"
    with Machine(with_storage(DEB.resolve())) as machine:
        stand = Stand(machine)
        machine.run(["/usr/bin/python3", "-c", _make_big(2 * _PAIRS)])
        watch(stand)
        yield from _measure_idle(stand)
        yield _measure_throughput(stand)


def measure(folder: Path) -> Iterator[Row]:
    """Each fault once, told and mended."""
    soak = run(times=1, slow_s=0, calm_s=0)
    assert not soak.failed, soak.failed[0].reason
    told = {m.fault: m.told_s for m in soak.met}
    # One that is slow is mounted all the time.
    back = {m.fault: m.back_s for m in soak.met if m.fault != SLOW.name}
    held = [m.held_s for m in soak.met if m.held_s is not None]
    lost = sum(m.lost for m in soak.met)
    note = f"the latest of {len(told)} faults ({_latest(told)}); median {statistics.median(told.values()):.1f} s; Plex protected within "
    note += f"{max(held):.1f} s, {lost} items lost"
    yield row("mount.detect-max", [max(told.values())], None, unit="s", note=note, target=at_most(10))
    note = f"from a fault's end to bytes read, the latest ({_latest(back)}); median {statistics.median(back.values()):.1f} s"
    yield row("mount.remount-max", [max(back.values())], None, unit="s", note=note, target=at_most(15))


def _latest(seconds: dict[str, float]) -> str:
    return max(seconds, key=lambda name: seconds[name])


def _measure_idle(stand: Stand) -> Iterator[Row]:
    # What is done at the start is over: files to ask for are found, and libraries were scanned.
    time.sleep(30)
    before, asked, began = _cpu_s(stand), sum(stand.faults.counts.values()), time.monotonic()
    time.sleep(_IDLE_S)
    took_s = time.monotonic() - began
    percent = 100 * (_cpu_s(stand) - before) / took_s
    a_minute = 60 * (sum(stand.faults.counts.values()) - asked) / took_s
    note = f"of a core, of the watchdog alone, in {took_s:.0f} s"
    yield row("mount.idle-cpu", [percent], None, unit="%", note=note, target=at_most(0.2))
    note = "of a healthy mount, to its storage, in a minute"
    yield row("mount.requests", [a_minute], None, unit="/min", note=note, target=at_most(12))
    pss_mb = int(stand.machine.run(["/usr/bin/python3", "-c", _PSS, WATCHDOG_UNIT]).stdout) / 1024
    note = "PSS of the watchdog with its children, besides rclone"
    yield row("mount.memory", [pss_mb], None, unit="MB", note=note, target=at_most(30))


def _cpu_s(stand: Stand) -> float:
    return int(stand.machine.unit(WATCHDOG_UNIT)["CPUUsageNSec"]) / 1e9


def _measure_throughput(stand: Stand) -> Row:
    """Read large files, each once, by turns with the watchdog and without."""
    watched, alone = [], []
    for number in range(_PAIRS):
        stand.machine.systemctl("start", WATCHDOG_UNIT, timeout_s=60)
        watched.append(_read_mb_per_s(stand, 2 * number))
        stand.machine.systemctl("stop", WATCHDOG_UNIT)
        alone.append(_read_mb_per_s(stand, 2 * number + 1))
    note = f"{_PAIRS} x {_BIG_BYTES // 1_000_000} MB through a watched mount; reference: the same unwatched"
    return row("mount.throughput", watched, alone, unit="MB/s", note=note, target=at_least_times(0.98))


def _read_mb_per_s(stand: Stand, number: int) -> float:
    done = stand.machine.run(["/usr/bin/python3", "-c", _READ, f"{POINT}/Big/{number}"], user="plex", timeout_s=300)
    return _BIG_BYTES / float(json.loads(done.stdout)) / 1e6


def _make_big(files: int) -> str:
    return (
        f"import os, pathlib; folder = pathlib.Path('{SERVED}/media/Big'); folder.mkdir()\n"
        f"for number in range({files}): (folder / str(number)).write_bytes(os.urandom({_BIG_BYTES}))"
    )
