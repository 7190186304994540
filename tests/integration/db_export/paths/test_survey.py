"""What is there, what is missing, and what cannot be told are three things."""

import errno
import json
import os
import signal
from contextlib import closing
from pathlib import Path

import pytest

from plexguard.core.found import Mount, host_path
from plexguard.core.mounts import MountPoint
from plexguard.core.program import run as run_program
from plexguard.db_export.__main__ import cli
from plexguard.db_export.database.files import PlexData
from plexguard.db_export.database.sqlite import reading
from plexguard.db_export.paths import survey as survey_module
from plexguard.db_export.paths.observe import OUTSIDE, Place, read_library
from plexguard.db_export.paths.survey import Seen, World, survey
from tests.fakes.plex import database
from tests.integration.db_export.paths.shelves import add_part, make_files, make_library

TRACKS = {f"Band {n}/Album/{track:02} - Song.flac": 0 for n in range(30) for track in range(1, 11)}
HOSTILE = {
    'O\'Brien/100%_\\ "x"/a\nb.flac': 0,
    "S\u00e9ries/e\u0301.flac": 0,
    "Se\u0301ries/\u00e9.flac": 0,
    "bytes \udce9/\udcff.flac": 0,
    "lone.flac": 0,
}


def look(data: PlexData, *, within_s: float | None = None, stall_s: float = 20.0, world: World | None = None) -> dict[str, Seen]:
    with reading(data.library) as connection:
        library = read_library(connection)
    here = world or World(find_here=lambda path: path, mounts=(MountPoint(path="/", type="ext4"),), fstab=())
    return {seen.place.root: seen for seen in survey(library.files, here, within_s=within_s, stall_s=stall_s)}


def test_all_files_that_are_there_are_found(tmp_path):
    root = tmp_path / "Music"
    make_files(root, {**TRACKS, **HOSTILE, "not known.flac": 0})
    seen = look(make_library(tmp_path, {"Music": (str(root), {**TRACKS, **HOSTILE})}))[str(root)]
    assert (seen.total, seen.checked, seen.missing, seen.untold_count, seen.root) == (305, 305, {}, 0, "")
    assert not seen.is_sample


def test_what_is_missing_is_named(tmp_path):
    root = tmp_path / "Music"
    gone = ("Band 3/Album/04 - Song.flac", *(name for name in TRACKS if name.startswith("Band 7/")), "lone.flac")
    make_files(root, {path: 0 for path in {**TRACKS, **HOSTILE} if path not in gone})
    (root / "Band 9").rename(root / "band 9")
    (root / "Band 5/Album/01 - Song.flac").unlink()
    (root / "Band 5/Album/01 - Song.flac").symlink_to("nowhere")
    seen = look(make_library(tmp_path, {"Music": (str(root), {**TRACKS, **HOSTILE})}))[str(root)]
    missing = {f"{folder}/{name}"[len(str(root)) + 1 :] for folder, names in seen.missing.items() for name in names}
    nine = {name for name in TRACKS if name.startswith("Band 9/")}
    assert missing == {*gone, *nine, "Band 5/Album/01 - Song.flac"}
    assert (seen.checked, seen.missing_count) == (305, len(missing))


def test_the_other_form_of_an_accent_is_another_file(tmp_path):
    root = tmp_path / "Music"
    make_files(root, {"S\u00e9ries/a.flac": 0})
    seen = look(make_library(tmp_path, {"Music": (str(root), {"Se\u0301ries/a.flac": 0, "S\u00e9ries/a.flac": 0})}))[str(root)]
    assert list(seen.missing) == [f"{root}/Se\u0301ries"]


def test_a_folder_of_a_library_that_is_away_is_told(tmp_path):
    (tmp_path / "Empty").mkdir()
    data = make_library(
        tmp_path, {"A": (f"{tmp_path}/Gone", {"a.mkv": 0}), "B": (f"{tmp_path}/Empty", {"b.mkv": 0}), "C": (str(tmp_path), {})}
    )
    found = look(data)
    assert [found[root].root for root in found] == ["is not there", "is empty: is its disk mounted?", ""]
    assert [found[root].missing_count for root in found] == [1, 1, 0]


def test_what_lies_on_a_mount_that_is_not_there_cannot_be_told(tmp_path):
    root = tmp_path / "disk" / "Music"
    root.mkdir(parents=True)
    fstab = (MountPoint(path=str(tmp_path / "disk"), type="ext4"),)
    world = World(find_here=lambda path: path, mounts=(MountPoint(path="/", type="ext4"),), fstab=fstab)
    seen = look(make_library(tmp_path, {"Music": (str(root), TRACKS)}), world=world)[str(root)]
    assert (seen.checked, seen.missing) == (0, {})
    assert seen.untold == {f"{tmp_path}/disk is not mounted": 300}


def test_a_mount_that_hangs_cannot_be_told_and_takes_no_other_with_it(tmp_path, monkeypatch):
    hung, well = tmp_path / "hung", tmp_path / "well"
    make_files(hung, TRACKS)
    make_files(well, TRACKS)
    scandir = os.scandir

    def scandir_or_hang(path: str) -> object:
        if str(path).startswith(str(hung)):
            signal.pause()
        return scandir(path)

    monkeypatch.setattr(survey_module.os, "scandir", scandir_or_hang)
    mounts = (MountPoint(path="/", type="ext4"), MountPoint(path=str(hung), type="fuse.rclone"))
    data = make_library(tmp_path, {"A": (str(hung), TRACKS), "B": (str(well), TRACKS)})
    found = look(data, stall_s=1.0, world=World(find_here=lambda path: path, mounts=mounts, fstab=()))
    assert (found[str(hung)].missing, found[str(hung)].untold_count) == ({}, 300)
    assert found[str(hung)].root == "does not answer: its file system hangs"
    assert (found[str(well)].checked, found[str(well)].missing_count) == (300, 0)


def test_what_a_file_system_refuses_cannot_be_told(tmp_path, monkeypatch):
    root = tmp_path / "Music"
    make_files(root, TRACKS)
    scandir = os.scandir

    def scandir_or_fail(path: str) -> object:
        if "Band 4/" in str(path):
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN), path)
        return scandir(path)

    monkeypatch.setattr(survey_module.os, "scandir", scandir_or_fail)
    seen = look(make_library(tmp_path, {"Music": (str(root), TRACKS)}))[str(root)]
    assert (seen.checked, seen.missing, dict(seen.untold)) == (290, {}, {os.strerror(errno.ENOTCONN): 10})


def test_when_the_time_is_over_what_was_seen_is_a_sample(tmp_path):
    root = tmp_path / "Music"
    files = {f"Band {n}/a.flac": 0 for n in range(3000)}
    make_files(root, files)
    seen = look(make_library(tmp_path, {"Music": (str(root), files)}), within_s=0.0)[str(root)]
    assert seen.is_sample and 0 < seen.checked < 3000 and seen.missing_count == 0


def test_files_outside_of_their_library_have_a_place_of_their_own(tmp_path):
    root = tmp_path / "Music"
    make_files(root, {"a.flac": 0})
    data = make_library(tmp_path, {"Music": (str(root), {"a.flac": 0})})
    with closing(database.connect(data.library)) as connection:
        add_part(connection, 1, f"{tmp_path}/MusicToo/b.flac", 0)
        add_part(connection, 1, f"{root}/", 0)
        connection.execute("INSERT INTO media_parts (media_item_id, file) VALUES (999, '/nobody/c.flac')")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with reading(data.library) as connection:
        library = read_library(connection)
    assert library.files == {
        Place(section=1, title="Music", root=str(root)): {str(root): {"a.flac"}},
        Place(section=1, title="Music", root=OUTSIDE): {f"{tmp_path}/MusicToo": {"b.flac"}},
        Place(section=0, title="no library", root=OUTSIDE): {"/nobody": {"c.flac"}},
    }


def test_files_of_a_container_are_looked_for_where_its_mounts_lead(tmp_path):
    make_files(tmp_path / "srv", {"Music/a.flac": 0})
    binds = (Mount(source=str(tmp_path / "srv"), destination="/data"),)
    data = make_library(tmp_path, {"A": ("/data/Music", {"a.flac": 0, "b.flac": 0}), "B": ("/other", {"c.flac": 0})})
    found = look(data, world=World(find_here=lambda path: host_path(path, binds), mounts=(), fstab=()))
    assert (found["/data/Music"].checked, found["/data/Music"].missing) == (2, {"/data/Music": ("b.flac",)})
    assert found["/other"].untold == {"no mount of Plex's container leads there": 1}


@pytest.mark.parametrize("output", ["text", "json"])
def test_the_command_tells_each_library(tmp_path: Path, capsys, output):
    root = tmp_path / "Music"
    make_files(root, {path: 0 for path in TRACKS if not path.startswith("Band 7/")})
    data = make_library(tmp_path, {"Music": (str(root), TRACKS)})
    assert run_program("db-export", cli, ["paths", "--format", output, "--data", str(data.folder)]) == 1
    out = capsys.readouterr().out
    if output == "json":
        (place,) = json.loads(out)["places"]
        assert (place["files"], place["missing"], place["missing_folders"]) == (300, 10, {f"{root}/Band 7": 10})
    else:
        assert f"Music: {root}: 290 of 300 files are there, 10 are missing" in out
        assert f"  10 missing in {root}/Band 7" in out


def test_the_command_is_content_when_all_is_there(tmp_path, capsys):
    root = tmp_path / "Music"
    make_files(root, TRACKS)
    data = make_library(tmp_path, {"Music": (str(root), TRACKS)})
    assert run_program("db-export", cli, ["paths", "--all", str(data.library)]) == 0
