"""An observation of a machine on which everything is well, to be changed by what a test is about."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from plexguard.core import published
from plexguard.core.clock import Moment
from plexguard.core.found import FoundPlex, Server
from plexguard.core.manager import Timer, Unit
from plexguard.core.published import Reading
from plexguard.core.unreadable import Record
from plexguard.status.decide import decide
from plexguard.status.observe import JournalSeen, Observation
from plexguard.status.overview import Overview, State, Thing
from tests.fakes.ports import BEGIN

NOW_S = 10_000.0
NOW = Moment(wall=BEGIN, boot_id="boot-1", uptime_s=NOW_S)
TIMERS = ("db-export", "discover", "net-recover", "perms-audit", "perms-audit-full", "plex-probe", "speed-test")
DAEMONS = ("log-watch", "perms-guard", "proxy")


def before(seconds: float) -> Moment:
    return Moment(wall=BEGIN - timedelta(seconds=seconds), boot_id="boot-1", uptime_s=NOW_S - seconds)


def wall(seconds_ago: float) -> datetime:
    return BEGIN - timedelta(seconds=seconds_ago)


def make_units() -> dict[str, Unit]:
    enabled = [
        *(f"plexguard-{name}.timer" for name in TIMERS),
        *(f"plexguard-{name}.service" for name in DAEMONS),
        "plexguard.target",
    ]
    units = [
        *(Unit(name=name, load_state="loaded", active_state="active", file_state="enabled", preset="enabled") for name in enabled),
        *(
            Unit(
                name=f"plexguard-{name}.service", load_state="loaded", file_state="static", started_s=NOW_S - 61, ended_s=NOW_S - 60
            )
            for name in TIMERS
        ),
        *(
            Unit(
                name=f"plexguard-{name}.service",
                load_state="loaded",
                active_state="active",
                file_state="static",
                started_s=NOW_S - 5_000,
            )
            for name in ("proxy-breaker", "proxy-pictures")
        ),
        Unit(name="plexguard-plex-restart.service", load_state="loaded", file_state="static", preset="disabled"),
    ]
    return {unit.name: unit for unit in units}


def make_seen(**changes: Any) -> Observation:
    """Return the observation of a healthy machine; a record that is given becomes the reading of it."""
    plex = FoundPlex(server=Server.UNIT, name="plexmediaserver.service", url="http://127.0.0.1:32400")
    probe = published.ProbeSeen(
        verdict="healthy", checked=before(12), version="1.43.4", latencies={"tcp": 0.001, "identity": 0.004}, viewers=0
    )
    speed = published.SpeedResult(download_bit_per_s=93_400_000.0, upload_bit_per_s=21_000_000.0, ping_ms=12.2, server="Example")
    values: dict[str, Any] = {
        "now": NOW,
        "now_s": NOW_S,
        "host": "house",
        "plex": plex,
        "container": None,
        "probe": probe,
        "restarts": None,
        "network": published.NetworkSeen(verdict="online", detail="1.1.1.1 answers", interface="eth0", checked=before(20)),
        "reboots": None,
        "speed": published.SpeedSeen(),
        "speed_lines": (published.SpeedLine(time=wall(36_000), day="2026-03-01", result=speed),),
        "audit": published.AuditSeen(mounts={"/srv/media": "/srv"}),
        "unreadable": Record(),
        "notify": None,
        "logs": published.LogsSeen(folder="/var/lib/plex/Logs"),
        "mounts": {},
        "backups": {"library": published.BackupSeen(database="library", path="/b", made=wall(3_600), size_bytes=1_000, kept=3)},
        "cloud_runs": {},
        "hold": None,
        "trash": None,
        "proxy": published.ProxySeen(phase="closed", since=before(4_000), seen=before(15)),
        "units": make_units(),
        "timers": {f"plexguard-{name}.timer": Timer(name=f"plexguard-{name}.timer", next=wall(-300)) for name in TIMERS},
        "told": JournalSeen(since=wall(7 * 86_400)),
    }
    values |= changes
    readings = (
        "plex",
        "container",
        "probe",
        "restarts",
        "network",
        "reboots",
        "speed",
        "audit",
        "unreadable",
        "logs",
        "notify",
        "proxy",
        "hold",
        "trash",
    )
    values |= {name: _reading(values[name]) for name in readings}
    values |= {name: {key: _reading(value) for key, value in values[name].items()} for name in ("mounts", "backups", "cloud_runs")}
    return Observation(**values)


def _reading(value: object) -> Reading[Any]:
    return value if isinstance(value, Reading) else Reading(record=value)


def with_unit(name: str, **changes: Any) -> dict[str, Unit]:
    units = make_units()
    return {**units, name: replace(units.get(name, Unit(name=name, load_state="loaded")), **changes)}


def overview(**changes: Any) -> Overview:
    return decide(make_seen(**changes))


def thing(name: str, **changes: Any) -> Thing:
    (found,) = [thing for thing in overview(**changes).things if thing.name == name]
    return found


def state(name: str, **changes: Any) -> State:
    return thing(name, **changes).state
