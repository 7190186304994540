"""Who holds an interface: systemd-networkd, NetworkManager, ifupdown, or nobody; and whether it was switched off there.

Asked in that order as long as each runs: with NetworkManager, Debian's networking.service is "active" too.
"""

import enum
from dataclasses import dataclass

from plexguard.core.host import CommandError, CommandTimeout, Host
from plexguard.core.manager import Manager
from plexguard.net_recover.config import INTERFACE_NAME
from plexguard.net_recover.links import Link
from plexguard.net_recover.network import Network

NETWORKD_UNIT = "systemd-networkd.service"
NETWORK_MANAGER_UNIT = "NetworkManager.service"
RESOLVED_UNIT = "systemd-resolved.service"
_ASK_TIMEOUT_S = 5.0
# States of `nmcli device` in which the interface is somebody else's.
_FOREIGN = ("unmanaged", "connected (externally)")


class Holder(enum.Enum):
    """Who configures an interface."""

    NETWORKD = "systemd-networkd"
    NETWORK_MANAGER = "NetworkManager"
    IFUPDOWN = "ifupdown"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """By whom. switched_off: how a person switched it off there, "" when nobody did."""

    by: Holder
    switched_off: str = ""


def find_holder(link: Link, *, network: Network, manager: Manager, host: Host) -> Held:
    if not link.exists or not INTERFACE_NAME.fullmatch(link.name):
        return Held(by=Holder.NOBODY)
    states = _ask_network_manager(host) if is_running(NETWORK_MANAGER_UNIT, manager) else {}
    if states is not None and (state := states.get(link.name, _FOREIGN[0])) not in _FOREIGN:
        return Held(by=Holder.NETWORK_MANAGER, switched_off=_find_switch(link, state, host))
    if is_running(NETWORKD_UNIT, manager) and _is_held_by_networkd(link, network):
        return Held(by=Holder.NETWORKD)
    if _is_held_by_ifupdown(link, network, host):
        return Held(by=Holder.IFUPDOWN)
    # A NetworkManager that runs and gives no answer hangs: what nobody else holds is its own, and a restart may help it.
    return Held(by=Holder.NETWORK_MANAGER if states is None else Holder.NOBODY)


def is_running(unit: str, manager: Manager) -> bool:
    """Tell whether a service runs. A service manager that does not answer is no reason to end the check."""
    try:
        return manager.unit(unit).runs
    except CommandError:
        return False


def _ask_network_manager(host: Host) -> dict[str, str] | None:
    """Return the states of NetworkManager's devices, None when it gives no answer in time."""
    try:
        lines = host.run(["nmcli", "-t", "-f", "DEVICE,STATE", "device"], timeout_s=_ASK_TIMEOUT_S).stdout.splitlines()
    except CommandTimeout:
        return None
    except CommandError:
        return {}
    # nmcli escapes the colons that are part of a name.
    return {device.replace("\\:", ":"): state for device, _, state in (line.rpartition(":") for line in lines)}


def _find_switch(link: Link, state: str, host: Host) -> str:
    """Return that a person disconnected a device, "" when none did. NetworkManager keeps the reason of each state.

    Source: NM_DEVICE_STATE_REASON_USER_REQUESTED, NetworkManager's D-Bus API; seen after `nmcli device disconnect` and `nmcli
    connection down` with 1.42 and 1.52, and after no failure.
    """
    if state != "disconnected":
        return ""
    reason = _ask(host, "nmcli", "-t", "-f", "GENERAL.REASON", "device", "show", link.name)
    return "disconnected by a person through NetworkManager" if reason.startswith("GENERAL.REASON:39 ") else ""


def _is_held_by_networkd(link: Link, network: Network) -> bool:
    # What networkctl reads too, and in any version of it.
    found = dict(line.partition("=")[::2] for line in network.read(f"/run/systemd/netif/links/{link.index}").splitlines())
    return found.get("ADMIN_STATE", "unmanaged") not in ("unmanaged", "")


def _is_held_by_ifupdown(link: Link, network: Network, host: Host) -> bool:
    up = {line.partition("=")[0] for line in network.read("/run/network/ifstate").splitlines()}
    # An interface that ifup failed on is in no list of what is up, but configured all the same.
    return link.name in up or _is_configured_by_ifupdown(link, host)


def _is_configured_by_ifupdown(link: Link, host: Host) -> bool:
    """ifquery fails on what it does not know; of what it does it prints the options, and "inet dhcp" has none."""
    try:
        host.run(["ifquery", link.name], timeout_s=_ASK_TIMEOUT_S)
    except CommandError:
        return False
    return True


def _ask(host: Host, *argv: str) -> str:
    try:
        return host.run(list(argv), timeout_s=_ASK_TIMEOUT_S).stdout
    except CommandError:
        return ""
