"""What is kept of the watch state of two databases: the one that is replaced ("theirs") and the one that comes ("ours"). Pure.

Both come from one library, and both may have gone on since. What is newer wins: of a rating and of skips by their own times, of all
else by the row's. A count grows by the views that only the older one has, unless the newer one was lowered meanwhile: marked as
unwatched, and perhaps watched again. To merge twice is the same as to merge once.

Newer is asked of the rows, and not of the time at which the archive was made: that of a database that was away for three days is
made when it comes home, after all that was watched at home meanwhile.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

# Before about Plex 1.26 times are texts, and UTC.
_TEXT_TIME = "%Y-%m-%d %H:%M:%S"
_NUMBER = re.compile(r"-?\d{1,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A row of metadata_item_settings, its times in seconds since 1970. changed_at is no time: Plex counts its changes with it."""

    account_id: int
    guid: str
    rating: float | None = None
    view_offset: int | None = None
    view_count: int | None = None
    last_viewed_at: int | None = None
    created_at: int | None = None
    updated_at: int | None = None
    skip_count: int | None = None
    last_skipped_at: int | None = None
    changed_at: int | None = None
    extra_data: str | None = None
    last_rated_at: int | None = None

    @property
    def stamp(self) -> tuple[int, int]:
        """What tells which of two is newer."""
        return max(self.updated_at or 0, self.last_viewed_at or 0), self.changed_at or 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewKey:
    """What makes a row of metadata_item_views the same view in both databases."""

    account_id: int
    guid: str
    viewed_at: int
    view_type: int = 0


def merge_setting(ours: Setting | None, theirs: Setting, *, gained: int, own: int = 0) -> Setting:
    """Return what a user's state of an item becomes. gained: how many views only they have; own: how many only we have."""
    if ours is None:
        return theirs
    if dataclasses.replace(theirs, account_id=ours.account_id) == ours:
        return ours
    theirs_is_newer = theirs.stamp > ours.stamp
    newer, older = (theirs, ours) if theirs_is_newer else (ours, theirs)
    only_newer, only_older = (gained, own) if theirs_is_newer else (own, gained)
    rated = _find_rated(ours, theirs, newer)
    skipped = _later(ours, theirs, ours.last_skipped_at, theirs.last_skipped_at, newer)
    # Less than what both began with and what came to it: whoever lowered it since meant that.
    is_lowered = (newer.view_count or 0) < (older.view_count or 0) - only_older + only_newer
    both = max(theirs.view_count or 0, (ours.view_count or 0) + gained)
    return dataclasses.replace(
        newer,
        account_id=ours.account_id,
        rating=rated.rating,
        last_rated_at=rated.last_rated_at,
        skip_count=skipped.skip_count,
        last_skipped_at=skipped.last_skipped_at,
        view_count=newer.view_count if is_lowered else both or newer.view_count,
        last_viewed_at=newer.last_viewed_at if is_lowered else _latest(newer.last_viewed_at, older.last_viewed_at),
        created_at=min((time for time in (ours.created_at, theirs.created_at) if time is not None), default=None),
        updated_at=_latest(ours.updated_at, theirs.updated_at),
        changed_at=_latest(ours.changed_at, theirs.changed_at),
    )


def _find_rated(ours: Setting, theirs: Setting, newer: Setting) -> Setting:
    """Return whose rating counts. Theirs is where people went on: no rating, of a row that has changed since ours was given, is one
    that was taken away."""
    if theirs.rating is None and theirs.last_rated_at is None and theirs.stamp[0] > (ours.last_rated_at or 0):
        return theirs if newer is theirs else ours
    return _later(ours, theirs, ours.last_rated_at, theirs.last_rated_at, newer)


def _later(ours: Setting, theirs: Setting, our_time: int | None, their_time: int | None, newer: Setting) -> Setting:
    if (our_time or 0) == (their_time or 0):
        return newer
    return ours if (our_time or 0) > (their_time or 0) else theirs


def _latest(one: int | None, other: int | None) -> int | None:
    return max((time for time in (one, other) if time is not None), default=None)


def newest(settings: Iterable[Setting]) -> dict[tuple[int, str], Setting]:
    """Return one row for each user and item: Plex has come to hold two of some."""
    found: dict[tuple[int, str], Setting] = {}
    for setting in settings:
        key = setting.account_id, setting.guid
        if key not in found or setting.stamp > found[key].stamp:
            found[key] = setting
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """ours: our id for each of their accounts. unknown: those that we don't have, as people know them."""

    ours: Mapping[int, int]
    unknown: Mapping[int, str]


def map_accounts(ours: Mapping[int, str], theirs: Mapping[int, str], used: Iterable[int]) -> Accounts:
    """Find their accounts among ours: by id where the name agrees or one has none, else by a name that only one has.

    used: the ids that their rows name, also those that no account has any more.
    """
    named: dict[str, list[int]] = {}
    for number, name in ours.items():
        named.setdefault(name, []).append(number)
    known: dict[int, int] = {}
    unknown: dict[int, str] = {}
    for number in sorted(set(theirs) | set(used)):
        name = theirs.get(number, "")
        same = named.get(name, []) if name else []
        if number in ours and (not name or not ours[number] or ours[number] == name):
            known[number] = number
        elif len(same) == 1:
            known[number] = same[0]
        else:
            unknown[number] = name or f"account {number}"
    return Accounts(ours=known, unknown=unknown)


def parse_time(value: object) -> int | None:
    """Return a time of a database in seconds since 1970, None for none: a number, or the text of an old schema."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return int(value)
    text = str(value).strip()
    if _NUMBER.fullmatch(text):
        return int(text)
    try:
        return int(datetime.strptime(text[:19].replace("T", " "), _TEXT_TIME).replace(tzinfo=UTC).timestamp())
    except ValueError:
        return None


def format_time(seconds: int | None, *, as_text: bool) -> int | str | None:
    """Return a time as a database holds it."""
    if seconds is None or not as_text:
        return seconds
    return datetime.fromtimestamp(seconds, UTC).strftime(_TEXT_TIME)
