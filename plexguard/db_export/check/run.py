"""Check a database, live or a copy: the one place where the looks come together."""

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from plexguard.core.errors import IoFailed, NoPermission, PlexguardError
from plexguard.db_export.archive.progress import NoProgress, Progress
from plexguard.db_export.check import counts, titles
from plexguard.db_export.check.catalog import Entry, judge_catalog
from plexguard.db_export.check.findings import Finding, Kind, Report, Severity, damage, worst_first
from plexguard.db_export.check.fts import check_full_text
from plexguard.db_export.check.header import HEADER_BYTES, Header, judge_header
from plexguard.db_export.check.observe import look_at_files, page_types
from plexguard.db_export.check.orphans import find_orphans
from plexguard.db_export.check.pages import check_pages
from plexguard.db_export.check.together import Look, raise_if_stopped, take_all
from plexguard.db_export.check.variant import as_table, is_icu, opened, stand_ins
from plexguard.db_export.database.copy import snapshot
from plexguard.db_export.database.files import check_file_system, need_space, with_sides
from plexguard.db_export.database.schema import count_sections, count_table, quoted
from plexguard.db_export.database.sqlite import DatabaseDamaged, NotADatabase

# Of its rows, what a library may lose between two archives without a word.
SHRINK_PERCENT = 5.0
_ROLLBACK_FORMATS = b"\x01\x01"


def check_database(
    path: Path,
    *,
    work: Path,
    previous: Mapping[str, int] | None = None,
    shrink_percent: float = SHRINK_PERCENT,
    progress: Progress | None = None,
) -> Report:
    """Check a database that may be in use: what lies beside it, then a copy of it as it is at one moment.

    work: a folder for the copy, which is removed in the end. previous: the rows of the last snapshot. Raises SystemRefused for one
    on a network file system, or where there is no room; MissingInput, DatabaseBusy, IoFailed.
    """
    check_file_system(path.parent)
    progress = progress or NoProgress()
    try:
        beside = look_at_files(path) if path.exists() else ()
        size_bytes = sum(file.stat().st_size for file in with_sides(path) if file.exists())
        need_space(work, size_bytes, what="the copy to check")
    except OSError as error:
        raise IoFailed(f"Failed to read {path}: {error.strerror}") from error
    if any(finding.kind is Kind.LENGTH for finding in beside) and path.stat().st_size < HEADER_BYTES:
        # SQLite would take it for a new one.
        return Report(findings=beside)
    with tempfile.TemporaryDirectory(prefix="check-", dir=work) as folder:
        copy = Path(folder) / path.name
        progress.begin(f"copying {path.name}", size_bytes)
        try:
            snapshot(path, copy)
        except NoPermission as error:
            # Only who writes could take a cut off change back.
            if not any(finding.kind is Kind.JOURNAL for finding in beside):
                raise
            half = damage(Kind.JOURNAL, f"it holds a change that was cut off half way: {_reason(error, path)}")
            return Report(findings=(half,))
        except (DatabaseDamaged, NotADatabase) as error:
            reason = damage(Kind.UNREADABLE, f"it cannot be copied: {_reason(error, path)}")
            return Report(findings=worst_first((*beside, reason)))
        progress.advance(size_bytes)
        report = check_copy(copy, previous=previous, shrink_percent=shrink_percent, progress=progress)
    return Report(findings=worst_first((*beside, *report.findings)), rows=report.rows)


def _reason(error: PlexguardError, path: Path) -> str:
    return str(error).removeprefix(f"{path}: ")


def check_copy(
    copy: Path,
    *,
    previous: Mapping[str, int] | None = None,
    shrink_percent: float = SHRINK_PERCENT,
    progress: Progress | None = None,
) -> Report:
    """Check a database that nobody uses and that has no -wal. Of the file, only the two bytes that say how it is written to are
    changed, to those of a database without a -wal."""
    with copy.open("rb") as file:
        raw = file.read(HEADER_BYTES)
        size_bytes = os.fstat(file.fileno()).st_size
    findings = list(judge_header(raw, size_bytes))
    rows: dict[str, int] = {}
    if len(raw) == HEADER_BYTES and Header.from_bytes(raw).has_page_size:
        _leave_wal_mode(copy, raw)
        try:
            findings += _check_readable(copy, Header.from_bytes(raw), size_bytes, rows, progress)
        except sqlite3.DatabaseError as error:
            findings.append(damage(Kind.UNREADABLE, str(error)))
        except UnicodeError:
            # Nothing but names goes to SQLite as text, or comes in its errors.
            findings.append(damage(Kind.SCHEMA, "a name in the schema is no text"))
    findings += counts.judge_rows(rows, previous or {}, shrink_percent / 100) if rows else ()
    return Report(findings=worst_first(tuple(findings)), rows=rows)


def _leave_wal_mode(copy: Path, raw: bytes) -> None:
    if raw[18:20] != _ROLLBACK_FORMATS:
        with copy.open("r+b") as file:
            file.seek(18)
            file.write(_ROLLBACK_FORMATS)


def _check_readable(
    copy: Path, header: Header, size_bytes: int, rows: dict[str, int], progress: Progress | None
) -> Iterator[Finding]:
    """Yield what is wrong behind the header. rows: is filled with what could be counted. Raises sqlite3.Error."""
    yield from _load_schema(copy)
    with opened(copy, {}) as connection:
        read = connection.execute("SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master").fetchall()
        entries = tuple(Entry.from_row(row) for row in read)
        sizes = dict(_estimate_rows(connection, entries))
    pages = size_bytes // header.page_bytes
    types = page_types(copy, (entry.root for entry in entries if entry.has_pages), header.page_bytes)
    yield from judge_catalog(entries, types, pages)
    wrong = check_pages(copy, entries, sizes, progress)
    yield from wrong
    yield from check_full_text(copy, entries, progress)
    is_sure = not any(finding.severity is Severity.DAMAGE for finding in wrong)
    yield from _check_rows(copy, entries, rows, is_sure=is_sure, progress=progress)
    yield from counts.judge_size(rows, pages=pages, free_pages=header.free_pages, page_bytes=header.page_bytes)


def _load_schema(copy: Path) -> Iterator[Finding]:
    """Yield what SQLite says when it reads the schema as Plex would have it read."""
    with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.DatabaseError as error:
            yield damage(Kind.SCHEMA, str(error))
        except UnicodeError:
            yield damage(Kind.SCHEMA, "SQLite cannot read it, and names something that is no text")


def _estimate_rows(connection: sqlite3.Connection, entries: Sequence[Entry]) -> Iterator[tuple[str, int]]:
    """Yield how many rows each table has at most, by its last one: only how the work is shared depends on it."""
    for entry in entries:
        if entry.type == "table" and not entry.is_virtual:
            with contextlib.suppress(sqlite3.DatabaseError):
                yield entry.name, connection.execute(f"SELECT max(rowid) FROM {quoted(entry.name)}").fetchone()[0] or 0


def _check_rows(
    copy: Path, entries: Sequence[Entry], rows: dict[str, int], *, is_sure: bool, progress: Progress | None
) -> Iterator[Finding]:
    """Yield what the rows tell. is_sure: no page is damaged, so that a look that fails is damage of its own."""
    usual = stand_ins(entries)
    takes = (partial(_count, entries, rows), find_orphans, partial(titles.find_drift, entries))
    looks = [Look(take=partial(_try, take, is_sure), changes=usual) for take in takes]
    for entry in entries:
        if is_icu(entry) and (opening := as_table(entry)) is not None:
            column, change = opening
            compare = partial(titles.check_order_index, entry.name, entry.table, column)
            looks.append(Look(take=partial(_try, compare, is_sure), changes=usual | {entry.name: change}))
    for found in take_all(copy, looks, what="rows", progress=progress):
        yield from found


def _try(
    take: Callable[[sqlite3.Connection], Iterable[Finding]], is_sure: bool, connection: sqlite3.Connection
) -> tuple[Finding, ...]:
    try:
        return tuple(take(connection))
    except sqlite3.DatabaseError as error:
        raise_if_stopped(error)
        return (damage(Kind.UNREADABLE, str(error)),) if is_sure else ()


def _count(entries: Sequence[Entry], rows: dict[str, int], connection: sqlite3.Connection) -> tuple[Finding, ...]:
    for entry in entries:
        if entry.type == "table" and not entry.is_virtual:
            with _unless_stopped():
                rows[entry.name] = count_table(connection, entry.name)
    with _unless_stopped():
        rows.update((f"section {section}", number) for section, number in count_sections(connection).items())
    return tuple(counts.find_low_sequences(connection))


@contextlib.contextmanager
def _unless_stopped() -> Iterator[None]:
    """Leave out what cannot be counted: why not has been found by then."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise_if_stopped(error)
