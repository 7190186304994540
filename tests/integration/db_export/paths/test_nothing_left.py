"""Who only looks leaves nothing beside Plex's databases."""

import contextlib
from contextlib import closing
from pathlib import Path

import pytest

from plexguard.core.program import run as run_program
from plexguard.db_export.__main__ import cli
from plexguard.db_export.database.look import look
from plexguard.db_export.database.sqlite import DatabaseDamaged
from tests.fakes.libraries import make_plex
from tests.fakes.plex import database


@pytest.mark.parametrize("command", ["paths", "suggest", "remap"])
def test_a_command_leaves_a_library_at_rest_as_it_was(tmp_path: Path, command, capsys):
    data = make_plex(tmp_path / "Plex Media Server", films=2, episodes=0, tracks=0)
    mappings = tmp_path / "mappings.json"
    mappings.write_text('{"mappings": {"/Media": "/srv"}}')
    before = sorted((path.name, path.stat().st_mtime_ns) for path in data.databases.iterdir())
    more = {"suggest": ["--output", str(tmp_path / "m.json")], "remap": ["--dry-run", "--mappings", str(mappings)]}
    run_program("db-export", cli, [command, "--data", str(data.folder), *more.get(command, [])])
    assert sorted((path.name, path.stat().st_mtime_ns) for path in data.databases.iterdir()) == before
    assert capsys.readouterr().out


def test_what_is_in_the_wal_of_a_plex_that_runs_is_seen(tmp_path: Path):
    data = make_plex(tmp_path / "Plex Media Server", films=2, episodes=0, tracks=0)
    with closing(database.connect(data.library)) as connection:
        connection.execute("UPDATE media_parts SET file = '/new' WHERE id = 1")
        read = look(data.library, lambda c: c.execute("SELECT file FROM media_parts WHERE id = 1").fetchone())
    assert read == ("/new",)


def test_when_plex_starts_meanwhile_it_is_read_again(tmp_path: Path):
    data = make_plex(tmp_path / "Plex Media Server", films=2, episodes=0, tracks=0)
    calls = []
    with contextlib.ExitStack() as open_:

        def read(other):
            calls.append(1)
            found = other.execute("SELECT file FROM media_parts WHERE id = 1").fetchone()
            plex = open_.enter_context(closing(database.connect(data.library)))
            plex.execute("UPDATE media_parts SET file = '/new' WHERE id = 1")
            return found

        assert look(data.library, read) == ("/new",)
    assert len(calls) == 2


def test_a_database_at_rest_that_is_damaged_is_told(tmp_path: Path):
    data = make_plex(tmp_path / "Plex Media Server", films=2, episodes=0, tracks=0)
    with data.library.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 60_000)
    with pytest.raises(DatabaseDamaged):
        look(data.library, lambda connection: connection.execute("SELECT * FROM media_parts").fetchall())
