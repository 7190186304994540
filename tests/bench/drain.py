"""Drain a spool as the worker of a channel does, into a file: one number a line. Prints how long it took.

python3 -m tests.bench.drain fill|drain FOLDER EVENTS
"""

import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from plexguard.core import suite
from plexguard.core.clock import SystemClock
from plexguard.core.journal import StderrJournal
from plexguard.core.told import Told, stable_id
from plexguard.notify.config import Channel
from plexguard.notify.deliver import Delivery, Outside
from plexguard.notify.line import line_from_told
from plexguard.notify.message import Limits, Message
from plexguard.notify.past import Past
from plexguard.notify.spool import Spool, SpoolReader
from plexguard.notify.state import ChannelState, open_state
from plexguard.speed_test.events import FAILED

_CURSOR = "s=c1d4a0a1e9d14b3c8a7d6a0c8a3f2b10;i={0:x};b=7f1c7c5b2b0a4a9c8a5d6e0f1a2b3c4d;m={0:x};t=63f1a2b{0:05x};x=1a2b3c4d{0:08x}"


class FileSender:
    """As many in one call as Airtable takes, and no limit of calls: what is measured is ours."""

    limits = Limits(batch=10, per_second=1e9, timeout_s=1.0)

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="ascii")

    def send(self, messages: Sequence[Message]) -> None:
        self._file.writelines(f"{message.details['attempt']}\n" for message in messages)
        self._file.flush()


def fill(folder: Path, count: int) -> None:
    (folder / "channels").mkdir(parents=True)
    spool = Spool(folder / "spool", limit_bytes=100 << 20)
    spool.open(lambda: "")
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    for first in range(1, count + 1, 500):
        lines = []
        for number in range(first, min(first + 500, count + 1)):
            values = {"reason": "the command was ended after 5 min", "attempt": number, "limit": 4, "day": "2026-03-01"}
            cursor = _CURSOR.format(number)
            told = Told(
                id=stable_id(cursor),
                cursor=cursor,
                at=begin + timedelta(seconds=number),
                event=FAILED,
                message=FAILED.render(values),
                values=values,
                unit="plexguard-speed-test.service",
                host="media",
            )
            lines.append(line_from_told(told, number))
        spool.append(lines)
    assert spool.drop(1) == 0, "a hundred thousand events do not fit"


def drain(folder: Path) -> float:
    outside = Outside(
        clock=SystemClock(),
        journal=StderrJournal(),
        open_sender=lambda: FileSender(folder / "arrived"),
        zone=UTC,
        events={event.name: event for event in suite.events()},
        sign=lambda: None,
        go_on=lambda: True,
        jitter=lambda: 0.0,
    )
    channel = Channel(kind="webhook", url="http://127.0.0.1:1/", min_priority="info", fold=timedelta(0))
    file = open_state(folder, "house", outside.journal)
    began = time.monotonic()
    Delivery(
        "house",
        channel,
        root=folder,
        file=file,
        reader=SpoolReader(folder / "spool"),
        outside=outside,
        state=ChannelState(past=Past(position=1)),
    ).run()
    return time.monotonic() - began


if __name__ == "__main__":
    place = Path(sys.argv[2])
    if sys.argv[1] == "fill":
        fill(place, int(sys.argv[3]))
    else:
        (place / "took").write_text(json.dumps(drain(place)), encoding="ascii")
