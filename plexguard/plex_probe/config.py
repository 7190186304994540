"""The section [plex-probe], of the probe and of the restart that it may ask for."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from plexguard.core.options import BOOLEAN, count, option, span


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    SECTION: ClassVar[str] = "plex-probe"

    interval: timedelta = option(span("5s", "1h"), timedelta(seconds=30), "Time from one check to the next.")
    timeout: timedelta = option(
        span("1s", "30s"),
        timedelta(seconds=5),
        "How long Plex may take to be connected to and to say who it is, and again for each level behind that.",
    )
    looks: int = option(count(2, 5), 3, "Failed looks in a row until a fault is certain.")
    pause: timedelta = option(span("100ms", "10s"), timedelta(milliseconds=1500), "Time between two looks of one check.")
    slow: timedelta = option(
        span("100ms", "30s"), timedelta(seconds=2), "A Plex that takes longer for an answer, check after check, is degraded."
    )
    read_media: bool = option(BOOLEAN, False, "Read a byte of a media file through Plex at each check, which keeps disks awake.")
    start_grace: timedelta = option(
        span("5s", "1h"), timedelta(seconds=60), "A Plex that was started so recently may not answer yet."
    )
    transition_limit: timedelta = option(
        span("30s", "1h"), timedelta(minutes=3), "Starting, stopping and being restarted excuse silence for no longer than this."
    )
    start_limit: timedelta = option(
        span("1min", "4h"), timedelta(minutes=15), "The same for a start at which the log or the database still moves."
    )
    busy_limit: timedelta = option(
        span("0s", "4h"), timedelta(minutes=10), "A silent Plex whose database is being written has so long before it is hung."
    )
    blocked_limit: timedelta = option(
        span("2min", "24h"),
        timedelta(minutes=10),
        "A database that answers nobody, and is not written to, for so long is cured by a restart, if nobody watches.",
    )
    update_limit: timedelta = option(
        span("1min", "4h"),
        timedelta(minutes=15),
        "An update excuses silence for so long, then it is told. No restart in it anyway.",
    )
    maintenance_limit: timedelta = option(
        span("1min", "24h"), timedelta(minutes=20), "Maintenance in which nothing moves for so long is told as a broken update."
    )
    restart: bool = option(BOOLEAN, True, "Restart Plex when it is certain that this is needed. false: only report.")
    max_restarts_per_incident: int = option(count(0, 10), 2, "Restarts for one outage, then it is left to a person.")
    max_restarts_per_day: int = option(count(0, 48), 6, "Restarts in 24 hours, whatever for.")
    stop_timeout: timedelta = option(
        span("5s", "10min"), timedelta(seconds=60), "How long Plex may take to stop before it is killed."
    )
    stop_timeout_hung: timedelta = option(span("1s", "10min"), timedelta(seconds=10), "The same for a Plex that is certainly hung.")
    start_timeout: timedelta = option(span("5s", "15min"), timedelta(seconds=90), "How long a restarted Plex may take to answer.")
