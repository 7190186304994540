"""Swaps of real files: cut off before every single change, on a full disk, and taken back."""

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plexguard.core.errors import DataError, MissingInput, PlexguardError, SystemRefused, TryAgain
from plexguard.core.journal import StderrJournal
from plexguard.core.program import run
from plexguard.core.records import decode
from plexguard.db_export.__main__ import cli
from plexguard.db_export.database.copy import snapshot
from plexguard.db_export.database.files import BLOBS, LIBRARY, PlexData
from plexguard.db_export.database.sqlite import reading
from plexguard.db_export.swap.carry import Carrier
from plexguard.db_export.swap.generations import list_generations
from plexguard.db_export.swap.journal import JOURNAL
from plexguard.db_export.swap.noted import list_noted, note_swap
from plexguard.db_export.swap.plan import Swap, is_over, plan_back, plan_forward
from plexguard.db_export.swap.replace import Finished, hold, replace, undo
from plexguard.db_export.swap.users import PlexRuns
from tests.fakes.cut_off import list_tree, run_and_kill, run_with_full_disk
from tests.fakes.libraries import make_plex
from tests.fakes.ports import FakeClock

OLD = {
    LIBRARY: "old library",
    f"{LIBRARY}-wal": "old wal",
    f"{LIBRARY}-shm": "old shm",
    BLOBS: "old blobs",
    f"{BLOBS}-wal": "old wal of blobs",
}
NEW = {LIBRARY: "new library", BLOBS: "new blobs"}
MOST = 200


def unused(_paths: tuple[Path, ...]) -> None:
    """Nobody uses anything."""


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in memory, where a sync waits for no disk; the state lies in another one."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as made, tempfile.TemporaryDirectory(dir="/dev/shm") as state:
        monkeypatch.setenv("STATE_DIRECTORY", f"{state}/db-export")
        yield Path(made)


def noted() -> list[Path]:
    return [data.folder for data in list_noted(StderrJournal())]


def make_folder(folder: Path) -> PlexData:
    """Make a data folder in which each file says whether it is old."""
    data = PlexData(folder=folder)
    data.databases.mkdir(parents=True)
    for name, text in OLD.items():
        (data.databases / name).write_text(text)
    data.preferences.write_text("old preferences")
    (data.folder / "Metadata" / "Movies").mkdir(parents=True)
    (data.folder / "Metadata" / "Movies" / "poster").write_text("old poster")
    make_new(data.databases / "work")
    return data


def make_new(work: Path) -> None:
    (work / "Metadata").mkdir(parents=True)
    for name, text in NEW.items():
        (work / name).write_text(text)
    (work / "Preferences.xml").write_text("new preferences")
    (work / "Metadata" / "poster").write_text("new poster")


def swap(data: PlexData) -> None:
    work = data.databases / "work"
    others = {name: work / name for name in ("Preferences.xml", "Metadata")}
    new = {name: work / name for name in NEW}
    replace(data, new, reason="restore", keep=3, clock=FakeClock(), others=others, look=unused)


def swap_within_hold(data: PlexData) -> None:
    with hold(data, look=unused):
        swap(data)


def undo_within_hold(data: PlexData) -> None:
    with hold(data, look=unused):
        undo(data, None, keep=3, clock=FakeClock(), look=unused)


def finish(data: PlexData) -> Finished | None:
    with hold(data, look=unused) as finished:
        return finished


def state_of(data: PlexData) -> str:
    """Say what Plex would find: "old" or "new" with all that belongs to it, or "closed"; a mixture fails."""
    assert data.preferences.exists(), "Plex would begin with a new identity"
    assert os.path.lexists(data.library), "Plex would begin with an empty library"
    if data.library.is_symlink():
        with pytest.raises(sqlite3.OperationalError, match="unable to open"):
            sqlite3.connect(data.library).execute("SELECT 1 FROM sqlite_master")
        return "closed"
    files = {path.name: path.read_text() for path in data.databases.iterdir() if path.name.startswith("com.plexapp")}
    state = "old" if data.library.read_text() == OLD[LIBRARY] else "new"
    files.pop(f"{LIBRARY}-shm", None)  # made anew by whoever opens the database
    wanted = OLD if state == "old" else NEW
    assert files == {name: text for name, text in wanted.items() if not name.endswith("-shm")}
    assert data.preferences.read_text() == f"{state} preferences"
    posters = {"old": {"Movies/poster": "old poster"}, "new": {"poster": "new poster"}}
    assert list_tree(data.folder / "Metadata") == posters[state]
    return state


def assert_tidy(data: PlexData) -> None:
    """Nothing is left but generations that are whole."""
    shutil.rmtree(data.databases / "work", ignore_errors=True)
    undos = data.databases / "plexguard-undo"
    names = {path.name for path in data.databases.iterdir() if not path.name.startswith("com.plexapp")}
    assert names == {"plexguard-undo"}
    assert {path.name for path in undos.iterdir()} == {"lock", *(g.folder.name for g in list_generations(data))}


def test_swap_puts_all_in_place_and_keeps_what_was_there(folder: Path) -> None:
    data = make_folder(folder)

    swap_within_hold(data)

    assert state_of(data) == "new"
    (generation,) = list_generations(data)
    kept = {path.name: path.read_text() for path in generation.folder.iterdir() if path.is_file()}
    assert kept.pop("generation.json")
    assert kept == {**OLD, "Preferences.xml": "old preferences"}
    assert (generation.folder / "Metadata" / "Movies" / "poster").read_text() == "old poster"
    assert_tidy(data)


def test_undo_of_undo_is_what_was_swapped_in(folder: Path) -> None:
    data = make_folder(folder)
    swap_within_hold(data)

    undo_within_hold(data)
    assert state_of(data) == "old"
    undo_within_hold(data)

    assert state_of(data) == "new"
    assert [generation.reason for generation in list_generations(data)] == ["undo"]
    assert_tidy(data)


@pytest.mark.parametrize("what", [swap_within_hold, undo_within_hold], ids=["swap", "undo"])
def test_swap_killed_before_any_change_is_old_or_closed_or_new_and_the_next_run_ends_it(
    folder: Path, what: Callable[[PlexData], None]
) -> None:
    seen = set()
    for number in range(1, MOST):
        data = make_folder(folder / str(number))
        if what is undo_within_hold:
            swap_within_hold(data)
        ended = run_and_kill(lambda data=data: what(data), before=number)
        seen.add(state_of(data))
        assert state_of(data) != "closed" or noted() == [data.folder]

        finish(data)

        assert state_of(data) in ("old", "new")
        assert noted() == []
        assert finish(data) is None
        assert_tidy(data)
        if what is undo_within_hold:
            # Whichever it is, the other one is not lost.
            before = state_of(data)
            undo_within_hold(data)
            assert {before, state_of(data)} == {"old", "new"}
        shutil.rmtree(data.folder)
        if ended:
            break
    assert seen == {"old", "closed", "new"}
    assert 30 < number < MOST - 1


def test_clean_up_that_is_killed_itself_goes_on_where_it_was(folder: Path) -> None:
    ends = set()
    for number in range(12, 60, 3):
        for second in range(1, 40, 4):
            data = make_folder(folder / f"{number}-{second}")
            run_and_kill(lambda data=data: swap_within_hold(data), before=number)
            ended = run_and_kill(lambda data=data: finish(data), before=second)
            state_of(data)

            finish(data)

            ends.add(state_of(data))
            assert_tidy(data)
            shutil.rmtree(data.folder)
            if ended:
                break
    assert ends == {"old", "new"}


@pytest.mark.parametrize("what", [swap_within_hold, undo_within_hold], ids=["swap", "undo"])
def test_swap_on_a_full_disk_is_old_or_new_at_once_or_after_the_next_run(folder: Path, what: Callable[[PlexData], None]) -> None:
    states = set()
    for number in range(1, MOST):
        data = make_folder(folder / str(number))
        if what is undo_within_hold:
            swap_within_hold(data)
        ended = run_with_full_disk(lambda data=data: what(data), after=number, expected=PlexguardError)
        states.add(state_of(data))

        finish(data)

        assert state_of(data) in ("old", "new")
        assert_tidy(data)
        shutil.rmtree(data.folder)
        if ended:
            break
    assert {"old", "new"} <= states


@pytest.mark.parametrize(("what", "step"), [(swap_within_hold, 1), (undo_within_hold, 2)], ids=["swap", "undo"])
def test_all_goes_back_from_wherever_it_stands_without_a_moment_of_mixture(
    folder: Path, what: Callable[[PlexData], None], step: int
) -> None:
    """A swap that is cut off anywhere, and then is taken back, cut off anywhere too, and then completed or taken back again."""
    made = make_folder(folder / "made")
    for number in range(1, MOST):
        data = make_folder(folder / str(number))
        if what is undo_within_hold:
            swap_within_hold(data)
        run_and_kill(lambda data=data: what(data), before=number)
        if (data.databases / JOURNAL).exists():
            break
    for done in range(MOST):
        for back in range(0, MOST, step):
            shutil.rmtree(made.folder)
            shutil.copytree(data.folder, made.folder, symlinks=True)
            carrier = Carrier(made, swap_of(made), look=unused)
            forward = plan_forward(swap_of(made), carrier.see())
            carrier.carry_out(forward[:done])
            if is_over(swap_of(made), carrier.see()):
                assert done > 12
                return
            steps = plan_back(swap_of(made), carrier.see())
            for one in steps[:back]:
                carrier.carry(one)
                state_of(made)
            finish(made)
            assert state_of(made) in ("old", "new")
            assert_tidy(made)
            if back >= len(steps):
                break
    raise AssertionError("the swap never came to its end")


def swap_of(data: PlexData) -> Swap:
    found = json.loads((data.databases / JOURNAL).read_bytes())
    return decode(Swap, {name: value for name, value in found.items() if name != "schema"})


def test_plex_that_came_in_between_is_seen_and_all_goes_back(folder: Path) -> None:
    data = make_folder(folder)
    looks = 0

    def look(_paths: tuple[Path, ...]) -> None:
        nonlocal looks
        looks += 1
        if looks > 1:
            assert data.library.is_symlink()
            raise PlexRuns("Plex has it open")

    with pytest.raises(PlexRuns), hold(data, look=unused):
        new = folder / "new.db"
        new.write_text("new library")
        replace(data, {LIBRARY: new}, reason="repair", keep=3, clock=FakeClock(), look=look)

    assert state_of(data) == "old"
    assert_tidy(data)


def test_unfinished_swap_is_left_alone_while_somebody_uses_a_file(folder: Path) -> None:
    def look(_paths: tuple[Path, ...]) -> None:
        raise PlexRuns("Plex runs")

    for number in range(1, MOST):
        data = make_folder(folder / str(number))
        run_and_kill(lambda data=data: swap_within_hold(data), before=number)
        if data.library.is_symlink():
            break
    with pytest.raises(PlexRuns), hold(data, look=look):
        pass
    with pytest.raises(MissingInput) as missing, reading(data.library):
        pass
    assert "undo --finish" in missing.value.hint

    assert state_of(data) == "closed"
    assert data.folder in noted()
    assert (data.databases / JOURNAL).exists()
    finished = finish(data)
    assert finished is not None
    assert finished.is_complete
    assert state_of(data) == "new"


def test_finish_ends_every_swap_that_is_noted_and_tells_which_it_could_not(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(1, MOST):
        data = make_folder(folder / str(number))
        run_and_kill(lambda data=data: swap_within_hold(data), before=number)
        if data.library.is_symlink():
            break
        finish(data)
    gone = PlexData(folder=folder / "gone")
    note_swap(gone)

    code = run("db-export", cli, ["finish", "--format", "json"])

    out, err = capsys.readouterr()
    ends = {found["folder"]: found["outcome"] for found in json.loads(out)["folders"]}
    assert (code, ends) == (1, {str(data.folder): "the restore was completed", str(gone.folder): None})
    assert "could not be ended" in err and "no such folder" in err
    assert state_of(data) == "new"
    # What could not be ended is tried again at the next boot.
    assert noted() == [gone.folder]


def test_finish_leaves_alone_who_is_at_work(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = make_folder(folder / "data")
    note_swap(data)
    with hold(data, look=unused):
        # hold() forgets what a run before it has left.
        note_swap(data)

        assert run("db-export", cli, ["finish"]) == 0

    assert "another run is at work there" in capsys.readouterr().out
    assert noted() == [data.folder]


def test_note_is_only_made_where_a_boot_looks_for_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_folder(folder / "data")
    monkeypatch.setenv("STATE_DIRECTORY", str(folder / "no plexguard" / "db-export"))

    swap_within_hold(data)

    assert not (folder / "no plexguard").exists()


def test_generations_are_kept_up_to_their_number_and_undo_takes_the_one_that_is_named(folder: Path) -> None:
    data = make_folder(folder)
    with hold(data, look=unused):
        for number in range(5):
            new = folder / "new.db"
            new.write_text(f"library {number}")
            replace(data, {LIBRARY: new}, reason="remap", keep=3, clock=FakeClock(), look=unused)
        assert [generation.number for generation in list_generations(data)] == [3, 4, 5]

        undo(data, 4, keep=3, clock=FakeClock(), look=unused)

        assert data.library.read_text() == "library 2"
        assert [generation.number for generation in list_generations(data)] == [3, 5, 6]
        with pytest.raises(MissingInput, match="no generation 4"):
            undo(data, 4, keep=3, clock=FakeClock(), look=unused)


def test_owner_mode_and_attributes_are_those_of_what_was_there(tmp_path: Path) -> None:
    data = make_folder(tmp_path)
    data.library.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(data.library, 1234, 5678)
    os.setxattr(data.library, "user.note", b"kept")
    new = tmp_path / "new.db"
    new.write_text("new library")

    with hold(data, look=unused):
        replace(data, {LIBRARY: new}, reason="repair", keep=3, clock=FakeClock(), look=unused)

    status = data.library.stat()
    assert stat.S_IMODE(status.st_mode) == 0o640
    assert os.getxattr(data.library, "user.note") == b"kept"
    if os.geteuid() == 0:
        assert (status.st_uid, status.st_gid) == (1234, 5678)


def test_two_runs_never_write_at_once(folder: Path) -> None:
    data = make_folder(folder)
    with hold(data, look=unused), pytest.raises(TryAgain, match="another run"), hold(data, look=unused):
        pass


def test_library_that_is_a_link_is_refused(folder: Path) -> None:
    data = make_folder(folder)
    data.library.rename(folder / "elsewhere.db")
    data.library.symlink_to(folder / "elsewhere.db")
    new = folder / "new.db"
    new.write_text("new library")

    with hold(data, look=unused), pytest.raises(SystemRefused, match="symbolic link"):
        replace(data, {LIBRARY: new}, reason="repair", keep=3, clock=FakeClock(), look=unused)


def test_art_that_lies_elsewhere_behind_a_link_stays_there_and_comes_back(folder: Path) -> None:
    data = make_folder(folder / "plex")
    (data.folder / "Metadata").rename(folder / "elsewhere")
    (data.folder / "Metadata").symlink_to(folder / "elsewhere")

    swap_within_hold(data)
    assert list_tree(data.folder / "Metadata") == {"poster": "new poster"}
    assert list_tree(folder / "elsewhere") == {"Movies/poster": "old poster"}
    undo_within_hold(data)

    assert (data.folder / "Metadata").readlink() == folder / "elsewhere"
    assert list_tree(folder / "elsewhere") == {"Movies/poster": "old poster"}


def test_database_that_was_not_there_is_gone_again_after_undo(folder: Path) -> None:
    data = make_folder(folder)
    for name in (BLOBS, f"{BLOBS}-wal"):
        (data.databases / name).unlink()
    swap_within_hold(data)
    assert data.blobs.read_text() == "new blobs"

    undo_within_hold(data)

    assert not os.path.lexists(data.blobs)
    assert data.library.read_text() == "old library"


@pytest.mark.parametrize(
    "change",
    [
        {"generation": "../../etc"},
        {"staging": "/etc"},
        {"pieces": []},
        {"place": "../../etc/shadow"},
        {"place": "/etc/shadow"},
        {"kept": "/etc/shadow"},
        {"staged": "Plug-in Support/Databases/plexguard-undo/../../../../etc/shadow"},
        {"schema": 2},
    ],
    ids=lambda change: next(iter(change)),
)
def test_note_of_a_swap_that_names_other_files_is_not_believed(folder: Path, change: dict[str, object]) -> None:
    for number in range(1, MOST):
        data = make_folder(folder / str(number))
        run_and_kill(lambda data=data: swap_within_hold(data), before=number)
        if data.library.is_symlink():
            break
    note = json.loads((data.databases / JOURNAL).read_bytes())
    if set(change) & {"place", "kept", "staged"}:
        note["pieces"][0].update(change)
    else:
        note.update(change)
    (data.databases / JOURNAL).write_text(json.dumps(note))
    before = list_tree(data.folder)

    with pytest.raises(DataError), hold(data, look=unused):
        pass

    assert list_tree(data.folder) == before


def test_generation_that_names_other_files_is_not_put_back(folder: Path) -> None:
    data = make_folder(folder)
    swap_within_hold(data)
    (generation,) = list_generations(data)
    record = json.loads((generation.folder / "generation.json").read_bytes())
    record["places"].append("../outside")
    (generation.folder / "generation.json").write_text(json.dumps(record))

    with hold(data, look=unused), pytest.raises(SystemRefused, match="outside"):
        undo(data, None, keep=3, clock=FakeClock(), look=unused)

    assert state_of(data) == "new"


_WRITER = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA wal_autocheckpoint=0")
connection.execute("UPDATE media_parts SET size = 77")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_rows_of_a_wal_that_was_left_over_stay_gone_and_undo_brings_them_back(tmp_path: Path) -> None:
    data = make_plex(tmp_path / "plex")
    copy = tmp_path / "copy.db"
    snapshot(data.library, copy)
    subprocess.run([sys.executable, "-c", _WRITER, str(data.library)], check=False, timeout=30)
    assert Path(f"{data.library}-wal").stat().st_size > 1000

    with hold(data):
        replace(data, {LIBRARY: copy}, reason="repair", keep=3, clock=FakeClock())

    with reading(data.library) as connection:
        assert 77 not in {size for (size,) in connection.execute("SELECT size FROM media_parts")}
    with hold(data):
        undo(data, None, keep=3, clock=FakeClock())
    with reading(data.library) as connection:
        assert {size for (size,) in connection.execute("SELECT size FROM media_parts")} == {77}
