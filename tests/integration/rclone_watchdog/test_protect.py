"""Plex while a mount is not proven: real scans of a folder that loses its content, and a library that loses nothing."""

import os
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from plexguard.core.clock import SystemClock
from plexguard.core.found import FoundPlex, Server
from plexguard.core.plex import PlexControl
from plexguard.core.plex_http import HttpPlex
from plexguard.core.secret import Secret
from plexguard.rclone_watchdog.protect.act import Holder
from plexguard.rclone_watchdog.protect.decide import EMPTY_TRASH, SETTINGS, Hold
from plexguard.rclone_watchdog.protect.observe import find_affected
from plexguard.rclone_watchdog.protect.protector import Protector
from plexguard.rclone_watchdog.protect.record import Record
from plexguard.rclone_watchdog.protect.release import Releaser, let_go
from plexguard.rclone_watchdog.protect.world import World
from tests.fakes.plex import PlexSimulator
from tests.fakes.ports import FakeClock, FakeJournal, fake_ports
from tests.waiting import await_true

FILMS = 24
ON = {EMPTY_TRASH: "true", "ScheduledLibraryUpdatesEnabled": "true"}


class Stand:
    """A Plex with a library on a mount that can go, and another that stays. The mount is a folder; who looks there when it is gone
    finds it empty, as below a mount that ended."""

    def __init__(self, plex: PlexSimulator, folder: Path) -> None:
        self.plex = plex
        self.state, self.memory = folder / "plex-hold", folder / "memory"
        self.mount = folder / "mount"
        self.other = folder / "other"
        self.away = folder / "away"
        for made in (self.state, self.memory, self.mount / "Films", self.other):
            made.mkdir(parents=True)
        for number in range(FILMS):
            (self.mount / "Films" / f"Film {number:02}.mkv").write_bytes(b"film %d" % number)
            (self.other / f"Clip {number:02}.mkv").write_bytes(b"clip %d" % number)
        plex.preferences.put(dict.fromkeys(ON, "1"), plex_pass=True)
        self.films = plex.add_library("Films", "movie", self.mount)
        self.clips = plex.add_library("Clips", "movie", self.other)
        plex.scan(self.films)
        plex.scan(self.clips)
        self.journal = FakeJournal()
        self.ports = fake_ports(clock=SystemClock(), journal=self.journal)

    def lose(self) -> None:
        self.mount.rename(self.away)
        self.mount.mkdir()

    def regain(self) -> None:
        # As a mount does: what lies there meanwhile is hidden at once.
        self.mount.rename(self.mount.with_name("bare"))
        self.away.rename(self.mount)

    def control(self) -> PlexControl:
        return HttpPlex(self.plex.url, Secret(self.plex.token))

    def world(self, mount: Path | None = None, control: Callable[[], PlexControl] | None = None) -> World:
        found = FoundPlex(server=Server.UNIT, name="plexmediaserver.service", url=self.plex.url)
        return World(
            open_plex=control or self.control,
            pick_affected=lambda libraries: find_affected(libraries, str(mount or self.mount), found, None, ()),
            folder=self.state,
            memory=self.memory,
        )

    def holder(self, name: str = "films") -> Holder:
        return Holder(name, self.world(), self.ports)

    def releaser(self, name: str = "films", *, by_hand: bool = False) -> Releaser:
        return Releaser(name, self.world(), self.ports, by_hand=by_hand)

    def count(self, library: int) -> int:
        with sqlite3.connect(f"file:{self.plex.database}?mode=ro", uri=True) as connection:
            return int(
                connection.execute("SELECT count(*) FROM metadata_items WHERE library_section_id = ?", (library,)).fetchone()[0]
            )

    def settings(self) -> dict[str, str]:
        return {name: str(self.plex.preferences.value(name)).lower() for name in SETTINGS}

    def hold(self) -> Hold:
        return Record(self.state, self.memory, self.journal).peek()

    def begin_scan(self, library: int) -> None:
        self.control().scan(self.library(library), timeout_s=5.0)
        await_true(lambda: self.library(library).scanning)

    def begin_scan_of_files(self, library: int) -> None:
        """Begin a scan, and return when it has listed the films and is on its way through them."""
        listed = f"Processing directory {self.mount / 'Films'}\n"
        before = self.scanner_log().count(listed)
        self.begin_scan(library)
        await_true(lambda: self.scanner_log().count(listed) > before)

    def scanner_log(self) -> str:
        return self.plex.logs.scanner.path.read_text()

    def library(self, key: int):  # type: ignore[no-untyped-def]
        return next(entry for entry in self.control().libraries(timeout_s=5.0) if entry.key == str(key))


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    with PlexSimulator(tmp_path / "Plex Media Server") as plex:
        yield Stand(plex, tmp_path)


@contextmanager
def protecting(stand: Stand) -> Iterator[tuple[Protector, Callable[[str], None]]]:
    """Call a protector as the watchdog's loop does, "hold" or "release" as it is told."""
    protector = Protector("films", stand.world(), stand.ports)
    wanted = {"call": "hold"}
    ended = threading.Event()

    def loop() -> None:
        while not ended.wait(0.05):
            if wanted["call"] == "hold":
                protector.hold("stale")
            elif protector.release():
                wanted["call"] = ""

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield protector, lambda call: wanted.update(call=call)
    finally:
        ended.set()
        thread.join(5.0)


# -- items lost -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cancel", ["ignored", "works", "late"])
def test_a_scan_of_a_mount_that_goes_loses_nothing_however_plex_takes_a_cancel(stand: Stand, cancel: str) -> None:
    # Some seconds, of which the hold takes a tenth where the machine is not at work for others.
    stand.plex.set(file_s=0.4, cancel="ignored" if cancel == "ignored" else "works", cancel_s=0.5 if cancel == "late" else 0.0)
    stand.begin_scan_of_files(stand.films)
    stand.lose()
    with protecting(stand) as (_, call):
        await_true(lambda: stand.hold().is_set, timeout_s=10.0)
        stand.plex.wait_for_scans(20.0)
        assert stand.count(stand.films) == FILMS
        stand.regain()
        call("release")
        await_true(lambda: stand.settings()[EMPTY_TRASH] == "true", timeout_s=30.0)
    # The next scan of one folder, which looks at no other, would make an end of all that is still marked.
    (stand.mount / "New").mkdir()
    stand.plex.scan(stand.films, path=stand.mount / "New")
    assert stand.count(stand.films) == FILMS


def test_the_same_scan_loses_items_without_protection(stand: Stand) -> None:
    stand.plex.set(file_s=0.05)
    stand.begin_scan(stand.films)
    stand.lose()
    stand.plex.wait_for_scans(20.0)
    assert stand.count(stand.films) < FILMS


def test_a_scan_of_one_folder_loses_what_an_outage_has_marked_if_settings_come_back_too_early(stand: Stand) -> None:
    stand.holder().hold("stale")
    stand.lose()
    stand.plex.scan(stand.films)
    stand.regain()
    stand.releaser(by_hand=True).release()
    (stand.mount / "New").mkdir()
    stand.plex.scan(stand.films, path=stand.mount / "New")
    assert stand.count(stand.films) == 0


def test_scans_that_plex_begins_by_itself_do_not_happen_while_held_and_others_do(stand: Stand) -> None:
    stand.plex.set(scheduled_s=0.2, cancel="works")
    stand.lose()
    with protecting(stand) as (_, call):
        await_true(lambda: stand.hold().is_set)
        stand.plex.wait_for_scans()
        scanned = stand.library(stand.films).scanned_at
        stand.begin_scan(stand.clips)
        stand.plex.wait_for_scans()
        assert stand.library(stand.films).scanned_at == scanned
        assert stand.count(stand.films) == FILMS
        stand.plex.set(scheduled_s=0.0)
        stand.regain()
        call("release")
        await_true(lambda: stand.settings() == dict.fromkeys(SETTINGS, "false") | ON)


def test_a_scan_that_plex_does_not_list_is_found_by_its_library(stand: Stand) -> None:
    stand.plex.set(scans_shown=False, scan_s=3.0, cancel="works")
    stand.begin_scan(stand.films)
    stand.lose()
    holder = stand.holder()
    await_true(lambda: holder.hold("stale").kind == "held")
    stand.plex.wait_for_scans()
    assert stand.count(stand.films) == FILMS


def test_a_scan_that_does_not_end_though_cancelled_is_told_once_and_plex_is_held_all_the_same(stand: Stand) -> None:
    stand.plex.set(scan_s=60.0)
    stand.begin_scan(stand.films)
    holder = stand.holder()
    state = holder.hold("stale")
    assert (state.is_done, state.kind) == (True, "scanning")
    assert stand.settings() == dict.fromkeys(SETTINGS, "false")
    await_true(lambda: holder.hold("stale") and "plex.scan-goes-on" in stand.journal.names, timeout_s=15.0)
    for _ in range(3):
        stand.holder().hold("stale")
    assert stand.journal.names == ["plex.held", "plex.scan-goes-on"]
    assert "Films" in str(stand.journal.values("plex.scan-goes-on")["detail"])


# -- every end of ours ------------------------------------------------------------------------------------------------


class Killing:
    """A Plex that is told so many things, and then our process is gone: before the call is made, or after Plex has done it."""

    def __init__(self, plex: PlexControl, left: list[int]) -> None:
        self._plex = plex
        self._left = left

    def __getattr__(self, name: str) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            self._count()
            answer = getattr(self._plex, name)(*arguments, **options)
            self._count()
            return answer

        return call

    def _count(self) -> None:
        if not self._left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left[0] -= 1


def run_killed(stand: Stand, calls: int, work: Callable[[World], object]) -> bool:
    """Do something in a process that is killed after so many steps with Plex; return whether it came to its end."""
    pid = os.fork()
    if pid == 0:
        try:
            left = [calls]
            work(stand.world(control=lambda: Killing(stand.control(), left)))  # type: ignore[arg-type,return-value]
        finally:
            os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


def test_a_holder_that_is_killed_between_any_two_calls_is_taken_up_by_the_next(stand: Stand) -> None:
    before = stand.settings()
    for calls in range(200):
        is_over = run_killed(stand, calls, lambda world: Holder("films", world, stand.ports).hold("stale"))
        # Whoever comes next knows what was, and holds what is not.
        assert stand.holder().hold("stale").is_done
        assert stand.settings() == dict.fromkeys(SETTINGS, "false")
        assert stand.releaser().release().is_done
        assert stand.settings() == before
        if is_over:
            break
    assert calls > 10


def test_a_releaser_that_is_killed_between_any_two_calls_is_taken_up_by_the_next(stand: Stand) -> None:
    before = stand.settings()
    for calls in range(200):
        assert stand.holder().hold("stale").is_done
        is_over = run_killed(stand, calls, lambda world: Releaser("films", world, stand.ports).release())
        if calls % 2:
            # The mount goes again.
            assert stand.holder().hold("stale").is_done
            assert stand.settings() == dict.fromkeys(SETTINGS, "false")
            assert not stand.hold().theirs
        assert stand.releaser().release().is_done
        assert stand.settings() == before
        if is_over:
            break
    assert calls > 10


# -- Plex's own troubles ----------------------------------------------------------------------------------------------


def test_a_plex_that_is_away_is_held_as_soon_as_it_answers_and_before_it_scans(stand: Stand) -> None:
    stand.lose()
    stand.plex.set(scheduled_s=1.0)
    stand.plex.stop()
    with protecting(stand) as (protector, call):
        await_true(lambda: protector.state.kind == "PlexRefused")
        stand.plex.start()
        await_true(lambda: stand.hold().is_set)
        assert stand.library(stand.films).scanned_at == stand.library(stand.films).scanned_at
        stand.plex.wait_for_scans()
        assert stand.count(stand.films) == FILMS
        stand.plex.set(scheduled_s=0.0)
        stand.regain()
        call("release")
        await_true(lambda: stand.settings()[EMPTY_TRASH] == "true")


def test_a_plex_that_starts_anew_while_held_stays_held(stand: Stand) -> None:
    holder = stand.holder()
    assert holder.hold("stale").is_done
    stand.plex.restart()
    assert holder.hold("stale").is_done
    assert stand.settings() == dict.fromkeys(SETTINGS, "false")
    assert not stand.hold().theirs


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        ({"mode": "maintenance"}, "PlexMaintenance"),
        ({"mode": "error"}, "PlexFailing"),
        ({"mode": "refusing"}, "PlexRefused"),
        ({"token": "another-token-than-ours-0"}, "PlexUnauthorized"),
    ],
)
def test_what_keeps_plex_from_being_held_is_told_in_its_own_words_and_held_when_over(
    stand: Stand, trouble: dict[str, str], kind: str
) -> None:
    token = stand.plex.token
    world = stand.world(control=lambda: HttpPlex(stand.plex.url, Secret(token)))
    holder = Holder("films", world, stand.ports)
    stand.plex.set(**trouble)
    await_true(lambda: holder.hold("stale") is None or "plex.hold-failed" in stand.journal.names, timeout_s=15.0)
    assert holder.hold("stale").kind == kind
    assert stand.journal.names.count("plex.hold-failed") == 1
    assert holder.hold("stale").is_refused is (kind == "PlexUnauthorized")
    stand.plex.set(mode="healthy", token=token)
    await_true(lambda: holder.hold("stale").is_done)
    assert stand.journal.names[-1] == "plex.held"


def test_a_plex_that_takes_three_seconds_for_each_answer_is_held_and_the_loop_does_not_wait_for_it(stand: Stand) -> None:
    stand.plex.set(mode="slow", delay_s=1.0)
    protector = Protector("films", stand.world(), stand.ports)
    longest = 0.0
    deadline = time.monotonic() + 60.0
    is_held = False
    while not is_held and time.monotonic() < deadline:
        began = time.monotonic()
        is_held = protector.hold("stale")
        longest = max(longest, time.monotonic() - began)
    assert is_held
    # Well below what the watchdog of the manager allows; the wait itself is 1.5 s.
    assert longest < 10.0
    assert stand.settings() == dict.fromkeys(SETTINGS, "false")


def test_a_plex_that_is_away_after_it_was_held_is_held_and_nothing_is_told_again(stand: Stand) -> None:
    clock = FakeClock()
    holder = Holder("films", stand.world(), fake_ports(clock=clock, journal=stand.journal))
    assert holder.hold("stale").is_done
    stand.plex.set(mode="refusing")
    for _ in range(20):
        state = holder.hold("stale")
        assert (state.is_done, state.kind) == (True, "PlexRefused")
        clock.pass_time(5.0)
    stand.plex.set(mode="healthy")
    assert holder.hold("stale").kind == "held"
    assert stand.journal.names == ["plex.held"]


# -- who else has a say -----------------------------------------------------------------------------------------------


def test_what_a_person_changes_while_held_stays_and_is_told(stand: Stand) -> None:
    stand.holder().hold("stale")
    stand.plex.preferences.put({EMPTY_TRASH: "1"}, plex_pass=True)
    assert stand.holder().hold("stale").is_done
    assert stand.settings()[EMPTY_TRASH] == "true"
    assert stand.journal.values("plex.hold-overruled") == {"settings": EMPTY_TRASH}
    stand.releaser().release()
    assert stand.settings() == dict.fromkeys(SETTINGS, "false") | ON


def test_the_last_of_two_mounts_lets_go(stand: Stand) -> None:
    before = stand.settings()
    for name in ("films", "shows"):
        assert stand.holder(name).hold("stale").is_done
    assert stand.releaser("films").release().is_done
    assert stand.settings()[EMPTY_TRASH] == "false"
    assert set(stand.hold().holders) == {"shows"}
    assert stand.releaser("shows").release().is_done
    assert stand.settings() == before


def test_a_mount_that_is_not_configured_any_more_holds_nothing(stand: Stand) -> None:
    before = stand.settings()
    for name in ("films", "gone"):
        assert stand.holder(name).hold("stale").is_done
    let_go("gone", stand.world(), stand.ports)
    assert set(stand.hold().holders) == {"films"}
    let_go("films", stand.world(), stand.ports)
    assert stand.settings() == before
    told = len(stand.journal.names)
    let_go("films", stand.world(), stand.ports)
    assert len(stand.journal.names) == told


def test_nothing_is_changed_for_a_mount_on_which_no_library_lies(stand: Stand, tmp_path: Path) -> None:
    before = stand.settings()
    state = Holder("downloads", stand.world(mount=tmp_path / "downloads"), stand.ports).hold("stale")
    assert (state.is_done, state.kind) == (True, "elsewhere")
    assert stand.settings() == before
    assert not stand.hold().holders


def test_what_is_let_go_by_hand_stays_so_until_the_mount_is_proven(stand: Stand) -> None:
    before = stand.settings()
    stand.holder().hold("stale")
    assert stand.releaser(by_hand=True).release().is_done
    assert stand.settings() == before
    assert stand.holder().hold("stale").kind == "freed"
    assert stand.settings() == before
    assert stand.releaser().release().is_done
    assert stand.holder().hold("stale").kind == "held"


def test_what_is_let_go_by_hand_while_plex_is_away_is_put_back_when_it_answers(stand: Stand) -> None:
    before = stand.settings()
    stand.holder().hold("stale")
    stand.plex.set(mode="refusing")
    assert not stand.releaser(by_hand=True).release().is_done
    stand.plex.set(mode="healthy")
    protector = Protector("films", stand.world(), stand.ports)
    await_true(lambda: protector.hold("stale") and stand.settings() == before)


def test_where_the_record_cannot_be_written_no_setting_is_touched_and_scans_are_cancelled(stand: Stand) -> None:
    before = stand.settings()
    stand.plex.set(scan_s=30.0, cancel="works")
    stand.begin_scan(stand.films)
    shutil.rmtree(stand.state)
    shutil.rmtree(stand.memory)
    state = stand.holder().hold("stale")
    assert (state.is_done, state.kind) == (False, "IoFailed")
    assert stand.settings() == before
    stand.plex.wait_for_scans()


@pytest.fixture(params=["full", "read-only"])
def spoilt(request: pytest.FixtureRequest, stand: Stand) -> Iterator[Callable[[str], None]]:
    """Give the record a disk of its own, which takes nothing: rclone's cache may have filled it. Return how it is remounted."""
    run = partial(subprocess.run, check=True, timeout=10)
    run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(stand.state)])
    try:
        if request.param == "read-only":
            run(["mount", "-o", "remount,ro", str(stand.state)])
        else:
            with pytest.raises(OSError, match="No space left"):
                (stand.state / "cache").write_bytes(bytes(1 << 20))
        yield lambda options: run(["mount", "-o", f"remount,{options}", str(stand.state)])
    finally:
        run(["umount", "-l", str(stand.state)])


def test_on_a_disk_that_takes_nothing_plex_is_held_and_let_go_all_the_same(stand: Stand, spoilt: Callable[[str], None]) -> None:
    before = stand.settings()
    holder, said = stand.holder(), []
    # A pass ends at the first call of Plex's that fails, and the next one tries again.
    await_true(lambda: said.append(holder.hold("stale")) or said[-1].kind == "held", what=lambda: said[-1])  # type: ignore[func-returns-value]
    assert set(stand.settings().values()) == {"false"}
    # Another process takes it up from what is in memory, and goes on from disk when that takes something again.
    assert stand.holder("shows").hold("stale").is_done
    assert stand.releaser("shows").release().is_done
    assert stand.settings()[EMPTY_TRASH] == "false"
    spoilt("rw,size=1m")
    assert stand.releaser().release().is_done
    assert stand.settings() == before
    assert not (stand.memory / "state.json").exists()
    assert not stand.hold().before


def test_another_plex_at_the_same_address_keeps_its_settings(stand: Stand, tmp_path: Path) -> None:
    stand.holder().hold("stale")
    with PlexSimulator(tmp_path / "another") as another:
        another.preferences.put({EMPTY_TRASH: "0"}, plex_pass=True)
        world = World(
            open_plex=lambda: HttpPlex(another.url, Secret(another.token)),
            pick_affected=lambda libraries: (),
            folder=stand.state,
            memory=stand.memory,
        )
        assert Releaser("films", world, stand.ports).release().is_done
        assert another.preferences.value(EMPTY_TRASH) is False


def test_items_that_are_really_gone_keep_plex_held_until_a_person_says_so(stand: Stand) -> None:
    before = stand.settings()
    stand.holder().hold("stale")
    for film in sorted((stand.mount / "Films").iterdir())[:3]:
        film.unlink()
    stand.plex.scan(stand.films)
    releaser = stand.releaser()
    await_true(lambda: releaser.release().kind == "missing", timeout_s=20.0)
    assert stand.settings()[EMPTY_TRASH] == "false"
    assert "3 of Films" in str(stand.journal.values("plex.release-waits")["detail"])
    assert stand.releaser(by_hand=True).release().is_done
    assert stand.settings() == before


def test_settings_wait_for_the_container_to_see_the_mount_that_lives(stand: Stand) -> None:
    before = stand.settings()
    stand.holder().hold("stale")
    blind = {"why": "its container still sees the mount that is dead"}
    world = World(
        open_plex=stand.control,
        pick_affected=lambda libraries: tuple(libraries),
        find_blindness=lambda: blind["why"],
        folder=stand.state,
        memory=stand.memory,
    )
    releaser = Releaser("films", world, stand.ports)
    assert releaser.release().detail == blind["why"]
    assert stand.settings()[EMPTY_TRASH] == "false"
    blind["why"] = ""
    assert releaser.release().is_done
    assert stand.settings() == before
