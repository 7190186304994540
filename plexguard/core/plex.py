"""The port to Plex: every call bounded in time and size, every failure of a named kind. `plex_http.py` is the real one."""

from dataclasses import dataclass
from typing import Protocol

from plexguard.core.errors import Unavailable


class PlexError(Unavailable):
    """Plex did not give what was asked; the subclass says how."""


class PlexRefused(PlexError):
    """Nobody listens: the connection was refused."""


class PlexTimeout(PlexError):
    """The connection stands, or is being made, and no whole answer came in time."""


class PlexUnauthorized(PlexError):
    """401 or 403: the token is wrong or missing."""


class PlexMaintenance(PlexError):
    """503 with Plex's own maintenance text: it is starting or migrating its database. Not an outage."""


class PlexBroken(PlexError):
    """An answer that Plex does not give: wrong status, no Plex content, half a body, too much of it, a redirect."""


class PlexFailing(PlexError):
    """Plex itself says that it fails: a 5xx that is no maintenance."""


class PlexDeclined(PlexError):
    """Plex does not do what it was told: a setting that it does not have, something that it cannot cancel or has not got."""


class PlexUnreachable(PlexError):
    """The address leads nowhere: unknown name, no route, TLS that does not stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    machine_identifier: str
    version: str
    claimed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """A library section. folders: as the server sees them, so inside its container if it has one. scanned_at: when its last scan
    ended that was not broken off, in seconds of Plex's clock. agent, scanner: which it uses; language: of its metadata."""

    key: str
    title: str
    type: str
    folders: tuple[str, ...]
    scanning: bool
    scanned_at: int = 0
    agent: str = ""
    scanner: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLibrary:
    """A library that is to be made, in the words of Library."""

    title: str
    type: str
    agent: str
    scanner: str
    language: str
    folders: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Something being played. state: playing, paused or buffering. key: of the session, anew each time. player: what the device
    that plays it calls itself, "" when it does not tell. library: its section's id, "" for none."""

    kind: str
    title: str
    user: str
    state: str
    key: str = ""
    player: str = ""
    library: str = ""

    @property
    def is_paused(self) -> bool:
        return self.state == "paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Something Plex is busy with. library: its section's id, "" for none; a scan has none at first, for up to a second.
    uuid: by which it is cancelled."""

    type: str
    title: str
    library: str
    uuid: str = ""

    @property
    def is_scan(self) -> bool:
        """Whether it looks through the files of a library."""
        return self.type == "library.update.section"


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Of what in a library has files, such as its films or episodes: how many there are, and how many of these Plex misses, which
    emptying its trash would forget."""

    items: int
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What in a library has files. title: with that of its show or artist before it. files: as the server sees them."""

    title: str
    files: tuple[str, ...] = ()


class Plex(Protocol):
    """A Plex server. Every call raises PlexError."""

    def connect(self, *, timeout_s: float) -> None:
        """Open a connection and close it: somebody listens."""
        ...

    def identity(self, *, timeout_s: float) -> Identity:
        """Ask who it is. Answered from memory and without a token: a sign of life, no more."""
        ...

    def libraries(self, *, timeout_s: float) -> tuple[Library, ...]:
        """Ask for the libraries: the cheapest question that needs the database."""
        ...

    def sessions(self, *, timeout_s: float) -> tuple[Session, ...]:
        """Ask what is being played: the cheapest question that needs the token, answered from memory."""
        ...

    def read_media(self, library: Library, *, timeout_s: float) -> bool:
        """Read the first byte of a media file of a library; False when it has none. A file that Plex may not read, or that is
        gone, is PlexBroken (Plex answers 404 for both)."""
        ...

    def activities(self, *, timeout_s: float) -> tuple[Activity, ...]: ...

    def preferences(self, *, timeout_s: float) -> dict[str, str]:
        """Ask for the server's settings by id, values as text."""
        ...


class PlexControl(Plex, Protocol):
    """A Plex server that is told to do something. Every call raises PlexError, PlexDeclined where Plex will not.

    A call that raises may have been heard: whoever must know asks.
    """

    def set_preference(self, name: str, value: str, *, timeout_s: float) -> None:
        """Change one setting, in the words of `preferences`. It holds at once, and over a restart."""
        ...

    def cancel_activity(self, activity: Activity, *, timeout_s: float) -> None:
        """Ask for something to end. That Plex agrees does not mean that it ends."""
        ...

    def cancel_scan(self, library: Library, *, timeout_s: float) -> None:
        """Ask for the scan of a library to end, also one that waits for its turn. That Plex agrees does not mean that it ends."""
        ...

    def scan(self, library: Library, *, timeout_s: float, is_forced: bool = False) -> None:
        """Ask for a scan of a whole library. It waits for its turn; `Library.scanned_at` tells its end. is_forced: all metadata is
        fetched anew, which takes hours for a large one."""
        ...

    def add_library(self, library: NewLibrary, *, timeout_s: float) -> None:
        """Make a library. It is listed a moment later. A title may be there twice: whoever must know asks first."""
        ...

    def has_pass(self, *, timeout_s: float) -> bool:
        """Tell whether its account has a Plex Pass."""
        ...

    def sign_out(self, *, timeout_s: float) -> None:
        """Have it belong to no account any more, which then lists it no more."""
        ...

    def analyze(self, library: Library, *, timeout_s: float) -> None:
        """Ask for the analysis of a whole library. Nothing tells its end. Not to be asked while it is scanned: a crash was seen."""
        ...

    def count_items(self, library: Library, *, timeout_s: float) -> Count: ...

    def list_missing(self, library: Library, *, limit: int, timeout_s: float) -> tuple[Item, ...]:
        """Ask for what Plex misses, the first `limit` of it."""
        ...

    def empty_trash(self, library: Library, *, timeout_s: float) -> None:
        """Have Plex forget what it misses, with dates, posters and edits. It answers when that is done: 45 min were seen."""
        ...
