"""How much of a library may be missing for its trash to be emptied."""

import pytest

from plexguard.rclone_watchdog.config import Config
from plexguard.rclone_watchdog.trash.limits import find_limit


@pytest.mark.parametrize(
    ("items", "limit"),
    [(0, 0), (1, 0), (2, 1), (30, 15), (99, 49), (100, 50), (5_000, 50), (5_099, 50), (5_100, 51), (20_000, 200)],
)
def test_the_default_is_fifty_or_one_in_a_hundred_and_never_more_than_half(items: int, limit: int) -> None:
    assert find_limit(items, Config()) == limit


def test_a_limit_of_nothing_lets_nothing_go() -> None:
    assert find_limit(1_000_000, Config(trash_items=0, trash_percent=0)) == 0


@pytest.mark.parametrize("items", range(200))
def test_no_configuration_lets_more_than_half_go(items: int) -> None:
    assert 2 * find_limit(items, Config(trash_items=1_000_000, trash_percent=100)) <= items
