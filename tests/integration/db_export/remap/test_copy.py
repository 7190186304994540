"""New paths are written into a copy of a real library, and nothing else is."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from plexguard.db_export.database.copy import snapshot
from plexguard.db_export.database.sqlite import reading
from plexguard.db_export.remap.act import rewrite_copy
from plexguard.db_export.remap.decide import Mover
from plexguard.db_export.remap.observe import forecast, sample_files
from tests.fakes.libraries import make_plex
from tests.fakes.plex import database

TV = {"/Media/TV": "/srv/Séries"}


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return make_plex(tmp_path / "Plex Media Server", films=20, episodes=20, tracks=24).library


def copied(library: Path, name: str = "copy.db") -> Path:
    copy = library.with_name(name)
    snapshot(library, copy)
    return copy


def change(library: Path, *statements: str) -> None:
    """Write as Plex's own SQLite would."""
    with closing(database.connect(library)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def dump(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of all tables that any SQLite can read."""
    with reading(path) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE TABLE%'")]
        return {table: connection.execute(f'SELECT rowid, * FROM "{table}"').fetchall() for table in tables}


def column(path: Path, table: str, name: str) -> list[str]:
    with reading(path) as connection:
        return [value for (value,) in connection.execute(f'SELECT "{name}" FROM {table} ORDER BY rowid')]


def test_all_paths_of_a_folder_are_rewritten_and_nothing_else(library):
    copy = copied(library)
    before = dump(copy)
    done = rewrite_copy(copy, Mover(TV))
    after = dump(copy)

    for table, rows in before.items():
        expected = [
            tuple(
                v.replace("/Media/TV/", "/srv/Séries/", 1)
                if isinstance(v, str) and v.startswith("/Media/TV/")
                else v.replace("file:///Media/TV/", "file:///srv/S%C3%A9ries/", 1)
                if isinstance(v, str)
                else v
                for v in row
            )
            for row in rows
        ]
        if table == "section_locations":
            expected = [tuple("/srv/Séries" if v == "/Media/TV" else v for v in row) for row in expected]
        assert after[table] == expected, table
    assert done.mappings == {"/Media/TV": 20 + 4 + 1}
    assert done.columns == {"section_locations.root_path": 1, "media_parts.file": 20, "media_streams.url": 4}


def test_the_copy_is_sound_and_plex_can_go_on_with_it(library):
    copy = copied(library)
    rewrite_copy(copy, Mover({"/Media": "/srv/media"}))
    with closing(database.connect(copy)) as connection:
        assert [tuple(row) for row in connection.execute("PRAGMA integrity_check")] == [("ok",)]
        database.check(connection)
        found = connection.execute(
            "SELECT count(*) FROM media_parts INDEXED BY index_media_parts_on_file WHERE file > '/srv/media/'"
        )
        assert found.fetchone()[0] == 64
        connection.execute("UPDATE metadata_items SET title = 'Another' WHERE id = 3")
    with closing(sqlite3.connect(library)) as one, closing(sqlite3.connect(copy)) as other:
        schema = "SELECT type, name, sql FROM sqlite_master ORDER BY name"
        assert other.execute(schema).fetchall() == one.execute(schema).fetchall()
        assert other.execute("PRAGMA journal_mode").fetchone() == one.execute("PRAGMA journal_mode").fetchone()


def test_bytes_that_are_no_text_stay_what_they_are(library):
    change(library, "UPDATE media_parts SET file = CAST(x'2f4d656469612f54562fe9742f25412e6d6b76' AS TEXT) WHERE id = 1")
    copy = copied(library)
    rewrite_copy(copy, Mover({"/Media/TV": "/x\udcff"}))
    with reading(copy) as connection:
        found = connection.execute("SELECT CAST(file AS BLOB), typeof(file) FROM media_parts WHERE id = 1").fetchone()
    assert found == (b"/x\xff/\xe9t/%A.mkv", "text")


def test_each_path_is_moved_once_whatever_its_new_place_fits(library):
    films = [path for path in column(library, "media_parts", "file") if path.startswith("/Media/Films/")]
    copy = copied(library)
    rewrite_copy(copy, Mover({"/Media/Films": "/Media/TV", "/Media/TV": "/Media/Music", "/Media/Music": "/Media/Films"}))
    assert column(copy, "section_locations", "root_path") == ["/Media/TV", "/Media/Music", "/Media/Films"]
    assert column(copy, "media_parts", "file")[:20] == [path.replace("/Films/", "/TV/", 1) for path in films]


def test_what_is_known_by_its_path_takes_what_people_did_with_it_along(library):
    change(
        library,
        "UPDATE metadata_items SET guid = 'file:///Media/TV/home%20video.mkv' WHERE id = 3",
        "UPDATE metadata_item_settings SET guid = 'file:///Media/TV/home%20video.mkv' WHERE id = 1",
        "UPDATE metadata_item_views SET guid = 'file:///Media/TV/home%20video.mkv' WHERE id = 1",
    )
    copy = copied(library)
    rewrite_copy(copy, Mover(TV))
    for table, row in (("metadata_items", 2), ("metadata_item_settings", 0), ("metadata_item_views", 0)):
        assert column(copy, table, "guid")[row] == "file:///srv/S%C3%A9ries/home%20video.mkv"


def test_with_the_triggers_of_an_old_plex_it_is_left_and_told(tmp_path):
    library = make_plex(tmp_path / "Plex Media Server", old_triggers=True).library
    change(library, "UPDATE metadata_item_settings SET guid = 'file:///Media/TV/a.mkv' WHERE id = 1")
    with closing(database.connect(library)) as connection:
        connection.execute("UPDATE metadata_items SET guid = 'file:///Media/TV/a.mkv' WHERE id = 3")
    copy = copied(library)
    with reading(copy) as connection:
        left = {one.column: (one.count, one.is_closed) for one in forecast(connection, Mover(TV)).left}
    assert left == {"metadata_items.guid": (1, True), "metadata_item_settings.guid": (1, True)}
    assert rewrite_copy(copy, Mover(TV)).columns["media_parts.file"] == 18
    assert column(copy, "metadata_item_settings", "guid")[0] == "file:///Media/TV/a.mkv"


def test_paths_where_nobody_expects_them_are_told(library):
    change(
        library,
        "UPDATE play_queue_generators SET uri = 'x'",
        "INSERT INTO play_queue_generators (uri, created_at, updated_at) VALUES ('file:///Media/TV/a.mkv', 1, 1)",
        "INSERT INTO preferences (name, value) VALUES ('Trailers', '/Media/TV/trailer.mkv')",
        "INSERT INTO preferences (name, value) VALUES ('Other', '/Media/TVShows/trailer.mkv')",
    )
    with reading(library) as connection:
        left = {one.column: (one.count, one.example) for one in forecast(connection, Mover(TV)).left}
    assert left == {
        "play_queue_generators.uri": (1, "file:///Media/TV/a.mkv"),
        "preferences.value": (1, "/Media/TV/trailer.mkv"),
    }


def test_what_is_foretold_is_what_is_done(library):
    mover = Mover({"/Media/TV": "/x", "/Media/Films": "/y", "/Media/None": "/z"})
    copy = copied(library)
    with reading(library) as connection:
        seen = forecast(connection, mover)
    done = rewrite_copy(copy, mover)
    assert (seen.mappings, seen.columns) == (done.mappings, done.columns)
    assert seen.collisions == ()


def test_files_that_would_become_one_are_found(library):
    change(
        library,
        "UPDATE media_parts SET file = '/Media/Films/same.mkv' WHERE id = 1",
        # Two episodes in one file are two parts with one path, before and after.
        "UPDATE media_parts SET file = '/Media/TV/same.mkv' WHERE id IN (21, 22)",
        "UPDATE media_parts SET file = '/All/here.mkv' WHERE id = 23",
        "UPDATE media_parts SET file = '/Media/TV/here.mkv' WHERE id = 24",
    )
    with reading(library) as connection:
        apart = forecast(connection, Mover({"/Media/Films": "/All/Films", "/Media/TV": "/All/TV"}))
        merged = forecast(connection, Mover({"/Media/Films": "/All", "/Media/TV": "/All"}))
    assert apart.collisions == ()
    assert [(one.path, one.sources) for one in merged.collisions] == [
        ("/All/here.mkv", ("/All/here.mkv", "/Media/TV/here.mkv")),
        ("/All/same.mkv", ("/Media/Films/same.mkv", "/Media/TV/same.mkv")),
    ]


def test_a_sample_is_of_the_folders_asked_for(library):
    with reading(library) as connection:
        assert len(sample_files(connection, ("/Media/Films",), most=5)) == 5
        every = sample_files(connection, ("/Media/Films", "/Media/None"), most=500)
        one = sample_files(connection, (every[0],), most=500)
    assert len(every) == 20 and all(path.startswith("/Media/Films/") for path in every)
    assert one == (every[0],)
