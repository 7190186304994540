"""The overview as lines for people: pieces of text with a style each, which a terminal may colour and anything else leaves plain.

Every text from outside is made one printable line first: escape sequences stay letters. Pure.
"""

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from plexguard.core.events import show_path
from plexguard.status.overview import Overview, ProblemView, State, Thing, TimerView
from plexguard.status.views.words import show_count, show_seconds

WIDTH = 80
_TITLE, _STATE = 15, 9
# No line of ours is so long; a name that somebody chose may be.
_MOST = 400
HEAD, DIM = "bold", "dim"
STYLES = {
    State.WELL: "green",
    State.WARNING: "yellow",
    State.PROBLEM: "bold red",
    State.UNKNOWN: "magenta",
    State.OFF: "dim",
}


@dataclass(frozen=True, slots=True)
class Piece:
    text: str
    style: str = ""


Line = tuple[Piece, ...]


def plain(lines: Iterable[Line]) -> str:
    """Return lines without their styles."""
    return "\n".join("".join(piece.text for piece in line).rstrip() for line in lines)


def render(overview: Overview, *, width: int = WIDTH) -> tuple[Line, ...]:
    """Return the whole screen."""
    return tuple(_render(overview, max(width, 40)))


def _render(overview: Overview, width: int) -> Iterator[Line]:
    at = overview.at.astimezone()
    yield (Piece(f"plexguard on {clean(overview.host)}, {at:%Y-%m-%d %H:%M:%S %Z}: ", HEAD), _verdict(overview))
    yield ()
    for thing in overview.things:
        yield from _show_thing(thing, width)
    if overview.problems:
        yield from _section("What is wrong")
        for problem in overview.problems:
            yield from show_problem(problem, overview.at, width)
    yield from _show_timers(overview)
    if overview.budgets:
        yield from _section("Budgets")
        for budget in overview.budgets:
            said = "switched off" if not budget.limit else f"{budget.used} of {budget.limit} used, {budget.left} left"
            yield (Piece(f" {clean(budget.name):<32} {said} ({clean(budget.period)})"),)
    unsent = [channel for channel in overview.channels if channel.waiting or channel.dropped]
    if unsent:
        yield from _section("Unsent notifications")
        for channel in unsent:
            oldest = f", the oldest of {_show_time(channel.oldest, overview.at)}" if channel.oldest is not None else ""
            dropped = f", {channel.dropped} dropped" if channel.dropped else ""
            reason = f": {clean(channel.reason)}" if channel.reason else ""
            line = f"{clean(channel.name)} ({clean(channel.kind)}): {channel.waiting} waiting{oldest}{dropped}{reason}"
            yield from wrap(line, width, first=" ", rest="   ")


def show_problem(problem: ProblemView, now: datetime, width: int) -> Iterator[Line]:
    """Return what is wrong, with its command on a line of its own: to be copied, it is neither cut nor folded."""
    since = f", since {_show_time(problem.since, now)}" if problem.since is not None else ""
    yield from wrap(clean(problem.text) + since, width, first=" * ", rest="   ")
    if problem.command:
        yield (Piece(f"   {show_path(problem.command)}", HEAD),)


def _verdict(overview: Overview) -> Piece:
    states = [thing.state for thing in overview.things]
    if overview.healthy:
        number = states.count(State.WARNING)
        said = "healthy" + (f", {show_count(number, 'warning')}" if number else "")
        return Piece(said, STYLES[State.WARNING if number else State.WELL])
    if State.PROBLEM in states:
        return Piece("not healthy", STYLES[State.PROBLEM])
    return Piece("not all is known", STYLES[State.UNKNOWN])


def _show_thing(thing: Thing, width: int) -> Iterator[Line]:
    indent = 1 + _TITLE + _STATE
    first, *rest = _fold(clean(thing.summary), width - indent)
    title, room = clean(thing.title), _TITLE - 1
    yield (Piece(f" {_clip(title, room):<{room}} "), Piece(f"{thing.state.value:<{_STATE}}", STYLES[thing.state]), Piece(first))
    for line in rest:
        yield (Piece(" " * indent + line),)


def _show_timers(overview: Overview) -> Iterator[Line]:
    if not overview.timers:
        return
    yield from _section("Timers")
    for timer in overview.timers:
        yield (Piece(_show_timer(timer, overview.at)),)


def _show_timer(timer: TimerView, now: datetime) -> str:
    name = clean(timer.unit).removeprefix("plexguard-").removesuffix(".timer")
    last = f"ran {show_between(now, timer.last)} ago" if timer.last is not None else "has not run"
    next_one = "runs now" if timer.result == "running" else "no next run"
    if timer.next is not None:
        next_one = f"next in {show_between(timer.next, now)}" if timer.next > now else "next is due"
    result = f" ({clean(timer.result)})" if timer.result not in ("", "success", "running") else ""
    return f" {name:<20} {last:<18} {next_one}{result}"


def show_between(late: datetime, early: datetime) -> str:
    """Return how long one time is after another, as people say it."""
    return show_seconds(max(0.0, (late - early).total_seconds()))


def _show_time(at: datetime, now: datetime) -> str:
    shown, today = at.astimezone(), now.astimezone()
    return f"{shown:%H:%M}" if shown.date() == today.date() else f"{shown:%Y-%m-%d %H:%M}"


def _section(title: str) -> Iterator[Line]:
    yield ()
    yield (Piece(title, HEAD),)


def wrap(text: str, width: int, *, first: str, rest: str) -> Iterator[Line]:
    for number, line in enumerate(_fold(text, width - len(rest))):
        yield (Piece((rest if number else first) + line),)


def _fold(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False) or [""]


def _clip(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def clean(text: str) -> str:
    """Return any text as one printable line that is not endless."""
    shown = show_path(text)
    return shown if len(shown) <= _MOST else shown[:_MOST] + "…"
