"""From a handle of the kernel's to a place below a root, over real file systems, in this process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plexguard.perms_audit.guard.decide import choose_targets
from plexguard.perms_audit.guard.fanotify import Handle
from plexguard.perms_audit.guard.observe import KernelWatcher, read_mounts
from plexguard.perms_audit.prove import Place
from tests.integration.perms_audit.guard.conftest import Mounter, run


@contextmanager
def watching(*roots: Path) -> Iterator[KernelWatcher]:
    watcher = KernelWatcher(list(map(str, roots)))
    try:
        mark(watcher, *roots)
        yield watcher
    finally:
        watcher.close()


def mark(watcher: KernelWatcher, *roots: Path) -> dict[str, str]:
    mounts = read_mounts()
    outlook = choose_targets(list(map(str, roots)), mounts.points, (), {})
    return {**outlook.unwatched, **watcher.mark(outlook.targets, mounts)}


def places_of(watcher: KernelWatcher) -> list[Place | None]:
    """Return where each event that is waiting happened, of those that this process has caused."""
    events = [event for chunk in iter(watcher.read, ()) for event in chunk if event.pid == os.getpid()]
    return [place for event in events if event.folder for place in watcher.find_places([(event.folder, event.name)])]


def folder_of(watcher: KernelWatcher) -> Handle:
    """Return the folder of the one event that this process has caused."""
    (folder,) = {event.folder for event in watcher.read() if event.pid == os.getpid()}
    assert folder is not None
    return folder


def touch(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))


def test_place_is_below_the_root_and_all_else_is_outside(media: Path) -> None:
    (media / "films").mkdir()
    with watching(media / "films") as watcher:
        touch(media / "films/a")
        touch(media / "b")

        assert places_of(watcher) == [Place(0, "a"), None]


def test_outside_is_remembered_until_a_folder_is_renamed(media: Path) -> None:
    (media / "films").mkdir()
    (media / "incoming").mkdir()
    with watching(media / "films") as watcher:
        touch(media / "incoming/a")
        folder = folder_of(watcher)
        assert (watcher.find_places([(folder, "a")]), watcher.is_outside(folder)) == ([None], True)

        (media / "incoming").rename(media / "films/new")
        watcher.forget_places()

        assert watcher.find_places([(folder, "a")]) == [Place(0, "new/a")]


def test_folder_that_is_renamed_and_of_which_nobody_told_yet_is_found_anew(media: Path) -> None:
    (media / "one").mkdir()
    with watching(media) as watcher:
        touch(media / "one/a")
        folder = folder_of(watcher)
        (media / "one").rename(media / "two")

        assert watcher.find_places([(folder, "a"), (folder, ".")]) == [Place(0, "two/a"), Place(0, "two")]


def test_what_is_hidden_below_a_mount_is_at_no_place(media: Path, mounter: Mounter, tmp_path: Path) -> None:
    """Its name leads to another folder: the one that is mounted there."""
    (media / "films").mkdir()
    other_way = mounter.mount(tmp_path / "other way", "--bind", str(media))
    mounter.mount(media / "films")
    with watching(media) as watcher:
        touch(other_way / "films/hidden")
        hidden = places_of(watcher)
        touch(media / "films/a")

        assert (hidden, places_of(watcher)) == ([None], [Place(0, "films/a")])


def test_file_that_comes_by_another_mount_of_the_same_disk_is_found(media: Path, mounter: Mounter, tmp_path: Path) -> None:
    """As when a container writes through its bind mount."""
    other_way = mounter.mount(tmp_path / "other way", "--bind", str(media))
    with watching(media) as watcher:
        touch(other_way / "a")

        assert places_of(watcher) == [Place(0, "a")]


def test_root_that_is_gone_or_a_link_is_refused_with_its_reason(media: Path) -> None:
    (media / "link").symlink_to(media)
    touch(media / "file")
    roots = [media / "gone", media / "link", media / "file"]
    with watching(*roots) as watcher:
        refused = mark(watcher, *roots)

    assert refused == {
        f"{media}/gone": "there is no such folder",
        f"{media}/link": "not a folder",
        f"{media}/file": "not a folder",
    }


def test_mount_table_is_waited_for(media: Path, mounter: Mounter) -> None:
    with watching(media) as watcher:
        # Tests beside this one mount things as well: among some looks one is quiet.
        quiet = any(not watcher.wait(0.1).mounts_changed for _ in range(50))
        mounter.mount(media / "more")
        after = watcher.wait(1.0)

    assert (quiet, after.mounts_changed) == (True, True)


def test_caches_stay_bounded(media: Path) -> None:
    """More folders than are remembered: those that came first are found anew."""
    folders = [media / str(number) for number in range(5000)]
    for folder in folders:
        folder.mkdir()
    with watching(media) as watcher:
        for folder in folders:
            touch(folder / "a")
            watcher.find_places([(folder_of(watcher), "a")])

        assert len(watcher._inside) <= 2048
        touch(folders[0] / "b")
        assert places_of(watcher) == [Place(0, "0/b")]
    run("rm", "-r", *map(str, folders))
