"""Archives that come home: what is put in place, what is refused, and what is left when a restore is cut off."""

import os
import shutil
import sqlite3
import stat
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from plexguard.core.clock import SystemClock
from plexguard.core.errors import DataError, PlexguardError
from plexguard.db_export.archive.manifest import DATABASES, BadArchive
from plexguard.db_export.archive.preferences import read_preferences
from plexguard.db_export.archive.write import Wanted as Exporting
from plexguard.db_export.commands import restore as command
from plexguard.db_export.commands import undo as undo_command
from plexguard.db_export.config import Config
from plexguard.db_export.database.files import BLOBS, LIBRARY, PlexData
from plexguard.db_export.database.schema import count_rows
from plexguard.db_export.database.sqlite import DatabaseDamaged, reading
from plexguard.db_export.restore.act import WORK, Mismatch, Restored, Wanted, check_sound, restore
from plexguard.db_export.swap.replace import hold
from tests.fakes.cut_off import run_and_kill, run_with_full_disk
from tests.fakes.libraries import MACHINE, TOKEN, make_plex
from tests.fakes.ports import FakeClock, fake_ports
from tests.integration.db_export.archives import forge, make_archive, manifest_of, unpack

OTHER = "00000000-7f1d-4f62-9b52-6f0a4f5d8e11"
PROBE = "SELECT count(*), max(size) FROM media_parts"


def unused(_paths: tuple[Path, ...]) -> None:
    """Nobody uses anything."""


def unchecked(_copy: Path) -> tuple[str, ...]:
    """Nothing is wrong."""
    return ()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> PlexData:
    """The server that the archive is from, with some art."""
    data = make_plex(tmp_path_factory.mktemp("source") / "plex", films=5, episodes=4, tracks=3)
    poster = data.folder / "Metadata" / "Movies" / "a.bundle" / "poster"
    poster.parent.mkdir(parents=True)
    poster.write_text("poster")
    return data


@pytest.fixture(scope="module")
def archive(source: PlexData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_archive(source, tmp_path_factory.mktemp("archives"), Exporting(trees=("Metadata",))).path


@pytest.fixture
def home(tmp_path: Path) -> PlexData:
    """The same server later, with other rows: the sizes tell them apart."""
    data = make_plex(tmp_path / "home", films=3, episodes=0, tracks=0)
    with closing(sqlite3.connect(data.library)) as connection:
        connection.execute("UPDATE media_parts SET size = 7777777")
        connection.commit()
    (data.folder / "Metadata" / "Movies" / "old").mkdir(parents=True)
    return data


def put(
    data: PlexData, archive: Path, wanted: Wanted | None = None, *, check: Callable[[Path], tuple[str, ...]] = check_sound
) -> Restored:
    with hold(data, look=unused):
        return restore(data, archive, wanted or Wanted(), keep=3, clock=FakeClock(), look=unused, check=check)


def probe(path: Path) -> tuple[int, int]:
    with reading(path) as connection:
        return connection.execute(PROBE).fetchone()


def identity_of(data: PlexData) -> dict[str, str]:
    return read_preferences(data.preferences.read_bytes())


def test_databases_settings_and_art_are_those_of_the_archive(home: PlexData, source: PlexData, archive: Path) -> None:
    restored = put(home, archive)

    for name in (LIBRARY, BLOBS):
        with reading(home.databases / name) as ours, reading(source.databases / name) as theirs:
            assert count_rows(ours) == count_rows(theirs)
    assert probe(home.library) == probe(source.library)
    assert (home.folder / "Metadata" / "Movies" / "a.bundle" / "poster").read_text() == "poster"
    assert restored.parts == (LIBRARY, BLOBS, "Preferences.xml", "Metadata")
    kept = restored.generation.folder
    assert probe(kept / LIBRARY) == (3, 7777777)
    assert (kept / "Metadata" / "Movies" / "old").is_dir()
    assert not (home.databases / WORK).exists()


def test_server_keeps_its_identity_and_takes_the_other_settings(home: PlexData, archive: Path) -> None:
    text = home.preferences.read_text()
    home.preferences.write_text(text.replace("Cinema", "Garage").replace(TOKEN, "token-of-home"))

    put(home, archive)

    found = identity_of(home)
    assert (found["PlexOnlineToken"], found["MachineIdentifier"], found["FriendlyName"]) == ("token-of-home", MACHINE, "Cinema")
    assert stat.S_IMODE(home.preferences.stat().st_mode) == 0o600


def test_move_to_new_hardware_takes_the_identity_when_told(tmp_path: Path, source: PlexData) -> None:
    new = make_plex(tmp_path / "new", films=1, episodes=0, tracks=0, machine=OTHER)
    moved = make_archive(source, tmp_path / "disk", Exporting(with_identity=True)).path

    put(new, moved, Wanted(with_identity=True, other_machine=True))

    assert identity_of(new) == identity_of(source)


def test_identity_that_is_not_in_the_archive_is_refused(home: PlexData, archive: Path) -> None:
    with pytest.raises(Mismatch, match="no identity"):
        put(home, archive, Wanted(with_identity=True))
    assert probe(home.library) == (3, 7777777)


def test_archive_of_another_server_is_refused_unless_told(tmp_path: Path, archive: Path) -> None:
    other = make_plex(tmp_path / "other", films=1, episodes=0, tracks=0, machine=OTHER)

    with pytest.raises(Mismatch, match="another server") as refused:
        put(other, archive)
    assert "--other-machine" in refused.value.hint

    put(other, archive, Wanted(other_machine=True))
    assert identity_of(other)["MachineIdentifier"] == OTHER


def test_archive_of_a_newer_schema_is_refused_unless_told(home: PlexData, archive: Path) -> None:
    with closing(sqlite3.connect(home.library)) as connection:
        connection.execute("DELETE FROM schema_migrations")
        connection.execute("INSERT INTO schema_migrations (version) VALUES ('20190101000000')")
        connection.commit()

    with pytest.raises(Mismatch, match="newer than 20190101000000"):
        put(home, archive)
    assert probe(home.library) == (3, 7777777)

    put(home, archive, Wanted(newer_schema=True))
    assert probe(home.library)[1] != 7777777


def test_library_that_cannot_be_read_is_no_reason_against_a_restore(home: PlexData, archive: Path) -> None:
    home.library.write_bytes(b"\0" * 4096)

    restored = put(home, archive)

    assert check_sound(home.library) == ()
    assert (restored.generation.folder / LIBRARY).read_bytes() == b"\0" * 4096


def test_folder_without_databases_takes_an_archive_and_gives_it_back(tmp_path: Path, archive: Path) -> None:
    data = PlexData(folder=tmp_path / "Plex Media Server")
    data.databases.mkdir(parents=True)

    put(data, archive)

    assert check_sound(data.library) == ()
    assert "PlexOnlineToken" not in identity_of(data)
    assert stat.S_IMODE(data.library.stat().st_mode) == 0o644


def test_archive_of_the_time_before_is_accepted_with_its_wal(tmp_path: Path, home: PlexData, source: PlexData) -> None:
    live = tmp_path / "live"
    shutil.copytree(source.databases, live)
    with closing(sqlite3.connect(live / LIBRARY, isolation_level=None)) as writer:
        writer.execute("PRAGMA wal_autocheckpoint=0")
        writer.execute("UPDATE media_parts SET size = 4242")
        old = tmp_path / "plex_db.tar.gz"
        with tarfile.open(old, "w:gz") as tar:
            for name in (LIBRARY, f"{LIBRARY}-wal", BLOBS):
                tar.add(live / name, arcname=f"config/Library/Application Support/Plex Media Server/{DATABASES}/{name}")

    restored = put(home, old)

    assert restored.made is None
    assert probe(home.library)[1] == 4242
    assert not Path(f"{home.library}-wal").exists()


def test_damaged_database_in_an_archive_of_the_time_before_is_refused(tmp_path: Path, home: PlexData, source: PlexData) -> None:
    broken = tmp_path / LIBRARY
    content = bytearray(source.library.read_bytes())
    content[4096:65536] = bytes(61440)
    broken.write_bytes(content)
    old = tmp_path / "plex_db.tar.gz"
    with tarfile.open(old, "w:gz") as tar:
        tar.add(broken, arcname=LIBRARY)

    with pytest.raises(DatabaseDamaged):
        put(home, old)

    assert probe(home.library) == (3, 7777777)
    assert not (home.databases / WORK).exists()


def test_index_that_can_be_made_anew_is_told_and_no_reason_against_a_restore(
    tmp_path: Path, home: PlexData, source: PlexData
) -> None:
    broken = tmp_path / LIBRARY
    shutil.copy(source.library, broken)
    with closing(sqlite3.connect(broken, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("DELETE FROM sqlite_master WHERE name = 'index_media_parts_on_file'")
        connection.execute("PRAGMA writable_schema=RESET")
        connection.execute("UPDATE media_parts SET file = file || 'x'")
        row = "SELECT type, name, tbl_name, rootpage, sql FROM s.sqlite_master WHERE name = 'index_media_parts_on_file'"
        connection.execute("ATTACH ? AS s", (str(source.library),))
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute(f"INSERT INTO main.sqlite_master {row}")
    old = tmp_path / "plex_db.tar.gz"
    with tarfile.open(old, "w:gz") as tar:
        tar.add(broken, arcname=LIBRARY)

    restored = put(home, old)

    assert restored.damage
    assert all("index" in line for line in restored.damage)


@pytest.mark.parametrize("at", [0.2, 0.5, 0.9])
def test_archive_that_has_changed_is_refused(tmp_path: Path, home: PlexData, archive: Path, at: float) -> None:
    content = bytearray(archive.read_bytes())
    content[int(len(content) * at)] ^= 0x40
    bad = tmp_path / "bad.tar.zst"
    bad.write_bytes(content)

    with pytest.raises(DataError):
        put(home, bad)

    assert probe(home.library) == (3, 7777777)


def test_archive_whose_rows_are_not_those_of_its_manifest_still_needs_a_sound_database(
    tmp_path: Path, home: PlexData, archive: Path
) -> None:
    members = {name: body for name, body in unpack(archive).items() if "manifest" not in name}
    cut = members[f"{DATABASES}/{LIBRARY}"][:8192]
    changed = [(name, cut if name.endswith(LIBRARY) else body) for name, body in members.items()]

    with pytest.raises(BadArchive):
        put(home, forge(tmp_path / "forged.tar.zst", changed, manifest_of(archive)))

    assert probe(home.library) == (3, 7777777)


def _cut_everywhere(
    folder: Path, archive: Path, home: PlexData, cut: Callable[[Callable[[], object], int], bool], *, step: int
) -> list[str]:
    """Restore into a new copy of home for each point, cut it there, and return what was there then and after the next run."""
    new = None
    found = []
    for number in range(1, 400, step):
        data = PlexData(folder=folder / str(number))
        shutil.copytree(home.folder, data.folder)
        ended = cut(lambda data=data: put(data, archive, Wanted(merge_watch_state=True), check=unchecked), number)
        closed = data.library.is_symlink()
        with hold(data, look=unused):
            assert not (data.databases / WORK).exists()
        state = "old" if probe(data.library) == (3, 7777777) else "new"
        new = new or (probe(data.library) if state == "new" else None)
        assert probe(data.library) in ((3, 7777777), new)
        with reading(data.blobs) as connection:
            (blobs,) = connection.execute("SELECT count(*) FROM blobs").fetchone()
        assert blobs == (3 if state == "old" else 9)
        assert (data.folder / "Metadata" / "Movies" / "a.bundle").exists() == (state == "new")
        found.append("closed" if closed else state)
        put(data, archive, check=unchecked)
        assert not (data.databases / WORK).exists()
        shutil.rmtree(data.folder)
        if ended:
            return found
    raise AssertionError("it never came to its end")


def test_restore_killed_at_any_point_leaves_the_old_or_the_new(folder: Path, archive: Path, home: PlexData) -> None:
    found = _cut_everywhere(folder, archive, home, lambda work, number: run_and_kill(work, before=number), step=2)

    assert len(found) >= 30
    assert set(found) == {"old", "closed", "new"}


def test_restore_on_a_disk_that_gets_full_leaves_the_old_or_the_new(folder: Path, archive: Path, home: PlexData) -> None:
    def cut(work: Callable[[], object], number: int) -> bool:
        return run_with_full_disk(work, after=number, expected=PlexguardError)

    found = _cut_everywhere(folder, archive, home, cut, step=4)

    assert {"old", "new"} <= set(found)


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[Path]:
    """Mount a disk of that size on a folder."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)], check=True, timeout=20)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=20)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_disk_without_room_is_told_at_any_size_and_the_old_stays(tmp_path: Path, archive: Path, home: PlexData) -> None:
    used = sum(path.stat().st_size for path in home.folder.rglob("*") if path.is_file())
    refused = 0
    for room in range(0, 4_000_000, 250_000):
        with small_disk(tmp_path / f"disk-{room}", used + 200_000 + room) as disk:
            data = PlexData(folder=disk / "plex")
            shutil.copytree(home.folder, data.folder)
            try:
                put(data, archive, Wanted(merge_watch_state=True), check=unchecked)
            except PlexguardError as error:
                refused += 1
                assert probe(data.library) == (3, 7777777), error
                assert not (data.databases / WORK).exists()
            else:
                assert probe(data.library)[1] != 7777777
                break
    assert refused > 1
    assert probe(home.library) == (3, 7777777)


def test_command_says_what_it_did_and_undo_takes_it_back(home: PlexData, archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ports = fake_ports(clock=SystemClock())

    code = command.run(home, None, archive, Wanted(merge_watch_state=True), Config(), ports, output="text")

    text = capsys.readouterr().out
    assert code == 0
    assert "plexguard-db-export undo 1" in text
    assert "carried over:" in text
    assert ports.journal.values("database.restored")["path"].endswith("0001-restore")

    assert undo_command.run(home, None, None, Config(), ports) == 0

    assert probe(home.library) == (3, 7777777)
    assert ports.journal.names == ["database.restored", "database.undone"]


def test_command_ends_what_was_cut_off_and_tells_it(
    folder: Path, home: PlexData, archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(1, 200):
        data = PlexData(folder=folder / str(number))
        shutil.copytree(home.folder, data.folder)
        run_and_kill(lambda data=data: put(data, archive, check=unchecked), before=number)
        if data.library.is_symlink():
            break
    ports = fake_ports(clock=SystemClock())

    assert undo_command.end(data, ports) == 0
    assert undo_command.end(data, ports) == 0

    assert ports.journal.values("database.swap-finished") == {"reason": "restore", "outcome": "completed"}
    assert capsys.readouterr().out == "the restore that was cut off was completed\nnothing was cut off\n"
    assert probe(data.library)[1] != 7777777


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_comes_belongs_to_whoever_plex_runs_as(home: PlexData, archive: Path) -> None:
    for path in (home.folder, home.databases, home.library, home.blobs, home.preferences):
        os.chown(path, 1234, 5678)

    put(home, archive)

    poster = home.folder / "Metadata" / "Movies" / "a.bundle" / "poster"
    owners = {
        (path.stat().st_uid, path.stat().st_gid) for path in (home.library, home.blobs, home.preferences, poster, poster.parent)
    }
    assert owners == {(1234, 5678)}
