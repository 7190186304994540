"""Messages as text for people, for the channels that take nothing but text. Pure."""

from datetime import timedelta

from plexguard.core.config import show_span
from plexguard.notify.message import Message


def make_title(message: Message) -> str:
    """Return one line that says what happened, and how often."""
    title = " ".join((message.title or message.message).split())
    return f"{title} ({message.count} times)" if message.count > 1 else title


def describe(message: Message) -> str:
    """Return all that is to be said: what happened, for how long and how often, and what to do."""
    parts = [message.message]
    if message.downtime_s is not None:
        parts.append(f"It lasted {_show_seconds(message.downtime_s)}.")
    if message.count > 1:
        parts.append(f"It happened {message.count} times.")
    text = "\n".join(part for part in parts if part)
    return "\n\n".join([text, "\n".join(message.action)]) if message.action else text


def _show_seconds(seconds: float) -> str:
    return show_span(timedelta(seconds=round(seconds)))
