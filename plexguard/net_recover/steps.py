"""The steps that may bring the network back, as commands for who holds the interface. Pure.

Each goes through that manager, or through a unit of its own that the service manager runs: outside of our sandbox, without a
right of ours, and brought to its end whatever becomes of us. What takes an interface down brings it up again in
ExecStopPost=, which also runs when the unit is stopped or killed in between.
"""

import enum

from plexguard.net_recover.holders import NETWORK_MANAGER_UNIT, NETWORKD_UNIT, Holder
from plexguard.net_recover.links import Link

Command = tuple[str, ...]
# Long enough for the other end of the cable to notice.
_DOWN_S = 2
_NMCLI = ("nmcli", "--wait", "30")


class Step(enum.Enum):
    """From the gentlest to the hardest."""

    DNS_FLUSH = "DNS flush"
    SOFT = "soft reset"
    HARD = "hard reset"
    RESTART = "service restart"

    @property
    def touches_interface(self) -> bool:
        return self is not Step.DNS_FLUSH


def find_steps(holder: Holder, link: Link | None, *, for_names: bool, has_resolved: bool) -> tuple[Step, ...]:
    """Return the steps of one round. for_names: the internet is there, and only names do not resolve."""
    soft = (Step.SOFT,) if holder is not Holder.NOBODY else ()
    if for_names:
        return ((Step.DNS_FLUSH,) if has_resolved else ()) + soft
    if holder is Holder.NOBODY or link is None or link.is_stacked:
        # Down and up would take what hangs on a bridge or bond with it, guests of this machine, say.
        return soft
    # The service of ifupdown takes every interface down; what it does for this one the hard reset has done.
    return (*soft, Step.HARD, *((Step.RESTART,) if holder is not Holder.IFUPDOWN else ()))


def make_commands(step: Step, holder: Holder, interface: str) -> tuple[Command, ...]:
    """Return the commands of a step, in order. Tried on Debian 12 and 13."""
    match step, holder:
        case Step.DNS_FLUSH, _:
            return (("resolvectl", "flush-caches"), ("resolvectl", "reset-server-features"))
        case Step.SOFT, Holder.NETWORKD:
            return (("networkctl", "reconfigure", interface),)
        case Step.SOFT, Holder.NETWORK_MANAGER:
            return ((*_NMCLI, "device", "reapply", interface),)
        case Step.SOFT, Holder.IFUPDOWN:
            return (_run_unit("/sbin/ifup", "--force", interface),)
        case Step.HARD, Holder.NETWORKD:
            return (_cycle_link(interface, f"-/usr/bin/networkctl reconfigure {interface}"),)
        case Step.HARD, Holder.NETWORK_MANAGER:
            return (_cycle_link(interface, f"-/usr/bin/{' '.join(_NMCLI)} device connect {interface}"),)
        case Step.HARD, Holder.IFUPDOWN:
            return (_run_unit("/sbin/ifdown", "--force", interface, after=(_pause(), f"/sbin/ifup {interface}")),)
        case Step.RESTART, Holder.NETWORKD:
            return (_restart(NETWORKD_UNIT),)
        case Step.RESTART, Holder.NETWORK_MANAGER:
            return (_restart(NETWORK_MANAGER_UNIT),)
    return ()


def _restart(unit: str) -> Command:
    return ("systemctl", "--no-ask-password", "restart", unit)


def _cycle_link(interface: str, after: str) -> Command:
    up = f"/sbin/ip link set dev {interface} up"
    return _run_unit("/sbin/ip", "link", "set", "dev", interface, "down", after=(_pause(), up, after))


def _pause() -> str:
    # "-": what comes after must come, also when the pause is cut short.
    return f"-/usr/bin/sleep {_DOWN_S}"


def _run_unit(*command: str, after: tuple[str, ...] = ()) -> Command:
    """Have the service manager run a command; after: what it runs then, whatever becomes of the command.

    KillMode=process: a DHCP client that ifup leaves behind stays.
    """
    properties = ["Type=oneshot", "KillMode=process", "TimeoutStartSec=60s", *(f"ExecStopPost={line}" for line in after)]
    options = [f"--property={text}" for text in properties]
    return ("systemd-run", "--no-ask-password", "--wait", "--quiet", "--collect", *options, "--", *command)
