"""The index that only Plex's own SQLite can order comes along in its order, where the rows are the same; else it is left out."""

import sqlite3
from contextlib import closing

import pytest

from plexguard.db_export.check.run import check_copy
from plexguard.db_export.repair.carry import carry_over
from plexguard.db_export.repair.pages import PageFile
from plexguard.db_export.repair.survey import survey
from tests.fakes.plex import database
from tests.integration.db_export.repair.damaged import mend

NAME = "index_title_sort_icu"


def carry(data, target) -> bool:
    with PageFile(data.library) as pages:
        found = survey(pages)
        (made,) = found.schema.plex_only
        return carry_over(pages, made, found.seen[made.table].table, target)


@pytest.mark.parametrize("size", [1024, 4096])
def test_it_comes_along_with_its_entries_in_their_order(copy_of, tmp_path, size):
    data, new = copy_of(size), tmp_path / "new.db"
    with closing(database.connect(data.library)) as connection:
        # One that goes on in pages of its own, and one that is none.
        connection.execute("UPDATE metadata_items SET title_sort = ? WHERE id = 3", ("long " * 2_000,))
        connection.execute("UPDATE metadata_items SET title_sort = NULL WHERE id = 5")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    mend(data, new)
    assert carry(data, new)
    assert check_copy(new).is_sound
    entries = f"SELECT title_sort, id FROM metadata_items INDEXED BY {NAME} ORDER BY title_sort COLLATE icu_root"
    with closing(database.connect(data.library)) as old, closing(database.connect(new)) as made:
        assert [tuple(row) for row in made.execute(entries)] == [tuple(row) for row in old.execute(entries)]
        assert made.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        made.execute("UPDATE metadata_items SET title_sort = 'Another' WHERE id = 7")
        assert made.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


@pytest.mark.parametrize(
    "change", ["DELETE FROM metadata_items WHERE id = 7", "UPDATE metadata_items SET title_sort = 'x' WHERE id = 7"]
)
def test_it_is_left_out_where_a_row_is_not_the_same(copy_of, tmp_path, change):
    data, new = copy_of(), tmp_path / "new.db"
    mend(data, new)
    with closing(sqlite3.connect(new)) as connection, connection:
        for trigger in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger[0]}")
        connection.execute(change)
    before = new.read_bytes()
    assert not carry(data, new)
    assert new.read_bytes() == before
