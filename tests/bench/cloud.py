"""What a run costs the machine that leads it: the whole chain with phases that have nothing to do, its plan, and its memory."""

import json
from collections.abc import Iterator
from pathlib import Path

from plexguard.cloud_run.life.chain import PHASES
from tests.bench.measure import PYTHON, ROOT, Row, at_most, row
from tests.machine import Machine, can_run
from tests.system import cloud_chain
from tests.system.conftest import DEB

_TIMES = 5
# The peak of a phase's process, or of the largest that it started, by the kernel.
_PEAK = """
import json, os, sys
pid = os.spawnv(os.P_NOWAIT, sys.argv[1], sys.argv[1:])
_, code, used = os.wait4(pid, 0)
print(json.dumps([code, used.ru_maxrss]))
"""
_BARE = "bare.service"
_CLOCK = "import subprocess, sys, time; began = time.monotonic(); subprocess.run(sys.argv[1:], check=True); print(time.monotonic() - began)"


def measure(folder: Path) -> Iterator[Row]:
    reason = can_run()
    assert reason is None, f"no machine can be booted here: {reason}"
    with cloud_chain.boot(DEB.resolve()) as machine:
        cloud_chain.prepare(machine)
        processes = _prepare_bare(machine)
        # In turns, so that what else runs here is the same for both.
        turns = [(_time_chain(machine), _time(machine, "systemctl", "start", _BARE)) for _ in range(_TIMES)]
        plan = [_time(machine, "plexguard-cloud-run", "plan", cloud_chain.RUN) for _ in range(_TIMES)]
        peaks = {phase: _measure_peak(machine, phase) for phase in PHASES}
    note = (
        f"from `systemctl start` until all is released, {len(PHASES)} phases that have nothing to do and the summary, on this machine; "
        f"reference: a unit that starts {processes} times a python3 that does nothing, as often as the chain does"
    )
    yield row("cloud.overhead", [ours for ours, _ in turns], [bare for _, bare in turns], unit="s", note=note, target=at_most(5))
    yield row("cloud.plan", plan, None, unit="s", note="the whole command, for this machine", target=at_most(1))
    largest = max(peaks, key=lambda phase: peaks[phase])
    yield row(
        "cloud.phase-memory", [peaks[largest]], None, unit="MB", note=f"the peak of {largest}, the largest", target=at_most(50)
    )


def _prepare_bare(machine: Machine) -> int:
    """Install a unit that starts Python as often as the chain does, and return how often that is."""
    units = [*(f"plexguard-cloud-{phase}@.service" for phase in PHASES), "plexguard-cloud-run@.service"]
    lines = [line for unit in units for line in (ROOT / "units" / unit).read_text(encoding="utf-8").splitlines()]
    processes = sum(line.startswith("Exec") for line in lines)
    machine.write(f"/run/systemd/system/{_BARE}", "[Service]\nType=oneshot\n" + f"ExecStart={PYTHON} -c pass\n" * processes)
    machine.systemctl("daemon-reload")
    return processes


def _time_chain(machine: Machine) -> float:
    """Return the seconds from the begin of a run until the manager has ended the last of its phases."""
    cursor = machine.cursor()
    cloud_chain.start(machine)
    told = machine.journal(since_cursor=cursor, matches=["_PID=1"])
    times_us = [int(entry["__REALTIME_TIMESTAMP"]) for entry in told if entry.get("UNIT") in (*cloud_chain.UNITS, cloud_chain.UNIT)]
    return (max(times_us) - min(times_us)) / 1e6


def _time(machine: Machine, *argv: str) -> float:
    """Return the seconds that a command takes there."""
    return float(machine.run([PYTHON, "-c", _CLOCK, *argv], timeout_s=120).stdout.splitlines()[-1])


def _measure_peak(machine: Machine, phase: str) -> float:
    """Return the most memory of a phase's process, in MB, as root in the place of its unit."""
    argv = ["/usr/bin/plexguard-cloud-run", "phase", phase, cloud_chain.RUN]
    code, peak_kb = json.loads(machine.run([PYTHON, "-c", _PEAK, *argv]).stdout.splitlines()[-1])
    assert code == 0, f"{phase}: {code}"
    return float(peak_kb) / 1024
