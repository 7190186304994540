"""Measure whole processes: time by the kernel's own accounting, memory as the sum over the process and its children."""

import os
import signal
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PYTHON = "/usr/bin/python3"


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked of a figure. is_least: a lower limit, else an upper one. of_ratio: of the ratio, else of the figure itself."""

    limit: float
    is_least: bool = False
    of_ratio: bool = False

    def __str__(self) -> str:
        return f"{'>=' if self.is_least else '<='} {self.limit:g}{' x' if self.of_ratio else ''}"


def at_most(limit: float) -> Target:
    return Target(limit)


def at_most_times(limit: float) -> Target:
    return Target(limit, of_ratio=True)


def at_least_times(limit: float) -> Target:
    return Target(limit, is_least=True, of_ratio=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure. ours and reference in the unit; ratio: ours / reference, None where there is no reference; target: None where none is asked for."""

    name: str
    ours: float
    reference: float | None
    unit: str
    ratio: float | None
    target: Target | None
    note: str

    @property
    def is_met(self) -> bool | None:
        """None where nothing is asked for."""
        if self.target is None:
            return None
        value = self.ratio if self.target.of_ratio else self.ours
        assert value is not None, f"{self.name} has no reference"
        return value >= self.target.limit if self.target.is_least else value <= self.target.limit

    def as_json(self) -> dict[str, object]:
        return {**asdict(self), "target": None if self.target is None else str(self.target), "met": self.is_met}


def row(
    name: str, ours: Sequence[float], reference: Sequence[float] | None, *, unit: str, note: str, target: Target | None = None
) -> Row:
    """Return the row of some runs: medians, and the median of the ratios pair by pair, which drift does not move."""
    mine = statistics.median(ours)
    if reference is None:
        return Row(name=name, ours=round(mine, 4), reference=None, unit=unit, ratio=None, target=target, note=note)
    ratio = statistics.median(a / b for a, b in zip(ours, reference, strict=True))
    return Row(
        name=name,
        ours=round(mine, 4),
        reference=round(statistics.median(reference), 4),
        unit=unit,
        ratio=round(ratio, 3),
        target=target,
        note=note,
    )


def wall_s(argv: Sequence[str], *, codes: Sequence[int] = (0,), timeout_s: float = 300) -> float:
    """Run a command and return how long it took."""
    began = time.perf_counter()
    done = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT, timeout=timeout_s, check=False)
    took = time.perf_counter() - began
    assert done.returncode in codes, f"{argv}: {done.returncode}: {done.stderr.decode()[-500:]}"
    return took


def cpu_s(argv: Sequence[str], *, codes: Sequence[int] = (0,)) -> float:
    """Run a command and return the processor time of it and of the children it waited for."""
    pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
    _, status, usage = os.wait4(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in codes, f"{argv}: {code}"
    return usage.ru_utime + usage.ru_stime


def peak_pss_mb(argv: Sequence[str], *, codes: Sequence[int] = (0,), every_s: float = 0.005) -> float:
    """Run a command and return the highest sum of the memory of it and all its descendants, in MB, looked at every so often.

    A page that several share is counted once in all (proportional set size, proc_pid_smaps(5)): forked workers share most. To look
    holds up who is looked at: what runs for minutes is looked at less often.
    """
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT, start_new_session=True)
    peak_kb = 0
    try:
        while process.poll() is None:
            peak_kb = max(peak_kb, sum(map(_pss_kb, _family(process.pid))))
            time.sleep(every_s)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert process.returncode in codes, f"{argv}: {process.returncode}"
    return peak_kb / 1024


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return [pid]
    return [pid, *(member for child in children for member in _family(int(child)))]


def _pss_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
