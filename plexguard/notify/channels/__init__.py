"""The channels: each kind's way out, behind one door. What a kind needs is imported only by who sends over it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from plexguard.core.clock import Clock
from plexguard.core.secret import Secret
from plexguard.notify.config import Channel
from plexguard.notify.credentials import find_missing
from plexguard.notify.message import Refused, Sender

if TYPE_CHECKING:
    from plexguard.notify.channels.ping import PingSender


def open_sender(name: str, channel: Channel, credentials: Mapping[str, Secret], *, clock: Clock) -> Sender:
    """Return the sender of a channel. credentials: what `read_credentials` found. Raises Refused when it cannot work as it is
    configured. Nothing is connected yet."""
    missing = find_missing(name, channel, credentials)
    if missing:
        raise Refused(missing)
    match channel.kind:
        case "webhook":
            from plexguard.notify.channels.webhook import WebhookSender

            return WebhookSender(channel, credentials, clock)
        case "airtable":
            from plexguard.notify.channels.airtable import AirtableSender

            return AirtableSender(channel, credentials, clock)
        case "apprise":
            from plexguard.notify.channels.apprise import AppriseSender

            return AppriseSender(channel, credentials)
        case "mail":
            from plexguard.notify.channels.mail import MailSender

            return MailSender(channel)
    return open_ping(name, channel, credentials, clock=clock)


def open_ping(name: str, channel: Channel, credentials: Mapping[str, Secret], *, clock: Clock) -> "PingSender":
    """Return the sender of a channel of kind ping, which takes pings and no messages. Raises Refused."""
    from plexguard.notify.channels.ping import PingSender

    missing = find_missing(name, channel, credentials)
    if missing:
        raise Refused(missing)
    return PingSender(channel, credentials, clock)
