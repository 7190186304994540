"""The mappings file: which path became which. Pure.

    {"mappings": {"/Media/TVShows": "/Media/TV", "/Media/Kids/TV Shows": "/Media/Kids/TV"}}

Beside "mappings", names that begin with "_" are remarks, which nobody reads but people.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from plexguard.core.errors import DataError
from plexguard.core.events import show_path

MAPPINGS = "mappings"
REMARK = "_"
# Larger is no list of folders, nor of files.
MAX_BYTES = 256 * 1024 * 1024


class BadMappings(DataError):
    """The mappings file has mistakes; all of them, one a line."""

    def __init__(self, mistakes: tuple[str, ...]) -> None:
        super().__init__("\n".join(mistakes), hint='write {"mappings": {"/old/folder": "/new/folder"}}')
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class _Pairs:
    """An object as the file has it, with names that occur twice."""

    items: tuple[tuple[str, Any], ...]


def parse_mappings(data: bytes, source: str) -> dict[str, str]:
    """Return the mappings of a file, old path to new, without slashes at their ends. Raises BadMappings with all mistakes at once.

    Bytes that are no UTF-8 stay what they are, as the os module has them (surrogateescape): a path is bytes.
    """
    try:
        whole = json.loads(data.decode("utf-8", "surrogateescape"), object_pairs_hook=lambda pairs: _Pairs(tuple(pairs)))
    except (ValueError, RecursionError) as error:
        raise BadMappings((f"{source}: no JSON: {error}",)) from error
    mistakes = tuple(_find_mistakes(whole))
    if mistakes:
        raise BadMappings(tuple(f"{source}: {mistake}" for mistake in mistakes))
    (pairs,) = (value for name, value in whole.items if name == MAPPINGS)
    return {_strip(old): _strip(new) for old, new in pairs.items}


def encode_mappings(mappings: Mapping[str, str], remarks: Mapping[str, object]) -> bytes:
    """Return a mappings file. remarks: what people read beside it, by names that begin with "_"."""
    whole = {**remarks, MAPPINGS: dict(mappings)}
    return (json.dumps(whole, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "surrogateescape")


def _strip(path: str) -> str:
    return path.rstrip("/") or "/"


def _find_mistakes(whole: object) -> Iterator[str]:
    if not isinstance(whole, _Pairs):
        yield f"found {_kind(whole)}, allowed is an object"
        return
    names = [name for name, _ in whole.items]
    for name in dict.fromkeys(names):
        if name != MAPPINGS and not name.startswith(REMARK):
            yield f'{_show(name)}: unknown, allowed are "{MAPPINGS}" and remarks, whose names begin with "{REMARK}"'
    if names.count(MAPPINGS) != 1:
        yield f'"{MAPPINGS}": ' + ("is there twice" if MAPPINGS in names else "is missing")
    for name, value in whole.items:
        if name == MAPPINGS:
            yield from _find_wrong_pairs(value)


def _find_wrong_pairs(pairs: object) -> Iterator[str]:
    if not isinstance(pairs, _Pairs):
        yield f'"{MAPPINGS}": found {_kind(pairs)}, allowed is an object'
        return
    if not pairs.items:
        yield f'"{MAPPINGS}": is empty'
    seen: set[str] = set()
    for old, new in pairs.items:
        if not isinstance(new, str):
            yield f"{_show(old)}: found {_kind(new)}, allowed is a path"
            continue
        yield from (f"{_show(path)}: {fault}" for path in (old, new) if (fault := _find_fault(path)))
        if _strip(old) == _strip(new):
            yield f"{_show(old)}: is mapped to itself"
        if _strip(old) in seen:
            yield f"{_show(old)}: is there twice"
        seen.add(_strip(old))


def _find_fault(path: str) -> str:
    """Return what is wrong with a path, "" for nothing."""
    if not path.startswith("/"):
        return "is no absolute path"
    if "\0" in path:
        return "holds a NUL, which no path can"
    if any(part in ("", ".", "..") for part in path.strip("/").split("/")) and path.strip("/"):
        return 'has a part that is empty, "." or ".."'
    try:
        path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return "holds half a character"
    return ""


def _show(path: str) -> str:
    return f'"{show_path(path)}"'


def _kind(value: object) -> str:
    kinds = {_Pairs: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
