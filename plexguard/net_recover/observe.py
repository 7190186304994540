"""What the check sees: who answers, whether names resolve, and when that fails, what is missing on the way there."""

import dataclasses
import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from plexguard.core.clock import Clock
from plexguard.core.host import CommandError, Host
from plexguard.core.manager import Manager
from plexguard.net_recover.config import Config
from plexguard.net_recover.holders import RESOLVED_UNIT, Held, Holder, find_holder, is_running
from plexguard.net_recover.links import (
    Addresses,
    Link,
    Neighbour,
    Route,
    await_neighbour,
    choose_interface,
    find_route_interface,
    read_addresses,
    read_link,
    read_neighbour,
    read_others,
    read_routes,
)
from plexguard.net_recover.network import ICMP, Answer, Network, Reply, Target

# What public name servers answer on: an echo, DNS over HTTPS. Not 53: many routers answer that themselves, for everybody.
_PORTS = (ICMP, 443)
_NEAR_PORTS = (ICMP, 443, 53)
# A healthy check asks these many, and stops at the first that answers.
_FIRST = 2
# glibc waits 5 s for a name server before it asks the next: that is slow, and not lost.
_RESOLVE_TIMEOUT_S = 8.0
_ADDRESSES_OF_NAMES = 4
_OTHERS = 8
# DELAY and PROBE of arp(7), and a little.
_OTHERS_S = 10.0


class Watching(enum.Enum):
    """Whether somebody watches, in this house too, where the internet is not needed."""

    NOBODY = "nobody watches"
    SOMEBODY = "somebody watches"
    UNKNOWN = "whether somebody watches cannot be told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A name and what it resolved to, () when it did not."""

    name: str
    addresses: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """looks: how many were taken. answers, names: of the last. What follows is only asked when something failed.

    interface: "" when there is none to look at. link: None with it. addresses: None when they cannot be told. route: the default
    route over that interface. others_known, others_answer: while the gateway is silent, somebody else is known on the link, and
    answers. has_resolved:
    systemd-resolved runs, so that there is a cache to flush.
    """

    looks: int
    answers: tuple[Answer, ...]
    names: tuple[Name, ...] = ()
    names_asked: bool = True
    interface: str = ""
    link: Link | None = None
    held: Held = Held(by=Holder.NOBODY)
    addresses: Addresses | None = None
    route: Route | None = None
    gateway: Neighbour = Neighbour.UNKNOWN
    others_known: bool = False
    others_answer: bool = False
    has_resolved: bool = False
    watching: Watching = Watching.NOBODY

    @property
    def answered(self) -> Answer | None:
        return next((answer for answer in self.answers if answer.reply is Reply.ANSWERED), None)

    @property
    def version(self) -> int:
        """The kind of IP by which it was answered, 0 without an answer."""
        return 0 if self.answered is None else 6 if ":" in self.answered.target.address else 4

    @property
    def resolves(self) -> bool:
        return not self.names_asked or any(name.addresses for name in self.names)

    @property
    def is_well(self) -> bool:
        return self.answered is not None and self.resolves


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How the network was last seen: by which interface, and by which kind of IP, 0 for never."""

    interface: str = ""
    version: int = 0


UNSEEN = Seen()


@dataclass(frozen=True, slots=True, kw_only=True)
class Eyes:
    """All that looking needs. ask_watching: only called when it matters."""

    network: Network
    host: Host
    manager: Manager
    clock: Clock
    ask_watching: Callable[[], Watching]


def observe(eyes: Eyes, config: Config, *, known: Seen = UNSEEN, looks: int = 0, whole: bool = False) -> Observation:
    """Look until all is well, or as often as configured; then see what is missing.

    known: how the network was last seen. looks: instead of the configured number. whole: ask everything at last, for a person.
    """
    began_s = eyes.clock.monotonic_s()
    taken, seen = 1, take_look(eyes, config)
    while not seen.is_well and taken < (looks or config.looks):
        eyes.clock.sleep(config.pause.total_seconds())
        taken, seen = taken + 1, take_look(eyes, config)
    routes = read_routes(eyes.network)
    if whole:
        seen = take_look(eyes, config, whole=True)
    elif seen.answered is None and routes:
        seen = _ask_name(eyes, config, seen)
    if seen.is_well:
        routes = tuple(route for route in routes if route.version == seen.version)
        interface = config.interface or find_route_interface(eyes.network, routes)
        seen = dataclasses.replace(seen, looks=taken, interface=interface)
        return _examine(eyes, config, seen, routes, since_s=began_s) if whole else seen
    # Only the kind of IP by which it was seen: a router that still announces the other one is no way to the internet.
    routes = tuple(route for route in routes if known.version in (0, route.version))
    interface = config.interface or choose_interface(eyes.network, routes, remembered=known.interface)
    seen = dataclasses.replace(seen, looks=taken, interface=interface)
    return _examine(eyes, config, seen, routes, since_s=began_s, version=known.version)


def take_look(eyes: Eyes, config: Config, *, whole: bool = False) -> Observation:
    """Ask the first endpoints, then all; and if one answers, whether names resolve. With whole, ask everything of all."""
    timeout_s = config.timeout.total_seconds()
    answers: tuple[Answer, ...] = ()
    if not whole:
        answers = eyes.network.ask(_targets(config.endpoints[:_FIRST]), timeout_s=timeout_s, whole=False)
    if not any(answer.reply is Reply.ANSWERED for answer in answers):
        answers = eyes.network.ask(_targets(config.endpoints), timeout_s=timeout_s, whole=whole)
    seen = Observation(looks=1, answers=answers, names_asked=bool(config.dns_names))
    if seen.answered is None and not whole:
        return seen
    return dataclasses.replace(seen, names=resolve(eyes, config.dns_names, whole=whole))


def _ask_name(eyes: Eyes, config: Config, seen: Observation) -> Observation:
    """Ask whom a name leads to: where the endpoints are blocked, or are of the other kind of IP, Plex's own service answers."""
    names = resolve(eyes, config.dns_names[:1], whole=False)
    # A router that has lost the internet may answer every name with an address of its own.
    found = [address for name in names for address in name.addresses if _is_global(address)]
    targets = [Target(address, 443) for address in found[:_ADDRESSES_OF_NAMES]]
    answers = eyes.network.ask(targets, timeout_s=config.timeout.total_seconds(), whole=False) if targets else ()
    return dataclasses.replace(seen, names=names, answers=(*seen.answers, *answers))


def _is_global(address: str) -> bool:
    import ipaddress  # only when no endpoint answers

    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def _targets(endpoints: tuple[str, ...]) -> list[Target]:
    return [Target(endpoint, port) for endpoint in endpoints for port in _PORTS]


def resolve(eyes: Eyes, names: tuple[str, ...], *, whole: bool) -> tuple[Name, ...]:
    """Resolve names as every program does, until one is found. In a child: the resolver knows no time limit of ours."""
    found: list[Name] = []
    for name in names:
        began_s = eyes.clock.monotonic_s()
        addresses = _resolve_one(eyes.host, name)
        found.append(Name(name=name, addresses=addresses, seconds=eyes.clock.monotonic_s() - began_s))
        if addresses and not whole:
            break
    return tuple(found)


def _resolve_one(host: Host, name: str) -> tuple[str, ...]:
    try:
        # A dot at the end: no search domain is tried, of which one might answer for everything.
        lines = host.run(["getent", "ahosts", f"{name}."], timeout_s=_RESOLVE_TIMEOUT_S, check=False).stdout.splitlines()
    except CommandError:
        return ()
    return tuple(dict.fromkeys(line.split()[0] for line in lines if line.strip()))


def _examine(
    eyes: Eyes, config: Config, seen: Observation, routes: tuple[Route, ...], *, since_s: float, version: int = 0
) -> Observation:
    """See what is missing between this machine and the internet. since_s: when the first look began. version: of IP, 0 for both."""
    link = read_link(eyes.network, seen.interface) if seen.interface else None
    route = next((route for route in routes if route.interface == seen.interface), None)
    gateway = _ask_gateway(eyes, config, route, since_s=since_s) if route is not None else Neighbour.UNKNOWN
    others = find_others(eyes, route) if route is not None and gateway is Neighbour.SILENT else ()
    return dataclasses.replace(
        seen,
        link=link,
        held=_find_held(eyes, link),
        addresses=read_addresses(eyes.host, seen.interface, version=version) if link is not None and link.exists else None,
        route=route,
        gateway=gateway,
        others_known=bool(others),
        others_answer=bool(others) and _ask_others(eyes, config, others),
        has_resolved=is_running(RESOLVED_UNIT, eyes.manager),
        watching=eyes.ask_watching(),
    )


def _find_held(eyes: Eyes, link: Link | None) -> Held:
    if link is None:
        return Held(by=Holder.NOBODY)
    return find_holder(link, network=eyes.network, manager=eyes.manager, host=eyes.host)


def _ask_gateway(eyes: Eyes, config: Config, route: Route, *, since_s: float) -> Neighbour:
    """Ask the gateway itself; one that answers nothing, as many do by design, is known by its link layer address."""
    if not route.gateway:
        return Neighbour.UNKNOWN
    targets = [Target(route.gateway_address, port) for port in _NEAR_PORTS]

    def ask() -> bool:
        return _spoke(eyes.network.ask(targets, timeout_s=config.timeout.total_seconds(), whole=False))

    return await_neighbour(eyes.host, eyes.clock, route, since_s=since_s, ask=ask)


def _spoke(answers: Sequence[Answer]) -> bool:
    return any(answer.reply in (Reply.ANSWERED, Reply.REFUSED) for answer in answers)


def find_others(eyes: Eyes, route: Route) -> tuple[Route, ...]:
    """Return who else has been known on the link, as if each were the gateway."""
    known = read_others(eyes.host, route.interface, gateway=route.gateway)[:_OTHERS]
    return tuple(Route(interface=route.interface, gateway=address) for address in known)


def _ask_others(eyes: Eyes, config: Config, others: Sequence[Route]) -> bool:
    """Tell whether somebody else on the link answers: then the link works, and it is the gateway that is away."""
    targets = [Target(other.gateway_address, port) for other in others for port in _PORTS]
    began_s = eyes.clock.monotonic_s()
    while True:
        if _spoke(eyes.network.ask(targets, timeout_s=config.timeout.total_seconds(), whole=False)):
            return True
        # Who answers nothing else answers for its link layer address, once the kernel has asked.
        asked_s = eyes.clock.monotonic_s() - began_s
        states = [read_neighbour(eyes.host, other, asked_s=asked_s) for other in others]
        if any(state is Neighbour.ANSWERS for state, _ in states):
            return True
        if asked_s >= _OTHERS_S or not any(is_open for _, is_open in states):
            return False
        eyes.clock.sleep(1.0)
