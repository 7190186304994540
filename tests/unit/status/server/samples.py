"""An overview with everything in it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from plexguard.core.published import SpeedLine, SpeedResult
from plexguard.status.overview import (
    BackupView,
    Breaker,
    BudgetView,
    ChannelView,
    CloudRunView,
    HoldView,
    MountView,
    Overview,
    PlexView,
    ProblemView,
    State,
    Thing,
    TimerView,
    TrashView,
)
from plexguard.status.server.metrics import Measured
from tests.fakes.told import EVENTS

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
PLEX = Thing(name="plex", title="Plex", state=State.WELL, summary="healthy")
WELL = Overview(
    at=NOW,
    host="media",
    healthy=True,
    things=(PLEX,),
    plex=PlexView(verdict="healthy", checked=NOW, version="1.40", latencies={"identity": 0.002, "database": 0.01}, viewers=2),
)
FULL = replace(
    WELL,
    plex=replace(
        WELL.plex,
        breaker=Breaker(
            state="half-open",
            since=NOW - timedelta(seconds=3),
            opened=NOW - timedelta(minutes=1),
            trigger="checks",
            reason="down",
            text="Plex is down",
            failures=2,
            failed_checks=3,
            opens=4,
            open_s=90.5,
            checked=NOW,
        ),
    ),
    healthy=False,
    things=(PLEX, Thing(name="mount films", title='Mount "films"\n', state=State.PROBLEM, summary="dead")),
    timers=(TimerView(unit="plexguard-plex-probe.timer", last=NOW, next=NOW, result="success"),),
    budgets=(BudgetView(name="restarts", used=2, limit=6, period="24 h", left=4),),
    channels=(ChannelView(name="mail", kind="mail", waiting=3, oldest=NOW - timedelta(hours=1), dropped=1, state=State.WARNING),),
    problems=(ProblemView(text="Mount films gives no bytes", since=NOW, command="plexguard-status"),),
    mounts=(
        MountView(name="films", path="/srv/films", state=State.PROBLEM, verdict="stale", checked=NOW),
        MountView(
            name="tv",
            path="/srv/tv",
            state=State.WELL,
            verdict="proven",
            checked=NOW,
            proven=NOW - timedelta(seconds=2),
            latency_s=0.31,
            limit_s=3.0,
            cache_bytes=3 * 10**9,
            cache_limit_bytes=5 * 10**10,
            waiting=0,
            probes={"data": 600, "through": 60},
            remounts=1,
            remounts_total=7,
        ),
        MountView(name="music", path="/srv/music", state=State.UNKNOWN, verdict=""),
    ),
    hold=HoldView(held=True, since=NOW, mounts=("films",)),
    trash=(
        TrashView(library="1", title="Films", state=State.WARNING, missing=60, total=900, limit=50, kept="many", kept_since=NOW),
        TrashView(library="2", title="Shows", state=State.UNKNOWN, emptied_total=9),
    ),
    backups=(BackupView(name="library", database="library.db", state=State.WELL, made=NOW, size_bytes=10**9, kept=3),),
    cloud_runs=(CloudRunView(name="delta", phase="scan", began=NOW, done=5, total=10, cost_euros=12.5),),
)
SPEED = SpeedLine(
    time=NOW, day="2026-11-21", result=SpeedResult(download_bit_per_s=1e8, upload_bit_per_s=2e7, ping_ms=12.0, server="x")
)
MEASURED = Measured(
    overview=FULL,
    counts={"plex.restarting": 3, "perms repaired": 41, "plex.down": 7},
    events={name: event.priority.severity for name, event in EVENTS.items()},
    speed=SPEED,
    failed_units={"plexguard-plex-probe.service": False, "plexguard-perms-audit.service": True},
)
