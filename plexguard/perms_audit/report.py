"""Tell repairs one by one as long as they are few, and summed up when they are many: a burst is one event, not thousands."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from plexguard.core.events import Event, FilePath, Mode
from plexguard.core.journal import Journal
from plexguard.core.mounts import is_below
from plexguard.perms_audit import events
from plexguard.perms_audit.access import name_user
from plexguard.perms_audit.decide import Repair

# So many are told one by one before they are summed up.
SINGLE = 50
# So many folders are summed up each for itself; more are one sum.
_FOLDERS = 10
# So many files of one owner with one mode, within one report, have one cause.
_SAME = 10


@dataclass(slots=True)
class Cause:
    """Why some paths were left, with how many and the first of them."""

    count: int
    example: str


Causes = dict[tuple[str, str], Cause]


class Report:
    """What was repaired since the last `flush`, which is a run's end or a span of the guard's time."""

    def __init__(self, journal: Journal, *, run: str, single: int = SINGLE) -> None:
        self._journal = journal
        self._single = single
        self.run = run
        self._told = 0
        self._sums: dict[tuple[str, str], Cause] = {}
        self._modes: Counter[tuple[int, int]] = Counter()
        self._examples: dict[tuple[int, int], str] = {}

    def tell(self, step: Repair, path: str, *, root: str, dry: bool = False) -> None:
        """Tell a repair; dry: one that would be made."""
        self._note_mode(step, path)
        self._told += 1
        # What a person asked for by --dry-run is told in full: nothing else keeps it.
        if dry:
            self._journal.send(
                events.FOUND, path=FilePath(path), old_mode=step.finding.mode, new_mode=step.new_mode, reason=step.reason
            )
        elif self._told <= self._single:
            self._journal.send(
                events.REPAIRED,
                path=FilePath(path),
                old_mode=step.finding.mode,
                new_mode=step.new_mode,
                reason=step.reason,
                run=self.run,
            )
        else:
            folder = path.rpartition("/")[0] or "/"
            total = self._sums.setdefault((root, folder), Cause(0, path))
            total.count += 1

    def flush(self) -> None:
        """Tell the sums and what they have in common, and begin anew."""
        sums = self._sums if len(self._sums) <= _FOLDERS else self._sum_by_root()
        for (_, folder), total in sums.items():
            self._journal.send(
                events.REPAIRED_MANY, folder=FilePath(folder), count=total.count, path=FilePath(total.example), run=self.run
            )
        for (uid, mode), count in self._modes.items():
            if count >= _SAME:
                self._journal.send(
                    events.ONE_CAUSE,
                    count=count,
                    owner=name_user(uid),
                    mode=Mode(mode),
                    umask=Mode(0o666 & ~mode),
                    path=FilePath(self._examples[uid, mode]),
                )
        self._told = 0
        self._sums.clear()
        self._modes.clear()
        self._examples.clear()

    def _note_mode(self, step: Repair, path: str) -> None:
        if step.finding.denied and not step.finding.is_folder:
            key = (step.finding.owned.uid, step.finding.owned.mode)
            self._modes[key] += 1
            self._examples.setdefault(key, path)

    def _sum_by_root(self) -> dict[tuple[str, str], Cause]:
        sums: dict[tuple[str, str], Cause] = {}
        for (root, _), total in self._sums.items():
            sums.setdefault((root, root), Cause(0, total.example)).count += total.count
        return sums


def add_cause(causes: Causes, key: tuple[str, str], path: str) -> None:
    cause = causes.setdefault(key, Cause(0, path))
    cause.count += 1


# -- what lasts -------------------------------------------------------------------------------------------------------

_ENDS = {events.ROOT_FAULT.name: events.ROOT_WELL, events.BLOCKED.name: events.UNBLOCKED, events.READ_ONLY.name: events.WRITABLE}
_CAUSES = (events.NOT_REPAIRED.name, events.UNSEEN.name)


def put_words(event: Event, root: str, more: str = "") -> str:
    """Return the words by which a state of a root is remembered from run to run."""
    return f"{root}: {event.name}: {more}"


def carry(before: Mapping[str, int], now: Mapping[str, int], faulty: Collection[str]) -> dict[str, int]:
    """Return the words of a run, and those of the run before that are about what lies in a root with a fault: whether that is over
    nobody knows. The fault of such a root itself is told anew."""
    kept = [words for name in (*_ENDS, *_CAUSES) for words in _of_faulty(name, before, faulty)]
    return {words: before[words] for words in kept if _split(events.ROOT_FAULT.name, words)[0] not in faulty} | {**now}


def keep_left(before: Mapping[str, int], now: Mapping[str, int], faulty: Collection[str], *, recent: bool) -> dict[str, int]:
    """Return the words of what was not repaired and may last, after a run. before: the same after the run before; now: all words
    of this one. A run for recent changes has not seen all of it, and nothing is known of a root with a fault."""
    kept = before if recent else {w: before[w] for w in _of_faulty(events.NOT_REPAIRED.name, before, faulty)}
    return {**kept} | {words: count for words, count in now.items() if _split(events.NOT_REPAIRED.name, words)[0]}


def tell_ended(before: Mapping[str, int], now: Mapping[str, int], faulty: Collection[str], journal: Journal) -> None:
    """Tell which states of roots are over, from the words of two runs. Of a root with a fault nothing else is known."""
    for name, ended in _ENDS.items():
        roots = {root for root, _ in _find(name, before)} - {root for root, _ in _find(name, now)}
        for root in sorted(root for root in roots if not _is_faulty(root, faulty)):
            journal.send(ended, root=FilePath(root))
    for name in _CAUSES:
        for root, reason in sorted(_find(name, before) - _find(name, now)):
            if not _is_faulty(root, faulty):
                journal.send(events.SETTLED, root=FilePath(root), reason=reason)


def _is_faulty(root: str, faulty: Collection[str]) -> bool:
    """Tell whether a root has a fault, or lies in what has one."""
    return any(is_below(root, place) for place in faulty)


def _of_faulty(name: str, told: Mapping[str, int], faulty: Collection[str]) -> list[str]:
    """Return the words of an event of roots with a fault."""
    return [words for words in told if (root := _split(name, words)[0]) and _is_faulty(root, faulty)]


def _find(name: str, told: Mapping[str, int]) -> set[tuple[str, str]]:
    """Return root and more of the words of an event."""
    return {found for words in told if (found := _split(name, words))[0]}


def _split(name: str, words: str) -> tuple[str, str]:
    root, found, more = words.partition(f": {name}: ")
    return (root, more) if found else ("", "")
