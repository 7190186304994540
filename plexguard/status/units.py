"""What of [status] only a unit can hold: where it listens. Pure."""

from ipaddress import ip_address

from plexguard.core.units import DropIns, Site
from plexguard.status.config import Config

_SOCKET = "plexguard-status.socket"


def drop_ins(config: Config, site: Site) -> DropIns:
    """Return the drop-in of the socket, by "unit/file"."""
    if config.listen == Config().listen:
        return {}
    lines = ["[Socket]", "ListenStream=", *(f"ListenStream={endpoint}" for endpoint in config.listen)]
    if not all(_is_always_there(endpoint.address) for endpoint in config.listen):
        # Sockets come before the network: an address of it is not there yet when the machine starts.
        lines.append("FreeBind=yes")
    return {f"{_SOCKET}.d/50-listen.conf": "\n".join(lines) + "\n"}


def _is_always_there(text: str) -> bool:
    address = ip_address(text)
    return address.is_loopback or address.is_unspecified
