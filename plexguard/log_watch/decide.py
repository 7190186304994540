"""What becomes of complaints: which are new, which wait, when each is handed on, and when it is given up. Pure.

Everything is bounded: a storm of lines about one path is one case, and a storm about many fills a queue and is counted.
Times are seconds of any clock that does not jump.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from plexguard.core.perms_request import Answer, Verdict
from plexguard.core.recent import Recent
from plexguard.log_watch.patterns import Complaint, Subject

# How many wait. Weak complaints, which anybody can cause with a link that is long gone, never take all the room.
MAX_WAITING = 512
MAX_WEAK_WAITING = 256
# What was looked at, and is not looked at again for a while.
MAX_REMEMBERED = 4096
# What is told in the while in which one path is told once.
MAX_TOLD = 200
_MAX_TRIES = 6
GIVE_UP_S = 3600.0
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A complaint that is followed up. path: of this machine, "" as long as only the part or the item is known. tries: how often
    it was handed on without an end. since_s: when it came, due_s: when it is its turn."""

    pattern: str
    is_strong: bool = False
    path: str = ""
    part: int = 0
    item: int = 0
    tries: int = 0
    since_s: float = 0.0
    due_s: float = 0.0

    @property
    def key(self) -> str:
        """Return what a second case of the same has in common with it; no path begins like a number."""
        return self.path or f"{'part' if self.part else 'item'} {self.part or self.item}"

    @property
    def subject(self) -> Subject:
        return Subject(part=self.part, item=self.item)


def make_case(complaint: Complaint, path: str, now_s: float) -> Case:
    """Return the case of a complaint; path: of this machine, "" when it named none."""
    subject = complaint.subject
    return Case(
        pattern=complaint.pattern,
        is_strong=complaint.is_strong,
        path=path,
        part=subject.part,
        item=subject.item,
        since_s=now_s,
        due_s=now_s,
    )


def judge_path(path: str) -> str:
    """Return why a path is none that Plex can have meant, "" when it may be one. The audit judges it again, and by itself."""
    if not path.startswith("/") or "\0" in path:
        return "it is no path"
    if ".." in path.split("/"):
        return 'it has ".." in it'
    if len(path.encode("utf-8", "surrogateescape")) >= 4096:
        return "it is longer than a path can be"
    return ""


def postpone(case: Case, answer: Answer | None, now_s: float) -> Case | None:
    """Return when a case is tried again after an answer that was none, or None when it is to be given up.

    answer: LATER says itself when; None is silence, after which the pauses double.
    """
    pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**case.tries)
    if answer is not None and answer.verdict is Verdict.LATER:
        pause_s = max(_FIRST_PAUSE_S, answer.retry_s)
    next_one = replace(case, tries=case.tries + 1, due_s=now_s + pause_s)
    is_over = next_one.tries >= _MAX_TRIES or next_one.due_s - case.since_s > GIVE_UP_S
    return None if is_over else next_one


class Agenda:
    """The cases that wait, in the order in which they came, and what was settled a while ago. It never asks the time.

    repeat_s: for how long what was taken is not taken again.
    """

    def __init__(self, repeat_s: float, waiting: Iterable[Case] = ()) -> None:
        self.repeat_s = repeat_s
        # Until when each is not new.
        self._taken: Recent[str, float] = Recent(MAX_REMEMBERED)
        self._waiting: dict[str, Case] = {case.key: case for case in waiting}
        self._told: list[float] = []
        # Left out since it was last asked.
        self.lost = 0

    @property
    def waiting(self) -> tuple[Case, ...]:
        return tuple(self._waiting.values())

    def take(self, case: Case, now_s: float) -> bool:
        """Take a case, unless the same was taken a while ago or there is no room. Return whether it was."""
        if not self.is_new(case.key, now_s):
            return False
        if len(self._waiting) >= (MAX_WAITING if case.is_strong else MAX_WEAK_WAITING):
            self.lost += 1
            return False
        self.remember(case.key, now_s)
        self._waiting[case.key] = case
        return True

    def is_new(self, key: str, now_s: float) -> bool:
        """Tell whether something was not taken in the last while."""
        until_s = self._taken.find(key)
        return key not in self._waiting and (until_s is None or now_s >= until_s)

    def remember(self, key: str, now_s: float) -> None:
        """Have something not be new for a while."""
        self._taken.remember(key, now_s + self.repeat_s)

    def next(self, now_s: float, *, with_path: bool) -> Case | None:
        """Return the case whose turn it is, a strong one first. with_path: of those to be handed on; else to be looked up."""
        due = [case for case in self._waiting.values() if case.due_s <= now_s and bool(case.path) is with_path]
        return next((case for case in due if case.is_strong), due[0] if due else None)

    def replace(self, case: Case, later: Case | None) -> None:
        """Put a case off, or have done with it."""
        self._waiting.pop(case.key, None)
        if later is not None:
            self._waiting[later.key] = later

    def may_tell(self, now_s: float) -> bool:
        """Tell whether there is room in the journal for one more, and count it: hostile logs are not to fill it."""
        self._told = [at_s for at_s in self._told if now_s - at_s < self.repeat_s]
        if len(self._told) >= MAX_TOLD:
            self.lost += 1
            return False
        self._told.append(now_s)
        return True
