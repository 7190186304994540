"""What is sent, and what a sender may answer: all that the engine and the channels know of each other. Pure."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from plexguard.core.errors import PlexguardError
from plexguard.core.events import show_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One event, or several that were folded into one, as a channel takes it.

    id: the same for the same event however often it is sent, so that a receiver can drop what it has. at: aware. name: of the
    event ("plex.hung"); area: what is before its dot. title: for a subject line; message: one line for people. details: the
    event's fields. action: the commands of its runbook, a line each. count: how often it happened. problem_id: of the problem
    that this recovery ends, "" for none; downtime_s: how long it lasted. unit: who told it.
    """

    id: str
    at: datetime
    host: str
    name: str
    severity: str
    title: str
    message: str
    area: str = ""
    details: dict[str, str] = field(default_factory=dict)
    action: tuple[str, ...] = ()
    count: int = 1
    problem_id: str = ""
    downtime_s: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a service bears. batch: messages in one call. per_second: calls. timeout_s: after which a call is over, whatever
    the other side does."""

    batch: int
    per_second: float
    timeout_s: float


class Sender(Protocol):
    """One channel's way out. It neither repeats nor waits between calls: the engine does."""

    limits: Limits

    def send(self, messages: Sequence[Message]) -> None:
        """Hand over at most a batch of messages. Returns when all were taken; raises a SendError when that is not certain."""
        ...


class SendError(PlexguardError):
    """A call did not do what it should; the subclass says what that means for the messages.

    The words may be the other side's: they are shown on one line, and nothing in them is an order to a terminal.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(show_path(message), hint=hint)


class Away(SendError):
    """Nobody answers, or the answer broke off, or the service itself fails: it may have taken the messages or not. The same again
    later."""

    exit_code = os.EX_UNAVAILABLE


class Busy(SendError):
    """Too much at once, says the service. retry_after_s: when it wants to be asked again, None when it does not say."""

    exit_code = os.EX_TEMPFAIL

    def __init__(self, message: str, *, retry_after_s: float | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class Refused(SendError):
    """What is configured is wrong: no message would be taken. Keep them all until somebody mends it."""

    exit_code = os.EX_CONFIG


class Rejected(SendError):
    """These messages are not taken as they are, others may be."""

    exit_code = os.EX_DATAERR
