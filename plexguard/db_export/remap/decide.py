"""What a path becomes. Pure.

A mapping moves the path that it names and all below it: whole names only, every byte as it is, upper and lower case apart. Of
several that fit, the longest counts; each path is moved once, whatever other mapping its new place would fit.
"""

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote, unquote_to_bytes

_SCHEME: Final = "file://"
# What may stand in the path of a URL beside letters, digits and "-._~"; RFC 3986, pchar.
_PLAIN: Final = "!$&'()*+,;=:@"


class Mover:
    """The mappings of a file, old path to new, ready for many paths."""

    def __init__(self, mappings: Mapping[str, str]) -> None:
        self._new = {_root_as_empty(old): _root_as_empty(new) for old, new in mappings.items()}
        self._folders: dict[str, str | None] = {}

    def find(self, path: str) -> str | None:
        """Return the old path of the mapping that counts for a path, or None. That of the root is ""."""
        if not path.startswith("/"):
            return None
        if path in self._new:
            return path
        # Files of one folder have the same answer, unless one is mapped by itself.
        folder = path[: path.rindex("/")]
        if folder not in self._folders:
            self._folders[folder] = next((above for above in _walk_up(folder) if above in self._new), None)
        return self._folders[folder]

    def is_mapped(self, path: str) -> bool:
        """Tell whether a mapping names just this path."""
        return path in self._new

    def move(self, path: str) -> tuple[str, str] | None:
        """Return what a path becomes, and the old path of the mapping that says so; None where it stays."""
        old = self.find(path)
        if old is None:
            return None
        rest = "" if path == "/" else path[len(old) :]
        return (self._new[old] + rest or "/", old or "/")

    def move_url(self, url: str) -> tuple[str, str] | None:
        """Do the same with a URL of a file. What stays of it keeps the form that it has, encoded or not."""
        if not url.startswith(_SCHEME + "/"):
            return None
        encoded = url[len(_SCHEME) :]
        old = self.find(_decode(encoded))
        if old is None:
            return None
        # As many names as the old path has: an encoded slash is part of a name, which no mapping can tell from a real one.
        parts = encoded.split("/")
        head, rest = parts[: old.count("/") + 1], parts[old.count("/") + 1 :]
        if any("/" in _decode(part) for part in head):
            return None
        new = "/".join([_encode(self._new[old], like=url), *rest]) if encoded != "/" else _encode(self._new[old], like=url)
        return _SCHEME + (new or "/"), old or "/"


def rewrite(path: str, mappings: Mapping[str, str]) -> tuple[str, str] | None:
    """Return what one path becomes, and the old path of the mapping that says so; None where it stays."""
    return Mover(mappings).move(path)


def _walk_up(folder: str) -> Iterator[str]:
    """Yield a folder and all above it, the root last, as ""."""
    while folder:
        yield folder
        folder = folder[: folder.rindex("/")]
    yield ""


def _root_as_empty(path: str) -> str:
    return "" if path == "/" else path


def _decode(encoded: str) -> str:
    if "%" not in encoded:
        return encoded
    return unquote_to_bytes(encoded.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _encode(path: str, *, like: str) -> str:
    """Return a path for a URL. like: a URL that shows which of the characters that need not be encoded are left as they are."""
    kept = "".join(c for c in _PLAIN + " " if c in like)
    return quote(path.encode("utf-8", "surrogateescape"), safe="/" + kept)
