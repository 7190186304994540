"""The machines behind a fake cloud: each server that is switched on is a real one, told by cloud-init what its user data says.

    with Lan() as lan, Rented(lan) as rented, rented.cloud() as cloud, Machine(network=InSwitch(lan)) as house:
        ...  # in the house the API is at API, and its servers have addresses
        rented.machine(cloud.left()[0].id).run(["cloud-init", "status"])

The fake listens on the loopback of the network's switch, where the house is too. A server is off the network until it is switched
on; its disk lasts as long as it is not terminated, and all of it ends with the context, however that is left.
"""

import contextlib
import itertools
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.fakes import scaleway
from tests.machine.layer import Layer
from tests.machine.machine import Machine, Source
from tests.machine.network import GATEWAY, AtSwitch, Lan
from tests.machine.tree import CLOUD

PORT = 8080
API = f"http://127.0.0.1:{PORT}"
_FIRST_HOST = 20
_SEED = "/var/lib/cloud/seed/nocloud"
_RECIPE = "2"
# What an image of the cloud has beyond what its packages bring; there is no mirror here, and all packages are there already.
_FILES = {
    "/etc/cloud/cloud.cfg.d/99-testbed.cfg": (
        "datasource_list: [NoCloud]\nlocale: false\nnetwork: {config: disabled}\napt: {preserve_sources_list: true}\n"
    ),
    "/etc/systemd/system/testbed-address.service": f"""\
[Unit]
Description=Address of a Server
DefaultDependencies=no
Before=network-pre.target cloud-init-local.service
Wants=network-pre.target
# Else it is no server yet: an image that is being prepared.
ConditionPathExists={_SEED}/address

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'ip address add "$$(cat {_SEED}/address)" dev host0 && ip link set dev host0 up && \
ip route add default via {GATEWAY}'

[Install]
WantedBy=sysinit.target
""",
    "/etc/resolv.conf": f"nameserver {GATEWAY}\n",
}


def _prepare(machine: Machine) -> None:
    machine.run(["rm", "-rf", "/etc/apt/sources.list", "/etc/apt/sources.list.d"])
    for name, text in _FILES.items():
        machine.write(name, text)
    machine.systemctl("enable", "testbed-address.service")


IMAGE = Layer(CLOUD, key=f"cloud image {_RECIPE} {sorted(_FILES.items())}", prepare=_prepare)


class Rented:
    """lan: where they are joined."""

    def __init__(self, lan: Lan) -> None:
        self._lan = lan
        self.use(IMAGE)
        self._machines: dict[str, Machine] = {}
        self._numbers = itertools.count(_FIRST_HOST)
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="plexguard-rented-"))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            for machine in self._machines.values():
                stack.callback(machine.__exit__, None, None, None)

    def use(self, image: Source) -> None:
        """Have those that are made from now on start from an image. It is built here: where the fake is, nothing can be fetched."""
        image.lowers()
        self._image = image

    @contextlib.contextmanager
    def cloud(self, **options: Any) -> Iterator[scaleway.FakeScaleway]:
        """Give a fake of Scaleway whose servers these are. options: of FakeScaleway."""
        hooks = {"poweron": self.poweron, "poweroff": self.poweroff, "reboot": self.reboot, "terminate": self.terminate}
        fake = scaleway.FakeScaleway(port=PORT, **hooks, **options)
        with contextlib.ExitStack() as stack:
            with self._lan.entered():
                stack.enter_context(fake)
            yield fake

    def machine(self, server: str) -> Machine:
        """Return the machine of a server that was switched on. Raises KeyError."""
        return self._machines[server]

    def address(self, server: str) -> str:
        return (self._seed(server) / "address").read_text(encoding="ascii").partition("/")[0]

    # What the fake calls, each for a server one after the other

    def poweron(self, server: scaleway.Machine) -> str:
        machine = self._machines.get(server.id)
        if machine is None:
            machine = self._make(server)
            machine.__enter__()
            with self._lock:
                self._machines[server.id] = machine
        elif not machine.is_on:
            self._tell(server)
            machine.boot()
        return self.address(server.id)

    def poweroff(self, server: scaleway.Machine) -> None:
        machine = self._machines.get(server.id)
        if machine is not None and machine.is_on:
            machine.cut_power()

    def reboot(self, server: scaleway.Machine) -> None:
        self._tell(server)
        self._machines[server.id].reboot()

    def terminate(self, server: scaleway.Machine) -> None:
        with self._lock:
            machine = self._machines.pop(server.id, None)
        if machine is not None:
            machine.__exit__(None, None, None)
        shutil.rmtree(self.folder / server.id, ignore_errors=True)

    def _make(self, server: scaleway.Machine) -> Machine:
        with self._lock:
            number = next(self._numbers)
        self._seed(server.id).mkdir(mode=0o700, parents=True)
        (self._seed(server.id) / "address").write_text(f"{GATEWAY.rpartition('.')[0]}.{number}/24\n", encoding="ascii")
        self._tell(server)
        binds = {self._seed(server.id): _SEED}
        # Whoever switches a server on hears that it runs long before its system is up.
        return Machine(self._image, network=AtSwitch(self._lan), name=f"rented-{number}", binds=binds, is_awaited=False)

    def _tell(self, server: scaleway.Machine) -> None:
        """Give a machine what it is told at its next boot, as its metadata service would."""
        told = {
            "meta-data": f"instance-id: {server.id}\nlocal-hostname: {server.name.replace('.', '-')}\n".encode(),
            "user-data": server.user_data.get("cloud-init", b""),
        }
        for name, content in told.items():
            descriptor = os.open(self._seed(server.id) / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "wb") as file:
                file.write(content)

    def _seed(self, server: str) -> Path:
        return self.folder / server / "seed"
