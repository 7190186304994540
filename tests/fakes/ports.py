"""Hand-written fakes of the ports. They keep the ports' promises and record what was done; nothing in them waits."""

import contextlib
import fnmatch
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from plexguard.core.clock import Moment
from plexguard.core.events import Event
from plexguard.core.host import CommandFailed, CommandMissing, Completed
from plexguard.core.manager import Timer, Unit
from plexguard.core.plex import Activity, Count, Identity, Item, Library, PlexError, PlexTimeout, Session
from plexguard.core.program import Ports

T = TypeVar("T")
BEGIN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class FakeClock:
    """Moves only when told, or by sleeping."""

    def __init__(self, *, boot_id: str = "boot-1", uptime_s: float = 10_000.0) -> None:
        self.boot_id = boot_id
        self.uptime_s = uptime_s
        self.wall = BEGIN
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.wall

    def moment(self) -> Moment:
        return Moment(wall=self.wall, boot_id=self.boot_id, uptime_s=self.uptime_s)

    def monotonic_s(self) -> float:
        return self.uptime_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        self.uptime_s += seconds
        self.wall += timedelta(seconds=seconds)

    def reboot(self, *, down_s: float = 60.0) -> None:
        self.boot_id += "+"
        self.uptime_s = 0.0
        self.wall += timedelta(seconds=down_s)


class FakeJournal:
    """Keeps what was sent, after the same checks as the real one."""

    def __init__(self) -> None:
        self.sent: list[tuple[Event, dict[str, object]]] = []

    def send(self, event: Event, /, **values: object) -> None:
        event.render(values)
        event.journal_fields(values)
        self.sent.append((event, values))

    @property
    def names(self) -> list[str]:
        return [event.name for event, _ in self.sent]

    def values(self, name: str) -> dict[str, object]:
        """Return the values of the only event of that name."""
        (found,) = [values for event, values in self.sent if event.name == name]
        return found


class FakeNotifier:
    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []
        self.stopping = threading.Event()

    def tell(self, *assignments: str) -> None:
        self.told.append(assignments)
        if "STOPPING=1" in assignments:
            self.stopping.set()


class FakeStream:
    """Lines that come one by one; None stands for a wait in which none came; at the end the command ends."""

    def __init__(self, lines: Sequence[str | None]) -> None:
        self.lines = list(lines)
        self.waits_s: list[float] = []
        self.closed = False

    def read_line(self, timeout_s: float) -> str | None:
        self.waits_s.append(timeout_s)
        if not self.lines:
            raise CommandFailed("ended with code 1")
        return self.lines.pop(0)

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeHost:
    """Answers commands from a table by their first words, the longest match first; a function is called with the whole command."""

    answers: dict[str, Completed | Exception | Callable[[Sequence[str]], Completed]] = field(default_factory=dict)
    streams: list[FakeStream] = field(default_factory=list)
    ran: list[list[str]] = field(default_factory=list)
    held: list[list[str]] = field(default_factory=list)

    def run(self, argv: Sequence[str], *, timeout_s: float, check: bool = True) -> Completed:
        assert timeout_s > 0
        self.ran.append(list(argv))
        line = " ".join(argv)
        for words in sorted(self.answers, key=len, reverse=True):
            if line.startswith(words):
                return self._give(self.answers[words], argv, check)
        raise CommandMissing(f"Failed to run {argv[0]}: not in this test")

    def follow(self, argv: Sequence[str], *, rewrites: bool = False) -> FakeStream:
        self.ran.append(list(argv))
        if not self.streams:
            raise CommandMissing(f"Failed to run {argv[0]}: not in this test")
        return self.streams.pop(0)

    @contextlib.contextmanager
    def hold(self, argv: Sequence[str]) -> Iterator[None]:
        self.held.append(list(argv))
        yield

    def _give(
        self, answer: Completed | Exception | Callable[[Sequence[str]], Completed], argv: Sequence[str], check: bool
    ) -> Completed:
        if isinstance(answer, Exception):
            raise answer
        done = answer(argv) if callable(answer) else answer
        if check and done.code != 0:
            raise CommandFailed(f"{' '.join(argv)}: exit code {done.code}: {done.stderr}")
        return done


class FakeManager:
    """Units by name, and the verbs that were asked of them in order. Set `fail` to have a verb raise."""

    def __init__(self, *units: Unit) -> None:
        self.units = {unit.name: unit for unit in units}
        self.timers: tuple[Timer, ...] = ()
        self.stopping = False
        self.asked: list[tuple[str, str]] = []
        self.fail: dict[str, Exception] = {}
        self.on: Callable[[str, str], None] = lambda _verb, _name: None

    def unit(self, name: str) -> Unit:
        return self.units.get(name, Unit(name=name))

    def look_up(self, names: Sequence[str]) -> tuple[Unit, ...]:
        self._ask("look-up", " ".join(names))
        return tuple(map(self.unit, names))

    def find_units(self, pattern: str) -> tuple[Unit, ...]:
        self._ask("find-units", pattern)
        return tuple(unit for unit in self.units.values() if fnmatch.fnmatch(unit.name, pattern))

    def find_timers(self, pattern: str) -> tuple[Timer, ...]:
        self._ask("find-timers", pattern)
        return tuple(timer for timer in self.timers if fnmatch.fnmatch(timer.name, pattern))

    def start(self, name: str, *, timeout_s: float | None = None) -> None:
        self._ask("start", name)

    def stop(self, name: str, *, timeout_s: float | None = None) -> None:
        self._ask("stop", name)

    def kill(self, name: str) -> None:
        self._ask("kill", name)

    def reset_failed(self, name: str) -> None:
        self._ask("reset-failed", name)

    def restart(self, name: str, *, timeout_s: float) -> None:
        self._ask("restart", name)

    def try_restart(self, name: str, *, timeout_s: float | None = None) -> None:
        self._ask("try-restart", name)

    def try_reload(self, name: str, *, timeout_s: float | None = None) -> None:
        self._ask("try-reload", name)

    def reload(self) -> None:
        self._ask("daemon-reload", "")

    def is_stopping(self) -> bool:
        return self.stopping

    @contextlib.contextmanager
    def inhibit(self, *, what: str, why: str) -> Iterator[None]:
        self._ask("inhibit", what)
        try:
            yield
        finally:
            self.asked.append(("release", what))

    def _ask(self, verb: str, name: str) -> None:
        self.asked.append((verb, name))
        self.on(verb, name)
        if verb in self.fail:
            raise self.fail[verb]


IDENTITY = Identity(machine_identifier="e004a7de", version="1.43.4", claimed=True)
LIBRARY = Library(key="1", title="Films", type="movie", folders=("/srv/media/Films",), scanning=False)


class FakePlex:
    """Answers from scripts: each call takes the next answer of its list, the last one for ever. A PlexError is raised.

    took_s: what each call takes of the clock, so that time is part of the script.
    """

    def __init__(self, clock: FakeClock | None = None, *, took_s: float = 0.002) -> None:
        self._clock = clock
        self.took_s = took_s
        self.identities: list[Identity | PlexError] = [IDENTITY]
        self.library_lists: list[tuple[Library, ...] | PlexError] = [(LIBRARY,)]
        self.session_lists: list[tuple[Session, ...] | PlexError] = [()]
        self.connections: list[None | PlexError] = [None]
        self.activity_lists: list[tuple[Activity, ...] | PlexError] = [()]
        self.media: list[bool | PlexError] = [True]
        self.settings: dict[str, str] = {}
        self.counts: list[Count | PlexError] = [Count(items=100, missing=0)]
        self.missing: list[tuple[Item, ...] | PlexError] = [()]
        # For the calls that tell something; `told` has those that were done.
        self.done: list[None | PlexError] = [None]
        self.asked: list[str] = []
        self.told: list[tuple[str, ...]] = []

    def connect(self, *, timeout_s: float) -> None:
        self._answer("connect", self.connections, timeout_s)

    def identity(self, *, timeout_s: float) -> Identity:
        return self._answer("identity", self.identities, timeout_s)

    def libraries(self, *, timeout_s: float) -> tuple[Library, ...]:
        return self._answer("libraries", self.library_lists, timeout_s)

    def sessions(self, *, timeout_s: float) -> tuple[Session, ...]:
        return self._answer("sessions", self.session_lists, timeout_s)

    def read_media(self, library: Library, *, timeout_s: float) -> bool:
        return self._answer("media", self.media, timeout_s)

    def activities(self, *, timeout_s: float) -> tuple[Activity, ...]:
        return self._answer("activities", self.activity_lists, timeout_s)

    def preferences(self, *, timeout_s: float) -> dict[str, str]:
        return dict(self.settings)

    def set_preference(self, name: str, value: str, *, timeout_s: float) -> None:
        self._tell(timeout_s, "set", name, value)
        self.settings[name] = value

    def cancel_activity(self, activity: Activity, *, timeout_s: float) -> None:
        self._tell(timeout_s, "cancel-activity", activity.uuid)

    def cancel_scan(self, library: Library, *, timeout_s: float) -> None:
        self._tell(timeout_s, "cancel-scan", library.key)

    def scan(self, library: Library, *, timeout_s: float, is_forced: bool = False) -> None:
        self._tell(timeout_s, "scan", library.key)

    def count_items(self, library: Library, *, timeout_s: float) -> Count:
        return self._answer("count", self.counts, timeout_s)

    def list_missing(self, library: Library, *, limit: int, timeout_s: float) -> tuple[Item, ...]:
        return self._answer("missing", self.missing, timeout_s)[:limit]

    def empty_trash(self, library: Library, *, timeout_s: float) -> None:
        self._tell(timeout_s, "empty-trash", library.key)

    def _tell(self, timeout_s: float, *words: str) -> None:
        self._answer(words[0], self.done, timeout_s)
        self.told.append(words)

    def _answer(self, call: str, script: list[T | PlexError], timeout_s: float) -> T:
        self.asked.append(call)
        answer = script.pop(0) if len(script) > 1 else script[0]
        if self._clock is not None:
            self._clock.pass_time(timeout_s if isinstance(answer, PlexTimeout) else self.took_s)
        if isinstance(answer, PlexError):
            raise answer
        return answer


def fake_ports(**given: object) -> Ports:
    """Return a bundle of fakes; what is given by name takes its place in it."""
    ports = {
        "journal": FakeJournal(),
        "clock": FakeClock(),
        "host": FakeHost(),
        "manager": FakeManager(),
        "notifier": FakeNotifier(),
    }
    return Ports(**{**ports, **given})  # type: ignore[arg-type]
