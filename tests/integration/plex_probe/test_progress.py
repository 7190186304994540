"""Whether a Plex that does not serve is at work, from the files that it writes."""

from pathlib import Path

import pytest

from plexguard.plex_probe.progress import Marks, mark_progress


@pytest.fixture
def preferences(tmp_path: Path) -> str:
    for folder in ("Logs", "Plug-in Support/Databases"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "Logs/Plex Media Server.log").write_text("a")
    for name in ("db", "db-wal"):
        (tmp_path / f"Plug-in Support/Databases/com.plexapp.plugins.library.{name}").write_text("a")
    return str(tmp_path / "Preferences.xml")


@pytest.mark.parametrize(
    ("file", "moved", "database_moved"),
    [
        ("Logs/Plex Media Server.log", True, False),
        ("Plug-in Support/Databases/com.plexapp.plugins.library.db-wal", True, True),
        ("Plug-in Support/Databases/com.plexapp.plugins.library.db", True, True),
        ("Preferences.xml", False, False),
    ],
)
def test_what_is_written_moves(preferences: str, file: str, moved: bool, database_moved: bool) -> None:
    before = mark_progress(preferences)
    with (Path(preferences).parent / file).open("a") as written:
        written.write("more")
    after = mark_progress(preferences)

    assert (after.moved(before), after.database_moved(before)) == (moved, database_moved)


def test_what_cannot_be_seen_is_neither_moving_nor_still(preferences: str, tmp_path: Path) -> None:
    seen, unseen = mark_progress(preferences), mark_progress(str(tmp_path / "none/Preferences.xml"))

    assert unseen == mark_progress("") == Marks()
    assert seen.moved(unseen) is unseen.moved(seen) is unseen.moved(unseen) is None
    assert seen.database_moved(unseen) is unseen.database_moved(seen) is None
