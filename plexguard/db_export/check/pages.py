"""SQLite's own integrity check of a copy, whole, in several runs side by side.

One run goes through all trees and all pages of the file; the others look up every row of the large tables, each in some of their
indexes. Looking up is nine tenths of the work, and it is less of it with fewer indexes at once: more of each stays in memory.
Together they leave out no check that a single run would make.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from plexguard.db_export.archive.progress import Progress
from plexguard.db_export.check import messages
from plexguard.db_export.check.catalog import Entry
from plexguard.db_export.check.findings import Finding
from plexguard.db_export.check.messages import Said
from plexguard.db_export.check.together import Look, raise_if_stopped, take_all
from plexguard.db_export.check.variant import hide, is_icu, is_maskable, mask, stand_ins
from plexguard.db_export.database.schema import quoted

# Of one run: what is behind them is the same damage.
_MOST_MESSAGES = 500
_GROUPS = 4
# Each run goes through its tables anew: that pays for large ones.
_MANY_ROWS = 1_000


def share_out(entries: Sequence[Entry], rows: Mapping[str, int]) -> tuple[frozenset[str], ...]:
    """Return the indexes of large tables in groups that are worth the same work. rows: of each table, about. Pure.

    What is in none is looked up in the run that goes through the trees.
    """
    groups: list[set[str]] = [set() for _ in range(_GROUPS)]
    work = [0] * _GROUPS
    free = (entry for entry in entries if is_maskable(entry) and not is_icu(entry) and rows.get(entry.table, 0) >= _MANY_ROWS)
    for entry in sorted(free, key=lambda entry: (-rows[entry.table], entry.table, entry.name)):
        lightest = work.index(min(work))
        groups[lightest].add(entry.name)
        work[lightest] += rows[entry.table]
    return tuple(frozenset(group) for group in groups if group)


def check_pages(
    copy: Path, entries: Sequence[Entry], rows: Mapping[str, int], progress: Progress | None = None
) -> tuple[Finding, ...]:
    """Return what SQLite finds wrong with a copy: pages, trees, rows, and every index but the order of Plex's own."""
    seen = _look(copy, entries, rows, progress)
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


def _look(copy: Path, entries: Sequence[Entry], rows: Mapping[str, int], progress: Progress | None) -> list[str]:
    """Return what the runs say, which is nothing about a healthy database."""
    groups = share_out(entries, rows)
    usual = stand_ins(entries)
    looked_up = frozenset[str]().union(*groups)
    masked = {entry.name: mask(entry) for entry in entries if entry.name in looked_up}
    looks = [Look(take=partial(_ask, "", masked=looked_up | _icu_names(entries)), changes=usual | masked)]
    for group in groups:
        tables = sorted({entry.table for entry in entries if entry.name in group})
        unseen = [entry for entry in entries if is_icu(entry) or entry.name in looked_up - group]
        looks.append(Look(take=partial(_ask_some, tables), changes=usual | hide(entries, unseen)))
    every = take_all(copy, looks, what="pages", progress=progress)
    return [message for said in every for message in (*said.messages, said.failed) if message]


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
    what = quoted(table) if table else str(_MOST_MESSAGES + len(masked))
    rows: list[str] = []
    # The interpreter loses the last row before a statement fails: each is put aside as soon as it is read.
    connection.text_factory = lambda text: rows.append(text.decode("utf-8", "replace"))
    try:
        connection.execute(f"PRAGMA integrity_check({what})").fetchall()
        failed = ""
    except sqlite3.DatabaseError as error:
        raise_if_stopped(error)
        failed = str(error)
    return Said(table=table, messages=messages.without(messages.lines_of(rows), masked), failed=failed)
