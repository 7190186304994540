"""The library database and its blobs companion: made from schema.sql, opened as Plex's own SQLite would.

Only connections made here know the collation icu_root and the tokenizer collating. Everybody else's SQLite fails on the
index and the full-text tables that use them, just as with a real Plex database.
"""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

SCHEMA = Path(__file__).with_name("schema.sql")
MAIN_NAME = "com.plexapp.plugins.library.db"
BLOBS_NAME = "com.plexapp.plugins.library.blobs.db"
# A freshly made 1.43.4 database has small pages; only rebuilt ones have 4096.
PAGE_BYTES = 1024
BUSY_TIMEOUT_S = 10.0
# https://www.sqlite.org/fileformat2.html#walformat
WAL_HEADER_BYTES = 32
WAL_FRAME_HEADER_BYTES = 24


def connect(path: Path, *, timeout_s: float = BUSY_TIMEOUT_S) -> sqlite3.Connection:
    """Open a database with stand-ins for what Plex's SQLite has built in. Transactions are begun by hand."""
    connection = sqlite3.connect(path, timeout=timeout_s, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.create_collation("icu_root", compare_titles)
    # A tokenizer is registered as a pointer; SQLite permits that only through bound parameters.
    simple = connection.execute("SELECT fts3_tokenizer(?)", ("simple",)).fetchone()[0]
    connection.execute("SELECT fts3_tokenizer(?, ?)", ("collating", simple))
    return connection


def compare_titles(left: str, right: str) -> int:
    """Order titles without regard to case: near enough to ICU's root collation for an index of our own."""
    first, second = left.casefold(), right.casefold()
    return (first > second) - (first < second)


def open_library(folder: Path) -> sqlite3.Connection:
    """Create whichever of the two databases is missing and return an open connection to the main one.

    While it is open the -wal and -shm files exist and the locks of a running server are held.
    Raises sqlite3.Error if a file is there but not a usable Plex database.
    """
    folder.mkdir(parents=True, exist_ok=True)
    main, blobs = folder / MAIN_NAME, folder / BLOBS_NAME
    is_new = not main.exists()
    if is_new:
        create(main)
    if is_new and not blobs.exists():
        shutil.copy2(main, blobs)
    elif not blobs.exists():
        create(blobs)
    connection = connect(main)
    try:
        check(connection)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def unfinished_frames(main: Path) -> int:
    """Return how many pages an unclean stop left in the -wal; 0 after a clean one."""
    wal = Path(f"{main}-wal")
    header = wal.read_bytes()[:WAL_HEADER_BYTES] if wal.exists() else b""
    if len(header) < WAL_HEADER_BYTES:
        return 0
    page_bytes = int.from_bytes(header[8:12], "big")
    return (wal.stat().st_size - WAL_HEADER_BYTES) // (WAL_FRAME_HEADER_BYTES + page_bytes)


def check(connection: sqlite3.Connection) -> None:
    """Do what start-up does first, so that damage shows itself as it would there."""
    connection.execute("PRAGMA cache_size=2000")
    connection.execute("PRAGMA journal_mode=WAL")
    for table in ("schema_migrations", "library_sections", "section_locations", "metadata_items", "media_parts"):
        connection.execute(f"SELECT * FROM {table} LIMIT 1").fetchall()
    connection.execute("UPDATE preferences SET value = value WHERE name = 'version'")


def create(path: Path) -> None:
    """Make an empty database."""
    connection = connect(path)
    try:
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=OFF")
        connection.executescript(f"BEGIN;\n{SCHEMA.read_text()}\n{SEED}\nCOMMIT;")
        add_spellfix_tables(connection)
    finally:
        connection.close()
    path.chmod(0o644)


SEED = """
INSERT INTO schema_migrations (version) VALUES ('20240718114400'), ('500000000001.231');
INSERT INTO accounts (id, name, created_at, updated_at) VALUES (1, '', unixepoch(), unixepoch());
INSERT INTO preferences (name, value) VALUES ('version', '500000000001.231');
"""


def add_spellfix_tables(connection: sqlite3.Connection) -> None:
    """Enter the virtual tables whose module nobody outside Plex has, with the plain tables behind them."""
    connection.execute("PRAGMA writable_schema=ON")
    for name in ("spellfix_metadata_titles", "spellfix_tag_titles"):
        vocabulary = f"{name}_vocab"
        connection.execute(
            f'CREATE TABLE "{vocabulary}"( id INTEGER PRIMARY KEY, rank INT, langid INT, word TEXT, k1 TEXT, k2 TEXT )'
        )
        connection.execute(f'CREATE INDEX "{vocabulary}_index_langid_k2" ON "{vocabulary}"(langid,k2)')
        statement = f"CREATE VIRTUAL TABLE {name} USING spellfix1"
        connection.execute("INSERT INTO sqlite_master VALUES ('table', ?, ?, 0, ?)", (name, name, statement))
    connection.execute("PRAGMA writable_schema=RESET")
