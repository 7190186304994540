"""Names that break programs: what people, unpackers and attackers give to files and folders.

Whatever reads, reports or repairs media meets all of them in its tests, as bytes: a name is any 1 to 255 bytes but "/" and NUL.
"""

import os
from pathlib import Path

NAMES: dict[str, bytes] = {
    "a newline": b"a\nb",
    "a newline at the end": b"film.mkv\n",
    "a carriage return": b"a\rb",
    "a tab": b"a\tb",
    "an escape sequence": b"\x1b[2J\x1b]0;owned\x07",
    "a C1 control": "a\x9b2Jb".encode(),
    "a line separator": "a\u2028b".encode(),
    "a change of direction": "a\u202egpj.exe".encode(),
    "no UTF-8": b"\xff\xfe\x80",
    "cut UTF-8": b"Am\xc3",
    "an encoded surrogate": b"\xed\xa0\x80",
    "Latin-1": "Amélie".encode("latin-1"),
    "NFC": "Am\u00e9lie".encode(),
    "NFD": "Ame\u0301lie".encode(),
    "four bytes a character": "\U0001f3ac".encode(),
    "a leading dash": b"-rf",
    "an option": b"--reference=x",
    "a space": b" ",
    "spaces at both ends": b" a ",
    "a double quote": b'a"b',
    "a single quote": b"a'b",
    "percent signs": b"100%s%n%20",
    "braces": b"{path}{0}",
    "a backslash": b"a\\b",
    "an escape spelled out": b"a\\nb\\x41",
    "a command": b"$(touch owned)`touch owned`;touch owned|cat&",
    "patterns": b"*?[a]",
    "a home": b"~",
    "three dots": b"...",
    "hidden": b".hidden",
    "deleted": b"film.mkv (deleted)",
    "a comment": b"#1",
    "priority": b"<0>a",
    "255 bytes": b"x" * 255,
    "255 bytes in two-byte characters": "\u00e9".encode() * 127 + b"x",
}


def plant(root: Path, name: bytes) -> set[bytes]:
    """Make a closed folder of that name with an unreadable file of that name in it; return both paths."""
    folder = os.path.join(os.fsencode(root), name)
    file = os.path.join(folder, name)
    os.mkdir(folder)
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    os.chmod(file, 0o000)
    os.chmod(folder, 0o700)
    return {folder, file}


def plant_all(root: Path) -> set[bytes]:
    return {path for name in NAMES.values() for path in plant(root, name)}
