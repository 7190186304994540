from pathlib import Path

import pytest

from plexguard.core.errors import MissingInput, SystemRefused
from plexguard.core.found import FoundPlex, Server
from plexguard.db_export.database import files
from plexguard.db_export.database.files import find_data, need_space, with_sides


def make(folder: Path) -> Path:
    (folder / "Plug-in Support" / "Databases").mkdir(parents=True)
    return folder


def test_the_folder_somebody_names_wins_over_the_plex_that_was_found(tmp_path: Path) -> None:
    named, other = make(tmp_path / "named"), make(tmp_path / "other")
    found = FoundPlex(server=Server.UNIT, preferences=str(other / "Preferences.xml"))

    assert find_data(named, found).folder == named
    assert find_data(None, found).library == other / "Plug-in Support" / "Databases" / files.LIBRARY


def test_a_folder_without_databases_and_no_plex_at_all_say_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(MissingInput) as caught:
        find_data(tmp_path, None)
    assert "--data" in caught.value.hint
    with pytest.raises(MissingInput):
        find_data(None, FoundPlex(server=Server.NONE))


def test_too_little_space_is_told_with_figures(tmp_path: Path) -> None:
    need_space(tmp_path, 1, what="a copy")
    with pytest.raises(SystemRefused, match=r"a copy needs 1.0 PB, free are"):
        need_space(tmp_path, 10**15, what="a copy")


def test_what_belongs_to_a_database_lies_beside_it() -> None:
    assert [path.name for path in with_sides(Path("/a/x.db"))] == ["x.db", "x.db-wal", "x.db-shm"]
