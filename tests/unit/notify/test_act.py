"""The process that stays: what it keeps, when it has something sent, and what it says of itself."""

import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from plexguard.core import suite
from plexguard.core.events import Event
from plexguard.core.program import Ports
from plexguard.core.published import NotifySeen, ProbeSeen
from plexguard.core.state import StateFile
from plexguard.core.told import Told, stable_id
from plexguard.notify.act import Engine
from plexguard.notify.config import Channel, Config, Quiet
from plexguard.notify.events import CHANNEL_FAILED, CHANNEL_RECOVERED
from plexguard.notify.heartbeat import Ping, Signal
from plexguard.notify.intake import show_cursor_time
from plexguard.notify.message import Away, Refused
from plexguard.notify.orders import CLEAR, RETRY
from plexguard.notify.worker import Work
from plexguard.notify.works import World
from plexguard.speed_test.events import FAILED
from tests.fakes.ports import FakeClock, FakeHost, FakeJournal, FakeManager, FakeNotifier
from tests.unit.notify.lines import FakeSender, channel

# Nothing is folded: the events of these tests differ by their number only.
FOLD = timedelta(0)


class FakeTold:
    """The journal: a list that tests add to."""

    def __init__(self, clock: FakeClock) -> None:
        self.entries: list[Told] = []
        self.gone: set[str] = set()
        self.place = 0
        self.broken: OSError | None = None
        self._clock = clock

    def tell(self, number: int, event: Event = FAILED, **values: object) -> None:
        values = values or {"reason": "a sample", "attempt": number, "limit": 1, "day": "today"}
        cursor = f"s=1;i={number:x};b=2;m={number:x};t={number:x};x=4"
        told = Told(
            id=stable_id(cursor),
            cursor=cursor,
            at=self._clock.now(),
            event=event,
            message=event.render(values),
            values=values,
            unit="plexguard-sample.service",
            host="media",
        )
        self.entries.append(told)

    def seek(self, cursor: str) -> bool:
        self.place = next((n + 1 for n, told in enumerate(self.entries) if told.cursor == cursor), 0)
        return cursor not in self.gone

    def seek_time(self, at: datetime) -> None:
        self.place = 0

    def seek_end(self) -> str:
        self.place = len(self.entries)
        return self.entries[-1].cursor if self.entries else ""

    def read(self, limit: int) -> tuple[Told, ...]:
        if self.broken is not None:
            raise self.broken
        found = self.entries[self.place : self.place + limit]
        self.place += len(found)
        return tuple(found)

    def wait(self, timeout_s: float, *, hangups: Sequence[int] = ()) -> None:
        self._clock.pass_time(timeout_s)


class FakeWorker:
    """Does its work when it is started; or never ends."""

    pipe = -1

    def __init__(self, work: Work, *, hangs: bool = False, failure: str = "") -> None:
        self.ended, self.failure, self.was_ended = not hangs, failure, False
        if not hangs and not failure:
            work(lambda: None, lambda: True)

    def look(self) -> bool:
        return self.ended

    def end(self) -> None:
        self.was_ended = True


class House:
    def __init__(self, root: Path, **channels: Channel) -> None:
        self.root = root
        self.clock, self.journal = FakeClock(), FakeJournal()
        self.told = FakeTold(self.clock)
        self.senders = {name: FakeSender() for name in channels}
        self.pings: list[Ping] = []
        self.probe: ProbeSeen | None = None
        self.config = Config(channel=channels or {"house": channel(fold=FOLD)})
        self.senders.setdefault("house", FakeSender())
        self.start: Callable[[Work], FakeWorker] = FakeWorker
        self.started = 0
        self.engine = self.boot()

    def boot(self) -> Engine:
        """Return a new process over what the last one left."""
        ports = Ports(journal=self.journal, clock=self.clock, host=FakeHost(), manager=FakeManager(), notifier=FakeNotifier())
        self.engine = Engine(
            self.config,
            ports,
            World(
                root=self.root,
                open_journal=lambda: self.told,
                open_sender=lambda name, _: self.senders[name],
                send_ping=lambda _name, _channel, ping: self.ping(ping),
                start=self.start_worker,
                zone=lambda _: UTC,
                jitter=lambda: 0.0,
                read_probe=lambda: self.probe,
                events={event.name: event for event in suite.events()},
            ),
        )
        return self.engine

    def ping(self, ping: Ping) -> None:
        self.pings.append(ping)

    def start_worker(self, work: Work) -> FakeWorker:
        self.started += 1
        return self.start(work)

    def cycle(self, times: int = 1) -> str:
        return [self.engine.cycle() for _ in range(times)][-1]

    def taken(self, name: str = "house") -> list[int]:
        return [int(message.details["attempt"]) for message in self.senders[name].taken if message.name == FAILED.name]

    @property
    def seen(self) -> NotifySeen:
        seen = StateFile(self.root / "state.json", NotifySeen, schema=1, journal=self.journal).load()
        assert seen is not None
        return seen


def test_what_was_told_before_the_first_start_is_not_delivered(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.told.tell(1)
    house.cycle()
    house.told.tell(2)

    assert house.cycle(2) == "1 channel"
    assert house.taken() == [2]


def test_journal_without_an_entry_is_followed_from_its_beginning(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cycle()
    house.boot()
    house.told.tell(1)

    house.cycle(2)

    assert house.taken() == [1]


def test_what_was_told_while_it_was_off_is_delivered(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cycle()
    house.told.tell(1)
    house.cycle()
    house.told.tell(2)
    house.boot()

    house.cycle(2)

    assert house.taken() == [1, 2]


def test_new_channel_is_told_what_comes_from_now_on(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cycle()
    house.told.tell(1)
    house.cycle(2)
    house.config = Config(channel={"house": channel(fold=FOLD), "phone": channel(fold=FOLD)})
    house.senders["phone"] = FakeSender()
    house.boot()
    house.cycle()
    house.told.tell(2)
    house.cycle(2)

    assert (house.taken(), house.taken("phone")) == ([1, 2], [2])


def test_nothing_to_send_starts_no_worker(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cycle(50)
    before = house.started
    house.told.tell(1)
    house.cycle(50)

    assert (before, house.started) == (0, 1)


def test_quiet_hours_start_a_worker_for_what_cannot_wait_only(tmp_path: Path) -> None:
    house = House(tmp_path, house=channel(fold=FOLD, quiet=Quiet(begin=time(11), end=time(13))))
    house.cycle()
    house.told.tell(1)
    house.cycle(2)
    before = house.started
    for number in range(2, 30):
        house.told.tell(number)
        house.cycle()
    assert (house.started, house.taken()) == (before, [])
    assert house.seen.channels[0].state == "quiet"
    house.clock.wall += timedelta(hours=1)
    house.cycle(2)
    assert house.taken() == list(range(1, 30))


def test_lost_place_in_the_journal_is_told_once(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cycle()
    house.told.tell(1)
    house.cycle()
    house.told.gone.add(house.told.entries[0].cursor)
    house.told.entries.clear()
    house.told.tell(5)
    house.boot()

    house.cycle(3)

    assert house.taken() == [1, 5]
    assert house.journal.names == ["notify.journal-gap"]


def test_journal_that_cannot_be_read_is_told_once_and_read_on_later(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cycle()
    house.told.broken = OSError(5, "Input/output error")
    house.told.tell(1)
    house.cycle(10)
    house.told.broken = None

    house.cycle(2)

    assert house.taken() == [1]
    assert house.journal.names == ["notify.spool-failed", "notify.spool-recovered"]


def test_one_channel_that_hangs_holds_no_other_and_is_ended(tmp_path: Path) -> None:
    house = House(tmp_path, house=channel(fold=FOLD), phone=channel(fold=FOLD))
    house.cycle()
    hung: list[FakeWorker] = []

    def start(work: Work) -> FakeWorker:
        worker = FakeWorker(work, hangs=not hung)
        hung.extend([worker] if not worker.ended else [])
        return worker

    house.cycle(3)
    house.start = start
    house.told.tell(1)
    house.cycle(10)
    assert (house.taken(), house.taken("phone")) == ([], [1])
    house.cycle(70)
    assert hung[0].was_ended
    house.cycle(20)
    assert house.taken() == [1]


def test_worker_that_fails_is_not_started_again_at_once(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cycle(2)
    house.start = lambda work: FakeWorker(work, failure="Failed to write: No space left on device")
    house.told.tell(1)
    before = house.started
    for _ in range(5):
        house.cycle()
    assert house.started == before + 1
    assert house.seen.channels[0].state == "failed"
    assert "No space left" in house.seen.channels[0].reason


def test_outage_is_published_and_tried_again_when_it_is_time(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cycle(2)
    house.senders["house"].judge = lambda _: Away("no answer")
    house.told.tell(1)
    house.cycle(3)
    (one,) = house.seen.channels
    assert (one.state, one.waiting, one.reason) == ("failed", 1, "no answer")
    assert one.oldest == house.told.entries[0].at
    house.senders["house"].judge = lambda _: None
    house.cycle(20)
    assert house.taken() == [1]
    assert house.seen.channels[0].state == "well"


def test_order_to_try_again_and_to_forget(tmp_path: Path) -> None:
    house = House(tmp_path, house=channel(fold=FOLD), phone=channel(fold=FOLD))
    house.cycle(2)
    for sender in house.senders.values():
        sender.judge = lambda _: Away("no answer")
    house.told.tell(1)
    house.cycle(400)
    for sender in house.senders.values():
        sender.judge = lambda _: None
    (tmp_path / "requests" / f"{CLEAR}.house").touch()
    (tmp_path / "requests" / f"{RETRY}.phone").touch()
    (tmp_path / "requests" / "nonsense").touch()

    house.cycle(2)

    assert (house.taken(), house.taken("phone")) == ([], [1])
    assert not list((tmp_path / "requests").iterdir())


def test_end_of_what_was_told_is_told_though_the_queue_was_cleared_meanwhile(tmp_path: Path) -> None:
    house = House(tmp_path, house=channel(fold=FOLD, min_priority="err"))
    house.cycle()
    house.told.tell(1, CHANNEL_FAILED, channel="phone", reason="no answer")
    house.cycle(2)
    (tmp_path / "requests" / f"{CLEAR}.house").touch()
    house.cycle(2)
    house.told.tell(2, CHANNEL_RECOVERED, channel="phone", downtime_s=60.0)
    house.cycle(2)

    (failed, recovered) = house.senders["house"].taken
    assert recovered.problem_id == failed.id


def test_new_channel_is_told_nothing_of_a_long_past_that_is_still_being_read(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cycle()
    for number in range(1, 10_101):
        house.told.tell(number)
    house.config = Config(channel={"house": channel(fold=FOLD, min_priority="err"), "phone": channel(fold=FOLD)})
    house.senders["phone"] = FakeSender()
    house.boot()
    house.cycle(2)
    house.told.tell(10_101)
    house.cycle(3)

    assert house.taken("phone") == [10_101]


def test_switch_that_becomes_a_channel_of_messages_begins_there(tmp_path: Path) -> None:
    house = House(tmp_path, house=channel(kind="ping"))
    house.probe = ProbeSeen(verdict="healthy", checked=house.clock.moment())
    house.cycle(2)
    for number in range(1, 4):
        house.told.tell(number)
    house.cycle(100)
    house.config = Config(channel={"house": channel(fold=FOLD)})
    house.boot()
    house.told.tell(4)
    house.cycle(3)

    assert house.taken() == [4]


def test_outage_in_quiet_hours_starts_no_worker_for_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, house=channel(fold=FOLD, quiet=Quiet(begin=time(12, 30), end=time(13))))
    house.cycle()
    house.senders["house"].judge = lambda _: Away("no answer")
    house.told.tell(1)
    house.cycle(3)
    house.clock.pass_time(1800)
    house.cycle(2)
    before = house.started
    house.cycle(50)
    assert house.started == before
    # What may not wait is tried, and goes on being tried.
    house.told.tell(2, CHANNEL_FAILED, channel="phone", reason="no answer")
    house.cycle(10)
    assert house.started >= before + 2
    house.senders["house"].judge = lambda _: None
    house.cycle(20)

    assert [message.name for message in house.senders["house"].taken] == [FAILED.name, CHANNEL_FAILED.name]


def test_end_of_an_outage_is_told_though_the_queue_was_cleared_meanwhile(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cycle()
    house.senders["house"].judge = lambda _: Refused("401")
    house.told.tell(1)
    house.cycle(2)
    house.senders["house"].judge = lambda _: None
    (tmp_path / "requests" / f"{CLEAR}.house").touch()
    house.cycle(10)
    before = house.started
    house.cycle(50)
    assert (house.started, house.taken()) == (before, [])
    house.told.tell(2)
    house.cycle(2)

    assert house.taken() == [2]
    assert house.journal.names == ["notify.channel-failed", "notify.channel-recovered"]


def test_spool_that_is_gone_is_begun_anew(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cycle()
    for number in range(1, 50):
        house.told.tell(number)
    house.cycle(2)
    for file in (tmp_path / "spool").iterdir():
        file.unlink()
    house.boot()
    house.cycle()
    house.told.tell(50)
    house.cycle(2)
    assert house.taken() == list(range(1, 51))


def test_channel_whose_state_is_spoilt_is_told_rather_twice_than_never(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cycle()
    for number in range(1, 5):
        house.told.tell(number)
    house.cycle(2)
    (tmp_path / "channels/house.json").write_text("{torn")
    house.boot()

    house.cycle(3)

    assert house.taken() == [1, 2, 3, 4] * 2
    assert house.journal.names == ["state.set-aside"]


def test_state_of_one_channel_that_cannot_be_read_holds_no_other(tmp_path: Path) -> None:
    house = House(tmp_path, house=channel(fold=FOLD), phone=channel(fold=FOLD))
    house.cycle()
    spoilt = tmp_path / "channels/house.json"
    kept = spoilt.read_text()
    spoilt.unlink()
    spoilt.mkdir()
    house.boot()
    for name in house.config.channel:
        (tmp_path / "requests" / f"{RETRY}.{name}").touch()
    house.told.tell(1)
    house.cycle(5)
    assert (house.taken(), house.taken("phone")) == ([], [1])
    assert (house.journal.names, len(list((tmp_path / "requests").iterdir()))) == (["notify.spool-failed"], 1)
    spoilt.rmdir()
    spoilt.write_text(kept)
    house.cycle(3)

    assert (house.taken(), house.journal.names[1:]) == ([1], ["notify.spool-recovered"])
    assert not list((tmp_path / "requests").iterdir())


def test_spool_that_is_gone_while_it_runs_loses_nothing(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cycle()
    house.told.tell(1)
    house.cycle(2)
    shutil.rmtree(tmp_path / "spool")
    house.told.tell(2)
    house.cycle(4)
    house.told.tell(3)
    house.cycle(2)

    assert house.taken() == [1, 2, 3]


def test_folder_of_the_states_that_is_gone_is_made_again(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cycle()
    house.told.tell(1)
    house.cycle(2)
    shutil.rmtree(tmp_path / "channels")
    house.told.tell(2)
    house.cycle(2)

    assert house.taken() == [1, 2]
    assert (tmp_path / "channels/house.json").exists()


def test_channel_that_was_taken_out_is_new_when_it_comes_back(tmp_path: Path) -> None:
    house = House(tmp_path, house=channel(fold=FOLD), phone=channel(fold=FOLD))
    house.cycle()
    both = house.config
    house.config = Config(channel={"house": channel(fold=FOLD)})
    house.boot()
    house.told.tell(1)
    house.cycle(2)
    house.config = both
    house.boot()
    house.cycle()
    house.told.tell(2)
    house.cycle(2)

    assert (house.taken(), house.taken("phone")) == ([1, 2], [2])


def test_what_all_have_passed_is_deleted_and_what_is_too_much_is_told(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.config = Config(channel=house.config.channel, spool_limit=1 << 20)
    house.boot()
    house.cycle(2)
    house.senders["house"].judge = lambda _: Away("no answer")
    for number in range(1, 6000):
        house.told.tell(number)
    house.cycle(10)
    assert "notify.dropped" in house.journal.names
    house.senders["house"].judge = lambda _: None
    house.cycle(200)
    gone = next(message for message in house.senders["house"].taken if message.name == "notify.dropped")
    assert gone.count + len(house.taken()) == 5999
    assert house.taken()[-1] == 5999
    assert len(list((tmp_path / "spool").glob("*.jsonl"))) == 1


# -- the dead man's switch


def test_dead_mans_switch_hears_start_success_and_trouble_at_once(tmp_path: Path) -> None:
    house = House(tmp_path, switch=channel(kind="ping"))
    house.probe = ProbeSeen(verdict="healthy", checked=house.clock.moment())
    house.cycle(3)
    for _ in range(130):
        house.probe = ProbeSeen(verdict="healthy", checked=house.clock.moment())
        house.cycle()
    assert [ping.signal for ping in house.pings] == [Signal.START, Signal.SUCCESS, Signal.SUCCESS]
    house.probe = ProbeSeen(verdict="hung", found_in_row=1, checked=house.clock.moment())
    house.cycle()
    assert len(house.pings) == 3
    house.probe = ProbeSeen(verdict="hung", detail="no answer", found_in_row=2, checked=house.clock.moment())
    house.cycle(2)
    assert house.pings[-1] == Ping(signal=Signal.FAIL, reason="Plex: hung: no answer")
    assert len(house.pings) == 4


def test_dead_mans_switch_hears_of_a_probe_that_looks_no_more(tmp_path: Path) -> None:
    house = House(tmp_path, switch=channel(kind="ping"))
    house.probe = ProbeSeen(verdict="healthy", checked=house.clock.moment())
    house.cycle(300)
    assert house.pings[-1].signal is Signal.FAIL


def test_time_of_a_cursor_is_shown() -> None:
    assert show_cursor_time("s=1;t=63f1a2b3c4d5e;x=1").startswith("2025-")
    assert show_cursor_time("nonsense") == "an unknown time"
