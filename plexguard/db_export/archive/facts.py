"""What is true of the copy of a database: its hash, its version, its rows. Reads the copy, which nobody changes."""

import hashlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from plexguard.core.errors import PlexguardError, SystemRefused
from plexguard.db_export.archive.manifest import DatabaseFacts, Member, member_of
from plexguard.db_export.archive.tape import CHUNK
from plexguard.db_export.database.schema import count_sections, count_table, list_tables, schema_version
from plexguard.db_export.database.sqlite import DatabaseDamaged, Halt, NotADatabase, reading, translate


class Survey:
    """Takes the facts of copies while something else is done: hashing and counting leave the interpreter alone.

    A context: who leaves it early ends what is at work, for an interpreter that ends beside threads in SQLite or OpenSSL crashes.
    """

    def __init__(self, copies: tuple[Path, ...]) -> None:
        self._halt = Halt()
        self._members = [_Task(hash_file, copy, self._halt) for copy in copies]
        self._facts = [_Task(take_facts, copy, self._halt) for copy in copies]
        self._names = tuple(copy.name for copy in copies)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._halt.end()
        for task in (*self._members, *self._facts):
            task.join()

    def members(self) -> tuple[Member, ...]:
        """Wait for the hashes. Raises what their threads met."""
        return tuple(task.result() for task in self._members)

    def databases(self) -> dict[str, DatabaseFacts]:
        return dict(zip(self._names, (task.result() for task in self._facts), strict=True))


class _Task:
    """One call in a thread of its own."""

    def __init__(self, call: Callable[[Path, Halt], Any], path: Path, halt: Halt) -> None:
        self._call, self._path, self._halt = call, path, halt
        self._result: Any = None
        self._error: PlexguardError | OSError | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._call(self._path, self._halt)
        except (PlexguardError, OSError) as error:
            self._error = error

    def join(self) -> None:
        self._thread.join()

    def result(self) -> Any:
        self.join()
        if self._error is not None:
            raise self._error
        return self._result


def hash_file(copy: Path, halt: Halt) -> Member:
    """Return a copied database as a member of an archive."""
    digest, size, buffer = hashlib.sha256(), 0, memoryview(bytearray(CHUNK))
    with open(copy, "rb", buffering=0) as file:
        while not halt.is_set and (found := file.readinto(buffer)):
            digest.update(buffer[:found])
            size += found
    return Member(name=member_of(copy.name), size=size, sha256=digest.hexdigest())


def take_facts(copy: Path, halt: Halt) -> DatabaseFacts:
    """Return version and rows of a copied database. Damage that is met is one of the facts: what can be read is worth keeping."""
    rows: dict[str, int] = {}
    roots: dict[str, int] = {}
    sections: dict[str, int] = {}
    version, page_size, damage = "", 0, ""
    try:
        with reading(copy, immutable=True) as connection, halt.ends(connection):
            page_size = int(connection.execute("PRAGMA page_size").fetchone()[0])
            version = schema_version(connection)
            tables = list_tables(connection).stored
            roots = _find_roots(connection, frozenset(tables))
            for name in tables:
                if halt.is_set:
                    break
                try:
                    rows[name] = count_table(connection, name)
                except sqlite3.DatabaseError as error:
                    damage = damage or f"table {name}: {_damage_of(error, copy)}"
            if not damage and "metadata_items" in rows:
                sections = count_sections(connection)
    except (DatabaseDamaged, NotADatabase, SystemRefused) as error:  # the last: it is a database, and not Plex's
        damage = damage or str(error).removeprefix(f"{copy}: ")
    return DatabaseFacts(schema_version=version, page_size=page_size, rows=rows, roots=roots, sections=sections, damage=damage)


def _find_roots(connection: sqlite3.Connection, tables: frozenset[str]) -> dict[str, int]:
    """Return the first page of each table; a table without row ids is kept as an index, and has none."""
    found = connection.execute("SELECT name, rootpage, sql FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return {name: root for name, root, sql in found if name in tables and "WITHOUT ROWID" not in (sql or "").upper()}


def _damage_of(error: sqlite3.DatabaseError, copy: Path) -> str:
    """Return what is damaged, as text. Raises what is no damage."""
    known = translate(error, copy)
    if not isinstance(known, DatabaseDamaged | NotADatabase):
        raise known from error
    return str(error)
