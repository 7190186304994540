"""How often the network is checked, as a drop-in."""

from datetime import timedelta

from plexguard.core.units import Site
from plexguard.net_recover.config import Config
from plexguard.net_recover.units import drop_ins

NOWHERE = Site(folders=(), mounts=())


def test_the_shipped_interval_needs_no_drop_in() -> None:
    assert drop_ins(Config(), NOWHERE) == {}


def test_another_interval_resets_the_timer_and_says_its_first_run_again() -> None:
    made = drop_ins(Config(interval=timedelta(minutes=5)), NOWHERE)

    assert made == {
        "plexguard-net-recover.timer.d/50-interval.conf": "[Timer]\nOnUnitInactiveSec=\nOnBootSec=2min\nOnUnitInactiveSec=5min\n"
    }
