"""What scanning and analysing have in common: libraries in turn, media that are proven, a Plex that may be away, what is told."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol, TypeVar

from plexguard.cloud_run.reference.own import Refused
from plexguard.cloud_run.section.order import choose_sections
from plexguard.cloud_run.section.signals import Signals
from plexguard.cloud_run.section.told import Plan, Told
from plexguard.cloud_run.server.container import NAME
from plexguard.cloud_run.server.counting import Counted
from plexguard.core.clock import Clock, Moment
from plexguard.core.errors import PeerError, PlexguardError, Unavailable
from plexguard.core.host import CommandError
from plexguard.core.plex import Library, PlexControl, PlexDeclined, PlexUnauthorized
from plexguard.core.program import FOUND_PROBLEMS
from plexguard.core.spans import show_span

T = TypeVar("T")
CALL_S = 30.0
LOOK_S = 5.0
# For how long a storage may be away in the midst of it.
_AWAY_S = 2 * 3600.0
# What its engine starts by itself is there again by then; what somebody has stopped or killed stays so.
_GONE_S = 60.0
# How long Plex may be away: it was killed, and is started anew.
_SILENT_S = 900.0
# It takes a while to know its own token; who is a stranger to it after that stays one.
_REFUSED_S = 180.0


# What passes: a Plex that starts, a database that is locked, a command that was slow.
_BORNE = (Unavailable, PeerError, Refused, CommandError)


class LabourFailed(PlexguardError):
    """The work on a library did not come to an end, or to none that may stay."""

    exit_code = FOUND_PROBLEMS


class Tools(Protocol):
    """What is done around a scan on the machine. Each raises what its commands raise."""

    def find_fault(self, since: Moment | None = None) -> str:
        """Return why the media are not proven, "" while they are. since: or were not at any time since then."""
        ...

    def keep(self, library: Library) -> None:
        """Keep the database as it is, while Plex is at work; what was kept for this library before stays."""
        ...

    def put_back(self, library: Library) -> None:
        """Stop Plex, put back what was kept, and start Plex."""
        ...

    def forget(self, library: Library) -> None:
        """Remove what was kept."""
        ...

    def start_plex(self) -> None:
        """Start Plex where it does not run."""
        ...


@dataclass(slots=True)
class Server:
    """Plex's process. started_s: when it was, None for one that was never seen. seen_s: when it was seen last; is_there: at the
    last look."""

    started_s: float | None
    seen_s: float
    is_there: bool = True


@dataclass(slots=True, kw_only=True)
class Labour:
    """told: what was done before this, and is added to. save: is given it at every change."""

    plan: Plan
    plex: PlexControl
    signals: Signals
    tools: Tools
    clock: Clock
    told: Told
    save: Callable[[Told], None]

    def find_libraries(self) -> tuple[Library, ...]:
        """Return the libraries of the plan. Raises UnknownSection, and what Plex raises."""
        known = self.insist(lambda: self.plex.libraries(timeout_s=CALL_S))
        chosen = choose_sections(known, self.plan.sections, self.plan.left_out)
        return chosen[: self.plan.max_libraries or None]

    def begin(self, library: Library) -> Counted:
        """Return what a library held before the work on it, also when that was begun by one before this that was cut off."""
        if library.key not in self.told.begun:
            before = self.count(library)
            self.told = replace(self.told, begun={**self.told.begun, library.key: before})
        return self.told.begun[library.key]

    def count(self, library: Library) -> Counted:
        """Return what a library holds. Raises what counting raised last, when that lasts."""
        return self.insist(lambda: self.signals.count(library))

    def rest(self, began: Moment, every_s: float) -> str:
        """Wait until the next look, and return why the media are not proven, as soon as they are not. began: of the step."""
        until_s = self.clock.monotonic_s() + every_s
        while not (fault := self.tools.find_fault(began)) and self.clock.monotonic_s() < until_s:
            self.clock.sleep(LOOK_S)
        return fault

    def find_restart(self, server: "Server") -> str:
        """Return that Plex was started anew since it was looked at first, "" when it was not. Raises LabourFailed when it is
        gone for longer than a start takes. One that was stopped or killed is started."""
        now_s, started_s = self.clock.monotonic_s(), self.signals.started()
        server.is_there = started_s is not None
        if started_s is not None:
            server.seen_s = now_s
            server.started_s = started_s if server.started_s is None else server.started_s
            return "Plex was started anew in its midst" if started_s != server.started_s else ""
        if now_s - server.seen_s >= _GONE_S:
            with contextlib.suppress(CommandError):  # it is tried again
                self.tools.start_plex()
        if now_s - server.seen_s >= _SILENT_S:
            raise LabourFailed(f"Plex is gone for {show_span(timedelta(seconds=_SILENT_S))}", hint=f"docker logs {NAME}, there")
        return ""

    def await_plex(self) -> None:
        """Wait until a Plex that was started anew answers. Raises what it raises when that lasts."""
        self.insist(lambda: self.plex.libraries(timeout_s=CALL_S))

    def watch_server(self) -> "Server":
        """Return what is known of Plex's process now, by which it is known later that it was started anew."""
        return Server(started_s=self.signals.started(), seen_s=self.clock.monotonic_s())

    def await_media(self, library: Library) -> None:
        until_s = self.clock.monotonic_s() + _AWAY_S
        while fault := self.tools.find_fault():
            if self.clock.monotonic_s() >= until_s:
                raise LabourFailed(f"{library.title}: its media are away for {show_span(timedelta(seconds=_AWAY_S))}: {fault}")
            self.tell(f"{library.title}: waiting for its media: {fault}")
            self.clock.sleep(LOOK_S)

    def insist(self, ask: Callable[[], T]) -> T:
        return insist(self.clock, ask, bear=lambda error: self.tell(f"trying again: {error}"))

    def tell(self, line: str, *, done: int | None = None, total: int | None = None) -> None:
        told = self.told
        self.told = replace(told, line=line, done=told.done if done is None else done, total=told.total if total is None else total)
        self.save(self.told)

    def note(self, kind: str, library: Library | None, text: str) -> None:
        self.told = self.told.note(kind, library.title if library is not None else "", text)
        self.save(self.told)


def insist(clock: Clock, ask: Callable[[], T], *, bear: Callable[[PlexguardError], object] = lambda _: None) -> T:
    """Ask until there is an answer, for as long as Plex may be away. bear: is given what it raised, each time before it is asked
    again. Raises what it raised last, and at once what it declines."""
    began_s = clock.monotonic_s()
    while True:
        try:
            return ask()
        except PlexDeclined:
            raise
        except _BORNE as error:
            patience_s = _REFUSED_S if isinstance(error, PlexUnauthorized) else _SILENT_S
            if clock.monotonic_s() - began_s >= patience_s:
                raise
            bear(error)
            clock.sleep(LOOK_S)


def bear_decline(ask: Callable[[], object]) -> None:
    with contextlib.suppress(PlexDeclined):  # it has ended meanwhile
        ask()
