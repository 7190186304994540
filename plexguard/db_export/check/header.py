"""The first 100 bytes of a database against the file that they begin. Pure.

Source: https://www.sqlite.org/fileformat2.html#the_database_header.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from plexguard.db_export.check.findings import Finding, Kind, damage

HEADER_BYTES = 100
MAGIC = b"SQLite format 3\0"
ENCODINGS = {1: "UTF-8", 2: "UTF-16le", 3: "UTF-16be"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The fields of a header. counter: of changes; counted_at: the counter for which the number of pages holds."""

    magic: bytes
    page_bytes: int
    formats: tuple[int, int]
    fractions: tuple[int, int, int]
    counter: int
    pages: int
    first_trunk: int
    free_pages: int
    schema_cookie: int
    schema_format: int
    encoding: int
    counted_at: int

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Header":
        """Take the header apart. raw: at least 100 bytes."""

        def number(at: int) -> int:
            return int.from_bytes(raw[at : at + 4], "big")

        page_bytes = int.from_bytes(raw[16:18], "big")
        return cls(
            magic=raw[:16],
            # 65536 does not fit into two bytes.
            page_bytes=65536 if page_bytes == 1 else page_bytes,
            formats=(raw[18], raw[19]),
            fractions=(raw[21], raw[22], raw[23]),
            counter=number(24),
            pages=number(28),
            first_trunk=number(32),
            free_pages=number(36),
            schema_cookie=number(40),
            schema_format=number(44),
            encoding=number(56),
            counted_at=number(92),
        )

    @property
    def has_page_size(self) -> bool:
        return 512 <= self.page_bytes <= 65536 and self.page_bytes & (self.page_bytes - 1) == 0


def judge_header(raw: bytes, size_bytes: int) -> tuple[Finding, ...]:
    """Return what is wrong with a database whose pages are all in its file: a copy, or one without a -wal.

    raw: how the file begins. size_bytes: how long it is.
    """
    if size_bytes == 0:
        return (damage(Kind.LENGTH, "the file is empty"),)
    if len(raw) < HEADER_BYTES:
        return (damage(Kind.LENGTH, f"the file ends within its header, after {len(raw)} bytes"),)
    header = Header.from_bytes(raw)
    return (*_judge_fields(header), *_judge_length(header, size_bytes))


def _judge_fields(header: Header) -> Iterator[Finding]:
    if header.magic != MAGIC:
        yield damage(Kind.HEADER, f"it begins with {header.magic[:16]!r}, not as a database does")
    if not header.has_page_size:
        yield damage(Kind.HEADER, f"pages of {header.page_bytes} bytes are not possible")
    if header.encoding not in ENCODINGS:
        yield damage(Kind.HEADER, f"text encoding {header.encoding} does not exist")
    elif header.encoding != 1:
        yield damage(Kind.HEADER, f"its texts are said to be {ENCODINGS[header.encoding]}; Plex writes UTF-8")
    if not set(header.formats) <= {1, 2}:
        yield damage(Kind.HEADER, f"formats {header.formats[0]} and {header.formats[1]} for writing and reading do not exist")
    if header.fractions != (64, 32, 32):
        yield damage(Kind.HEADER, f"payload fractions {header.fractions} instead of (64, 32, 32)")
    if header.schema_format not in range(1, 5):
        yield damage(Kind.HEADER, f"schema format {header.schema_format} does not exist")


def _judge_length(header: Header, size_bytes: int) -> Iterator[Finding]:
    if not header.has_page_size:
        return
    there, rest = divmod(size_bytes, header.page_bytes)
    if rest:
        yield damage(Kind.LENGTH, f"the file ends within a page: {size_bytes} bytes are {there} pages and {rest} bytes")
    if header.pages > there:
        yield damage(Kind.LENGTH, f"the header counts {header.pages} pages, the file has {there}")
    elif header.pages < there and header.counted_at == header.counter:
        yield damage(Kind.LENGTH, f"the header counts {header.pages} pages, the file has {there}: what is behind them is lost")
    if header.first_trunk > there or header.free_pages > there:
        yield damage(Kind.HEADER, f"{header.free_pages} free pages from page {header.first_trunk} on cannot be in {there} pages")
