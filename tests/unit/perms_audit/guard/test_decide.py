"""When something is checked, how much is kept meanwhile, and what can be watched at all."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.core.guarded import Guarded
from plexguard.core.mounts import MountPoint
from plexguard.perms_audit.guard.decide import (
    LIMIT_S,
    MADE_S,
    NOT_MOUNTED,
    SETTLE_S,
    Due,
    Trees,
    Waiting,
    choose_targets,
    describe,
    find_stale,
)
from plexguard.perms_audit.guard.fanotify import ATTRIB, CLOSE_WRITE, CREATE, MOVED_TO, ONDIR, Handle
from plexguard.perms_audit.guard.observe import Mounts
from plexguard.perms_audit.prove import Place

FOLDER = Handle(1, 1, b"folder")
DISK = MountPoint(path="/", type="ext4")


def names(due: list[Due]) -> list[str]:
    return [one.name for one in due]


def take_all(waiting: Waiting, now_s: float) -> list[str]:
    return names(waiting.take(now_s, 1000))


@pytest.mark.parametrize(
    ("mask", "after_s"),
    [
        pytest.param(CLOSE_WRITE, SETTLE_S, id="written"),
        pytest.param(CREATE | CLOSE_WRITE, SETTLE_S, id="made and written at once"),
        pytest.param(ATTRIB, SETTLE_S, id="mode changed"),
        pytest.param(MOVED_TO, SETTLE_S, id="moved in"),
        pytest.param(CREATE | ONDIR, SETTLE_S, id="folder made"),
        pytest.param(CREATE, MADE_S, id="made, and perhaps still being written"),
    ],
)
def test_it_is_due_when_it_has_settled_and_not_before(mask: int, after_s: float) -> None:
    waiting = Waiting()
    waiting.note(FOLDER, "a", mask, 100.0)

    assert waiting.next_due_s == 100.0 + after_s
    assert take_all(waiting, 100.0 + after_s - 0.001) == []
    assert take_all(waiting, 100.0 + after_s) == ["a"]
    assert waiting.next_due_s == math.inf


def test_close_chmod_and_rename_are_checked_once_as_they_end() -> None:
    waiting = Waiting()
    waiting.note(FOLDER, "film.part", CREATE | CLOSE_WRITE, 100.0)
    waiting.note(FOLDER, "film.part", ATTRIB, 100.01)

    assert take_all(waiting, 100.016) == []
    assert take_all(waiting, 100.026) == ["film.part"]
    assert take_all(waiting, 200.0) == []


def test_file_that_was_made_is_due_soon_once_it_is_closed() -> None:
    waiting = Waiting()
    waiting.note(FOLDER, "a", CREATE, 100.0)
    waiting.note(FOLDER, "a", CLOSE_WRITE, 100.1)

    assert take_all(waiting, 100.1 + SETTLE_S) == ["a"]
    assert take_all(waiting, 101.0) == []


def test_file_that_changes_without_end_is_checked_all_the_same() -> None:
    waiting = Waiting()
    checked = []
    for step in range(1000):
        now_s = 100.0 + step * 0.001
        waiting.note(FOLDER, "a", ATTRIB, now_s)
        checked += [now_s for _ in waiting.take(now_s, 10)]

    assert len(checked) >= 9
    assert all(b - a <= LIMIT_S + 0.002 for a, b in itertools.pairwise(checked))


def test_what_is_not_taken_for_lack_of_time_comes_next_the_longest_due_first() -> None:
    waiting = Waiting()
    for number in range(5):
        waiting.note(FOLDER, str(number), ATTRIB, 100.0 + number * 0.001)

    assert names(waiting.take(101.0, 2)) == ["0", "1"]
    assert names(waiting.take(101.0, 9)) == ["2", "3", "4"]


def test_folder_that_was_moved_in_keeps_its_tree_whatever_follows() -> None:
    waiting = Waiting()
    waiting.note(FOLDER, "Films", MOVED_TO | ONDIR, 100.0)
    waiting.note(FOLDER, "Films", ATTRIB | ONDIR, 100.001)
    waiting.note(FOLDER, "More", CREATE | ONDIR, 100.001)

    assert waiting.take(101.0, 9) == [Due(FOLDER, "Films", True), Due(FOLDER, "More", False)]


def test_same_name_in_another_folder_is_another_file() -> None:
    waiting = Waiting()
    waiting.note(FOLDER, "a", ATTRIB, 100.0)
    waiting.note(Handle(2, 1, b"folder"), "a", ATTRIB, 100.0)

    assert len(waiting.take(101.0, 9)) == 2


def test_full_it_gives_out_what_is_not_due_yet() -> None:
    waiting = Waiting(most=3)
    for number in range(3):
        waiting.note(FOLDER, str(number), CREATE, 100.0)

    assert waiting.is_full
    assert take_all(waiting, 100.0) == ["0"]
    assert not waiting.is_full


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from([CREATE, CLOSE_WRITE, ATTRIB, MOVED_TO, CREATE | CLOSE_WRITE, CREATE | ONDIR, MOVED_TO | ONDIR]),
        st.floats(0.0, 0.3),
        st.booleans(),
    ),
    max_size=40,
)


@given(steps=_STEPS)
def test_everything_that_happens_is_checked_after_it_and_in_bounded_time(
    steps: list[tuple[str, int, float, bool]],
) -> None:
    waiting = Waiting()
    now_s, last_s, unchecked = 100.0, dict[str, float](), dict[str, float]()
    for name, mask, pause_s, reads in steps:
        now_s += pause_s
        waiting.note(FOLDER, name, mask, now_s)
        last_s[name] = now_s
        unchecked.setdefault(name, now_s)
        for one in waiting.take(now_s, 2) if reads else ():
            del unchecked[one.name]
        # Whoever asks when it is due, as the loop does, finds nothing older than the longest wait.
        if reads and waiting.next_due_s > now_s:
            assert all(now_s - since_s < MADE_S + 1e-6 for since_s in unchecked.values())

    taken = take_all(waiting, now_s + MADE_S)

    assert sorted(taken) == sorted(unchecked)
    assert (len(waiting), waiting.next_due_s) == (0, math.inf)


@given(steps=st.lists(st.tuples(st.integers(0, 30), st.sampled_from([CREATE, ATTRIB])), max_size=300))
def test_no_more_is_kept_than_there_is_room_for(steps: list[tuple[int, int]]) -> None:
    waiting = Waiting(most=10)
    noted, taken = set(), set()
    for number, mask in steps:
        while waiting.is_full:
            taken |= set(names(waiting.take(100.0, 4)))
        waiting.note(FOLDER, str(number), mask, 100.0)
        noted.add(str(number))
        assert len(waiting) <= 10

    assert taken | set(take_all(waiting, 200.0)) == noted


def test_tree_of_many_folders_is_refused_when_there_is_no_room() -> None:
    trees = Trees(most=2)

    assert [trees.add(Place(0, str(number))) for number in range(3)] == [True, True, False]
    assert [trees.take(), trees.take(), trees.take()] == [Place(0, "1"), Place(0, "0"), None]


# -- what can be watched ----------------------------------------------------------------------------------------------


def choose(
    *roots: str, mounts: tuple[MountPoint, ...] = (), fstab: tuple[MountPoint, ...] = (), last: dict[str, str] | None = None
) -> tuple[list[str], dict[str, str]]:
    outlook = choose_targets(roots, (DISK, *mounts), fstab, last or {})
    return [target.full_path for target in outlook.targets], dict(outlook.unwatched)


def mount(path: str, kind: str = "ext4") -> MountPoint:
    return MountPoint(path=path, type=kind)


def test_root_and_what_is_mounted_below_it_are_watched() -> None:
    outlook = choose_targets(["/srv/media"], (DISK, mount("/srv"), mount("/srv/media/disk 2"), mount("/srv/mediaserver")), (), {})

    assert [(target.place, target.full_path) for target in outlook.targets] == [
        (Place(0, ""), "/srv/media"),
        (Place(0, "disk 2"), "/srv/media/disk 2"),
    ]
    assert outlook.unwatched == {}


@pytest.mark.parametrize("kind", ["fuse.rclone", "fuseblk", "nfs4", "cifs", "9p", "autofs"])
def test_remote_mounts_are_never_touched_and_named(kind: str) -> None:
    assert choose("/mnt/cloud/films", "/srv/media", mounts=(mount("/mnt/cloud", kind),)) == (
        ["/srv/media"],
        {"/mnt/cloud/films": kind},
    )
    assert choose("/srv/media", mounts=(mount("/srv/media/cloud", kind),)) == (["/srv/media"], {"/srv/media/cloud": kind})


def test_local_mount_behind_a_remote_one_is_not_reached_through_it() -> None:
    mounts = (mount("/srv/media/cloud", "fuse.rclone"), mount("/srv/media/cloud/disk"))

    assert choose("/srv/media", mounts=mounts) == (["/srv/media"], {"/srv/media/cloud": "fuse.rclone"})
    assert choose("/srv/media/cloud/disk", mounts=mounts) == ([], {"/srv/media/cloud/disk": "fuse.rclone"})


def test_root_that_was_on_a_mount_that_is_gone_is_not_watched_on_the_disk_below() -> None:
    assert choose("/srv/media", last={"/srv/media": "/srv/media"}) == ([], {"/srv/media": NOT_MOUNTED})
    assert choose("/srv/media", fstab=(mount("/srv"),)) == ([], {"/srv/media": NOT_MOUNTED})


def test_guarded_mount_point_is_missing_while_it_is_bare_or_covered() -> None:
    guarded = Guarded(mount_points={"cloud": "/srv/media/cloud"})
    cover = mount("/srv/media/cloud", "tmpfs")

    for table in ((), guarded.without_covers((cover,))):
        assert choose("/srv/media", mounts=table, fstab=guarded.as_mounts()) == (["/srv/media"], {"/srv/media/cloud": NOT_MOUNTED})
        assert choose("/srv/media/cloud", mounts=table, fstab=guarded.as_mounts()) == ([], {"/srv/media/cloud": NOT_MOUNTED})


def test_root_of_which_a_part_is_not_mounted_is_watched_but_for_it() -> None:
    assert choose("/srv/media", fstab=(mount("/srv/media/disk"),)) == (["/srv/media"], {"/srv/media/disk": NOT_MOUNTED})


def test_mount_in_a_root_further_in_is_that_roots() -> None:
    outlook = choose_targets(["/srv", "/srv/media"], (DISK, mount("/srv/media"), mount("/srv/media/disk")), (), {})

    assert [target.place for target in outlook.targets] == [Place(0, ""), Place(1, ""), Place(1, "disk")]


def test_root_of_the_whole_tree_makes_right_paths() -> None:
    outlook = choose_targets(["/"], (DISK, mount("/srv")), (), {})

    assert [target.place for target in outlook.targets] == [Place(0, ""), Place(0, "srv")]


@pytest.mark.parametrize(
    ("before", "orphans", "stale"),
    [
        pytest.param({7: "/mnt/disk"}, {7}, "/mnt/disk", id="the disk of a root"),
        pytest.param({7: "/mnt/disk/films/more"}, {7}, "/mnt/disk/films/more", id="a disk below a root"),
        pytest.param({7: "/mnt/disk"}, set(), "", id="gone for good, as it should be"),
        pytest.param({7: "/mnt/other"}, {7}, "", id="no root's"),
        pytest.param({}, {7}, "", id="never anybody's but ours"),
    ],
)
def test_mount_that_lives_on_here_alone_is_noticed(before: dict[int, str], orphans: set[int], stale: str) -> None:
    assert find_stale(["/mnt/disk/films"], Mounts(followers=before), Mounts(orphans=frozenset(orphans))) == stale


# -- the line for people ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("roots", "unwatched", "line"),
    [
        pytest.param((), {}, "No root to watch yet", id="nothing to watch"),
        pytest.param(("/a", "/b"), {}, "Watching 2 of 2 roots, 5 paths checked", id="all well"),
        pytest.param(
            ("/a", "/mnt/cloud"),
            {"/mnt/cloud": "fuse.rclone"},
            "Watching 1 of 2 roots, 5 paths checked; not /mnt/cloud (fuse.rclone), left to the timer",
            id="one is not",
        ),
        pytest.param(
            ("/a",),
            {"/a/b\n": "nfs4"},
            "Watching 1 of 1 roots, 5 paths checked; not /a/b\\n (nfs4), left to the timer",
            id="a part is not",
        ),
        pytest.param(
            ("/a", "/b", "/c", "/d", "/e"),
            dict.fromkeys(("/a", "/b", "/c", "/d", "/e"), NOT_MOUNTED),
            "Watching 0 of 5 roots, 5 paths checked; not /a (not mounted), /b (not mounted), /c (not mounted) and 2 more, "
            "left to the timer",
            id="many are not",
        ),
    ],
)
def test_status_names_what_is_not_watched(roots: tuple[str, ...], unwatched: dict[str, str], line: str) -> None:
    assert describe(roots, unwatched, 5) == line
