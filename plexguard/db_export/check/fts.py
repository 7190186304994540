"""The full-text tables, as far as they can be judged without the tokenizer that only Plex's own SQLite has.

What can be is surely so: that the tree of words can be read from its first word to its last, in order; that as many words are
counted in it as in the table of the documents' lengths; and with a tokenizer that every SQLite has, that the words are those of the
documents. A difference is drift, from which only searching suffers, and no reason to doubt the rest: Plex's own SQLite reports some
on databases that work. A tree that cannot be read is damage.

Source: https://www.sqlite.org/fts3.html#data_structures.
"""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from plexguard.db_export.archive.progress import Progress
from plexguard.db_export.check.catalog import Entry
from plexguard.db_export.check.findings import Finding, Kind, damage, note, warning
from plexguard.db_export.check.segments import BadNode, read_children
from plexguard.db_export.check.together import Look, raise_if_stopped, take_all
from plexguard.db_export.check.variant import stand_ins
from plexguard.db_export.database.schema import quoted

_FTS = re.compile(r"\bUSING\s+[\"'`\[]?fts[34]\b", re.IGNORECASE)
_TOKENIZER = re.compile(r"tokenize\s*=?\s*[\"']?(\w+)", re.IGNORECASE)
_EXTERNAL = re.compile(r"content\s*=", re.IGNORECASE)
_KNOWN = ("simple", "porter")
_SHADOWS = ("segments", "segdir", "docsize", "stat")
_SHOWN = 40


def is_full_text(entry: Entry) -> bool:
    return entry.is_virtual and _FTS.search(entry.sql) is not None


def tokenizer_of(entry: Entry) -> str:
    """Return the name of what cuts the texts into words."""
    found = _TOKENIZER.search(entry.sql)
    return found[1].lower() if found is not None else "simple"


def check_full_text(copy: Path, entries: Sequence[Entry], progress: Progress | None = None) -> tuple[Finding, ...]:
    """Return what is wrong with the full-text tables of a copy."""
    names = {entry.name for entry in entries}
    indexes = [entry for entry in entries if is_full_text(entry)]
    shown = {name: change for name, change in stand_ins(entries).items() if name not in {entry.name for entry in indexes}}
    looks = [Look(take=partial(_check, entry, frozenset(names)), changes=shown) for entry in indexes]
    return tuple(finding for findings in take_all(copy, looks, what="words", progress=progress) for finding in findings)


def _check(entry: Entry, names: frozenset[str], connection: sqlite3.Connection) -> tuple[Finding, ...]:
    missing = [f"{entry.name}_{part}" for part in _SHADOWS if f"{entry.name}_{part}" not in names]
    if missing:
        return (damage(Kind.FULL_TEXT, f"{', '.join(missing)} is gone", table=entry.name),)
    try:
        broken = tuple(_check_tree(connection, entry.name))
        if broken:
            return broken
        return (*_check_counts(connection, entry), *_check_words(connection, entry))
    except sqlite3.DatabaseError as error:
        raise_if_stopped(error)
        return (damage(Kind.FULL_TEXT, f"its words cannot be read: {error}", table=entry.name),)


def _check_tree(connection: sqlite3.Connection, name: str) -> Iterator[Finding]:
    """Yield what is wrong with the segments: blocks that are not there, nodes that lead nowhere."""
    segdir, segments = quoted(f"{name}_segdir"), quoted(f"{name}_segments")
    rows = connection.execute(f"SELECT level, idx, start_block, leaves_end_block, end_block, root FROM {segdir}").fetchall()
    for level, idx, start, leaves_end, _, root in rows:
        where = f"segment {level}/{idx}"
        if not isinstance(root, bytes) or not isinstance(start, int) or not isinstance(leaves_end, int):
            yield damage(Kind.FULL_TEXT, f"{where} is not described as one", table=name)
            continue
        if start == 0:
            continue
        there = connection.execute(
            f"SELECT count(*) FROM {segments} WHERE blockid BETWEEN ? AND ? AND typeof(block) = 'blob'",
            (start, leaves_end),
        ).fetchone()[0]
        if there != leaves_end - start + 1:
            yield damage(Kind.FULL_TEXT, f"{where} has {there} of its {leaves_end - start + 1} blocks of words", table=name)
            continue
        try:
            _descend(connection, segments, root, (start, leaves_end))
        except BadNode as error:
            yield damage(Kind.FULL_TEXT, f"{where}: {error}", table=name)


def _descend(connection: sqlite3.Connection, segments: str, root: bytes, leaves: tuple[int, int]) -> None:
    """Go from the root of a segment down to its leaves, all of which must be met once and in order. Raises BadNode."""
    nodes: list[bytes] = [root]
    while True:
        heights, children = zip(*(read_children(node) for node in nodes), strict=True)
        blocks = [block for blocks in children for block in blocks]
        if len(set(heights)) != 1:
            raise BadNode("its nodes are of different heights")
        if heights[0] == 1:
            break
        nodes = [_read_block(connection, segments, block) for block in blocks]
    # An index that is being merged may have begun further on than its nodes say.
    if blocks[-1] != leaves[1] or blocks != list(range(blocks[0], blocks[-1] + 1)) or blocks[0] > leaves[0]:
        raise BadNode(f"its nodes lead to the blocks {blocks[0]} to {blocks[-1]}, its words are in {leaves[0]} to {leaves[1]}")


def _read_block(connection: sqlite3.Connection, segments: str, block: int) -> bytes:
    row = connection.execute(f"SELECT block FROM {segments} WHERE blockid = ?", (block,)).fetchone()
    if row is None or not isinstance(row[0], bytes):
        raise BadNode(f"block {block} is not there")
    return row[0]


def _check_counts(connection: sqlite3.Connection, entry: Entry) -> Iterator[Finding]:
    """Yield what is wrong with the words themselves, read all by SQLite, and with how many there are."""
    counted, last = 0, b""
    connection.execute(f"CREATE VIRTUAL TABLE temp.words USING fts4aux(main, {quoted(entry.name)})")
    for term, occurrences in connection.execute("SELECT CAST(term AS BLOB), occurrences FROM temp.words WHERE col = '*'"):
        if term <= last and last:
            yield damage(Kind.FULL_TEXT, f"its words are out of order at {term[:_SHOWN]!r}", table=entry.name)
            return
        counted, last = counted + occurrences, term
    lengths = quoted(f"{entry.name}_docsize")
    documents, total = 0, 0
    for (size,) in connection.execute(f"SELECT size FROM {lengths}"):
        documents += 1
        total += _add_varints(size if isinstance(size, bytes) else b"")
    if total != counted:
        yield warning(
            Kind.FULL_TEXT,
            f"{counted} words are in the index, {total} in its documents",
            table=entry.name,
            sure=not is_external(entry),
        )
    if not is_external(entry):
        content = quoted(f"{entry.name}_content")
        stored = connection.execute(f"SELECT count(*) FROM {content} NOT INDEXED").fetchone()[0]
        if stored != documents:
            yield warning(Kind.FULL_TEXT, f"it holds {stored} documents and the lengths of {documents}", table=entry.name)


def is_external(entry: Entry) -> bool:
    """Tell whether the documents are the rows of another table, which can have changed behind the index's back."""
    return _EXTERNAL.search(entry.sql) is not None


def _add_varints(raw: bytes) -> int:
    """Return the sum of the numbers in a row of lengths: seven bits a byte, the lowest first."""
    if raw.isascii():
        return sum(raw)
    total = shift = 0
    for byte in raw:
        total += (byte & 0x7F) << shift
        shift = shift + 7 if byte & 0x80 else 0
    return total


def _check_words(connection: sqlite3.Connection, entry: Entry) -> Iterator[Finding]:
    """Yield whether the words are those of the documents, by FTS4's own check."""
    known = tokenizer_of(entry) in _KNOWN
    if not known:
        _register_stand_in(connection, tokenizer_of(entry))
    name = quoted(entry.name)
    try:
        connection.execute(f"INSERT INTO {name}({name}) VALUES ('integrity-check')")
    except sqlite3.DatabaseError as error:
        raise_if_stopped(error)
        if known:
            yield warning(Kind.FULL_TEXT, "its words are not those of its documents", table=entry.name, sure=not is_external(entry))
        else:
            detail = f"whether its words are those of its documents, only Plex's own SQLite can tell ({tokenizer_of(entry)})"
            yield note(Kind.FULL_TEXT, detail, table=entry.name, sure=False)


def _register_stand_in(connection: sqlite3.Connection, name: str) -> None:
    """Have the simple tokenizer stand in for one that is not here: where the words are right by it, they are right."""
    simple = connection.execute("SELECT fts3_tokenizer(?)", ("simple",)).fetchone()[0]
    connection.execute("SELECT fts3_tokenizer(?, ?)", (name, simple))
