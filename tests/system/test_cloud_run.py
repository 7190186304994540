"""The reaper on a booted machine: off without a provider, and with one it gives back what nobody holds, sandbox and all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine import Machine
from tests.system.conftest import assert_clean_journal, configure, events, explain

pytestmark = pytest.mark.machine

TIMER = "plexguard-cloud-reaper.timer"
SERVICE = "plexguard-cloud-reaper.service"
KEY = "/etc/plexguard/credentials/scaleway.secret-key"
FAKE = Path(__file__).parents[1] / "fakes/scaleway"
PROJECT = "1e57c0de-0000-4000-8000-000000000001"
SECRET = "5ca1e3a7-0000-4000-8000-00000000f4ce"
API = "http://127.0.0.1:8080"
CONFIG = f'[cloud-run]\nprovider = "scaleway"\nproject = "{PROJECT}"\nowner = "home"\napi = "{API}"\n'
# Rents a machine as a run does, by the package's own code, as the service's user, and is never heard of again.
RENT = f"""
import datetime, pathlib
from plexguard.cloud_run.rent.acquire import acquire
from plexguard.cloud_run.config import Config
from plexguard.cloud_run.rent.labels import make_label
from plexguard.cloud_run.rent.lease import Lease, Leases
from plexguard.cloud_run.providers.provider import Order
from plexguard.cloud_run.providers.scaleway.provider import Scaleway
from plexguard.core.clock import SystemClock
from plexguard.core.journal import StderrJournal
from plexguard.core.secret import Secret

clock, journal = SystemClock(), StderrJournal()
config = Config(provider="scaleway", project="{PROJECT}", owner="home", api="{API}")
label = make_label(owner="home", run="delta", deadline=clock.now() + datetime.timedelta(hours=96))
lease = Lease(
    run="delta", owner="home", provider="scaleway", zone="fr-par-1", units=("plexguard-test.service",),
    made=clock.moment(), deadline=label.deadline,
)
order = Order(label=label, zone="fr-par-1", type="PRO2-S", image="", disk_bytes=20 * 10**9, is_local_disk=False)
leases = Leases(pathlib.Path("/var/lib/plexguard/cloud-run"), journal)
key = Secret(pathlib.Path("/opt/key").read_text())
acquire(Scaleway(config, key, clock), leases, lease, order, journal)
"""


@pytest.fixture
def cloud(machine: Machine) -> Iterator[Machine]:
    """A machine on which a fake of Scaleway listens; its steps are fast."""
    machine.push(FAKE, "/opt/scaleway")
    start = ["systemd-run", "--unit=fake-scaleway", "--working-directory=/opt", "--", "/usr/bin/python3", "-m", "scaleway"]
    machine.run([*start, "--port", "8080", "--state", "/var/lib/fake-scaleway", "--scale", "0.01"])
    machine.wait_for(lambda: "fake" in left(machine), timeout_s=20, what="the fake listens")
    yield machine


def left(machine: Machine) -> str:
    """Return what the fake still has, "fake" in front."""
    done = machine.run(["curl", "-s", "-H", f"X-Auth-Token: {SECRET}", f"{API}/instance/v1/zones/fr-par-1/servers"], check=False)
    block = machine.run(["curl", "-s", "-H", f"X-Auth-Token: {SECRET}", f"{API}/block/v1/zones/fr-par-1/volumes"], check=False)
    return f"fake {done.stdout} {block.stdout}" if done.stdout else ""


def test_without_a_provider_nothing_runs_and_that_is_said_in_a_line(machine: Machine) -> None:
    machine.systemctl("start", SERVICE)

    assert machine.systemctl("is-active", TIMER, check=False).strip() == "inactive"
    assert "The cloud is not configured: nothing is rented." in machine.journal_text(f"_SYSTEMD_UNIT={SERVICE}")
    assert machine.failed_units() == []
    assert_clean_journal(machine)


def rent(machine: Machine) -> None:
    configure(machine, CONFIG)
    machine.write(KEY, SECRET + "\n", mode=0o600)
    machine.run(["plexguard-status", "apply"])
    assert machine.systemctl("is-active", TIMER).strip() == "active"
    machine.systemctl("start", SERVICE)  # makes the folder of its state
    # In files: the journal keeps command lines.
    machine.write("/opt/key", SECRET)
    machine.write("/opt/rent.py", RENT)
    machine.run(["runuser", "-u", "plexguard-cloud", "--", "/usr/bin/python3", "/opt/rent.py"])
    assert "plexguard.home.delta." in left(machine)


def test_machine_that_nobody_holds_is_given_back_by_the_service(cloud: Machine) -> None:
    machine = cloud
    rent(machine)

    listed = machine.run(["plexguard-cloud-run", "orphans"], check=False)
    machine.systemctl("start", SERVICE)

    assert listed.returncode == 1 and "orphan   server" in listed.stdout
    assert "delta" not in left(machine)
    assert [found["PLEXGUARD_RUN"] for found in events(machine, "cloud.instance-destroyed")] == ["delta"]
    assert "A listing made after that shows no machine" in " ".join(explain(machine, "cloud.instance-destroyed").split())
    assert machine.run(["plexguard-cloud-run", "orphans"]).stdout == "nothing is rented\n"
    assert "delta" in machine.run(["plexguard-cloud-run", "cost"]).stdout
    assert SECRET not in machine.run(["journalctl", "--no-pager", "-o", "export"]).stdout
    assert machine.failed_units() == []


def test_package_that_is_removed_leaves_nothing_rented(cloud: Machine) -> None:
    machine = cloud
    rent(machine)

    machine.run(["apt-get", "remove", "-y", "plexguard"], timeout_s=120)

    assert "delta" not in left(machine)
