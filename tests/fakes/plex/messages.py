"""Requests as the server understands them, and the forms of its answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs, unquote, urlsplit

from .render import Node, render_json, render_xml

XML_TYPE = "text/xml;charset=utf-8"
MIGRATING = '<Response code="503" title="Maintenance" status="Plex Media Server is currently running database migrations."/>'
# What Plex puts in place of a token in its own log.
MASK = "xxxxxxxxxxxxxxxxxxxx"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. Header names are lower case; at_s is on the monotonic clock."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    client: str = "127.0.0.1"
    at_s: float = 0.0

    @property
    def path(self) -> str:
        """The path without the query, decoded."""
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, list[str]]:
        """The query parameters, decoded, each with all its values."""
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    def parameter(self, name: str, default: str = "") -> str:
        """Return a query parameter, or the header of the same name."""
        values = self.query.get(name)
        return values[0] if values else self.headers.get(name.lower(), default)

    @property
    def token(self) -> str:
        """The token that was sent, or ''."""
        return self.parameter("X-Plex-Token")

    @property
    def wants_json(self) -> bool:
        """Whether the client asked for JSON."""
        return "application/json" in self.headers.get("accept", "")

    def masked_target(self, *, shows_token: bool = False) -> str:
        """Return the target as the log shows it."""
        return self.target if shows_token or not self.token else self.target.replace(self.token, MASK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer. closes: the connection ends after it."""

    status: int = 200
    body: bytes = b""
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    closes: bool = False


def show(request: Request, node: Node, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Return a tree in the format the client wants."""
    if request.wants_json:
        return Reply(status=status, body=render_json(node), content_type="application/json", headers=headers or {})
    return Reply(status=status, body=render_xml(node), content_type=XML_TYPE, headers=headers or {})


def html_error(status: int) -> Reply:
    """Return an error; these are HTML whatever the client accepts."""
    phrase = HTTPStatus(status).phrase
    text = f"<html><head><title>{phrase}</title></head><body><h1>{status} {phrase}</h1></body></html>"
    return Reply(status=status, body=text.encode(), content_type="text/html")


def maintenance() -> Reply:
    """Return what every path answers while the database is migrated: XML whatever the client accepts."""
    return Reply(status=503, body=MIGRATING.encode(), content_type=XML_TYPE, closes=True)
