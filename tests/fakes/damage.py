"""Databases damaged on purpose, each kind as it happens to real ones: disks that forget, copies cut short, tables of two minds.

A kind is a function that is given the path of a closed database, as grow() leaves it, and breaks it.
"""

import os
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.fakes.plex import database

Kind = Callable[[Path], None]
KINDS: dict[str, Kind] = {}
_ITEMS, _FILES, _ICU = "metadata_items", "index_media_parts_on_file", "index_title_sort_icu"
_WORDS = "fts4_metadata_titles_icu_segments"
_FREE_ROWS = 3_000


def kind(make: Kind) -> Kind:
    """Enter a kind of damage by the name of its function."""
    KINDS[make.__name__.strip("_").replace("_", "-")] = make
    return make


def grow(path: Path) -> None:
    """Give a library what small ones lack: free pages, rows that take several pages, inner nodes in its search index."""
    with closing(database.connect(path)) as connection:
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO statistics_bandwidth (account_id, at, bytes) VALUES (1, ?, ?)", ((n, n) for n in range(_FREE_ROWS))
        )
        connection.executemany(
            "INSERT INTO blobs (blob, linked_type, linked_id) VALUES (?, 'long', ?)",
            ((random.Random(n).randbytes(9_000), n) for n in range(1, 4)),
        )
        connection.execute("COMMIT")
        connection.execute("DELETE FROM statistics_bandwidth WHERE bytes < 2000")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


class Pages:
    """A closed database as bytes. Pages are counted from 1."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.raw = bytearray(path.read_bytes())
        self.size = int.from_bytes(self.raw[16:18], "big")

    def __getitem__(self, page: int) -> bytes:
        return bytes(self.raw[(page - 1) * self.size : page * self.size])

    def put(self, page: int, content: bytes, at: int = 0) -> None:
        start = (page - 1) * self.size + at
        self.raw[start : start + len(content)] = content

    def number(self, at: int) -> int:
        return int.from_bytes(self.raw[at : at + 4], "big")

    def save(self) -> None:
        self.path.write_bytes(self.raw)

    def of(self, name: str, page_type: str = "leaf") -> list[int]:
        """Return the pages of a table or an index: "leaf", "internal" or "overflow", in the order of its tree."""
        with closing(database.connect(self.path)) as connection:
            found = connection.execute("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = ? ORDER BY path", (name, page_type))
            pages = [page for (page,) in found]
        assert pages, f"{name} has no {page_type} pages"
        return pages

    def cell(self, page: int, number: int) -> int:
        """Return where in a page its n-th cell begins."""
        content = self[page]
        first = (100 if page == 1 else 0) + (12 if content[0 if page != 1 else 100] in (2, 5) else 8)
        return int.from_bytes(content[first + 2 * number : first + 2 * number + 2], "big")


def _middle(pages: list[int]) -> int:
    return pages[len(pages) // 2]


# ---------------------------------------------------------------- pages, one and all kinds of them

_PLACES = {
    "table-leaf": (_ITEMS, "leaf"),
    "table-interior": (_ITEMS, "internal"),
    "index-leaf": (_FILES, "leaf"),
    "index-interior": (_FILES, "internal"),
    "icu-index-leaf": (_ICU, "leaf"),
    "icu-index-interior": (_ICU, "internal"),
    "search-words": (_WORDS, "leaf"),
    "search-documents": ("fts4_metadata_titles_icu_content", "leaf"),
}


def _zero(pages: Pages, page: int) -> None:
    pages.put(page, bytes(pages.size))


def _half(pages: Pages, page: int) -> None:
    pages.put(page, bytes(pages.size // 2), pages.size // 2)


def _noise(pages: Pages, page: int) -> None:
    pages.put(page, random.Random(page).randbytes(pages.size))


def _flip_type(pages: Pages, page: int) -> None:
    pages.put(page, bytes([pages[page][0] ^ 0x04]))


def _swap(pages: Pages, page: int) -> None:
    other = next(p for p in (*pages.of("index_media_parts_on_hash"), *pages.of("media_streams")) if p != page)
    here, there = pages[page], pages[other]
    pages.put(page, there)
    pages.put(other, here)


def _everywhere(name: str, change: Callable[[Pages, int], None]) -> None:
    for place, (owner, page_type) in _PLACES.items():

        def damage(path: Path, owner: str = owner, page_type: str = page_type) -> None:
            pages = Pages(path)
            change(pages, _middle(pages.of(owner, page_type)))
            pages.save()

        KINDS[f"{name}-{place}"] = damage


_everywhere("zeroed", _zero)
_everywhere("half-written", _half)
_everywhere("noise-in", _noise)
_everywhere("flipped-type-of", _flip_type)
_everywhere("swapped", _swap)


def _raw(change: Callable[[Pages], None]) -> Kind:
    def damage(path: Path) -> None:
        pages = Pages(path)
        change(pages)
        pages.save()

    damage.__name__ = change.__name__
    return damage


def _sql(change: Callable[[sqlite3.Connection], None]) -> Kind:
    """Damage by a statement that SQLite would not make by itself."""

    def damage(path: Path) -> None:
        with closing(database.connect(path)) as connection:
            connection.execute("PRAGMA writable_schema=ON")
            change(connection)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    damage.__name__ = change.__name__
    return damage


# ---------------------------------------------------------------- within a page


@kind
@_raw
def cell_outside_page(pages: Pages) -> None:
    page = _middle(pages.of(_ITEMS))
    pages.put(page, (pages.size + 7).to_bytes(2, "big"), 8)


@kind
@_raw
def two_cells_at_one_place(pages: Pages) -> None:
    page = _middle(pages.of(_ITEMS))
    pages.put(page, pages[page][8:10], 10)


@kind
@_raw
def row_ids_out_of_order(pages: Pages) -> None:
    page = _middle(pages.of("media_parts"))
    content = pages[page]
    pages.put(page, content[10:12] + content[8:10], 8)


@kind
@_raw
def duplicated_row_id(pages: Pages) -> None:
    # A row: how long it is, its number, what is in it; both numbers take one or two bytes.
    page = _middle(pages.of("taggings"))
    first, second = pages.cell(page, 0), pages.cell(page, 1)
    pages.put(page, pages[page][first + 1 : first + 3], second + 1)


@kind
@_raw
def more_cells_than_there_are(pages: Pages) -> None:
    page = _middle(pages.of("media_streams"))
    pages.put(page, (pages.size // 3).to_bytes(2, "big"), 3)


@kind
@_raw
def free_blocks_in_a_loop(pages: Pages) -> None:
    page = _middle(pages.of("media_items"))
    at = pages.size - 8
    pages.put(page, at.to_bytes(2, "big"), 1)
    pages.put(page, at.to_bytes(2, "big") + b"\0\x04", at)


@kind
@_raw
def flipped_bit_in_an_indexed_path(pages: Pages) -> None:
    page = _middle(pages.of("media_parts"))
    at = pages[page].find(b"/Media/")
    pages.put(page, bytes([pages[page][at + 3] ^ 0x01]), at + 3)


@kind
@_raw
def flipped_bit_in_an_index_key(pages: Pages) -> None:
    page = _middle(pages.of(_FILES))
    at = pages[page].find(b"/Media/")
    pages.put(page, bytes([pages[page][at + 3] ^ 0x01]), at + 3)


@kind
@_raw
def flipped_bit_in_an_icu_index_key(pages: Pages) -> None:
    page = _middle(pages.of(_ICU))
    at = pages.cell(page, 1)
    # How long the key and its head are, the types of title and number, then the title.
    pages.put(page, bytes([pages[page][at + 5] ^ 0x01]), at + 5)


@kind
@_raw
def wrong_length_of_a_row(pages: Pages) -> None:
    page = _middle(pages.of("media_parts"))
    pages.put(page, b"\xff\xff\xff\x7f", pages.cell(page, 0))


# ---------------------------------------------------------------- pages and who they belong to


@kind
@_raw
def pointer_to_another_tree(pages: Pages) -> None:
    page = pages.of("media_parts", "internal")[0]
    at = pages.cell(page, 1)
    pages.put(page, _middle(pages.of("media_streams")).to_bytes(4, "big"), at)


@kind
@_raw
def pointer_behind_the_end(pages: Pages) -> None:
    page = pages.of("media_parts", "internal")[0]
    pages.put(page, b"\0\x7f\xff\xff", pages.cell(page, 1))


@kind
@_raw
def page_in_two_places_of_a_tree(pages: Pages) -> None:
    page = pages.of("media_parts", "internal")[0]
    pages.put(page, pages[page][pages.cell(page, 0) : pages.cell(page, 0) + 4], pages.cell(page, 1))


@kind
@_raw
def index_tree_within_a_table(pages: Pages) -> None:
    page = pages.of(_ITEMS, "internal")[0]
    pages.put(page, _middle(pages.of(_FILES)).to_bytes(4, "big"), pages.cell(page, 1))


@kind
@_raw
def stale_page(pages: Pages) -> None:
    """A page that is as it was before its rows were added: the write was lost."""
    leaves = pages.of("media_streams")
    pages.put(leaves[-2], pages[leaves[0]])


@kind
@_raw
def overflow_chain_broken(pages: Pages) -> None:
    pages.put(pages.of("blobs", "overflow")[2], bytes(4))


@kind
@_raw
def overflow_chain_into_another_tree(pages: Pages) -> None:
    pages.put(pages.of("blobs", "overflow")[2], _middle(pages.of("media_streams")).to_bytes(4, "big"))


@kind
@_raw
def overflow_chain_in_a_loop(pages: Pages) -> None:
    page = pages.of("blobs", "overflow")[2]
    pages.put(page, page.to_bytes(4, "big"))


@kind
@_raw
def freelist_trunk_zeroed(pages: Pages) -> None:
    pages.put(pages.number(32), bytes(pages.size))


@kind
@_raw
def freelist_in_a_loop(pages: Pages) -> None:
    trunk = pages.number(32)
    pages.put(trunk, trunk.to_bytes(4, "big"))


@kind
@_raw
def freelist_holds_a_page_in_use(pages: Pages) -> None:
    pages.put(pages.number(32), _middle(pages.of("media_streams")).to_bytes(4, "big"), 8)


@kind
@_raw
def freelist_count_wrong(pages: Pages) -> None:
    pages.put(1, (pages.number(36) + 3).to_bytes(4, "big"), 36)


@kind
@_raw
def freelist_lost(pages: Pages) -> None:
    pages.put(1, bytes(8), 32)


# ---------------------------------------------------------------- the header, and the file


@kind
@_raw
def magic_destroyed(pages: Pages) -> None:
    pages.put(1, b"sqlite format 3\0")


@kind
@_raw
def header_zeroed(pages: Pages) -> None:
    pages.put(1, bytes(100))


@kind
@_raw
def first_page_zeroed(pages: Pages) -> None:
    pages.put(1, bytes(pages.size))


@kind
@_raw
def wrong_page_size(pages: Pages) -> None:
    pages.put(1, (4 * pages.size if pages.size < 4096 else 1024).to_bytes(2, "big"), 16)


@kind
@_raw
def impossible_page_size(pages: Pages) -> None:
    pages.put(1, b"\x03\x00", 16)


@kind
@_raw
def wrong_encoding(pages: Pages) -> None:
    pages.put(1, b"\0\0\0\x02", 56)


@kind
@_raw
def impossible_encoding(pages: Pages) -> None:
    pages.put(1, b"\0\0\0\x09", 56)


@kind
@_raw
def wrong_schema_format(pages: Pages) -> None:
    pages.put(1, b"\0\0\0\x09", 44)


@kind
@_raw
def page_count_too_high(pages: Pages) -> None:
    pages.put(1, (pages.number(28) + 5).to_bytes(4, "big"), 28)


@kind
@_raw
def page_count_too_low(pages: Pages) -> None:
    pages.put(1, (pages.number(28) - 5).to_bytes(4, "big"), 28)


@kind
def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@kind
def cut_within_a_page(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 300)


@kind
def cut_within_the_header(path: Path) -> None:
    os.truncate(path, 60)


@kind
def empty_file(path: Path) -> None:
    os.truncate(path, 0)


@kind
def half_written_copy(path: Path) -> None:
    """As long as it should be, and zeros from the middle on: a copy whose disk was full, or that was never synced."""
    size = path.stat().st_size
    os.truncate(path, size // 2)
    os.truncate(path, size)


@kind
def longer_than_it_should_be(path: Path) -> None:
    with path.open("ab") as file:
        file.write(random.Random(1).randbytes(8 * 4096))


# ---------------------------------------------------------------- the schema


@kind
@_sql
def schema_row_without_sense(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE sqlite_master SET sql = 'CREATE TABLE media_parts (' WHERE name = 'media_parts'")


@kind
@_sql
def schema_row_of_another_table(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE sqlite_master SET sql = 'CREATE TABLE other (id)' WHERE name = 'accounts'")


@kind
@_raw
def schema_name_that_is_no_text(pages: Pages) -> None:
    at = pages.raw.find(b"media_grabs_on_created_at")
    pages.raw[at + 12] = 0xEE


@kind
@_sql
def schema_row_lost(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM sqlite_master WHERE name = 'section_locations'")


@kind
@_sql
def schema_row_twice(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO sqlite_master SELECT * FROM sqlite_master WHERE name = 'plugins'")


@kind
@_sql
def wrong_root_page(connection: sqlite3.Connection) -> None:
    connection.execute(
        "UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master WHERE name = 'tags') WHERE name = 'taggings'"
    )


@kind
@_sql
def root_page_of_an_index(connection: sqlite3.Connection) -> None:
    connection.execute(
        "UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master WHERE name = 'index_tags_on_tag') "
        "WHERE name = 'plugins'"
    )


@kind
@_sql
def root_page_behind_the_end(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE sqlite_master SET rootpage = 999999 WHERE name = 'index_tags_on_tag'")


@kind
@_sql
def two_indexes_exchanged(connection: sqlite3.Connection) -> None:
    names = ("index_media_parts_on_file", "index_media_parts_on_hash")
    roots = [connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (n,)).fetchone()[0] for n in names]
    for name, root in zip(names, reversed(roots), strict=True):
        connection.execute("UPDATE sqlite_master SET rootpage = ? WHERE name = ?", (root, name))


@kind
@_sql
def index_of_a_lost_table(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE sqlite_master SET tbl_name = 'gone' WHERE name = 'index_tags_on_tag'")


# ---------------------------------------------------------------- rows and indexes


@kind
@_sql
def null_where_none_may_be(connection: sqlite3.Connection) -> None:
    (sql,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'media_grabs'").fetchone()
    connection.execute("INSERT INTO media_grabs (uuid) VALUES (NULL)")
    connection.execute(
        "UPDATE sqlite_master SET sql = ? WHERE name = 'media_grabs'",
        (sql.replace('"uuid" varchar(255)', '"uuid" varchar(255) NOT NULL'),),
    )


@kind
def index_entry_missing(path: Path) -> None:
    _behind_its_back(path, "index_media_parts_on_file", "DELETE FROM media_parts WHERE id = 7", "media_parts")


@kind
def index_entry_left_over(path: Path) -> None:
    _behind_its_back(path, "index_media_parts_on_hash", "INSERT INTO media_parts (file) VALUES ('/Media/more')", "media_parts")


@kind
def icu_index_entry_missing(path: Path) -> None:
    _behind_its_back(path, _ICU, "DELETE FROM tags WHERE 0; INSERT INTO metadata_items (title_sort) VALUES ('More')", _ITEMS)


@kind
def icu_index_with_an_old_title(path: Path) -> None:
    _behind_its_back(path, _ICU, "UPDATE metadata_items SET title_sort = 'Other' WHERE id = 5", _ITEMS)


@kind
def unique_index_with_twins(path: Path) -> None:
    change = "INSERT INTO media_grabs (uuid) VALUES ('a'), ('a')"
    with closing(database.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        make = "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE name = 'media_grabs_on_uuid'"
        connection.execute(make, ("UNIQUE INDEX", "INDEX"))
        connection.execute("PRAGMA writable_schema=RESET")
    with closing(database.connect(path)) as connection:
        connection.execute(change)
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute(make, ("CREATE INDEX", "CREATE UNIQUE INDEX"))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _behind_its_back(path: Path, index: str, change: str, table: str) -> None:
    """Change rows while the schema does not name one of their indexes."""
    with closing(database.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        row = connection.execute(
            "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master WHERE name = ?", (index,)
        ).fetchone()
        connection.execute("DELETE FROM sqlite_master WHERE name = ?", (index,))
        connection.execute("PRAGMA writable_schema=RESET")
    assert row["tbl_name"] == table
    with closing(database.connect(path)) as connection:
        connection.executescript(change)
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", tuple(row))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


# ---------------------------------------------------------------- the search


@kind
@_sql
def search_block_lost(connection: sqlite3.Connection) -> None:
    connection.execute(f"DELETE FROM {_WORDS} WHERE blockid = (SELECT max(blockid) FROM {_WORDS} WHERE blockid > 1) - 1")


@kind
@_sql
def search_root_cut(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE fts4_metadata_titles_icu_segdir SET root = substr(root, 1, length(root) - 3)")


@kind
@_sql
def search_root_zeroed(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE fts4_metadata_titles_segdir SET root = zeroblob(length(root))")


@kind
@_sql
def search_segments_forgotten(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM fts4_tag_titles_icu_segdir")


@kind
@_sql
def search_lengths_lost(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM fts4_metadata_titles_icu_docsize WHERE docid % 2")


@kind
@_sql
def search_words_of_other_titles(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE fts4_metadata_titles_content SET c0title = 'Replaced' WHERE docid = 3")


@kind
@_sql
def search_titles_of_other_items(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE fts4_metadata_titles_icu_content SET c0title = 'Replaced' WHERE docid = 3")


@kind
@_sql
def search_table_lost(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM sqlite_master WHERE name = 'fts4_tag_titles_icu_segments'")


# ---------------------------------------------------------------- what lies beside it


def _pending(path: Path, change: str) -> bytes:
    """Return the -wal that a database would have which was left in the middle of its work."""
    with closing(database.connect(path)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint=0")
        for statement in change.split(";"):
            connection.execute(statement)
        return Path(f"{path}-wal").read_bytes()


@kind
def wal_of_the_time_before(path: Path) -> None:
    """A database that was put back from a copy, beside the -wal of the one that it replaces."""
    old = path.with_name("old.db")
    old.write_bytes(path.read_bytes())
    wal = _pending(old, "CREATE TABLE a (b); INSERT INTO a VALUES (1); DELETE FROM taggings WHERE id < 5")
    with closing(database.connect(path)) as connection:
        for n in range(9):
            connection.execute(f"CREATE TABLE t{n} (a)")
            connection.execute(f"DROP TABLE t{n}")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    Path(f"{path}-wal").write_bytes(wal)
    old.unlink()


@kind
def wal_beside_a_repaired_database(path: Path) -> None:
    """A database that was made anew from its rows, moved into the place of the old one, and the old -wal still there."""
    wal = _pending(path, "CREATE TABLE a (b); INSERT INTO a VALUES (1); DELETE FROM taggings WHERE id < 5")
    with closing(database.connect(path)) as connection:
        connection.execute("DELETE FROM taggings WHERE id > 20")
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    Path(f"{path}-wal").write_bytes(wal)


@kind
def wal_of_another_page_size(path: Path) -> None:
    other = path.with_name("other.db")
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("PRAGMA page_size=8192")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE a (b)")
    wal = _pending(other, "INSERT INTO a VALUES (1)")
    Path(f"{path}-wal").write_bytes(wal)
    other.unlink()


@kind
def wal_broken_in_the_middle(path: Path) -> None:
    wal = bytearray(_pending(path, "CREATE TABLE a (b); INSERT INTO a VALUES (1); INSERT INTO a VALUES (2); CREATE TABLE c (d)"))
    page = int.from_bytes(wal[8:12], "big")
    wal[32 + 2 * (24 + page) + 200] ^= 0x10
    _as_it_was(path, bytes(wal))


@kind
def wal_with_a_broken_header(path: Path) -> None:
    wal = bytearray(_pending(path, "CREATE TABLE a (b)"))
    wal[20] ^= 0x10
    _as_it_was(path, bytes(wal))


def _as_it_was(path: Path, wal: bytes) -> None:
    """Put a -wal back beside its database, whose pages have it by now."""
    Path(f"{path}-wal").write_bytes(wal)


@kind
def journal_of_a_cut_off_change(path: Path) -> None:
    Path(f"{path}-journal").write_bytes(bytes.fromhex("d9d505f920a163d7") + bytes(1000))


# ---------------------------------------------------------------- rows that make no sense together


@kind
@_sql
def files_without_their_version(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM media_items WHERE id IN (3, 4)")


@kind
@_sql
def library_without_its_row(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM library_sections WHERE id = 2")


@kind
@_sql
def sequence_behind_its_table(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE sqlite_sequence SET seq = 3 WHERE name = 'metadata_items'")
