"""Mappings out of matches: as few as there can be, each of a folder where that is right for all in it, else of a file. Pure.

What comes out is tried on every path of the database before it is suggested: a file that is there does not move, and no two become
one.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from plexguard.core.mounts import is_below
from plexguard.db_export.paths.match import Match
from plexguard.db_export.remap.decide import Mover

# A folder is mapped when so much of what the database has in it was found at its new place.
_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """files: how many were found at their new paths, of how many that the database has there. confidence: how sure that is, 0 to 1,
    where one that was not found counts as 0. why: what they were found by, and how often."""

    old: str
    new: str
    files: int
    of: int
    confidence: float
    why: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Where mappings may begin and end: roots of libraries as the database has them, and folders that files were searched in."""

    roots: tuple[str, ...]
    targets: tuple[str, ...]

    def allow(self, old: str, new: str) -> bool:
        return any(is_below(old, root) for root in self.roots) and any(is_below(new, target) for target in self.targets)


def suggest(
    matches: Sequence[Match], all_paths: Callable[[], Iterable[str]], *, is_missing: Callable[[str], bool], bounds: Bounds
) -> tuple[Suggestion, ...]:
    """Return mappings. all_paths: gives every path of the database, as often as it is asked."""
    pairs = {one.missing.path: one for one in matches}
    folders = _map_folders(pairs, all_paths, is_missing, bounds)
    while True:
        mappings = _with_files(folders, pairs)
        bad = set(_find_wrong(mappings, pairs, all_paths, is_missing))
        if not bad:
            return tuple(_describe(mappings, pairs, all_paths))
        for old in bad:
            # Of a folder that is wrong for one of its files, the files remain; a file that is wrong is not suggested at all.
            if folders.pop(old, None) is None:
                pairs.pop(old, None)


def _map_folders(
    pairs: Mapping[str, Match], all_paths: Callable[[], Iterable[str]], is_missing: Callable[[str], bool], bounds: Bounds
) -> dict[str, str]:
    """Return the highest folders of which all files that were found say the same."""
    votes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for old, pair in pairs.items():
        for above, new in _levels(old, pair.candidate.path):
            if bounds.allow(above, new):
                votes[above][new] += 1
    total, there, found = _count_below(votes.keys(), all_paths, is_missing, pairs)
    chosen: dict[str, str] = {}
    for old in sorted(votes, key=lambda path: path.count("/")):
        ((new, count),) = votes[old].most_common(1)
        agreed = count == found[old] and not there[old] and count >= _SHARE * total[old]
        if agreed and not any(above in chosen for above in _walk_up(old)):
            chosen[old] = new
    return chosen


def _levels(old: str, new: str) -> Iterator[tuple[str, str]]:
    """Yield the folders that a mapping of one file may be one of, the lowest first: as long as what is below is the same."""
    while True:
        above, _, name = old.rpartition("/")
        to, _, same = new.rpartition("/")
        if name != same or not above or not to:
            return
        old, new = above, to
        if old != new:
            yield old, new


def _count_below(
    folders: Iterable[str], all_paths: Callable[[], Iterable[str]], is_missing: Callable[[str], bool], pairs: Mapping[str, Match]
) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Return, for each folder, how many files the database has below it, how many of them are there, and how many were found
    elsewhere."""
    wanted = set(folders)
    total: Counter[str] = Counter()
    there: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for path in all_paths():
        above = [folder for folder in _walk_up(path) if folder in wanted]
        if above:
            total.update(above)
            if not is_missing(path):
                there.update(above)
            if path in pairs:
                found.update(above)
    return total, there, found


def _walk_up(path: str) -> Iterator[str]:
    """Yield the folders above a path, the lowest first."""
    while (path := path.rpartition("/")[0]) != "":
        yield path


def _with_files(folders: Mapping[str, str], pairs: Mapping[str, Match]) -> dict[str, str]:
    """Add the files that no folder takes to their place."""
    mover = Mover(folders)
    alone = {}
    for old, pair in pairs.items():
        moved = mover.move(old)
        if (moved and moved[0]) != pair.candidate.path:
            alone[old] = pair.candidate.path
    return {**folders, **alone}


def _find_wrong(
    mappings: Mapping[str, str],
    pairs: Mapping[str, Match],
    all_paths: Callable[[], Iterable[str]],
    is_missing: Callable[[str], bool],
) -> Iterator[str]:
    """Yield the mappings that move a file that is there, or make two files one."""
    mover = Mover(mappings)
    comes: dict[str, str] = {}
    stays: set[str] = set()
    for path in all_paths():
        moved = mover.move(path)
        if moved is None:
            stays.add(path)
            continue
        new, old = moved
        if not is_missing(path):
            yield old
        elif new in comes and comes[new] != path:
            # Who was found there has the better right.
            yield old if comes[new] in pairs else (mover.move(comes[new]) or ("", ""))[1]
        comes[new] = path
    yield from (moved[1] for path in stays & comes.keys() if (moved := mover.move(comes[path])))


def _describe(
    mappings: Mapping[str, str], pairs: Mapping[str, Match], all_paths: Callable[[], Iterable[str]]
) -> Iterator[Suggestion]:
    mover = Mover(mappings)
    of: Counter[str] = Counter()
    files: Counter[str] = Counter()
    scores: defaultdict[str, float] = defaultdict(float)
    why: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for path in all_paths():
        moved = mover.move(path)
        if moved is None:
            continue
        of[moved[1]] += 1
        if path in pairs:
            files[moved[1]] += 1
            scores[moved[1]] += pairs[path].score
            why[moved[1]][pairs[path].why.value] += 1
    for old, new in sorted(mappings.items()):
        confidence = round(scores[old] / of[old], 2) if of[old] else 0.0
        yield Suggestion(old=old, new=new, files=files[old], of=of[old], confidence=confidence, why=dict(why[old]))
