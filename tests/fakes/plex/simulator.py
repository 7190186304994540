"""The simulated server: its life from start to stop, and the handles tests have on it."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from . import api, database, logs
from .blockade import Blockade, migrate
from .context import CORRUPT, Context, StartFailed, apply_claim, open_context, unable
from .faults import Faults, Switches
from .listener import Listener
from .logs import Logs
from .messages import Reply, Request, maintenance
from .preferences import Preferences
from .scanner import OpenMedia, open_media
from .scanner import Request as ScanRequest
from .state import Activity, Session

WATCH_INTERVAL_S = 0.1
FOLDERS = (
    "Cache",
    "Codecs",
    "Crash Reports",
    "Logs",
    "Media/localhost",
    "Metadata",
    "Plug-in Support/Databases",
    "Plug-in Support/Preferences",
    "Plug-ins",
)
# Modes in which the process is gone.
FATAL = frozenset({"crash", "corrupt"})


class PlexSimulator:
    """A Plex Media Server that does what it is told, above all the wrong things.

    data is the folder 'Plex Media Server'. Without control the switches live in memory. on_crash is called with the console
    line when the process would die; without it the port is closed and the simulator lies dead until restart().
    """

    def __init__(
        self,
        data: Path,
        *,
        port: int = 0,
        address: str = "127.0.0.1",
        control: Path | None = None,
        on_crash: Callable[[str], None] | None = None,
        opener: OpenMedia = open_media,
    ) -> None:
        self.data = data
        self.address = address
        self.port = port
        self.faults = Faults(control)
        self.requests: list[Request] = []
        self.console: list[str] = []
        self._on_crash = on_crash
        self._opener = opener
        self._context: Context | None = None
        self._listener: Listener | None = None
        self._stopping = threading.Event()
        self._lock = threading.RLock()
        self._watcher: threading.Thread | None = None
        self._blockade = Blockade(self.database)
        self._scheduled_at = 0.0
        self._folders: dict[str, int] = {}
        for folder in FOLDERS:
            (data / folder).mkdir(parents=True, exist_ok=True)
        self.logs = Logs(data / "Logs")
        self.preferences = Preferences(data / "Preferences.xml")

    # Where things are

    @property
    def url(self) -> str:
        """The address to ask, without a slash at the end."""
        return f"http://{self.address}:{self.port}"

    @property
    def token(self) -> str:
        """The owner's token, '' while unclaimed."""
        return self.preferences.token

    @property
    def databases(self) -> Path:
        """The folder of the databases."""
        return self.data / "Plug-in Support" / "Databases"

    @property
    def database(self) -> Path:
        """The library database."""
        return self.databases / database.MAIN_NAME

    @property
    def log_file(self) -> Path:
        """Plex Media Server.log."""
        return self.logs.server.path

    @property
    def mode(self) -> str:
        """The mode of this moment."""
        return self.faults.current().mode

    @property
    def is_listening(self) -> bool:
        """Whether the port is open."""
        return self._listener is not None

    # Life

    def __enter__(self) -> PlexSimulator:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Start, on the port of the last time if there was one. A start that fails ends as a crash does."""
        switches = self.faults.begin()
        self._stopping = threading.Event()
        self.logs.rotate()
        self.preferences = Preferences(self.data / "Preferences.xml")
        apply_claim(self.preferences, switches)
        logs.write_start(self.logs.server, switches.version)
        pid_file = self.data / "plexmediaserver.pid"
        pid_file.write_text(f"{os.getpid()}\n")
        pid_file.chmod(0o644)
        if switches.mode in FATAL:
            self._crash(unable(CORRUPT))
            return
        # The port opens before the database does.
        self._follow_mode()
        try:
            self._context = open_context(self.data, self.faults, self.logs, self.preferences, self._opener)
        except StartFailed as error:
            self._crash(str(error))
            return
        logs.write_running(self.logs.server)
        self._scheduled_at = time.monotonic()
        self._watcher = threading.Thread(target=self._watch, args=(self._stopping,), name="watcher", daemon=True)
        self._watcher.start()

    def stop(self, cause: str = "signal 15 (Terminated)") -> None:
        """Stop cleanly."""
        was_running = self._context is not None
        if was_running:
            logs.write_stop(self.logs.server, cause)
        self._end()
        if was_running:
            logs.write_stopped(self.logs.server)
            (self.data / "plexmediaserver.pid").unlink(missing_ok=True)

    def restart(self) -> None:
        """Stop and start again on the same port."""
        self.stop()
        self.start()

    def _end(self) -> None:
        self._stopping.set()
        with self._lock:
            listener, self._listener = self._listener, None
            context, self._context = self._context, None
        if listener is not None:
            listener.end()
        if self._watcher is not None and self._watcher is not threading.current_thread():
            self._watcher.join(2.0)
        if context is not None:
            context.scanner.stop()
            context.analyzer.stop()
            context.library.close()

    def _crash(self, line: str) -> None:
        self.console.append(line)
        if self._on_crash is not None:
            self._on_crash(line)
        self._end()

    # What is watched ten times a second

    def _watch(self, stopping: threading.Event) -> None:
        while not stopping.wait(WATCH_INTERVAL_S):
            # The port may be taken for a moment while it is closed here; the next look tries again.
            with contextlib.suppress(OSError):
                self._follow()
        self._blockade.end()

    def _follow(self) -> None:
        switches = self.faults.current()
        if switches.mode in FATAL:
            self._crash(unable(CORRUPT))
            return
        with self._lock:
            self._obey(switches)
        self._scan_by_itself(switches)

    def _obey(self, switches: Switches) -> None:
        apply_claim(self.preferences, switches)
        self.logs.server.debug = bool(self.preferences.value("logDebug"))
        self._follow_mode()
        if switches.mode == "database-blocked":
            self._blockade.begin()
            self._say("Sqlite3: Sleeping for 200ms to retry busy DB.")
        else:
            self._blockade.end()
        context = self._context
        if context and (self.faults.is_starting() or (switches.mode == "maintenance" and switches.migrating)):
            migrate(context.library, self.logs)

    def _scan_by_itself(self, switches: Switches) -> None:
        """Scan what is due by the clock, and what a folder's change calls for."""
        context = self._context
        if context is None or switches.mode != "healthy":
            return
        due = self._scheduled_at + switches.scheduled_s
        if switches.scheduled_s and time.monotonic() >= due and context.preferences.value("ScheduledLibraryUpdatesEnabled"):
            self._scheduled_at = time.monotonic()
            for section in context.library.sections():
                seconds = f"It's been {switches.scheduled_s:.0f} seconds"
                begins = f"so we're starting scheduled library update for section {section.key} ({section.title})"
                self.logs.server.write("INFO", f"{seconds}, {begins}")
                context.scanner.ask(ScanRequest(section=section.key))
        if context.preferences.value("FSEventLibraryUpdatesEnabled"):
            self._scan_changed(context)

    def _scan_changed(self, context: Context) -> None:
        for section in context.library.sections():
            for location in section.locations:
                with contextlib.suppress(OSError):
                    changed = os.stat(location.path).st_mtime_ns
                    if self._folders.setdefault(location.path, changed) != changed:
                        self._folders[location.path] = changed
                        context.scanner.ask(ScanRequest(section=section.key))

    def _follow_mode(self) -> None:
        """Open or close the port as the mode demands."""
        wants_port = self.faults.current().mode not in FATAL | {"refusing"}
        with self._lock:
            if wants_port == self.is_listening or self._stopping.is_set():
                return
            listener, self._listener = self._listener, None
            if wants_port:
                self._listener = Listener(self.address, self.port, self)
                self.port = self._listener.server_port
                self.logs.server.write("DEBUG", f"HttpServer: Listening on port {self.port}.")
        if listener is not None:
            listener.end()

    def _say(self, line: str) -> None:
        self.console.append(line)
        print(line, flush=True)

    # What connections ask

    def record(self, request: Request) -> None:
        """Remember what was asked."""
        self.requests.append(request)

    def log_request(self, line: str) -> None:
        """Write a line about a request. A server in maintenance writes only about its migration."""
        if self.mode == "maintenance" or self.faults.is_starting():
            return
        self.logs.server.write("DEBUG", line)

    def answer(self, request: Request) -> Reply:
        """Return the answer of a server that is well, or still starting."""
        context = self._context
        if context is None or self.faults.is_starting():
            return maintenance()
        return api.answer(context, request)

    # What tests do

    def set(self, **switches: object) -> None:
        """Change switches; see faults.Switches. It holds when this returns."""
        self.faults.set(switches)
        if self._context is not None:
            self._follow()

    def add_library(self, name: str, type: str, *folders: Path | str) -> int:
        """Create a library and return its key. It is not scanned."""
        return self._running.library.add_section(name, type, [str(folder) for folder in folders])

    def scan(self, key: int, *, path: Path | str = "", force: bool = False) -> None:
        """Scan a library and wait for the end."""
        self._running.scanner.ask(ScanRequest(section=key, path=str(path), force=force))
        self._running.scanner.wait()

    def wait_for_scans(self, timeout_s: float = 10.0) -> None:
        """Wait for scans that were asked for over HTTP."""
        self._running.scanner.wait(timeout_s)

    def add_session(self, **fields: object) -> Session:
        """Let somebody play; the fields are those of state.Session."""
        return self._running.sessions.add(Session(**fields))  # type: ignore[arg-type]

    def change_session(self, session: Session, **fields: object) -> None:
        """Change a session, such as state='paused'."""
        self._running.sessions.replace(session.id, **fields)

    def end_session(self, session: Session) -> None:
        """Let somebody stop playing."""
        self._running.sessions.remove(session.id)

    def add_activity(self, **fields: object) -> Activity:
        """Show an activity; the fields are those of state.Activity."""
        return self._running.activities.put(Activity(**fields))  # type: ignore[arg-type]

    def wait_until_asked(self, path: str, *, timeout_s: float = 5.0) -> Request:
        """Wait for a request for a path and return it. Raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for request in list(self.requests):
                if request.path == path:
                    return request
            time.sleep(0.01)
        raise TimeoutError(f"nobody asked for {path} within {timeout_s} s")

    @property
    def _running(self) -> Context:
        if self._context is None:
            raise RuntimeError("the simulator is not running")
        return self._context
