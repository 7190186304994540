"""Numeric addresses with ports, as the configuration has them."""

import re
from dataclasses import dataclass

from plexguard.core.options import Kind, show_list

_ALL_IPV4 = "0.0.0.0"  # noqa: S104 - looked for, not listened at
_ENDPOINT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where somebody listens. address: a number, so that no name has to be looked up."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def overlap(one: Endpoint, other: Endpoint) -> bool:
    """Tell whether only one of two can be listened at. "[::]" is all addresses of both kinds, as most programs open it."""
    if one.port != other.port:
        return False
    addresses = {one.address, other.address}
    return len(addresses) == 1 or "::" in addresses or (_ALL_IPV4 in addresses and not any(":" in each for each in addresses))


def _endpoints(value: object) -> tuple[Endpoint, ...]:
    if not isinstance(value, list):
        raise ValueError
    return tuple(map(_endpoint, value))


def _endpoint(value: object) -> Endpoint:
    import ipaddress  # only for who writes one

    found = _ENDPOINT.fullmatch(value) if isinstance(value, str) else None
    if found is None or not 0 < int(found[3]) < 65536:
        raise ValueError
    address = ipaddress.IPv6Address(found[1]) if found[1] else ipaddress.IPv4Address(found[2])
    return Endpoint(address=str(address), port=int(found[3]))


ENDPOINTS: Kind[tuple[Endpoint, ...]] = Kind(
    'a list of numeric addresses with ports, such as ["1.1.1.1:443", "[2620:fe::fe]:443"]', _endpoints, show_list
)
