"""When a step of Plex's work is over: when several signals agree several times in a row. Pure.

None of them is enough: an activity vanishes between two items, a process runs for another step, a count stands still while Plex
downloads, and a processor is idle while Plex waits for a storage. What cannot be told is neither work nor idleness: it ends no
step, and is no stall.
"""

from dataclasses import dataclass, replace
from enum import Enum

_ENOUGH = 2
# A scan that waits for its turn shows nothing for some seconds.
_VANISHED_S = 120.0


class Outcome(Enum):
    GOING = "going"
    DONE = "done"
    # The count stands still, and so does the processor, for too long.
    STALLED = "stalled"
    # Nothing works on it any more, and Plex, which tells the end of such a step, tells of none: it was given up there.
    VANISHED = "vanished"
    # It takes longer than a step of its kind may.
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A look at a step; None for what cannot be told. at_s: monotonic. activities: of Plex that are of this library, or of none.
    processes: of this step. count: of what grows as it goes. cpu_percent: of one processor, of Plex's container. ended: Plex says
    of itself that this step has ended; True for one of which it says nothing."""

    at_s: float
    activities: int | None = None
    processes: int | None = None
    count: int | None = None
    cpu_percent: float | None = None
    ended: bool | None = None

    @property
    def unknown(self) -> tuple[str, ...]:
        """What cannot be told, in words."""
        signals = {
            "Plex's activities": self.activities,
            "its processes": self.processes,
            "the database": self.count,
            "its processor time": self.cpu_percent,
            "its end": self.ended,
        }
        return tuple(name for name, value in signals.items() if value is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """grace_s: nothing is over before; but a step whose end Plex itself tells, and that has found nothing, may be (tells_end).
    needed: so many idle looks in a row are the end. target: of the count; once it is reached two looks are enough, at any time:
    nothing is left that could go on. stall_s: so long may the count stand still while the processor is idle. limit_s: the
    longest that the step may take. is_patient: it is no stall while an activity or a process of it is there: it waits for a
    slow storage."""

    grace_s: float
    needed: int
    target: int | None = None
    idle_percent: float
    stall_s: float
    limit_s: float
    is_patient: bool = False
    tells_end: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is known of a step. first: its count at its beginning. count: the last that could be told; grown_s: since when it is
    that; moved_s: since when it is that and the processor is idle; both without the time in which that could not be told. idle:
    looks in a row at which nothing worked; vanished_s: since when nothing works on one whose end is not told. outcome, why: of
    the last look."""

    began_s: float
    seen_s: float
    grown_s: float
    moved_s: float
    first: int | None = None
    count: int | None = None
    idle: int = 0
    vanished_s: float | None = None
    outcome: Outcome = Outcome.GOING
    why: str = ""

    @property
    def has_found(self) -> bool:
        """Whether its count has changed, or that cannot be told."""
        return self.first is None or self.count != self.first


def begin(at_s: float, count: int | None = None) -> Watch:
    return Watch(began_s=at_s, seen_s=at_s, grown_s=at_s, moved_s=at_s, first=count, count=count)


def take(watch: Watch, look: Look, rules: Rules) -> Watch:
    """Return what is known after another look."""
    is_flat = look.count is not None and look.count == watch.count
    has_grown = look.count is not None and not is_flat
    since_s = look.at_s - watch.seen_s
    grown_s = look.at_s if has_grown else watch.grown_s + (since_s if look.count is None else 0.0)
    is_busy = look.cpu_percent is not None and not _is_quiet(look, rules)
    if rules.is_patient:
        is_busy = is_busy or bool(look.activities) or bool(look.processes)
    is_untold = look.count is None or look.cpu_percent is None
    moved_s = look.at_s if has_grown or is_busy else watch.moved_s + (since_s if is_untold else 0.0)
    is_idle = is_flat and look.activities == 0 and look.processes == 0 and look.ended is True and _is_quiet(look, rules)
    seen = replace(
        watch,
        seen_s=look.at_s,
        grown_s=grown_s,
        moved_s=moved_s,
        count=look.count if look.count is not None else watch.count,
        idle=watch.idle + 1 if is_idle else 0,
        vanished_s=_find_vanished(watch, look, is_flat=is_flat, is_quiet=_is_quiet(look, rules)),
    )
    outcome, why = _judge(seen, look, rules)
    return replace(seen, outcome=outcome, why=why)


def _find_vanished(watch: Watch, look: Look, *, is_flat: bool, is_quiet: bool) -> float | None:
    """Return since when nothing works on a step whose end is not told, None while something does, or that cannot be told."""
    if is_flat and is_quiet and look.activities == 0 and look.processes == 0 and look.ended is False:
        return watch.vanished_s if watch.vanished_s is not None else look.at_s
    return None


def _is_quiet(look: Look, rules: Rules) -> bool:
    return look.cpu_percent is not None and look.cpu_percent < rules.idle_percent


def _judge(watch: Watch, look: Look, rules: Rules) -> tuple[Outcome, str]:
    age_s, flat_s = look.at_s - watch.began_s, look.at_s - watch.grown_s
    is_all = rules.target is not None and watch.count is not None and watch.count >= rules.target
    is_due = is_all or age_s >= rules.grace_s or (rules.tells_end and not watch.has_found)
    if is_due and watch.idle >= (_ENOUGH if is_all else rules.needed):
        return Outcome.DONE, f"nothing works on it at {watch.idle} looks in a row"
    if rules.tells_end and watch.vanished_s is not None and look.at_s - watch.vanished_s >= _VANISHED_S:
        return Outcome.VANISHED, "nothing works on it any more, and Plex tells of no end"
    if age_s >= rules.limit_s:
        return Outcome.OVER, _tell_unknown(look) or "it takes longer than it may"
    if look.at_s - watch.moved_s >= rules.stall_s:
        return Outcome.STALLED, "the count stands still, and the processor is idle" + (
            "; Plex says of no end" if look.ended is False else ""
        )
    if look.unknown:
        return Outcome.GOING, _tell_unknown(look)
    if flat_s >= rules.stall_s:
        return Outcome.GOING, "the processor is busy, but the count stands still: it works at something else"
    return Outcome.GOING, ""


def _tell_unknown(look: Look) -> str:
    return f"cannot tell: {', '.join(look.unknown)}" if look.unknown else ""
