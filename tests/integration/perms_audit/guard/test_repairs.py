"""What comes into a root is repaired, in every way that it can come, and nothing else is touched."""

import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.perms_audit.guard.conftest import Mounter, Starter, run
from tests.integration.perms_audit.support import mode_of
from tests.waiting import await_true


def make_closed(path: Path, text: str = "film") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    os.write(fd, text.encode())
    os.close(fd)


def write(media: Path) -> Path:
    make_closed(media / "film")
    return media / "film"


def change_mode(media: Path) -> Path:
    os.chmod(media / "old", 0)
    return media / "old"


def move_in(media: Path) -> Path:
    make_closed(media.parent / f"{media.name}-film")
    return (media.parent / f"{media.name}-film").rename(media / "film")


def link_in(media: Path) -> Path:
    make_closed(media.parent / f"{media.name}-film")
    os.link(media.parent / f"{media.name}-film", media / "linked")
    (media.parent / f"{media.name}-film").unlink()
    return media / "linked"


def make_folder(media: Path) -> Path:
    (media / "Show").mkdir(0o700)
    return media / "Show"


def close_folder(media: Path) -> Path:
    os.chmod(media / "Folder", 0o700)
    return media / "Folder"


def close_root(media: Path) -> Path:
    os.chmod(media, 0o700)
    return media


def copy_like_rsync(media: Path) -> Path:
    temporary = media / ".film.mkv.Xy12Ab"
    make_closed(temporary)
    os.chmod(temporary, 0o640)
    return temporary.rename(media / "film.mkv")


def write_deep(media: Path) -> Path:
    make_closed(media / "a/b/c/d/e/f/g/h/film")
    return media / "a/b/c/d/e/f/g/h/film"


@pytest.mark.parametrize(
    "come",
    [write, change_mode, move_in, link_in, make_folder, close_folder, close_root, copy_like_rsync, write_deep],
    ids=lambda function: function.__name__,
)
def test_it_is_repaired_within_a_second(media: Path, start_guard: Starter, come: Callable[[Path], Path]) -> None:
    make_closed(media / "old")
    (media / "Folder").mkdir()
    start_guard(media)

    path = come(media)

    wanted = 0o055 if path.is_dir() else 0o044
    await_true(lambda: mode_of(path) & wanted == wanted, timeout_s=1.0, what=str(path))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(b"two\nlines", id="a line end"),
        pytest.param(b"\xff\xfe.mkv", id="no UTF-8"),
        pytest.param(b"n" * 255, id="long"),
        pytest.param("Träume 日本".encode(), id="UTF-8"),
        pytest.param(b" (deleted)", id="as the kernel marks what is gone"),
    ],
)
def test_names_of_any_kind(media: Path, start_guard: Starter, name: bytes) -> None:
    folder = os.path.join(os.fsencode(media), name)
    os.mkdir(folder)
    start_guard(media)

    path = os.path.join(folder, name)
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))

    await_true(lambda: mode_of(path) == 0o644, timeout_s=1.5)


def test_all_that_is_in_a_folder_that_is_moved_in_is_repaired(media: Path, start_guard: Starter) -> None:
    start_guard(media)
    outside = media.parent / f"{media.name}-outside"
    paths = [outside / f"S{season}/E{episode}" for season in range(20) for episode in range(20)]
    for path in paths:
        make_closed(path)

    outside.rename(media / "Show")

    moved = [media / "Show" / path.relative_to(outside) for path in paths]
    await_true(lambda: all(mode_of(path) == 0o644 for path in moved), timeout_s=3.0)


def test_folder_that_is_renamed_while_files_come_into_it_loses_none(media: Path, start_guard: Starter) -> None:
    start_guard(media)
    (media / "0").mkdir()
    for number in range(100):
        make_closed(media / str(number) / f"film {number}")
        (media / str(number)).rename(media / str(number + 1))

    await_true(lambda: all(mode_of(media / f"100/film {number}") == 0o644 for number in range(100)), timeout_s=3.0)


def test_its_own_repair_is_not_looked_at_again(media: Path, start_guard: Starter) -> None:
    guard = start_guard(media)

    make_closed(media / "film")
    await_true(lambda: mode_of(media / "film") == 0o644)
    time.sleep(0.8)

    assert guard.checked == ["'film'"]


def test_what_is_outside_of_the_root_on_the_same_file_system_is_left_alone(media: Path, start_guard: Starter) -> None:
    guard = start_guard(media)
    sibling = media.parent / f"{media.name}-2"

    make_closed(sibling / "secret")
    make_closed(media / "film")
    await_true(lambda: mode_of(media / "film") == 0o644)
    time.sleep(0.6)

    assert guard.checked == ["'film'"]
    assert mode_of(sibling / "secret") == 0o600
    run("rm", "-r", str(sibling))


def test_inner_root_has_its_own_paths(media: Path, start_guard: Starter) -> None:
    (media / "inner").mkdir()
    guard = start_guard(media, media / "inner")

    make_closed(media / "inner/film")
    await_true(lambda: guard.checked)

    assert guard.checked == ["'film'"]
    assert mode_of(media / "inner/film") == 0o644


def test_file_system_that_is_mounted_below_a_root_is_watched_too(media: Path, start_guard: Starter, mounter: Mounter) -> None:
    mounter.mount(media / "second disk")
    guard = start_guard(media)

    make_closed(media / "second disk/Show/film")
    await_true(lambda: mode_of(media / "second disk/Show/film") == 0o644)

    await_true(lambda: "'second disk/Show/film'" in guard.checked)


def test_links_that_are_swapped_in_lead_nowhere(media: Path, start_guard: Starter, tmp_path: Path) -> None:
    """Who may write in a root swaps folders for links to elsewhere, while files come into them."""
    start_guard(media)
    private = media.parent / f"{media.name}-private"
    for number in range(20):
        make_closed(private / str(number))
    swapping = threading.Event()

    def swap() -> None:
        while not swapping.is_set():
            (media / "door").mkdir()
            for number in range(20):
                make_closed(media / "door" / str(number))
            (media / "door").rename(media / "away")
            (media / "door").symlink_to(private)
            time.sleep(0.002)
            (media / "door").unlink()
            run("rm", "-r", str(media / "away"))

    swapper = threading.Thread(target=swap)
    swapper.start()
    time.sleep(3)
    swapping.set()
    swapper.join()

    assert {mode_of(private / str(number)) for number in range(20)} == {0o600}
    run("rm", "-r", str(private))


def test_link_in_place_of_a_root_is_not_followed(media: Path, start_guard: Starter) -> None:
    (media / "films").mkdir()
    guard = start_guard(media / "films")
    make_closed(media / "private/secret")

    (media / "films").rmdir()
    (media / "films").symlink_to(media / "private")
    make_closed(media / "private/second")
    time.sleep(0.7)

    assert (mode_of(media / "private/secret"), mode_of(media / "private/second")) == (0o600, 0o600)
    assert guard.checked == []


def test_program_that_never_stops_writing_is_checked_all_the_same(media: Path, start_guard: Starter) -> None:
    start_guard(media)
    make_closed(media / "film")
    await_true(lambda: mode_of(media / "film") == 0o644)
    script = "import os,sys,time\nwhile True:\n os.utime(sys.argv[1]); time.sleep(0.002)\n"
    writer = subprocess.Popen(["/usr/bin/python3", "-c", script, str(media / "film")])
    try:
        time.sleep(0.3)
        os.chmod(media / "film", 0)
        await_true(lambda: mode_of(media / "film") == 0o644, timeout_s=1.0)
    finally:
        writer.kill()
        writer.wait()
