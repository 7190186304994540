"""The whole ladder, with the real check, for kinds of damage as they happen: which rung serves, what it keeps, what it says it lost."""

import shutil
from pathlib import Path

import pytest

from plexguard.db_export.check.observe import look_at_files
from plexguard.db_export.check.run import check_copy
from plexguard.db_export.database.files import PlexData
from plexguard.db_export.repair.decide import Rung
from plexguard.db_export.repair.ladder import Climb, Ladder
from plexguard.db_export.repair.mend import PlexSqlite
from tests.fakes.damage import KINDS, grow
from tests.fakes.libraries import make_plex
from tests.fakes.ports import FakeHost
from tests.integration.db_export.repair.damaged import common, count, invented, read_rows

# What is made again from others.
DERIVED = ("fts4_", "spellfix_")
# By what each is mended; those that are not here lose rows, or are not damaged at all.
SERVES = {
    "zeroed-table-interior": Rung.SALVAGE,
    "zeroed-index-leaf": Rung.SALVAGE,
    "zeroed-icu-index-interior": Rung.SALVAGE,
    "swapped-table-leaf": Rung.SALVAGE,
    "swapped-index-leaf": Rung.REINDEX,
    "half-written-search-words": Rung.FULL_TEXT,
    "row-ids-out-of-order": Rung.SALVAGE,
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


def plain(rows):
    return {table: found for table, found in rows.items() if not table.startswith(DERIVED)}


def climb(data: PlexData, *, forced: bool = True) -> Climb:
    work = data.databases / "work"
    work.mkdir()
    plex = PlexSqlite(host=FakeHost(), command=Path("/nowhere/Plex SQLite"))
    ladder = Ladder(work=work, check=check_copy, look_beside=look_at_files, plex=plex, forced=forced)
    return ladder.climb(data.library, like=data.blobs)


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
