"""What `plexguard-proxy show` prints: how the door is, why, and what comes next. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from plexguard.core.clock import Moment
from plexguard.core.published import ProxySeen
from plexguard.core.spans import show_span
from plexguard.proxy.config import Config
from plexguard.proxy.decide import Phase, Trigger
from plexguard.proxy.runtime import Gate

# It is written down every 30 s.
_SILENT_S = 90.0
_WIDTH = 10
_BREAKER_UNIT = "plexguard-proxy-breaker.service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """published: by the breaker, None when it never has. gate: as HAProxy has it; None: fault says why it could not be asked, and
    may_ask is false when it is only that this user may not. config: None when it has mistakes. url: Plex's. absent: of the
    addresses that it is to listen at, those that this machine does not have."""

    published: ProxySeen | None
    gate: Gate | None
    fault: str
    may_ask: bool
    config: Config | None
    url: str
    absent: tuple[str, ...]
    now: datetime

    @property
    def is_away(self) -> bool:
        return self.gate is None and self.may_ask

    @property
    def is_guarded(self) -> bool:
        """Whether the breaker is at work."""
        return self._silent_s is not None and self._silent_s < _SILENT_S

    @property
    def _silent_s(self) -> float | None:
        seen = self.published.seen if self.published is not None else None
        return self.seconds_since(seen) if seen is not None else None

    def seconds_since(self, moment: Moment) -> float:
        """By the wall clock: in a container, who looks by hand sees another boot id than a unit does."""
        return max(0.0, (self.now - moment.wall).total_seconds())

    @property
    def passes(self) -> bool:
        """Whether requests reach Plex, as far as is known."""
        if self.gate is not None:
            return self.gate.lets_through
        return not self.is_away and self.is_guarded and self.published is not None and self.published.phase == Phase.CLOSED.value


def render(shown: Shown) -> str:
    return "\n".join(f"{name:<{_WIDTH}}{text}" for name, text in _rows(shown))


def _rows(shown: Shown) -> Iterator[tuple[str, str]]:
    yield from _door(shown)
    if shown.is_away:
        yield "breaker", "not known: HAProxy does not answer, and so nobody is answered at the door"
        yield "reason", shown.fault
        yield "see", "systemctl status plexguard-proxy.service"
    elif not shown.is_guarded or shown.published is None:
        yield from _unguarded(shown)
    elif shown.published.phase == Phase.CLOSED.value:
        yield "breaker", f"closed{_lasting(shown, shown.published.since)}: requests reach Plex"
    else:
        yield from _open(shown, shown.published)
    if shown.published is not None:
        yield "opened", _times(shown.published.opens)
    if shown.gate is not None:
        counters = shown.gate.counters
        yield "requests", f"{counters.good} answered by Plex, {counters.bad} failed, {counters.waits} under way"
    elif not shown.may_ask:
        yield "requests", "not known: only root and group haproxy may ask HAProxy"


def _door(shown: Shown) -> Iterator[tuple[str, str]]:
    if shown.config is None:
        yield "door", "not known: the configuration has mistakes, see plexguard-status check-config"
        return
    yield "door", f"{', '.join(map(str, shown.config.listen)) or 'nowhere'} to {shown.url}"
    if shown.absent:
        yield "", f"this machine does not have {', '.join(shown.absent)} now: there it answers as soon as it has"


def _unguarded(shown: Shown) -> Iterator[tuple[str, str]]:
    gate = shown.gate
    does = "" if gate is None else ", and lets requests through" if gate.lets_through else ", and lets no request through"
    yield "breaker", f"not at work: HAProxy goes by a simpler check of its own{does}"
    yield "see", f"systemctl status {_BREAKER_UNIT}"


def _open(shown: Shown, seen: ProxySeen) -> Iterator[tuple[str, str]]:
    half = seen.phase == Phase.HALF_OPEN.value
    lasted = _lasting(shown, seen.since)
    yield "breaker", f"half-open{lasted}: checks alone reach Plex" if half else f"open{lasted}: nothing reaches Plex"
    yield "reason", f"{seen.text} ({_trigger(seen)})" if seen.text else _trigger(seen)
    if seen.opened is not None and seen.opened != seen.since:
        yield "away", f"{_span(shown.seconds_since(seen.opened))}, as those who ask through the door see it"
    yield "callers", "get 503 at once, with the reason and when to come again; pictures come from memory"
    yield "next", _next(shown, seen)
    if seen.trigger in (Trigger.CHECKS.value, Trigger.VERDICT.value):
        yield "see", "plexguard-plex-probe --explain"
    elif seen.trigger == Trigger.TRAFFIC.value:
        yield "see", "journalctl -u plexguard-proxy.service --since -10min"


def _trigger(seen: ProxySeen) -> str:
    match seen.trigger:
        case Trigger.TRAFFIC.value:
            return "opened by requests that failed in a row"
        case Trigger.CHECKS.value:
            return "opened by checks that failed in a row"
        case Trigger.VERDICT.value:
            return "opened by what plexguard-plex-probe found"
        case _:
            return "drained by an administrator"


def _next(shown: Shown, seen: ProxySeen) -> str:
    config = shown.config or Config()
    if seen.trigger == Trigger.DRAIN.value and (shown.gate is None or shown.gate.is_drained):
        return "plexguard-proxy ready lets requests through again, after good checks"
    good = f"{config.close_after} good checks in a row let requests through"
    if seen.phase == Phase.HALF_OPEN.value:
        return good
    left_s = config.open_for.total_seconds() - (shown.seconds_since(seen.since) if seen.since is not None else 0.0)
    return f"in {_span(max(1.0, left_s))} checks look whether Plex is back; {good}"


def _lasting(shown: Shown, since: Moment | None) -> str:
    return f" for {_span(shown.seconds_since(since))}" if since is not None else ""


def _span(seconds: float) -> str:
    return show_span(timedelta(seconds=round(seconds)))


def _times(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count} times")
