"""A check of the breaker: what it makes of each answer of Plex."""

import threading

import pytest

from plexguard.core.plex import (
    PlexBroken,
    PlexFailing,
    PlexMaintenance,
    PlexRefused,
    PlexTimeout,
    PlexUnauthorized,
    PlexUnreachable,
)
from plexguard.proxy.decide import Check
from plexguard.proxy.observe import Asking, check_plex
from tests.fakes.ports import FakePlex

GOOD = Check(good=True)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (PlexMaintenance("503"), "maintenance"),
        (PlexRefused("refused"), "down"),
        (PlexTimeout("late"), "down"),
        (PlexUnreachable("no route"), "down"),
        (PlexFailing("500"), "failing"),
        (PlexBroken("half"), "failing"),
    ],
)
def test_fault_has_a_reason(fault, reason):
    plex = FakePlex()
    plex.library_lists = [fault]
    found = check_plex(plex, timeout_s=3)
    assert (found.good, found.reason) == (False, reason) and found.text.startswith("Plex ")


def test_answer_is_good():
    assert check_plex(FakePlex(), timeout_s=3).good


def test_plex_that_wants_a_token_lives():
    plex = FakePlex()
    plex.library_lists = [PlexUnauthorized("401")]
    assert check_plex(plex, timeout_s=3).good


def test_check_that_never_ends_has_failed_and_none_is_made_beside_it():
    asking, gate = Asking(), threading.Event()
    asking.begin(lambda: (gate.wait(60) and GOOD) or GOOD, until_s=10.0)
    assert asking.take(9.0) is None
    assert [found.good for found in (asking.take(10.0), asking.take(20.0)) if found is not None] == [False, False]
    assert asking.is_busy
    gate.set()
    asking._thread.join(10)
    assert asking.take(21.0).good and not asking.is_busy
