"""Measure everything against what is asked of it, and write build/bench.md for people and build/bench.json for programs."""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import (
    cloud,
    db,
    db_check,
    db_paths,
    delta,
    guard,
    logwatch,
    mounts,
    notify,
    outages,
    perms,
    probe,
    proxy,
    status,
    work,
)
from tests.bench.measure import ROOT, Row

_PARTS = {
    "perms": perms.measure,
    "guard": guard.measure,
    "logwatch": logwatch.measure,
    "probe": probe.measure,
    "outages": outages.measure,
    "notify": notify.measure,
    "status": status.measure,
    "proxy": proxy.measure,
    "hang": proxy.measure_hang,
    "mounts": mounts.measure,
    "watching": mounts.measure_watching,
    "cloud": cloud.measure,
    "db": db.measure,
    "db_paths": db_paths.measure,
    "db_check": db_check.measure,
    "work": work.measure,
    "delta": delta.measure,
}
# They wait more than they work, and do so side by side; what is measured meanwhile has room to what is asked of it. The others have the
# machine for themselves.
_WAITING, _MEANWHILE = ("outages", "mounts", "watching", "hang"), ("logwatch", "notify", "status", "cloud")
_HEAD = ("name", "ours", "unit", "reference", "ratio", "target", "met", "note")
_BUILD = ROOT / "build"
_MADE, _END = "<!-- made by `make bench` -->", "<!-- end -->"


def _measure(parts: Sequence[str], unmeasured: list[str]) -> Iterator[Row]:
    """unmeasured: takes the names of the parts that could not be."""
    with ThreadPoolExecutor(len(_WAITING)) as pool:
        waiting = [pool.submit(lambda part=part: list(_measure_part(part, unmeasured))) for part in parts if part in _WAITING]
        for part in (part for part in parts if part in _MEANWHILE):
            yield from _measure_part(part, unmeasured)
        for found in waiting:
            yield from found.result()
    for part in (part for part in parts if part not in (*_WAITING, *_MEANWHILE)):
        yield from _measure_part(part, unmeasured)


def _measure_part(part: str, unmeasured: list[str]) -> Iterator[Row]:
    began = time.monotonic()
    try:
        # Not in /tmp, which may be memory.
        with tempfile.TemporaryDirectory(prefix="plexguard-bench-", dir="/var/tmp") as folder:
            yield from _PARTS[part](Path(folder))
    except Exception:
        # The others are measured all the same.
        traceback.print_exc()
        unmeasured.append(part)
    print(
        f"({part} {'COULD NOT BE MEASURED, after' if part in unmeasured else 'took'} {time.monotonic() - began:.0f} s)",
        file=sys.stderr,
        flush=True,
    )


def _cells(row: Row) -> tuple[str, ...]:
    reference = "-" if row.reference is None else f"{row.reference:.4g}"
    ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
    met = {True: "yes", False: "NO", None: "-"}[row.is_met]
    return row.name, f"{row.ours:.4g}", row.unit, reference, ratio, "-" if row.target is None else str(row.target), met, row.note


def _print(cells: Sequence[str]) -> None:
    name, ours, unit, reference, ratio, target, met, note = cells
    print(f"{name:28}{ours:>9} {unit:5}{reference:>10}{ratio:>8}{target:>11}{met:>5}  {note}", flush=True)


def make_table(rows: Sequence[Row], unmeasured: Sequence[str], machine: str) -> str:
    """Return the table in Markdown."""
    met = [row.is_met for row in rows if row.target is not None]
    lines = [f"{machine}; {sum(map(bool, met))} of {len(met)} as asked for.", ""]
    lines += [f"**Could not be measured: {', '.join(unmeasured)}.**", ""] if unmeasured else []
    lines += ["| figure | measured | asked for | reference | ratio | what it is |", "|---|---|---|---|---|---|"]
    for row in rows:
        name, ours, unit, reference, ratio, target, met_, note = _cells(row)
        missed = " **missed**" if met_ == "NO" else ""
        lines.append(f"| `{name}` | {ours} {unit} | {target}{missed} | {reference} | {ratio} | {note} |")
    return "\n".join(lines) + "\n"


def _describe_machine(took_s: float) -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), platform.machine())
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    when = datetime.now(UTC).date().isoformat()
    kernel = platform.release().partition("-")[0]
    return (
        f"{when}, {os.cpu_count()} processors ({model}), {memory_gb:.0f} GB, Linux {kernel}, Python {platform.python_version()}, "
        f"in {took_s / 60:.0f} min"
    )


def write_into(readme: Path, table: str) -> None:
    """Put the table where the one of the run before is."""
    before, _, rest = readme.read_text(encoding="utf-8").partition(_MADE)
    _, _, after = rest.partition(_END)
    assert after, f"{readme} has no place for it"
    readme.write_text(f"{before}{_MADE}\n{table}{_END}{after}", encoding="utf-8")


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m tests.bench", description=__doc__)
    parser.add_argument("part", nargs="*", choices=[[], *_PARTS], help=f"only these of: {', '.join(_PARTS)}")
    parser.add_argument("--into-readme", action="store_true", help="README.md shows this run")
    given = parser.parse_args(argv)
    if given.part and given.into_readme:
        parser.error("README.md shows whole runs only")
    began, rows, unmeasured = time.monotonic(), list[Row](), list[str]()
    _print(_HEAD)
    for row in _measure(given.part or tuple(_PARTS), unmeasured):
        rows.append(row)
        _print(_cells(row))
    _BUILD.mkdir(exist_ok=True)
    (_BUILD / "bench.json").write_text(json.dumps([row.as_json() for row in rows], indent=1) + "\n", encoding="utf-8")
    table = make_table(rows, unmeasured, _describe_machine(time.monotonic() - began))
    (_BUILD / "bench.md").write_text(table, encoding="utf-8")
    if given.into_readme:
        write_into(ROOT / "README.md", table)
    missed = [row.name for row in rows if row.is_met is False]
    print(f"{(time.monotonic() - began) / 60:.0f} min; written to build/bench.md; not as asked for: {', '.join(missed) or 'none'}")
    print(f"could not be measured: {', '.join(unmeasured) or 'none'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
