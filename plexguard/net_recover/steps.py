"""The steps that may bring the network back, as commands for who holds the interface. Pure.

Each goes through that manager, or through a unit of its own that the service manager runs: outside of our sandbox, without a
right of ours, and brought to its end whatever becomes of us. What takes an interface down brings it up again in
ExecStopPost=, which also runs when the unit is stopped or killed in between.
"""

import enum
from dataclasses import dataclass

from plexguard.net_recover.holders import NETWORK_MANAGER_UNIT, NETWORKD_UNIT, Holder
from plexguard.net_recover.links import Route

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What the steps are for. has_address, is_leased: it has one, and one that was given for a time. route: its default route,
    whose gateway is silent. is_last_round: what is not tried now is not tried at all, and nobody on the link would miss us."""

    holder: Holder
    interface: str
    is_stacked: bool = False
    for_names: bool = False
    has_resolved: bool = False
    has_address: bool = False
    is_leased: bool = False
    route: Route | None = None
    is_last_round: bool = False

    @property
    def may_lose_its_address(self) -> bool:
        """Whether address and route are there, so that it is the gateway that is silent, who may be the one that gave them."""
        return self.is_leased and self.route is not None


def find_steps(patient: Patient) -> tuple[Step, ...]:
    """Return the steps of one round."""
    holder = patient.holder
    if holder is Holder.IFUPDOWN:
        # It knows no gentle way: another `ifup` leaves another DHCP client behind, and its service takes every interface down.
        # Nor does anything give back what `ifdown` takes while the DHCP server is away, or what the kernel forgets with a link.
        is_lost = not (patient.for_names or patient.is_stacked or (patient.has_address and patient.route is not None))
        flush = (Step.DNS_FLUSH,) if patient.for_names and patient.has_resolved else ()
        return flush + ((Step.HARD,) if is_lost else ())
    soft = (Step.SOFT,) if holder is not Holder.NOBODY else ()
    if patient.for_names:
        flush = (Step.DNS_FLUSH,) if patient.has_resolved or holder is Holder.NETWORK_MANAGER else ()
        return flush + soft
    if holder is Holder.NOBODY or patient.is_stacked:
        # Down and up would take what hangs on a bridge or bond with it, guests of this machine, say.
        return soft
    if patient.may_lose_its_address and not patient.is_last_round:
        # Taking it down loses the address, by which this machine is reached in the house, until somebody gives it again. Only
        # that revives a switch's port that hangs, so it comes at the very end, when nobody on the link has answered for long.
        return (*soft, *((Step.RESTART,) if holder is Holder.NETWORKD else ()))
    return (*soft, Step.HARD, Step.RESTART)


def make_commands(step: Step, patient: Patient) -> tuple[Command, ...]:
    """Return the commands of a step, in order. What each cures was tried on Debian 12 and 13."""
    interface = patient.interface
    match step, patient.holder:
        case Step.DNS_FLUSH, holder:
            flush = (("resolvectl", "flush-caches"), ("resolvectl", "reset-server-features")) if patient.has_resolved else ()
            return (*flush, *(((*_NMCLI, "general", "reload", "dns-full"),) if holder is Holder.NETWORK_MANAGER else ()))
        case Step.SOFT, Holder.NETWORKD:
            # Reconfiguring drops the address first: too much where only names are missing, or a lease may not be given again.
            return (("networkctl", "renew" if patient.for_names or patient.is_leased else "reconfigure", interface),)
        case Step.SOFT, Holder.NETWORK_MANAGER:
            return ((*_NMCLI, "device", "reapply", interface),)
        case Step.HARD, Holder.NETWORKD:
            return (_cycle_link(interface, f"-/usr/bin/networkctl reconfigure {interface}"),)
        case Step.HARD, Holder.NETWORK_MANAGER:
            return (_cycle_link(interface, f"-/usr/bin/{' '.join(_NMCLI)} device connect {interface}"),)
        case Step.HARD, Holder.IFUPDOWN:
            return (_run_unit("/sbin/ifdown", "--force", interface, after=(_pause(), f"/sbin/ifup --force {interface}")),)
        case Step.RESTART, Holder.NETWORKD:
            return (_restart(NETWORKD_UNIT),)
        case Step.RESTART, Holder.NETWORK_MANAGER:
            return (_restart(NETWORK_MANAGER_UNIT),)
    return ()


def _restart(unit: str) -> Command:
    return ("systemctl", "--no-ask-password", "restart", unit)


def _cycle_link(interface: str, *after: str) -> Command:
    up = f"/sbin/ip link set dev {interface} up"
    return _run_unit("/sbin/ip", "link", "set", "dev", interface, "down", after=(_pause(), up, *after))


def _pause() -> str:
    # "-": what comes after must come, also when the pause is cut short.
    return f"-/usr/bin/sleep {_DOWN_S}"


def _run_unit(*command: str, after: tuple[str, ...] = ()) -> Command:
    """Have the service manager run a command; after: what it runs then, whatever becomes of the command.

    KillMode=process: a DHCP client that ifup leaves behind stays.
    """
    limits = ("TimeoutStartSec=60s", "TimeoutStopSec=120s")  # ifup waits 79 s for a DHCP server that is away
    properties = ["Type=oneshot", "KillMode=process", *limits, *(f"ExecStopPost={line}" for line in after)]
    options = [f"--property={text}" for text in properties]
    return ("systemd-run", "--no-ask-password", "--wait", "--quiet", "--collect", *options, "--", *command)
