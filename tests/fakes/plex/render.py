"""Answers as a tree, written as XML or as JSON by the rules Plex follows.

XML: attributes, flags as 0 and 1. JSON: attributes become keys, children become lists named after their element; media items
are called Metadata, and a list without entries is an absent key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import quoteattr

Value = str | int | float | bool

MEDIA_ITEMS = frozenset({"Video", "Track", "Photo"})
# Of these an element has at most one, so that JSON shows an object and not a list.
SINGLE = frozenset({"User", "Player", "Session", "TranscodeSession", "Context", "Response"})


@dataclass(frozen=True, slots=True)
class Dual:
    """A value the two formats write differently, such as the default of a bool setting."""

    xml: str
    json: Value


@dataclass(frozen=True, slots=True)
class Node:
    """One element: name, typed attributes, children. json_name overrides what JSON calls it."""

    name: str
    attributes: Mapping[str, Value | Dual] = field(default_factory=dict)
    children: tuple[Node, ...] = ()
    json_name: str = ""


def container(*children: Node, **attributes: Value) -> Node:
    """Return the MediaContainer nearly every answer is wrapped in; its size is the number of children unless given."""
    size: dict[str, Value] = {"size": len(children)}
    return Node("MediaContainer", size | attributes, children)


def render_xml(node: Node) -> bytes:
    """Return a whole XML document."""
    return ('<?xml version="1.0" encoding="UTF-8"?>\n' + "".join(xml_lines(node, is_root=True))).encode()


def render_json(node: Node) -> bytes:
    """Return a whole JSON document."""
    return json.dumps({node.name: json_object(node)}, separators=(",", ":"), ensure_ascii=False).encode()


def xml_lines(node: Node, *, is_root: bool = False) -> list[str]:
    """Return an element and what is inside it, one line an element."""
    start = f"<{node.name}" + "".join(f" {key}={quoteattr(xml_value(value))}" for key, value in node.attributes.items())
    if not node.children and not is_root:
        return [start + " />\n"]
    inner = [line for child in node.children for line in xml_lines(child)]
    return [start + ">\n", *inner, f"</{node.name}>\n"]


def xml_value(value: Value | Dual) -> str:
    """Return an attribute's text."""
    if isinstance(value, Dual):
        return value.xml
    return str(int(value)) if isinstance(value, bool) else str(value)


def json_object(node: Node) -> dict[str, object]:
    """Return an element as a JSON object."""
    result: dict[str, object] = {key: value.json if isinstance(value, Dual) else value for key, value in node.attributes.items()}
    for child in node.children:
        if child.name in SINGLE and not is_list(node, child):
            result[child.name] = json_object(child)
            continue
        siblings = result.setdefault(json_name(child), [])
        assert isinstance(siblings, list)
        siblings.append(json_object(child))
    return result


def is_list(parent: Node, child: Node) -> bool:
    """Tell whether an element that is single elsewhere is one of many here, as in /transcode/sessions."""
    return parent.name == "MediaContainer" and child.name == "TranscodeSession"


def json_name(node: Node) -> str:
    """Return the name of the list a child goes into."""
    return node.json_name or ("Metadata" if node.name in MEDIA_ITEMS else node.name)
