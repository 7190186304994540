"""Delivery: how soon an event arrives, how fast what was kept through an outage does, and what that costs in memory."""

import itertools
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.measure import PYTHON, ROOT, Row, at_most, peak_pss_mb, row
from tests.machine import READY, Machine, can_run, installed
from tests.system.conftest import DEB, configure
from tests.system.test_notify import SERVICE, await_number, channels, open_inboxes, taken, tell

_TIMES = 15
_EVENTS = 100_000
# In the machine, over a real web hook, for the memory of the process that stays.
_BURST = 2000
_PATIENCE_S = 120.0


def measure(folder: Path) -> Iterator[Row]:
    yield from _measure_drain(folder / "notify")
    reason = can_run()
    assert reason is None, f"no machine can be booted here: {reason}"
    with Machine(installed(READY, DEB.resolve())) as machine:
        open_inboxes(machine)
        configure(machine, channels("house", min_priority='"info"', fold='"0s"'))
        yield _measure_delivery(machine)
        yield from _measure_memory(machine)


def _measure_drain(folder: Path) -> Iterator[Row]:
    command = [PYTHON, "-m", "tests.bench.drain"]
    subprocess.run([*command, "fill", str(folder), str(_EVENTS)], cwd=ROOT, check=True, timeout=600)
    size_mb = sum(file.stat().st_size for file in (folder / "spool").iterdir()) / 1e6
    peak_mb = peak_pss_mb([*command, "drain", str(folder)])
    took_s = json.loads((folder / "took").read_text(encoding="ascii"))
    arrived = [int(number) for number in (folder / "arrived").read_text(encoding="ascii").split()]
    lost = len(set(range(1, _EVENTS + 1)) - set(arrived))
    reordered = sum(later < earlier for earlier, later in itertools.pairwise(arrived))
    assert (lost, reordered) == (0, 0), f"{lost} lost, {reordered} reordered"
    note = f"events/s of {_EVENTS} ({size_mb:.0f} MB spooled), batches of 10, each kept on disk; 0 lost, 0 reordered"
    yield row("notify.drain", [_EVENTS / took_s], None, unit="1/s", note=note)
    yield row("notify.drain-memory", [peak_mb], None, unit="MB", note="peak PSS of the worker meanwhile", target=at_most(60))


def _measure_delivery(machine: Machine) -> Row:
    for number in range(1, _TIMES + 1):
        tell(machine, number, number)
        await_number(machine, number)
        time.sleep(0.37)
    told = {
        int(e["PLEXGUARD_ATTEMPT"]): int(e["__REALTIME_TIMESTAMP"]) / 1e6
        for e in machine.journal(matches=["PLEXGUARD_EVENT=speed.failed"])
    }
    took = [
        item["taken"] - told[int(item["body"]["details"]["attempt"])]
        for item in taken(machine)
        if item["body"]["event"] == "speed.failed"
    ]
    return row("notify.delivery", took, None, unit="s", note=f"median of {len(took)}, longest {max(took):.2f} s", target=at_most(2))


def _measure_memory(machine: Machine) -> Iterator[Row]:
    anonymous, pss = _memory_mb(machine)
    note = f"anonymous, of the process that stays, idle; {pss:.1f} MB PSS, the journal's files among it"
    yield row("notify.memory", [anonymous], None, unit="MB", note=note)
    tell(machine, 101, 100 + _BURST)
    peak = 0.0
    deadline_s = time.monotonic() + _PATIENCE_S
    while 100 + _BURST not in _arrived(machine):
        assert time.monotonic() < deadline_s, "not all of them arrive"
        peak = max(peak, _memory_mb(machine)[0])
    note = f"anonymous, that and its worker while {_BURST} events are sent"
    yield row("notify.memory-peak", [peak], None, unit="MB", note=note, target=at_most(60))


def _arrived(machine: Machine) -> list[int]:
    """Return the numbers of the last that arrived; what the machine tells of itself meanwhile has none."""
    last = machine.run(["tail", "-n", "50", "/srv/house/taken.jsonl"]).stdout.splitlines()
    return [int(json.loads(line)["body"]["details"].get("attempt", 0)) for line in last]


def _memory_mb(machine: Machine) -> tuple[float, float]:
    """Return the anonymous memory and the PSS of all processes of the service."""
    pids = machine.run(["cat", f"/sys/fs/cgroup/system.slice/{SERVICE}/cgroup.procs"]).stdout.split()
    totals = {"Anonymous": 0, "Pss": 0}
    for pid in pids:
        for line in machine.run(["cat", f"/proc/{pid}/smaps_rollup"], check=False).stdout.splitlines():
            name = line.partition(":")[0]
            if name in totals:
                totals[name] += int(line.split()[1])
    return totals["Anonymous"] / 1024, totals["Pss"] / 1024
