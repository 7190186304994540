"""Measure everything and write build/bench.json: a list of {name, ours, reference, unit, ratio, note}."""

import json
import sys
import tempfile
from collections.abc import Iterator
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

_RESULT = ROOT / "build/bench.json"


def _measure() -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="plexguard-bench-") as folder:
        yield from perms.measure(Path(folder))
    with tempfile.TemporaryDirectory(prefix="plexguard-bench-") as folder:
        yield from guard.measure(Path(folder))
    yield from logwatch.measure()
    with tempfile.TemporaryDirectory(prefix="plexguard-bench-") as folder:
        yield from probe.measure(Path(folder))
    yield from outages.measure()
    with tempfile.TemporaryDirectory(prefix="plexguard-bench-") as folder:
        yield from notify.measure(Path(folder))
    yield from status.measure()
    yield from proxy.measure()
    yield from mounts.measure()
    yield from cloud.measure()
    # Not in /tmp, which may be memory.
    with tempfile.TemporaryDirectory(prefix="plexguard-bench-", dir="/var/tmp") as folder:
        yield from db.measure(Path(folder))
        yield from db_paths.measure(Path(folder))
        yield from db_check.measure(Path(folder))
        yield from work.measure(Path(folder))
        yield from delta.measure(Path(folder))


def main() -> int:
    rows = []
    print(f"{'name':26}{'ours':>10}{'reference':>12}{'unit':>6}{'ratio':>8}  note")
    for row in _measure():
        rows.append(row)
        reference = "-" if row.reference is None else f"{row.reference:.3f}"
        ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
        print(f"{row.name:26}{row.ours:>10.3f}{reference:>12}{row.unit:>6}{ratio:>8}  {row.note}", flush=True)
    _RESULT.parent.mkdir(exist_ok=True)
    _RESULT.write_text(json.dumps([row.as_json() for row in rows], indent=1) + "\n", encoding="utf-8")
    print(f"written to {_RESULT.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
