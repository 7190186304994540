"""Whether an archive may take the place of what is there: it lacks no library, none has shrunk, and its files are here. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from plexguard.core.errors import DataError
from plexguard.db_export.database.libraries import LibraryCount
from plexguard.db_export.paths.survey import Seen


class WouldLose(DataError):
    """With the archive in place something would be gone that is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A library as it is, and as it would be. before, after: its items, None where there is no such library."""

    title: str
    before: int | None
    after: int | None

    def __str__(self) -> str:
        before, after = (f"{count:,}" if count is not None else "none" for count in (self.before, self.after))
        gained = f" ({(self.after or 0) - (self.before or 0):+,})"
        return f"{self.title} {before} → {after}{gained}"


def compare(now: Sequence[LibraryCount], then: Sequence[LibraryCount]) -> tuple[Change, ...]:
    """Return what becomes of each library, by titles."""
    before, after = ({one.title: one.items for one in counts} for counts in (now, then))
    return tuple(
        Change(title=title, before=before.get(title), after=after.get(title)) for title in dict.fromkeys((*before, *after))
    )


def refuse_loss(changes: Sequence[Change], *, most_percent: int) -> None:
    """Raise WouldLose with every library that would be gone, or lose more than that."""
    lost = [change for change in changes if change.before is not None and _loses(change.before, change.after, most_percent)]
    if lost:
        raise WouldLose(
            f"the archive lacks what is here: {'; '.join(map(str, lost))}",
            hint="look at both: plexguard-db-export count; a higher --most-loss where that is meant",
        )


def _loses(before: int, after: int | None, most_percent: int) -> bool:
    return after is None or before - after > before * most_percent / 100


def refuse_missing(found: Sequence[Seen], *, least_percent: int) -> None:
    """Raise WouldLose with every library of which fewer files are where the archive has them."""
    wanted, there = Counter[str](), Counter[str]()
    for seen in found:
        wanted[seen.place.title] += seen.checked + seen.untold_count  # what cannot be told is not there
        there[seen.place.title] += seen.checked - seen.missing_count
    lacking = [title for title, count in wanted.items() if there[title] * 100 < count * least_percent]
    if lacking:
        shown = "; ".join(f"{title}: {there[title]:,} of {wanted[title]:,}" for title in lacking)
        raise WouldLose(
            f"less than {least_percent} % of its files are where the archive has them: {shown}",
            hint="is what they lie on mounted, and does it show what is new? Where paths differ: plexguard-db-export suggest",
        )
