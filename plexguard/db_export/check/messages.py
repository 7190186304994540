"""What SQLite's integrity check says, sorted by what it is about. Pure.

Source: btree.c and pragma.c of SQLite 3.40 and 3.46; the words differ a little from version to version.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from plexguard.db_export.check.findings import Finding, Kind, damage, note

# Shown of each group; the number of all of them follows.
_SHOWN = 3
# What is said of an index, which is named last, and what that comes to.
_OF_INDEX = tuple(
    (re.compile(pattern + r" (?P<index>\S.*)$"), text)
    for pattern, text in (
        (r"^row (?P<row>\d+) missing from index", "row {} is missing"),
        (r"^row (?P<row>\d+) values differ from index", "row {} differs"),
        (r"^rowid not at end-of-record for row (?P<row>\d+) of index", "the entry of row {} is broken"),
        (r"^wrong # of entries in index(?P<row>)", "the number of entries is wrong"),
        (r"^non-unique entry in index(?P<row>)", "an entry is there twice"),
    )
)
# Values that the type of their column would not let in today: Plex has changed types, and left what was stored.
_OLD_VALUE = re.compile(r"^(?:TEXT|NUMERIC|non-\w+) value in (.+)\.[^.]+$")
_WHOLE_FILE = re.compile(r"[Ff]reelist|never used|2nd reference|Bad ptr map|Failed to read ptrmap|max rootpage|incremental vacuum")
_BANNER = re.compile(r"^\*\*\* in database \S+ \*\*\*\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Messages about one table, or about the whole file (""). failed: what SQLite stopped at, if it did."""

    table: str
    messages: tuple[str, ...]
    failed: str = ""


def lines_of(rows: Iterable[str]) -> tuple[str, ...]:
    """Return the single messages of an answer, of which the first can hold a hundred. "ok" is none."""
    lines = (line.strip() for row in rows for line in _BANNER.sub("", row).split("\n"))
    return tuple(line for line in lines if line and line != "ok")


def is_about_file(message: str) -> bool:
    """Tell whether a message is about how the pages are shared out, which no look at one table sees."""
    return _WHOLE_FILE.search(message) is not None


def without(messages: Iterable[str], masked: frozenset[str]) -> tuple[str, ...]:
    """Leave out that a masked index has no entries: SQLite before 3.43 counts those of an index that holds none, too."""
    prefix = "wrong # of entries in index "
    return tuple(m for m in messages if not (m.startswith(prefix) and m.removeprefix(prefix) in masked))


def judge(said: Said) -> Iterator[Finding]:
    """Yield what the messages about one table, or the file, come to: single indexes, or the table itself, and its old values."""
    indexes: dict[str, list[str]] = {}
    old, rest = [], []
    for message in said.messages:
        if (found := _of_index(message)) is not None:
            indexes.setdefault(found[0], []).append(found[1])
        elif _OLD_VALUE.match(message):
            old.append(message)
        else:
            rest.append(message)
    if said.failed:
        rest.append(said.failed)
    if rest:
        also = f"; {len(indexes)} of its indexes are of other rows" if indexes else ""
        yield damage(Kind.TABLE if said.table else Kind.PAGES, shorten(rest) + also, table=said.table)
    else:
        yield from (damage(Kind.INDEX, f"{name}: {shorten(what)}", table=said.table) for name, what in indexes.items())
    if old:
        yield note(Kind.OLD_VALUES, shorten(old), table=said.table)


def _of_index(message: str) -> tuple[str, str] | None:
    """Return which index a message is about, and what it says of it."""
    for pattern, text in _OF_INDEX:
        if (found := pattern.match(message)) is not None:
            return found["index"], text.format(found["row"])
    return None


def shorten(messages: Iterable[str]) -> str:
    """Return some messages as one line: the first of them, and how many more there are."""
    each = list(dict.fromkeys(messages))
    more = f" and {len(each) - _SHOWN} more" if len(each) > _SHOWN else ""
    return "; ".join(each[:_SHOWN]) + more
