"""The mount table, with who follows whom."""

from plexguard.core.mounts import MountPoint
from plexguard.perms_audit.guard.observe import find_remote, parse_mounts

# As it was in a unit: the disk follows the one outside, its bound folder too; the last one has lost what it followed.
TABLE = """\
211 109 0:42 / / ro,nosuid,relatime shared:69 master:1 - overlay root rw
350 211 0:62 / /mnt/disk\\0401 ro,nosuid shared:94 master:51 - tmpfs disk rw
223 350 0:62 /films /mnt/disk\\0401/films rw,nosuid shared:95 master:51 - tmpfs disk rw
224 211 0:63 / /mnt/old rw shared:99 - tmpfs old rw
240 211 0:64 / /tmp rw - tmpfs tmp rw
cut 1 2
"""


def test_followers_and_orphans_are_told_apart() -> None:
    mounts = parse_mounts(TABLE)

    assert mounts.followers == {211: "/", 350: "/mnt/disk 1", 223: "/mnt/disk 1/films"}
    assert mounts.orphans == {224, 240}
    assert MountPoint(path="/mnt/disk 1", type="tmpfs") in mounts.points


def test_remote_mount_on_the_way_is_found_by_whole_names() -> None:
    mounts = (MountPoint(path="/", type="ext4"), MountPoint(path="/mnt/cloud", type="fuse.rclone"))

    assert find_remote("/mnt/cloud/films", mounts) == mounts[1]
    assert find_remote("/mnt/cloud", mounts) == mounts[1]
    assert find_remote("/mnt/clouds", mounts) is None
    assert find_remote("/mnt", mounts) is None
