"""What is written on everything that is rented: whose it is, of which run, and until when. Pure.

Twice, since one of the two may be missing when a call is cut off: as tags, and in the name, which is given when a thing is made.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from plexguard.core.options import THING_NAME

SUITE = "plexguard"
_TIME = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"plexguard\.([^.]+)\.([^.]+)\.(\d{8}T\d{6}Z)", re.ASCII)
_STAMP = re.compile(r"\d{8}T\d{6}Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """owner and run: names as people give them, a-z, 0-9 and -. deadline: UTC, in whole seconds."""

    owner: str
    run: str
    deadline: datetime

    @property
    def name(self) -> str:
        """The name of the machine: dots part what itself has none, and all of it may stand in a name at Scaleway."""
        return f"{SUITE}.{self.owner}.{self.run}.{self.deadline:{_TIME}}"

    @property
    def tags(self) -> tuple[str, ...]:
        return (
            f"suite={SUITE}",
            f"{SUITE}-owner={self.owner}",
            f"{SUITE}-run={self.run}",
            f"{SUITE}-deadline={self.deadline:{_TIME}}",
        )


def make_label(*, owner: str, run: str, deadline: datetime) -> Label:
    """Return a label, its deadline in whole seconds, so that what is read back is the same."""
    return Label(owner=owner, run=run, deadline=deadline.astimezone(UTC).replace(microsecond=0))


def read_label(tags: Iterable[str], name: str) -> Label | None:
    """Return what is written on a thing, by its tags or else by its name; None when it is none of ours."""
    return _read_tags(tags) or _read_name(name)


def _read_tags(tags: Iterable[str]) -> Label | None:
    found = dict(tag.partition("=")[::2] for tag in tags)
    if found.get("suite") != SUITE:
        return None
    return _make(*(found.get(f"{SUITE}-{what}", "") for what in ("owner", "run", "deadline")))


def _read_name(name: str) -> Label | None:
    found = _NAME.fullmatch(name)
    return _make(*found.groups()) if found else None


def _make(owner: str, run: str, stamp: str) -> Label | None:
    if not (THING_NAME.fullmatch(owner) and THING_NAME.fullmatch(run) and _STAMP.fullmatch(stamp)):
        return None
    try:
        return Label(owner=owner, run=run, deadline=datetime.strptime(stamp, _TIME).replace(tzinfo=UTC))
    except ValueError:  # the 31st of February
        return None
