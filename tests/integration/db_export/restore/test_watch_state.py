"""What users did is carried over between real databases."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from plexguard.core.errors import PlexguardError
from plexguard.db_export.database.copy import snapshot
from plexguard.db_export.database.files import PlexData
from plexguard.db_export.restore.watch_state import merge_watch_state
from tests.fakes.libraries import NOW, make_plex

LATER = NOW + 900_000


@pytest.fixture
def home(tmp_path: Path) -> PlexData:
    return make_plex(tmp_path / "home")


@pytest.fixture
def copy(home: PlexData, tmp_path: Path) -> Path:
    """A snapshot of the library of which home goes on."""
    snapshot(home.library, tmp_path / "copy.db")
    return tmp_path / "copy.db"


def change(path: Path, *statements: tuple[str, tuple[object, ...]]) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for sql, values in statements:
            connection.execute(sql, values)


def rows(path: Path, sql: str, *values: object) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql, values).fetchall()


def guid_of(path: Path, number: int) -> str:
    return str(rows(path, "SELECT guid FROM metadata_items WHERE id = ?", number)[0][0])


def view(guid: str, account: int = 1, *, at: object = LATER, device: int = 1) -> tuple[str, tuple[object, ...]]:
    sql = (
        "INSERT INTO metadata_item_views (account_id, guid, metadata_type, title, viewed_at, device_id) VALUES (?, ?, 1, 'x', ?, ?)"
    )
    return sql, (account, guid, at, device)


def test_databases_that_have_not_gone_on_stay_as_they_are(home: PlexData, copy: Path) -> None:
    before = rows(copy, "SELECT * FROM metadata_item_settings"), rows(copy, "SELECT * FROM metadata_item_views")

    merged = merge_watch_state(home.library, copy)

    assert (merged.changed, merged.added, merged.views, merged.left) == (0, 0, 0, 0)
    assert (rows(copy, "SELECT * FROM metadata_item_settings"), rows(copy, "SELECT * FROM metadata_item_views")) == before


def test_three_days_of_watching_are_not_forgotten_and_count_once(home: PlexData, copy: Path) -> None:
    watched, resumed, fresh = guid_of(copy, 3), guid_of(copy, 6), guid_of(copy, 4)
    (before,) = rows(copy, "SELECT view_count FROM metadata_item_settings WHERE guid = ?", watched)[0]
    assert isinstance(before, int)
    change(
        home.library,
        ("UPDATE metadata_item_settings SET view_count = view_count + 1, updated_at = ? WHERE guid = ?", (LATER, watched)),
        view(watched),
        ("UPDATE metadata_item_settings SET view_offset = 4321, updated_at = ? WHERE guid = ?", (LATER, resumed)),
        (
            "INSERT INTO metadata_item_settings (account_id, guid, rating, view_count, updated_at, last_rated_at) VALUES (7, ?, 9, 0, ?, ?)",
            (fresh, LATER, LATER),
        ),
    )

    merged = merge_watch_state(home.library, copy)
    again = merge_watch_state(home.library, copy)

    assert (merged.changed, merged.added, merged.views) == (2, 1, 1)
    assert (again.changed, again.added, again.views) == (0, 0, 0)
    assert rows(copy, "SELECT view_count FROM metadata_item_settings WHERE guid = ?", watched) == [(before + 1,)]
    assert rows(copy, "SELECT view_offset FROM metadata_item_settings WHERE guid = ?", resumed) == [(4321,)]
    assert rows(copy, "SELECT account_id, rating FROM metadata_item_settings WHERE guid = ?", fresh) == [(7, 9.0)]
    assert rows(copy, "SELECT count(*) FROM metadata_item_views WHERE viewed_at = ?", LATER) == [(1,)]


def test_item_that_was_watched_on_both_sides_counts_both(home: PlexData, copy: Path) -> None:
    guid = guid_of(copy, 3)
    for path, at in ((home.library, LATER), (copy, LATER + 5)):
        change(
            path,
            ("UPDATE metadata_item_settings SET view_count = 1, updated_at = ?, last_viewed_at = ? WHERE guid = ?", (at, at, guid)),
            view(guid, at=at),
        )

    merge_watch_state(home.library, copy)
    merge_watch_state(home.library, copy)

    found = rows(copy, "SELECT view_count, last_viewed_at FROM metadata_item_settings WHERE guid = ?", guid)
    assert found == [(2, LATER + 5)]
    assert rows(copy, "SELECT count(*) FROM metadata_item_views WHERE viewed_at >= ?", LATER) == [(2,)]


def test_item_that_was_unwatched_and_watched_again_counts_anew(home: PlexData, copy: Path) -> None:
    guid = guid_of(copy, 3)
    for path in (home.library, copy):
        change(path, ("UPDATE metadata_item_settings SET view_count = 5, updated_at = ? WHERE guid = ?", (NOW, guid)))
    state = "UPDATE metadata_item_settings SET view_count = 1, updated_at = ?, last_viewed_at = ? WHERE guid = ?"
    change(home.library, (state, (LATER, LATER, guid)), view(guid), view(guid))

    merge_watch_state(home.library, copy)
    merge_watch_state(home.library, copy)

    assert rows(copy, "SELECT view_count FROM metadata_item_settings WHERE guid = ?", guid) == [(1,)]
    # Two rows of one view are one.
    assert rows(copy, "SELECT count(*) FROM metadata_item_views WHERE viewed_at = ?", LATER) == [(1,)]


def test_item_that_was_unwatched_and_removed_from_the_history_stays_unwatched(home: PlexData, copy: Path) -> None:
    guid, other = guid_of(copy, 3), guid_of(copy, 4)
    for path in (home.library, copy):
        change(
            path,
            ("UPDATE metadata_item_settings SET view_count = 2, updated_at = ? WHERE guid = ?", (NOW, guid)),
            view(guid, at=NOW - 9),
            view(guid, at=NOW - 8),
            view(other, at=NOW),
        )
    change(
        home.library,
        ("DELETE FROM metadata_item_views WHERE guid = ?", (guid,)),
        ("UPDATE metadata_item_settings SET view_count = 0, updated_at = ? WHERE guid = ?", (LATER, guid)),
    )

    merge_watch_state(home.library, copy)

    assert rows(copy, "SELECT view_count FROM metadata_item_settings WHERE guid = ?", guid) == [(0,)]


def test_device_that_is_new_comes_along_and_one_with_another_id_is_found(home: PlexData, copy: Path) -> None:
    guid = guid_of(copy, 3)
    change(copy, ("UPDATE devices SET id = 55 WHERE id = 1", ()))
    change(
        home.library,
        ("INSERT INTO devices (id, identifier, name, created_at) VALUES (9, 'phone', 'Phone', ?)", (NOW,)),
        view(guid, at=LATER, device=1),
        view(guid, at=LATER + 1, device=9),
    )

    merge_watch_state(home.library, copy)

    sql = (
        "SELECT v.viewed_at, d.identifier, d.name FROM metadata_item_views v JOIN devices d ON d.id = v.device_id "
        "WHERE v.viewed_at >= ? ORDER BY 1"
    )
    assert rows(copy, sql, LATER) == [(LATER, "tv-in-the-room", "TV"), (LATER + 1, "phone", "Phone")]


def test_rows_of_accounts_that_are_not_known_are_left_and_told(home: PlexData, copy: Path) -> None:
    guid = guid_of(copy, 3)
    change(home.library, ("INSERT INTO accounts (id, name) VALUES (99, 'guest')", ()), view(guid, 99), view(guid, 98, at=LATER + 1))

    merged = merge_watch_state(home.library, copy)

    assert merged.unknown == ("account 98", "guest")
    assert merged.left == 2
    assert rows(copy, "SELECT count(*) FROM metadata_item_views WHERE viewed_at >= ?", LATER) == [(0,)]


def test_account_with_another_id_is_found_by_its_name(home: PlexData, copy: Path) -> None:
    guid = guid_of(copy, 3)
    for table, column in (("accounts", "id"), ("metadata_item_settings", "account_id"), ("metadata_item_views", "account_id")):
        change(copy, (f"UPDATE {table} SET {column} = 70 WHERE {column} = 7", ()))
    change(home.library, view(guid, 7))

    merged = merge_watch_state(home.library, copy)

    assert (merged.views, merged.unknown) == (1, ())
    assert rows(copy, "SELECT account_id FROM metadata_item_views WHERE viewed_at = ?", LATER) == [(70,)]


def test_dates_that_are_texts_in_an_old_schema_stay_texts(home: PlexData, copy: Path) -> None:
    guid = guid_of(copy, 3)
    for table, columns in (
        ("metadata_item_views", ("viewed_at", "originally_available_at")),
        ("metadata_item_settings", ("last_viewed_at", "created_at", "updated_at", "last_skipped_at", "last_rated_at")),
    ):
        for column in columns:
            text = f"UPDATE {table} SET {column} = datetime({column}, 'unixepoch')"
            change(copy, (text, ()), ("PRAGMA writable_schema=ON", ()))
        with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            connection.execute("PRAGMA writable_schema=ON")
            sql = "UPDATE sqlite_master SET sql = replace(sql, 'dt_integer(8)', 'datetime') WHERE name = ?"
            connection.execute(sql, (table,))
    change(home.library, view(guid))

    merged = merge_watch_state(home.library, copy)

    assert (merged.views, merged.changed, merged.added) == (1, 0, 0)
    (newest,) = rows(copy, "SELECT max(viewed_at) FROM metadata_item_views")
    assert newest == ("2025-10-19 18:53:20",)


def test_merge_that_fails_changes_nothing(home: PlexData, copy: Path) -> None:
    guid = guid_of(copy, 3)
    change(home.library, view(guid), ("INSERT INTO metadata_item_settings (account_id, guid, view_count) VALUES (1, 'a', 1)", ()))
    refusing = "CREATE TRIGGER refuse BEFORE INSERT ON metadata_item_settings BEGIN SELECT RAISE(ABORT, 'no'); END"
    change(copy, (refusing, ()))

    with pytest.raises(PlexguardError):
        merge_watch_state(home.library, copy)

    assert rows(copy, "SELECT count(*) FROM metadata_item_views WHERE viewed_at = ?", LATER) == [(0,)]
