"""Sending: pacing, batches, what is rejected and whose fault that is, and what waits for how long."""

from collections.abc import Callable, Sequence
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.core import suite
from plexguard.core.errors import IoFailed
from plexguard.core.state import MAX_STATE_BYTES, StateFile
from plexguard.notify.config import Channel
from plexguard.notify.deliver import Delivery, Outside, rejected_events
from plexguard.notify.line import Line
from plexguard.notify.message import Away, Busy, Message, Refused, Rejected
from plexguard.notify.past import Past
from plexguard.notify.spool import Spool, SpoolReader
from plexguard.notify.state import ChannelState, open_state
from tests.fakes.ports import FakeClock, FakeJournal
from tests.unit.notify.lines import FakeSender, channel, line

EVENTS = {event.name: event for event in suite.events()}


class House:
    """A spool, a channel and its receiver. Its worker can be started as often as wanted."""

    def __init__(self, root: Path, sender: FakeSender, one: Channel | None = None) -> None:
        self.root, self.sender, self.channel = root, sender, one or channel()
        self.clock, self.journal = FakeClock(), FakeJournal()
        self.spool = Spool(root / "spool", limit_bytes=1 << 30)
        self.spool.open(lambda: "")
        (root / "channels").mkdir()
        self.go_on: Callable[[], bool] = lambda: True
        self.signs = 0

    @property
    def file(self) -> StateFile[ChannelState]:
        return open_state(self.root, "house", self.journal)

    @property
    def state(self) -> ChannelState:
        state = self.file.load()
        assert state is not None
        return state

    @property
    def taken(self) -> list[str]:
        return [message.id for message in self.sender.taken]

    def tell(self, *lines: Line) -> None:
        self.spool.append(lines)

    def tell_numbers(self, first: int, last: int) -> None:
        self.tell(*(line(n) for n in range(first, last + 1)))

    def run(self) -> ChannelState:
        def sign() -> None:
            self.signs += 1

        outside = Outside(
            clock=self.clock,
            journal=self.journal,
            open_sender=lambda: self.sender,
            zone=UTC,
            events=EVENTS,
            sign=sign,
            go_on=lambda: self.go_on(),
            jitter=lambda: 0.0,
        )
        reader = SpoolReader(self.root / "spool")
        Delivery(
            "house",
            self.channel,
            root=self.root,
            file=self.file,
            reader=reader,
            outside=outside,
            state=ChannelState(past=Past(position=1)),
        ).run()
        return self.state


def ids(first: int, last: int) -> list[str]:
    return [f"id-{n}" for n in range(first, last + 1)]


def rejecting(*bad: str, all_of_them: bool = False) -> Callable[[Sequence[Message]], Exception | None]:
    return lambda messages: Rejected("422: no") if all_of_them or {message.id for message in messages} & set(bad) else None


def test_everything_is_delivered_in_batches_and_counted(tmp_path: Path) -> None:
    house = House(tmp_path, FakeSender(batch=10))
    house.tell_numbers(1, 25)

    state = house.run()

    assert house.taken == ids(1, 25)
    assert (house.sender.calls, state.delivered, state.past.position, state.looked) == (3, 25, 26, 26)
    assert house.signs == 3


def test_calls_keep_their_distance(tmp_path: Path) -> None:
    house = House(tmp_path, FakeSender())
    house.tell_numbers(1, 5)

    house.run()

    assert house.clock.slept == [pytest.approx(0.1)] * 4


def test_outage_keeps_everything_and_waits_longer_each_time(tmp_path: Path) -> None:
    house = House(tmp_path, FakeSender(lambda _: Away("no answer")))
    house.tell_numbers(1, 3)

    waits = []
    for _ in range(10):
        outage = house.run().outage
        assert outage is not None
        waits.append(outage.wait_s)
        house.clock.pass_time(outage.wait_s)

    assert waits == [5, 10, 20, 40, 80, 160, 320, 600, 600, 600]
    assert house.journal.names == ["notify.channel-failed"]
    house.sender.judge = lambda _: None
    assert house.run().outage is None
    assert house.taken == ids(1, 3)
    assert house.journal.names == ["notify.channel-failed", "notify.channel-recovered"]
    assert house.journal.values("notify.channel-recovered")["downtime_s"] == pytest.approx(sum(waits), abs=1)


def test_short_outage_is_nobodys_matter(tmp_path: Path) -> None:
    house = House(tmp_path, FakeSender(lambda _: Away("no answer")))
    house.tell_numbers(1, 3)
    house.run()
    house.clock.pass_time(5)
    house.sender.judge = lambda _: None

    house.run()

    assert (house.taken, house.journal.names) == (ids(1, 3), [])


def test_wrong_configuration_is_told_at_once_and_keeps_everything(tmp_path: Path) -> None:
    house = House(tmp_path, FakeSender(lambda _: Refused("401: who are you")))
    house.tell_numbers(1, 3)

    house.run()
    house.run()

    assert house.journal.names == ["notify.channel-failed"]
    assert house.state.past.position == 1


@pytest.mark.parametrize(("asked_s", "waits_s"), [(30.0, 30.0), (1.0, 5.0), (None, 5.0), (1e9, 3600.0)])
def test_busy_service_is_left_alone_as_long_as_it_asks_within_reason(tmp_path: Path, asked_s: float | None, waits_s: float) -> None:
    house = House(tmp_path, FakeSender(lambda _: Busy("429", retry_after_s=asked_s)))
    house.tell_numbers(1, 1)

    outage = house.run().outage

    assert outage is not None and outage.wait_s == waits_s


@pytest.mark.parametrize("batch", [1, 3, 10, 64])
def test_event_that_is_rejected_while_others_are_taken_is_set_aside(tmp_path: Path, batch: int) -> None:
    house = House(tmp_path, FakeSender(rejecting("id-7", "id-8", "id-20"), batch=batch))
    house.tell_numbers(1, 40)

    state = house.run()

    assert house.taken == [i for i in ids(1, 40) if i not in ("id-7", "id-8", "id-20")]
    assert (state.rejected, state.delivered, state.past.position) == (3, 37, 41)
    assert [kept.id for kept in rejected_events(tmp_path).read()] == ["id-7", "id-8", "id-20"]
    assert house.journal.names == ["notify.event-rejected"] * 3


@pytest.mark.parametrize("batch", [1, 10])
def test_service_that_rejects_everything_is_a_failed_channel_and_loses_nothing(tmp_path: Path, batch: int) -> None:
    house = House(tmp_path, FakeSender(rejecting(all_of_them=True), batch=batch))
    house.tell_numbers(1, 40)

    state = house.run()

    assert (state.rejected, state.past.position, rejected_events(tmp_path).read()) == (0, 1, ())
    assert state.outage is not None and state.outage.kind == "rejected"
    house.sender.judge = lambda _: None
    house.run()
    assert house.taken == ids(1, 40)


def test_last_event_that_is_rejected_waits_for_one_that_is_taken(tmp_path: Path) -> None:
    house = House(tmp_path, FakeSender(rejecting("id-2")))
    house.tell_numbers(1, 2)
    assert house.run().past.position == 2
    assert house.state.rejected == 0

    house.tell_numbers(3, 3)

    assert (house.run().rejected, house.taken) == (1, ["id-1", "id-3"])


def test_many_rejected_ones_in_a_row_are_got_over_in_the_end(tmp_path: Path) -> None:
    house = House(tmp_path, FakeSender(rejecting(*ids(1, 100)), batch=10))
    house.tell_numbers(1, 101)

    for _ in range(6):
        house.run()

    assert (house.taken, house.state.rejected) == (["id-101"], 100)


def test_all_rejected_events_are_a_file_that_can_be_read_again(tmp_path: Path) -> None:
    house = House(tmp_path, FakeSender(rejecting("id-1", "id-2")))
    for n in range(1, 3):
        house.tell(line(n, message="\U0001f600" * 4000))
    house.tell_numbers(3, 3)

    house.run()

    kept = rejected_events(tmp_path)
    assert kept.path.stat().st_size / len(kept.read()) * 1000 < MAX_STATE_BYTES


def test_word_about_a_rejected_event_that_is_rejected_too_is_not_told_for_ever(tmp_path: Path) -> None:
    house = House(tmp_path, FakeSender(rejecting("id-1")))
    house.tell(line(1, name="notify.event-rejected"), line(2))

    house.run()

    assert (house.state.rejected, house.journal.names) == (1, [])


def test_state_that_cannot_be_kept_sends_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, FakeSender())
    house.tell_numbers(1, 3)
    (tmp_path / "channels").rmdir()

    with pytest.raises(IoFailed):
        house.run()

    assert house.sender.calls == 0


def test_outage_is_over_a_reboot_and_a_clock_that_was_set_back_still_one(tmp_path: Path) -> None:
    house = House(tmp_path, FakeSender(lambda _: Away("no answer")))
    house.tell_numbers(1, 1)
    outage = house.run().outage
    assert outage is not None
    house.clock.wall = house.clock.wall.replace(year=2001)
    assert outage.wait_left_s(house.clock.moment()) == 5.0
    house.clock.reboot(down_s=-86400.0)
    house.clock.pass_time(5)
    assert outage.wait_left_s(house.clock.moment()) == 0.0


class Killed(BaseException):
    """The process ended there and then."""


@given(
    deaths=st.lists(st.integers(0, 12), max_size=12),
    bad=st.sets(st.integers(1, 39), max_size=5),
    batch=st.integers(1, 12),
    moods=st.lists(st.sampled_from(["ok", "ok", "away", "busy"]), max_size=20),
)
def test_killed_anywhere_everything_arrives_in_order(
    tmp_path_factory: pytest.TempPathFactory, deaths: list[int], bad: set[int], batch: int, moods: list[str]
) -> None:
    """deaths: after how many calls the worker dies, with the messages sent and nothing kept of that."""
    turns, left = iter(moods), [0]
    reject = rejecting(*(f"id-{n}" for n in bad))
    died = [False]

    def judge(messages: Sequence[Message]) -> Exception | None:
        match next(turns, "ok"):
            case "away":
                return Away("no answer")
            case "busy":
                return Busy("429")
        return reject(messages)

    class DyingSender(FakeSender):
        def send(self, messages: Sequence[Message]) -> None:
            super().send(messages)
            left[0] -= 1
            if left[0] == 0:
                died[0] = True
                raise Killed

    house = House(tmp_path_factory.mktemp("house"), DyingSender(judge, batch=batch))
    house.tell_numbers(1, 40)
    house.file.save(ChannelState(past=Past(position=1)))
    pending = iter(deaths)
    for _ in range(100):
        left[0] = next(pending, -1)
        try:
            house.run()
        except Killed:
            continue
        if house.state.past.position == 41:
            break

    assert list(dict.fromkeys(house.taken)) == [i for i in ids(1, 40) if int(i[3:]) not in bad]
    assert {kept.id for kept in rejected_events(house.root).read()} == {f"id-{n}" for n in bad}
