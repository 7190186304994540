"""The loop, over a kernel that is scripted: what is read, checked, told, and when an audit is asked for."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from plexguard.core.host import CommandFailed
from plexguard.core.manager import Unit
from plexguard.core.mounts import MountPoint
from plexguard.perms_audit.guard.act import FULL_UNIT, RECENT_UNIT, AuditRequests, BeginAnew, Guard
from plexguard.perms_audit.guard.fanotify import ATTRIB, CLOSE_WRITE, CREATE, MOVED_TO, ONDIR, OVERFLOW, Event, Handle
from plexguard.perms_audit.guard.observe import Mounts, Target, Wakeup
from plexguard.perms_audit.prove import Place
from plexguard.perms_audit.roots import RootFault
from tests.fakes.ports import FakeClock, FakeJournal, FakeManager

ROOT = "/srv/media"
FOLDER = Handle(1, 1, b"folder")
OUTSIDE = Handle(1, 1, b"outside")
DISK = (MountPoint(path="/", type="ext4"),)
OTHER_PID = 1


@dataclass
class FakeChecker:
    """Keeps what it was given, and when. took_s: how long each place takes it."""

    clock: FakeClock
    took_s: float = 0.0
    checked: list[tuple[str, float]] = field(default_factory=list)
    flushed: list[float] = field(default_factory=list)
    largest: int = 0

    def check(self, places: Sequence[Place]) -> None:
        self.largest = max(self.largest, len(places))
        for place in places:
            self.clock.pass_time(self.took_s)
            self.checked.append((place.path, self.clock.monotonic_s()))

    def flush(self) -> None:
        self.flushed.append(self.clock.monotonic_s())

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.checked]


@dataclass
class FakeWatcher:
    """Events that come at their time; a wait passes the clock up to the next of them, and no further than told."""

    clock: FakeClock
    script: list[tuple[float, Event]] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    tree: dict[str, list[tuple[str, bool]]] = field(default_factory=dict)
    mount_changes: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    forgotten: int = 0
    marked: list[list[str]] = field(default_factory=list)
    chunk: int = 300
    on_read: Callable[[], object] = bool

    def at(self, after_s: float, mask: int, name: str = "a", *, folder: Handle | None = FOLDER, pid: int = OTHER_PID) -> None:
        self.script.append((self.clock.monotonic_s() + after_s, Event(mask, pid, folder, name)))

    def wait(self, timeout_s: float) -> Wakeup:
        assert timeout_s >= 0
        self.waits.append(timeout_s)
        now_s = self.clock.monotonic_s()
        nearest = min([now_s + timeout_s, *(when for when, _ in self.script[:1]), *self.mount_changes[:1]])
        self.clock.pass_time(max(0.0, nearest - now_s))
        now_s = self.clock.monotonic_s()
        changed = bool(self.mount_changes) and self.mount_changes[0] <= now_s
        if changed:
            self.mount_changes.pop(0)
        return Wakeup(has_events=bool(self.script) and self.script[0][0] <= now_s, mounts_changed=changed)

    def mark(self, targets: Sequence[Target], mounts: Mounts) -> dict[str, str]:
        self.marked.append([target.full_path for target in targets])
        return {target.full_path: self.refused[target.full_path] for target in targets if target.full_path in self.refused}

    def read(self) -> tuple[Event, ...]:
        self.on_read()
        now_s = self.clock.monotonic_s()
        ready = [event for when, event in self.script[: self.chunk] if when <= now_s]
        self.script = self.script[len(ready) :]
        return tuple(ready)

    def is_outside(self, folder: Handle) -> bool:
        return folder == OUTSIDE

    def forget_places(self) -> None:
        self.forgotten += 1

    def find_places(self, entries: Sequence[tuple[Handle, str]]) -> list[Place | None]:
        return [Place(0, name) if folder == FOLDER else None for folder, name in entries]

    def list_folder(self, place: Place) -> Iterator[tuple[Place, bool]]:
        if place.path not in self.tree:
            raise FileNotFoundError(place.path)
        yield from ((Place(0, f"{place.path}/{name}"), is_folder) for name, is_folder in self.tree[place.path])


@dataclass
class World:
    clock: FakeClock
    watcher: FakeWatcher
    checker: FakeChecker
    journal: FakeJournal
    manager: FakeManager
    requests: AuditRequests
    mounts: Mounts = Mounts(points=DISK)
    fstab: tuple[MountPoint, ...] = ()
    is_current: bool = True

    def guard(self, *roots: str) -> Guard:
        """Return a guard that has looked once, and whose audit of what happened before is long over."""
        guard = self.begin(*roots)
        self.requests.start_due()
        self.manager.asked.clear()
        self.journal.sent[:] = [told for told in self.journal.sent if told[0].name != "perms.guard-behind"]
        self.clock.pass_time(120)
        return guard

    def begin(self, *roots: str) -> Guard:
        guard = Guard(
            roots or (ROOT,),
            self.checker,
            self.watcher,
            requests=self.requests,
            journal=self.journal,
            clock=self.clock,
            last_mounts={},
            is_current=lambda: self.is_current,
            look_at_mounts=lambda: self.mounts,
            look_at_fstab=lambda: self.fstab,
        )
        self.first_line = guard.cycle()
        return guard


@pytest.fixture
def world() -> World:
    clock, journal, manager = FakeClock(), FakeJournal(), FakeManager()
    return World(clock, FakeWatcher(clock), FakeChecker(clock), journal, manager, AuditRequests(manager, journal, clock))


def test_first_cycle_only_looks_so_that_ready_comes_at_once(world: World) -> None:
    world.guard()

    assert world.first_line == "Watching 1 of 1 roots, 0 paths checked"
    assert (world.watcher.waits, world.journal.names) == ([], ["perms.watching"])


def test_what_happened_before_it_watched_is_audited(world: World) -> None:
    guard = world.begin()

    guard.cycle()

    assert world.manager.asked.count(("start", RECENT_UNIT)) == 1


def test_idle_cycle_sleeps_once_and_touches_nothing(world: World) -> None:
    guard = world.guard()

    line = guard.cycle()

    assert world.watcher.waits == [25.0]
    assert len(world.watcher.marked) == 1
    assert line == "Watching 1 of 1 roots, 0 paths checked"


def test_what_happened_is_checked_once_it_settled(world: World) -> None:
    guard = world.guard()
    world.watcher.at(1.0, CREATE | CLOSE_WRITE, "film")
    began_s = world.clock.monotonic_s()

    line = guard.cycle()

    assert [(path, round(when - began_s, 3)) for path, when in world.checker.checked] == [("film", 1.015)]
    assert line == "Watching 1 of 1 roots, 1 paths checked"


def test_own_changes_are_ignored(world: World) -> None:
    guard = world.guard()
    world.watcher.at(1.0, ATTRIB, "mine", pid=os.getpid())
    world.watcher.at(1.0, ATTRIB, "somebody's")

    guard.cycle()

    assert world.checker.paths == ["somebody's"]


def test_what_happens_outside_of_the_roots_is_not_even_waited_for(world: World) -> None:
    guard = world.guard()
    world.watcher.at(1.0, CLOSE_WRITE, "log", folder=OUTSIDE)

    guard.cycle()

    assert len(world.watcher.waits) == 2


def test_any_renamed_folder_makes_places_unknown(world: World) -> None:
    guard = world.guard()
    world.watcher.at(1.0, MOVED_TO, "a file")
    world.watcher.at(2.0, MOVED_TO | ONDIR, "elsewhere", folder=OUTSIDE)

    guard.cycle()

    assert world.watcher.forgotten == 1


def test_checker_may_sum_up_a_second_after_it_had_work_and_at_the_end_of_a_cycle(world: World) -> None:
    guard = world.guard()
    began_s = world.clock.monotonic_s()
    world.watcher.at(1.0, ATTRIB)

    guard.cycle()

    assert [when - began_s for when in world.checker.flushed] == pytest.approx([2.015, 25.0])


def test_thousands_of_files_are_read_and_checked_in_turn(world: World) -> None:
    world.checker.took_s = 0.0001
    guard = world.guard()
    for number in range(5000):
        world.watcher.at(1.0, CLOSE_WRITE, str(number))

    guard.cycle()

    assert sorted(world.checker.paths) == sorted(map(str, range(5000)))
    assert world.checker.largest <= 128


def test_flood_is_left_to_the_kernels_queue_when_there_is_no_room(world: World) -> None:
    world.checker.took_s = 0.0001
    guard = world.guard()
    waiting: list[int] = []
    world.watcher.on_read = lambda: waiting.append(len(guard._waiting))
    for number in range(20_000):
        world.watcher.at(1.0, CREATE, str(number))

    guard.cycle()

    assert len(set(world.checker.paths)) == 20_000
    assert 8000 < max(waiting) < 8192


# -- trees ------------------------------------------------------------------------------------------------------------


def test_all_that_came_with_a_folder_is_checked(world: World) -> None:
    world.watcher.tree = {"Show": [("S1", True), ("poster", False), ("gone", True)], "Show/S1": [("E1", False), ("E2", False)]}
    guard = world.guard()
    world.watcher.at(1.0, MOVED_TO | ONDIR, "Show")

    guard.cycle()

    assert sorted(world.checker.paths) == ["Show", "Show/S1", "Show/S1/E1", "Show/S1/E2", "Show/gone", "Show/poster"]
    assert world.watcher.waits[-1] > 1.0


def test_mounts_are_looked_at_anew_before_what_came_with_a_folder(world: World) -> None:
    world.watcher.tree = {"Show": []}
    guard = world.guard()
    world.watcher.at(1.0, MOVED_TO | ONDIR, "Show")
    world.mounts = Mounts(points=(*DISK, MountPoint(path=f"{ROOT}/Show/cloud", type="fuse.rclone")))

    guard.cycle()

    assert world.journal.values("perms.unwatched")["path"] == f"{ROOT}/Show/cloud"


def test_tree_does_not_keep_a_new_file_waiting(world: World) -> None:
    world.checker.took_s = 0.001
    world.watcher.tree = {"Big": [(str(number), False) for number in range(2000)]}
    guard = world.guard()
    world.watcher.at(1.0, MOVED_TO | ONDIR, "Big")
    world.watcher.at(1.5, CLOSE_WRITE, "film")
    began_s = world.clock.monotonic_s()

    guard.cycle()

    (checked_s,) = [when for path, when in world.checker.checked if path == "film"]
    assert checked_s - began_s < 1.5 + 0.015 + 0.1
    assert len(world.checker.checked) == 2002


def test_tree_that_is_too_wide_is_left_to_a_full_audit(world: World) -> None:
    world.watcher.tree = {"Huge": [(str(number), True) for number in range(20_000)]}
    guard = world.guard()
    world.watcher.at(1.0, MOVED_TO | ONDIR, "Huge")

    guard.cycle()

    assert ("start", FULL_UNIT) in world.manager.asked
    assert world.journal.values("perms.guard-behind")["unit"] == FULL_UNIT


# -- what is watched --------------------------------------------------------------------------------------------------


def test_root_that_cannot_be_watched_is_told_once_and_stays_in_the_status(world: World) -> None:
    world.mounts = Mounts(points=(*DISK, MountPoint(path="/mnt/cloud", type="fuse.rclone")))
    world.watcher.refused = {ROOT: "overlay"}
    guard = world.guard(ROOT, "/mnt/cloud")

    line = guard.cycle()

    assert world.journal.names == ["perms.unwatched", "perms.unwatched"]
    assert "not /mnt/cloud (fuse.rclone), /srv/media (overlay), left to the timer" in line
    assert world.watcher.marked == [[ROOT]]


def test_mount_that_cannot_be_watched_and_comes_and_goes_is_told_once_for_each_reason(world: World) -> None:
    world.fstab = (MountPoint(path="/mnt/cloud", type="fuse.rclone"),)
    there = Mounts(points=(*DISK, MountPoint(path="/mnt/cloud", type="fuse.rclone")))
    guard = world.guard("/mnt/cloud")
    for mounts in (there, Mounts(points=DISK), there, Mounts(points=DISK), there):
        world.mounts = mounts
        world.watcher.mount_changes = [world.clock.monotonic_s() + 3.0]
        guard.cycle()

    assert world.journal.names == ["perms.unwatched", "perms.unwatched"]


def test_root_that_is_not_watched_any_more_is_told_again(world: World) -> None:
    world.fstab = (MountPoint(path=ROOT, type="ext4"),)
    there = Mounts(points=(*DISK, MountPoint(path=ROOT, type="ext4")))
    guard = world.guard()
    for mounts in (Mounts(points=DISK), there, Mounts(points=DISK)):
        world.mounts = mounts
        world.watcher.mount_changes = [world.clock.monotonic_s() + 3.0]
        guard.cycle()

    assert world.journal.names.count("perms.unwatched") == 2


def test_mount_that_comes_later_is_watched_and_audited(world: World) -> None:
    world.fstab = (MountPoint(path=ROOT, type="ext4"),)
    guard = world.guard()
    world.mounts = Mounts(points=(*DISK, MountPoint(path=ROOT, type="ext4")))
    world.watcher.mount_changes = [world.clock.monotonic_s() + 3.0]

    line = guard.cycle()

    assert world.journal.names == ["perms.unwatched", "perms.watching", "perms.guard-behind"]
    assert line.startswith("Watching 1 of 1 roots")
    assert ("start", RECENT_UNIT) in world.manager.asked


def test_root_that_was_unmounted_is_named_and_its_empty_folder_is_not_watched(world: World) -> None:
    world.mounts = Mounts(points=(*DISK, MountPoint(path=ROOT, type="ext4")))
    guard = world.guard()
    world.mounts = Mounts(points=DISK)
    world.watcher.mount_changes = [world.clock.monotonic_s() + 3.0]

    line = guard.cycle()

    assert line == "Watching 0 of 1 roots, 0 paths checked; not /srv/media (not mounted), left to the timer"
    assert world.watcher.marked[-1] == []


def test_folder_that_is_missing_is_looked_for_again_in_each_cycle(world: World) -> None:
    world.watcher.refused = {ROOT: RootFault.MISSING.value}
    guard = world.guard()
    world.watcher.refused = {}

    assert guard.cycle() == "Watching 1 of 1 roots, 0 paths checked"


def test_mount_that_lives_on_here_alone_of_which_nothing_tells_makes_it_begin_anew(world: World) -> None:
    world.mounts = Mounts(points=(*DISK, MountPoint(path="/srv", type="ext4")), followers={7: "/srv"})
    guard = world.guard()
    guard.cycle()
    world.mounts = Mounts(points=(*DISK, MountPoint(path="/srv", type="ext4")), orphans=frozenset({7}))

    with pytest.raises(BeginAnew):
        guard.cycle()


def test_other_roots_than_it_was_started_with_make_it_begin_anew(world: World) -> None:
    guard = world.guard()
    guard.cycle()
    world.is_current = False

    with pytest.raises(BeginAnew):
        guard.cycle()


# -- audits -----------------------------------------------------------------------------------------------------------


def test_overflow_has_an_audit_started_and_says_so(world: World) -> None:
    guard = world.guard()
    world.watcher.at(1.0, OVERFLOW, folder=None, pid=0)
    world.watcher.at(1.0, ATTRIB, "after")

    guard.cycle()

    assert world.manager.asked == [("start", RECENT_UNIT)]
    assert world.journal.values("perms.guard-behind")["unit"] == RECENT_UNIT
    assert world.checker.paths == ["after"]
    # A rename may be among what was lost.
    assert world.watcher.forgotten == 1


def pass_until(world: World, seconds: float, done: Callable[[], bool]) -> None:
    end_s = world.clock.monotonic_s() + seconds
    while not done() and world.clock.monotonic_s() < end_s:
        world.clock.pass_time(1.0)
        world.requests.start_due()


def test_audits_are_asked_for_once_a_minute_at_most(world: World) -> None:
    for _ in range(600):
        world.requests.ask("too much")
        world.requests.start_due()
        world.clock.pass_time(0.5)

    assert len(world.manager.asked) == 5
    assert world.journal.names == ["perms.guard-behind"] * 5


def test_audit_that_runs_is_followed_by_another(world: World) -> None:
    world.manager.units[RECENT_UNIT] = Unit(name=RECENT_UNIT, load_state="loaded", active_state="activating")
    world.requests.ask("too much")
    pass_until(world, 100, lambda: False)
    asked_while_it_ran = list(world.manager.asked)

    world.manager.units[RECENT_UNIT] = Unit(name=RECENT_UNIT, load_state="loaded", active_state="inactive")
    pass_until(world, 30, lambda: bool(world.manager.asked))

    assert (asked_while_it_ran, world.manager.asked) == ([], [("start", RECENT_UNIT)])


def test_audit_of_everything_covers_what_changed(world: World) -> None:
    world.requests.ask("too much")
    world.requests.ask("too wide", everything=True)
    world.requests.start_due()
    pass_until(world, 200, lambda: False)

    assert world.manager.asked == [("start", FULL_UNIT)]


def test_audit_that_cannot_be_started_is_told_once_and_tried_again(world: World) -> None:
    world.manager.fail["start"] = CommandFailed("systemctl: exit code 1")
    world.requests.ask("too much")
    world.requests.start_due()
    pass_until(world, 300, lambda: False)
    tries = len(world.manager.asked)

    world.manager.fail.clear()
    pass_until(world, 61, lambda: len(world.manager.asked) > tries)

    assert 4 <= tries <= 6
    assert world.journal.names == ["perms.audit-refused", "perms.guard-behind"]
