"""Mounts in a booted machine: what each fault of a mount or its storage is called, and that Plex loses nothing by it.

A machine serves several faults; what is slow about them is Plex's scan, which runs in each.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.storage import Kind
from tests.machine import Machine
from tests.system.conftest import await_event, configure
from tests.system.mount_faults import (
    BY_HAND,
    CACHE_MB,
    EVERYWHERE,
    HELD,
    OF_CONTENT,
    OF_RCLONE,
    OF_STORAGE,
    PROVEN,
    RELEASED,
    Fault,
    find_wrongs,
    lose,
    meet,
)
from tests.system.mounting import FILMS, NAME, POINT, WATCHDOG_UNIT, Stand, mount_by_hand, watch, with_storage

pytestmark = pytest.mark.machine


def _name(fault: Fault) -> str:
    return fault.name


@pytest.fixture(scope="module")
def by_hand(deb: Path) -> Iterator[Stand]:
    """A mount as people have it without plexguard, and a Plex that scans it."""
    with Machine(with_storage(deb)) as machine:
        stand = Stand(machine)
        mount_by_hand(stand)
        stand.add_libraries()
        yield stand


class Stands:
    """Gives a stand to one test after the other, and a fresh one after a test in which it did not come through."""

    def __init__(self, deb: Path, *, kind: Kind = "s3", suite: str = "bookworm", cache_mb: int = 0) -> None:
        self._deb, self._kind, self._suite, self._cache_mb = deb, kind, suite, cache_mb
        self._ends = contextlib.ExitStack()
        self._stand: Stand | None = None

    def check(self, fault: Fault) -> None:
        if self._stand is None:
            machine = self._ends.enter_context(Machine(with_storage(self._deb, self._kind, suite=self._suite)))
            self._stand = watch(Stand(machine), kind=self._kind, cache_mb=self._cache_mb)
        stand, self._stand = self._stand, None
        met = meet(stand, fault)
        self._stand = stand
        assert find_wrongs(met) == [], met.story

    def close(self) -> None:
        self._ends.close()


@pytest.fixture(scope="module")
def stands(deb: Path) -> Iterator[Stands]:
    """Mounts that plexguard watches, each with a Plex that scans it."""
    stands = Stands(deb)
    yield stands
    stands.close()


@pytest.fixture(scope="module")
def caching_stands(deb: Path) -> Iterator[Stands]:
    """The same, with a cache on a disk of its own."""
    stands = Stands(deb, cache_mb=CACHE_MB)
    yield stands
    stands.close()


@pytest.fixture(scope="module")
def webdav_stands(deb: Path) -> Iterator[Stands]:
    stands = Stands(deb, kind="webdav")
    yield stands
    stands.close()


@pytest.fixture(scope="module")
def trixie_stands(deb: Path) -> Iterator[Stands]:
    stands = Stands(deb, suite="trixie")
    yield stands
    stands.close()


@pytest.fixture
def covering_stand(deb: Path) -> Iterator[Stand]:
    with Machine(with_storage(deb)) as machine:
        yield watch(Stand(machine), options="cover = true\n")


@pytest.mark.xdist_group("mounts-rclone")
@pytest.mark.parametrize("fault", OF_RCLONE, ids=_name)
def test_fault_of_rclone_is_told_and_cured_and_plex_loses_nothing(caching_stands: Stands, fault: Fault) -> None:
    caching_stands.check(fault)


@pytest.mark.xdist_group("mounts-storage")
@pytest.mark.parametrize("fault", OF_STORAGE, ids=_name)
def test_fault_of_the_storage_is_told_and_waited_out_and_plex_loses_nothing(stands: Stands, fault: Fault) -> None:
    stands.check(fault)


@pytest.mark.xdist_group("mounts-content")
@pytest.mark.parametrize("fault", OF_CONTENT, ids=_name)
def test_fault_of_line_or_content_is_told_and_plex_loses_nothing(stands: Stands, fault: Fault) -> None:
    stands.check(fault)


@pytest.mark.xdist_group("mounts-webdav")
@pytest.mark.parametrize("fault", EVERYWHERE, ids=_name)
def test_fault_is_told_and_cured_where_the_storage_is_no_s3(webdav_stands: Stands, fault: Fault) -> None:
    webdav_stands.check(fault)


@pytest.mark.xdist_group("mounts-trixie")
@pytest.mark.parametrize("fault", EVERYWHERE, ids=_name)
def test_fault_is_told_and_cured_on_trixie(trixie_stands: Stands, fault: Fault) -> None:
    trixie_stands.check(fault)


@pytest.mark.xdist_group("mounts-cover")
def test_what_is_covered_shows_plex_nothing_and_who_hangs_in_the_mount_is_freed(covering_stand: Stand) -> None:
    stand, machine = covering_stand, covering_stand.machine
    before, since = stand.items(), machine.cursor()

    stand.faults.set("all", "hang")
    reader = machine.spawn(["cat", f"{FILMS}/Film 3 (1983)/Film 3 (1983).mkv"], user="plex")
    machine.wait_for(stand.stuck, timeout_s=30, what="a reader waits in the mount")
    await_event(machine, HELD, timeout_s=60, since_cursor=since)
    machine.wait_for(stand.is_covered, timeout_s=30, what="the mount is covered")
    assert machine.run(["ls", "-A", POINT], check=False).stdout == ""
    stand.scan()
    stand.await_scans()
    assert stand.items() == before

    # The mount below hangs by itself now, which is cured while its storage still hangs.
    stand.signal_rclone("STOP")
    assert reader.communicate(timeout=60)[0] == ""
    assert reader.returncode != 0
    machine.wait_for(lambda: not stand.stuck(), timeout_s=30, what="nobody hangs in the mount")

    # The new mount is covered too, unless somebody lists it by then: the kernel lets the cover wait for him.
    stand.mend()
    await_event(machine, PROVEN, timeout_s=120, since_cursor=since)
    await_event(machine, RELEASED, timeout_s=120, since_cursor=since)
    machine.wait_for(lambda: not stand.is_covered(), timeout_s=60, what="the cover is taken away")
    assert "Films" in machine.run(["ls", POINT]).stdout
    stand.await_items(before)


@pytest.mark.xdist_group("mounts-by-hand")
def test_mount_of_others_is_told_and_plex_held_and_nothing_is_done_to_it(by_hand: Stand) -> None:
    machine = by_hand.machine
    configure(machine, f'[rclone.{NAME}]\nmount_point = "{POINT}"\n')
    machine.systemctl("start", WATCHDOG_UNIT, timeout_s=120)
    try:
        since = machine.cursor()
        by_hand.signal_rclone("STOP")
        await_event(machine, HELD, timeout_s=60, since_cursor=since)
        await_event(machine, "mount.hung", timeout_s=60, since_cursor=since)
        by_hand.signal_rclone("CONT")
        await_event(machine, RELEASED, timeout_s=120, since_cursor=since)
        await_event(machine, PROVEN, timeout_s=60, since_cursor=since)
        assert sorted(by_hand.told(since)) == sorted([HELD, "mount.hung", RELEASED, PROVEN])
        assert by_hand.remounts(since) == 0
        machine.wait_for(lambda: not by_hand.stuck(), timeout_s=30, what="nobody hangs in the mount")
    finally:
        by_hand.signal_rclone("CONT")
        configure(machine, "")
        machine.systemctl("stop", WATCHDOG_UNIT)


@pytest.mark.xdist_group("mounts-by-hand")
@pytest.mark.parametrize("fault", BY_HAND, ids=_name)
def test_without_plexguard_the_same_fault_costs_items(by_hand: Stand, fault: Fault) -> None:
    assert lose(by_hand, fault) > 0
