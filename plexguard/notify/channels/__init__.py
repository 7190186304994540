"""The channels: each kind's way out, behind one door. What a kind needs is imported only by who sends over it."""

from collections.abc import Mapping

from plexguard.core.clock import Clock
from plexguard.core.secret import Secret
from plexguard.notify.config import Channel
from plexguard.notify.credentials import find_missing
from plexguard.notify.message import Refused, Sender


def open_sender(name: str, channel: Channel, credentials: Mapping[str, Secret], *, clock: Clock) -> Sender:
    """Return the sender of a channel. credentials: what `read_credentials` found. Raises Refused when it cannot work as it is
    configured. Nothing is connected yet."""
    missing = find_missing(name, channel, credentials)
    if missing:
        raise Refused(missing)
    raise Refused(f"channel {name}: kind {channel.kind} is not known")
