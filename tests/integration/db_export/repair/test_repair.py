"""A repair from the first look to the swap: what is put in place, what is told, and what a run that is cut off leaves."""

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from itertools import count as numbers
from pathlib import Path

import pytest

from plexguard.core.clock import SystemClock
from plexguard.core.errors import DataError, IoFailed, PlexguardError, SystemRefused
from plexguard.core.host import Completed, LocalHost
from plexguard.db_export.check.findings import Kind, Report
from plexguard.db_export.check.findings import damage as finding
from plexguard.db_export.check.observe import look_at_files
from plexguard.db_export.check.run import check_copy
from plexguard.db_export.database.files import BLOBS, LIBRARY, PlexData
from plexguard.db_export.database.schema import count_rows
from plexguard.db_export.repair import work
from plexguard.db_export.repair.act import Repaired, repair
from plexguard.db_export.repair.decide import Rung
from plexguard.db_export.repair.ladder import Ladder
from plexguard.db_export.repair.mend import PlexSqlite
from plexguard.db_export.repair.recover import Sqlite3
from plexguard.db_export.repair.report import encode_repaired
from plexguard.db_export.repair.tell import tell
from plexguard.db_export.repair.work import FOLDER
from plexguard.db_export.swap.replace import hold
from tests.fakes.cut_off import run_and_kill, run_with_full_disk
from tests.fakes.plex import database
from tests.fakes.ports import FakeClock, FakeHost, FakeJournal
from tests.integration.db_export.repair.damaged import damage, edit, read_rows, root_of

MAX_LOSS = 0.001


@dataclass(frozen=True)
class Archived:
    """A snapshot in a folder. broken: it cannot be unpacked."""

    folder: Path
    name: str = "plex-1.tar.zst"
    broken: bool = False

    def rows(self, name):
        return {table: len(rows) for table, rows in read_rows(self.folder / name).items()}

    def unpack(self, folder):
        if self.broken:
            raise DataError("cut short")
        return {name: Path(shutil.copy(self.folder / name, folder / name)) for name in (LIBRARY, BLOBS)}


def check_fast(copy: Path) -> Report:
    """Check no more than that all tables can be read: for the many runs that are cut off."""
    with closing(sqlite3.connect(f"file:{copy}?mode=ro&immutable=1", uri=True)) as connection:
        try:
            count_rows(connection)
        except sqlite3.DatabaseError as error:
            return Report(findings=(finding(Kind.TABLE, str(error)),))
    return Report(findings=())


def run(
    data: PlexData, *, host=None, command=Path("/nowhere"), snapshots=(), forced=False, dry_run=False, check=check_copy
) -> Repaired:
    ladder = Ladder(
        work=data.databases,
        check=check,
        look_beside=look_at_files,
        plex=PlexSqlite(host=host or FakeHost(), command=command),
        sqlite3=Sqlite3(host=LocalHost(), clock=SystemClock()),
        snapshots=snapshots,
        max_loss=MAX_LOSS,
        forced=forced,
    )
    with hold(data):
        return repair(data, ladder, clock=FakeClock(), keep=3, dry_run=dry_run)


def files_of(data: PlexData) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in data.databases.iterdir() if path.is_file()}


def test_what_is_made_is_in_place_with_owner_and_mode_and_what_was_there_is_kept(copy_of, true_rows):
    data = copy_of()
    damage(data, "root of a table", 1)
    data.library.chmod(0o640)
    before = files_of(data)
    done = run(data)
    assert [climb.taken.rung if climb.taken else None for climb in done.climbs] == [Rung.SALVAGE, None]
    assert done.lost == 0
    assert done.to_do == ()
    assert read_rows(data.library) == true_rows[1024]
    assert data.library.stat().st_mode & 0o777 == 0o640
    assert (done.generation.folder / LIBRARY).read_bytes() == before[LIBRARY]
    assert data.blobs.read_bytes() == before[BLOBS]
    assert not (data.databases / FOLDER).exists()
    journal = FakeJournal()
    tell(done, journal, max_loss=MAX_LOSS)
    assert [event.name for event, _ in journal.sent] == ["database.repaired"]
    assert json.loads(json.dumps(encode_repaired(done)))["lost"] == 0
    assert run(data).is_sound


def test_a_dry_run_changes_nothing(copy_of):
    data = copy_of()
    damage(data, "root of a table", 1)
    before = files_of(data)
    done = run(data, dry_run=True)
    assert done.climbs[0].taken is not None
    assert done.generation is None
    assert files_of(data) == before


def test_rows_in_a_wal_are_kept(copy_of, true_rows):
    data = copy_of()
    with closing(database.connect(data.library)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("UPDATE media_parts SET file = '/after' WHERE id = 2")
        for side in ("", "-wal"):
            shutil.copy(f"{data.library}{side}", f"{data.library}{side}.kept")
    for side in ("", "-wal"):
        Path(f"{data.library}{side}.kept").rename(f"{data.library}{side}")
    damage(data, "root of a table", 2)
    done = run(data)
    assert done.climbs[0].taken.rung is Rung.SALVAGE
    with closing(sqlite3.connect(data.library)) as connection:
        assert connection.execute("SELECT file FROM media_parts WHERE id = 2").fetchone() == ("/after",)
    assert not Path(f"{data.library}-wal").exists() or Path(f"{data.library}-wal").stat().st_size == 0
    assert Path(done.generation.folder / f"{LIBRARY}-wal").exists()


def test_what_loses_too_much_is_told_and_leaves_everything_as_it_was(copy_of):
    data = copy_of()
    damage(data, "six pages", 5)
    before = files_of(data)
    done = run(data)
    assert done.failed
    assert done.generation is None
    assert files_of(data) == before
    journal = FakeJournal()
    tell(done, journal, max_loss=MAX_LOSS)
    assert [event.name for event, _ in journal.sent] == ["database.repair-failed"]
    forced = run(data, forced=True)
    assert forced.generation is not None
    assert forced.lost > 0


def test_an_archive_serves_when_the_file_does_not_and_brings_its_blobs(copy_of, tmp_path):
    data = copy_of()
    snapshot = Archived(folder=copy_of(to=tmp_path / "archived").databases)
    data.library.write_bytes(b"")
    with closing(sqlite3.connect(data.blobs)) as connection, connection:
        connection.execute("DELETE FROM blobs WHERE id < 10")
    done = run(data, snapshots=(Archived(folder=snapshot.folder, name="plex-2.tar.zst", broken=True), snapshot))
    assert [tried.rung for tried in done.climbs[0].tried] == [Rung.RELOAD, Rung.RECOVER, Rung.SNAPSHOT, Rung.SNAPSHOT]
    assert done.climbs[0].taken.archive == "plex-1.tar.zst"
    assert done.with_snapshot == (BLOBS,)
    assert read_rows(data.library) == read_rows(snapshot.folder / LIBRARY)
    assert read_rows(data.blobs) == read_rows(snapshot.folder / BLOBS)


def lose_what_only_plex_can_make(data: PlexData) -> None:
    there = edit(data)
    there.zero(root_of(data, "index_title_sort_icu"))
    data.library.write_bytes(there.data)


def test_plex_s_own_sqlite_makes_what_only_it_can(copy_of, tmp_path):
    data = copy_of()
    lose_what_only_plex_can_make(data)
    command = tmp_path / "Plex SQLite"
    command.touch()

    def as_plex(argv):
        with closing(database.connect(Path(argv[-2]))) as connection:
            connection.execute(argv[-1])
        return Completed(code=0, stdout="", stderr="")

    done = run(data, host=FakeHost(answers={str(command): as_plex}), command=command)
    assert done.to_do == ()
    with closing(sqlite3.connect(data.library)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'index_title_sort_icu'").fetchone() == (1,)
    assert run(data).is_sound


def test_where_it_is_missing_what_is_left_to_do_is_said(copy_of):
    data = copy_of()
    lose_what_only_plex_can_make(data)
    ((name, sql),) = run(data).to_do
    assert name == LIBRARY
    assert sql.startswith("CREATE INDEX index_title_sort_icu")


def test_a_run_that_is_killed_anywhere_leaves_the_old_library_or_the_new_one(copy_of, true_rows):
    data = copy_of()
    damage(data, "root of a table", 1)
    old = data.library.read_bytes()
    for step in numbers(1, 2):
        shutil.rmtree(data.folder)
        copy_of()
        data.library.write_bytes(old)
        is_done = run_and_kill(lambda: run(data, check=check_fast), before=step)
        with hold(data):
            library = data.library.read_bytes()
        assert library == old or read_rows(data.library) == true_rows[1024]
        if is_done:
            break
    done = run(data)
    assert done.is_sound
    assert not (data.databases / FOLDER).exists()


def test_a_full_disk_leaves_the_old_library(copy_of, true_rows):
    data = copy_of()
    damage(data, "root of a table", 1)
    old = data.library.read_bytes()
    for step in numbers(2, 4):
        shutil.rmtree(data.folder)
        copy_of()
        data.library.write_bytes(old)
        is_done = run_with_full_disk(lambda: run(data, check=check_fast), after=step, expected=PlexguardError)
        with hold(data):
            library = data.library.read_bytes()
        assert library == old or read_rows(data.library) == true_rows[1024]
        if is_done:
            break
    assert run(data).is_sound


def test_without_room_nothing_is_begun(copy_of, monkeypatch):
    data = copy_of()
    damage(data, "root of a table", 1)
    monkeypatch.setattr(work, "_TIMES", 10**9)
    with pytest.raises(SystemRefused, match="a repair needs"):
        run(data)
    assert not (data.databases / FOLDER).exists()


def test_a_disk_that_fills_up_meanwhile_is_no_fault_of_the_database(copy_of, monkeypatch):
    data = copy_of()
    damage(data, "root of a table", 1)
    before = files_of(data)

    def fail(_fd, _data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(work.os, "write", fail)
    with pytest.raises(IoFailed, match="No space left"):
        run(data)
    monkeypatch.undo()
    assert files_of(data) == before
