"""Apprise: any of its services, by the addresses that are its credential. The library is Debian's, and only a child that comes and
goes has it in memory: it knows no deadline of its own, and some services make it wait."""

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

from plexguard.core.child import in_child
from plexguard.core.errors import SystemRefused, TryAgain
from plexguard.core.secret import Secret, mask
from plexguard.notify.config import Channel
from plexguard.notify.message import Away, Limits, Message, Refused, Rejected, SendError
from plexguard.notify.text import describe, make_title

_PROBLEMS = {"critical": "failure", "error": "failure", "warning": "warning"}
_MAX_WORDS = 300
_STATUS = re.compile(r"\berror=([0-9]{3})\b", re.ASCII)
# The message is at fault, not its way: too long, or nothing that the service understands.
_REJECTIONS = frozenset({400, 413, 414, 422})


class AppriseSender:
    """credentials: "url" holds one address or several, with blanks or line ends between them."""

    def __init__(self, channel: Channel, credentials: Mapping[str, Secret]) -> None:
        self.limits = Limits(batch=1, per_second=channel.calls_per_second, timeout_s=channel.timeout.total_seconds())
        self._urls = credentials["url"].reveal().split()

    def send(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._notify(message)

    def _notify(self, message: Message) -> None:
        try:
            in_child(lambda: notify(self._urls, message), timeout_s=self.limits.timeout_s)
        except TryAgain as error:
            raise Away("apprise: no end in time") from error
        except SystemRefused as error:
            # The library failed at this very message, as far as anybody can tell.
            raise Rejected("apprise: it ended without a word") from error


def notify(urls: Sequence[str], message: Message) -> None:
    """Send a message to all the addresses. Raises Refused, Rejected and Away; when one of several fails, all get it once more."""
    try:
        import apprise  # 40 MB that only this child needs
    except ImportError as error:
        raise Refused("apprise is not installed", hint="apt-get install apprise") from error
    said = _Words()
    log = logging.getLogger("apprise")
    log.addHandler(said)
    log.propagate = False
    service: Any = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
    for number, url in enumerate(urls, 1):
        if not service.add(url):
            # What the library says of it repeats the address.
            raise Refused(f"apprise: address number {number} of the credential is none that it knows", hint="apprise --details")
    if not service.notify(title=make_title(message), body=describe(message), notify_type=kind_of(message), body_format="text"):
        raise judge_words(said.last())


def judge_words(words: str) -> SendError:
    """Return what it means that the library did not send something: all that it tells is in its words, as the plugins write them
    ("…: Bad Request, error=400"). Pure."""
    status = _STATUS.search(words)
    is_rejected = status is not None and int(status[1]) in _REJECTIONS
    return (Rejected if is_rejected else Away)(f"apprise: not sent{words}")


def kind_of(message: Message) -> str:
    """Return the colour that Apprise gives a message."""
    return "success" if message.problem_id else _PROBLEMS.get(message.severity, "info")


class _Words(logging.Handler):
    """The last warning of the library, which is all that it tells of why."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self._last = record.getMessage()

    def last(self) -> str:
        text = mask(" ".join(self._last.split()))[:_MAX_WORDS]
        return f": {text}" if text else ""
