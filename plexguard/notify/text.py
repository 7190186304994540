"""Messages as text: for people, and as every reader of text takes it. Pure."""

from datetime import timedelta
from typing import Any

from plexguard.core.spans import show_span
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


def clean(value: Any) -> Any:
    """Return a document whose texts any reader of JSON takes: the halves of surrogate pairs, by which Python carries bytes that are
    no UTF-8, become U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {clean(key): clean(item) for key, item in value.items()}
    return [clean(item) for item in value] if isinstance(value, list) else value
