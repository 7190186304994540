"""Machines whose interface is held by one of the three network managers of Debian, and what can go wrong in them."""

import enum
import json
from dataclasses import dataclass
from pathlib import Path

from tests.machine.layer import Layer, installed
from tests.machine.machine import Machine
from tests.machine.network import Fault, Lan
from tests.machine.tree import READY, Tree

INTERFACE = "eth0"
# Any name has an address in the internet of a Lan.
NAME = "plex.tv"


class Manager(enum.StrEnum):
    NETWORKD = "systemd-networkd"
    NETWORK_MANAGER = "NetworkManager"
    IFUPDOWN = "ifupdown"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setup:
    """packages: what is installed. files: name, content and mode. script: what is done once they are there."""

    packages: tuple[str, ...]
    files: tuple[tuple[str, str, int], ...]
    script: str


_SETUPS = {
    Manager.NETWORKD: _Setup(
        packages=("systemd-resolved",),
        files=(
            ("/etc/systemd/network/50-lan.network", f"[Match]\nName={INTERFACE}\n\n[Network]\nDHCP=ipv4\nIPv6AcceptRA=no\n", 0o644),
        ),
        script=(
            "systemctl enable systemd-networkd systemd-resolved && ln -sf /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf"
        ),
    ),
    Manager.NETWORK_MANAGER: _Setup(
        packages=("network-manager",),
        files=(
            (
                "/etc/NetworkManager/system-connections/lan.nmconnection",
                f"[connection]\nid=lan\ntype=ethernet\ninterface-name={INTERFACE}\n\n[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=disabled\n",
                0o600,
            ),
        ),
        script="rm -f /etc/resolv.conf",
    ),
    Manager.IFUPDOWN: _Setup(
        packages=("ifupdown", "isc-dhcp-client"),
        files=(
            (
                "/etc/network/interfaces",
                f"auto lo\niface lo inet loopback\n\nauto {INTERFACE}\niface {INTERFACE} inet dhcp\n",
                0o644,
            ),
        ),
        script="rm -f /etc/resolv.conf",
    ),
}


def managed(manager: Manager, *, suite: str = "bookworm", deb: Path | None = None) -> Layer:
    """Return the layer of a machine in which the manager gets an address for eth0 by DHCP; deb: a package to install."""
    tree = READY.with_packages(*needs(manager)).on(suite)
    return managing(manager, installed(tree, deb) if deb else tree)


def needs(manager: Manager) -> tuple[str, ...]:
    """Return the packages that a machine must have for managing()."""
    return ("iputils-ping", *_SETUPS[manager].packages)


def managing(manager: Manager, below: Tree | Layer) -> Layer:
    """Return the layer that hands eth0 to the manager. Whatever else there is comes before it: a machine that is prepared has no eth0, and
    ifupdown's service fails over that."""
    setup = _SETUPS[manager]

    def prepare(machine: Machine) -> None:
        for path, text, mode in setup.files:
            machine.write(path, text, mode)
        machine.run(["sh", "-ec", setup.script])

    return Layer(below, key=f"{manager} {setup.files} {setup.script}", prepare=prepare)


# What a machine sees of its network


def await_online(machine: Machine, *, timeout_s: float = 60) -> None:
    machine.wait_for(lambda: resolves(machine) and connects(machine, "1.1.1.1"), timeout_s=timeout_s, what="network")


def address_of(machine: Machine, interface: str = INTERFACE) -> str:
    """Return the first IPv4 address, or nothing."""
    text = machine.run(["ip", "-j", "-4", "address", "show", "dev", interface], check=False).stdout
    found = [info["local"] for link in json.loads(text or "[]") if link for info in link["addr_info"]]
    return found[0] if found else ""


def gateway_of(machine: Machine) -> str:
    """Return the gateway of the default route, or nothing."""
    routes = json.loads(machine.run(["ip", "-j", "-4", "route", "show", "default"], check=False).stdout or "[]")
    return routes[0].get("gateway", "") if routes else ""


def has_carrier(machine: Machine, interface: str = INTERFACE) -> bool:
    return "LOWER_UP" in machine.run(["ip", "link", "show", "dev", interface]).stdout


def pings(machine: Machine, address: str) -> bool:
    return machine.run(["ping", "-c", "1", "-W", "1", address], check=False).returncode == 0


def connects(machine: Machine, address: str, port: int = 443) -> bool:
    script = f"import socket; socket.create_connection(({address!r}, {port}), timeout=1)"
    return machine.run(["python3", "-c", script], check=False).returncode == 0


def resolves(machine: Machine, name: str = NAME) -> bool:
    """Tell whether a name has an address, asked as every program asks, with patience for one try."""
    return machine.run(["timeout", "3", "getent", "ahostsv4", name], check=False).returncode == 0


# What can be wrong in a machine


def flush_address(machine: Machine) -> None:
    machine.run(["ip", "address", "flush", "dev", INTERFACE])


def delete_default_route(machine: Machine) -> None:
    machine.run(["ip", "route", "delete", "default"])


def set_interface_down(machine: Machine) -> None:
    machine.run(["ip", "link", "set", "dev", INTERFACE, "down"])


def point_resolver_nowhere(machine: Machine) -> None:
    """Have resolv.conf name a server that does not exist, as a VPN that died leaves it."""
    machine.run(["rm", "-f", "/etc/resolv.conf"])
    machine.write("/etc/resolv.conf", "nameserver 10.77.0.222\noptions timeout:1 attempts:1\n")


def poison_cache(machine: Machine, lan: Lan, name: str = NAME) -> None:
    """Have systemd-resolved remember for an hour that a name does not exist."""
    machine.run(["resolvectl", "flush-caches"])
    lan.cause(Fault.DNS_LIES)
    answer = machine.run(["resolvectl", "query", name], check=False)
    lan.mend(Fault.DNS_LIES)
    assert answer.returncode != 0, answer
