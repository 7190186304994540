"""What a path becomes. Pure.

A mapping moves the path that it names and all below it: whole names only, every byte as it is, upper and lower case apart. Of
several that fit, the longest counts; each path is moved once, whatever other mapping its new place would fit.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote_to_bytes

_SCHEME: Final = "file://"
# That many are remembered: files of one folder follow each other, and a library may have a million folders.
_MOST_FOLDERS: Final = 20_000
_MOST_TEXTS: Final = 4_096
# What may stand in the path of a URL beside letters, digits and "-._~"; RFC 3986, pchar.
_PLAIN: Final = "!$&'()*+,;=:@"


class Mover:
    """The mappings of a file, old path to new, ready for many paths."""

    def __init__(self, mappings: Mapping[str, str]) -> None:
        self._new = {_root_as_empty(old): _root_as_empty(new) for old, new in mappings.items()}
        self._folders: dict[str, tuple[str, str] | None] = {}

    @property
    def targets(self) -> tuple[str, ...]:
        """Where the mappings lead, each once; the root is ""."""
        return tuple(dict.fromkeys(self._new.values()))

    @property
    def is_apart(self) -> bool:
        """Tell whether no two mappings lead to one place, or one of them to below the place of another."""
        targets = set(self._new.values())
        above = (folder for target in targets if target for folder in _walk_up(target[: target.rindex("/")]))
        return len(targets) == len(self._new) and targets.isdisjoint(above)

    def find(self, path: str) -> str | None:
        """Return the old path of the mapping that counts for a path, or None. That of the root is ""."""
        if not path.startswith("/"):
            return None
        if path in self._new:
            return path
        moved = self._move_folder(path[: path.rindex("/")])
        return None if moved is None else moved[1]

    def is_mapped(self, path: str) -> bool:
        """Tell whether a mapping names just this path."""
        return path in self._new

    def move(self, path: str) -> tuple[str, str] | None:
        """Return what a path becomes, and the old path of the mapping that says so; None where it stays."""
        if path == "/":
            return (self._new[""] or "/", "/") if "" in self._new else None
        if not path.startswith("/"):
            return None
        if path in self._new:
            return self._new[path] or "/", path
        end = path.rindex("/")
        moved = self._move_folder(path[:end])
        return None if moved is None else (moved[0] + path[end:], moved[1] or "/")

    def _move_folder(self, folder: str) -> tuple[str, str] | None:
        """Do the same with a folder; the root is "". Files of one folder have the same answer, unless one is mapped by itself."""
        if folder not in self._folders:
            if len(self._folders) >= _MOST_FOLDERS:
                self._folders.clear()
            old = next((above for above in _walk_up(folder) if above in self._new), None)
            self._folders[folder] = None if old is None else (self._new[old] + folder[len(old) :], old)
        return self._folders[folder]

    def move_url(self, url: str) -> tuple[str, str] | None:
        """Do the same with a URL of a file. What stays of it keeps the form that it has, encoded or not."""
        if not url.startswith(_SCHEME + "/"):
            return None
        encoded = url[len(_SCHEME) :]
        folder, _, name = encoded.rpartition("/")
        old = self.find(f"{_decode(folder)}/{_decode(name)}")
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


# Files that lie beside each other have most of their URLs in common.
@lru_cache(_MOST_TEXTS)
def _decode(encoded: str) -> str:
    if "%" not in encoded:
        return encoded
    return unquote_to_bytes(encoded.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _encode(path: str, *, like: str) -> str:
    """Return a path for a URL. like: a URL that shows which of the characters that need not be encoded are left as they are."""
    return _quote(path, "/" + "".join([c for c in _PLAIN + " " if c in like]))


@lru_cache(_MOST_TEXTS)
def _quote(path: str, safe: str) -> str:
    return quote(path.encode("utf-8", "surrogateescape"), safe=safe)
