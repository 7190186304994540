"""What libraries hold, as `plexguard-db-export count` tells it of a machine's database. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from plexguard.core.errors import PeerError


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A library. kind: movie, show, artist or photo, "" for another. items: its films, episodes, tracks or photos; trashed: beside
    these, marked as deleted; analysed: of items."""

    section: int
    title: str
    kind: str
    items: int
    trashed: int
    analysed: int


def read_counts(answer: Any) -> tuple[Counted, ...]:
    """Return what `count` answers. Raises PeerError: what cannot be told is never zero."""
    try:
        return tuple(
            Counted(
                section=int(one["section"]),
                title=str(one["title"]),
                kind=str(one["kind"] or ""),
                items=int(one["items"]),
                trashed=int(one["trashed"]),
                analysed=int(one["analysed"]),
            )
            for one in answer["libraries"]
        )
    except (TypeError, KeyError, ValueError) as error:
        raise PeerError(f"plexguard-db-export count: not as it writes it: {error}") from error


def show_counts(counts: Iterable[Counted]) -> str:
    """Return them in a line."""
    return "; ".join(f"{one.title}: {one.items:,} items, {one.analysed:,} of them analysed" for one in counts) or "no library"
