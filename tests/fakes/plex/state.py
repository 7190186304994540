"""What a running server knows without its database: who watches, what it is busy with, which butler tasks run."""

from __future__ import annotations

import secrets
import threading
import time
import uuid
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody playing something. type is movie, episode, track, photo or clip; state is playing, paused or buffering.

    id "" is a player Plex gives no Session element, so that it cannot be terminated.
    """

    type: str = "movie"
    title: str = "Movie 1"
    grandparent_title: str = ""
    state: str = "playing"
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    session_key: str = "1"
    rating_key: str = "1"
    section: str = "1"
    user: str = "owner"
    user_id: int = 1
    player: str = "SHIELD Android TV"
    product: str = "Plex for Android (TV)"
    platform: str = "Android"
    address: str = "192.168.1.11"
    client: str = "1234567890123456-com-plexapp-android"
    location: str = "lan"
    bandwidth_kbps: int = 7000
    view_offset_ms: int = 421000
    duration_ms: int = 9000000
    transcoding: bool = False
    live: bool = False


class Sessions:
    """The sessions of this life of the server, and the clients whose session the owner ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: list[Session] = []
        self._reasons: dict[str, str] = {}
        self._terminated: set[str] = set()

    def add(self, session: Session) -> Session:
        """Begin a session."""
        with self._lock:
            self._sessions.append(session)
            self._reasons.pop(session.client, None)
        return session

    def replace(self, session_id: str, **changes: object) -> None:
        """Change fields of a session, such as its state."""
        with self._lock:
            self._sessions = [
                replace(session, **changes) if session.id == session_id else session  # type: ignore[arg-type]
                for session in self._sessions
            ]

    def remove(self, session_id: str) -> None:
        """End a session as its player would."""
        with self._lock:
            self._sessions = [session for session in self._sessions if session.id != session_id]

    def terminate(self, session: Session, reason: str) -> None:
        """End a session by the owner's will: its client is told at its next timeline report."""
        self.remove(session.id)
        with self._lock:
            self._terminated.add(session.id)
            self._reasons[session.client] = reason

    def listed(self, extra: tuple[Session, ...] = ()) -> list[Session]:
        """Return who is playing; extra are sessions named by the control file, unless they were terminated."""
        with self._lock:
            return [session for session in (*self._sessions, *extra) if session.id not in self._terminated]

    def termination_reason(self, client: str) -> str | None:
        """Return why a client's session was ended, or None if it was not."""
        with self._lock:
            return self._reasons.get(client)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """An entry of /activities; progress is 0 to 100, or -1 if unknown."""

    type: str
    title: str
    subtitle: str = ""
    progress: int = -1
    cancellable: bool = False
    section: str = ""
    key: str = ""
    user_id: int = 1
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))


class Activities:
    """What the server says it is doing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._activities: dict[str, Activity] = {}

    def put(self, activity: Activity) -> Activity:
        """Register an activity, or replace the one of the same uuid."""
        with self._lock:
            self._activities[activity.uuid] = activity
        return activity

    def remove(self, identifier: str) -> None:
        """End an activity."""
        with self._lock:
            self._activities.pop(identifier, None)

    def find(self, identifier: str) -> Activity | None:
        """Return an activity by its uuid."""
        with self._lock:
            return self._activities.get(identifier)

    def listed(self) -> list[Activity]:
        """Return all activities, oldest first."""
        with self._lock:
            return list(self._activities.values())


class Butler:
    """The scheduled tasks; a task that was started runs for a fixed time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: dict[str, float] = {}

    def start(self, task: str, *, duration_s: float) -> bool:
        """Start a task; False if it already runs."""
        with self._lock:
            if self._ends.get(task, 0.0) > time.monotonic():
                return False
            self._ends[task] = time.monotonic() + duration_s
            return True

    def stop(self, task: str) -> bool:
        """Stop a task; False if it does not run."""
        with self._lock:
            return self._ends.pop(task, 0.0) > time.monotonic()

    def running(self) -> list[str]:
        """Return the names of the tasks that run now."""
        with self._lock:
            return [task for task, end in self._ends.items() if end > time.monotonic()]
