"""Airtable: ten messages a call as records of a table.

Facts, from airtable.com/developers/web/api: at most 10 records a call (create-records) and 5 calls a second and base; who asks
for more gets 429 and must wait 30 s (rate-limits), and the same when a plan's calls of the month are used up, which no waiting of
seconds mends (PUBLIC_API_BILLING_LIMIT_EXCEEDED, support.airtable.com "Managing API call limits"). A text holds 100,000 characters
(support.airtable.com "Using rich text"). A table or base that is not there, or not for this token, gives 403. With performUpsert a
record that has the same text in a field is updated, not made twice (update-multiple-records).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from plexguard.core.clock import Clock
from plexguard.core.secret import Secret, mask
from plexguard.notify.config import Channel
from plexguard.notify.message import Away, Busy, Limits, Message, Refused, Rejected, SendError
from plexguard.notify.text import clean, describe, make_title
from plexguard.notify.web import Answer, WebClient, judge_status, make_bearer, split_url

API = "https://api.airtable.com"
MAX_RECORDS = 10
MAX_TEXT = 100_000
PENALTY_S = 30.0
_BILLING = "PUBLIC_API_BILLING_LIMIT_EXCEEDED"
_BILLING_WAIT_S = 3600.0
_CUT = " …"
# Of 422: what no other record would change. What is not named here is the records' own fault, until another is taken.
_SETTINGS = frozenset(
    {
        "UNKNOWN_FIELD_NAME",
        "INVALID_FIELD_NAME",
        "INVALID_REQUEST_MISSING_FIELDS",
        "INVALID_PERMISSIONS",
        "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND",
        "TABLE_NOT_FOUND",
        "MODEL_NOT_FOUND",
        "CANNOT_UPDATE_COMPUTED_FIELD",
        "FIELD_IS_COMPUTED",
        "INVALID_FIELDS_TO_MERGE_ON",
        "ROW_LIMIT_EXCEEDED",
    }
)
_HINTS = {
    401: "is the token whole, and not revoked? airtable.com/create/tokens",
    402: "the plan allows no more of this",
    403: "the token needs the scope data.records:write and access to this base; base and table must exist",
    404: 'are "base" and "table" right?',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """How Airtable names an error. type: in capitals, "" where it says nothing."""

    type: str
    message: str = ""


class AirtableSender:
    def __init__(self, channel: Channel, credentials: Mapping[str, Secret], clock: Clock) -> None:
        self.limits = Limits(batch=MAX_RECORDS, per_second=channel.calls_per_second, timeout_s=channel.timeout.total_seconds())
        url = channel.url or API
        self._client = WebClient(url)
        self._target = f"{split_url(url).path.rstrip('/')}/v0/{channel.base}/{quote(channel.table, safe='')}"
        self._channel = channel
        self._clock = clock
        self._headers = {"Authorization": make_bearer(credentials["token"]), "Content-Type": "application/json"}

    def send(self, messages: Sequence[Message]) -> None:
        body = json.dumps(make_document(messages, self._channel), ensure_ascii=False).encode()
        method = "PATCH" if self._channel.id_field else "POST"
        answer = self._client.ask(method, self._target, body, self._headers, timeout_s=self.limits.timeout_s)
        failure = judge_answer(answer, len(messages), self._client.place, self._clock.now())
        if failure is not None:
            raise failure


def make_document(messages: Sequence[Message], channel: Channel) -> dict[str, Any]:
    """Return the records for messages. Pure."""
    document: dict[str, Any] = {"records": [{"fields": make_fields(message, channel)} for message in messages]}
    if channel.id_field:
        document["performUpsert"] = {"fieldsToMergeOn": [channel.id_field]}
    if channel.typecast:
        document["typecast"] = True
    return document


def make_fields(message: Message, channel: Channel) -> dict[str, str]:
    """Return what a record holds, by the names of its fields. Pure."""
    values = {
        channel.name_field: make_title(message),
        channel.time_field: message.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        channel.message_field: describe(message),
        channel.severity_field: message.severity,
        channel.id_field: message.id,
    }
    return {name: _shorten(clean(value)) for name, value in values.items() if name}


def _shorten(text: str) -> str:
    """Airtable counts as JavaScript does: what is beyond the basic plane as two."""
    if len(text) + sum(character > "\uffff" for character in text) <= MAX_TEXT:
        return text
    units = text.encode("utf-16-le")[: 2 * (MAX_TEXT - len(_CUT))]
    return units.decode("utf-16-le", "ignore") + _CUT


def judge_answer(answer: Answer, records: int, place: str, now: datetime) -> SendError | None:
    """Return what an answer means, None when the records were taken. Pure."""
    if 200 <= answer.status < 300:
        return _judge_success(answer, records, place)
    fault = read_fault(answer.body)
    said = f"{place}: {answer.status} {fault.type} {mask(fault.message)}".rstrip()
    if answer.status == 429 and fault.type == _BILLING:
        return Busy(f"{said}: the calls of this month are used up", retry_after_s=_BILLING_WAIT_S, hint="airtable.com/pricing")
    failure = judge_status(answer, place, now)
    if isinstance(failure, Busy):
        wait_s = PENALTY_S if answer.status == 429 else 0.0
        return Busy(said, retry_after_s=max(wait_s, failure.retry_after_s or 0.0))
    if isinstance(failure, Refused) and fault.type:
        return Refused(said, hint=_HINTS.get(answer.status, ""))
    if isinstance(failure, Rejected) and fault.type in _SETTINGS:
        return Refused(said, hint="plexguard-status check-config; do the fields exist, with these names, and take a text?")
    return Rejected(said) if isinstance(failure, Rejected) and fault.type else failure


def _judge_success(answer: Answer, records: int, place: str) -> SendError | None:
    """A 200 that is not Airtable's, as from a hotel's login page, is no success."""
    try:
        made = json.loads(answer.body)["records"]
        if len(made) == records:
            return None
    except (ValueError, KeyError, TypeError, RecursionError):
        return Away(f"{place}: {answer.status} with something else than Airtable's answer: {answer.words}")
    return Away(f"{place}: {answer.status} with {len(made)} of {records} records")


def read_fault(body: bytes) -> Fault:
    """Return the error of an answer: {"error": {"type", "message"}}, {"error": "NOT_FOUND"} or {"errors": [{"error", "message"}]}.

    Pure.
    """
    try:
        document = json.loads(body)
        found = document["errors"][0] if "errors" in document else document["error"]
        if isinstance(found, str):
            return Fault(type=found[:100])
        return Fault(type=str(found.get("type") or found.get("error") or "")[:100], message=str(found.get("message", ""))[:300])
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        return Fault(type="")
