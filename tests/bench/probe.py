"""What one healthy check costs, Python's start included, against Python's start alone."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from tests.bench.measure import PYTHON, Row, at_most, cpu_s, row
from tests.fakes.plex import PlexSimulator

_RUNS = 15
# The check as the unit runs it, with the one file that root publishes for it in a place of the bench's own.
_CHECK = """
import sys
from pathlib import Path
from plexguard.core import found
from plexguard.plex_probe import __main__ as probe
folder = Path(sys.argv.pop(1))
probe.read_plex = lambda journal: found.read_plex(journal, folder)
probe.main()
"""


def measure(folder: Path) -> Iterator[Row]:
    with PlexSimulator(folder / "Plex Media Server") as plex:
        found = {"schema": 1, "server": "remote", "name": "bench", "url": plex.url}
        (folder / "plex.json").write_text(json.dumps(found), encoding="utf-8")
        (folder / "plexguard.toml").write_text("", encoding="utf-8")
        (folder / "plex.token").write_text(plex.token, encoding="utf-8")
        os.environ |= {"STATE_DIRECTORY": str(folder), "CREDENTIALS_DIRECTORY": str(folder)}
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        check = [PYTHON, "-c", _CHECK, str(folder), "--config", str(folder / "plexguard.toml")]
        cpu_s(check)
        assert json.loads((folder / "state.json").read_text())["verdict"] == "healthy"
        assert json.loads((folder / "state.json").read_text())["latencies"]["database"]
        pairs = [(cpu_s(check), cpu_s([PYTHON, "-c", "pass"])) for _ in range(_RUNS)]
    ours, theirs = [a for a, _ in pairs], [b for _, b in pairs]
    note = "CPU of a healthy check; reference: Python's start alone"
    yield row("probe.tick-cpu", ours, theirs, unit="s", note=note, target=at_most(0.15))
