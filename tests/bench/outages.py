"""From a fault of Plex to its recovery on booted machines, with the check every 30 s that is the default.

A fault comes at any moment between two checks, so each sample waits for a random part of the interval first. The times are
those of the journal and of the state that the probe keeps; they are taken from it afterwards, so that watching costs little.
"""

import contextlib
import random
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.measure import Row, at_most, row
from tests.machine import Machine
from tests.system.conftest import DEB, await_found, configure, with_native_plex
from tests.system.native_plex import UNIT, set_plex
from tests.system.probing import BUDGET, check_now, main_pid, read_state

# Each has one outage at a time; a machine waits more than it works. There cannot be many more at once: each path unit of each of them
# takes one of the inotify instances that the kernel gives a user.
_MACHINES = 5
_ROUNDS = 3
_INTERVAL_S = 30.0
_TIMEOUT_S = 300.0
# Of a Plex that was restarted a moment ago: the next fault of the measurement is no part of that start.
_GRACE = '[plex-probe]\nstart_grace = "5s"\n'
_GRACE_S = 6.0
# Both are certain outages; systemd itself starts none of them again.
_NO_HELP = "[Service]\nRestart=no\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Seconds. detect: first failed look to certainty; alert: certainty to the event; recover: fault to healthy again."""

    detect_s: float
    alert_s: float
    recover_s: float


def _hang(machine: Machine) -> None:
    set_plex(machine, mode="hung")


def _crash(machine: Machine) -> None:
    machine.run(["sh", "-c", f"kill -KILL {main_pid(machine)}"])


_FAULTS: dict[str, Callable[[Machine], None]] = {"hang": _hang, "crash": _crash}


def measure(folder: Path) -> Iterator[Row]:
    with ThreadPoolExecutor(_MACHINES) as pool:
        parts = list(pool.map(lambda _: _run_machine(), range(_MACHINES)))
    samples = {fault: [sample for part in parts for sample in part[fault]] for fault in _FAULTS}
    yield from _rows(samples)


def _rows(samples: dict[str, list[Sample]]) -> Iterator[Row]:
    both = [sample for taken in samples.values() for sample in taken]
    detect = {fault: [s.detect_s for s in taken] for fault, taken in samples.items()}
    medians = ", ".join(f"{fault} {statistics.median(seconds):.1f} s" for fault, seconds in detect.items())
    most = max(max(seconds) for seconds in detect.values())
    yield row(
        "probe.detect",
        [most],
        None,
        unit="s",
        note=f"first failed look to certainty: the most of {len(both)}; medians: {medians}",
        target=at_most(20),
    )
    alert = [s.alert_s for s in both]
    note = f"certainty to its event in the journal: the most of {len(both)}"
    yield row("probe.alert", [max(alert)], None, unit="s", note=note, target=at_most(10))
    for fault, taken in samples.items():
        recover = [s.recover_s for s in taken]
        note = f"fault to healthy again: the median of {len(taken)}, most {max(recover):.1f} s"
        yield row(f"probe.recover-{fault}", recover, None, unit="s", note=note, target=at_most(45))
    recover = [s.recover_s for s in both]
    note = f"99th percentile of both, by rank, of {len(both)}"
    yield row("probe.recover-p99", [_percentile(recover, 99)], None, unit="s", note=note, target=at_most(75))


def _percentile(values: list[float], percent: int) -> float:
    """Return the least value that so many percent do not exceed."""
    return sorted(values)[-(-percent * len(values) // 100) - 1]


def _run_machine() -> dict[str, list[Sample]]:
    samples: dict[str, list[Sample]] = {fault: [] for fault in _FAULTS}
    with Machine(with_native_plex(DEB.resolve())) as machine:
        await_found(machine)
        configure(machine, _GRACE)
        machine.write(f"/run/systemd/system/{UNIT}.d/bench.conf", _NO_HELP)
        machine.systemctl("daemon-reload")
        machine.wait_for(lambda: check_now(machine)["verdict"] == "healthy", timeout_s=60, what="a healthy check")
        for _ in range(_ROUNDS):
            for fault, begin in _FAULTS.items():
                samples[fault].append(_take(machine, begin))
    return samples


def _take(machine: Machine, begin: Callable[[Machine], None]) -> Sample:
    # The budget of a day and of an incident is for real outages.
    machine.run(["rm", "-f", BUDGET])
    time.sleep(_GRACE_S + random.uniform(0, _INTERVAL_S))
    cursor = machine.cursor()
    began = time.time()
    begin(machine)
    first = _await(machine, lambda state: bool(state["problem"]) and state["verdict"] in ("hung", "down"))
    _await(machine, lambda state: state["verdict"] == "healthy")
    told = {entry["PLEXGUARD_EVENT"]: entry for entry in machine.journal(since_cursor=cursor) if "PLEXGUARD_EVENT" in entry}
    problem, checked_s = first["problem"], float(first["checked"]["uptime_s"])
    alert = told[f"plex.{problem['verdict']}"]
    return Sample(
        detect_s=checked_s - float(problem["began"]["uptime_s"]),
        alert_s=int(alert["__MONOTONIC_TIMESTAMP"]) / 1e6 + _asleep_s() - checked_s,
        recover_s=int(told["plex.recovered"]["__REALTIME_TIMESTAMP"]) / 1e6 - began,
    )


def _await(machine: Machine, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline_s = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline_s:
        with contextlib.suppress(ValueError):
            state = read_state(machine)
            if reached(state):
                return state
        time.sleep(0.25)
    raise TimeoutError(f"not within {_TIMEOUT_S:.0f} s\n{machine.journal_text('-n', '40')}")


def _asleep_s() -> float:
    """Return what the clock of the state is ahead of the journal's."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
