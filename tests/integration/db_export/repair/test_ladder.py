"""The whole ladder, with the real check, for kinds of damage as they happen: which rung serves, what it keeps, what it says it lost."""

import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from plexguard.db_export.database.files import PlexData
from plexguard.db_export.database.sqlite import DiskFull
from plexguard.db_export.repair.decide import Rung
from tests.fakes.damage import KINDS, grow
from tests.fakes.libraries import make_plex
from tests.integration.db_export.repair.damaged import climb, common, count, invented, plain, read_rows

# By what each is mended; those that are not here lose rows, or are not damaged at all.
SERVES = {
    "zeroed-table-interior": Rung.SALVAGE,
    "zeroed-index-leaf": Rung.SALVAGE,
    "zeroed-icu-index-interior": Rung.SALVAGE,
    "swapped-table-leaf": Rung.SALVAGE,
    "swapped-index-leaf": Rung.REINDEX,
    "half-written-search-words": Rung.FULL_TEXT,
    "row-ids-out-of-order": Rung.SALVAGE,
    "more-cells-than-there-are": Rung.SALVAGE,
    "flipped-bit-in-an-index-key": Rung.REINDEX,
    "flipped-bit-in-an-icu-index-key": Rung.REINDEX,
    "pointer-to-another-tree": Rung.SALVAGE,
    "index-tree-within-a-table": Rung.SALVAGE,
    "freelist-in-a-loop": Rung.RELOAD,
    "freelist-lost": Rung.RELOAD,
    "header-zeroed": Rung.SALVAGE,
    "first-page-zeroed": Rung.SALVAGE,
    "wrong-page-size": Rung.SALVAGE,
    "wrong-encoding": Rung.SALVAGE,
    "schema-row-without-sense": Rung.SALVAGE,
    "schema-name-that-is-no-text": Rung.SALVAGE,
    "schema-row-lost": Rung.SALVAGE,
    "wrong-root-page": Rung.SALVAGE,
    "two-indexes-exchanged": Rung.REINDEX,
    "search-table-lost": Rung.SALVAGE,
    "sequence-behind-its-table": Rung.REINDEX,
    "wal-of-the-time-before": Rung.WITHOUT_WAL,
}
LOSES = ("zeroed-table-leaf", "half-written-table-leaf", "cell-outside-page", "stale-page", "overflow-chain-broken", "cut-in-half")


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> PlexData:
    data = make_plex(tmp_path_factory.mktemp("ladder") / "Plex Media Server", films=60, episodes=30, tracks=36)
    grow(data.library)
    return data


@pytest.fixture(scope="module")
def true_rows(library):
    return plain(read_rows(library.library))


def damaged(library: PlexData, folder: Path, kind: str) -> PlexData:
    data = PlexData(folder=Path(shutil.copytree(library.folder, folder / "Plex Media Server")))
    KINDS[kind](data.library)
    return data


@pytest.mark.parametrize("kind", SERVES)
def test_what_can_be_mended_without_loss_is(kind, library, true_rows, tmp_path):
    done = climb(damaged(library, tmp_path, kind), forced=False)
    assert done.taken is not None, done.tried
    assert done.taken.rung is SERVES[kind]
    assert done.taken.lost == 0
    assert plain(read_rows(done.taken.file)) == true_rows


@pytest.mark.parametrize("kind", LOSES)
def test_no_row_is_invented_fewer_are_lost_than_by_a_dump_and_no_loss_is_kept_quiet(kind, library, true_rows, tmp_path):
    data = damaged(library, tmp_path, kind)
    dumped = common(plain(read_rows(data.library)), true_rows)
    done = climb(data)
    kept = plain(read_rows(done.taken.file))
    assert invented(kept, true_rows) == {}
    assert common(kept, true_rows) >= dumped
    assert done.taken.lost >= count(true_rows) - common(kept, true_rows) > 0


def test_too_much_is_not_taken_unless_forced(library, tmp_path):
    done = climb(damaged(library, tmp_path, "zeroed-table-leaf"), forced=False)
    assert done.taken is None
    assert done.best is not None
    assert [loss.table for loss in done.best.losses] == ["metadata_items"]


def test_rows_that_most_indexes_deny_are_not_made_right_by_new_indexes(library, true_rows, tmp_path):
    data = damaged(library, tmp_path, "swapped-table-leaf")
    done = climb(data)
    assert Rung.REINDEX not in [tried.rung for tried in done.tried]
    assert plain(read_rows(done.taken.file)) == true_rows


def test_of_nothing_nothing_is_made(library, tmp_path):
    done = climb(damaged(library, tmp_path, "empty-file"))
    assert done.taken is None
    assert all(tried.failed for tried in done.tried)


def test_a_sound_library_is_left_alone(library, tmp_path):
    data = PlexData(folder=Path(shutil.copytree(library.folder, tmp_path / "Plex Media Server")))
    before = data.library.read_bytes()
    assert climb(data).is_sound
    assert data.library.read_bytes() == before


def test_titles_that_the_search_has_lost_are_entered_again_from_the_library(library, tmp_path):
    done = climb(damaged(library, tmp_path, "zeroed-search-documents"))
    name = "fts4_metadata_titles_icu"
    assert read_rows(done.taken.file)[f"{name}_content"] == read_rows(library.library)[f"{name}_content"]
    # What it makes of them only Plex's own SQLite can tell.
    assert any(f"{name} " in sql.replace('"', "") and "rebuild" in sql for sql in done.taken.to_do)
    assert read_rows(done.taken.file)[f"{name}_segdir"] == set()


def script(folder: Path, *lines: str) -> str:
    """Make a sqlite3 that can recover, and finds these lines."""
    (folder / "lines").write_text("\n".join((*lines, "COMMIT;\n")))
    program = folder / "sqlite3"
    program.write_text(f"""#!/bin/sh\ncase "$*" in *probe*) echo "'plexguard'" ;; *) cat '{folder}/lines' ;; esac\n""")
    program.chmod(0o755)
    return str(program)


def printed(path: Path, table: str) -> list[str]:
    """Return the rows of a table as the program prints them."""
    with closing(sqlite3.connect(path)) as connection:
        columns = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
        quoted = ", ".join(f'quote("{column}")' for column in columns)
        rows = connection.execute(f"SELECT {quoted} FROM {table} ORDER BY id").fetchall()
    names = ", ".join(f"'{column}'" for column in columns)
    return [f"INSERT OR IGNORE INTO '{table}'({names}) VALUES ({', '.join(row)});" for row in rows]


def test_rows_that_only_the_sqlite3_program_finds_are_taken_when_the_indexes_know_them(library, true_rows, tmp_path):
    data = damaged(library, tmp_path, "zeroed-table-leaf")
    found = printed(library.library, "metadata_items")
    # One that was deleted long ago, and one with a value of something else.
    wrong = [found[0].replace("VALUES (1,", "VALUES (99999,"), *(line.replace("plex://", "flex://") for line in found)]
    aside = "INSERT INTO plexguard_aside VALUES(85, 85, 53, 1, NULL);"
    done = climb(data, forced=False, command=script(tmp_path, *wrong, *found, aside))
    assert [tried.rung for tried in done.tried] == [Rung.SALVAGE, Rung.RECOVER]
    assert done.taken is done.tried[1]
    assert (done.taken.lost, done.taken.aside) == (0, 1)
    assert plain(read_rows(done.taken.file)) == true_rows


@pytest.mark.parametrize(("end", "why"), [("", "finds no row that salvage has not"), ("exit 3", "ended with code 3")])
def test_what_it_does_not_find_leaves_the_salvage_as_the_best(end, why, library, tmp_path):
    program = Path(script(tmp_path))
    program.write_text(program.read_text().replace("*) cat", f"*) {end or 'true'}; cat"))
    done = climb(damaged(library, tmp_path, "zeroed-table-leaf"), command=str(program))
    assert [tried.rung for tried in done.tried[:2]] == [Rung.SALVAGE, Rung.RECOVER]
    assert why in done.tried[1].failed
    assert done.taken is done.tried[0]


class FillsTheDisk:
    """A program whose rows find no room any more."""

    def find_obstacle(self) -> str:
        return ""

    def recover(self, *_):
        yield from ()
        raise DiskFull("Failed to write: No space left on device")


def test_disk_that_is_full_with_two_of_them_leaves_the_first(library, tmp_path):
    data = damaged(library, tmp_path, "zeroed-table-leaf")
    done = climb(data, program=FillsTheDisk())
    assert "No space left" in done.tried[1].failed
    assert done.taken is done.tried[0]
    assert done.taken.file.exists()
    assert [path.name for path in (data.databases / "work").iterdir() if "recover" in path.name] == []


def test_a_sqlite3_that_cannot_recover_is_said_to(library, tmp_path):
    if not sqlite3_cannot():
        pytest.skip("the sqlite3 of this machine can")
    done = climb(damaged(library, tmp_path, "zeroed-table-leaf"))
    assert "sqlite3 of this machine can't" in done.tried[1].failed


def sqlite3_cannot() -> bool:
    """Tell whether there is one that stops with an error, as Debian 12's does."""
    path = shutil.which("sqlite3")
    return path is not None and subprocess.run([path, ":memory:", ".recover"], capture_output=True, check=False).returncode != 0
