"""The order in which files change places. Pure: what is where goes in, steps come out.

Several files change as one although a file system renames only one at a time: while they do, a link to itself stands where the
library is, which SQLite can't open. Whoever starts Plex just then, or after a power cut, finds no library to open, and makes no
new one either. The last rename of all puts the new library there, and until that one everything can still go back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a file is to the swap."""

    # Bolted while it is away, and put in place last.
    DATABASE = "database"
    # A -wal or its like: it goes before another database comes.
    SIDE = "side"
    # Replaced in one step, so that it is never missing: Plex would begin with a new identity.
    FILE = "file"
    TREE = "tree"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A file that changes. Paths are below the data folder. kept: where what is there goes. staged: what comes, "" for nothing."""

    kind: Kind
    place: str
    kept: str
    staged: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """What is about to change, as it is written down before. generation: the folder of what is kept. staging: the folder of what
    comes; in an undo that is an older generation."""

    generation: str
    staging: str
    reason: str
    pieces: tuple[Piece, ...]

    @property
    def databases(self) -> tuple[Piece, ...]:
        return tuple(piece for piece in self.pieces if piece.kind is Kind.DATABASE)

    @property
    def others(self) -> tuple[Piece, ...]:
        return tuple(piece for piece in self.pieces if piece.kind is not Kind.DATABASE)


class Found(Enum):
    """What a place has."""

    NOTHING = "nothing"
    BOLT = "bolt"
    SOMETHING = "something"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Where a piece is found. is_kept, is_staged: whether there is something at these paths."""

    place: Found
    is_kept: bool = False
    is_staged: bool = False


class Do(Enum):
    """A step; each can be done again when it is done already."""

    LINK = "link"
    BOLT = "bolt"
    MOVE = "move"
    REMOVE = "remove"
    SYNC = "sync"
    # Nobody can come in any more: is anybody in?
    LOOK = "look"


@dataclass(frozen=True, slots=True)
class Step:
    do: Do
    source: str = ""
    target: str = ""


Plan = tuple[Step, ...]
_SYNC = Step(Do.SYNC)


def is_over(swap: Swap, seen: Mapping[str, Seen]) -> bool:
    """Tell whether all that comes is in place, and no bolt is left."""
    return not any(seen[piece.place].is_staged or seen[piece.place].place is Found.BOLT for piece in swap.pieces)


def is_begun(swap: Swap, seen: Mapping[str, Seen]) -> bool:
    """Tell whether a place was touched, so that the swap is to be completed: before, Plex may have gone on with what is there."""
    return any(_is_put(piece, seen) or seen[piece.place].place is Found.BOLT for piece in swap.pieces)


def plan_forward(swap: Swap, seen: Mapping[str, Seen]) -> Plan:
    """Return what is left to do until the new is in place. Each step leaves the old, nothing that can be opened, or the new."""
    if is_over(swap, seen):
        return ()
    away: list[Step] = []
    if not any(_is_put(piece, seen) for piece in swap.pieces):
        for piece in swap.databases:
            away += _bolt(piece, seen[piece.place])
        away += [_SYNC, Step(Do.LOOK)]
        for piece in swap.others:
            away += _take_away(piece, seen[piece.place])
        away.append(_SYNC)
    put = [step for piece in swap.others for step in _put(piece, seen[piece.place])]
    *rest, last = reversed(swap.databases)
    put += [step for piece in rest for step in _put(piece, seen[piece.place])]
    return (*away, *put, _SYNC, *_put(last, seen[last.place]), _SYNC)


def plan_back(swap: Swap, seen: Mapping[str, Seen]) -> Plan:
    """Return what is left to do until all is as it was; the library, which was bolted first, comes back last.

    All that was put in place goes before the first old file comes back: who is cut off in between finds new files that were put,
    or old ones that came back, and never some of each.
    """
    pieces = tuple(reversed(swap.pieces))
    steps = [step for piece in pieces for step in _give_back(piece, seen[piece.place])]
    steps += [_SYNC, *(step for piece in pieces for step in _return(piece, seen[piece.place]))]
    *rest, last = steps
    return (*rest, _SYNC, last, _SYNC)


def _is_put(piece: Piece, seen: Mapping[str, Seen]) -> bool:
    return bool(piece.staged) and not seen[piece.place].is_staged


def _bolt(piece: Piece, seen: Seen) -> list[Step]:
    if seen.place is Found.BOLT:
        return []
    keep = [Step(Do.LINK, piece.place, piece.kept)] if seen.place is Found.SOMETHING else []
    return [*keep, Step(Do.BOLT, target=piece.place)]


def _take_away(piece: Piece, seen: Seen) -> list[Step]:
    if seen.place is not Found.SOMETHING:
        return []
    if piece.kind is Kind.FILE and piece.staged:
        return [Step(Do.LINK, piece.place, piece.kept)]
    # Whatever has its name since the old one went is somebody's too.
    return [Step(Do.MOVE, piece.place, f"{piece.kept}.since" if seen.is_kept else piece.kept)]


def _put(piece: Piece, seen: Seen) -> list[Step]:
    if seen.is_staged:
        return [Step(Do.MOVE, piece.staged, piece.place)]
    # There was no such database then.
    return [Step(Do.REMOVE, target=piece.place)] if piece.kind is Kind.DATABASE and not piece.staged else []


def _give_back(piece: Piece, seen: Seen) -> list[Step]:
    """What was put in place goes where it came from."""
    if not piece.staged or seen.is_staged or seen.place is not Found.SOMETHING:
        return []
    # A file is never missing: the old one replaces it.
    return [Step(Do.LINK if piece.kind is Kind.FILE and seen.is_kept else Do.MOVE, piece.place, piece.staged)]


def _return(piece: Piece, seen: Seen) -> list[Step]:
    if seen.is_kept:
        return [Step(Do.MOVE, piece.kept, piece.place)]
    return [Step(Do.REMOVE, target=piece.place)] if seen.place is Found.BOLT else []
