"""The -wal beside a database: what SQLite would take over from it, and whether it belongs there. Pure.

SQLite asks no more of a -wal than that its own checksums are right: one that is left over from another database brings its pages
into this one, and the sum of both can pass every other check.

Source: https://www.sqlite.org/fileformat2.html#the_write_ahead_log.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from plexguard.db_export.check.findings import Finding, Kind, damage, warning
from plexguard.db_export.check.header import HEADER_BYTES as PAGE_HEAD_BYTES
from plexguard.db_export.check.header import Header

HEADER_BYTES = 32
FRAME_BYTES = 24
_MAGICS = {0x377F0682: "<", 0x377F0683: ">"}
_FORMAT = 3007000
_WORD = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Wal:
    """What a -wal says. frames: those that SQLite would take over, up to the end of the last whole transaction. heads: how page 1
    begins in those of them that hold it, in order. places: where the last copy of each page begins, in bytes. lost: frames of the
    same round behind the first one that cannot be read, 0 where no transaction ends among them."""

    is_valid: bool
    page_bytes: int
    frames: int = 0
    heads: tuple[bytes, ...] = ()
    places: Mapping[int, int] = field(default_factory=dict)
    lost: int = 0

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Wal":
        """Read a -wal. raw: all of it, or as much of its beginning as shall be looked at, at least 32 bytes."""
        head = struct.unpack(">8I", raw[:HEADER_BYTES])
        order, page_bytes = _MAGICS.get(head[0], ""), head[2]
        is_valid = bool(order) and head[1] == _FORMAT and 512 <= page_bytes <= 65536 and page_bytes & (page_bytes - 1) == 0
        if not is_valid or _sum(raw[:24], order, (0, 0)) != head[6:8]:
            return cls(is_valid=False, page_bytes=page_bytes)
        return _follow(raw, order, page_bytes, (head[6], head[7]))


def _sum(raw: bytes, order: str, start: tuple[int, int]) -> tuple[int, int]:
    """Return the checksum of a -wal over words of the given order, going on from that of what stands before."""
    first, second = start
    words = struct.unpack(f"{order}{len(raw) // 4}I", raw)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & _WORD
        second = (second + odd + first) & _WORD
    return first, second


def _follow(raw: bytes, order: str, page_bytes: int, running: tuple[int, int]) -> Wal:
    """Go along the chain of frames up to the first that does not belong to it."""
    salts = raw[16:24]
    frames, heads, places, pending, lost = 0, list[bytes](), dict[int, int](), dict[int, int](), 0
    offsets = range(HEADER_BYTES, len(raw) - FRAME_BYTES - page_bytes + 1, FRAME_BYTES + page_bytes)
    for number, at in enumerate(offsets, 1):
        frame, start = raw[at : at + FRAME_BYTES], at + FRAME_BYTES
        page, pages_after = struct.unpack(">2I", frame[:8])
        if frame[8:16] != salts:
            break
        running = _sum(raw[start : start + page_bytes], order, _sum(frame[:8], order, running))
        if page == 0 or struct.pack(">2I", *running) != frame[16:24]:
            lost = _count_lost(raw, salts, offsets[number - 1 :])
            break
        pending[page] = start
        if pages_after:
            frames = number
            places |= pending
            heads += [raw[start : start + PAGE_HEAD_BYTES] for start in pending.values() if start == pending.get(1)]
            pending = {}
    return Wal(is_valid=True, page_bytes=page_bytes, frames=frames, heads=tuple(heads), places=places, lost=lost)


def _count_lost(raw: bytes, salts: bytes, offsets: range) -> int:
    """Return how many frames of the same round stand from the first broken one on, 0 if no transaction ends behind it."""
    heads = [raw[at : at + 16] for at in offsets]
    same = [head for head in heads if head[8:16] == salts]
    return len(same) if any(head[4:8] != bytes(4) for head in same[1:]) else 0


def judge_wal(wal: Wal, head: bytes, *, is_older: bool, copied: int) -> Iterator[Finding]:
    """Yield what is wrong with a -wal beside a database. head: how the database's file begins. is_older: whether that file was
    written after it. copied: how many of its pages are in the file as they are in it, after a checkpoint."""
    if not wal.is_valid:
        yield warning(Kind.WAL, "the -wal has no valid header: SQLite ignores it, and what only it holds is lost")
        return
    if wal.lost:
        yield warning(Kind.WAL, f"the -wal is broken after {wal.frames} frames: what stands in the {wal.lost} behind them is lost")
    if wal.frames == 0:
        return
    page_bytes = Header.from_bytes(head).page_bytes
    if wal.page_bytes != page_bytes:
        yield damage(Kind.WAL, f"the -wal is another database's: its pages have {wal.page_bytes} bytes, here {page_bytes}")
    elif not _can_follow(wal, head):
        yield damage(Kind.WAL, "the -wal is another database's, or that of an older copy: its rows would replace newer ones")
    elif is_older and copied == 0:
        detail = "the database was written after the -wal, and yet has none of its pages: it may be another database's"
        yield warning(Kind.WAL, detail, sure=False)


def _can_follow(wal: Wal, head: bytes) -> bool:
    """Tell whether these changes go on from that database: it is at the change before the first of them, or one of them has been
    taken over into it, and then as it stands there.

    A connection that has page 1 in memory writes the same count twice, so that the first can have the number of the one before.
    """
    if not wal.heads:
        return True
    first, last, database = (Header.from_bytes(raw) for raw in (wal.heads[0], wal.heads[-1], head))
    if database.schema_cookie > last.schema_cookie:
        return False
    at = database.counter
    return at in (first.counter - 1, first.counter) or (first.counter < at <= last.counter and head in wal.heads)
