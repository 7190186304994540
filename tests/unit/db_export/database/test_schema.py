from pathlib import Path

import pytest

from plexguard.db_export.database.schema import (
    count_rows,
    count_table,
    list_tables,
    plex_only_indexes,
    quoted,
    schema_version,
    version_key,
)
from plexguard.db_export.database.sqlite import DatabaseDamaged, reading, writing
from tests.fakes.libraries import make_plex


def test_the_tables_of_a_real_schema_are_told_apart(tmp_path: Path) -> None:
    data = make_plex(tmp_path / "plex")

    with reading(data.library) as connection:
        tables = list_tables(connection)
        in_all = connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()[0]

    assert {"metadata_items", "media_parts", "sqlite_sequence"} <= set(tables.ordinary)
    assert {"fts4_metadata_titles_icu", "locations", "spellfix_tag_titles"} <= set(tables.virtual)
    assert {"fts4_metadata_titles_icu_content", "locations_node", "spellfix_tag_titles_vocab"} <= set(tables.shadow)
    assert len(tables.ordinary) + len(tables.virtual) + len(tables.shadow) == in_all


def test_indexes_of_plexs_own_collation_are_known(tmp_path: Path) -> None:
    data = make_plex(tmp_path / "plex")

    with reading(data.library) as connection:
        assert plex_only_indexes(connection) == ("index_title_sort_icu",)


def test_the_newest_schema_is_the_dotted_one(tmp_path: Path) -> None:
    data = make_plex(tmp_path / "plex")

    with reading(data.library) as connection:
        assert schema_version(connection) == "500000000001.231"
    assert (
        version_key("500000000001.300") > version_key("500000000001.231") > version_key("20240718114400") > version_key("20230101")
    )


def test_rows_are_counted_in_the_table_and_not_in_an_index(tmp_path: Path) -> None:
    data = make_plex(tmp_path / "plex", films=40)
    with writing(data.library) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'metadata_item_settings'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with data.library.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(bytes(size))

    with pytest.raises(DatabaseDamaged), reading(data.library) as connection:
        count_rows(connection)


def test_a_name_is_quoted_as_a_whole() -> None:
    assert quoted('a"b') == '"a""b"'


def test_counts_are_those_of_the_rows(tmp_path: Path) -> None:
    data = make_plex(tmp_path / "plex", films=3, episodes=4, tracks=5)

    with reading(data.library) as connection:
        assert count_table(connection, "media_parts") == 3 + 4 + 5
        assert count_rows(connection)["library_sections"] == 3
