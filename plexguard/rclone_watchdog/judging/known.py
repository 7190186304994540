"""What is known of a mount from look to look: the answers to each question, and what is held to be true. Pure."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from plexguard.rclone_watchdog.config import Config
from plexguard.rclone_watchdog.observe import Answer, Kernel, Observation, Outcome, Question
from plexguard.rclone_watchdog.states import Verdict

# An answer may take so many times what is usual before it is late.
_TIMES_USUAL = 3.0
# The slowest of so many good answers is what is usual. So few, that the one which ends an outage, and was asked for in it, is soon
# forgotten.
_USUAL = 3
# Signals, each counted as often as it was seen in a row, or seconds, that it takes to do something.
_CERTAIN, _CERTAIN_S = 3, 4.0


class Place(Enum):
    """Where the fault is: what a remount can mend, and what it cannot."""

    NONE = "none"
    STORAGE = "storage"
    MOUNT = "mount"
    CACHE = "cache"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a look finds. signals: which agree; weight: how many, each as often as it was seen in a row. is_plain: the kernel says
    it, and nothing else can be the matter. is_old: nothing new was found, and this is what was held to be true before."""

    verdict: Verdict
    reason: str
    place: Place = Place.NONE
    signals: tuple[str, ...] = ()
    weight: int = 1
    is_plain: bool = False
    is_old: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What is known of one question. last: its last answer; pending: the one that is waited for. in_row: how often in a row it was
    of that kind. good_s: when the last good one came; good_since_s, bad_since_s: the first of those in a row. recent_s: how long
    the last good ones took."""

    last: Answer | None = None
    pending: Answer | None = None
    in_row: int = 0
    good_s: float = float("-inf")
    good_since_s: float | None = None
    bad_since_s: float | None = None
    recent_s: tuple[float, ...] = ()

    @property
    def outcome(self) -> Outcome | None:
        return self.last.outcome if self.last is not None else None

    @property
    def usual_s(self) -> float:
        return max(self.recent_s, default=0.0)

    @property
    def came_s(self) -> float:
        """When the last answer came."""
        return self.last.asked_s + self.last.latency_s if self.last is not None else float("-inf")

    @property
    def asked_s(self) -> float:
        """When it was asked last, answered or not."""
        newest = self.pending or self.last
        return newest.asked_s if newest is not None else float("-inf")

    @property
    def waited_s(self) -> float:
        """How long the answer is waited for, or was until it was given up; 0 when there is one."""
        if self.pending is not None:
            return self.pending.latency_s
        return self.last.latency_s if self.last is not None and self.last.outcome is Outcome.LATE else 0.0

    def limit_s(self, config: Config) -> float:
        """Return how long an answer may take: as configured, more where it usually does, and never more than there is patience."""
        least, most = config.answer_limit.total_seconds(), config.patience.total_seconds()
        return max(least, min(most, _TIMES_USUAL * self.usual_s))

    def is_late(self, config: Config, *, most_s: float = float("inf")) -> bool:
        """Tell whether an answer is waited for too long, or was until it was given up."""
        if self.pending is not None and self.waited_s >= min(most_s, self.limit_s(config)):
            return True
        return self.outcome is Outcome.LATE

    def take(self, answer: Answer) -> "Track":
        """Return what is known after a look at the newest answer, which may be one that was known, or still be waited for."""
        if answer.is_pending:
            return dataclasses.replace(self, pending=answer)
        if self.last is not None and answer.asked_s == self.last.asked_s:
            return self if self.pending is None else dataclasses.replace(self, pending=None)
        in_row = self.in_row + 1 if answer.outcome is self.outcome else 1
        came_s = answer.asked_s + answer.latency_s
        if answer.outcome is not Outcome.GOOD:
            bad_since_s = self.bad_since_s if self.bad_since_s is not None else came_s
            return dataclasses.replace(self, last=answer, pending=None, in_row=in_row, good_since_s=None, bad_since_s=bad_since_s)
        since_s = self.good_since_s if self.good_since_s is not None else came_s
        recent_s = (*self.recent_s, answer.latency_s)[-_USUAL:]
        return Track(last=answer, in_row=in_row, good_s=came_s, good_since_s=since_s, recent_s=recent_s)


_NEVER = Track()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What is held to be true after a look.

    since_s: of the verdict; finding: what it rests on. found, place: what the last looks found, believed or not; found_in_row,
    found_since_s: how often, and since when; is_undecided: the last look found nothing that is new. shown: which mount of which
    process the last look met; shown_s: since when; device: the one of which bytes were read. fault_s: when a fault was last found,
    after which bytes must be read anew. moved_s: when rclone last had bytes from the storage for others than us. baseline: how many
    entries its top had; lost_in_row: listings with far fewer. slow_in_row, quick_in_row: answers. brief: how often in a row it was
    proven for a moment only; good_since_s: since when nothing is found against it.
    """

    verdict: Verdict = Verdict.UNKNOWN
    finding: Finding = Finding(verdict=Verdict.UNKNOWN, reason="it has not been looked at")
    since_s: float = 0.0
    looked_s: float = 0.0
    found: Verdict = Verdict.UNKNOWN
    place: Place = Place.NONE
    found_in_row: int = 0
    found_since_s: float = 0.0
    is_undecided: bool = False
    tracks: Mapping[Question, Track] = field(default_factory=dict)
    shown: str = ""
    shown_s: float = float("-inf")
    device: str = ""
    fault_s: float = float("-inf")
    transferred_bytes: int | None = None
    moved_s: float = float("-inf")
    baseline: int = 0
    lost_in_row: int = 0
    slow_in_row: int = 0
    quick_in_row: int = 0
    brief: int = 0
    good_since_s: float | None = None

    @property
    def reason(self) -> str:
        return self.finding.reason

    @property
    def is_certain(self) -> bool:
        """Whether what is believed may be acted upon: two looks at what the kernel says, more signals than it takes to tell it, or
        the same for some seconds."""
        if self.found is not self.verdict or self.is_undecided:
            return False
        if self.finding.is_plain:
            return self.found_in_row >= 2
        is_lasting = self.looked_s - self.found_since_s >= _CERTAIN_S
        # Two looks: after a stall of this machine, what has come meanwhile is found at the second.
        return self.found_in_row >= 2 and (self.finding.weight >= _CERTAIN or is_lasting)

    def track(self, question: Question) -> Track:
        return self.tracks.get(question, _NEVER)

    @property
    def data_question(self) -> Question:
        """Which question tells of bytes: an rclone of its own is asked while the mount's does not answer."""
        return Question.DATA if self.answers_rc else Question.DIRECT

    @property
    def answers_rc(self) -> bool:
        return self.track(Question.PROCESS).outcome in (Outcome.GOOD, None)

    def moves(self, config: Config) -> bool:
        """Tell whether rclone has had bytes of late, for others: then it does not hang, whatever ours is waiting for."""
        return self.looked_s - self.moved_s < 2 * self.track(Question.DATA).limit_s(config)


def follow(seen: Observation, past: Judged, config: Config) -> Judged:
    """Return what is known after a look, before anything is made of it."""
    tracks = {q: past.track(q).take(answer) for q in Question if (answer := answer_to(seen, q)) is not None}
    known = dataclasses.replace(past, tracks={**past.tracks, **tracks}, looked_s=seen.now_s)
    shown = identify(seen.kernel)
    moves = past.transferred_bytes is not None and seen.transferred_bytes not in (None, past.transferred_bytes)
    # What came for us counts by itself.
    ours = any(known.track(q).came_s != past.track(q).came_s for q in (Question.DATA, Question.THROUGH))
    return dataclasses.replace(
        _follow_listing(seen, known, past, config),
        shown=shown,
        shown_s=past.shown_s if shown == past.shown else seen.now_s,
        transferred_bytes=past.transferred_bytes if seen.transferred_bytes is None else seen.transferred_bytes,
        moved_s=seen.now_s if moves and not ours else past.moved_s,
    )


def answer_to(seen: Observation, question: Question) -> Answer | None:
    match question:
        case Question.PROCESS:
            return seen.process
        case Question.CONTROL:
            return seen.control
        case Question.DATA:
            return seen.data
        case Question.LISTING:
            return seen.listing_answer
        case Question.THROUGH:
            return seen.through
        case Question.DIRECT:
            return seen.direct
        case _:
            return None


def identify(kernel: Kernel) -> str:
    """Return which mount it is: numbers of devices are used again, and so are those of processes, but hardly both at once."""
    return f"{kernel.device} {kernel.rclone_pid}" if kernel.is_mounted else ""


def _follow_listing(seen: Observation, known: Judged, past: Judged, config: Config) -> Judged:
    track = known.track(Question.LISTING)
    if seen.listing is None or track.outcome is not Outcome.GOOD or track.came_s == past.track(Question.LISTING).came_s:
        return known
    entries = seen.listing.entries
    if is_lost(entries, past.baseline, config):
        return dataclasses.replace(known, lost_in_row=past.lost_in_row + 1)
    return dataclasses.replace(known, lost_in_row=0, baseline=max(past.baseline, entries))


def is_lost(entries: int, baseline: int, config: Config) -> bool:
    """Tell whether a mount that lists so few entries has lost what it held. One that never held anything has nothing to prove."""
    return entries == 0 or (baseline - entries) * 100 >= config.lost_percent * baseline
