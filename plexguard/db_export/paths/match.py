"""Which file on the disk a missing one is: by size, name, episode and folder. Pure.

One file is never two: where two missing files, or two that were found, are equally likely, folders decide, and if they can't nobody
does.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from plexguard.db_export.paths.names import Clue, fold, read_clue

# Below this nothing is suggested.
LEAST = 0.6
# Scores that are so near are equal.
_NEAR = 0.004
# A size that two different films would hardly share.
_TELLING_BYTES = 1 << 20
# Of so many files with one name, or one episode, the name says nothing.
_MOST_ALIKE = 200


class Why(Enum):
    SIZE_AND_NAME = "same size and name"
    SIZE = "same size"
    NAME = "same name"
    EPISODE = "same episode"


@dataclass(frozen=True, slots=True)
class Missing:
    """A file that is not where the database has it. below: its path below the library's folder. size: bytes, 0 when not known."""

    path: str
    below: str
    section: int
    size: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that is there, and that the database does not know. path: as the database would have it. sections: of which libraries
    it can be, None for all."""

    path: str
    below: str
    size: int
    sections: frozenset[int] | None


@dataclass(frozen=True, slots=True)
class Match:
    missing: Missing
    candidate: Candidate
    score: float
    why: Why


def match(missing: Sequence[Missing], candidates: Sequence[Candidate]) -> tuple[Match, ...]:
    """Return which is which: each missing file once at most, and each candidate."""
    every: tuple[Missing | Candidate, ...] = (*missing, *candidates)
    clues = {one.path: read_clue(one.below) for one in every}
    index = _Index(candidates, clues)
    pairs = [pair for one in missing for pair in _find_pairs(one, index, clues)]
    return tuple(_settle(pairs))


class _Index:
    """Candidates by what they can be found by."""

    def __init__(self, candidates: Sequence[Candidate], clues: Mapping[str, Clue]) -> None:
        self.sizes: defaultdict[int, list[Candidate]] = defaultdict(list)
        self.names: defaultdict[str, list[Candidate]] = defaultdict(list)
        self.episodes: defaultdict[tuple[str, int, int], list[Candidate]] = defaultdict(list)
        for one in candidates:
            self.sizes[one.size].append(one)
            self.names[_name(one.below)].append(one)
            for key in _episode_keys(clues[one.path]):
                self.episodes[key].append(one)

    def find(self, missing: Missing, clue: Clue) -> Iterable[Candidate]:
        lists = [self.names.get(_name(missing.below), [])]
        if missing.size:
            lists.append(self.sizes.get(missing.size, []))
        lists += [self.episodes.get(key, []) for key in _episode_keys(clue)]
        near = [one for some in lists for one in (some if len(some) <= _MOST_ALIKE else _in_like_folder(some, missing))]
        return dict.fromkeys(near)


def _in_like_folder(some: Sequence[Candidate], missing: Missing) -> list[Candidate]:
    folder = _folder_name(missing.below)
    return [one for one in some if one.size == missing.size or _folder_name(one.below) == folder]


def _find_pairs(missing: Missing, index: _Index, clues: Mapping[str, Clue]) -> Iterator[Match]:
    clue = clues[missing.path]
    for one in index.find(missing, clue):
        if one.sections is None or missing.section in one.sections:
            score, why = judge(missing, one, clue, clues[one.path])
            if score >= LEAST:
                yield Match(missing, one, score, why)


def judge(missing: Missing, one: Candidate, clue: Clue, other: Clue) -> tuple[float, Why]:
    """Return how sure it is that two are the same file, 0 to 1, and by what."""
    same_size = missing.size > 0 and missing.size == one.size
    same_name = _name(missing.below) == _name(one.below)
    same_kind = _kind(missing.below) == _kind(one.below)
    # Equal folders above, a hair each: it parts those that are equal otherwise.
    hair = 0.006 * min(3, _count_like_folders(missing.below, one.below))
    if same_size and same_name:
        return min(0.99, 0.97 + hair), Why.SIZE_AND_NAME
    conflict = _is_other_episode(clue, other)
    likeness = _likeness(clue.show, other.show)
    if same_size and same_kind and not conflict:
        sure = 0.9 if missing.size >= _TELLING_BYTES else 0.6
        return min(0.96, sure + (0.05 if _is_same_episode(clue, other) else 0.0) + hair), Why.SIZE
    if same_name and not conflict:
        return min(0.92, (0.8 if likeness >= 0.5 else 0.7) + 2 * hair), Why.NAME
    if _is_same_episode(clue, other) and likeness >= 0.6:
        title = _likeness(clue.title, other.title)
        return min(0.85, 0.65 + 0.15 * title - (0.0 if same_kind else 0.05) + hair), Why.EPISODE
    return 0.0, Why.EPISODE


def _settle(pairs: Sequence[Match]) -> Iterator[Match]:
    """Yield the pairs that hold, the surest first; what is not clear waits for what the clear ones say of its folder."""
    open_ = sorted(pairs, key=lambda pair: (-pair.score, pair.missing.path, pair.candidate.path))
    taken: set[str] = set()
    votes: Counter[tuple[str, str]] = Counter()
    while True:
        settled = list(_find_clear(open_)) or list(_find_voted(open_, votes))
        if not settled:
            return
        for pair in settled:
            yield pair
            taken |= {"<" + pair.missing.path, ">" + pair.candidate.path}
            votes[_folder(pair.missing.path), _folder(pair.candidate.path)] += 1
        open_ = [p for p in open_ if "<" + p.missing.path not in taken and ">" + p.candidate.path not in taken]


def _find_clear(pairs: Sequence[Match]) -> Iterator[Match]:
    """Yield the pairs of which both sides have no other that is as good."""
    left, right = _best(pairs, lambda p: p.missing.path), _best(pairs, lambda p: p.candidate.path)
    for pair in pairs:
        ours, theirs = left[pair.missing.path], right[pair.candidate.path]
        if len(ours) == len(theirs) == 1 and ours[0] is pair and theirs[0] is pair:
            yield pair


def _find_voted(pairs: Sequence[Match], votes: Mapping[tuple[str, str], int]) -> Iterator[Match]:
    """Yield, of pairs that are equally good, those whose folders belong together by what is settled."""

    def is_voted(pair: Match) -> bool:
        return (_folder(pair.missing.path), _folder(pair.candidate.path)) in votes

    voted = [pair for pair in pairs if is_voted(pair)]
    yield from _find_clear(voted)


def _best(pairs: Sequence[Match], key: Callable[[Match], str]) -> dict[str, list[Match]]:
    best: dict[str, list[Match]] = {}
    for pair in pairs:
        mine = best.setdefault(key(pair), [])
        # The pairs come with the surest first.
        if not mine or mine[0].score - pair.score <= _NEAR:
            mine.append(pair)
    return best


def _episode_keys(clue: Clue) -> Iterator[tuple[str, int, int]]:
    if clue.episode is not None:
        season = 1 if clue.season is None else clue.season
        yield from ((word, season, clue.episode) for word in clue.show if len(word) > 2)


def _is_same_episode(one: Clue, other: Clue) -> bool:
    return one.episode is not None and one.episode == other.episode and (one.season or 0) == (other.season or 0)


def _is_other_episode(one: Clue, other: Clue) -> bool:
    both = None not in (one.season, other.season, one.episode, other.episode)
    return both and (one.season, one.episode) != (other.season, other.episode)


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """How much of the shorter one is in the longer."""
    return len(one & other) / min(len(one), len(other)) if one and other else 0.0


def _count_like_folders(one: str, other: str) -> int:
    ours, theirs = one.split("/")[-2::-1], other.split("/")[-2::-1]
    return sum(1 for a, b in zip(ours, theirs, strict=False) if fold(a) == fold(b))


def _name(path: str) -> str:
    return fold(path.rpartition("/")[2])


def _kind(path: str) -> str:
    return _name(path).rpartition(".")[2]


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _folder_name(path: str) -> str:
    return fold(_folder(path).rpartition("/")[2])
