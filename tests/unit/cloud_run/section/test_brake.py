"""What a scan may take from a library, and what it may not."""

import pytest

from plexguard.cloud_run.section.brake import find_loss
from plexguard.cloud_run.server.counting import Counted


def counted(items: int, trashed: int = 0) -> Counted:
    return Counted(section=1, title="Films", kind="movie", items=items, trashed=trashed, analysed=0)


@pytest.mark.parametrize(
    ("before", "now", "is_told"),
    [
        (1000, 1000, False),
        (1000, 1200, False),
        (1000, 950, False),
        (1000, 949, True),
        (1000, 0, True),
        (19, 15, False),
        (19, 0, True),
        (0, 0, False),
        (456_534, 433_707, True),
    ],
)
def test_more_than_a_share_is_told(before: int, now: int, is_told: bool) -> None:
    assert bool(find_loss(counted(before), counted(now, before - now), most_percent=5)) == is_told


def test_what_is_told_has_the_numbers() -> None:
    told = find_loss(counted(224), counted(3, 221), most_percent=5)
    assert told == "Films: 221 of 224 items are gone (98.7 %), 221 in the trash"
