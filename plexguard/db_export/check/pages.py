"""SQLite's own integrity check of a copy, whole, on two processors.

One run goes through all trees and all pages of the file and looks up every row in half of the indexes; the other one looks them up
in the other half. Looking up is nine tenths of the work. Neither leaves out a check that a single run would make.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from plexguard.db_export.check import messages
from plexguard.db_export.check.catalog import Entry
from plexguard.db_export.check.findings import Finding
from plexguard.db_export.check.messages import Said
from plexguard.db_export.check.together import Look, how_many, raise_if_stopped, take_all
from plexguard.db_export.check.variant import hide, is_icu, is_maskable, mask, stand_ins

# Of one run: what is behind them is the same damage.
_MOST_MESSAGES = 500
# What the trees and pages cost, in looking up one row in one index.
_TREES = 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Halves:
    """Which indexes are looked up by which run; what is in neither is always looked up by the first."""

    first: frozenset[str]
    second: frozenset[str]


def split(entries: Sequence[Entry], rows: Mapping[str, int]) -> Halves:
    """Share out the indexes so that both runs take as long. rows: of each table, about. Pure."""
    free = sorted((e for e in entries if is_maskable(e) and not is_icu(e)), key=lambda e: (rows.get(e.table, 0), e.table, e.name))
    work = [rows.get(entry.table, 0) for entry in free]
    # The first has all trees besides; the second goes through its tables, too, so that their small ones are left to the first.
    trees = _TREES * sum(rows.values())
    second, done = set[str](), 0.0
    for entry, cost in zip(reversed(free), reversed(work), strict=True):
        if done + cost > (sum(work) + trees) / 2 - cost / 2:
            break
        second.add(entry.name)
        done += cost
    return Halves(first=frozenset(e.name for e in free) - second, second=frozenset(second))


def check_pages(copy: Path, entries: Sequence[Entry], rows: Mapping[str, int]) -> tuple[Finding, ...]:
    """Return what SQLite finds wrong with a copy: pages, trees, rows, and every index but the order of Plex's own."""
    seen = _look(copy, entries, rows)
    if not seen:
        return ()
    by_table = take_all(copy, [Look(take=partial(_ask_each, entries), changes=stand_ins(entries))])[0]
    whole = take_all(copy, [Look(take=partial(_ask, "", masked=_icu_names(entries)), changes=stand_ins(entries))])[0]
    known = {message for said in by_table for message in said.messages}
    about_file = tuple(m for m in whole.messages if m not in known and (messages.is_about_file(m) or not known))
    failed = "" if by_table else whole.failed
    found = (*by_table, Said(table="", messages=about_file, failed=failed))
    findings = tuple(finding for said in found for finding in messages.judge(said))
    return findings or tuple(messages.judge(Said(table="", messages=tuple(seen))))


def _look(copy: Path, entries: Sequence[Entry], rows: Mapping[str, int]) -> list[str]:
    """Return what the two runs say, which is nothing about a healthy database."""
    halves = split(entries, rows) if how_many() > 1 else Halves(first=frozenset(), second=frozenset())
    usual = stand_ins(entries)
    hidden = hide(entries, [entry for entry in entries if entry.name in halves.first or is_icu(entry)])
    tables = sorted({entry.table for entry in entries if entry.name in halves.second})
    masked = {entry.name: mask(entry) for entry in entries if entry.name in halves.second}
    looks = [
        Look(take=partial(_ask, "", masked=halves.second | _icu_names(entries)), changes=usual | masked),
        *([Look(take=partial(_ask_some, tables), changes=usual | hidden)] if tables else []),
    ]
    return [message for said in take_all(copy, looks) for message in (*said.messages, said.failed) if message]


def _icu_names(entries: Sequence[Entry]) -> frozenset[str]:
    return frozenset(entry.name for entry in entries if is_icu(entry))


def _ask_some(tables: Sequence[str], connection: sqlite3.Connection) -> Said:
    """Ask about some tables, up to the first that is damaged: then each is asked about anyway."""
    for table in tables:
        said = _ask(table, connection)
        if said.messages or said.failed:
            return said
    return Said(table="", messages=())


def _ask_each(entries: Sequence[Entry], connection: sqlite3.Connection) -> tuple[Said, ...]:
    tables = sorted({entry.name for entry in entries if entry.type == "table" and not entry.is_virtual})
    masked = _icu_names(entries)
    asked = (_ask(table, connection, masked=masked) for table in tables)
    return tuple(said for said in asked if said.messages or said.failed)


def _ask(table: str, connection: sqlite3.Connection, *, masked: frozenset[str] = frozenset()) -> Said:
    """Have SQLite check a table, or the whole file (""). What it says before it stops counts, too."""
    what = table or str(_MOST_MESSAGES + len(masked))
    rows: list[str] = []
    # The interpreter loses the last row before a statement fails: each is put aside on its way.
    connection.create_function("put_aside", 1, rows.append)
    try:
        connection.execute("SELECT put_aside(integrity_check) FROM pragma_integrity_check(?)", (what,)).fetchall()
        failed = ""
    except sqlite3.DatabaseError as error:
        raise_if_stopped(error)
        failed = str(error)
    return Said(table=table, messages=messages.without(messages.lines_of(rows), masked), failed=failed)
