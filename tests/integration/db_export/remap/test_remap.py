"""A remap takes the place of the library, or leaves it as it was."""

import contextlib
import json
import os
import resource
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from plexguard.core.errors import DataError, PlexguardError, TryAgain, UsageError
from plexguard.core.program import Ports
from plexguard.core.program import run as run_program
from plexguard.db_export.__main__ import cli
from plexguard.db_export.commands import remap
from plexguard.db_export.commands.which import Which
from plexguard.db_export.config import Config
from plexguard.db_export.database.files import PlexData
from plexguard.db_export.database.sqlite import reading
from plexguard.db_export.remap import decide
from plexguard.db_export.remap.columns import LINKED, find_columns
from plexguard.db_export.remap.observe import LINKED_GUIDS
from plexguard.db_export.swap.generations import list_generations
from plexguard.db_export.swap.replace import hold
from tests.fakes.cut_off import DONE, REFUSED, run_and_kill
from tests.fakes.libraries import make_plex
from tests.fakes.plex import database
from tests.fakes.ports import FakeClock, FakeHost, FakeJournal, FakeManager, FakeNotifier


@pytest.fixture
def data(folder: Path) -> PlexData:
    return make_plex(folder / "Plex Media Server", films=6, episodes=8, tracks=6)


def make_ports() -> Ports:
    return Ports(journal=FakeJournal(), clock=FakeClock(), host=FakeHost(), manager=FakeManager(), notifier=FakeNotifier())


def which(data: PlexData) -> Which:
    return Which(library=data.library, data=data)


def files(data: PlexData) -> list[str]:
    with reading(data.library) as connection:
        assert connection.execute("PRAGMA integrity_check(media_parts)").fetchall() == [("ok",)]
        return [path for (path,) in connection.execute("SELECT file FROM media_parts ORDER BY id")]


def write_mappings(folder: Path, mappings: dict[str, str]) -> Path:
    path = folder / "mappings.json"
    path.write_text(json.dumps({"mappings": mappings}))
    return path


def test_the_old_library_is_kept_and_the_files_are_looked_for(data, tmp_path):
    ports, old = make_ports(), files(data)
    media = tmp_path / "media"
    for path in old[:6]:
        new = Path(path.replace("/Media", str(media), 1))
        new.parent.mkdir(parents=True, exist_ok=True)
        if path != old[3]:
            new.touch()

    report = remap.run(which(data), {"/Media/Films": f"{media}/Films"}, Config(), ports, force=False)

    assert files(data) == [path.replace("/Media/Films", f"{media}/Films", 1) for path in old]
    (generation,) = list_generations(data)
    assert generation.reason == "remap" and str(generation.folder) == report.kept
    with reading(generation.folder / data.library.name) as connection:
        assert [path for (path,) in connection.execute("SELECT file FROM media_parts ORDER BY id")] == old
    assert (report.checked, report.missing) == (6, (old[3].replace("/Media", str(media), 1),))
    assert ports.journal.values("database.remapped")["count"] == 6 + 1 + 1  # files, the folder, a subtitle
    assert not [path for path in data.databases.rglob("*") if ".new" in path.name]


def test_a_dry_run_counts_and_changes_nothing(data, tmp_path, capsys):
    before = data.library.read_bytes()
    mappings = write_mappings(tmp_path, {"/Media/Films": "/a", "/Media/Other": "/b"})

    assert run_program("db-export", cli, ["remap", "--mappings", str(mappings), "--dry-run", "--data", str(data.folder)]) == 0

    out = capsys.readouterr().out
    assert "8  /Media/Films → /a" in out and "0  /Media/Other → /b" in out and "8  would be rewritten in all" in out
    assert data.library.read_bytes() == before and not list_generations(data)


@pytest.mark.parametrize("arguments", [["--dry-run"], []], ids=["dry run", "remap"])
def test_guids_of_the_blobs_database_are_counted_and_left(data, tmp_path, arguments, capsys):
    sql = "INSERT INTO blobs (linked_type, linked_guid, blob_type, blob) VALUES ('metadata_item', ?, ?, zeroblob(200000))"
    guids = [("file:///Media/Films/A%20Film.mkv", 1), ("file:///Media/Films/A%20Film.mkv", 2), ("file:///Media/TV/x.mkv", 1)]
    with closing(database.connect(data.blobs)) as connection:
        connection.executemany(sql, [*guids, ("plex://movie/1", 1), (None, 1)])
    before = data.blobs.read_bytes()
    mappings = write_mappings(tmp_path, {"/Media/Films": "/a"})

    remapped = ["remap", "--mappings", str(mappings), "--data", str(data.folder), "--format", "json", *arguments]
    assert run_program("db-export", cli, remapped) in (0, 1)

    (left,) = (left for left in json.loads(capsys.readouterr().out)["left"] if left["column"].startswith("blobs"))
    assert left == {
        "column": "blobs.linked_guid of the blobs",
        "count": 2,
        "example": "file:///Media/Films/A%20Film.mkv",
        "is_closed": False,
        "is_remade": True,
    }
    assert data.blobs.read_bytes() == before


def test_guids_of_blobs_are_found_by_an_index_alone(data):
    with reading(data.blobs) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {LINKED_GUIDS}").fetchall()
    assert [step[-1] for step in plan if " blobs" in step[-1] and "COVERING INDEX" not in step[-1]] == []


def test_no_column_of_the_blobs_but_the_guid_may_hold_an_address(data):
    with reading(data.blobs) as connection:
        found = find_columns(connection)
        # Of the table that the blobs database fills, by its declared types; the payload is packed, and no text.
        columns = {row[1]: row[2] for row in connection.execute("PRAGMA table_info(blobs)")}
    texts = {name for name, kind in columns.items() if kind.startswith("varchar")}
    assert texts == {"linked_type", "linked_guid"}
    assert LINKED in found.changeable
    assert {column.name for column in found.unknown if column.table == "blobs"} == texts


def test_a_dry_run_reads_a_library_that_plex_writes_to(data, tmp_path, capsys):
    with closing(database.connect(data.library)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE media_parts SET file = '/Media/Films/new.mkv' WHERE id = 7")
        mappings = write_mappings(tmp_path, {"/Media/Films": "/a"})
        argv = ["remap", "--mappings", str(mappings), "--dry-run", "--format", "json", str(data.library)]
        assert run_program("db-export", cli, argv) == 0
        connection.execute("ROLLBACK")
    assert json.loads(capsys.readouterr().out)["columns"]["media_parts.file"] == 6


def test_a_mappings_file_with_mistakes_changes_nothing(data, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    mappings = write_mappings(tmp_path, {"Films": "/a", "/b": "c"})
    assert run_program("db-export", cli, ["remap", "--mappings", str(mappings), "--data", str(data.folder)]) == os.EX_DATAERR
    err = capsys.readouterr().err
    assert '"Films": is no absolute path' in err and '"c": is no absolute path' in err


def test_files_that_would_become_one_are_refused_unless_forced(data):
    with closing(database.connect(data.library)) as connection:
        connection.execute("UPDATE media_parts SET file = '/Media/Films/a.mkv' WHERE id = 1")
        connection.execute("UPDATE media_parts SET file = '/Media/TV/a.mkv' WHERE id = 7")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    old, pairs = files(data), {"/Media/Films": "/Media/TV"}
    with pytest.raises(DataError, match=r"a\.mkv"):
        remap.run(which(data), pairs, Config(), make_ports(), force=False)
    assert files(data) == old and not list_generations(data)
    remap.run(which(data), pairs, Config(), make_ports(), force=True)
    assert files(data).count("/Media/TV/a.mkv") == 2


def test_nothing_is_replaced_when_nothing_is_moved(data):
    report = remap.run(which(data), {"/elsewhere": "/a"}, Config(), make_ports(), force=False)
    assert not list_generations(data) and not report.kept


def test_a_library_that_somebody_uses_is_left(data):
    old, ports = files(data), make_ports()
    ports.clock.sleep = lambda _: ports.clock.pass_time(100.0)
    with closing(sqlite3.connect(data.library)) as connection:
        connection.execute("SELECT * FROM media_parts").fetchone()
        with pytest.raises(TryAgain):
            remap.run(which(data), {"/Media": "/a"}, Config(), ports, force=False)
    assert files(data) == old


def test_a_database_outside_of_plex_is_only_counted(data, tmp_path):
    copy = tmp_path / "copy.db"
    copy.write_bytes(data.library.read_bytes())
    assert remap.preview(Which(library=copy), {"/Media": "/a"}).counts["/Media"] == 20 + 3 + 4
    with pytest.raises(UsageError):
        remap.run(Which(library=copy), {"/Media": "/a"}, Config(), make_ports(), force=False)


def test_settings_of_plex_that_name_a_path_are_told(data):
    text = data.preferences.read_text()
    data.preferences.write_text(
        text.replace("/>", ' TranscoderTempDirectory="/Media/tmp" CinemaTrailersPrerollID="/x/a.mkv;/Media/b.mkv"/>')
    )
    report = remap.preview(which(data), {"/Media": "/a"})
    assert report.settings == (
        ("TranscoderTempDirectory", "/Media/tmp", "/a/tmp"),
        ("CinemaTrailersPrerollID", "/x/a.mkv;/Media/b.mkv", "/x/a.mkv;/a/b.mkv"),
    )


# -- cut off ----------------------------------------------------------------------------------------------------------


def is_new_or_old(data: PlexData, old: list[str], pairs: dict[str, str]) -> bool:
    """Do what the next command does first, and look: one or the other, whole. Return whether it is the new one."""
    with hold(data):
        pass
    now = files(data)
    new = [moved[0] if (moved := decide.rewrite(path, pairs)) else path for path in old]
    assert now in (old, new)
    assert not [path for path in data.databases.rglob("*") if ".new" in path.name]
    with closing(database.connect(data.library)) as connection:
        database.check(connection)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return now == new


def test_killed_before_any_change_of_a_file_it_is_the_old_or_the_new_one(data):
    # What is only loaded when it is needed is loaded here: else each child would do it anew, which is most of what they do.
    remap.run(which(data), {"/Media": "/media"}, Config(), make_ports(), force=False)
    old, pairs = files(data), {"/media": "/srv/media"}
    for point in range(1, 200):

        def work(pairs: dict[str, str] = pairs) -> None:
            # It is a child of the run that died, and the run says so.
            with contextlib.suppress(PlexguardError):
                remap.run(which(data), pairs, Config(), make_ports(), force=False)
                return
            os._exit(REFUSED)

        done = run_and_kill(work, before=point)
        if is_new_or_old(data, old, pairs):
            # And back, for the next point.
            pairs, old = {new: before for before, new in pairs.items()}, files(data)
        if done:
            break
    assert point > 20


@pytest.mark.parametrize("call", [1, 5, 12, 20])
def test_killed_while_it_writes_it_is_the_old_one(data, call):
    old, pairs = files(data), {"/Media": "/srv/media"}

    def work() -> None:
        calls = 0
        move = decide.Mover.move

        def move_or_die(self: decide.Mover, path: str) -> tuple[str, str] | None:
            nonlocal calls
            calls += 1
            if calls == call:
                os.kill(os.getpid(), 9)
            return move(self, path)

        decide.Mover.move = move_or_die  # type: ignore[method-assign]
        remap.run(which(data), pairs, Config(), make_ports(), force=False)

    assert not run_and_kill(work, before=10_000)
    assert not is_new_or_old(data, old, pairs)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_on_a_full_disk_it_is_the_old_one(data, share):
    old, pairs = files(data), {"/Media": "/srv/" + "m" * 200}
    limit = int(data.library.stat().st_size * share)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            remap.run(which(data), pairs, Config(), make_ports(), force=False)
        except PlexguardError:
            code = DONE
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == DONE
    assert not is_new_or_old(data, old, pairs)
