"""Which folders may be audited, and which mounts they need."""

import pytest

from plexguard.core.mounts import MountPoint, find_unmounted, parse_fstab

ROOT = MountPoint(path="/", type="ext4")


def disk(path: str) -> MountPoint:
    return MountPoint(path=path, type="ext4")


@pytest.mark.parametrize(
    ("root", "present", "fstab", "last", "missing"),
    [
        pytest.param("/srv/media", (), ("/srv/media",), "", "/srv/media", id="fstab names the root itself"),
        pytest.param("/srv/media", (), ("/srv",), "", "/srv", id="fstab names a folder above"),
        pytest.param("/srv/media", (), ("/srv/media/Films",), "", "/srv/media/Films", id="fstab names a folder below"),
        pytest.param("/srv/media", ("/srv/media",), ("/srv/media",), "", "", id="mounted as fstab says"),
        pytest.param("/srv/media", (), ("/", "/boot", "/srv/mediathek", "/srv/med"), "", "", id="fstab names others"),
        pytest.param("/srv/media", (), (), "/srv/media", "/srv/media", id="was mounted when last seen"),
        pytest.param("/srv/media", (), (), "/srv", "/srv", id="a folder above was mounted when last seen"),
        pytest.param("/srv/media", ("/srv",), (), "/srv", "", id="still on the same mount"),
        pytest.param("/srv/media", (), (), "/", "", id="was on the system's disk"),
        pytest.param("/srv/media", (), (), "", "", id="never seen"),
        pytest.param(
            "/srv/media",
            (),
            ("/srv/media/Films", "/srv/media"),
            "",
            "/srv/media",
            id="the outermost, in whatever order fstab has them",
        ),
        pytest.param(
            "/srv/media", ("/srv/media",), ("/srv/media", "/srv/media/Films"), "", "/srv/media/Films", id="only the one below"
        ),
        pytest.param("/srv/media", (), ("/srv/media/Films",), "/srv/media", "/srv/media", id="remembered above, fstab below"),
        pytest.param("/srv/TV", (), ("/srv/TVShows",), "", "", id="names are whole names"),
    ],
)
def test_find_unmounted_names_the_mount_that_is_needed_and_not_there(
    root: str, present: tuple[str, ...], fstab: tuple[str, ...], last: str, missing: str
) -> None:
    mounts = (ROOT, *map(disk, present))

    assert find_unmounted(root, mounts, tuple(map(disk, fstab)), last) == missing


def test_a_disk_below_the_root_that_is_plugged_in_now_and_then_is_not_missed() -> None:
    fstab = parse_fstab("UUID=1 /srv/media/usb ext4 noauto,nofail 0 0\nUUID=2 /srv/media/disk ext4 defaults 0 0\n")
    root = (MountPoint(path="/", type="ext4"),)

    assert find_unmounted("/srv/media", (*root, MountPoint(path="/srv/media/disk", type="ext4")), fstab, "") == ""
    assert find_unmounted("/srv/media", root, fstab, "") == "/srv/media/disk"
    assert find_unmounted("/srv/media/usb", root, fstab, "") == "/srv/media/usb"
