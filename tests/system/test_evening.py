"""Ten minutes in which everything is at work on one machine, people use it, and troubles come one after the other."""

from pathlib import Path

import pytest

from tests.soak.evening import describe, spend_evening

pytestmark = [pytest.mark.machine, pytest.mark.slow]

# Of the order of the troubles: one in which most of their kinds are among those that ten minutes have time for.
SEED = 36


def test_an_evening_of_troubles_ends_as_it_began_and_all_of_it_is_told_once(deb: Path) -> None:
    evening = spend_evening(deb, seconds=600, seed=SEED)

    assert not evening.all_wrongs, "\n".join(describe(evening))
