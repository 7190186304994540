"""What the work on a run's machine is told, and what it tells: two files there, which whoever leads the run writes and reads.

The work goes on when nobody reads, and who reads anew misses nothing: notes are numbered and stay.
"""

from dataclasses import dataclass, field, replace

from plexguard.cloud_run.section.warm import FEWEST
from plexguard.cloud_run.server.counting import Counted
from plexguard.core.plex import NewLibrary

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """libraries: that are made where they are not there. sections: titles, in order; none for all; at the most so many, 0 for all.
    left_out: kinds that are not worked on unless they are named. data: Plex's folder on the machine. export: the command of
    plexguard-db-export there. mount: which proves the media, "" for none; point: where it is. is_measured: how fast it is is
    found out. is_forced: everything is fetched anew, and not only what changed. most_loss_percent: of a library in a scan.
    trees: what goes home beside the databases, "metadata" and "media". former: the file with the settings as they were before
    the work. monitoring: how patiently an analysis is watched. sonic: music is analysed by its sound; refreshes: after its
    metadata were fetched anew. most_at_once: files that are read at once. checkpoint_s: how often what was found out is kept.
    is_claimed: Plex belongs to an account, and has a token."""

    libraries: tuple[NewLibrary, ...] = ()
    sections: tuple[str, ...] = ()
    max_libraries: int = 0
    left_out: tuple[str, ...] = ("photo",)
    data: str
    export: tuple[str, ...]
    mount: str = ""
    point: str = ""
    is_measured: bool = False
    is_forced: bool = False
    most_loss_percent: int = 5
    trees: tuple[str, ...] = ()
    former: str = ""
    monitoring: str = "cloud_intensive"
    sonic: bool = True
    refreshes: bool = False
    most_at_once: int = FEWEST
    checkpoint_s: float = 6 * 3600.0
    is_claimed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Former:
    """Settings of Plex as they were before the work, by their names."""

    settings: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A library that is done, before and after."""

    before: Counted
    after: Counted
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A file that is to be brought home."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that whoever leads the run is to tell. number: from 1 on. kind: by which it is told. about: which library."""

    number: int
    kind: str
    about: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """line: how far it is; done, total: of what is counted. libraries: that are done, by their keys; begun: what
    was in those whose work has begun, before it. counted: what all of them
    hold in the end; packed: what is to be brought home; checkpoint: what is to be,
    while the work goes on. failure: why it ended, with hint, "" while it has not."""

    line: str = ""
    done: int = 0
    total: int = 0
    libraries: dict[str, Done] = field(default_factory=dict)
    begun: dict[str, Counted] = field(default_factory=dict)
    counted: tuple[Counted, ...] = ()
    packed: tuple[Packed, ...] = ()
    checkpoint: Packed | None = None
    notes: tuple[Note, ...] = ()
    is_over: bool = False
    failure: str = ""
    hint: str = ""

    def note(self, kind: str, about: str, text: str) -> "Told":
        """Return it with a note more; of a thousand the oldest go."""
        number = self.notes[-1].number + 1 if self.notes else 1
        return replace(self, notes=(*self.notes, Note(number=number, kind=kind, about=about, text=text))[-1000:])
