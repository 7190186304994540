"""Files that would become one are found, all of them and no others."""

from collections import defaultdict
from random import Random

import pytest

from plexguard.db_export.remap.decide import Mover
from plexguard.db_export.remap.observe import find_collisions


def make_path(dice: Random) -> str:
    return "/" + "/".join(dice.choices("abc", k=dice.randint(1, 3)))


@pytest.mark.parametrize("seed", range(300))
def test_they_are_what_comparing_all_with_all_finds(seed):
    dice = Random(seed)
    paths = sorted({make_path(dice) for _ in range(dice.randint(1, 25))})
    mappings = {make_path(dice): make_path(dice) for _ in range(dice.randint(1, 4))}
    if not seed % 10:
        mappings["/"] = dice.choice(("/a", "/x"))
    mover = Mover(mappings)
    sources = defaultdict(list)
    for path in paths:
        moved = mover.move(path)
        sources[moved[0] if moved else path].append(path)
    expected = [(new, tuple(old)) for new, old in sorted(sources.items()) if len(old) > 1]
    assert [(one.path, one.sources) for one in find_collisions(lambda: paths, mover)] == expected
