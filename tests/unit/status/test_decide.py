"""Which units a changed configuration concerns."""

import pytest

from plexguard.core.suite import PROGRAMS, Program
from plexguard.status.decide import choose_restarts, find_changed_units


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ({}, {}, ()),
        ({"a.timer.d/50.conf": "x"}, {"a.timer.d/50.conf": "x"}, ()),
        ({}, {"a.timer.d/50.conf": "x"}, ("a.timer",)),
        ({"a.timer.d/50.conf": "x"}, {}, ("a.timer",)),
        ({"a.timer.d/50.conf": "x"}, {"a.timer.d/50.conf": "y"}, ("a.timer",)),
        ({"a.timer.d/50.conf": "x"}, {"a.timer.d/60.conf": "x"}, ("a.timer",)),
        ({}, {"b.service.d/1.conf": "x", "a.timer.d/2.conf": "x", "b.service.d/3.conf": ""}, ("a.timer", "b.service")),
    ],
    ids=["nothing", "the same", "appeared", "went", "changed", "moved", "several, in order, once each"],
)
def test_find_changed_units_by_their_drop_ins(before: dict[str, str], after: dict[str, str], changed: tuple[str, ...]) -> None:
    assert find_changed_units(before, after) == changed


def test_timers_and_daemons_are_restarted_and_jobs_are_not() -> None:
    programs = (Program(name="watch", daemon=True), Program(name="audit"))

    restarts = choose_restarts(("plexguard-audit.service", "plexguard-audit.timer"), programs)

    assert restarts == ("plexguard-audit.timer", "plexguard-watch.service")


def test_daemons_are_restarted_even_when_no_unit_changed() -> None:
    assert choose_restarts((), PROGRAMS) == ("plexguard-container-watch.service",)
