"""The states of the network, from near to far, and what was seen of them in a line. Pure."""

import enum

from plexguard.net_recover.links import Neighbour
from plexguard.net_recover.network import Reply
from plexguard.net_recover.observe import Observation


class Verdict(enum.StrEnum):
    """What is the matter with the network, from near to far."""

    ONLINE = "online"
    SWITCHED_OFF = "switched-off"
    NO_LINK = "no-link"
    NO_ADDRESS = "no-address"
    NO_GATEWAY = "no-gateway"
    NO_INTERNET = "no-internet"
    NO_DNS = "no-dns"
    UNKNOWN = "unknown"


# What a reboot may: not names, and nothing beyond the gateway.
REBOOTABLE = frozenset({Verdict.NO_LINK, Verdict.NO_ADDRESS, Verdict.NO_GATEWAY})


def judge(seen: Observation, *, is_excused: bool = False) -> Verdict:
    """Return the verdict on what was seen. is_excused: an interface that is switched off may be so by no person's will: by a step
    that was broken off, or because it never came up in this boot."""
    if seen.answered is not None:
        return Verdict.ONLINE if seen.resolves else Verdict.NO_DNS
    if seen.link is None or all(answer.reply is Reply.DENIED for answer in seen.answers):
        return Verdict.UNKNOWN
    if seen.held.switched_off or (seen.link.exists and not seen.link.is_up and not is_excused):
        return Verdict.SWITCHED_OFF
    if not seen.link.exists or not seen.link.is_up or not seen.link.carrier:
        return Verdict.NO_LINK
    if seen.addresses is not None and not seen.addresses.found:
        return Verdict.NO_ADDRESS
    if seen.route is None and not any(answer.reply in (Reply.SILENT, Reply.REFUSED) for answer in seen.answers):
        return Verdict.NO_GATEWAY
    if seen.route is not None and seen.gateway is Neighbour.SILENT:
        return Verdict.NO_GATEWAY
    # Without a route in the main table, but not without a way: another table, or a tunnel, whose other end is away.
    return Verdict.NO_INTERNET


def describe(seen: Observation, verdict: Verdict) -> str:
    """Return what was seen, in a line."""
    match verdict:
        case Verdict.ONLINE | Verdict.NO_DNS:
            return _describe_answers(seen)
        case Verdict.UNKNOWN:
            return "there is no network interface to look at" if seen.link is None else "this machine forbids every question"
        case Verdict.SWITCHED_OFF:
            return f"{seen.interface} was switched off" + (f" ({seen.held.switched_off})" if seen.held.switched_off else "")
        case Verdict.NO_LINK if seen.link is not None and not seen.link.exists:
            return f"there is no interface {seen.interface} any more"
        case Verdict.NO_LINK:
            return f"{seen.interface} has no carrier"
        case Verdict.NO_ADDRESS:
            return f"{seen.interface} has a carrier and no address"
        case Verdict.NO_GATEWAY if seen.route is None:
            return f"{seen.interface} has an address and no default route"
        case _ if seen.route is None:
            return f"{seen.interface} has no default route, but there is a way out of this machine, and no endpoint answers"
        case _:
            gateway = seen.route.gateway if seen.route is not None else ""
            return f"gateway {gateway or 'of ' + seen.interface} {seen.gateway.value}, and no endpoint does"


def _describe_answers(seen: Observation) -> str:
    found = seen.answered
    parts = []
    if found is not None:
        took = f" in {found.seconds * 1000:.0f} ms" if found.seconds is not None else ""
        parts.append(f"{found.target.address} answers{took} ({found.target.method})")
    if seen.names:
        name = next((name for name in seen.names if name.addresses), None)
        all_names = ", ".join(name.name for name in seen.names)
        parts.append(f"{name.name} resolves in {name.seconds * 1000:.0f} ms" if name else f"none of {all_names} resolves")
    return ", ".join(parts)
