"""The loop with fakes around it: what is done in which order, what is on disk when, and what another takes up."""

import dataclasses
import json

import pytest

from plexguard.core.errors import IoFailed
from plexguard.core.published import MountSeen
from plexguard.core.records import decode
from plexguard.core.state import StateFile
from plexguard.rclone_watchdog.config import Config
from plexguard.rclone_watchdog.decide import State
from plexguard.rclone_watchdog.observe import Outcome, Question
from plexguard.rclone_watchdog.schedule import CACHE_S
from plexguard.rclone_watchdog.watch import ACCEPT, STATE_SCHEMA, GaveUp, OldCredentials, Watch, World, describe, shrink
from tests.fakes.ports import FakeManager, fake_ports
from tests.unit.rclone_watchdog.simulated import HANGS, MOUNT, NAME, REMOTE, STORAGE, WELL, Simulated, Way


class Died(BaseException):
    """The program is killed."""


class Watched:
    """The real loop over a simulated mount. done: what was done, in order. dies_at: before which of these the program is killed."""

    def __init__(self, folder, sim=None):
        self.sim = sim or Simulated(starts_proven=False)
        self.folder = folder
        self.done: list[str] = []
        self.dies_at: int | None = None
        self.may_hold = True
        self.is_refused = False
        self.began_anew = 0
        self.hint = 0
        self.manager = FakeManager()
        self.ports = fake_ports(clock=self.sim.clock, manager=self.manager)
        self.journal = self.ports.journal
        send = self.journal.send
        self.journal.send = lambda event, /, **values: (self._do(f"tell {event.name}"), send(event, **values))[1]
        self.watch = self.begin()

    def begin(self) -> Watch:
        file = StateFile(self.folder / "state.json", State, schema=STATE_SCHEMA, journal=self.journal)
        save = file.save
        self.saved = file
        file.save = lambda state: (self._do("save"), save(state))[1]
        world = World(prober=self.sim, protector=self, hands=self, folder=self.folder, read_hint=lambda: self.hint)
        return Watch(NAME, self.sim.mount, Config(), self.ports, world, file)

    def begin_anew(self) -> None:
        self.sim.asked.clear()
        self.sim.last.clear()
        self.dies_at = None
        self.watch = self.begin()

    def _do(self, what: str) -> None:
        if self.dies_at is not None and len(self.done) >= self.dies_at:
            raise Died
        self.done.append(what)

    # protector
    def hold(self, why):
        self._do("hold")
        return self.may_hold

    def release(self):
        self._do("release")
        return True

    # hands
    def refresh(self):
        self._do("refresh")

    def abort(self, device):
        self._do("abort")
        self.sim.abort()

    def kill(self, pid):
        self._do("kill")
        self.sim.kill()

    def start(self):
        self._do("start")
        self.sim.start()

    def cover(self):
        self._do("cover")

    def look_inside(self):
        self._do("inside")

    def cycle(self) -> str:
        self.manager.units[self.sim.unit.name] = self.sim.unit
        try:
            return self.watch.cycle()
        except OldCredentials:
            # As the manager does.
            self.began_anew += 1
            self.begin_anew()
            return ""

    def run(self, seconds):
        end_s = self.sim.now_s + seconds
        line = ""
        while self.sim.now_s < end_s:
            line = self.cycle()
        return line

    def run_until(self, condition, *, within_s=120.0):
        began_s = self.sim.now_s
        while not condition():
            assert self.sim.now_s - began_s < within_s, (self.watch.state, self.done[-20:])
            self.cycle()
        return self.sim.now_s - began_s

    @property
    def told(self):
        return [what.removeprefix("tell ") for what in self.done if what.startswith("tell ")]

    def on_disk(self):
        return json.loads((self.folder / "state.json").read_text())


@pytest.fixture
def watched(tmp_path):
    made = Watched(tmp_path)
    made.run_until(lambda: made.watch.state.verdict.is_proven and not made.watch.state.is_held)
    made.run(30.0)
    made.done.clear()
    return made


def hang_the_mount(watched):
    """Its storage is away and back, and a reader is stuck."""
    watched.run_until(lambda: Question.THROUGH in watched.sim.asked)
    watched.sim.set(HANGS, *REMOTE)
    watched.run(30.0)
    watched.sim.set(WELL, *STORAGE, Question.DIRECT)


def test_it_is_ready_when_bytes_were_read_and_not_before(tmp_path):
    watched = Watched(tmp_path)
    watched.sim.set(Way(Outcome.FAILED, 0.1), *REMOTE)
    watched.run(600.0)
    assert not watched.watch.is_ready()
    watched.sim.set(WELL, *REMOTE)
    watched.run_until(watched.watch.is_ready, within_s=15.0)
    assert watched.watch.state.verdict.is_proven


def test_plex_is_held_before_anything_else_is_done(watched):
    hang_the_mount(watched)
    watched.run_until(lambda: "kill" in watched.done)

    assert next(what for what in watched.done if what != "save") == "hold"
    at = watched.done.index("abort")
    assert watched.done[at - 3 : at + 2] == ["hold", "save", "tell mount.remounting", "abort", "kill"]


def test_a_remount_is_counted_on_disk_before_it_is_made(watched):
    hang_the_mount(watched)
    watched.run_until(lambda: "tell mount.remounting" in watched.done)
    watched.run(0.0)
    assert watched.on_disk()["remounts_total"] == 1


def test_a_remount_that_cannot_be_counted_is_not_made(watched):
    def fail(state):
        raise IoFailed("Failed to write state.json: No space left on device")

    hang_the_mount(watched)
    watched.saved.save = fail
    line = watched.run(60.0)
    assert "kill" not in watched.done
    assert "mount.remounting" not in watched.told
    assert "No space left" in line


def test_plex_is_held_before_a_mount_is_cut_unless_it_does_not_answer(watched):
    watched.may_hold = False
    watched.sim.kernel = dataclasses.replace(watched.sim.kernel, rclone_state="T")
    began_s = watched.sim.now_s
    watched.run_until(lambda: "kill" in watched.done)
    assert watched.sim.now_s - began_s >= 15.0
    assert watched.told.count("mount.hung") == 1


@pytest.mark.parametrize("kill_after", range(30))
def test_whoever_is_killed_between_two_steps_is_taken_up(tmp_path, kill_after):
    watched = Watched(tmp_path)
    watched.run_until(lambda: watched.watch.state.verdict.is_proven and not watched.watch.state.is_held)
    watched.run(30.0)
    hang_the_mount(watched)
    watched.done.clear()
    watched.dies_at = kill_after
    try:
        watched.run(60.0)
    except Died:
        watched.begin_anew()

    watched.run_until(lambda: watched.watch.state.verdict.is_proven and not watched.watch.state.is_held)
    # At most one try more than without the kill, none uncounted, nothing told twice, and Plex is let go at the end.
    assert watched.done.count("kill") <= 2
    assert watched.on_disk()["remounts_total"] >= watched.done.count("kill")
    assert watched.told.count("mount.hung") <= 1
    assert watched.told.count("mount.proven") <= 1
    assert "release" in watched.done


def test_plex_is_let_go_by_the_next_one_after_a_hold_that_was_not_written_down(watched):
    watched.sim.set(Way(Outcome.REFUSED, 0.1, "403 Forbidden"), *REMOTE)
    watched.run_until(lambda: watched.watch.state.checked == watched.sim.moment())
    watched.done.clear()
    watched.dies_at = 1
    with pytest.raises(Died):
        watched.run(60.0)
    assert (watched.done, watched.on_disk()["is_held"]) == (["hold"], False)

    watched.sim.set(WELL, *REMOTE)
    watched.begin_anew()
    watched.run_until(lambda: watched.watch.state.verdict.is_proven and not watched.watch.state.is_held)
    assert "release" in watched.done


def test_a_watchdog_that_gave_up_ends_and_the_next_one_waits_for_the_storage(watched):
    watched.sim.restart_s = None
    watched.sim.unmount()
    watched.sim.kill(result="exit-code")
    watched.sim.set(Way(Outcome.FAILED, 0.1), Question.DIRECT)
    with pytest.raises(GaveUp):
        watched.run(300.0)

    watched.begin_anew()
    watched.run(600.0)
    assert not watched.watch.is_ready()
    assert watched.told.count("mount.gave-up") == 1
    assert watched.done.count("start") == 3

    watched.sim.restart_s = 3.0
    watched.sim.set(WELL, Question.DIRECT)
    assert watched.run_until(watched.watch.is_ready) <= 15.0
    assert watched.told[-1] == "mount.proven"


def test_credentials_that_the_storage_refuses_are_read_anew_when_the_mount_is_given_up(tmp_path):
    watched = Watched(tmp_path)
    watched.sim.restart_s = None
    watched.sim.unmount()
    watched.sim.kill(result="exit-code")
    watched.sim.set(Way(Outcome.REFUSED, 0.1, "403 Forbidden"), Question.DIRECT)
    watched.run_until(lambda: watched.began_anew == 1, within_s=300.0)
    watched.run(600.0)
    assert watched.told.count("mount.gave-up") == 1
    # Its unit starts in vain each time, and so it is not started for nothing.
    assert watched.done.count("start") == 3


def test_a_token_that_plex_refuses_is_read_anew_while_plex_should_be_held(watched):
    watched.sim.set(HANGS, *REMOTE)
    watched.may_hold, watched.is_refused = False, True
    watched.run_until(lambda: watched.began_anew == 1)
    watched.is_refused = False
    watched.run(600.0)
    assert watched.began_anew == 1


def test_nobody_is_let_down_for_credentials_while_the_mount_is_proven(watched):
    watched.is_refused = True
    watched.run(600.0)
    assert watched.began_anew == 0


def test_one_that_was_never_ready_gives_up_aloud_and_goes_on_waiting(tmp_path):
    watched = Watched(tmp_path)
    watched.sim.restart_s = None
    watched.sim.unmount()
    watched.sim.kill(result="exit-code")
    watched.sim.set(Way(Outcome.FAILED, 0.1), Question.DIRECT)
    watched.run(300.0)
    assert watched.told.count("mount.gave-up") == 1


def test_what_is_published_is_what_others_read(watched):
    watched.run(20.0)
    data = watched.on_disk()
    assert data.pop("schema") == STATE_SCHEMA
    seen = decode(MountSeen, data)
    assert seen.verdict == "proven"
    assert seen.path == MOUNT.mount_point
    assert seen.probes["data"] > 0
    assert seen.checked is not None
    assert watched.ports.clock.moment().seconds_since(seen.checked) <= 16.0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 99}', '{"schema": 1, "path": 3}'])
def test_a_torn_state_is_set_aside_and_begun_anew(watched, text):
    (watched.folder / "state.json").write_text(text)
    watched.begin_anew()
    watched.run_until(lambda: watched.watch.state.verdict.is_proven)
    assert watched.told == ["state.set-aside"]


def test_a_restart_of_the_watchdog_of_a_proven_mount_is_noticed_by_nobody(watched):
    for _ in range(10):
        watched.begin_anew()
        watched.run(3.0)
    assert watched.told == []
    assert "hold" not in watched.done


def test_an_administrator_can_say_that_what_is_there_is_all_there_is(watched):
    watched.sim.entries = 3
    watched.run_until(lambda: "mount.empty" in watched.told, within_s=90.0)
    watched.run(60.0)
    assert watched.watch.state.verdict.value == "empty"

    (watched.folder / ACCEPT).touch()
    watched.run_until(lambda: watched.watch.state.verdict.is_proven, within_s=15.0)
    assert "mount.accepted" in watched.told
    assert not (watched.folder / ACCEPT).exists()


def test_a_mount_that_lists_less_for_days_is_slowly_taken_for_whole(watched):
    watched.sim.entries = 11
    assert watched.watch.state.baseline == 12
    watched.sim.clock.pass_time(0.0)
    for _ in range(3):
        watched.run(120.0)
        watched.sim.clock.pass_time(86_400.0)
        watched.run(120.0)
    assert watched.watch.state.baseline == 11


@pytest.mark.parametrize(("baseline", "entries", "after"), [(1421, 1400, 1400), (1421, 1000, 1350), (12, 11, 11), (3, 1, 2)])
def test_shrink(baseline, entries, after):
    assert shrink(baseline, entries) == after


def test_a_hint_has_everything_asked_and_plex_looked_into_where_the_mount_is_well(watched):
    watched.run(30.0)
    before = dict(watched.watch.state.probes)
    watched.hint = 1
    watched.run(3.0)
    assert watched.watch.state.probes["control"] > before["control"]
    assert watched.done.count("inside") == 1
    watched.run(600.0)
    assert watched.done.count("inside") == 1


def test_a_cache_that_loses_its_room_is_read_past_at_the_next_look_though_the_last_read_was_just_now(watched):
    watched.run_until(lambda: watched.watch.state.probes.get("through", 0) > 1, within_s=300.0)
    read = watched.watch.state.probes["through"]
    watched.sim.cache = dataclasses.replace(watched.sim.cache, is_full=True, free_bytes=0)
    watched.run_until(lambda: watched.watch.state.is_cache_full, within_s=CACHE_S + 1.0)
    assert watched.watch.state.probes["through"] == read + 1


def test_the_line_of_status_says_state_latency_cache_and_last_fault(watched):
    watched.sim.set(Way(Outcome.REFUSED, 0.1, "403 Forbidden"), *REMOTE)
    line = watched.run(30.0)
    assert line.startswith("refusing: the storage refuses: 403 Forbidden")
    assert "Plex is held" in line
    watched.sim.set(WELL, *REMOTE)
    watched.run_until(lambda: watched.watch.state.verdict.is_proven)
    line = watched.run(180.0)
    assert line.startswith("proven; bytes in 0.")
    assert "cache" in line
    assert "min ago: refusing" in line


def test_a_mount_that_comes_and_goes_says_what_it_waits_for(watched):
    for _ in range(4):
        watched.sim.unmount()
        watched.sim.kill()
        watched.run_until(lambda: not watched.watch.state.verdict.is_proven)
        watched.sim.start()
        watched.run_until(lambda: watched.sim.kernel.is_mounted)
        line = watched.run(5.0)
    assert line.startswith("unknown: bytes are read again; since it was proven for moments only, that must last for 15 s")
    assert "Plex is held" in line
    watched.run_until(lambda: watched.watch.state.verdict.is_proven, within_s=12.0)
    assert "mount.unknown" not in watched.told


@pytest.mark.parametrize(("limit", "shown"), [(5 << 30, "cache 2.5G of 5G"), (None, "cache 2.5G")])
def test_describe_shows_the_cache_in_the_unit_that_its_size_is_written_in(limit, shown):
    state = dataclasses.replace(State(), cache_bytes=5 << 29, cache_limit_bytes=limit)
    assert shown in describe(state, Simulated().moment()).split("; ")


def test_describe_of_what_was_stopped_is_not_a_fault():
    sim = Simulated()
    state = dataclasses.replace(State(), is_stopped=True, is_held=True)
    assert describe(state, sim.moment()).startswith("stopped by hand")
