"""A large journal in files, made by systemd-journal-remote from its export format: plexguard's events among many others' lines."""

import itertools
import random
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

from plexguard.core.events import Event, FilePath, Mode
from plexguard.core.suite import events
from tests.bench.measure import ROOT

_REMOTE = "/lib/systemd/systemd-journal-remote"
_BOOT = "5b0e1c2d3f4a46c8a1b2c3d4e5f60718"
_MADE_UP = {
    str: "some text of an event",
    int: 3,
    float: 12.5,
    FilePath: FilePath("/srv/media/Films/Film (2001)/film.mkv"),
    Mode: Mode(0o640),
}
# A path that is repaired, most of the time; a Plex that is down and recovers; what a run sums up.
_WEIGHTS = {"perms.repaired": 60, "perms.audited": 20, "logs.complaint": 10, "plex.hung": 2, "plex.recovered": 2}


def make_journal(folder: Path, *, lines: int, told: int, until: datetime, days: int) -> None:
    """Make a journal of so many lines, events among them, evenly over some days. Two writers share the work, a half each."""
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        middle = until - timedelta(days=days / 2)
        halves = [(0, middle), (1, until)]
        for done in [pool.submit(_write_half, folder, n, lines // 2, told // 2, end, days / 2) for n, end in halves]:
            done.result()


def _write_half(folder: Path, number: int, lines: int, told: int, until: datetime, days: float) -> None:
    arguments = (str(folder), number, lines, told, until.isoformat(), days)
    script = f"from tests.bench import journals; journals.write_half{arguments!r}"
    subprocess.run(["/usr/bin/python3", "-c", script], cwd=ROOT, stdin=subprocess.DEVNULL, check=True, timeout=3600)


def write_half(folder: str, number: int, lines: int, told: int, until: str, days: float) -> None:
    command = [_REMOTE, f"--output={folder}/remote-{number}.journal", "--split-mode=none", "-"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stdin is not None and process.stderr is not None
    entries = _entries(number, lines, told, datetime.fromisoformat(until), days)
    while chunk := b"".join(itertools.islice(entries, 2000)):
        process.stdin.write(chunk)
    process.stdin.close()
    assert process.wait(600) == 0, process.stderr.read()


def _entries(half: int, lines: int, told: int, until: datetime, days: float) -> Iterator[bytes]:
    choose, boot = random.Random(half), _BOOT[:-1] + str(half)
    length_us = int(days * 86_400e6)
    began_us = int(until.timestamp() * 1e6) - length_us
    known = {event.name: event for event in events()}
    names = iter(choose.choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=told))
    for line in range(lines):
        since_us = length_us * line // lines
        at_us = began_us + since_us
        head = (
            f"__CURSOR=s=f00d{half};i={line + 1:x};b={boot};m={since_us:x};t={at_us:x};x={line:x}\n"
            f"__REALTIME_TIMESTAMP={at_us}\n__MONOTONIC_TIMESTAMP={since_us}\n_BOOT_ID={boot}\n_HOSTNAME=media\n"
        )
        if line * told // lines != (line - 1) * told // lines:
            yield (head + _event(known[next(names)], line)).encode()
        else:
            yield (
                f"{head}_UID=0\n_SYSTEMD_UNIT=other-{line % 40}.service\nPRIORITY=6\n"
                f"MESSAGE=line {line} of a program that has much to say\n\n"
            ).encode()


def _event(event: Event, number: int) -> str:
    values = {name: _MADE_UP[kind] for name, kind in event.fields.items()}
    if "path" in values:
        values["path"] = FilePath(f"/srv/media/Films/Film {number}/film.mkv")
    fields = event.journal_fields(values)
    text = "".join(f"{name}={value.decode() if isinstance(value, bytes) else value}\n" for name, value in fields.items())
    return (
        f"_UID=990\n_SYSTEMD_UNIT=plexguard-{event.name.partition('.')[0]}.service\nPRIORITY={int(event.priority)}\n"
        f"MESSAGE_ID={event.message_id}\nMESSAGE={event.render(values)}\n{text}\n"
    )
