"""What the kernel tells of a mount."""

import pytest

from plexguard.rclone_watchdog.asking.kernel import COVER_SOURCE, KernelWatch, escape, find_lines, read_process
from plexguard.rclone_watchdog.config import Mount

ROOT = "20 1 8:1 / / rw - ext4 /dev/sda1 rw"
OURS = "43 20 0:40 / /srv/media rw,nosuid,nodev shared:1 - fuse.rclone s3:media rw,user_id=0"
MOUNT = Mount(remote="s3:media", mount_point="/srv/media")


class Table:
    """A mount table that says what it is told to."""

    def __init__(self, *rows: str) -> None:
        self.rows = rows

    def read(self) -> str:
        return "\n".join((*self.rows, ""))


class Machine:
    """A /proc and a /sys/fs/fuse/connections."""

    def __init__(self, folder, mount=MOUNT):
        self.folder = folder
        self.table = Table(ROOT, OURS)
        self.watch = KernelWatch(mount, table=self.table, connections=folder, proc=folder)

    def wait(self, minor, count):
        (self.folder / str(minor)).mkdir(exist_ok=True)
        (self.folder / str(minor) / "waiting").write_text(f"{count}\n")

    def run(self, pid, state="S", started=100, name="rclone"):
        (self.folder / str(pid)).mkdir(exist_ok=True)
        (self.folder / str(pid) / "stat").write_text(f"{pid} ({name}) {state} " + "0 " * 18 + f"{started} 0 0\n")


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_our_mount_is_known_by_place_type_and_source(machine):
    seen = machine.watch.look(5.0)

    assert (seen.is_mounted, seen.is_expected, seen.type, seen.source, seen.device) == (
        True,
        True,
        "fuse.rclone",
        "s3:media",
        "0:40",
    )


@pytest.mark.parametrize(
    "row",
    [
        OURS.replace("fuse.rclone", "fuse.sshfs"),
        OURS.replace("s3:media", "s3:other"),
        OURS.replace("fuse.rclone s3:media", "tmpfs tmpfs"),
    ],
    ids=["type", "source", "local"],
)
def test_whatever_else_is_mounted_there_is_not_expected(machine, row):
    machine.table.rows = (ROOT, row)
    assert (machine.watch.look(5.0).is_mounted, machine.watch.look(5.0).is_expected) == (True, False)


def test_the_topmost_of_several_mounts_counts(machine):
    machine.table.rows = (ROOT, OURS, OURS.replace("43 20 0:40", "44 43 0:41").replace("s3:media", "s3:other"))
    seen = machine.watch.look(5.0)
    assert (seen.is_expected, seen.device) == (False, "0:41")


def test_what_is_mounted_above_or_below_is_not_mounted_there(machine):
    machine.table.rows = (ROOT, OURS.replace("/srv/media ", "/srv "), OURS.replace("/srv/media ", "/srv/media/films "))
    assert not machine.watch.look(5.0).is_mounted


def test_below_our_cover_is_looked_at_what_it_covers(machine):
    machine.table.rows = (ROOT, OURS, f"44 43 0:41 / /srv/media rw - tmpfs {COVER_SOURCE} rw")
    seen = machine.watch.look(5.0)
    assert (seen.is_covered, seen.is_mounted, seen.is_expected, seen.device) == (True, True, True, "0:40")

    machine.table.rows = (ROOT, machine.table.rows[-1])
    seen = machine.watch.look(6.0)
    assert (seen.is_covered, seen.is_mounted) == (True, False)


def test_a_mount_of_others_is_expected_as_it_is(tmp_path):
    machine = Machine(tmp_path, Mount(mount_point="/mnt/nas"))
    machine.table.rows = (ROOT, "50 20 0:50 / /mnt/nas rw - nfs4 nas:/media rw")
    seen = machine.watch.look(5.0)
    assert (seen.is_mounted, seen.is_expected, seen.waiting) == (True, True, None)


def test_a_new_mount_of_the_same_device_number_is_a_new_one(machine):
    machine.watch.look(5.0)
    assert machine.watch.look(6.0).since_s == 5.0

    machine.table.rows = (ROOT, OURS.replace("43 20", "48 20"))
    assert machine.watch.look(7.0).since_s == 7.0


def test_requests_that_always_wait_are_told_since_when(machine):
    seen = []
    for now, count in ((1.0, 0), (2.0, 3), (3.0, 1), (4.0, 0), (5.0, 2)):
        machine.wait(40, count)
        look = machine.watch.look(now)
        seen.append((look.waiting, look.waiting_since_s))
    assert seen == [(0, None), (3, 2.0), (1, 2.0), (0, None), (2, 5.0)]


def test_requests_of_the_mount_before_do_not_count_for_this_one(machine):
    machine.wait(40, 1)
    machine.watch.look(1.0)
    machine.table.rows = (ROOT, OURS.replace("43 20", "48 20"))
    assert machine.watch.look(9.0).waiting_since_s == 9.0


def test_a_count_that_may_not_be_read_is_unknown_and_not_none_waiting(machine):
    assert machine.watch.look(1.0).waiting is None


def test_rclone_is_told_with_its_state_and_a_dead_one_not(machine):
    machine.run(77, state="T", name="r) clone (x")
    seen = machine.watch.look(1.0, rclone_pid=77)
    assert (seen.rclone_pid, seen.rclone_state) == (77, "T")

    machine.run(77, state="Z")
    assert machine.watch.look(2.0, rclone_pid=77).rclone_pid == 0
    assert machine.watch.look(2.0, rclone_pid=78).rclone_pid == 0
    assert machine.watch.look(2.0).rclone_pid == 0


def test_another_process_with_the_number_of_our_rclone_is_not_it(machine):
    machine.run(77, started=100)
    machine.watch.look(1.0, rclone_pid=77)
    machine.run(77, started=900)
    assert machine.watch.look(2.0, rclone_pid=77).rclone_pid == 0


@pytest.mark.parametrize("path", ["/srv/a b", "/srv/a\tb", "/srv/a\\b", "/srv/\udce9t\xe9", "/srv/a#b", "/srv/040"])
def test_odd_names_are_found_as_the_kernel_writes_them(path):
    rows = [OURS.replace("/srv/media", escape(path)), OURS.replace("/srv/media", escape(path) + "x")]
    assert [line.path for line in find_lines("\n".join(rows), path)] == [path]


@pytest.mark.parametrize("row", ["", "43", OURS.partition(" - ")[0], "a b c", OURS[:40]])
def test_a_torn_line_is_left_out(row):
    assert find_lines(row, "/srv/media") == ()


def test_a_process_that_is_not_there_is_none(tmp_path):
    assert read_process(1, proc=tmp_path) is None
