"""Follow, recognise, and hand to the desk, cycle after cycle.

The order is what makes a stop at any moment harmless: what the lines said is on the agenda, agenda and places are saved
together, and only then is anybody asked. What was asked just before a stop may be asked again, and is answered in the same way.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from plexguard.core.errors import SystemRefused, TryAgain
from plexguard.core.events import show_path
from plexguard.core.guarded import Guarded
from plexguard.core.mounts import MountPoint
from plexguard.core.perms_request import Answer
from plexguard.core.program import Ports
from plexguard.core.published import LogsSeen
from plexguard.core.state import StateFile
from plexguard.log_watch.config import Config
from plexguard.log_watch.decide import Agenda, Case
from plexguard.log_watch.desk import Desk, Library
from plexguard.log_watch.follow import Follower, Place
from plexguard.log_watch.observe import Sources
from plexguard.log_watch.outages import Outages
from plexguard.log_watch.patterns import Complaint, LogParser, parse_proxy_line
from plexguard.log_watch.proxy import NoProxy, ProxyLog

STATE_SCHEMA = 1
POLL_S = 0.5
# A cycle without work ends after so many looks: the manager hears of it, and where Plex is is asked again.
_POLLS = 20
# What one look reads at most, so that it ends: 16 MiB of logs.
_MAX_READS = 64
_MAX_PROXY_LINES = 2000
# A place that was not saved is read again after a crash; where nothing was complained about that changes nothing.
_SAVE_S = 60.0
_BLIND_S = 300.0
_LOGS, _PROXY = "logs", "proxy"


class Blind(TryAgain):
    """The unit was started before the folders of Plex were there, or they are others by now: it takes another start to be shown
    them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State(LogsSeen):
    """What the next start goes on with, for others and for itself. places: in the files of that folder, None when none was read.
    unfinished: a line whose end is on another, by the family of its file. cursor: in the proxy's journal. waiting: what is to
    be handed on; its times are of another start."""

    places: tuple[Place, ...] | None = None
    unfinished: dict[str, str] = field(default_factory=dict)
    cursor: str = ""
    waiting: tuple[Case, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the watch asks beside the ports. open_proxy: from a cursor. ask: the audit, with a limit in seconds. hint: tells who
    proves a mount, by its name, that Plex met it dead."""

    find_sources: Callable[[], Sources]
    read_mounts: Callable[[], Iterable[MountPoint]]
    open_library: Callable[[Path], Library]
    open_proxy: Callable[[str], ProxyLog]
    ask: Callable[[str, float], Answer]
    read_guarded: Callable[[], Guarded]
    hint: Callable[[str], None]


class Watcher:
    """file: where the state is kept; None remembers nothing."""

    def __init__(self, config: Config, ports: Ports, world: World, file: StateFile[State] | None) -> None:
        self._ports = ports
        self._world = world
        self._file = file
        self._proxy_unit = config.proxy_unit
        self._state = (file.load() if file is not None else None) or State()
        now_s = ports.clock.monotonic_s()
        waiting = (replace(case, tries=0, since_s=now_s, due_s=now_s) for case in self._state.waiting)
        agenda = Agenda(config.repeat_after.total_seconds(), waiting)
        self._outages = Outages(ports.journal, ports.clock, self._state.unreadable)
        self._desk = Desk(agenda, ports, self._outages, ask=world.ask, hint=world.hint, open_library=world.open_library)
        self._parser = LogParser({name: text.encode("utf-8", "surrogateescape") for name, text in self._state.unfinished.items()})
        # None until a folder is known: before that, what was saved about it stands. A Plex that is gone for a while, as a
        # container that is made anew, is followed on.
        self._follower: Follower | None = None
        self._folder = ""
        self._sources = Sources()
        self._proxy: ProxyLog = NoProxy(self._state.cursor)
        self._saved_s = now_s
        self._blind_since_s: float | None = None
        self._is_first = True
        self._is_working = False

    def cycle(self) -> str:
        """Look until there is work, for ten seconds at most, and do it; return what there is to see in one line."""
        self._find_sources()
        for _ in range(_POLLS):
            if not self._is_first:
                self._ports.clock.sleep(POLL_S)
            if self._work() or self._is_first:
                break
        self._is_first = False
        self._desk.tell_lost()
        if self._ports.clock.monotonic_s() - self._saved_s >= _SAVE_S:
            self._save()
        self._check_sight()
        return self._status()

    def _work(self) -> bool:
        """Read what is new and hand on what is due. Return whether there was anything."""
        self._is_working = True
        is_new = self._read_logs() | self._read_proxy()
        if is_new:
            self._save()
        asked = self._desk.look_up() | self._desk.hand_on()
        if asked:
            self._save()
        self._is_working = False
        return is_new or asked

    # -- reading ------------------------------------------------------------------------------------------------------

    def _find_sources(self) -> None:
        found = self._world.find_sources()
        if found.folder and found.folder != self._folder:
            # Another Plex's files are not those that the places are of.
            self._follower = Follower(self._state.places if found.folder == self._state.folder else None)
            self._folder = found.folder
            # Where it begins is known from now on, whatever happens.
            self._saved_s = -math.inf
        self._sources = found
        self._desk.look_around(found, self._world.read_mounts(), self._world.read_guarded())

    def _read_logs(self) -> bool:
        """Read the logs on. Return whether there was a new complaint."""
        source = f"The folder of Plex's logs {show_path(self._sources.folder)}".rstrip()
        is_new, fault = False, self._sources.why
        if self._follower is not None and not fault:
            is_new, fault = self._read_files(self._follower, self._sources.logs)
        if not fault:
            self._outages.end(_LOGS, source)
        elif self._sources.is_expected:
            self._outages.begin(_LOGS, source, fault)
        return is_new

    def _read_files(self, follower: Follower, folder: Path) -> tuple[bool, str]:
        """Read the files on. Return whether there was a new complaint, and what could not be read."""
        is_new = False
        for _ in range(_MAX_READS):
            try:
                read = follower.read(folder)
            except OSError as error:
                return is_new, str(error.strerror)
            if read is None:
                break
            is_new |= self._take(self._parser.feed(read.family, line) for line in read.lines)
        if not follower.followed:
            return is_new, "there is no log of Plex in it"
        name, reason = next(iter(sorted(follower.refused.items())), ("", ""))
        return is_new, f"{name}: {reason}" if name else ""

    def _read_proxy(self) -> bool:
        """Read the proxy's journal on. Return whether there was a new complaint."""
        if not self._proxy_unit:
            return False
        source = f"The journal of {self._proxy_unit}"
        try:
            if isinstance(self._proxy, NoProxy):
                self._proxy = self._world.open_proxy(self._proxy.cursor)
            is_new = self._take(map(parse_proxy_line, self._proxy.read(_MAX_PROXY_LINES)))
        except SystemRefused as error:
            self._proxy = NoProxy(self._proxy.cursor)
            self._outages.begin(_PROXY, source, str(error))
            return False
        self._outages.end(_PROXY, source)
        return is_new

    def _take(self, complaints: Iterable[Complaint | None]) -> bool:
        # A storm says the same thousands of times: each once.
        different = dict.fromkeys(complaint for complaint in complaints if complaint is not None)
        taken = [self._desk.take(complaint) for complaint in different]
        return any(taken)

    # -- keeping ------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Keep what the next start needs. Stopped amid its work, it has read more than it has understood: then what was saved
        last stands."""
        if not self._is_working:
            self._save()

    def _save(self) -> None:
        self._saved_s = self._ports.clock.monotonic_s()
        state = self._state
        if self._follower is not None:
            state = replace(state, folder=self._folder, places=self._follower.places)
        state = replace(
            state,
            unfinished={name: text.decode("utf-8", "surrogateescape") for name, text in self._parser.unfinished.items()},
            cursor=self._proxy.cursor,
            waiting=self._desk.agenda.waiting,
            unreadable=dict(self._outages.since),
        )
        if self._file is not None and state != self._state:
            self._file.save(state)
        self._state = state

    def _check_sight(self) -> None:
        """Ask for another start when nothing has been seen for minutes: folders are bound into the unit when it starts."""
        is_blind = not self._sources.why and self._follower is not None and not self._follower.followed
        now_s = self._ports.clock.monotonic_s()
        if not is_blind:
            self._blind_since_s = None
        elif self._blind_since_s is None:
            self._blind_since_s = now_s
        elif now_s - self._blind_since_s >= _BLIND_S and not self._ports.by_hand:
            raise Blind("no log of Plex was seen for minutes")

    def _status(self) -> str:
        if not self._sources.folder or self._follower is None:
            return self._sources.why
        parts = [f"{self._follower.followed} logs followed in {show_path(self._sources.folder)}"]
        parts += [f"{key} cannot be read" for key in self._outages.since]
        parts += [f"{len(self._desk.agenda.waiting)} complaints wait"] if self._desk.agenda.waiting else []
        parts += [f"last complaint: {self._desk.last}"] if self._desk.last else []
        return "; ".join(parts)
