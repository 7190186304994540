"""What a run costs the machine that leads it: the whole chain with phases that have nothing to do, its plan, and its memory."""

import json
from collections.abc import Iterator

from plexguard.cloud_run.chain import PHASES
from tests.bench.measure import Row, row
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
_CLOCK = "import subprocess, sys, time; began = time.monotonic(); subprocess.run(sys.argv[1:], check=True); print(time.monotonic() - began)"


def measure() -> Iterator[Row]:
    reason = can_run()
    assert reason is None, f"no machine can be booted here: {reason}"
    with cloud_chain.boot(DEB.resolve()) as machine:
        cloud_chain.prepare(machine)
        chain = [_time(machine, "systemctl", "start", cloud_chain.UNIT) for _ in range(_TIMES)]
        plan = [_time(machine, "plexguard-cloud-run", "plan", cloud_chain.RUN) for _ in range(_TIMES)]
        peaks = {phase: _measure_peak(machine, phase) for phase in PHASES}
    note = f"from `systemctl start` to its end, {len(PHASES)} phases that have nothing to do and the summary, on this machine; at most 5 s"
    yield row("cloud.overhead", chain, None, unit="s", note=note)
    yield row("cloud.plan", plan, None, unit="s", note="the whole command, for this machine; less than 1 s")
    largest = max(peaks, key=lambda phase: peaks[phase])
    yield row("cloud.phase-memory", [peaks[largest]], None, unit="MB", note=f"the peak of {largest}, the largest; less than 50 MB")


def _time(machine: Machine, *argv: str) -> float:
    """Return the seconds that a command takes there, and wait until all is released."""
    taken = float(machine.run(["/usr/bin/python3", "-c", _CLOCK, *argv], timeout_s=120).stdout.splitlines()[-1])
    cloud_chain.await_released(machine)
    return taken


def _measure_peak(machine: Machine, phase: str) -> float:
    """Return the most memory of a phase's process, in MB, as root in the place of its unit."""
    argv = ["/usr/bin/plexguard-cloud-run", "phase", phase, cloud_chain.RUN]
    code, peak_kb = json.loads(machine.run(["/usr/bin/python3", "-c", _PEAK, *argv]).stdout.splitlines()[-1])
    assert code == 0, f"{phase}: {code}"
    return float(peak_kb) / 1024
