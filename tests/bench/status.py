"""What it costs to be seen: the page's first data from a large journal, a scrape, and the memory of all that stays."""

import contextlib
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from plexguard.core.clock import SystemClock
from plexguard.core.told import JournalEvents
from tests.bench import journals
from tests.bench.cache import cached
from tests.bench.journals import make_journal
from tests.bench.measure import Row, at_most, row
from tests.integration.status.serving import Sources, serving
from tests.machine import Machine, can_run
from tests.system.conftest import DEB, await_found, with_native_plex

_LINES, _TOLD, _DAYS = 5_000_000, 100_000, 30
# What the page asks for before it can show anything.
_FIRST_PAINT = ("/api/v1/overview", "/api/v1/timeline?range=24h", "/api/v1/series?range=24h", "/api/v1/events?limit=50")
_SCRAPES = 12
_URL = "http://127.0.0.1:32480"
_RESIDENT = """
import glob, json
found = []
for place in glob.glob("/proc/[0-9]*"):
    try:
        words = open(f"{place}/cmdline").read().split(chr(0))
        command = next((word for word in words[:2] if word.startswith("/usr/bin/plexguard-")), "")
        sizes = dict(line.split(":") for line in open(f"{place}/smaps_rollup").read().splitlines()[1:]) if command else {}
    except OSError:
        continue
    if sizes:
        kb = {name: int(sizes[name].split()[0]) for name in ("Pss", "Anonymous")}
        found.append([command.removeprefix("/usr/bin/plexguard-"), kb["Pss"], kb["Anonymous"]])
print(json.dumps(found))
"""


class _ThenClock(SystemClock):
    """The clock of the day on which the journal was made."""

    def __init__(self, then: datetime) -> None:
        self._then = then

    def now(self) -> datetime:
        return self._then


def measure(folder: Path) -> Iterator[Row]:
    yield from _measure_page()
    yield from _measure_machine()


def _measure_page() -> Iterator[Row]:
    journal = cached("journal", _make_journal, Path(journals.__file__))
    cold, warm = [], []
    with tempfile.TemporaryDirectory(prefix="plexguard-bench-") as folder:
        for number in range(3):
            place = Path(folder) / str(number)
            place.mkdir()
            cold.append(_paint(place, journal))
            warm.append(_paint(place, journal))
    note = (
        f"data of the last 24 h, {_TOLD:,} events among {_LINES:,} lines, first start without an index; "
        f"with it {statistics.median(warm) * 1000:.0f} ms"
    )
    yield row("status.page", [seconds * 1000 for seconds in cold], None, unit="ms", note=note, target=at_most(500))


def _paint(folder: Path, journal: Path) -> float:
    """Return how long a new server takes to give what the page shows first. Python's start is not in it."""
    sources, until = Sources(), datetime.fromisoformat((journal / "until").read_text(encoding="utf-8"))
    sources.events.open = lambda: JournalEvents(journal)  # type: ignore[method-assign,assignment,return-value]
    began = time.perf_counter()
    with serving(folder, sources, clock=_ThenClock(until)) as server:
        for path in _FIRST_PAINT:
            assert server.get(path).status == 200
        took = time.perf_counter() - began
        assert server.get(_FIRST_PAINT[1]).json["complete"]
        assert len(server.get(_FIRST_PAINT[3]).json["events"]) == 50
    return took


def _make_journal(folder: Path) -> None:
    until = datetime.now(UTC).replace(microsecond=0)
    make_journal(folder, lines=_LINES, told=_TOLD, until=until, days=_DAYS)
    (folder / "until").write_text(until.isoformat(), encoding="utf-8")


def _measure_machine() -> Iterator[Row]:
    reason = can_run()
    assert reason is None, f"no machine can be booted here: {reason}"
    with Machine(with_native_plex(DEB.resolve())) as machine:
        await_found(machine)
        machine.systemctl("start", "plexguard-plex-probe.service")
        scrape = ["curl", "-sf", "-o", "/dev/null", "-w", "%{time_total}", f"{_URL}/metrics"]
        first_s = float(machine.run(scrape).stdout)
        taken = []
        for _ in range(_SCRAPES):
            # As far apart as scrapes are, in small: the state has changed meanwhile, and was noticed.
            time.sleep(3)
            taken.append(float(machine.run(scrape).stdout) * 1000)
        with contextlib.suppress(ValueError):
            json.loads(machine.run(["curl", "-sf", f"{_URL}/api/v1/timeline?range=30d"]).stdout)
        resident = sorted(json.loads(machine.run(["/usr/bin/python3", "-c", _RESIDENT]).stdout))
    note = f"a scrape every 3 s; longest {max(taken):.1f} ms; the one that starts the service {first_s * 1000:.0f} ms"
    yield row("status.metrics", taken, None, unit="ms", note=note, target=at_most(20))
    pss_mb = sum(pss_kb for _, pss_kb, _ in resident) / 1024
    seen_mb = sum(anonymous_kb for name, _, anonymous_kb in resident if name in ("status", "notify")) / 1024
    who = ", ".join(f"{name} {pss_kb / 1024:.0f}" for name, pss_kb, _ in resident)
    note = f"PSS of all that stays: {who}; notify and status have {seen_mb:.0f} MB anonymous, at most 60 MB"
    yield row("resident.memory", [pss_mb], None, unit="MB", note=note, target=at_most(120))
