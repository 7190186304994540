"""A home with the package, and a cloud in which what it rents is a real machine: see tests/machine/rented.py."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fakes.scaleway import PROJECT, SECRET_KEY, FakeScaleway, Timing
from tests.machine import READY, Machine, installed
from tests.machine.machine import Source
from tests.machine.network import InSwitch, Lan
from tests.machine.rented import API, Rented
from tests.system.conftest import configure

KEY = "/etc/plexguard/credentials/scaleway.secret-key"
CONFIG = f'[cloud-run]\nprovider = "scaleway"\nproject = "{PROJECT}"\nowner = "home"\napi = "{API}"\n'
RUN = "/etc/plexguard/cloud-run/delta.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """machine: the home. cloud: what it rents from. rented: what is rented, by the ids of the servers."""

    machine: Machine
    cloud: FakeScaleway
    rented: Rented

    @property
    def servers(self) -> list[str]:
        return [one.id for one in self.cloud.left() if one.kind == "server"]

    @property
    def guest(self) -> Machine:
        """The only machine that is rented."""
        (server,) = self.servers
        return self.rented.machine(server)

    def power_off_guest(self) -> None:
        """Have the guest shut down by itself, which the cloud only notices."""
        (server,) = self.servers
        self.rented.machine(server).poweroff()
        self.cloud.power_off_guest(server)


@contextlib.contextmanager
def house(
    deb: Path,
    *,
    run: str = 'instance = "lite"\nmedia = ""\n',
    uptime_s: int | None = None,
    source: Source | None = None,
    **options: Any,
) -> Iterator[House]:
    """Give a home that is configured, with the run `delta`. run: its file, "" for none. uptime_s: of the home. source: of the home, not
    the package alone. options: of FakeScaleway."""
    options = {"timing": Timing().scaled(0.05), **options}
    with contextlib.ExitStack() as stack:
        lan = stack.enter_context(Lan())
        rented = stack.enter_context(Rented(lan))
        cloud = stack.enter_context(rented.cloud(**options))
        machine = stack.enter_context(
            Machine(source or installed(READY, deb), network=InSwitch(lan), name="house", uptime_s=uptime_s)
        )
        machine.write(KEY, SECRET_KEY + "\n", mode=0o600)
        if run:
            machine.write(RUN, run)
        configure(machine, CONFIG)
        yield House(machine=machine, cloud=cloud, rented=rented)
