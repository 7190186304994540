"""What is worth a word about mounts and trash, before anything has happened."""

import dataclasses

import pytest

from plexguard.core.found import FoundPlex, Server
from plexguard.core.mounts import MountPoint
from plexguard.core.published import TrashSeen
from plexguard.rclone_watchdog.advice import advise
from plexguard.rclone_watchdog.config import Config, Mount

POINT = "/mnt/cloud"
MOUNT = Mount(mount_point=POINT)
PLEX = FoundPlex(server=Server.UNIT, folders=(f"{POINT}/Films", "/srv/films"))
TABLE = (
    MountPoint(path="/", type="overlay"),
    MountPoint(path=POINT, type="fuse.rclone"),
    MountPoint(path="/mnt/nas", type="nfs4"),
    MountPoint(path="/mnt/union", type="fuse.mergerfs"),
)
# What is known when plexguard has taken Plex's emptying over.
TAKEN = TrashSeen(before="true")
TRASH = Config(trash=True)


def notes(config: Config = TRASH, found: FoundPlex = PLEX, trash: TrashSeen | None = TAKEN, *, mount: Mount = MOUNT) -> list[str]:
    return list(advise(config, {"cloud": mount}, found, TABLE, trash))


def on(*folders: str) -> FoundPlex:
    return dataclasses.replace(PLEX, folders=folders)


def test_what_is_as_it_should_be_is_worth_no_word() -> None:
    assert notes() == []
    assert notes(Config(), trash=None) == []


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (on("/srv/films"), ["protect"]),
        (on(POINT), ["mount_point"]),
        (on("/mnt", f"{POINT}/Films"), ["mount_point"]),
        (on("/mnt/union/Films"), []),
        (dataclasses.replace(PLEX, folders=("/srv/films",), links={"/srv/films": f"{POINT}/Films"}), []),
        # Nothing is known of where they are.
        (on(), []),
        (FoundPlex(server=Server.NONE), []),
        (FoundPlex(server=Server.REMOTE), []),
    ],
    ids=["elsewhere", "the mount point itself", "above it", "on a union", "behind a link", "not known", "no Plex", "other machine"],
)
def test_where_libraries_lie_is_compared_with_the_mount(found: FoundPlex, told: list[str]) -> None:
    assert [note.removeprefix("[rclone.cloud] ").partition(":")[0] for note in notes(Config(), found, None)] == told


def test_mount_for_which_plex_is_not_to_be_held_needs_no_library() -> None:
    assert notes(found=on("/srv/films"), mount=dataclasses.replace(MOUNT, protect=False)) == []


@pytest.mark.parametrize(
    ("config", "found", "trash", "told"),
    [
        (TRASH, PLEX, None, "Plex empties its trash by itself until"),
        (TRASH, PLEX, TrashSeen(), "Plex empties its trash by itself until"),
        (TRASH, FoundPlex(server=Server.NONE), None, "Plex was not found here"),
        (TRASH, FoundPlex(server=Server.REMOTE), None, "on another machine"),
        (Config(trash=True, trash_items=0, trash_percent=0), PLEX, TAKEN, "nothing may be missing"),
        (Config(trash=True, trash_percent=60), PLEX, TAKEN, "more than half"),
        (TRASH, on(f"{POINT}/Films", "/mnt/nas/Films", "/mnt/nas/Shows"), TAKEN, "libraries on /mnt/nas (nfs4)"),
        (Config(), PLEX, TAKEN, "was not put back yet"),
    ],
    ids=["new", "never looked", "no Plex", "other machine", "none", "too many", "unwatched", "switched off"],
)
def test_what_keeps_trash_from_being_emptied_is_told_once(
    config: Config, found: FoundPlex, trash: TrashSeen | None, told: str
) -> None:
    (note,) = notes(config, found, trash)

    assert note.startswith("[rclone-watchdog] trash") and told in note
