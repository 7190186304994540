"""Files that would become one are found, all of them and no others."""

from collections import defaultdict
from random import Random

import pytest

from plexguard.db_export.remap.decide import Mover
from plexguard.db_export.remap.observe import find_collisions, may_collide


def make_path(dice: Random) -> str:
    return "/" + "/".join(dice.choices("abc", k=dice.randint(1, 3)))


def below(folder: str, paths: list[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for path in paths)


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
    if expected:
        assert may_collide(mover, lambda folder: below(folder, paths))


@pytest.mark.parametrize(
    ("mappings", "paths", "may"),
    [
        ({"/a": "/x"}, ["/a/1", "/b/1"], False),
        ({"/a": "/x"}, ["/a/1", "/x/2"], True),
        ({"/a/1": "/x/1"}, ["/a/1", "/x/1"], True),
        ({"/a": "/x", "/b": "/y"}, ["/a/1", "/b/1"], False),
        ({"/a": "/x", "/b": "/xy"}, ["/a/1", "/b/1"], False),
        ({"/a": "/x", "/b": "/x"}, ["/a/1", "/b/1"], True),
        ({"/a": "/x", "/a/b": "/x/b"}, ["/a/1"], True),
        ({"/": "/x"}, ["/a/1"], False),
        ({"/a": "/"}, ["/a/1", "/b/1"], True),
    ],
)
def test_nobody_looks_for_them_where_there_can_be_none(mappings, paths, may):
    assert may_collide(Mover(mappings), lambda folder: below(folder, paths)) is may
