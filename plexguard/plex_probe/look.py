"""One look at Plex, level by level, each a little deeper and slower than the one before. The first that fails ends it."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from plexguard.core.clock import Clock
from plexguard.core.plex import (
    Library,
    Plex,
    PlexBroken,
    PlexError,
    PlexFailing,
    PlexMaintenance,
    PlexRefused,
    PlexTimeout,
    PlexUnauthorized,
    PlexUnreachable,
    Session,
)

_UNASKED = "no token is known, so nothing behind /identity was asked"
T = TypeVar("T")
# A question that comes last may still take so long, and the look longer by it.
_LEAST_S = 0.1


class Level(enum.Enum):
    """How deep a look gets, in this order; the level before all of them is what runs Plex."""

    TCP = "tcp"
    IDENTITY = "identity"
    TOKEN = "token"  # noqa: S105  # the name of a level, no secret
    DATABASE = "database"
    MEDIA = "media"


class Answer(enum.Enum):
    """How one look ended."""

    WELL = "answers"
    LIMITED = "answers, but asks for a token"
    MAINTENANCE = "maintenance"
    UNAUTHORIZED = "refuses the token"
    REFUSED = "connection refused"
    SILENT = "no answer"
    DATABASE_SILENT = "no answer beyond /identity"
    FAILING = "server error"
    BROKEN = "not an answer of Plex"
    UNREACHABLE = "address leads nowhere"
    MEDIA_FAILED = "a media file does not open"

    @property
    def is_conclusive(self) -> bool:
        """Whether one such look is enough: Plex itself has spoken."""
        return self in (Answer.WELL, Answer.LIMITED, Answer.MAINTENANCE, Answer.UNAUTHORIZED, Answer.MEDIA_FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look. level: the last that was asked, the one that failed if one did. latencies: the seconds that each level that
    answered took, by its name. sessions: what is being played, None when Plex did not tell."""

    answer: Answer
    level: Level = Level.TCP
    detail: str = ""
    version: str = ""
    latencies: Mapping[str, float] = field(default_factory=dict)
    sessions: tuple[Session, ...] | None = None

    @property
    def slowest_s(self) -> float:
        """The longest that Plex itself took for a level. A media file waits for its disk, which may have to wake up."""
        return max((took for name, took in self.latencies.items() if name != Level.MEDIA.value), default=0.0)


def take_look(plex: Plex, clock: Clock, *, timeout_s: float, has_token: bool, read_media: bool = False) -> Look:
    """Look once. read_media: the last level, which wakes disks, as well.

    A connection and /identity have the timeout together, each level behind them has it for itself: a Plex that is slow with
    everything must not look like one whose database hangs.
    """
    looking = _Looking(clock, timeout_s)
    try:
        looking.ask(Level.TCP, plex.connect)
        looking.version = looking.ask(Level.IDENTITY, plex.identity, spent_s=looking.latency_s(Level.TCP)).version
        looking.sessions = looking.ask(Level.TOKEN, plex.sessions)
        libraries = looking.ask(Level.DATABASE, plex.libraries)
        if read_media and libraries:
            library = _pick(libraries, clock)
            looking.ask(Level.MEDIA, lambda *, timeout_s: plex.read_media(library, timeout_s=timeout_s))
    except PlexError as error:
        answer = _read_error(error, looking.level, has_token)
        return looking.end(answer, _UNASKED if answer is Answer.LIMITED else str(error))
    return looking.end(Answer.WELL, "")


class _Looking:
    """What is known in the middle of a look."""

    def __init__(self, clock: Clock, timeout_s: float) -> None:
        self._clock = clock
        self._timeout_s = timeout_s
        self._latencies: dict[str, float] = {}
        self.level = Level.TCP
        self.version = ""
        self.sessions: tuple[Session, ...] | None = None

    def latency_s(self, level: Level) -> float:
        return self._latencies[level.value]

    def ask(self, level: Level, question: Callable[..., T], *, spent_s: float = 0.0) -> T:
        self.level = level
        began_s = self._clock.monotonic_s()
        answer = question(timeout_s=max(_LEAST_S, self._timeout_s - spent_s))
        self._latencies[level.value] = self._clock.monotonic_s() - began_s
        return answer

    def end(self, answer: Answer, detail: str) -> Look:
        return Look(
            answer=answer,
            level=self.level,
            detail=detail,
            version=self.version,
            latencies=self._latencies,
            sessions=self.sessions,
        )


def _pick(libraries: tuple[Library, ...], clock: Clock) -> Library:
    """Return another library each minute."""
    return libraries[int(clock.monotonic_s() // 60) % len(libraries)]


def _read_error(error: PlexError, level: Level, has_token: bool) -> Answer:
    if level is Level.MEDIA:
        return Answer.MEDIA_FAILED
    if isinstance(error, PlexTimeout) and level in (Level.TOKEN, Level.DATABASE):
        return Answer.DATABASE_SILENT
    if isinstance(error, PlexUnauthorized) and not has_token:
        return Answer.LIMITED
    kinds: dict[type[PlexError], Answer] = {
        PlexMaintenance: Answer.MAINTENANCE,
        PlexUnauthorized: Answer.UNAUTHORIZED,
        PlexRefused: Answer.REFUSED,
        PlexTimeout: Answer.SILENT,
        PlexFailing: Answer.FAILING,
        PlexBroken: Answer.BROKEN,
        PlexUnreachable: Answer.UNREACHABLE,
    }
    return kinds[type(error)]
