"""Dead man's ping: an address that is called while all is well, in the way of healthchecks.

Facts, from healthchecks.io/docs/http_api: /start and /fail are appended to the address; of a body the first 10 kB (self-hosted) or
100 kB are kept; a check that is unknown, or pinged more than five times in a minute, is answered with 200 and "OK (not found)" or
"OK (rate limited)".
"""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit, urlunsplit

from plexguard.core.clock import Clock
from plexguard.core.secret import Secret, mask
from plexguard.notify.config import Channel
from plexguard.notify.heartbeat import Ping, Signal
from plexguard.notify.message import Busy, Limits, Message, Refused, SendError
from plexguard.notify.text import clean
from plexguard.notify.web import Answer, WebClient, judge_status, target_of

_MAX_REASON = 1000
_RATE_LIMIT_S = 60.0


class PingSender:
    """credentials: "url" wins over the option. It takes pings and no messages."""

    def __init__(self, channel: Channel, credentials: Mapping[str, Secret], clock: Clock) -> None:
        self._url = credentials["url"].reveal() if "url" in credentials else channel.url
        self.limits = Limits(batch=1, per_second=channel.calls_per_second, timeout_s=channel.timeout.total_seconds())
        self._client = WebClient(self._url)
        self._clock = clock

    def send(self, messages: Sequence[Message]) -> None:
        """Do nothing: what happened is part of the next ping."""

    def ping(self, ping: Ping) -> None:
        """Tell a signal. Raises a SendError like send."""
        body = clean(mask(ping.reason))[:_MAX_REASON].encode()
        headers = {"Content-Type": "text/plain; charset=utf-8"} if body else {}
        target = target_of(make_url(self._url, ping.signal))
        answer = self._client.ask("POST" if body else "GET", target, body, headers, timeout_s=self.limits.timeout_s)
        failure = judge_answer(answer, self._client.place) or judge_status(answer, self._client.place, self._clock.now())
        if failure is not None and not is_plain(ping.signal, answer):
            raise failure


def make_url(url: str, signal: Signal) -> str:
    """Return the address of a signal: what is appended goes before the question mark. Pure."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + signal.value if signal.value else parts.path))


def is_plain(signal: Signal, answer: Answer) -> bool:
    """Return whether an address that is only to be called while all is well has no name for this signal. That it is not called is
    all that such a service needs. Pure."""
    return signal is not Signal.SUCCESS and answer.status in (404, 405)


def judge_answer(answer: Answer, place: str) -> SendError | None:
    """Return what a 200 that means no means, None for any other answer. Pure."""
    if answer.status == 200 and answer.body.strip() == b"OK (not found)":
        return Refused(f"{place}: there is no such check")
    if answer.status == 200 and answer.body.strip() == b"OK (rate limited)":
        return Busy(f"{place}: pinged too often", retry_after_s=_RATE_LIMIT_S)
    return None
