"""The mount table as text."""

import pytest

from plexguard.core.mounts import MountPoint, is_below, mount_of, parse_fstab, parse_mountinfo, read_fstab, read_mounts

TABLE = r"""
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
30 22 0:26 / /srv/media rw shared:2 - nfs4 nas:/volume rw
31 30 0:27 / /srv/media/Films rw - fuse.rclone remote: rw
32 22 0:28 / /srv/TV\040Shows\011\134\012x rw,nosuid shared:9 master:1 - cifs //nas/tv rw
33 22 0:29 / /mnt/twice rw - ext4 /dev/vdb rw
34 33 0:30 / /mnt/twice rw - fuse.mergerfs a:b rw
""".strip()


def test_mounts_are_read_with_their_types() -> None:
    assert [(m.path, m.type) for m in parse_mountinfo(TABLE)] == [
        ("/", "ext4"),
        ("/srv/media", "nfs4"),
        ("/srv/media/Films", "fuse.rclone"),
        ("/srv/TV Shows\t\\\nx", "cifs"),
        ("/mnt/twice", "fuse.mergerfs"),
    ]


@pytest.mark.parametrize("end", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\r"], ids=ascii)
def test_mount_point_with_a_line_end_that_the_kernel_does_not_escape_hides_nothing(end: str) -> None:
    odd = f"/home/u/x{end}99 1 0:1 / /srv/media rw - ext4 /dev/x rw"
    table = TABLE + "\n40 22 0:40 / " + odd.replace(" ", "\\040") + " rw - fuse.x x rw\n"

    mounts = parse_mountinfo(table)

    assert mount_of("/srv/media", mounts).type == "nfs4"
    assert mount_of(odd, mounts) == MountPoint(path=odd, type="fuse.x")


@pytest.mark.parametrize("line", ["", "nonsense", "1 2 3 - x", "30 22 0:26 / /a rw", "30 22 0:26 / /a rw - "])
def test_line_that_is_no_mount_is_left_out(line: str) -> None:
    assert parse_mountinfo(line) == ()


def test_path_that_is_no_utf8_is_kept() -> None:
    (mount,) = parse_mountinfo("30 22 0:26 / /srv/\udcff rw - ext4 x rw")

    assert mount.path == "/srv/\udcff"


@pytest.mark.parametrize(
    ("path", "type_"),
    [
        ("/", "ext4"),
        ("/etc", "ext4"),
        ("/srv", "ext4"),
        ("/srv/media", "nfs4"),
        ("/srv/media/Music", "nfs4"),
        ("/srv/media/Films", "fuse.rclone"),
        ("/srv/media/Films/a/b.mkv", "fuse.rclone"),
        ("/srv/media/Films2", "nfs4"),
        ("/srv/mediathek", "ext4"),
        ("/mnt/twice/x", "fuse.mergerfs"),
    ],
)
def test_path_lies_on_the_deepest_mount_above_it(path: str, type_: str) -> None:
    mounts = parse_mountinfo(TABLE)

    assert mount_of(path, mounts).type == type_
    assert mount_of(path, reversed(mounts)).type == type_


def test_path_without_any_mount_lies_on_an_unknown_root() -> None:
    assert mount_of("/srv", ()) == MountPoint(path="/", type="")


@pytest.mark.parametrize(
    ("path", "folder", "below"),
    [
        ("/srv/TV", "/srv/TV", True),
        ("/srv/TV/x", "/srv/TV", True),
        ("/srv/TV/x", "/srv/TV/", True),
        ("/srv/TVShows", "/srv/TV", False),
        ("/srv/TVShows", "/srv/TV/", False),
        ("/srv", "/srv/TV", False),
        ("/srv", "/", True),
        ("/", "/", True),
    ],
)
def test_below_means_whole_names(path: str, folder: str, below: bool) -> None:
    assert is_below(path, folder) is below


@pytest.mark.parametrize(
    ("type_", "remote"),
    [("ext4", False), ("btrfs", False), ("fuse", True), ("fuseblk", True), ("fuse.rclone", True), ("nfs", True), ("nfsd", False)]
    + [(t, True) for t in ("nfs4", "cifs", "smb3", "9p", "ceph", "autofs", "virtiofs")],
)
def test_remote_is_what_can_hang_or_lie(type_: str, remote: bool) -> None:
    assert MountPoint(path="/x", type=type_).is_remote is remote


def test_fstab_gives_what_is_meant_to_be_there() -> None:
    text = (
        "# /dev/x /commented ext4 defaults 0 0\n"
        "  # indented /c ext4\n"
        "UUID=1 / ext4 errors=remount-ro 0 1\n"
        "nas:/v\t/srv/media/ \tnfs4 _netdev,x-systemd.automount\n"
        "remote: /srv/TV\\040Shows rclone rw 0 0\n"
        "/dev/sr0 /srv/My\u00a0Films\u3000x udf,iso9660 noauto\n"
        "UUID=2 none swap sw 0 0\n"
        "broken line\n"
        "\n"
    )

    assert [(m.path, m.type) for m in parse_fstab(text)] == [
        ("/", "ext4"),
        ("/srv/media", "nfs4"),
        ("/srv/TV Shows", "rclone"),
        ("/srv/My\u00a0Films\u3000x", "udf,iso9660"),
    ]


def test_tables_of_this_machine_can_be_read() -> None:
    assert "/" in {mount.path for mount in read_mounts()}
    assert isinstance(read_fstab(), tuple)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("20 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 20 8:1 /data/films /data/films rw - ext4 /dev/sda1 rw\n", ["/"]),
        ("20 1 0:9 /@ / rw - btrfs /dev/sda1 rw\n30 20 0:9 /@/data /data rw - btrfs /dev/sda1 rw\n", ["/"]),
        ("20 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 20 8:2 / /data/films rw - ext4 /dev/sdb1 rw\n", ["/", "/data/films"]),
        ("20 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 20 8:1 /other /data/films rw - ext4 /dev/sda1 rw\n", ["/", "/data/films"]),
        (
            "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 20 8:2 / /data rw - ext4 /dev/sdb1 rw\n"
            "40 30 8:2 /films /data/films rw - ext4 /dev/sdb1 rw\n",
            ["/", "/data"],
        ),
    ],
    ids=["by a unit's ReadWritePaths=", "a subvolume", "a disk", "another folder", "below a disk"],
)
def test_a_folder_that_is_bound_onto_itself_is_no_mount(table: str, expected: list[str]) -> None:
    assert [mount.path for mount in parse_mountinfo(table)] == expected
