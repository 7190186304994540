"""Archives of a library of 456,534 tracks: made, verified, how large, and what making one costs in memory and in waiting."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from plexguard.db_export.database.files import PlexData
from tests.bench.libraries import TRACKS, copied, crowded, destroy_pages, huge, large
from tests.bench.measure import PYTHON, Row, at_most, at_most_times, peak_pss_mb, row, wall_s
from tests.fakes.libraries import MEDIA

_RUNS = 2
_PAGES = (4096, 1024)
_HUGE_BYTES = 4_000_000_000
_FILES = 200_000
_DESTROYED = 20
_COMMAND = (PYTHON, "-m", "plexguard.db_export")
_HASH = (
    "import hashlib, sys\n"
    "for name in sys.argv[1:]:\n"
    "    with open(name, 'rb') as file:\n"
    "        hashlib.file_digest(file, 'sha256')\n"
)
# Changes a row, again and again, until it is told to stop; prints for how long one change took at most, in milliseconds.
_WRITE = (
    "import signal, sqlite3, sys, time\n"
    "stop, longest = [], 0.0\n"
    "signal.signal(signal.SIGTERM, lambda *_: stop.append(1))\n"
    "connection = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)\n"
    "print('ready', flush=True)\n"
    "while not stop:\n"
    "    began = time.perf_counter()\n"
    "    connection.execute('UPDATE section_locations SET updated_at = updated_at + 1')\n"
    "    longest = max(longest, time.perf_counter() - began)\n"
    "    time.sleep(0.002)\n"
    "print(longest * 1000)\n"
)


def measure(folder: Path) -> Iterator[Row]:
    for page_bytes in _PAGES:
        yield from _measure_export(folder, large(page_bytes=page_bytes), page_bytes)
    yield _measure_verify(folder)
    with copied(folder / "written", large(page_bytes=4096)) as written:
        yield _measure_waiting(folder, written)
    yield _measure_memory(folder, large(page_bytes=4096))


def _measure_export(folder: Path, data: PlexData, page_bytes: int) -> Iterator[Row]:
    """Measure against what people do: tar czf of the two databases, which neither hashes nor counts nor reads back."""
    reference = folder / "reference.tar.gz"
    databases = ["-C", str(data.databases), data.library.name, data.blobs.name]
    ours, theirs, sizes = [], [], []
    for _ in range(_RUNS):
        shutil.rmtree(folder / "archives", ignore_errors=True)
        ours.append(wall_s(_export(data, folder / "archives")))
        theirs.append(wall_s(["tar", "czf", str(reference), *databases]))
        sizes.append(_archive(folder).stat().st_size / 1e6)
    size_mb = sum(path.stat().st_size for path in (data.library, data.blobs)) / 1e6
    note = f"{TRACKS:,} tracks, {size_mb:.0f} MB, pages of {page_bytes}; reference: tar czf"
    name = "" if page_bytes == 4096 else f"-{page_bytes}"
    yield row(f"db.export{name}", ours, theirs, unit="s", note=note, target=at_most_times(0.2))
    reference_mb = [reference.stat().st_size / 1e6] * _RUNS
    yield row(f"db.export-size{name}", sizes, reference_mb, unit="MB", note=note, target=at_most_times(0.95))


def _export(data: PlexData, target: Path) -> list[str]:
    return [*_COMMAND, "export", "--data", str(data.folder), "--to", str(target)]


def _archive(folder: Path) -> Path:
    (path,) = (folder / "archives").glob("*.tar.zst")
    return path


def _measure_verify(folder: Path) -> Row:
    """Measure against unpacking to nowhere, then hashing what is in it, with the hash that Python has."""
    path, unpacked = _archive(folder), folder / "unpacked"
    with open(unpacked, "wb") as file:
        subprocess.run(["zstd", "-dcq", str(path)], stdout=file, check=True, timeout=300)
    ours, theirs = [], []
    for _ in range(_RUNS + 2):
        ours.append(wall_s([*_COMMAND, "verify", str(path)]))
        theirs.append(wall_s(["zstd", "-tq", str(path)]) + wall_s([PYTHON, "-c", _HASH, str(unpacked)]))
    unpacked.unlink()
    note = "with the rows of every table; reference: zstd -t, then SHA-256"
    return row("db.verify", ours, theirs, unit="s", note=note, target=at_most_times(1.2))


def _measure_waiting(folder: Path, data: PlexData) -> Row:
    """Measure for how long a server that changes something all the time waits, while an archive is made."""
    argv = [sys.executable, "-c", _WRITE, str(data.library)]
    writer = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    try:
        assert writer.stdout.readline() == "ready\n"
        shutil.rmtree(folder / "archives", ignore_errors=True)
        wall_s(_export(data, folder / "archives"))
        os.kill(writer.pid, signal.SIGTERM)
        longest_ms = float(writer.communicate(timeout=60)[0])
    finally:
        writer.kill()
    note = "the longest change of a row while an archive is made"
    return row("db.writer-wait", [longest_ms], None, unit="ms", note=note, target=at_most(500))


def _measure_memory(folder: Path, data: PlexData) -> Row:
    """Measure what needs most of all that is done with databases and archives, each with a library that is large for it."""
    largest = huge(size_bytes=_HUGE_BYTES)
    size_gb = largest.library.stat().st_size / 1e9
    peaks = {f"export of {size_gb:.1f} GB": _peak_of_export(folder, largest)}
    peaks["its verify"] = _peak_mb([*_COMMAND, "verify", str(_archive(folder))])
    peaks[f"export of {_FILES:,} files"] = _peak_of_export(folder, crowded(files=_FILES), "--with", "metadata")
    peaks["its verify"] = max(peaks["its verify"], _peak_mb([*_COMMAND, "verify", str(_archive(folder))]))
    peaks["check"] = _peak_mb([*_COMMAND, "check", str(data.library)])
    with copied(folder / "changed", data) as changed:
        mappings = folder / "mappings.json"
        mappings.write_text(json.dumps({"mappings": {MEDIA: "/srv/media"}}), encoding="utf-8")
        # 1: what it looks for afterwards is not there.
        peaks["remap"] = _peak_mb([*_COMMAND, "remap", "--mappings", str(mappings), "--data", str(changed.folder)], codes=(0, 1))
    with copied(folder / "damaged", data) as damaged:
        destroy_pages(damaged.library, _DESTROYED)
        peaks["repair"] = _peak_mb([*_COMMAND, "repair", "--force", "--data", str(damaged.folder)])
    note = ", ".join(f"{what} {peak_mb:.0f}" for what, peak_mb in peaks.items())
    return row("db.memory", [max(peaks.values())], None, unit="MB", note=f"the most of: {note}", target=at_most(150))


def _peak_mb(argv: Sequence[str], *, codes: Sequence[int] = (0,)) -> float:
    return peak_pss_mb(argv, codes=codes, every_s=0.05)


def _peak_of_export(folder: Path, data: PlexData, *options: str) -> float:
    shutil.rmtree(folder / "archives", ignore_errors=True)
    return _peak_mb([*_export(data, folder / "archives"), *options])
