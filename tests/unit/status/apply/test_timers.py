"""Applying a changed configuration to the timers that it has the target want."""

from plexguard.cloud_run import units as cloud_units
from plexguard.cloud_run.config import Apply
from plexguard.cloud_run.config import Config as CloudConfig
from plexguard.core.manager import Unit
from plexguard.core.units import Site
from plexguard.rclone_watchdog.config import Config, Rclone
from plexguard.rclone_watchdog.units import drop_ins
from plexguard.status.apply.timers import apply_timers
from tests.fakes.ports import FakeManager

TIMER, SERVICE = "plexguard-trash.timer", "plexguard-trash.service"


def made(*, trash: bool) -> dict[str, str]:
    return drop_ins(Config(trash=trash), Rclone(), Site(folders=(), mounts=()))


def call(manager: FakeManager, *, was: bool, wanted: bool) -> list[tuple[str, str]]:
    apply_timers(made(trash=was), made(trash=wanted), manager)
    return manager.asked


def test_where_nothing_changed_nothing_is_done() -> None:
    # Also one that was stopped by hand.
    assert call(FakeManager(), was=True, wanted=True) == call(FakeManager(), was=False, wanted=False) == []


def test_it_is_started_where_it_is_wanted() -> None:
    assert call(FakeManager(), was=False, wanted=True) == [("start", TIMER)]


def test_what_was_switched_off_in_plex_is_put_back_at_once() -> None:
    assert call(FakeManager(), was=True, wanted=False) == [("stop", TIMER), ("start", SERVICE)]


def test_what_is_masked_stays_off_and_is_told() -> None:
    manager = FakeManager(Unit(name=TIMER, load_state="masked"))

    assert apply_timers(made(trash=False), made(trash=True), manager) == (f"{TIMER}: is masked, and stays off",)
    assert manager.asked == []


def test_reaper_is_started_with_the_provider_and_stopped_with_it() -> None:
    reaper, site = "plexguard-cloud-reaper.timer", Site(folders=(), mounts=())
    on, off = (cloud_units.drop_ins(CloudConfig(provider=name), Apply(), site) for name in ("local", "none"))
    manager = FakeManager()

    assert apply_timers(off, on, manager) == (f"{reaper}: started",)
    assert apply_timers(on, off, manager) == (f"{reaper}: stopped",)
    assert manager.asked == [("start", reaper), ("stop", reaper)]
