"""Whatever lies where: nothing that is there moves, no two files become one, and no mapping leaves its bounds."""

from random import Random

import pytest

from plexguard.core.mounts import is_below
from plexguard.db_export.paths.match import Candidate, Missing, match
from plexguard.db_export.paths.suggest import Bounds, suggest
from plexguard.db_export.remap.decide import Mover

ROOT = "/m/TV"


def make_path(dice: Random) -> str:
    shows, seasons = ("One", "Two", "The Two"), ("Season 1", "Livre I", "s02", "")
    name = dice.choice((f"S0{dice.randint(1, 2)}E0{dice.randint(1, 4)}.avi", f"{dice.randint(1, 4):02}.avi", "same.avi", "x.mkv"))
    return "/".join(filter(None, (dice.choice(shows), dice.choice(seasons), name)))


@pytest.mark.parametrize("seed", range(300))
def test_suggestions_are_safe(seed):
    dice = Random(seed)
    known = {make_path(dice): dice.choice((0, 1 << 21, 2 << 21, 3 << 21)) for _ in range(dice.randint(1, 25))}
    on_disk = {make_path(dice): dice.choice((1 << 21, 2 << 21, 3 << 21)) for _ in range(dice.randint(1, 25))}
    missing = [Missing(f"{ROOT}/{path}", path, 1, size) for path, size in known.items() if path not in on_disk]
    candidates = [Candidate(f"{ROOT}/{path}", path, size, None) for path, size in on_disk.items() if path not in known]
    gone, every = {one.path for one in missing}, [f"{ROOT}/{path}" for path in known]

    matches = match(missing, candidates)
    suggestions = suggest(
        matches, lambda: every, is_missing=lambda path: path in gone, bounds=Bounds(roots=(ROOT,), targets=(ROOT,))
    )

    assert len({one.missing.path for one in matches}) == len({one.candidate.path for one in matches}) == len(matches)
    mover = Mover({one.old: one.new for one in suggestions})
    becomes = [moved[0] if (moved := mover.move(path)) else path for path in every]
    assert len(set(becomes)) == len(every)
    assert all(new == old or old in gone for old, new in zip(every, becomes, strict=True))
    assert all(is_below(one.old, ROOT) and is_below(one.new, ROOT) and one.files for one in suggestions)
    assert all(0.3 <= one.confidence <= 1 for one in suggestions)


def test_the_dice_do_suggest_something():
    def count(seed: int) -> int:
        dice = Random(seed)
        paths = list(dict.fromkeys(make_path(dice) for _ in range(10)))
        missing = [Missing(f"{ROOT}/{path}", path, 1, (5 << 20) + n) for n, path in enumerate(paths)]
        candidates = [Candidate(f"{ROOT}/New/{path}", f"New/{path}", (5 << 20) + n, None) for n, path in enumerate(paths)]
        return len(match(missing, candidates)) == len(paths)

    assert all(map(count, range(50)))
