"""Webhook: each message as JSON to one address, with a key that tells repeats, and a signature if there is a secret for it."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

from plexguard.core.clock import Clock
from plexguard.core.secret import Secret
from plexguard.notify.config import Channel
from plexguard.notify.message import Limits, Message
from plexguard.notify.text import clean
from plexguard.notify.web import WebClient, judge_status, make_bearer, target_of

SIGNATURE = "X-Plexguard-Signature"


class WebhookSender:
    """credentials: "url" wins over the option; "token" and "hmac" may be missing."""

    def __init__(self, channel: Channel, credentials: Mapping[str, Secret], clock: Clock) -> None:
        url = credentials["url"].reveal() if "url" in credentials else channel.url
        self.limits = Limits(batch=1, per_second=channel.calls_per_second, timeout_s=channel.timeout.total_seconds())
        self._client = WebClient(url)
        self._target = target_of(url)
        self._clock = clock
        self._key = credentials["hmac"].reveal().encode() if "hmac" in credentials else b""
        self._headers = {"Content-Type": "application/json"}
        if "token" in credentials:
            self._headers["Authorization"] = make_bearer(credentials["token"])

    def send(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._post(message)

    def _post(self, message: Message) -> None:
        body, now = render_body(message), self._clock.now()
        headers = {**self._headers, "Idempotency-Key": message.id}
        if self._key:
            headers[SIGNATURE] = sign(self._key, body, int(now.timestamp()))
        answer = self._client.ask("POST", self._target, body, headers, timeout_s=self.limits.timeout_s)
        failure = judge_status(answer, self._client.place, now)
        if failure is not None:
            raise failure


def render_body(message: Message) -> bytes:
    """Return a message as JSON, in UTF-8. Pure."""
    return json.dumps(clean(make_document(message)), ensure_ascii=False).encode()


def make_document(message: Message) -> dict[str, Any]:
    return {
        "channel": message.area,
        "severity": message.severity,
        "title": message.title,
        "message": message.message,
        "details": message.details,
        "id": message.id,
        "at": message.at.isoformat(),
        "host": message.host,
        "unit": message.unit,
        "event": message.name,
        "count": message.count,
        "problem_id": message.problem_id or None,
        "downtime_s": message.downtime_s,
        "action": list(message.action),
    }


def sign(key: bytes, body: bytes, timestamp: int) -> str:
    """Return the signature: the HMAC-SHA256 of the time, a dot and the body, so that neither can be changed or used later. Pure."""
    digest = hmac.new(key, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},sha256={digest}"
