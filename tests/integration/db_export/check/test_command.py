"""The command: what it prints, and what it ends with."""

import dataclasses
import json
import os
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from plexguard.core import program
from plexguard.db_export.__main__ import NAME, cli
from plexguard.db_export.check.run import check_database
from plexguard.db_export.commands.check import run
from plexguard.db_export.config import Config
from plexguard.db_export.database import files
from plexguard.db_export.database.files import PlexData
from tests.fakes.damage import KINDS
from tests.fakes.libraries import make_plex
from tests.fakes.plex import database
from tests.fakes.ports import FakeJournal, FakeNotifier
from tests.integration.db_export.archives import make_archive


@pytest.fixture
def plex(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlexData:
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "work"))
    return make_plex(tmp_path / "Plex Media Server", films=40)


def check(tmp_path: Path, *arguments: str) -> int:
    config = tmp_path / "plexguard.toml"
    config.write_text(f'[db-export]\narchives = "{tmp_path}/archives"\n')
    code = program.run(NAME, cli, ["--config", str(config), "check", *arguments])
    assert not list((tmp_path / "work").iterdir())
    return code


def test_both_databases_of_plex_are_checked(plex: PlexData, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path, "--data", str(plex.folder)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": sound, ")[0] for line in lines] == [str(plex.library), str(plex.blobs)]


def test_damage_ends_with_1_and_says_what_to_do(plex: PlexData, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    KINDS["zeroed-table-leaf"](plex.library)
    assert check(tmp_path, str(plex.library)) == 1
    out = capsys.readouterr().out
    assert f"{plex.library}: damaged" in out
    assert "plexguard-db-export repair" in out


def test_warnings_end_with_0(plex: PlexData, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    KINDS["files-without-their-version"](plex.library)
    assert check(tmp_path, "--format", "json", str(plex.library)) == 0
    told = json.loads(capsys.readouterr().out)
    (finding,) = told["databases"][0]["findings"]
    assert (told["sound"], finding["severity"], finding["kind"], finding["table"]) == (True, "warning", "orphans", "media_parts")


def test_library_that_lost_much_since_the_last_archive_is_told(
    plex: PlexData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_archive(plex, tmp_path / "archives")
    with closing(database.connect(plex.library)) as connection:
        for table in ("media_streams", "media_parts", "media_items"):
            connection.execute(f"DELETE FROM {table} WHERE id <= 30")
        connection.execute("DELETE FROM taggings")
        connection.execute("DELETE FROM metadata_items WHERE id <= 30")
    assert check(tmp_path, "--data", str(plex.folder)) == 0
    out = capsys.readouterr().out
    assert "library 1: 10 rows, 40 in the last archive: 75 % fewer" in out
    assert "library 2" not in out


def test_archive_is_checked(plex: PlexData, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exported = make_archive(plex, tmp_path / "archives")
    assert check(tmp_path, "--format", "json", str(exported.path)) == 0
    told = json.loads(capsys.readouterr().out)
    assert [Path(one["path"]).name for one in told["databases"]] == [plex.library.name, plex.blobs.name]


def test_damage_in_an_archive_is_found(plex: PlexData, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    KINDS["index-entry-missing"](plex.library)
    exported = make_archive(plex, tmp_path / "archives")
    assert check(tmp_path, str(exported.path)) == 1
    assert "index_media_parts_on_file" in capsys.readouterr().out


def test_archive_of_the_time_before_is_checked_with_its_wal(
    plex: PlexData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "old.tar.gz"
    with closing(database.connect(plex.library)) as connection:
        connection.execute("UPDATE preferences SET value = 'only in the wal'")
        with tarfile.open(old, "w:gz") as tar:
            tar.add(plex.databases, "Plug-in Support/Databases")
    assert check(tmp_path, str(old)) == 0
    assert "sound" in capsys.readouterr().out


def test_file_that_is_not_there_is_told(plex: PlexData, tmp_path: Path) -> None:
    assert check(tmp_path, str(tmp_path / "nothing.db")) == os.EX_NOINPUT


def test_nothing_beside_a_database_is_changed(plex: PlexData, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in plex.databases.iterdir()}
    assert check(tmp_path, "--data", str(plex.folder)) == 0
    assert {path.name: path.read_bytes() for path in plex.databases.iterdir()} == before


def test_database_on_a_network_is_refused(plex: PlexData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from plexguard.core.errors import SystemRefused
    from plexguard.core.mounts import MountPoint

    monkeypatch.setattr(files, "read_mounts", lambda: (MountPoint(path="/", type="nfs4"),))
    with pytest.raises(SystemRefused, match="nfs4"):
        check_database(plex.library, work=tmp_path / "work")


class Recorder:
    """Keeps what was begun, and how much of it is left."""

    def __init__(self) -> None:
        self.left: dict[str, int] = {}

    def begin(self, what: str, total_bytes: int) -> None:
        self.left[what] = total_bytes

    def advance(self, done_bytes: int) -> None:
        self.left[list(self.left)[-1]] -= done_bytes


def test_check_tells_how_far_it_is_of_each_look_to_its_end(plex: PlexData, tmp_path: Path) -> None:
    progress = Recorder()

    check_database(plex.library, work=tmp_path / "work", progress=progress)

    name = plex.library.name
    looks = [f"checking the {what} of {name}" for what in ("pages", "words", "rows")]
    assert progress.left == dict.fromkeys([f"copying {name}", *looks], 0)


def test_unit_that_checks_says_how_far_it_is(plex: PlexData) -> None:
    notifier = FakeNotifier()
    ports = dataclasses.replace(program.open_ports(NAME), journal=FakeJournal(), notifier=notifier)

    assert run(Config(), ports, file=plex.library, data=None, output="json") == 0

    assert (f"STATUS=checking the pages of {plex.library.name}: 0 %",) in notifier.told
