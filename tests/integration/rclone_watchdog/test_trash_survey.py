"""Whether folders hold something and files are gone, asked of real ones."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from plexguard.rclone_watchdog.trash.limits import Reason, Why
from plexguard.rclone_watchdog.trash.survey import find_folder_fault, survey
from tests.fakes.mounted import Mounted
from tests.fakes.storage import ENVIRONMENT, RCLONE, Storage
from tests.waiting import await_true


def sure(_path: str) -> tuple[Reason, ...]:
    return ()


def doubtful(place: Path) -> Callable[[str], tuple[Reason, ...]]:
    """Nothing is known of what lies at a place and below it."""
    return lambda path: (Reason(why=Why.MOUNT, text=path),) if Path(path).is_relative_to(place) else ()


def ask(folder: Path, *files: Path, judge: Callable[[str], tuple[Reason, ...]] = sure) -> set[Why]:
    reasons = survey((str(folder),), tuple(map(str, files)), judge=judge, judge_whole=judge)
    return {reason.why for reason in reasons}


@pytest.fixture
def media(tmp_path: Path) -> Path:
    (tmp_path / "media/Film").mkdir(parents=True)
    (tmp_path / "media/Film/film.mkv").touch()
    return tmp_path / "media"


def test_what_is_away_below_a_folder_that_holds_something_is_gone(media: Path) -> None:
    assert ask(media, media / "Film/other.mkv", media / "Gone/gone.mkv", media / "Film/film.mkv/below.mkv") == set()


def test_what_is_there_is_not_gone(media: Path) -> None:
    # Also a link that leads nowhere: somebody has put it there.
    (media / "Film/link.mkv").symlink_to("nowhere")

    assert ask(media, media / "Film/film.mkv") == {Why.BACK}
    assert ask(media, media / "Film/link.mkv") == {Why.BACK}


def test_what_cannot_be_looked_for_is_not_gone(media: Path) -> None:
    assert ask(media, media / ("x" * 300)) == {Why.BACK}


@pytest.mark.parametrize("names", [[], [".hidden"], ["lost+found"]], ids=str)
def test_a_folder_without_content_is_the_place_of_a_disk(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).mkdir()

    assert ask(tmp_path, tmp_path / "Film/film.mkv") == {Why.FOLDER}


def test_a_folder_that_is_away_or_is_none_is_told(media: Path) -> None:
    assert "cannot be looked at" in find_folder_fault(str(media / "nowhere"))
    assert "is no folder" in find_folder_fault(str(media / "Film/film.mkv"))
    assert find_folder_fault(str(media)) == ""


def test_what_links_lead_to_is_in_doubt_where_that_is(media: Path, tmp_path: Path) -> None:
    (media / "Cloud").symlink_to(tmp_path / "away")

    assert ask(media, media / "Cloud/film.mkv", judge=doubtful(tmp_path / "away")) == {Why.MOUNT}


def test_a_library_that_is_a_link_is_judged_by_where_it_leads(media: Path, tmp_path: Path) -> None:
    (tmp_path / "library").symlink_to(media)

    assert ask(tmp_path / "library", tmp_path / "library/gone.mkv") == set()
    assert ask(tmp_path / "library", tmp_path / "library/gone.mkv", judge=doubtful(media)) == {Why.MOUNT}


def test_a_link_to_an_empty_place_does_not_prove_that_anything_is_gone(media: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (media / "Disk").symlink_to(tmp_path / "disk")

    assert ask(media, media / "Disk/Film/film.mkv") == {Why.FOLDER}
    (tmp_path / "disk/Other").mkdir()
    assert ask(media, media / "Disk/Film/film.mkv") == set()


def test_links_that_go_round_are_no_endless_way(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")

    assert ask(tmp_path / "one", tmp_path / "one/x") == {Why.FOLDER}


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
@pytest.mark.parametrize("gone", ["Films/Film 1 (1981)/Film 1 (1981).mkv", "Films/Film 1 (1981)"], ids=["a file", "its folder"])
def test_what_is_gone_from_a_mount_is_gone_though_the_kernel_remembers_it(s3: Storage, tmp_path: Path, gone: str) -> None:
    with Mounted(s3, "--attr-timeout=1h", "--dir-cache-time=1h") as mounted:
        film, other = (mounted.point / f"Films/Film {n} ({1980 + n})/Film {n} ({1980 + n}).mkv" for n in (1, 2))
        assert film.exists() and other.exists()
        lost = s3.bucket / gone
        shutil.rmtree(lost) if lost.is_dir() else lost.unlink()
        await_true(lambda: "Film 1 (1981).mkv" not in list_files(s3, tmp_path), what="the storage has seen it")
        # What it has listed it forgets, and tells the kernel nothing of it.
        os.kill(mounted.pid, signal.SIGHUP)

        def look(*files: Path) -> set[Why]:
            top = f"{mounted.point}/Films"
            found = survey((top,), tuple(map(str, files)), judge=sure, judge_whole=sure, is_remembered=lambda _folder: True)
            return {reason.why for reason in found}

        await_true(lambda: look(film) == set(), what=lambda: str(look(film)))
        assert film.exists()
        assert look(other) == {Why.BACK}


def list_files(storage: Storage, folder: Path) -> str:
    (folder / "rclone.conf").write_text(storage.configuration())
    command = [RCLONE, "lsf", "--recursive", "--config", str(folder / "rclone.conf"), storage.remote]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT, timeout=20).stdout
