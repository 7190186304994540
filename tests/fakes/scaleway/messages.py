"""What comes in and what goes out: requests with their paging and fields, answers, and errors in every shape the API has."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

T = TypeVar("T")
MAX_PAGE = 100
DEFAULT_PAGE = 50


class Dropped(Exception):
    """The connection ends here, without an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer. body: None is an empty one, bytes are sent as text, all else as JSON. whole: whether all of it is sent."""

    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    whole: bool = True

    def payload(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, body: object = None, **headers: str) -> None:
        super().__init__(f"{status} {body}")
        self.answer = Answer(status=status, body=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def invalid_argument(name: str, reason: str, help_message: str) -> Refusal:
    """reason: required, constraint, format or unknown."""
    details = [{"argument_name": name, "reason": reason, "help_message": help_message}]
    return Refusal(400, {"type": "invalid_arguments", "message": "invalid argument(s)", "details": details})


def invalid_fields(**fields: str) -> Refusal:
    """The older shape of a body that cannot be."""
    said = {name.replace("__", "."): [reason] for name, reason in fields.items()}
    return Refusal(400, {"type": "invalid_request_error", "message": "Validation Error", "fields": said})


def invalid_request(message: str) -> Refusal:
    return Refusal(400, {"type": "invalid_request_error", "message": message})


def denied_authentication(reason: str) -> Refusal:
    """reason: invalid_argument, not_found or expired."""
    said = {"type": "denied_authentication", "message": "authentication is denied", "method": "api_key", "reason": reason}
    return Refusal(401, said)


def permissions_denied(action: str, resource: str) -> Refusal:
    details = [{"action": action, "resource": resource}]
    return Refusal(403, {"type": "permissions_denied", "message": "insufficient permissions", "details": details})


def not_found(resource: str, identity: str) -> Refusal:
    said = {"type": "not_found", "message": "resource is not found", "resource": resource, "resource_id": identity}
    return Refusal(404, said)


def unknown_resource(path: str) -> Refusal:
    return Refusal(404, {"type": "unknown_resource", "message": f'"{path}" not found'})


def transient_state(resource: str, identity: str, state: str) -> Refusal:
    said = {"type": "transient_state", "message": "resource is in a transient state", "resource": resource}
    return Refusal(409, {**said, "resource_id": identity, "current_state": state})


def conflict(message: str) -> Refusal:
    return Refusal(409, {"type": "conflict", "message": message})


def precondition_failed(precondition: str, help_message: str) -> Refusal:
    said = {"type": "precondition_failed", "message": "precondition failed", "precondition": precondition}
    return Refusal(412, {**said, "help_message": help_message})


def quotas_exceeded(resource: str, quota: int, current: int) -> Refusal:
    details = [{"resource": resource, "quota": quota, "current": current}]
    return Refusal(403, {"type": "quotas_exceeded", "message": "quota(s) exceeded", "details": details})


def quota_exceeded_of_old(resource: str) -> Refusal:
    return Refusal(403, {"type": "invalid_request_error", "message": "Quota exceeded for this resource.", "resource": resource})


def out_of_stock(resource: str) -> Refusal:
    return Refusal(412, {"type": "out_of_stock", "message": "resource is out of stock", "resource": resource})


def resource_expired(resource: str, identity: str) -> Refusal:
    said = {"type": "resource_expired", "message": "resource is expired", "resource": resource, "resource_id": identity}
    return Refusal(410, {**said, "expired_since": "2026-01-01T00:00:00Z"})


def locked(resource: str, identity: str) -> Refusal:
    said = {"type": "locked", "message": "resource is locked", "resource": resource, "resource_id": identity}
    return Refusal(423, said)


def too_many_requests() -> Refusal:
    return Refusal(429, None, X_Envoy_Ratelimited="true")


def server_error(status: int) -> Refusal:
    """500 is the program's own and JSON; the others are of what stands before it, and are not."""
    if status == 500:
        return Refusal(500, {"type": "internal", "message": "internal error"})
    return Refusal(status, b"upstream connect error or disconnect/reset before headers. reset reason: connection failure")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it came. headers: names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)


@dataclass(slots=True, kw_only=True)
class Recorded:
    """What became of a request. status: None while it is under way and where the connection was dropped. acted: it took effect,
    or had none to take: a request that was refused before it was looked at has not."""

    number: int
    at: datetime
    method: str
    path: str
    query: str
    body: str
    status: int | None = None
    acted: bool = False

    def as_values(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**asdict(self), "at": self.at.isoformat()}

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Recorded:
        return cls(**{**values, "at": datetime.fromisoformat(values["at"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that was understood: the parts of its path, its query, its body."""

    request: Request
    parts: Mapping[str, str]

    @property
    def zone(self) -> str:
        return self.parts["zone"]

    @property
    def id(self) -> str:
        return self.parts["id"]

    def text(self, name: str) -> str | None:
        """Return the last value of a field of the query; None if it is not there or empty."""
        values = [value for key, value in self.request.query if key == name]
        return values[-1] if values and values[-1] else None

    def texts(self, name: str) -> list[str]:
        """Return the values of a field that may come repeatedly and with commas."""
        return [part for key, value in self.request.query if key == name for part in value.split(",") if part]

    def allow(self, *names: str) -> None:
        """Refuse a query with a field that is not known."""
        for name, _ in self.request.query:
            if name not in {*names, "page", "per_page", "page_size", "organization", "organization_id"}:
                raise invalid_fields(**{name: "extra keys not allowed"})

    def fields(self, required: Sequence[str] = (), optional: Sequence[str] = ()) -> dict[str, Any]:
        """Return the body, an object with these fields and no other. A field that is null is left out."""
        try:
            body = json.loads(self.request.body or b"{}")
        except ValueError:
            raise invalid_request("The body of the request is not valid JSON") from None
        if not isinstance(body, dict):
            raise invalid_request("The body of the request is not an object")
        for name in body:
            if name not in {*required, *optional}:
                raise invalid_fields(**{name: "extra keys not allowed"})
        for name in required:
            if body.get(name) is None:
                raise invalid_argument(name, "required", "required key not provided")
        return {name: value for name, value in body.items() if value is not None}

    def number(self, name: str, default: int, *, most: int) -> int:
        said = self.text(name)
        if said is None:
            return default
        if not said.isdigit() or not 1 <= int(said) <= most:
            raise invalid_argument(name, "constraint", f"must be between 1 and {most}")
        return int(said)

    def page_of_instance(self, name: str, rows: Sequence[T], show: Callable[[T], object]) -> Answer:
        """Answer with one page as the instance API has it: totals in a header."""
        page, size = self.number("page", 1, most=10**6), self.number("per_page", DEFAULT_PAGE, most=MAX_PAGE)
        shown = [show(row) for row in rows[(page - 1) * size : page * size]]
        return Answer(body={name: shown}, headers=self.totals(len(rows), page, size))

    def table_of_instance(self, name: str, rows: Mapping[str, object]) -> Answer:
        """Answer with one page of what has names, as products have."""
        page, size = self.number("page", 1, most=10**6), self.number("per_page", DEFAULT_PAGE, most=MAX_PAGE)
        shown = dict(list(rows.items())[(page - 1) * size : page * size])
        return Answer(body={name: shown}, headers=self.totals(len(rows), page, size))

    def totals(self, count: int, page: int, size: int) -> dict[str, str]:
        place = self.request.path.removeprefix(f"/instance/v1/zones/{self.zone}")
        last = max(1, -(-count // size))
        pages = {"first": 1, "previous": max(1, page - 1), **({"next": page + 1} if page < last else {}), "last": last}
        links = [f'<{place}?page={number}&per_page={size}&>; rel="{name}"' for name, number in pages.items()]
        return {"X-Total-Count": str(count), "Link": ",".join(links)}

    def page_of_others(self, name: str, rows: Sequence[T], show: Callable[[T], object]) -> Answer:
        """Answer with one page as block, iam and marketplace have it: the total in the body."""
        page, size = self.number("page", 1, most=10**6), self.number("page_size", DEFAULT_PAGE, most=MAX_PAGE)
        shown = [show(row) for row in rows[(page - 1) * size : page * size]]
        return Answer(body={name: shown, "total_count": len(rows)})
