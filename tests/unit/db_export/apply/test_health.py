"""A Plex is as well as it was: the same server, all libraries, and a file of each that it read one of before."""

from dataclasses import replace

import pytest

from plexguard.core.plex import PlexBroken, PlexMaintenance, PlexRefused
from plexguard.db_export.apply.health import Health, Unwell, await_well, find_fault, look
from tests.fakes.ports import IDENTITY, LIBRARY, FakeClock, FakePlex

BEFORE = Health(
    identifier=IDENTITY.machine_identifier, version="1.43.4", libraries=frozenset({"Films"}), readable=frozenset({"Films"})
)


def test_what_is_looked_at_says_of_which_libraries_a_file_can_be_read():
    plex = FakePlex()
    assert look(plex) == BEFORE
    plex.media = [PlexBroken("404")]
    assert look(plex).readable == frozenset() and look(plex).libraries == {"Films"}
    plex.media = [False]  # of one that has no file nobody can tell
    assert look(plex).readable == frozenset()


@pytest.mark.parametrize(
    ("now", "expected", "words"),
    [
        (BEFORE, {"Films"}, ""),
        (replace(BEFORE, version="1.44"), {"Films"}, ""),
        (replace(BEFORE, identifier="x"), {"Films"}, "another server answers there: x, and not e004a7de"),
        (replace(BEFORE, libraries=frozenset()), {"Films", "Music"}, "it does not show: Films, Music"),
        (replace(BEFORE, readable=frozenset()), {"Films"}, "it reads no file any more of: Films"),
        # What the new database does not have is nothing that it has lost.
        (replace(BEFORE, readable=frozenset(), libraries=frozenset({"Music"})), {"Music"}, ""),
    ],
)
def test_fault_is_what_is_worse_than_before(now, expected, words):
    assert find_fault(BEFORE, now, frozenset(expected)) == words


def test_plex_that_starts_is_waited_for_and_one_that_stays_sick_is_told_with_what_is_wrong():
    clock, plex = FakeClock(), FakePlex()
    plex.identities = [PlexRefused("refused"), PlexMaintenance("maintenance"), IDENTITY]
    assert await_well(lambda: plex, BEFORE, frozenset({"Films"}), clock) == BEFORE

    plex.library_lists = [(replace(LIBRARY, title="Other"),)]
    began_s = clock.monotonic_s()
    with pytest.raises(Unwell, match="not well after 100 s: it does not show: Films"):
        await_well(lambda: plex, BEFORE, frozenset({"Films"}), clock, limit_s=100.0)
    assert clock.monotonic_s() - began_s < 120.0
