"""What the simulator is told to do wrong: the switches, the control file they come from, and how long a fault lasts.

The control file is JSON with any of the keys of Switches. It is read afresh whenever it changes. What a restart cures in the
real world is set back to healthy at start.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from .state import Session

CURED_BY_RESTART = frozenset({"crash", "database-blocked", "deadlock", "drip", "error", "garbage", "hung", "pause", "refusing"})
STAYS = frozenset({"corrupt", "half", "healthy", "html", "huge", "maintenance", "redirect", "slow"})
MODES = CURED_BY_RESTART | STAYS
CANCELS = frozenset({"ignored", "works"})
# Modes that end by themselves once duration_s is over; 0 means they never do.
TIMED = frozenset({"maintenance", "pause"})


class SwitchError(ValueError):
    """A switch that does not exist, or a value it cannot have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """Everything that can be switched while the simulator runs."""

    mode: str = "healthy"
    # slow: seconds before every answer.
    delay_s: float = 3.0
    # pause, maintenance: seconds until healthy again; 0 is for ever.
    duration_s: float = 0.0
    # maintenance: true moves the log and the -wal as a migration does, false leaves them standing as a broken update does.
    migrating: bool = True
    # None and "": as Preferences.xml says; a data folder without that file is claimed with DEFAULT_TOKEN.
    claimed: bool | None = None
    token: str = ""
    plex_pass: bool = True
    startup_maintenance_s: float = 0.0
    ignore_term: bool = False
    stop_delay_s: float = 0.0
    # The least time a library scan and a butler task take.
    scan_s: float = 0.2
    butler_s: float = 1.0
    # How long a scan takes over each media file, from its first to its last; an analysis over each item, and a sonic one over a track.
    file_s: float = 0.0
    # The title of a library whose scan takes none of that time.
    quick_library: str = ""
    analyze_s: float = 0.0
    sonic_s: float = 0.0
    # What becomes of a scan that is cancelled, which is always answered as if it worked: "ignored", as in the one incident that is
    # documented, or "works", cancel_s later.
    cancel: str = "ignored"
    cancel_s: float = 0.0
    # Whether scans are among the activities. What only waits for its turn never is.
    scans_shown: bool = True
    # Every so many seconds all libraries are scanned, while ScheduledLibraryUpdatesEnabled is on; 0 never.
    scheduled_s: float = 0.0
    # A scan is called just 'Scanning' for so long, and only then after its section.
    nameless_s: float = 0.05
    # Sessions beside those added in the process: a list of objects with the fields of state.Session.
    sessions: tuple[Mapping[str, object], ...] = ()
    version: str = "1.43.4.10903-e5521bd8c"
    # The version /updater/status announces; "" announces none.
    update_version: str = ""

    @classmethod
    def from_values(cls, values: Mapping[str, object]) -> Switches:
        """Check names, types and the mode; raises SwitchError."""
        defaults = cls()
        known = {field.name for field in fields(cls)}
        for name, value in values.items():
            if name not in known:
                raise SwitchError(f"{name}: unknown switch; there are {', '.join(sorted(known))}")
            if not fits(value, getattr(defaults, name)):
                raise SwitchError(f"{name}: {value!r} has the wrong type")
            if name == "sessions":
                check_sessions(value)
        switches = replace(defaults, **{name: typed(value) for name, value in values.items()})  # type: ignore[arg-type]
        if switches.mode not in MODES:
            raise SwitchError(f"mode: {switches.mode!r} is none of {', '.join(sorted(MODES))}")
        if switches.cancel not in CANCELS:
            raise SwitchError(f"cancel: {switches.cancel!r} is none of {', '.join(sorted(CANCELS))}")
        return switches


def fits(value: object, default: object) -> bool:
    """Tell whether a value from JSON may stand where the default stands."""
    if default is None:
        return value is None or isinstance(value, bool)
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, float):
        return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
    if isinstance(default, tuple):
        return isinstance(value, (list, tuple)) and all(isinstance(entry, Mapping) for entry in value)
    return isinstance(value, str)


def check_sessions(entries: object) -> None:
    """Check the names of the fields of sessions. Raises SwitchError."""
    assert isinstance(entries, (list, tuple))
    unknown = {name for entry in entries for name in entry} - {field.name for field in fields(Session)}
    if unknown:
        raise SwitchError(f"sessions: unknown fields {', '.join(sorted(unknown))}")


def typed(value: object) -> object:
    """Return a JSON value as the type Switches holds."""
    return tuple(value) if isinstance(value, list) else value


def read_control(path: Path) -> dict[str, object]:
    """Return what the control file says; a missing file says nothing. Raises SwitchError."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise SwitchError(f"{path}: {error}") from error
    if not isinstance(values, dict):
        raise SwitchError(f"{path}: not an object")
    Switches.from_values(values)
    return values


def update_control(path: Path, changes: Mapping[str, object], *, only_in_modes: frozenset[str] = MODES) -> None:
    """Merge changes into the control file, unless its mode is meanwhile another than those named. Raises SwitchError.

    The folder is locked meanwhile, so that a mode set from outside is not lost to one that ends by itself.
    """
    with locked(path.parent):
        values = read_control(path)
        if values.get("mode", "healthy") not in only_in_modes:
            return
        values.update(changes)
        Switches.from_values(values)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
        temporary.chmod(0o644)
        temporary.replace(path)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold an exclusive lock on a folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class Faults:
    """The switches as they are now, from a control file or, without one, from memory."""

    def __init__(self, control: Path | None) -> None:
        self._control = control
        self._lock = threading.RLock()
        self._values: dict[str, object] = {}
        self._switches = Switches()
        self._seen: tuple[int, int, int] | None = None
        self._since = time.monotonic()
        self._started = time.monotonic()
        self._cured_file: tuple[int, int, int] | None = None

    def begin(self) -> Switches:
        """Start a life of the server: forget what a restart cures, and run startup_maintenance_s from now."""
        with self._lock:
            self._started = time.monotonic()
            if self._read().mode in CURED_BY_RESTART:
                self._become_healthy(CURED_BY_RESTART)
            self._since = time.monotonic()
            return self._read()

    def current(self) -> Switches:
        """Return the switches of this moment."""
        with self._lock:
            switches = self._read()
            is_over = switches.mode in TIMED and 0 < switches.duration_s <= time.monotonic() - self._since
            if is_over:
                self._become_healthy(frozenset({switches.mode}))
            return self._switches

    def is_starting(self) -> bool:
        """Tell whether the maintenance at start is still going on."""
        return time.monotonic() - self._started < self.current().startup_maintenance_s

    def set(self, changes: Mapping[str, object]) -> None:
        """Change switches; a mode that is set again begins anew. Raises SwitchError."""
        with self._lock:
            if self._control is not None:
                update_control(self._control, changes)
                self._read()
                return
            self._values |= changes
            self._take(Switches.from_values(self._values))

    def _become_healthy(self, modes: frozenset[str]) -> None:
        if self._control is None:
            self._values["mode"] = "healthy"
        else:
            self._write_healthy(self._control, modes)
        self._take(replace(self._switches, mode="healthy"))

    def _write_healthy(self, control: Path, modes: frozenset[str]) -> None:
        try:
            update_control(control, {"mode": "healthy"}, only_in_modes=modes)
        except OSError as error:
            # Somebody else's file in somebody else's folder: remember that what it says is over.
            print(f"{control}: {error}", file=sys.stderr)
            self._cured_file = self._seen

    def _read(self) -> Switches:
        if self._control is None:
            return self._switches
        seen = identify(self._control)
        if seen != self._seen:
            self._seen = seen
            self._take_from(self._control)
        if self._cured_file is not None and seen == self._cured_file:
            self._switches = replace(self._switches, mode="healthy")
        return self._switches

    def _take_from(self, control: Path) -> None:
        try:
            self._take(Switches.from_values(read_control(control)))
        except (SwitchError, OSError) as error:
            print(f"{control}: {error}; the last good switches stay", file=sys.stderr)

    def _take(self, switches: Switches) -> None:
        self._switches = switches
        self._since = time.monotonic()


def identify(path: Path) -> tuple[int, int, int] | None:
    """Return what changes whenever a file is replaced, or None if there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def describe(switches: Switches) -> str:
    """Return the switches as JSON."""
    return json.dumps(asdict(switches), indent=1)
