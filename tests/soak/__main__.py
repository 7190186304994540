"""Spend an evening with everything at work on one machine and troubles one after the other; make every fault of mounts and of scans on a
run's machine, exports of a library at work, and kills of whoever rents. build/soak.md says what became of them, for people, and
build/soak.json for programs; build/evening.svg shows the evening.

Several machines are at it side by side, each with its own faults. One that did not come through is put away with what it told, and a
fresh one goes on. Ends with 0 only if everything was right each time.
"""

import argparse
import json
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from plexguard.core.errors import PlexguardError
from tests.machine import Machine, MachineError, can_run
from tests.soak import evening, exports, kills, scans
from tests.soak.evening import Evening, spend_evening
from tests.soak.exports import Exports, export_while_written
from tests.soak.kills import Kills, kill_all
from tests.soak.reading import Calm, read_slowly
from tests.soak.scans import Scanned, scan_all
from tests.system.conftest import DEB
from tests.system.mount_faults import ALL, CACHE_MB, OF_CONTENT, OF_RCLONE, OF_STORAGE, SLOW, Fault, Met, find_wrongs, meet
from tests.system.mounting import Stand, watch, with_storage

_BUILD = Path(__file__).parents[2] / "build"


@dataclass(frozen=True)
class Failed:
    """A fault after which something never came, with the reason."""

    fault: str
    reason: str


@dataclass
class Soak:
    """All that became of the faults so far; told to several threads."""

    met: list[Met] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    calm: list[Calm] = field(default_factory=list)
    evenings: list[Evening] = field(default_factory=list)
    exports: list[Exports] = field(default_factory=list)
    kills: list[Kills] = field(default_factory=list)
    scans: list[Scanned] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, what: Met | Failed | Calm) -> None:
        with self._lock:
            kept: list[object] = self.met if isinstance(what, Met) else self.failed if isinstance(what, Failed) else self.calm  # type: ignore[assignment]
            kept.append(what)
            print(describe(what), flush=True)
            _write(self)


def describe(what: Met | Failed | Calm) -> str:
    match what:
        case Met():
            wrongs = find_wrongs(what)
            held = "-" if what.held_s is None else f"{what.held_s:.1f} s"
            line = f"{what.fault}: {what.told} after {what.told_s:.1f} s, Plex held after {held}, back after {what.back_s:.1f} s"
            return f"{line}{''.join(f'; WRONG: {wrong}' for wrong in wrongs)}"
        case Failed():
            return f"{what.fault}: FAILED: {what.reason.splitlines()[0]}"
        case Calm():
            return f"heavy slow reading for {what.seconds:.0f} s: {what.read_bytes / 1e6:.0f} MB, {what.remounts} remounts"


def soak_faults(soak: Soak, faults: Sequence[Fault], *, times: int) -> None:
    """Make some faults by turns, so often each."""
    left = [fault for _ in range(times) for fault in faults]
    while left:
        try:
            with Machine(with_storage(DEB.resolve())) as machine:
                stand = watch(Stand(machine), cache_mb=CACHE_MB if left[0] in OF_RCLONE else 0)
                while left:
                    fault = left.pop(0)
                    try:
                        soak.note(meet(stand, fault))
                    except (MachineError, AssertionError) as error:
                        soak.note(Failed(fault.name, f"{error}\n{machine.journal_text('-n', '200')}"))
                        break
        except (MachineError, AssertionError) as error:
            soak.note(Failed(left.pop(0).name if left else "the machine", str(error)))


def soak_reading(soak: Soak, *, slow_s: float, calm_s: float) -> None:
    """The same storage slow for long, and then read by many for long: neither is a reason to mount anew."""
    if slow_s:
        soak_faults(soak, [replace(SLOW, name=f"{SLOW.name}, for {slow_s:.0f} s", lasts_s=slow_s)], times=1)
    if calm_s:
        try:
            with Machine(with_storage(DEB.resolve())) as machine:
                soak.note(read_slowly(watch(Stand(machine)), seconds=calm_s))
        except (MachineError, AssertionError) as error:
            soak.note(Failed("heavy slow reading", str(error)))


def soak_evening(soak: Soak, *, minutes: float, seed: int) -> None:
    if not minutes:
        return
    try:
        spent = spend_evening(DEB.resolve(), seconds=60 * minutes, seed=seed)
    except (MachineError, AssertionError) as error:
        soak.note(Failed("an evening", str(error)))
        return
    soak.evenings.append(spent)
    evening.draw(spent, _BUILD / "evening.svg")
    for wrong in spent.all_wrongs:
        soak.note(Failed("an evening", wrong))


def soak_exports(soak: Soak, *, times: int) -> None:
    if not times:
        return
    try:
        soak.exports.append(export_while_written(times))
    except (AssertionError, PlexguardError) as error:
        soak.note(Failed("exports of a library at work", str(error)))


def soak_kills(soak: Soak) -> None:
    try:
        soak.kills.extend(kill_all())
    except AssertionError as error:
        soak.note(Failed("kills of whoever rents", str(error) or "something is left"))


def soak_scans(soak: Soak) -> None:
    try:
        for scanned in scan_all():
            soak.scans.append(scanned)
            print("".join(scans.describe(scanned)).strip(), flush=True)
            if scanned.wrong:
                soak.note(Failed(f"scan: {scanned.fault}", scanned.wrong))
    except (MachineError, AssertionError) as error:
        soak.note(Failed("scans on a run's machine", str(error)))


def run(*, times: int, slow_s: float, calm_s: float, faults: Sequence[Fault] = ALL) -> Soak:
    soak = Soak()
    parts = [[fault for fault in group if fault in faults] for group in (OF_RCLONE, OF_STORAGE, OF_CONTENT)]
    # They end with us: whoever keeps a machine sees its owner go.
    threads = [
        threading.Thread(target=soak_faults, args=(soak, part), kwargs={"times": times}, daemon=True) for part in parts if part
    ]
    threads += [threading.Thread(target=soak_reading, args=(soak,), kwargs={"slow_s": slow_s, "calm_s": calm_s}, daemon=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return soak


def _write(soak: Soak) -> None:
    _BUILD.mkdir(exist_ok=True)
    found = {
        name: [asdict(what) for what in getattr(soak, name)]
        for name in ("met", "failed", "calm", "evenings", "exports", "kills", "scans")
    }
    (_BUILD / "soak.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (_BUILD / "soak.md").write_text("\n".join(make_report(soak)) + "\n", encoding="utf-8")


def make_report(soak: Soak) -> Iterator[str]:
    """Yield the lines of the report. Seconds are median and maximum, since the fault was made or ended."""
    yield "| fault | times | told as | told after | Plex protected after | proven after its end | remounts | items lost | wrong |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name in dict.fromkeys([*(fault.name for fault in ALL), *(m.fault for m in soak.met), *(f.fault for f in soak.failed)]):
        met = [m for m in soak.met if m.fault == name]
        failed = [f for f in soak.failed if f.fault == name]
        if met or failed:
            yield _row(name, met, failed)
    for calm in soak.calm:
        yield f"\nHeavy slow reading for {calm.seconds:.0f} s: {calm.read_bytes / 1e6:.0f} MB read, {calm.remounts} remounts, "
        yield f"told: {', '.join(sorted(set(calm.story))) or 'nothing'}."
    for spent in soak.evenings:
        yield from evening.describe(spent)
    for exported in soak.exports:
        yield from exports.describe(exported)
    for killed in soak.kills:
        yield from kills.describe(killed)
    for scanned in soak.scans:
        yield from scans.describe(scanned)
    for what in soak.failed:
        yield f"\n## {what.fault}: did not come through\n\n```\n{what.reason}\n```"


def _row(name: str, met: Sequence[Met], failed: Sequence[Failed]) -> str:
    wrongs = [wrong for m in met for wrong in find_wrongs(m)] + ["did not come through"] * len(failed)
    told = ", ".join(dict.fromkeys(m.told for m in met))
    columns = (
        name,
        str(len(met) + len(failed)),
        told,
        _span([m.told_s for m in met]),
        _span([m.held_s for m in met if m.held_s is not None]),
        _span([m.back_s for m in met]),
        str(sum(m.remounts for m in met)),
        str(sum(m.lost for m in met)),
        "; ".join(f"{wrong} ({wrongs.count(wrong)}x)" for wrong in dict.fromkeys(wrongs)) or "-",
    )
    return f"| {' | '.join(columns)} |"


def _span(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds):.1f}, {max(seconds):.1f} s" if seconds else "-"


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m tests.soak", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--times", type=int, default=20, help="how often each fault is made (default: 20)")
    parser.add_argument("--slow-s", type=float, default=600, help="how long reads take 30 s each (default: ten minutes)")
    parser.add_argument("--calm-s", type=float, default=3600, help="how long many read slowly (default: an hour)")
    parser.add_argument(
        "--evening-min", type=float, default=240, help="how long everything is at work on one machine (default: 240)"
    )
    parser.add_argument(
        "--seed", type=int, default=int(time.time()), help="of the order of an evening's troubles (default: the time)"
    )
    parser.add_argument("--exports", type=int, default=200, help="how many exports are made of a library at work (default: 200)")
    parser.add_argument("--no-kills", action="store_true", help="whoever rents is not killed")
    parser.add_argument("--no-scans", action="store_true", help="nothing happens in the midst of scans on a run's machine")
    parser.add_argument("--fault", action="append", choices=[fault.name for fault in ALL], help="only this one; repeatable")
    given = parser.parse_args(argv)
    reason = can_run()
    if reason:
        print(f"no machine can be booted here: {reason}", file=sys.stderr)
        return 1
    faults = [fault for fault in ALL if not given.fault or fault.name in given.fault]
    began = time.monotonic()
    soak = run(times=given.times, slow_s=given.slow_s, calm_s=given.calm_s, faults=faults)
    soak_evening(soak, minutes=given.evening_min, seed=given.seed)
    soak_exports(soak, times=given.exports)
    if not given.no_kills:
        soak_kills(soak)
    if not given.no_scans:
        soak_scans(soak)
    _write(soak)
    print("\n".join(make_report(replace(soak, failed=[]))))
    is_right = not soak.failed and not any(map(find_wrongs, soak.met)) and not any(calm.remounts for calm in soak.calm)
    print(
        f"\n{(time.monotonic() - began) / 60:.0f} min; written to build/soak.md: {'all was right' if is_right else 'NOT ALL WAS RIGHT'}"
    )
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
