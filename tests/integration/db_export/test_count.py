"""What libraries hold, as the command counts it, against a count by hand."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from plexguard.core.program import run as run_program
from plexguard.db_export.__main__ import cli
from plexguard.db_export.database.files import PlexData
from plexguard.db_export.database.libraries import count_libraries
from tests.fakes.libraries import NOW, make_plex
from tests.fakes.plex import database
from tests.fakes.restless import restless
from tests.integration.db_export.archives import make_archive
from tests.waiting import await_true

FILMS, SERIES, MUSIC = 1, 2, 3
# In JSON, as older servers have it, and what is no analysis.
SONIC = ('{"at:rating":"7.1","ms:musicAnalysisVersion":"1"}', "at%3Arating=7.1&ms%3AmusicAnalysisVersion=1")
NO_SONIC = (None, "", '{"at:rating":"7.1"}')


@pytest.fixture
def data(tmp_path: Path) -> PlexData:
    made = make_plex(tmp_path / "Plex Media Server", films=5, episodes=18, tracks=40)
    with closing(database.connect(made.library)) as connection:
        tracks = [row for (row,) in connection.execute("SELECT id FROM metadata_items WHERE metadata_type = 10 ORDER BY id")]
        films = [row for (row,) in connection.execute("SELECT id FROM metadata_items WHERE metadata_type = 1 ORDER BY id")]
        for number, row in enumerate(tracks):
            values = SONIC if number < 10 else NO_SONIC
            connection.execute("UPDATE metadata_items SET extra_data = ? WHERE id = ?", (values[number % len(values)], row))
        trashed = [*tracks[8:12], films[0]]
        connection.executemany(f"UPDATE metadata_items SET deleted_at = {NOW} WHERE id = ?", [(row,) for row in trashed])
        connection.executemany("UPDATE metadata_items SET user_thumb_url = 'media://a' WHERE id = ?", [(r,) for r in films[:3]])
        # A series is no leaf, whatever it has.
        connection.execute("UPDATE metadata_items SET user_thumb_url = 'media://a' WHERE metadata_type = 2")
        connection.execute("INSERT INTO library_sections (id, name, section_type) VALUES (9, 'Of another kind', 99)")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return made


def ask(capsys: pytest.CaptureFixture[str], *argv: str) -> dict[int, Any]:
    assert run_program("db-export", cli, ["count", "--format", "json", *argv]) == 0
    return {one["section"]: one for one in json.loads(capsys.readouterr().out)["libraries"]}


def test_leaves_are_counted_by_library_without_what_is_in_the_trash(data: PlexData, capsys: pytest.CaptureFixture[str]) -> None:
    found = ask(capsys, str(data.library))

    def numbers(section: int) -> tuple[int, int, int]:
        return found[section]["items"], found[section]["trashed"], found[section]["analysed"]

    assert numbers(FILMS) == (4, 1, 2) and numbers(SERIES) == (18, 0, 0) and numbers(MUSIC) == (36, 4, 8)
    assert (found[MUSIC]["kind"], found[9]["kind"], numbers(9)) == ("artist", None, (0, 0, 0))


@pytest.mark.parametrize("threads", [1, 2, 7, 100])
def test_it_is_the_same_in_any_number_of_threads(data: PlexData, threads: int) -> None:
    assert count_libraries(data.library, threads=threads) == count_libraries(data.library)


def test_an_archive_is_counted_as_its_database_is(data: PlexData, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = make_archive(data, tmp_path / "archives").path
    assert ask(capsys, str(archive)) == ask(capsys, str(data.library))


def test_one_that_is_written_to_is_counted_and_its_writer_goes_on(data: PlexData) -> None:
    with restless(data.library) as writer:
        before = await_true(lambda: writer.version, what="a first version")
        counts = [count_libraries(data.library) for _ in range(20)]
        assert writer.version > before
    assert len(set(counts)) == 1


def test_what_cannot_be_read_is_never_empty(data: PlexData, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.db").write_text("no database at all, but long enough to be taken for one" * 100)
    assert run_program("db-export", cli, ["count", str(tmp_path / "text.db")]) == 65
    assert run_program("db-export", cli, ["count", str(tmp_path / "none.db")]) == 66
    (tmp_path / "empty.db").write_bytes(b"")
    assert run_program("db-export", cli, ["count", str(tmp_path / "empty.db")]) != 0
    # The middle of it is gone: the table can't be gone through.
    content = bytearray(data.library.read_bytes())
    content[len(content) // 8 : -len(content) // 8] = b"\xff" * len(content[len(content) // 8 : -len(content) // 8])
    (tmp_path / "torn.db").write_bytes(content)
    assert run_program("db-export", cli, ["count", str(tmp_path / "torn.db")]) not in (0, 70)
    assert capsys.readouterr().out == ""
