"""Whether somebody watches. A question that fails is never "nobody", and a player paused for days is no viewer.

Plex does not tell for how long a player has been paused: `plexguard-plex-probe`, which looks every 30 s, writes down since
when it has seen it so, and the others read that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from plexguard.core.clock import Moment
from plexguard.core.journal import Journal
from plexguard.core.plex import Plex, PlexError, PlexRefused, Session
from plexguard.core.state import STATE_ROOT, StateFile

PROBE_FOLDER = STATE_ROOT / "plex-probe"
PAUSED_NAME = "paused.json"
# The probe looks every 30 s, or every hour at the most that its configuration allows.
_FRESH_S = 4_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """since: when each player, by its name and the key of its session, was first seen paused. seen: when it was last looked at;
    nobody knows what a player did since the probe has stopped looking."""

    since: dict[str, Moment] = field(default_factory=dict)
    seen: Moment | None = None

    def is_fresh(self, now: Moment) -> bool:
        return self.seen is not None and now.seconds_since(self.seen) < _FRESH_S


def note_paused(sessions: Sequence[Session], known: Paused, now: Moment) -> Paused:
    """Return what is known after a look: a player that plays, or is gone, begins anew."""
    since = known.since if known.is_fresh(now) else {}
    return Paused(since={_name(s): since.get(_name(s), now) for s in sessions if s.is_paused and s.player}, seen=now)


def pick_viewers(sessions: Sequence[Session], paused: Paused, now: Moment, *, limit: timedelta) -> tuple[Session, ...]:
    """Return one session for each player at which somebody watches: playing, buffering, or paused for less than the limit."""
    since = paused.since if paused.is_fresh(now) else {}
    awake = (s for s in sessions if not _is_abandoned(s, since, now, limit))
    # Live TV is listed twice for the one player that shows it.
    return tuple({s.player or f"session {s.key}": s for s in awake}.values())


def _name(session: Session) -> str:
    return f"{session.player} {session.key}"


def _is_abandoned(session: Session, since: Mapping[str, Moment], now: Moment, limit: timedelta) -> bool:
    begin = since.get(_name(session)) if session.is_paused else None
    return begin is not None and now.seconds_since(begin) >= limit.total_seconds()


def paused_file(folder: Path, journal: Journal) -> StateFile[Paused]:
    return StateFile(folder / PAUSED_NAME, Paused, schema=1, journal=journal)


def ask_viewers(plex: Plex, paused: Paused, now: Moment, *, limit: timedelta, timeout_s: float) -> tuple[Session, ...] | None:
    """Return who watches, or None when that cannot be told: no answer, no token. Where nobody listens nobody watches.

    paused: what the probe has written down (`read_paused`).
    """
    try:
        sessions = plex.sessions(timeout_s=timeout_s)
    except PlexRefused:
        return ()
    except PlexError:
        return None
    return pick_viewers(sessions, paused, now, limit=limit)


def read_paused(journal: Journal, folder: Path = PROBE_FOLDER) -> Paused:
    """Return what the probe has written down. What cannot be read is not known: then every paused player counts."""
    return paused_file(folder, journal).peek() or Paused()
