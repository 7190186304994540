"""What goes to a run's machine for its mount."""

import io
import tarfile

import pytest

from plexguard.cloud_run.config import Config
from plexguard.cloud_run.life.run_file import RunFile
from plexguard.cloud_run.storage.choose import choose_media
from plexguard.cloud_run.storage.parcel import MADE, PROGRAM, SECRETS, Installed, make_items, pack
from plexguard.core import config
from plexguard.core.errors import MissingInput
from tests.static.tree import ROOT, UNITS

HERE = Installed(
    units=UNITS,
    sysusers=ROOT / "packaging/sysusers.d/plexguard.conf",
    tmpfiles=ROOT / "packaging/tmpfiles.d/plexguard.conf",
    polkit=ROOT / "packaging/polkit/50-plexguard.rules",
)
MEDIA = choose_media(
    RunFile(mount="media"),
    config.read_text('[rclone.media]\nremote = "s3:media"\nmount_point = "/mnt/media"\n', "plexguard.toml"),
    Config(provider="ssh"),
)


def items(installed: Installed = HERE):
    return {item.path: item for item in make_items(MEDIA, b"suite", installed)}


def test_same_run_makes_the_same_bytes():
    assert pack(items().values()) == pack(items().values())


def test_tar_has_each_file_of_roots_with_its_mode():
    with tarfile.open(fileobj=io.BytesIO(pack(items().values()))) as archive:
        found = {f"/{entry.name}": entry for entry in archive}

    assert found.keys() == items().keys()
    assert all((entry.uid, entry.gid, entry.isfile()) == (0, 0, True) for entry in found.values())
    assert {path for path, entry in found.items() if entry.mode != 0o644} == {PROGRAM} and found[PROGRAM].mode == 0o755


def test_every_program_that_the_units_need_there_is_there():
    called = {
        word
        for path, item in items().items()
        if path.endswith(".service")
        for line in item.content.decode().splitlines()
        if line.startswith(("ExecStart", "ExecStopPost"))
        for word in line.split()
        if "/usr/bin/plexguard-" in word
    }

    # Who alerts is at home: the drop-in takes that line away.
    assert {word.rpartition("/")[2] for word in called} == {"plexguard-rclone-watchdog", "plexguard-notify"}
    drop_in = items()["/usr/local/lib/systemd/system/plexguard-rclone-watchdog@media.service.d/60-run.conf"].content.decode()
    assert "ExecStopPost=\n" in drop_in and "OnFailure=\n" in drop_in


@pytest.mark.parametrize("unit", ["plexguard-rclone@media", "plexguard-rclone-watchdog@media"])
def test_units_are_handed_the_secret_from_memory(unit):
    drop_in = items()[f"/usr/local/lib/systemd/system/{unit}.service.d/60-run.conf"].content.decode()

    assert "[Service]\nLoadCredential=rclone.conf:/run/plexguard-run/rclone.conf\n" in drop_in
    assert not [path for path in items() if path.startswith(SECRETS)]


def test_everything_is_removed_from_a_machine_that_stays():
    left = [path for path in items() if not any(path == made or path.startswith(f"{made}/") for made in MADE)]

    # Drop-ins are found by their name.
    assert all(".d/" in path and "/plexguard-rclone" in path for path in left)


def test_package_that_is_not_whole_is_told(tmp_path):
    with pytest.raises(MissingInput, match=r"plexguard-rclone@\.service"):
        items(Installed(units=tmp_path, sysusers=HERE.sysusers, tmpfiles=HERE.tmpfiles, polkit=HERE.polkit))
