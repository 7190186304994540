"""Rows that the sqlite3 program finds in a damaged database by its own reading of the pages: `.recover`.

Not every sqlite3 can: Debian 12's is built without what it needs, so each is tried on a tiny database first. Nothing of its output
is stored, and none of its statements is run: each row is parsed as it comes. It also writes what this machine's SQLite must not
make (full-text tables) or can't (indexes in Plex's own order); and what it calls a row may never have been one.
Source: https://www.sqlite.org/cli.html#recover_data_from_a_corrupted_database
"""

import contextlib
import re
import sqlite3
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

from plexguard.core.clock import Clock
from plexguard.core.errors import DataError
from plexguard.core.host import CommandError, CommandMissing, Host, Stream
from plexguard.db_export.repair.records import RawText, Value, fits
from plexguard.db_export.repair.salvage import Row
from plexguard.db_export.repair.shape import Table

# A library of half a million titles takes it a minute.
_TIMEOUT_S = 3600.0
_PROBE_TIMEOUT_S = 15.0
# What comes back was put together, so that it can't be the echo of a statement.
_PROBE = ("CREATE TABLE probe (word); INSERT INTO probe VALUES ('plex' || 'guard');", ".recover")
_FOUND = "'plexguard'"
_ASIDE = "plexguard_aside"
# What is on the list of free pages was deleted, and stays so.
_RECOVER = f".recover --ignore-freelist --lost-and-found {_ASIDE}"
_END = "COMMIT;"
_VALUES = " VALUES ("
_HEAD = re.compile(r"INSERT OR IGNORE INTO '((?:[^']|'')*)'\((.*)\)")
_COLUMN = re.compile(r"_rowid_|'((?:[^']|'')*)'")
# The port's sign for bytes that are no text: such a row is not as it was.
_NO_TEXT = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sqlite3:
    """The sqlite3 program, where this machine has it."""

    host: Host
    clock: Clock
    command: str = "sqlite3"

    def find_obstacle(self) -> str:
        """Return why it can't recover, "" when it can."""
        try:
            done = self.host.run(self._call(":memory:", *_PROBE), timeout_s=_PROBE_TIMEOUT_S, check=False)
        except CommandMissing:
            return "there is no sqlite3 here"
        except CommandError as error:
            return str(error)
        if done.code == 0 and _FOUND in done.stdout:
            return ""
        return f"the sqlite3 of this machine can't: {' '.join(done.stderr.split()) or f'exit code {done.code}'}"

    def recover(self, source: Path, tables: Mapping[str, Table]) -> "Recovered":
        return Recovered(self, source, tables)

    def start(self, source: Path) -> Stream:
        return self.host.follow(self._call("-readonly", str(source), _RECOVER))

    def _call(self, *words: str) -> list[str]:
        # Without what an administrator has in ~/.sqliterc.
        return [self.command, "-batch", "-init", "/dev/null", *words]


class Recovered:
    """The rows that the program finds of some tables. aside: how many more it found that belong to no table, once all are read."""

    def __init__(self, program: Sqlite3, source: Path, tables: Mapping[str, Table]) -> None:
        self._program = program
        self._source = source
        self._tables = tables
        self.aside = 0

    def __iter__(self) -> Generator[tuple[Table, Row], None, None]:
        """Raises DataError when the program ends before it is done or does not end in time, CommandMissing."""
        clock = self._program.clock
        deadline_s = clock.monotonic_s() + _TIMEOUT_S
        heads: dict[str, Table | None] = {}
        with (
            contextlib.closing(self._program.start(self._source)) as stream,
            contextlib.closing(sqlite3.connect(":memory:")) as parser,
        ):
            parser.text_factory = _decode
            while (line := _read_line(stream, deadline_s - clock.monotonic_s())) != _END:
                self.aside += line.startswith(f"INSERT INTO {_ASIDE}")
                head, _, values = line.partition(_VALUES)
                if head not in heads:
                    heads[head] = parse_head(head, self._tables)
                table = heads[head]
                row = parse_row(parser, values, table) if table is not None else None
                if table is not None and row is not None:
                    yield table, row


def _read_line(stream: Stream, left_s: float) -> str:
    try:
        line = stream.read_line(max(0.0, left_s))
    except CommandError as error:
        raise DataError(str(error)) from error
    if line is None:
        raise DataError(f"no end within {_TIMEOUT_S:g} s")
    return line


def parse_head(head: str, tables: Mapping[str, Table]) -> Table | None:
    """Return the table whose rows have such a head of a statement; None when it is none of these, or has other columns there."""
    found = _HEAD.fullmatch(head)
    table = tables.get(_unquoted(found[1])) if found is not None else None
    if found is None or table is None:
        return None
    columns = [_unquoted(match[1] or "") for match in _COLUMN.finditer(found[2])]
    # The number of a row comes first where none of its columns is that.
    names = [*([] if table.has_rowid_column else [""]), *(column.name for column in table.columns)]
    return table if columns == names[: len(columns)] else None


def _unquoted(name: str) -> str:
    return name.replace("''", "'")


def parse_row(parser: sqlite3.Connection, values: str, table: Table) -> Row | None:
    """Return a row. values: what stands behind VALUES ( in a statement, read by SQLite itself; None when it can't be a row."""
    if _NO_TEXT in values:
        return None
    try:
        read = parser.execute(f"VALUES ({values.removesuffix(';')}").fetchone()
    except (sqlite3.Error, sqlite3.Warning):
        return None
    places = [place for place, column in enumerate(table.columns[: len(read)]) if column.is_rowid]
    if places:
        rowid, stored = read[places[0]], (*read[: places[0]], None, *read[places[0] + 1 :])
    else:
        rowid, stored = read[0], read[1:]
    return (rowid, stored) if isinstance(rowid, int) and fits(stored, table.columns) else None


def _decode(text: bytes) -> Value:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return RawText(text)
