"""What the kernel knows of routes, interfaces, addresses and neighbours: parsed once, here."""

import enum
import json
import math
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from plexguard.core.clock import Clock
from plexguard.core.host import CommandError, Host
from plexguard.net_recover.network import Network

_ASK_TIMEOUT_S = 5.0
# linux/route.h, linux/ipv6_route.h, linux/if.h, linux/if_arp.h.
_RTF_UP, _RTF_REJECT, _IFF_UP = 0x1, 0x200, 0x1
_ETHER = 1
# What is built of other interfaces: taking it down takes what hangs on it with it.
_STACKED = ("bridge", "bond", "vlan", "macvlan", "vxlan", "team")
# A neighbour is REACHABLE for up to 45 s, and then goes over DELAY (5 s) and PROBE (3 s) to REACHABLE or FAILED; arp(7).
_NEIGHBOUR_S = 60.0
_NEIGHBOUR_POLL_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A default route. gateway: "" where the interface itself is the way. version: of IP."""

    interface: str
    version: int = 4
    gateway: str = ""
    metric: int = 0

    @property
    def gateway_address(self) -> str:
        """The gateway as a connection takes it: a link-local one is nothing without its interface."""
        return f"{self.gateway}%{self.interface}" if self.gateway.lower().startswith("fe80:") else self.gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An interface. is_up: not switched off by whoever administers it. carrier: something is at the other end of the cable.
    kind: "ether", "wlan", "bridge", … or "tunnel" for what is no Ethernet at all."""

    name: str
    exists: bool = True
    index: int = 0
    is_up: bool = True
    carrier: bool = True
    kind: str = "ether"

    @property
    def is_stacked(self) -> bool:
        return self.kind in _STACKED


class Neighbour(enum.Enum):
    """Whether the gateway is there, by ARP or neighbour discovery, which no gateway refuses."""

    ANSWERS = "answers"
    SILENT = "does not answer"
    UNKNOWN = "cannot be told"


def read_routes(network: Network) -> tuple[Route, ...]:
    """Return the default routes, IPv4 first, the one that is used first."""
    ipv4 = parse_ipv4_routes(network.read("/proc/net/route"))
    ipv6 = parse_ipv6_routes(network.read("/proc/net/ipv6_route"))
    return (*sorted(ipv4, key=lambda route: route.metric), *sorted(ipv6, key=lambda route: route.metric))


def parse_ipv4_routes(table: str) -> tuple[Route, ...]:
    """Parse /proc/net/route: numbers are hexadecimal, addresses in the order of the machine's bytes (proc(5))."""
    rows = [row for line in table.splitlines()[1:] if len(row := line.split()) >= 8]
    return tuple(
        Route(interface=row[0], gateway=_show_ipv4(row[2]), metric=int(row[6]))
        for row in rows
        if (row[1], row[7]) == ("00000000", "00000000") and _is_used(row[3])
    )


def _show_ipv4(digits: str) -> str:
    # The kernel prints the address as a number of this machine's own byte order.
    packed = int(digits, 16).to_bytes(4, sys.byteorder)
    return "" if packed == bytes(4) else socket.inet_ntoa(packed)


def parse_ipv6_routes(table: str) -> tuple[Route, ...]:
    """Parse /proc/net/ipv6_route: destination, length, source, length, gateway, metric, two counters, flags, interface."""
    rows = [row for line in table.splitlines() if len(row := line.split()) == 10]
    return tuple(
        Route(interface=row[9], version=6, gateway=_show_ipv6(row[4]), metric=int(row[5], 16))
        for row in rows
        if (row[0], row[1]) == ("0" * 32, "00") and _is_used(row[8]) and row[9] != "lo"
    )


def _show_ipv6(digits: str) -> str:
    packed = bytes.fromhex(digits)
    return "" if packed == bytes(16) else socket.inet_ntop(socket.AF_INET6, packed)


def _is_used(flags: str) -> bool:
    return int(flags, 16) & (_RTF_UP | _RTF_REJECT) == _RTF_UP


def read_link(network: Network, name: str) -> Link:
    folder = f"/sys/class/net/{name}"
    flags = network.read(f"{folder}/flags").strip()
    if not flags:
        return Link(name=name, exists=False, is_up=False, carrier=False)
    return Link(
        name=name,
        index=_number(network.read(f"{folder}/ifindex")),
        is_up=bool(int(flags, 16) & _IFF_UP),
        # Not to be read while the interface is switched off.
        carrier=network.read(f"{folder}/carrier").strip() == "1",
        kind=_read_kind(network, folder),
    )


def _read_kind(network: Network, folder: str) -> str:
    if _number(network.read(f"{folder}/type")) != _ETHER:
        return "tunnel"
    found = dict(line.partition("=")[::2] for line in network.read(f"{folder}/uevent").splitlines())
    return found.get("DEVTYPE", "ether")


def _number(text: str) -> int:
    return int(text) if text.strip().isdigit() else 0


def find_route_interface(network: Network, routes: tuple[Route, ...]) -> str:
    """Return the interface of the default route, "" without one. Tunnels are passed over: nothing here can mend them."""
    return next((route.interface for route in routes if read_link(network, route.interface).kind != "tunnel"), "")


def choose_interface(network: Network, routes: tuple[Route, ...], *, remembered: str) -> str:
    """Return the interface to mend, "" when there is none: the one by which the network was last seen, whatever other has a
    route now; else that of a default route; else, only to be shown, the first real one, with a carrier if one has it."""
    return remembered or find_route_interface(network, routes) or _find_real(network)


def _find_real(network: Network) -> str:
    real = [name for name in network.interfaces() if network.read(f"/sys/class/net/{name}/device/uevent")]
    return next((name for name in real if read_link(network, name).carrier), real[0] if real else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The addresses of an interface that lead beyond its link. is_leased: one was given for a time, by a DHCP server or a router,
    and may not be given again while that is away."""

    found: tuple[str, ...] = ()
    is_leased: bool = False


def read_addresses(host: Host, interface: str, *, version: int = 0) -> Addresses | None:
    """Return the addresses of an interface, None when they cannot be told. version: only those of that IP; 0: of both."""
    families = {4: ("inet",), 6: ("inet6",)}.get(version, ("inet", "inet6"))
    try:
        items = [a for item in _ask_ip(host, "address", "show", "dev", interface) for a in item.get("addr_info", ())]
        beyond = [a for a in items if a.get("scope") == "global" and a.get("family") in families]
        return Addresses(found=tuple(str(a["local"]) for a in beyond), is_leased=any(a.get("dynamic") for a in beyond))
    except (CommandError, ValueError, TypeError, AttributeError, KeyError):
        return None


def _ask_ip(host: Host, *words: str) -> list[dict[str, Any]]:
    # -s: with the times of neighbours.
    done = host.run(["ip", "-s", "-json", *words], timeout_s=_ASK_TIMEOUT_S)
    found = json.loads(done.stdout or "[]")
    # `ip -json` shows what is not there as {}.
    return [item for item in found if item]


def read_neighbour(host: Host, route: Route, *, asked_s: float) -> tuple[Neighbour, bool]:
    """Return what the kernel knows of a gateway, and whether it is still finding out.

    asked_s: how long ago it was first asked something. The kernel calls a neighbour REACHABLE for up to 45 s after its last word,
    without asking; only a word that came since is an answer.
    """
    try:
        found = _ask_ip(host, "neighbour", "show", "to", route.gateway, "dev", route.interface)
        states = {state for item in found for state in item.get("state", ())}
        confirmed_s = min((float(item["confirmed"]) for item in found if "confirmed" in item), default=math.inf)
    except (CommandError, ValueError, TypeError, AttributeError):
        return Neighbour.UNKNOWN, False
    # Whole seconds, cut off.
    if "REACHABLE" in states and confirmed_s < math.floor(asked_s):
        return Neighbour.ANSWERS, False
    if states & {"REACHABLE", "DELAY", "PROBE", "STALE"}:
        return Neighbour.UNKNOWN, True
    # No entry at all: nothing was sent its way. PERMANENT, NOARP: somebody else answers for it.
    return (Neighbour.SILENT if states & {"FAILED", "INCOMPLETE"} else Neighbour.UNKNOWN), "INCOMPLETE" in states


def await_neighbour(host: Host, clock: Clock, route: Route, *, since_s: float, ask: Callable[[], bool]) -> Neighbour:
    """Return whether a gateway is there, once it or the kernel has said so.

    since_s: from when on something was sent its way, on the monotonic clock. ask: asks it something more, so that the kernel has
    to find out, and tells whether it answered.
    """
    deadline_s = clock.monotonic_s() + _NEIGHBOUR_S
    while True:
        if ask():
            return Neighbour.ANSWERS
        state, is_open = read_neighbour(host, route, asked_s=clock.monotonic_s() - since_s)
        if not is_open or clock.monotonic_s() >= deadline_s:
            return state
        clock.sleep(_NEIGHBOUR_POLL_S)


def read_others(host: Host, interface: str, *, gateway: str) -> tuple[str, ...]:
    """Return the other neighbours that the kernel has known on a link."""
    try:
        found = _ask_ip(host, "neighbour", "show", "dev", interface)
        others = [(str(item["dst"]), set(item.get("state", ()))) for item in found if item.get("dst") != gateway]
    except (CommandError, ValueError, TypeError, AttributeError, KeyError):
        return ()
    return tuple(address for address, states in others if not states & {"NOARP", "PERMANENT", "FAILED"})
