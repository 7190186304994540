"""What mounts need around their configuration."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from plexguard.core.found import FoundPlex, Server
from plexguard.core.host import Completed
from plexguard.core.published import TRASH
from plexguard.core.suite import Around
from plexguard.rclone_watchdog import around
from plexguard.rclone_watchdog.config import Config, Mount, Rclone
from plexguard.rclone_watchdog.mounting import prepare

FILMS = Mount(remote="s3:films", mount_point="/srv/films")


class Host:
    """A host with an rclone of that version."""

    def __init__(self, version: str = "1.60.1") -> None:
        self._version = version

    def run(self, argv, *, timeout_s, check=True):
        return Completed(code=0, stdout=f"rclone v{self._version}\n", stderr="")


@pytest.fixture
def look(tmp_path: Path, monkeypatch) -> Callable[..., Around]:
    """Look around a machine on which nothing is missing but what a test takes away."""
    (tmp_path / "rclone.conf").write_text("[s3]\ntype = s3\nsecret_access_key = very-secret\n")
    (tmp_path / "fuse.conf").write_text("user_allow_other\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(
        prepare, "check_fuse", lambda uid, *, device, check=prepare.check_fuse: check(uid, device=device, conf=tmp_path / "fuse.conf", helpers=("/bin/sh",))
    )  # fmt: skip

    monkeypatch.setattr(around, "read_last_plex", lambda journal: FoundPlex(server=Server.NONE))
    monkeypatch.setattr(around, "TRASH", replace(TRASH, file=str(tmp_path / "trash.json")))

    def call(mount: Mount = FILMS, version: str = "1.60.1", *, trash: bool = False) -> Around:
        return around.look_around(Config(trash=trash), Rclone(mount={"films": replace(mount)}), Host(version))

    return call


def test_machine_with_all_that_is_needed_has_no_faults(look):
    assert look() == Around()


def test_mount_of_others_needs_nothing(look, tmp_path):
    (tmp_path / "fuse.conf").unlink()
    assert look(Mount(mount_point="/srv/films")) == Around()


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("fuse.conf", "", "echo user_allow_other >> "),
        ("rclone.conf", "none", "/etc/plexguard/credentials/rclone.conf"),
        ("rclone.conf", "[other]\ntype = s3\nsecret_access_key = very-secret\n", "does not know the remote s3"),
    ],
)
def test_what_is_missing_is_told_with_what_to_type_and_no_secret(look, tmp_path, file, text, told):
    (tmp_path / file).write_text(text)

    (fault,) = look().faults

    assert told in fault and "very-secret" not in fault


def test_link_in_the_way_of_a_mount_point_is_a_fault(look, tmp_path):
    (tmp_path / "link").symlink_to("/etc")

    (fault,) = look(replace(FILMS, mount_point=f"{tmp_path}/link/films")).faults

    assert fault.startswith("[rclone.films] mount_point: ") and "symbolic link" in fault


@pytest.mark.parametrize(
    ("mount", "told"),
    [
        (replace(FILMS, extra_flags=("--retries=3",)), "--retries has no effect"),
        (replace(FILMS, chunk_streams=3), "chunk_streams has no effect"),
        (replace(FILMS, timeout=timedelta(hours=2), retries=10), "may last 880.0 h"),
        (replace(FILMS, cache_size=1 << 60), "more than the whole disk"),
    ],
    ids=["flag", "version", "limits", "disk"],
)
def test_what_may_be_meant_is_a_note(look, mount, told):
    found = look(mount)

    assert found.faults == ()
    assert len(found.notes) == 1 and told in found.notes[0]


def test_trash_is_spoken_of_also_where_all_mounts_are_made_by_others(look):
    found = look(Mount(mount_point="/srv/films"), trash=True)

    assert found.faults == () and ["[rclone-watchdog] trash" in note for note in found.notes] == [True]
