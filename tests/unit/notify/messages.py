"""A message, to be changed by who needs another."""

import dataclasses
from datetime import UTC, datetime, timedelta, timezone

from plexguard.notify.message import Message

HUNG = Message(
    id="0123456789abcdef0123456789abcdef",
    at=datetime(2026, 3, 1, 13, 30, 15, 250000, tzinfo=timezone(timedelta(hours=1))),
    host="tower",
    name="plex.hung",
    severity="error",
    area="plex",
    title="Plex hangs",
    message="Plex has not answered for 45 s",
    details={"silence_s": "45.0", "level": "identity"},
    action=("systemctl status plexmediaserver", "journalctl -u plexmediaserver"),
    unit="plexguard-plex-probe.service",
)
RECOVERED = dataclasses.replace(
    HUNG,
    id="fedcba9876543210fedcba9876543210",
    at=datetime(2026, 3, 1, 12, 33, 20, tzinfo=UTC),
    name="plex.recovered",
    severity="notice",
    title="Plex answers again",
    message="Plex answers again",
    details={},
    action=(),
    problem_id=HUNG.id,
    downtime_s=185.4,
)


def changed(base: Message = HUNG, /, **values) -> Message:
    return dataclasses.replace(base, **values)
