"""Airtable's API to create and upsert records, with its real limits and its real errors.

Shapes from airtable.com/developers/web/api/errors and support.airtable.com "Airtable API: Common troubleshooting".
"""

import json
from collections.abc import Callable
from urllib.parse import unquote

from tests.fakes.receiver import Handler, Receiver, says

TOKEN = "patFAKE0123456789.abcdef"
BASE = "appFAKE0123456789"
MAX_RECORDS = 10
CALLS_PER_SECOND = 5
PENALTY_S = 30.0
MAX_TEXT = 100_000


class Airtable(Receiver):
    """One base with one table of text fields. now_s: the time by which calls are counted; without it none is too many."""

    def __init__(
        self, *, table: str = "Log", fields: tuple[str, ...] = ("Name", "Time", "Message"), now_s: Callable[[], float] | None = None
    ) -> None:
        super().__init__(_answer)
        self.table = table
        self.fields = fields
        self.records: list[dict[str, str]] = []
        self.now_s = now_s
        self.calls_s: list[float] = []
        self.shut_until_s = 0.0

    def is_too_much(self) -> bool:
        """After too many calls in a second every call is refused for 30 s, and each one begins them anew."""
        if self.now_s is None:
            return False
        now = self.now_s()
        self.calls_s = [at for at in self.calls_s if now - at < 1.0] + [now]
        if now < self.shut_until_s or len(self.calls_s) > CALLS_PER_SECOND:
            self.shut_until_s = now + PENALTY_S
            return True
        return False


def error(status: int, kind: str, message: str = "", **headers: str):
    """A mood: the usual form of an error."""
    return says(status, {"error": {"type": kind, "message": message}}, Content_Type="application/json", **headers)


TOO_MUCH = says(429, {"errors": [{"error": "RATE_LIMIT_REACHED", "message": "Rate limit exceeded. Please try again later"}]})
USED_UP = error(429, "PUBLIC_API_BILLING_LIMIT_EXCEEDED", "API billing plan limit exceeded.")
NOT_FOUND = says(404, {"error": "NOT_FOUND"})
NO_MODEL = error(403, "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND", "Invalid permissions, or the requested model was not found.")


def _answer(handler: Handler) -> None:
    server, request = handler.server, handler.request_seen
    assert isinstance(server, Airtable)
    with server.lock:
        _judge(server, request)(handler)


def _judge(server: Airtable, request):
    if server.is_too_much():
        return TOO_MUCH
    if "authorization" not in request.headers:
        return error(401, "AUTHENTICATION_REQUIRED", "Authentication required")
    if request.headers["authorization"] != f"Bearer {TOKEN}":
        return error(401, "UNAUTHORIZED", "Invalid authentication token")
    parts = request.path.split("/")
    if len(parts) != 4 or parts[1] != "v0":
        return NOT_FOUND
    if (parts[2], unquote(parts[3])) != (BASE, server.table):
        return NO_MODEL
    try:
        document = json.loads(request.body)
        records = [record["fields"] for record in document["records"]]
    except (ValueError, KeyError, TypeError):
        return error(422, "INVALID_REQUEST_UNKNOWN", "Invalid request: parameter validation failed. Check your request data.")
    if len(records) > MAX_RECORDS:
        return error(422, "INVALID_REQUEST_UNKNOWN", "Invalid request: parameter validation failed. Check your request data.")
    for name in (name for record in records for name in record if name not in server.fields):
        return error(422, "UNKNOWN_FIELD_NAME", f'Unknown field name: "{name}"')
    for name, text in (item for record in records for item in record.items()):
        if not isinstance(text, str) or len(text) > MAX_TEXT:
            return error(422, "INVALID_VALUE_FOR_COLUMN", f'Field "{name}" cannot accept the provided value')
    merge = document.get("performUpsert", {}).get("fieldsToMergeOn", []) if request.method == "PATCH" else []
    for record in records:
        same = [old for old in server.records if merge and all(old.get(name) == record[name] for name in merge)]
        if same:
            same[0].update(record)
        else:
            server.records.append(record)
    made = [
        {"id": f"rec{number:014}", "createdTime": "2026-03-01T12:00:00.000Z", "fields": record}
        for number, record in enumerate(records)
    ]
    return says(200, {"records": made}, Content_Type="application/json; charset=utf-8")
