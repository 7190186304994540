"""The archive that a run begins with: found, verified and held against the storage before anything is rented, by real commands."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plexguard.cloud_run.phases import mount, preflight
from tests.fakes.scaleway import FakeScaleway
from tests.integration.cloud_run.test_commands import Bench, bench, cloud
from tests.integration.db_export.archives import make_archive
from tests.integration.db_export.paths.shelves import make_files, make_library
from tests.waiting import await_true

__all__ = ["bench", "cloud"]
ROOT = Path(__file__).parents[3]
FILMS = {f"Film {n}/film.mkv": 1000 + n for n in range(10)}
MUSIC = {f"Band/{n}.flac": 2000 + n for n in range(20)}
DELTA = 'mount = "media"\nclaim = "never"\n'


class Home:
    """What a run finds at home: archives, a storage and a mount of it in the configuration."""

    def __init__(self, bench: Bench, folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bench, self.folder = bench, folder
        self.archives, self.bucket = folder / "archives", folder / "bucket"
        self._config = folder / "home.toml"
        self._config.write_text(
            f'[db-export]\narchives = "{self.archives}"\n[rclone.media]\nremote = "s3:"\nmount_point = "/mnt/media"\n'
        )
        (folder / "credentials/rclone.conf").write_text(f"[s3]\ntype = webdav\nvendor = other\nurl = {url}\n")
        (folder / "bin").mkdir()
        own = folder / "bin/plexguard-db-export"
        own.write_text(
            f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m plexguard.db_export --config {self._config} "$@"\n',
            encoding="ascii",
        )
        own.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}/bin:{os.environ['PATH']}")
        monkeypatch.setattr(preflight, "read_plex", lambda _journal: None)
        monkeypatch.setattr(mount, "DEFAULT_PATH", self._config)

    def fill(self, *, films: dict[str, int], music: dict[str, int]) -> None:
        make_files(self.bucket / "Films", films)
        make_files(self.bucket / "Music", music)

    def export(self) -> Path:
        libraries = {"Films": ("/Media/Films", FILMS), "Music": ("/Media/Music", MUSIC)}
        return make_archive(make_library(self.folder, libraries), self.archives).path

    @property
    def state(self) -> dict[str, object]:
        return dict(json.loads((self.bench.state / "delta/state.json").read_text()))

    def preflight(self, text: str) -> int:
        self.bench.write_run(text, media=DELTA)
        return self.bench("phase", "preflight", "delta")


@pytest.fixture
def home(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    with serve(tmp_path / "bucket") as url:
        yield Home(bench, tmp_path, url, monkeypatch)


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Have rclone serve a folder as a storage, and yield where."""
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    argv = ["rclone", "serve", "webdav", "--addr", f"127.0.0.1:{port}", str(folder)]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        await_true(lambda: listens(port), what="the storage listens")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def test_newest_archive_is_what_the_run_begins_with(home: Home, cloud: FakeScaleway, capsys: pytest.CaptureFixture[str]) -> None:
    home.fill(films=FILMS, music=MUSIC)
    archive = home.export()

    assert home.preflight('database = "newest"\n') == 0

    assert home.state["reference"] == str(archive)
    assert "the storage has: Films: 10 of 10 files (100.0 %); Music: 20 of 20 files (100.0 %)" in capsys.readouterr().err
    assert not list(home.bench.state.rglob("listing.json"))
    assert cloud.left() == []


def test_run_that_begins_with_nothing_lists_nothing(home: Home) -> None:
    assert home.preflight("") == 0
    assert home.state["reference"] == ""


def test_what_has_moved_stops_the_run_and_is_suggested_and_with_the_mappings_it_goes_on(
    home: Home, cloud: FakeScaleway, capsys: pytest.CaptureFixture[str]
) -> None:
    home.fill(films=FILMS, music={f"The Band/{name.partition('/')[2]}": size for name, size in MUSIC.items()})
    home.export()

    assert home.preflight('database = "newest"\n') == 1
    err = capsys.readouterr().err
    assert (
        "Music: 0 of 20 files (0.0 %)" in err
        and "Films" not in err.partition("failed in its phase preflight")[2].partition("\n")[0]
    )
    suggested = home.bench.state / "delta/mappings.json"
    assert str(suggested) in err
    assert json.loads(suggested.read_bytes())["mappings"] == {"/Media/Music/Band": "/Media/Music/The Band"}
    assert cloud.left() == []

    chosen = home.folder / "mappings.json"
    suggested.rename(chosen)
    assert home.preflight(f'database = "newest"\nmappings = "{chosen}"\n') == 0
    # Who knows that a part is gone says so.
    assert home.preflight('database = "newest"\nmin_present = 0\n') == 0


def cut(archive: Path) -> None:
    os.truncate(archive, archive.stat().st_size - 100)


def flip(archive: Path) -> None:
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 0xFF
    archive.write_bytes(content)


@pytest.mark.parametrize("harm", [cut, flip])
def test_archive_that_is_not_what_was_written_is_refused(
    home: Home, cloud: FakeScaleway, capsys: pytest.CaptureFixture[str], harm: Callable[[Path], None]
) -> None:
    home.fill(films=FILMS, music=MUSIC)
    archive = home.export()
    harm(archive)

    assert home.preflight(f'database = "{archive}"\n') == 65
    assert str(archive) in capsys.readouterr().err
    assert cloud.left() == []


def test_archive_that_is_not_there_is_told(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.fill(films=FILMS, music=MUSIC)
    assert home.preflight('database = "/srv/none.tar.zst"\n') == 1
    assert "/srv/none.tar.zst: no such file" in capsys.readouterr().err


def test_where_there_is_none_one_is_made(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    home.fill(films=FILMS, music=MUSIC)
    asked = []

    def start(unit: str, *, timeout_s: float) -> None:
        asked.append(unit)
        home.export()

    monkeypatch.setattr(home.bench.unit, "start", start, raising=False)
    assert home.preflight('database = "newest"\n') == 0
    assert asked == ["plexguard-db-export.service"]
    assert home.preflight('database = "newest"\n') == 0 and len(asked) == 1

    for archive in home.archives.iterdir():
        archive.unlink()
    monkeypatch.setattr(home.bench.unit, "start", lambda unit, *, timeout_s: asked.append(unit), raising=False)
    assert home.preflight('database = "newest"\n') == 66
    assert "there is no good archive of Plex's database, and none could be made" in capsys.readouterr().err


def test_storage_that_cannot_be_listed_is_no_empty_one(home: Home, cloud: FakeScaleway, capsys: pytest.CaptureFixture[str]) -> None:
    home.export()
    (home.folder / "credentials/rclone.conf").write_text("[s3]\ntype = webdav\nvendor = other\nurl = http://127.0.0.1:1\n")

    assert home.preflight('database = "newest"\n') == 69
    assert "the storage cannot be listed" in capsys.readouterr().err
    assert cloud.left() == []
