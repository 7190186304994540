"""How often the probe runs, as a drop-in."""

from datetime import timedelta

from plexguard.core.units import Site
from plexguard.plex_probe.config import Config
from plexguard.plex_probe.units import drop_ins

NOWHERE = Site(folders=(), mounts=())


def test_the_shipped_interval_needs_no_drop_in() -> None:
    assert drop_ins(Config(), NOWHERE) == {}


def test_another_interval_resets_the_timer_and_says_its_first_run_again() -> None:
    made = drop_ins(Config(interval=timedelta(seconds=90)), NOWHERE)

    assert made == {
        "plexguard-plex-probe.timer.d/50-interval.conf": "[Timer]\nOnUnitInactiveSec=\nOnBootSec=30s\nOnUnitInactiveSec=1min 30s\n"
    }
