"""What the reaper sees, and what it can't."""

from dataclasses import replace

import pytest

from plexguard.cloud_run.config import Config
from plexguard.cloud_run.reap.decide import decide, decide_destroy
from plexguard.cloud_run.reap.observe import Hold, look_at_lease, observe
from plexguard.cloud_run.rent.lease import LeaseRead, Leases
from plexguard.core.clock import Moment
from plexguard.core.errors import NoPermission, Unavailable
from plexguard.core.host import CommandFailed
from plexguard.core.manager import Unit
from tests.fakes.ports import BEGIN, FakeClock, FakeJournal
from tests.unit.cloud_run.samples import LEASE, ZONE, listing, server

NOW = Moment(wall=BEGIN, boot_id="boot-1", uptime_s=10_000.0)
CONFIG = Config(provider="scaleway")


class Manager:
    def __init__(self, active_state="inactive", error=None):
        self.active_state, self.error, self.asked = active_state, error, []

    def look_up(self, names):
        self.asked += names
        if self.error:
            raise self.error
        return tuple(Unit(name=name, active_state=self.active_state) for name in names)


class Zones:
    """A provider that can only list, and not every zone."""

    def __init__(self, **listings):
        self.listings, self.asked = listings, []

    @property
    def zones(self):
        return (ZONE,)

    def list(self, zone):
        self.asked.append(zone)
        found = self.listings.get(zone.replace("-", "_"), listing(zone=zone))
        if isinstance(found, Exception):
            raise found
        return found


@pytest.mark.parametrize(
    ("active_state", "hold"),
    [
        *((state, Hold.HELD) for state in ("active", "activating", "reloading", "deactivating")),
        *((state, Hold.DEAD) for state in ("inactive", "failed")),
    ],
)
def test_unit_that_holds_is_one_that_runs_begins_or_ends(active_state, hold):
    manager = Manager(active_state)

    assert look_at_lease(LeaseRead(lease=LEASE), manager, NOW).hold is hold
    assert manager.asked == [LEASE.units[0]]


def test_lease_of_another_boot_is_for_who_takes_runs_up_again():
    later = FakeClock()
    later.reboot()
    manager = Manager("inactive")

    assert look_at_lease(LeaseRead(lease=LEASE), manager, later.moment()).hold is Hold.OTHER_BOOT
    assert manager.asked == []


def test_lease_that_is_kept_is_held_whatever_its_unit_does():
    assert look_at_lease(LeaseRead(lease=replace(LEASE, keep=True)), Manager("failed"), NOW).hold is Hold.HELD


def test_manager_that_does_not_answer_and_lease_that_cannot_be_read_leave_it_open():
    silent = look_at_lease(LeaseRead(lease=LEASE), Manager(error=CommandFailed("no bus")), NOW)
    torn = look_at_lease(LeaseRead(lease=None, why="torn"), Manager(), NOW)

    assert (silent.hold, silent.why) == (Hold.UNKNOWN, "no bus")
    assert (torn.hold, torn.lease, torn.why) == (Hold.UNKNOWN, None, "torn")


def test_zones_of_leases_are_looked_at_too(tmp_path):
    leases, provider = Leases(tmp_path, FakeJournal()), Zones(fr_par_1=listing(server()))
    leases.save(replace(LEASE, zone="nl-ams-1"))

    found = observe(provider, leases, Manager(), config=CONFIG, owner="home", now=NOW)

    assert list(found.listings) == [ZONE, "nl-ams-1"]
    assert found.leases["delta"].hold is Hold.DEAD


@pytest.mark.parametrize("error", [Unavailable("away"), NoPermission("refused", hint="another key")])
def test_zone_that_cannot_be_listed_keeps_no_other_from_being(error, tmp_path):
    leases, provider = Leases(tmp_path, FakeJournal()), Zones(fr_par_1=error)
    leases.save(replace(LEASE, zone="nl-ams-1"))

    found = observe(provider, leases, Manager(), config=CONFIG, owner="home", now=NOW)

    assert list(found.listings) == ["nl-ams-1"]
    assert str(error) in found.unlisted[ZONE]


def test_what_was_rented_in_another_project_is_not_taken_for_gone(tmp_path):
    leases, provider = Leases(tmp_path, FakeJournal()), Zones(fr_par_1=listing())
    leases.save(replace(LEASE, project="another"))

    found = observe(provider, leases, Manager(), config=CONFIG, owner="home", now=NOW)

    assert "in project another, and [cloud-run] names" in found.unlisted[ZONE]
    assert decide(found).forget == decide_destroy(found, "delta", why="so").forget == ()


def test_what_was_rented_elsewhere_is_not_told_by_a_provider_that_knows_nothing_of_it(tmp_path):
    leases, provider = Leases(tmp_path, FakeJournal()), Zones()
    leases.save(replace(LEASE, zone="nl-ams-1"))

    found = observe(provider, leases, Manager(), config=Config(provider="local"), owner="home", now=NOW)

    assert provider.asked == [ZONE]
    assert "rented from scaleway, and [cloud-run] names local" in found.unlisted["nl-ams-1"]
