"""The hashes of the files of a tree, which tell which file is not what was written.

They are lines "SHA256 SIZE NAME" in members of an archive, each after some hundred files that it is of: whoever reads the archive
holds those few in memory, however many files there are. All lists of a tree together are what the hash in the manifest is over.
"""

import re
from dataclasses import dataclass, field

from plexguard.core.events import show_path
from plexguard.db_export.archive.manifest import BadArchive, TreeFacts

_FOLDER = "plexguard-hashes"
_MOST_LINES = 1_000
_ENOUGH_BYTES = 256 * 1024
# A list is ended by the line that makes it long enough: 4,096 bytes of a name, and its numbers.
MOST_BYTES = _ENOUGH_BYTES + 8 * 1024
_NUMBERS = re.compile(rb"[0-9a-f]{64} [0-9]{1,19} ")
_MOST_NAMED = 10


def make_line(name: str, size: int, sha256: str) -> bytes:
    return f"{sha256} {size} {name}\n".encode("utf-8", "surrogateescape")


@dataclass(slots=True)
class Lists:
    """The lists of one tree, as they are written or should be. size: of those that are over, in bytes."""

    tree: str
    number: int = 1
    size: int = 0
    _lines: list[bytes] = field(default_factory=list)
    _bytes: int = 0

    @property
    def name(self) -> str:
        """What the next one is called in an archive."""
        return f"{_FOLDER}/{self.tree}-{self.number:06d}"

    @property
    def is_full(self) -> bool:
        return len(self._lines) >= _MOST_LINES or self._bytes >= _ENOUGH_BYTES

    @property
    def is_empty(self) -> bool:
        return not self._lines

    def add(self, line: bytes) -> None:
        self._lines.append(line)
        self._bytes += len(line)

    def end(self) -> list[bytes]:
        """Return the lines of this list, and begin the next."""
        lines, self._lines = self._lines, []
        self.number, self.size, self._bytes = self.number + 1, self.size + self._bytes, 0
        return lines


class ListCheck:
    """Holds the files of a tree that were read against the lists beside them. facts: of that tree."""

    def __init__(self, tree: str, facts: TreeFacts) -> None:
        self._lists = Lists(tree)
        self._left_bytes = facts.list_bytes
        self._named: list[str] = []
        self._count = 0

    @property
    def name(self) -> str:
        return self._lists.name

    @property
    def is_over(self) -> bool:
        """Tell whether every file had its list, and every list came."""
        return self._lists.is_empty and not self._left_bytes

    @property
    def difference(self) -> str:
        """Which files are not what was written, "" where all are."""
        if not self._count:
            return ""
        more = f" and {self._count - len(self._named)} more" if self._count > len(self._named) else ""
        return f"{self._count} of its files differ: {', '.join(self._named)}{more}"

    def admit(self, size: int) -> None:
        """Raise BadArchive for a list that cannot be the next."""
        self._left_bytes -= size
        if self._lists.is_empty or size > MOST_BYTES or self._left_bytes < 0:
            raise BadArchive(f"{self.name} is no list of hashes that was written")

    def add(self, line: bytes) -> None:
        """Take a file that was read, by the line that it should have. Raises BadArchive."""
        if self._lists.is_full:
            raise BadArchive(f"{self.name} is not in it")
        self._lists.add(line)

    def compare(self, body: bytes) -> None:
        """Take the list of the files that were read since the last one."""
        lines = self._lists.end()
        if b"".join(lines) == body:
            return
        at = 0
        for line in lines:
            name = _name_of(line)
            if not body.startswith(line, at):
                self._note(name)
            numbers = _NUMBERS.match(body, at)
            if numbers is None or not body.startswith(name, numbers.end()):
                # Another file than the list has here: from here on nothing can be told of any.
                return
            at = numbers.end() + len(name)
        if at < len(body):
            # One that the list has, and that is missing.
            self._note(body[at:].partition(b"\n")[0] + b"\n")

    def _note(self, name: bytes) -> None:
        self._count += 1
        if len(self._named) < _MOST_NAMED:
            self._named.append(show_path(name[:-1].decode("utf-8", "surrogateescape")))


def _name_of(line: bytes) -> bytes:
    """Return the name in a line of ours, with what ends it: a name may hold spaces and newlines."""
    return line.split(b" ", 2)[2]
