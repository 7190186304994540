"""A storage's own word stands for a look at its files: rclone's listing of folders that are really there."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plexguard.core.program import run as run_program
from plexguard.db_export.__main__ import cli
from plexguard.db_export.database.files import PlexData
from plexguard.db_export.database.sqlite import reading
from plexguard.db_export.remap.decide import Mover
from plexguard.db_export.remap.mappings import parse_mappings
from tests.integration.db_export.archives import make_archive
from tests.integration.db_export.paths.shelves import make_files, make_library
from tests.integration.db_export.paths.test_suggest import STAYING, columbo, hart, kaamelott

BELOW = "/Media"
MB = 1 << 20
Files = dict[str, int]


def list_bucket(bucket: Path, target: Path) -> Path:
    """Have rclone list a folder as it lists any storage."""
    with target.open("wb") as file:
        subprocess.run(["rclone", "lsjson", "--recursive", str(bucket)], stdout=file, check=True, timeout=60)
    return target


def paths_of(data: PlexData) -> list[str]:
    with reading(data.library) as connection:
        return [path for (path,) in connection.execute("SELECT DISTINCT file FROM media_parts")]


def look(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, list[dict[str, Any]]]:
    code = run_program("db-export", cli, ["paths", "--format", "json", *argv])
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["places"]
    return code, found


@pytest.mark.parametrize("moved", [kaamelott, hart, columbo])
def test_what_moved_in_a_storage_is_found_from_an_archive_and_its_listing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], moved: Callable[[], tuple[Files, Files]]
) -> None:
    old, new = moved()
    make_files(tmp_path / "bucket" / "TV", {**new, **STAYING})
    data = make_library(tmp_path, {"TV Shows": (f"{BELOW}/TV", {**old, **STAYING})})
    archive = str(make_archive(data, tmp_path / "archives").path)
    listed = ["--listing", str(list_bucket(tmp_path / "bucket", tmp_path / "listing.json"))]
    target = tmp_path / "m.json"

    code, (before,) = look(capsys, *listed, archive)
    assert (code, before["files"], before["missing"], before["fault"]) == (1, len(old) + len(STAYING), len(old), None)
    assert run_program("db-export", cli, ["suggest", "--output", str(target), *listed, archive]) == 0
    capsys.readouterr()
    # Where they would have the files, all of them are.
    code, (after,) = look(capsys, *listed, "--mappings", str(target), archive)
    assert (code, after["missing"], after["checked"]) == (0, 0, before["files"])

    mover = Mover(parse_mappings(target.read_bytes(), "m.json"))
    expected = dict(zip(old, new, strict=True)) | {path: path for path in STAYING}
    targets = {path: moved[0] if (moved := mover.move(path)) else path for path in paths_of(data)}
    assert targets == {f"{BELOW}/TV/{a}": f"{BELOW}/TV/{b}" for a, b in expected.items()}


def test_names_are_compared_byte_by_byte_as_rclone_shows_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = {"It's 100%.mkv": 1, "two\nlines.mkv": 2, "e\u0301 decomposed.mkv": 3, "\u00e9 composed.mkv": 4, "😀.mkv": 5}
    other = {"it's 100%.mkv": 1, "\u00e9 decomposed.mkv": 3, "e\u0301 composed.mkv": 4}
    make_files(tmp_path / "bucket" / "Films", there)
    # What no name may hold on some systems it shows as a picture, in a listing and on a mount.
    shown = {name.replace("\n", "\u240a"): size for name, size in there.items()}
    data = make_library(tmp_path, {"Films": (f"{BELOW}/Films", {**shown, **other})})
    listing = list_bucket(tmp_path / "bucket", tmp_path / "listing.json")

    _, (found,) = look(capsys, "--listing", str(listing), str(data.library))

    assert (found["checked"], found["missing"]) == (len(there) + len(other), len(other))


def test_what_lies_outside_of_the_storage_cannot_be_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_files(tmp_path / "bucket" / "Films", {"a.mkv": 1})
    libraries = {
        "Films": (f"{BELOW}/Films", {"a.mkv": 1}),
        "Here": ("/srv/films", {"b.mkv": 1}),
        "Gone": (f"{BELOW}/TV", {"c.mkv": 1}),
    }
    data = make_library(tmp_path, libraries)
    listing = list_bucket(tmp_path / "bucket", tmp_path / "listing.json")

    code, found = look(capsys, "--listing", str(listing), str(data.library))

    assert code == 1
    films, here, gone = found
    assert (films["missing"], films["untold"], films["fault"]) == (0, {}, None)
    assert (here["checked"], sum(here["untold"].values())) == (0, 1)
    assert gone["missing"] == 1 and gone["fault"] is not None


def test_the_storage_lies_where_below_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_files(tmp_path / "bucket", {"Films/a.mkv": 1})
    data = make_library(tmp_path, {"Films": ("/data/cloud/Films", {"a.mkv": 1})})
    listing = list_bucket(tmp_path / "bucket", tmp_path / "listing.json")

    code, (found,) = look(capsys, "--listing", str(listing), "--below", "/data/cloud", str(data.library))

    assert (code, found["checked"], found["missing"]) == (0, 1, 0)


def test_a_listing_that_is_not_whole_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_files(tmp_path / "bucket", {f"Films/{n}.mkv": 1 for n in range(20)})
    data = make_library(tmp_path, {"Films": (f"{BELOW}/Films", {"1.mkv": 1})})
    whole = list_bucket(tmp_path / "bucket", tmp_path / "whole.json").read_bytes()
    lines = whole.splitlines(keepends=True)
    bad = [
        b"",
        whole[: len(whole) // 2],
        b"".join(lines[:-1]),
        b"a.mkv\nb.mkv\n",
        b"[\n[1]\n]\n",
        b'[\n{"Path": 1, "Size": 2}\n]\n',
    ]
    for text in bad:
        (tmp_path / "cut.json").write_bytes(text)
        assert run_program("db-export", cli, ["paths", "--listing", str(tmp_path / "cut.json"), str(data.library)]) == 65
    assert run_program("db-export", cli, ["paths", "--listing", str(tmp_path / "none.json"), str(data.library)]) == 66
    assert run_program("db-export", cli, ["paths", "--below", "Media", str(data.library)]) == 64
    search = ["suggest", "--output", str(tmp_path / "m.json"), "--search", "/srv", "--listing", str(tmp_path / "whole.json")]
    assert run_program("db-export", cli, [*search, str(data.library)]) == 64
    capsys.readouterr()
    # An empty storage is whole: all is missing.
    (tmp_path / "empty").mkdir()
    code, (found,) = look(capsys, "--listing", str(list_bucket(tmp_path / "empty", tmp_path / "empty.json")), str(data.library))
    assert (code, found["missing"]) == (1, 1) and found["fault"] is not None
