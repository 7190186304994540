"""Mappings are suggested for what moved, and for nothing else: the three series of the report, and what is like them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from plexguard.core.program import run as run_program
from plexguard.db_export.__main__ import cli
from plexguard.db_export.commands import suggest
from plexguard.db_export.commands.which import Which
from plexguard.db_export.database.files import PlexData
from plexguard.db_export.database.sqlite import reading
from plexguard.db_export.paths.proposal import Proposal, encode_file
from plexguard.db_export.remap.decide import Mover
from plexguard.db_export.remap.mappings import parse_mappings
from tests.integration.db_export.paths.shelves import make_files, make_library

MB = 1 << 20
LIVRES = ("Livre I", "Livre II", "Livre III", "Livre IV", "Livre V", "Livre VI")
INTEGRALE = "Kaamelott Integrale (Livres I a VI + Bonus)"
Files = dict[str, int]


def sized(names: list[str], first: int = 0) -> Files:
    return {name: 50 * MB + (first + n) * 1_013 for n, name in enumerate(names)}


def kaamelott() -> tuple[Files, Files]:
    """416 files: as the database has them, and as they are."""
    old, new = [], []
    for book, livre in enumerate(LIVRES, 1):
        for part in range(1, 71 if book < 6 else 67):
            name = f"Kaamelott_S{book:02}E{part:02}_L'Épée_{part}.avi"
            old.append(f"{INTEGRALE}/{livre}/{name}")
            new.append(f"Kaamelott/Season {book}/{name}")
    return sized(old), sized(new)


def hart() -> tuple[Files, Files]:
    """218 files."""
    names = [(season, part) for season in range(1, 6) for part in range(1, 45)][:218]
    old = [f"Hart to Hart/hart-to-hart-s{s:02}/hart.to.hart.s{s:02}e{p:02}.mkv" for s, p in names]
    new = [f"Hart to Hart/Season {s}/hart.to.hart.s{s:02}e{p:02}.mkv" for s, p in names]
    return sized(old, 1_000), sized(new, 1_000)


def columbo() -> tuple[Files, Files]:
    """69 files, flat."""
    names = [(season, part) for season in range(10) for part in range(1, 8)][:69]
    old = [f"Columbo/Columbo.S{s:02}E{p:02}.DVDRip.avi" for s, p in names]
    new = [f"Columbo/Season {s:02}/Columbo.S{s:02}E{p:02}.DVDRip.avi" for s, p in names]
    return sized(old, 2_000), sized(new, 2_000)


STAYING = {
    "Kaamelott/Season 0/Bonus.avi": 9 * MB,
    "Black Books/Season 1/Black.Books.S01E01.mkv": 50 * MB,
    "Black Books/Season 1/Black.Books.S01E02.mkv": 51 * MB,
}


def propose(data: PlexData, *search: Path) -> Proposal:
    return suggest.run(Which(library=data.library, data=data), search)


def targets_of(data: PlexData, proposal: Proposal) -> dict[str, str]:
    """Return what becomes of every path of the database, by the file as remap reads it."""
    mappings = parse_mappings(encode_file(proposal), "m.json") if proposal.suggestions else {}
    mover = Mover(mappings)
    with reading(data.library) as connection:
        paths = [path for (path,) in connection.execute("SELECT DISTINCT file FROM media_parts")]
    return {path: moved[0] if (moved := mover.move(path)) else path for path in paths}


def check_all_found(tmp_path: Path, old: Files, new: Files) -> Proposal:
    """Each file that moved is suggested at its new place, and no other moves."""
    root = tmp_path / "TV"
    make_files(root, {**new, **STAYING})
    data = make_library(tmp_path, {"TV Shows": (str(root), {**old, **STAYING})})
    proposal = propose(data)
    targets = targets_of(data, proposal)
    expected = dict(zip(old, new, strict=True)) | {path: path for path in STAYING}
    assert targets == {f"{root}/{a}": f"{root}/{b}" for a, b in expected.items()}
    assert (proposal.missing, proposal.unmatched, proposal.faults) == (len(old), (), ())
    return proposal


@pytest.mark.parametrize("moved", [kaamelott, hart, columbo])
def test_the_series_of_the_report_come_out_right(tmp_path, moved: Callable[[], tuple[Files, Files]]):
    proposal = check_all_found(tmp_path, *moved())
    assert all(one.confidence > 0.9 for one in proposal.suggestions)


def test_a_folder_that_was_renamed_is_one_mapping(tmp_path):
    proposal = check_all_found(tmp_path, *kaamelott())
    root = tmp_path / "TV"
    assert {(one.old, one.new, one.files) for one in proposal.suggestions} == {
        (f"{root}/{INTEGRALE}/{livre}", f"{root}/Kaamelott/Season {n}", 70 if n < 6 else 66) for n, livre in enumerate(LIVRES, 1)
    }


def test_they_come_out_right_all_at_once(tmp_path):
    pairs = [kaamelott(), hart(), columbo()]
    check_all_found(
        tmp_path, {k: v for old, _ in pairs for k, v in old.items()}, {k: v for _, new in pairs for k, v in new.items()}
    )


@pytest.mark.parametrize("moved", [kaamelott, hart, columbo])
def test_they_come_out_right_where_sizes_say_nothing(tmp_path, moved: Callable[[], tuple[Files, Files]]):
    old, new = moved()
    check_all_found(tmp_path, dict.fromkeys(old, 0), new)


def test_files_that_were_renamed_too_are_found_by_size(tmp_path):
    old, new = kaamelott()
    check_all_found(
        tmp_path, old, {path.replace("Kaamelott_", "kaam - ").replace("_L'Épée", ""): size for path, size in new.items()}
    )


def test_files_that_were_made_anew_are_found_by_episode(tmp_path):
    old, new = columbo()
    proposal = check_all_found(tmp_path, old, {path.replace("DVDRip.avi", "1080p.mkv"): 3 * size for path, size in new.items()})
    assert all(one.why.keys() == {"same episode"} and 0.6 <= one.confidence < 0.9 for one in proposal.suggestions)


def test_folders_are_told_apart_by_roman_numerals_alone(tmp_path):
    # Every book has the same names, and nothing is known of sizes.
    old = [f"{INTEGRALE}/{livre}/Episode {part:02}.avi" for livre in LIVRES for part in range(1, 11)]
    new = [f"Kaamelott/Season {n}/Episode {part:02}.avi" for n in range(1, 7) for part in range(1, 11)]
    check_all_found(tmp_path, dict.fromkeys(old, 0), sized(new))


# -- what is not suggested --------------------------------------------------------------------------------------------


def test_two_files_never_become_one(tmp_path):
    # One of them was deleted, and nobody knows which.
    old = {"A/Season 1/x.mkv": 5 * MB, "B/Season 1/x.mkv": 5 * MB}
    root = tmp_path / "TV"
    make_files(root, {"C/x.mkv": 5 * MB})
    data = make_library(tmp_path, {"TV": (str(root), old)})
    proposal = propose(data)
    assert proposal.suggestions == () and len(proposal.unmatched) == 2


def test_a_file_that_the_database_knows_is_nobody_elses(tmp_path):
    root = tmp_path / "TV"
    make_files(root, {"Show/Season 1/Show.S01E01.mkv": 5 * MB})
    known = {"Show/Season 1/Show.S01E01.mkv": 5 * MB, "Show old/Show.S01E01.mkv": 5 * MB}
    data = make_library(tmp_path, {"TV": (str(root), known)})
    assert propose(data).suggestions == ()


def test_another_library_is_not_looked_into(tmp_path):
    films, series = tmp_path / "Films", tmp_path / "TV"
    make_files(films, {"a.mkv": 5 * MB})
    make_files(series, {"b.mkv": 6 * MB})
    data = make_library(tmp_path, {"TV": (str(series), {"b.mkv": 6 * MB, "a.mkv": 5 * MB}), "Films": (str(films), {})})
    assert propose(data).unmatched == (f"{series}/a.mkv",)
    found = propose(data, films)
    assert [(one.old, one.new) for one in found.suggestions] == [(f"{series}/a.mkv", f"{films}/a.mkv")]


def test_a_folder_of_a_library_that_moved_is_one_mapping_when_it_is_searched(tmp_path):
    old, new = tmp_path / "TVShows", tmp_path / "TV"
    files = sized([f"Show {n}/Season 1/Show.{n}.S01E{part:02}.mkv" for n in range(20) for part in range(1, 11)])
    make_files(new, files)
    data = make_library(tmp_path, {"TV": (str(old), {**files, "Gone/deleted.mkv": 7 * MB})})
    assert propose(data).suggestions == ()
    proposal = propose(data, new)
    assert [(one.old, one.new, one.files, one.of) for one in proposal.suggestions] == [(str(old), str(new), 200, 201)]


def test_a_folder_in_which_something_stayed_is_mapped_file_by_file(tmp_path):
    root = tmp_path / "TV"
    make_files(root, {"Show/a.mkv": 5 * MB, "New/b.mkv": 6 * MB, "New/c.mkv": 7 * MB})
    data = make_library(tmp_path, {"TV": (str(root), {"Show/a.mkv": 5 * MB, "Show/b.mkv": 6 * MB, "Show/c.mkv": 7 * MB})})
    proposal = propose(data)
    assert [(one.old, one.new) for one in proposal.suggestions] == [
        (f"{root}/Show/b.mkv", f"{root}/New/b.mkv"),
        (f"{root}/Show/c.mkv", f"{root}/New/c.mkv"),
    ]


def test_an_episode_is_not_taken_for_another_of_the_same_size(tmp_path):
    root = tmp_path / "TV"
    make_files(root, {"Show/Season 1/Show.S01E02.mkv": 5 * MB})
    data = make_library(tmp_path, {"TV": (str(root), {"Show/s1/Show.S01E01.mkv": 5 * MB})})
    assert propose(data).suggestions == ()


def test_copies_are_told_apart_by_their_folders(tmp_path):
    root = tmp_path / "Music"
    names = [f"{album}/{n:02} - Track.flac" for album in ("One", "Two") for n in range(1, 6)]
    make_files(root, {f"Band/{name}": 5 * MB for name in names})
    data = make_library(tmp_path, {"Music": (str(root), {f"The Band/{name}": 5 * MB for name in names})})
    proposal = propose(data)
    assert [(one.old, one.new, one.files) for one in proposal.suggestions] == [(f"{root}/The Band", f"{root}/Band", 10)]


# -- the command ------------------------------------------------------------------------------------------------------


def test_the_file_is_one_that_remap_takes_and_people_can_look_through(tmp_path, capsys):
    root, target = tmp_path / "TV", tmp_path / "m.json"
    make_files(root, {"Neu/é.mkv": 5 * MB, "Neu/b.mkv": 6 * MB})
    data = make_library(tmp_path, {"TV": (str(root), {"Alt/é.mkv": 5 * MB, "Alt/b.mkv": 6 * MB, "Alt/gone.mkv": 7 * MB})})
    argv = ["suggest", "--output", str(target), str(data.library)]

    assert run_program("db-export", cli, argv) == 0

    written = json.loads(target.read_text())
    assert written["mappings"] == {f"{root}/Alt": f"{root}/Neu"}
    assert written["_suggested"][f"{root}/Alt"]["files"] == 2 and written["_suggested"][f"{root}/Alt"]["of"] == 3
    assert parse_mappings(target.read_bytes(), "m.json") == {f"{root}/Alt": f"{root}/Neu"}
    assert "2 of 3" in capsys.readouterr().out
    # What somebody may have worked on is not written over.
    assert run_program("db-export", cli, argv) == 64


def test_where_nothing_is_missing_no_file_is_made(tmp_path, capsys):
    root = tmp_path / "TV"
    make_files(root, {"a.mkv": 5 * MB})
    data = make_library(tmp_path, {"TV": (str(root), {"a.mkv": 5 * MB})})
    assert run_program("db-export", cli, ["suggest", "--output", str(tmp_path / "m.json"), str(data.library)]) == 0
    assert not (tmp_path / "m.json").exists()
    assert "0 files are missing" in capsys.readouterr().out
