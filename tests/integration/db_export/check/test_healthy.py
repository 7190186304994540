"""Nothing is found wrong with what is sound: fifty libraries, each lived in differently."""

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from plexguard.db_export.check.findings import Finding, Severity
from plexguard.db_export.check.run import check_database
from plexguard.db_export.database.files import BLOBS, LIBRARY
from tests.fakes.libraries import make_plex
from tests.fakes.plex import database

_ODDITIES = ("", "É\u0301te\u0301", "d'Artagnan", '"%_\\', "\U0001f3ac", "line\nline", "\ufffd", "A" * 3_000, "ÆØÅ æøå", "\u200b")
_EDITS = 60


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the libraries that the others grow from."""
    folder = tmp_path_factory.mktemp("libraries")
    made = {
        "small-pages": make_plex(folder / "a", films=40, page_bytes=1024),
        "large-pages": make_plex(folder / "b", films=40, page_bytes=4096),
        "old-triggers": make_plex(folder / "c", films=20, old_triggers=True),
        "external": make_plex(folder / "d", films=20),
        "empty": make_plex(folder / "e", films=0, episodes=0, tracks=0),
    }
    keep_search_outside(made["external"].library)
    return {name: data.library for name, data in made.items()}


def keep_search_outside(library: Path) -> None:
    """Have the search index read the titles in their table, as libraries of some versions do, and hold none itself."""
    with closing(database.connect(library)) as connection:
        connection.execute("DROP TABLE fts4_metadata_titles_icu")
        connection.execute(
            "CREATE VIRTUAL TABLE fts4_metadata_titles_icu USING fts4(content='metadata_items', title, title_sort, original_title, "
            "tokenize=collating 'root@colStrength=primary;colAlternate=shifted')"
        )
        connection.execute("INSERT INTO fts4_metadata_titles_icu(fts4_metadata_titles_icu) VALUES ('rebuild')")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def live_in(connection: sqlite3.Connection, chance: random.Random) -> None:
    """Do what Plex does, in any order: add, rename, tag and delete items with all that is theirs."""
    for number in range(1_000, 1_000 + _EDITS):
        title = chance.choice(_ODDITIES) + chance.choice(("", f" {number}"))
        items = [row[0] for row in connection.execute("SELECT id FROM metadata_items")]
        match chance.randrange(5):
            case 0 | 1:
                connection.execute("INSERT INTO metadata_items (id, title, title_sort) VALUES (?, ?, ?)", (number, title, title))
                connection.execute("INSERT INTO media_items (id, metadata_item_id) VALUES (?, ?)", (number, number))
                values = (number, number, f"/Media/{title}", chance.randbytes(chance.choice((3, 5_000))))
                connection.execute("INSERT INTO media_parts (id, media_item_id, file, extra_data) VALUES (?, ?, ?, ?)", values)
            case 2 if items:
                change = "UPDATE metadata_items SET title = ?, title_sort = ?, original_title = NULL WHERE id = ?"
                connection.execute(change, (title or None, title or None, chance.choice(items)))
            case 3:
                connection.execute("INSERT INTO tags (tag, tag_type) VALUES (?, ?)", (title, chance.choice((0, 1, 3))))
                connection.execute("UPDATE tags SET tag_type = ? WHERE id = 2", (chance.choice((1, 5)),))
            case 4 if items:
                delete(connection, chance.choice(items))


def delete(connection: sqlite3.Connection, item: int) -> None:
    if connection.execute("SELECT 1 FROM metadata_items WHERE parent_id = ?", (item,)).fetchone():
        return
    media = "(SELECT id FROM media_items WHERE metadata_item_id = ?)"
    parts = f"(SELECT id FROM media_parts WHERE media_item_id IN {media})"
    connection.execute(f"DELETE FROM media_streams WHERE media_part_id IN {parts}", (item,))
    connection.execute(f"DELETE FROM media_parts WHERE media_item_id IN {media}", (item,))
    connection.execute("DELETE FROM media_items WHERE metadata_item_id = ?", (item,))
    connection.execute("DELETE FROM taggings WHERE metadata_item_id = ?", (item,))
    connection.execute("DELETE FROM metadata_items WHERE id = ?", (item,))


@contextmanager
def lived_in(library: Path, number: int) -> Iterator[None]:
    """Live in a library; every third one stays open, with what was last written in its -wal alone."""
    chance = random.Random(number)
    with closing(database.connect(library)) as connection:
        connection.execute("BEGIN")
        live_in(connection, chance)
        connection.execute("INSERT INTO activities (id, type, title) VALUES (1, 'x', CAST(x'ff41fe' AS TEXT))")
        connection.execute("DELETE FROM statistics_bandwidth WHERE id % 3 > 0")
        connection.execute("COMMIT")
        if number % 4 == 0:
            connection.execute("VACUUM")
        if number % 5 == 0:
            connection.execute("PRAGMA wal_checkpoint(RESTART)")
        live_in_again = number % 3 == 0
        if live_in_again:
            connection.execute("UPDATE preferences SET value = 'newer'")
            yield
    if not live_in_again:
        yield


def alarms(findings: tuple[Finding, ...]) -> list[Finding]:
    return [finding for finding in findings if finding.severity is not Severity.NOTE]


@pytest.mark.parametrize("number", range(50))
def test_a_library_that_was_lived_in_raises_no_alarm(number: int, libraries: dict[str, Path], tmp_path: Path) -> None:
    name = list(libraries)[number % len(libraries)]
    library = tmp_path / LIBRARY
    shutil.copy(libraries[name], library)
    with lived_in(library, number):
        report = check_database(library, work=tmp_path)
    assert not alarms(report.findings)
    assert report.rows["accounts"] >= 1


@pytest.mark.parametrize("number", range(3))
def test_the_blobs_beside_it_raise_no_alarm(number: int, libraries: dict[str, Path], tmp_path: Path) -> None:
    source = list(libraries.values())[number].with_name(BLOBS)
    assert not alarms(check_database(source, work=tmp_path).findings)
