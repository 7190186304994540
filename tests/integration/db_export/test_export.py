"""Exports of real databases: what is in an archive, what stays out, what a killed run leaves."""

import os
import stat
from contextlib import closing

import pytest

from plexguard.core.clock import SystemClock
from plexguard.core.errors import SystemRefused, TryAgain
from plexguard.core.state import exclusive_lock
from plexguard.db_export.archive import write
from plexguard.db_export.archive.manifest import MANIFEST, PREFERENCES, member_of
from plexguard.db_export.archive.read import Part, open_archive
from plexguard.db_export.archive.write import WORK, Wanted, export
from plexguard.db_export.database.files import BLOBS, LIBRARY, NAMES
from plexguard.db_export.database.schema import count_rows
from plexguard.db_export.database.sqlite import NotADatabase, reading
from tests.fakes.libraries import MACHINE, TOKEN, make_plex
from tests.fakes.plex import database
from tests.integration.db_export.archives import make_archive, unpack


@pytest.fixture
def plex(tmp_path):
    return make_plex(tmp_path / "Plex Media Server")


def test_archive_is_a_tar_that_anybody_can_unpack(plex, tmp_path):
    exported = make_archive(plex, tmp_path / "archives")

    members = unpack(exported.path)
    assert list(members) == [member_of(LIBRARY), member_of(BLOBS), PREFERENCES, MANIFEST]
    assert members[MANIFEST].decode() == exported.manifest.to_json()
    assert exported.manifest.is_good
    assert exported.path.name == f"plex-{exported.manifest.made:%Y%m%dT%H%M%SZ}.tar.zst"
    assert stat.S_IMODE(exported.path.stat().st_mode) == 0o600
    assert [path.name for path in exported.path.parent.iterdir() if not path.name.endswith(".lock")] == [exported.path.name]


def test_what_comes_out_is_what_went_in(plex, tmp_path):
    exported = make_archive(plex, tmp_path / "archives")

    (tmp_path / "out").mkdir()
    with open_archive(exported.path) as archive:
        made = archive.extract(tmp_path / "out", (Part.DATABASES, Part.PREFERENCES))

    assert made == (tmp_path / "out" / LIBRARY, tmp_path / "out" / BLOBS, tmp_path / "out" / PREFERENCES)
    for name in NAMES:
        with reading(tmp_path / "out" / name, immutable=True) as copy, reading(plex.databases / name) as live:
            assert count_rows(copy) == count_rows(live) == exported.manifest.databases[name].rows
    assert exported.manifest.databases[LIBRARY].page_size == database.PAGE_BYTES


def test_rows_that_are_only_in_the_wal_are_in_the_archive(plex, tmp_path):
    with closing(database.connect(plex.library)) as writer:
        writer.execute("PRAGMA wal_autocheckpoint=0")
        writer.execute("UPDATE library_sections SET name = 'Only in the wal' WHERE id = 1")
        exported = make_archive(plex, tmp_path / "archives")

    (tmp_path / "out").mkdir()
    with open_archive(exported.path) as archive:
        archive.extract(tmp_path / "out")
    with reading(tmp_path / "out" / LIBRARY, immutable=True) as copy:
        assert copy.execute("SELECT name FROM library_sections WHERE id = 1").fetchone() == ("Only in the wal",)


def test_secrets_stay_out_unless_they_are_wanted(plex, tmp_path):
    without = unpack(make_archive(plex, tmp_path / "a").path)
    with_all = unpack(make_archive(plex, tmp_path / "b", Wanted(with_identity=True)).path)

    assert all(secret.encode() not in text for secret in (TOKEN, MACHINE, "somebody@example.org") for text in without.values())
    assert with_all[PREFERENCES] == plex.preferences.read_bytes()


def test_folders_come_along_where_they_are_wanted(plex, tmp_path):
    odd = plex.folder / "Metadata/Movies" / ("long " * 40) / os.fsdecode(b"poster \xff 'x'.jpg")
    odd.parent.mkdir(parents=True)
    odd.write_bytes(b"art" * 1000)
    (odd.parent / "empty").touch()
    (odd.parent / "link").symlink_to("/etc/passwd")
    (plex.folder / "Metadata/pipe").parent.mkdir(exist_ok=True)
    os.mkfifo(plex.folder / "Metadata/pipe")

    exported = make_archive(plex, tmp_path / "archives", Wanted(trees=("Metadata", "Media")))
    (tmp_path / "out").mkdir()
    with open_archive(exported.path) as archive:
        archive.extract(tmp_path / "out", Part)

    assert exported.manifest.trees["Metadata"].files == 2
    assert exported.manifest.trees["Media"].files == 0
    out = tmp_path / "out" / odd.relative_to(plex.folder)
    assert out.read_bytes() == b"art" * 1000
    assert sorted(path.name for path in out.parent.iterdir()) == sorted(["empty", odd.name])


def test_server_without_settings_or_blobs_is_exported(plex, tmp_path):
    plex.preferences.unlink()
    plex.blobs.unlink()

    exported = make_archive(plex, tmp_path / "archives")

    assert list(unpack(exported.path)) == [member_of(LIBRARY), MANIFEST]
    assert exported.manifest.machine_identifier == ""


def test_damaged_database_is_kept_as_it_is_and_does_not_count_as_good(plex, tmp_path):
    with reading(plex.library) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'media_parts'").fetchone()
    with open(plex.library, "r+b") as file:
        file.seek((page - 1) * database.PAGE_BYTES)
        file.write(b"\xa5" * database.PAGE_BYTES)

    exported = make_archive(plex, tmp_path / "archives")

    assert not exported.manifest.is_good
    assert "media_parts" in exported.manifest.damage[0]
    facts = exported.manifest.databases[LIBRARY]
    assert facts.rows["metadata_items"] == 62 and "media_parts" not in facts.rows


def test_what_is_no_database_is_no_archive(plex, tmp_path):
    plex.library.write_bytes(b"something else" * 1000)

    with pytest.raises(NotADatabase):
        make_archive(plex, tmp_path / "archives")

    assert [path.name for path in (tmp_path / "archives").iterdir()] == [".plexguard-export.lock"]


def test_two_exports_into_one_folder_do_not_meet(plex, tmp_path):
    target = tmp_path / "archives"
    target.mkdir()
    with exclusive_lock(target / ".plexguard-export.lock"), pytest.raises(TryAgain):
        make_archive(plex, target)


def test_next_run_removes_what_a_killed_one_left(plex, tmp_path):
    left = tmp_path / "archives" / f"{WORK}20200101T000000Z-1"
    left.mkdir(parents=True)
    (left / LIBRARY).write_bytes(b"half")
    strange = tmp_path / "archives" / "of somebody else"
    strange.mkdir()

    make_archive(plex, tmp_path / "archives")

    assert not left.exists() and strange.exists()


def test_second_archive_of_a_second_has_a_name_of_its_own(plex, tmp_path):
    class Stopped(SystemClock):
        def now(self):
            return moment

    moment = SystemClock().now()
    paths = [export(plex, tmp_path / "archives", Wanted(), clock=Stopped()).path for _ in range(2)]
    assert len(set(paths)) == 2 and all(path.exists() for path in paths)


def test_room_is_asked_for_before_anything_is_written(plex, tmp_path, monkeypatch):
    monkeypatch.setattr(write, "_SPARE_BYTES", 10**18)

    with pytest.raises(SystemRefused, match="needs"):
        make_archive(plex, tmp_path / "archives")

    assert [path.name for path in (tmp_path / "archives").iterdir()] == [".plexguard-export.lock"]
