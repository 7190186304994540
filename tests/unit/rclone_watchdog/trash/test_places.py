"""Which mounts a folder lies on, and whether they are proven."""

from dataclasses import replace

import pytest

from plexguard.core.clock import Moment
from plexguard.core.mounts import MountPoint
from plexguard.core.published import MountSeen, Reading
from plexguard.rclone_watchdog.config import Config, Mount
from plexguard.rclone_watchdog.trash.places import Ground, Guard, find_reasons, judge_guards
from tests.fakes.ports import BEGIN, FakeClock

CLOCK = FakeClock()
NOW = CLOCK.moment()
FILMS = Mount(remote="s3:films", mount_point="/mnt/films")
NAS = Mount(mount_point="/mnt/nas")


def before(seconds: float) -> Moment:
    return replace(NOW, uptime_s=NOW.uptime_s - seconds, wall=NOW.wall)


PROVEN = MountSeen(path="/mnt/films", verdict="proven", checked=before(1), proven=before(5))


def fault_of(record: MountSeen | None, mount: Mount = FILMS, why: str = "", config: Config | None = None) -> str:
    (guard,) = judge_guards({"films": mount}, {"films": Reading(record=record, why=why)}, config or Config(), NOW)
    return guard.fault


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (PROVEN, ""),
        (replace(PROVEN, verdict="slow"), ""),
        (replace(PROVEN, verdict="hung", detail="no bytes for 40 s"), "it is hung, no bytes for 40 s"),
        # Of a version that knows more.
        (replace(PROVEN, verdict="splendid"), "it is splendid"),
        (replace(PROVEN, path="/mnt/other"), "its watchdog watches /mnt/other"),
        (replace(PROVEN, checked=before(72)), ""),
        (replace(PROVEN, checked=before(74)), "it was last looked at 1min 14s ago"),
        (replace(PROVEN, checked=None), "it was last looked at never"),
        (replace(PROVEN, proven=before(74)), "bytes of it were last read 1min 14s ago"),
        (replace(PROVEN, proven=None), "bytes of it were last read never"),
        (replace(PROVEN, proven=before(-3_600)), "bytes of it were last read in another life of this machine"),
        (
            replace(PROVEN, checked=Moment(wall=BEGIN.replace(year=2020), boot_id="other", uptime_s=9e6)),
            "it was last looked at in another life of this machine",
        ),
        (None, "its watchdog has never looked at it"),
    ],
)
def test_a_mount_is_proven_by_a_fresh_record_alone(record: MountSeen | None, said: str) -> None:
    assert fault_of(record) == said


def test_a_record_that_cannot_be_read_proves_nothing() -> None:
    assert fault_of(None, why="torn") == "torn"
    (guard,) = judge_guards({"films": FILMS}, {}, Config(), NOW)
    assert guard.fault == "its watchdog has never looked at it"


def test_what_is_proven_seldom_may_be_older_and_not_endlessly() -> None:
    record = replace(PROVEN, path="/mnt/nas", proven=before(179))

    assert fault_of(record, NAS) == ""
    assert fault_of(replace(record, proven=before(181)), NAS) != ""
    from datetime import timedelta

    seldom = Config(read_interval=timedelta(days=1))
    assert fault_of(replace(record, proven=before(601)), NAS, config=seldom) != ""


# -- folders ----------------------------------------------------------------------------------------------------------

ROOT = MountPoint(path="/", type="ext4")
DISK = MountPoint(path="/srv", type="ext4")
CLOUD = MountPoint(path="/mnt/films", type="fuse.rclone")
GUARD = Guard(name="films", path="/mnt/films")


@pytest.mark.parametrize(
    ("path", "ground", "said"),
    [
        ("/data/films", Ground(table=(ROOT,)), []),
        ("/srv/films", Ground(table=(ROOT, DISK), fstab=(DISK,)), []),
        ("/srv/films", Ground(table=(ROOT,), fstab=(DISK,)), ["/srv is not mounted"]),
        ("/srv/films", Ground(table=(ROOT,), fstab=(replace(DISK, is_optional=True),)), ["/srv is not mounted"]),
        # What is mounted, or should be, below a folder is part of it.
        ("/srv", Ground(table=(ROOT, DISK), fstab=(MountPoint(path="/srv/usb", type="ext4", is_optional=True),)), ["/srv/usb is not mounted"]),
        ("/srv", Ground(table=(ROOT, DISK, MountPoint(path="/srv/nas", type="nfs"))), ["/srv/nas (nfs) is watched by nobody"]),
        # Whole names.
        ("/srv/TV", Ground(table=(ROOT, DISK, MountPoint(path="/srv/TVShows", type="nfs"))), []),
        ("/srv/films", Ground(table=(ROOT,), lasts={"/srv/films": "/srv"}), ["/srv is not mounted"]),
        ("/srv/films", Ground(table=(ROOT,), lasts={"/srv/films": "/"}), []),
        ("/mnt/films/a", Ground(table=(ROOT, CLOUD), guards=(GUARD,)), []),
        ("/mnt/films/a", Ground(table=(ROOT, CLOUD)), ["/mnt/films (fuse.rclone) is watched by nobody"]),
        ("/mnt/films/a", Ground(table=(ROOT, CLOUD), guards=(replace(GUARD, fault="it is stale"),)), ["is not proven: it is stale"]),
        ("/mnt/films/a", Ground(table=(ROOT,), guards=(GUARD,)), ["/mnt/films is not mounted"]),
        ("/mnt", Ground(table=(ROOT,), guards=(replace(GUARD, fault="it is stale"),)), ["is not proven: it is stale"]),
        ("/mnt/films/a", Ground(table=(ROOT, replace(CLOUD, type="tmpfs")), guards=(GUARD,)), ["covered by something else (tmpfs)"]),
        # What others mount may be anything.
        ("/mnt/films/a", Ground(table=(ROOT, replace(CLOUD, type="ext4")), guards=(replace(GUARD, is_ours=False),)), []),
        ("/mnt/filmsx", Ground(table=(ROOT, CLOUD), guards=(replace(GUARD, fault="it is stale"),)), []),
    ],
)  # fmt: skip
def test_a_folder_is_only_sure_where_all_its_mounts_are(path: str, ground: Ground, said: list[str]) -> None:
    reasons = find_reasons(path, ground)

    assert len(reasons) == len(said)
    assert all(words in reason.text for words, reason in zip(said, reasons, strict=True))


def test_of_a_single_path_what_is_mounted_below_does_not_count() -> None:
    ground = Ground(table=(ROOT, CLOUD), guards=(replace(GUARD, fault="it is stale"),), fstab=(CLOUD,))

    assert find_reasons("/mnt", ground, is_whole=False) == ()
    assert find_reasons("/mnt", ground) != ()
