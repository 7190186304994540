"""One life of the server: everything the endpoints work with, from start to stop, and how a start can fail."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from .analyzer import Analyzer
from .database import MAIN_NAME, unfinished_frames
from .faults import Faults, Switches
from .library import Library
from .logs import Logs
from .preferences import DEFAULT_TOKEN, Preferences
from .scanner import OpenMedia, Scanner
from .state import Activities, Activity, Butler, Session, Sessions

CORRUPT = "sqlite3_statement_backend::loadOne: database disk image is malformed"


class StartFailed(Exception):
    """The server could not start; the text is what it prints on the console."""


def unable(reason: str) -> str:
    """Return the console line of a start that failed. It never reaches the log file."""
    return f"Error: Unable to set up server: {reason} (N4soci10soci_errorE)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The parts of a running server."""

    data: Path
    faults: Faults
    logs: Logs
    preferences: Preferences
    library: Library
    scanner: Scanner
    analyzer: Analyzer
    open_media: OpenMedia
    sessions: Sessions = field(default_factory=Sessions)
    activities: Activities = field(default_factory=Activities)
    butler: Butler = field(default_factory=Butler)

    @property
    def switches(self) -> Switches:
        """The switches of this moment."""
        return self.faults.current()

    def playing(self) -> list[Session]:
        """Return all sessions, those the control file names included."""
        return self.sessions.listed(tuple(named_sessions(self.switches)))

    def busy_with(self) -> list[Activity]:
        """Return all activities, the running butler tasks included."""
        tasks = [Activity(type="butler", title=task, uuid=f"butler-{task}") for task in self.butler.running()]
        return [*self.activities.listed(), *tasks]


def open_context(data: Path, faults: Faults, logs: Logs, preferences: Preferences, opener: OpenMedia) -> Context:
    """Open the database and put the parts together. Raises StartFailed if the database is not usable."""
    sqlite = f"SQLite {sqlite3.sqlite_version}, threadsafe=1"
    logs.server.write("DEBUG", f"Opening 20 database sessions to library (com.plexapp.plugins.library), {sqlite}")
    folder = data / "Plug-in Support" / "Databases"
    frames = unfinished_frames(folder / MAIN_NAME)
    if frames:
        logs.server.write("INFO", f"SQLITE3:(nil), 283, recovered {frames} frames from WAL file {folder / MAIN_NAME}-wal")
    try:
        library = Library(folder)
    except sqlite3.Error as error:
        raise StartFailed(complain(logs, error)) from error
    logs.server.write("DEBUG", "Running migrations. (EPG 0)")
    activities = Activities()
    scanner = Scanner(library, activities, preferences, faults, logs, opener)
    return Context(
        data=data,
        faults=faults,
        logs=logs,
        preferences=preferences,
        library=library,
        scanner=scanner,
        analyzer=Analyzer(library, faults, logs),
        activities=activities,
        open_media=opener,
    )


def complain(logs: Logs, error: sqlite3.Error) -> str:
    """Log why the database cannot be opened and return the line for the console."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    reason = f"sqlite3_statement_backend::prepare: {error} for SQL: PRAGMA cache_size=2000"
    logs.server.write("ERROR", f'SQLITE3:(nil), {code}, {error} in "PRAGMA cache_size=2000"')
    logs.server.write("ERROR", f"Database corruption: {reason}")
    return unable(reason)


def named_sessions(switches: Switches) -> list[Session]:
    """Return the sessions of the control file, numbered where it gives them no id."""
    return [
        Session(**({"id": f"controlled-{number}", "session_key": str(number)} | dict(entry)))  # type: ignore[arg-type]
        for number, entry in enumerate(switches.sessions, start=1)
    ]


def apply_claim(preferences: Preferences, switches: Switches) -> None:
    """Sign the server in or out as the switches say; without a word from them, Preferences.xml decides."""
    if switches.claimed is False:
        if preferences.token:
            preferences.sign_out()
        return
    token = switches.token or preferences.token or (DEFAULT_TOKEN if switches.claimed else "")
    if token != preferences.token:
        preferences.claim(token)
