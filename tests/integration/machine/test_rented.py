"""A server of the fake cloud is a machine: told by its user data, reachable, rebooted and ended by the API."""

import datetime
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plexguard.cloud_run.config import Config
from plexguard.cloud_run.providers.provider import Order
from plexguard.cloud_run.providers.scaleway.provider import Scaleway
from plexguard.cloud_run.rent.labels import make_label
from plexguard.core.clock import SystemClock
from plexguard.core.secret import Secret
from tests.fakes.scaleway import PROJECT, SECRET_KEY, FakeScaleway, Timing
from tests.machine import can_run
from tests.machine.machine import Machine
from tests.machine.network import PLAYER, Lan
from tests.machine.rented import API, Rented

pytestmark = [pytest.mark.machine, pytest.mark.skipif(bool(can_run()), reason=str(can_run()))]

USER_DATA = b'#cloud-config\n{"runcmd": [["/bin/sh", "-c", "uname -n > /root/told"]]}\n'


class Bench:
    """The fake cloud with machines, and the package's own provider in their network."""

    def __init__(self, lan: Lan, rented: Rented, cloud: FakeScaleway) -> None:
        self.rented, self.cloud, self._lan = rented, cloud, lan
        config = Config(provider="scaleway", project=PROJECT, owner="home", api=API)
        self.provider = Scaleway(config, Secret(SECRET_KEY), SystemClock())

    def rent(self) -> tuple[str, Machine]:
        label = make_label(owner="home", run="delta", deadline=SystemClock().now() + datetime.timedelta(hours=96))
        order = Order(
            label=label, zone="fr-par-1", type="DEV1-S", image="", disk_bytes=20 * 10**9, is_local_disk=True, user_data=USER_DATA
        )
        with self._lan.entered():
            server = self.provider.rent(order, lambda key: None)
        self.address = server.addresses[0]
        return server.key.id, self.rented.machine(server.key.id)

    def give_back(self) -> None:
        with self._lan.entered():
            listing = self.provider.list("fr-par-1")
            servers = [one for one in listing.resources if one.label]
            label = servers[0].label
            assert label is not None
            self.provider.destroy(servers, label, lambda key: None)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Lan() as lan, Rented(lan) as rented, rented.cloud(timing=Timing().scaled(0.05)) as cloud:
        yield Bench(lan, rented, cloud)


def test_server_is_a_machine_that_is_told_by_its_user_data_and_ends_by_the_api(bench: Bench) -> None:
    server, machine = bench.rent()

    done = machine.run(["cloud-init", "status", "--wait", "--long"], check=False, timeout_s=120)
    assert done.returncode == 0, done.stdout + machine.run(["cat", "/var/log/cloud-init-output.log"]).stdout
    assert machine.read("/root/told").startswith("plexguard-home-delta-")
    addresses = machine.run(["ip", "-brief", "address", "show", "dev", "host0"]).stdout
    assert f" {bench.address}/24" in addresses
    assert machine.run(["ssh-keyscan", "-t", "ed25519", bench.address]).stdout
    machine.reboot()
    machine.wait_for(lambda: machine.systemctl("is-system-running", check=False).strip() == "running", timeout_s=60, what="boot")
    assert machine.read("/root/told")

    bench.give_back()

    assert bench.cloud.left() == []
    assert not machine.pid
    with pytest.raises(KeyError):
        bench.rented.machine(server)


@pytest.mark.parametrize("leave", [lambda: None, lambda: (_ for _ in ()).throw(KeyboardInterrupt)], ids=["in peace", "by Ctrl-C"])
def test_nothing_is_left_of_machines_that_nobody_ends(leave: Callable[[], object]) -> None:
    folder, pid = Path(), 0
    try:
        with Lan() as lan, Rented(lan) as rented, rented.cloud(timing=Timing().scaled(0.05)) as cloud:
            _, machine = Bench(lan, rented, cloud).rent()
            folder, pid = rented.folder, machine.pid
            leave()
    except KeyboardInterrupt:
        pass

    assert pid and not Path(f"/proc/{pid}").exists()
    assert folder != Path() and not folder.exists()
    assert PLAYER not in os.popen("ip address").read()
