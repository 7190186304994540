"""Events as the spool keeps them, and a receiver that does as it is told."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from plexguard.core.events import Priority
from plexguard.notify.config import Channel
from plexguard.notify.line import Line
from plexguard.notify.message import Limits, Message
from tests.fakes.ports import BEGIN

PROBLEM, RECOVERY = "plex.hung", "plex.recovered"


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def line(n: int, *, name: str = "speed.result", priority: Priority = Priority.INFO, s: float | None = None, **more: object) -> Line:
    fields = {
        "n": n,
        "id": f"id-{n}",
        "cursor": f"s=1;i={n:x};b=2;m=3;t={n:x};x=4",
        "at": at(n if s is None else s),
        "name": name,
        "priority": priority,
        "message": f"event {n}",
        "host": "media",
        "unit": "plexguard-sample.service",
    }
    return Line(**{**fields, **more})


def problem(n: int, *, s: float | None = None, **more: object) -> Line:
    return line(n, **{"name": PROBLEM, "priority": Priority.ERR, "s": s, **more})


def recovery(n: int, *, s: float | None = None, **more: object) -> Line:
    return line(n, **{"name": RECOVERY, "priority": Priority.NOTICE, "ends": (PROBLEM, "plex.down"), "s": s, **more})


def channel(**options: object) -> Channel:
    return Channel(**{"kind": "webhook", "url": "http://127.0.0.1:1/", "min_priority": "info", **options})


class FakeSender:
    """Takes messages, or raises what `judge` returns for them."""

    def __init__(self, judge: Callable[[Sequence[Message]], Exception | None] = lambda _: None, *, batch: int = 1) -> None:
        self.limits = Limits(batch=batch, per_second=10.0, timeout_s=5.0)
        self.judge = judge
        self.taken: list[Message] = []
        self.calls = 0

    def send(self, messages: Sequence[Message]) -> None:
        self.calls += 1
        assert 0 < len(messages) <= self.limits.batch
        if (error := self.judge(messages)) is not None:
            raise error
        self.taken += messages
