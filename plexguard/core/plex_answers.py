"""What Plex's answers say: XML or JSON to parts with names, and what went wrong to the PlexError that it stands for. Pure.

Facts and their sources: the answers are XML unless JSON is asked for, and error answers ignore what was asked for; an
empty list is an absent key.
"""

import json
from collections.abc import Iterator
from typing import Any

from plexguard.core.plex import PlexBroken, PlexDeclined, PlexError, PlexFailing, PlexMaintenance, PlexUnauthorized


class Node:
    """A part of an answer, XML or JSON alike: named values and child parts."""

    __slots__ = ("_children", "_values")

    def __init__(self, values: dict[str, Any], children: list[tuple[str, "Node"]]) -> None:
        self._values = values
        self._children = children

    def text(self, name: str) -> str:
        value = self._values.get(name)
        text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        # JSON can hold halves of surrogate pairs, which nothing that is written down or sent can.
        return text.encode("utf-8", "replace").decode("utf-8")

    def flag(self, name: str) -> bool:
        return self.text(name) in ("1", "true")

    def number(self, name: str) -> int:
        text = self.text(name)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0

    def children(self, *names: str) -> Iterator["Node"]:
        return (node for name, node in self._children if name in names)

    def child_text(self, child: str, name: str) -> str:
        return next((node.text(name) for node in self.children(child)), "")


def interpret_answer(path: str, status: int, kind: str, body: bytes) -> Node:
    """Return the root part of an answer, or raise the PlexError that it stands for. Pure."""
    if status in (200, 201, 204):
        return _parse_body(path, kind, body)
    raise _fault(path, status, body)


def interpret_done(path: str, status: int, body: bytes) -> None:
    """Raise the PlexError that the answer to something told stands for, unless it is done. Pure."""
    if status in (400, 404, 409):
        raise PlexDeclined(f"{path}: Plex declines: {status} {_first_words(body)}".rstrip())
    if status not in (200, 201, 204):
        raise _fault(path, status, body)


def _fault(path: str, status: int, body: bytes) -> PlexError:
    if status in (401, 403):
        return PlexUnauthorized(f"{path}: {status}: the token is wrong or missing")
    if status == 503 and b"aintenance" in body:
        return PlexMaintenance(_maintenance_text(body))
    if status >= 500:
        return PlexFailing(f"{path}: {status} {_first_words(body)}")
    if 300 <= status < 400:
        return PlexBroken(f"{path}: a redirect ({status}), which Plex never sends")
    return PlexBroken(f"{path}: status {status} {_first_words(body)}")


def _parse_body(path: str, kind: str, body: bytes) -> Node:
    if "json" in kind:
        return _parse_json(path, body)
    if "xml" in kind:
        return _parse_xml(path, body)
    raise PlexBroken(f"{path}: {kind.partition(';')[0] or 'content without a type'} instead of XML or JSON")


def _parse_json(path: str, body: bytes) -> Node:
    try:
        container = json.loads(body)["MediaContainer"]
        if not isinstance(container, dict):
            raise TypeError("MediaContainer is no object")
        return _node_from_json(container)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PlexBroken(f"{path}: JSON that is not Plex's: {error}") from error


def _node_from_json(data: dict[str, Any]) -> Node:
    children: list[tuple[str, Node]] = []
    for name, value in data.items():
        items = value if isinstance(value, list) else [value]
        children += [(name, _node_from_json(item)) for item in items if isinstance(item, dict)]
    return Node({name: value for name, value in data.items() if not isinstance(value, dict | list)}, children)


def _parse_xml(path: str, body: bytes) -> Node:
    from xml.etree import ElementTree  # JSON is what a healthy Plex sends

    try:
        root = ElementTree.fromstring(body)
        if root.tag != "MediaContainer":
            raise PlexBroken(f"{path}: XML that is not Plex's: <{root.tag[:40]}>")
        return _node_from_xml(root)
    except (ElementTree.ParseError, LookupError, ValueError, RecursionError) as error:  # LookupError: an unknown encoding
        raise PlexBroken(f"{path}: XML that does not parse: {error}") from error


def _node_from_xml(element: Any) -> Node:
    return Node(dict(element.attrib), [(child.tag, _node_from_xml(child)) for child in element])


def _maintenance_text(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    _, found, rest = text.partition('status="')
    return rest.partition('"')[0][:200] if found else "maintenance"


def _first_words(body: bytes) -> str:
    text = body[:2000].decode("utf-8", "replace")
    plain = " ".join(part.partition(">")[2] if n else part for n, part in enumerate(text.split("<")))
    return " ".join(plain.split())[:80]
