"""What `plexguard-notify` shows to people: what is waiting, and a message as a trial."""

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from plexguard.core.errors import PlexguardError
from plexguard.core.events import Priority
from plexguard.core.published import NotifySeen
from plexguard.core.records import encode
from plexguard.notify.line import Line
from plexguard.notify.message import Message
from plexguard.notify.spool import SPOOL, SpoolReader, first_number, segments

_SHOWN = 20


def make_trial(channel: str, host: str, now: datetime) -> Message:
    """Return the message that `plexguard-notify test` sends."""
    return Message(
        id=f"test-{channel}-{now:%Y%m%dT%H%M%S%f}",
        at=now,
        host=host,
        name="notify.test",
        severity=Priority.NOTICE.severity,
        area="notify",
        title="A message as a trial",
        message=f"This is a trial of channel {channel}: what plexguard tells on {host} arrives here",
        details={"channel": channel},
        unit="plexguard-notify.service",
    )


def as_json(seen: NotifySeen | None) -> dict[str, Any]:
    return dict(encode(seen)) if seen is not None else {"channels": []}


def read_waiting(root: Path) -> tuple[Line, ...]:
    """Return the oldest events in the spool, at most so many as are shown; none where it cannot be read."""
    with contextlib.suppress(PlexguardError):
        found = segments(root / SPOOL)
        if found:
            return tuple(itertools.islice(SpoolReader(root / SPOOL).lines(first_number(found[0])), _SHOWN))
    return ()


def render(seen: NotifySeen | None, waiting: Sequence[Line]) -> Iterator[str]:
    """Yield the lines of the list."""
    if seen is None or not seen.channels:
        yield "no channel is configured, or the service has not run yet"
        return
    if seen.trouble:
        yield f"nothing is taken from the journal: {seen.trouble}"
    oldest = None
    for channel in seen.channels:
        since = f", oldest of {channel.oldest:%Y-%m-%d %H:%M:%S} UTC" if channel.oldest else ""
        yield f"{channel.name} ({channel.kind}): {channel.state}, {channel.waiting} waiting{since}"
        if channel.reason:
            yield f"    {channel.reason}"
        counts = {"delivered": channel.delivered, "dropped": channel.dropped, "rejected": channel.rejected}
        yield "    " + ", ".join(f"{count} {what}" for what, count in counts.items())
        if channel.oldest is not None:
            oldest = min(oldest or channel.oldest, channel.oldest)
    shown = [line for line in waiting if oldest is not None and line.at >= oldest]
    for line in shown:
        yield f"  {line.at:%Y-%m-%d %H:%M:%S} {line.name}: {line.message.partition(chr(10))[0]}"
