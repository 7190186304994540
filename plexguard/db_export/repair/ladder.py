"""Go up the ladder for one database: try a rung, check what came of it, count what it kept, stop at the first good one."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from plexguard.core.errors import DataError, PlexguardError
from plexguard.db_export.check.findings import Finding, Kind, Report, Severity, damage
from plexguard.db_export.database.schema import count_rows, quoted
from plexguard.db_export.database.sqlite import DatabaseDamaged, DiskFull, NotADatabase, reading
from plexguard.db_export.repair.carry import carry_over
from plexguard.db_export.repair.decide import (
    Known,
    Loss,
    Rung,
    damaged_full_text,
    damaged_tables,
    is_settled,
    measure,
    needs_mending,
    plan_rungs,
    rows_lost,
    too_much,
)
from plexguard.db_export.repair.mend import PlexSqlite, drop_indexes, make_plex_indexes, rebuild_full_text, reindex
from plexguard.db_export.repair.pages import PageFile
from plexguard.db_export.repair.recover import Recovered, Sqlite3
from plexguard.db_export.repair.reload import More, reload
from plexguard.db_export.repair.salvage import salvaging
from plexguard.db_export.repair.shape import SEQUENCE, Made, Table
from plexguard.db_export.repair.survey import Claims, Survey, read_schema, read_sequences, survey
from plexguard.db_export.repair.trees import count_index
from plexguard.db_export.repair.work import copy_file, copy_whole

Check = Callable[[Path], Report]


class Snapshot(Protocol):
    """A kept archive that is good."""

    @property
    def name(self) -> str: ...

    def rows(self, database: str) -> Mapping[str, int]:
        """Return how many rows its tables have."""
        ...

    def unpack(self, folder: Path) -> Mapping[str, Path]:
        """Unpack its databases, by their names. Raises DataError for an archive that is not what it says."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A rung that was tried. file: what it made, if that passed the check. failed: why it is no good, "" else. kept: rows by table.
    to_do: what a person has to run with Plex's own SQLite. archive: of a snapshot, which. by_page: tables that SQLite could not
    read. aside: what `.recover` found that belongs to no table."""

    rung: Rung
    file: Path | None = None
    failed: str = ""
    kept: Mapping[str, int] = field(default_factory=dict)
    losses: tuple[Loss, ...] = ()
    to_do: tuple[str, ...] = ()
    archive: str = ""
    by_page: tuple[str, ...] = ()
    aside: int = 0

    @property
    def lost(self) -> int:
        return rows_lost(self.losses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Climb:
    """What came of one database. taken: the rung that is to be put in place. best: of those that passed the check the one with the
    least loss, also when that is too much."""

    database: str
    findings: tuple[Finding, ...]
    tried: tuple[Tried, ...] = ()
    taken: Tried | None = None
    unreadable_bytes: int = 0

    @property
    def is_sound(self) -> bool:
        """Whether nothing was to be done."""
        return not self.tried and self.taken is None

    @property
    def best(self) -> Tried | None:
        return _least(self.tried)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """How a database is mended. snapshots: newest first. max_loss: the share of a table that may be lost unasked; forced: any."""

    work: Path
    check: Check
    look_beside: Callable[[Path], tuple[Finding, ...]]
    plex: PlexSqlite
    sqlite3: Sqlite3
    snapshots: tuple[Snapshot, ...] = ()
    max_loss: float = 0.001
    forced: bool = False
    tell: Callable[[str], None] = lambda _: None

    def climb(self, original: Path, *, like: Path | None = None) -> Climb:
        """Mend a copy of a database. like: another one with the same schema. Raises PlexguardError for what is not its fault."""
        self.tell(f"copying {original.name}")
        source = self.work / original.name
        beside = self.look_beside(original)
        unreadable = copy_whole(original, source, with_wal=not any(_is_foreign_wal(finding) for finding in beside))
        self.tell(f"checking {original.name}")
        findings = (*(one for one in beside if one.kind is Kind.WAL), *self._look(source))
        rungs = plan_rungs(findings)
        if not rungs:
            return Climb(database=original.name, findings=findings, unreadable_bytes=unreadable)
        known, found = self._know(source, original.name, like)
        findings += self._outvoted(source, found, findings)
        rungs = plan_rungs(findings)
        climb = Climb(database=original.name, findings=findings, unreadable_bytes=unreadable)
        tried: list[Tried] = []
        for rung in rungs:
            for one in self._try(rung, original, source, found, findings, before=tuple(tried)):
                tried.append(_compared(self._judge(one, known), tried))
                good = _least(result for result in tried if not too_much(result.losses, max_loss=self.max_loss))
                if good is not None and is_settled(tried[-1].rung, good.lost):
                    return _with(climb, tried, good)
        done = _with(climb, tried, None)
        return _with(climb, tried, done.best) if self.forced else done

    def _look(self, copy: Path) -> tuple[Finding, ...]:
        try:
            return check_keeping_mode(self.check, copy).findings
        except (DatabaseDamaged, NotADatabase) as error:
            return (damage(Kind.UNREADABLE, str(error)),)

    def _know(self, source: Path, name: str, like: Path | None) -> tuple[dict[str, Known], Survey | None]:
        """Return how many rows each table should have, and what is known of the pages; None where nothing in them makes sense."""
        archived = self.snapshots[0].rows(name) if self.snapshots else {}
        try:
            with PageFile(source) as pages:
                found = survey(pages, like=read_like(like))
                given = read_sequences(pages, found.seen)
        except DataError:
            return {table: Known(rows=0, archived=rows) for table, rows in archived.items()}, None
        known = {
            table: Known(
                rows=seen.rows,
                entries=seen.entries,
                archived=archived.get(table),
                given=given.get(table, 0) if seen.holes else 0,
                is_derived=seen.table.is_derived,
            )
            for table, seen in found.seen.items()
            if table != SEQUENCE
        }
        return known, found

    def _outvoted(self, source: Path, found: Survey | None, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
        """Return the tables whose indexes are only blamed: making them anew would make wrong rows look right."""
        if found is None:
            return ()
        blamed = {f.table for f in findings if f.kind is Kind.INDEX and f.severity is Severity.DAMAGE} & found.seen.keys()
        with salvaging(source, found, scratch=self.work / "witnesses") as salvage:
            wrong = [name for name in sorted(blamed) if salvage.is_outvoted(found.seen[name].table)]
        return tuple(damage(Kind.TABLE, "has rows that most of its indexes know nothing of", table=name) for name in wrong)

    def _try(
        self,
        rung: Rung,
        original: Path,
        source: Path,
        found: Survey | None,
        findings: tuple[Finding, ...],
        *,
        before: tuple[Tried, ...],
    ) -> Iterator[Tried]:
        """Yield what a rung makes: one file, or of snapshots one after the other."""
        self.tell(f"{original.name}: {rung.value}")
        target = self.work / f"{original.name}.{rung.name.lower()}"
        if rung is Rung.SNAPSHOT:
            yield from self._unpack(original.name, target)
            return
        try:
            match rung:
                case Rung.WITHOUT_WAL:
                    copy_file(source, target)
                    yield Tried(rung=rung, file=target)
                case Rung.REINDEX | Rung.FULL_TEXT:
                    yield self._mend(rung, source, target, found, findings)
                case Rung.RECOVER:
                    yield self._recover(source, target, found, findings, _least(before))
                case _:
                    yield self._reload(source, target, found, findings)
        except DataError as error:
            target.unlink(missing_ok=True)
            yield Tried(rung=rung, failed=str(error))

    def _mend(self, rung: Rung, source: Path, target: Path, found: Survey | None, findings: tuple[Finding, ...]) -> Tried:
        copy_file(source, target)
        bad = _bad_plex_only(source, found, findings)
        drop_indexes(target, bad)
        reindex(target)
        to_do = rebuild_full_text(target, damaged_full_text(findings), self.plex) if rung is Rung.FULL_TEXT else ()
        again = [made for made in found.schema.made if made.name in bad] if found is not None else []
        return Tried(rung=rung, file=target, to_do=(*to_do, *make_plex_indexes(target, again, self.plex)))

    def _recover(
        self, source: Path, target: Path, found: Survey | None, findings: tuple[Finding, ...], best: Tried | None
    ) -> Tried:
        obstacle = self.sqlite3.find_obstacle()
        if obstacle:
            return Tried(rung=Rung.RECOVER, failed=obstacle)
        runs: list[Recovered] = []

        def recover(tables: Mapping[str, Table]) -> Recovered:
            runs.append(self.sqlite3.recover(source, tables))
            return runs[-1]

        try:
            if found is not None and best is not None and best.file is not None and best.by_page:
                # To look takes much less time than to write it all again.
                looked = recover({name: found.seen[name].table for name in best.by_page})
                if not _has_more(looked, best.file):
                    return Tried(rung=Rung.RECOVER, failed=_no_more(best), aside=looked.aside)
                runs.clear()
            made = self._reload(source, target, found, findings, more=recover)
        except DiskFull as error:
            # What is made already may be good enough: this one was only to be better.
            target.unlink(missing_ok=True)
            return Tried(rung=Rung.RECOVER, failed=str(error))
        return replace(made, rung=Rung.RECOVER, aside=sum(run.aside for run in runs))

    def _reload(
        self, source: Path, target: Path, found: Survey | None, findings: tuple[Finding, ...], *, more: More = lambda _: ()
    ) -> Tried:
        if found is None:
            raise DataError("nothing in it looks like a page of a database")
        is_readable = opens(source)
        done = reload(source, target, found=found, is_readable=is_readable, by_page=damaged_tables(findings), more=more)
        derived = {name for name, seen in found.seen.items() if seen.table.is_derived and seen.is_damaged}
        to_do = rebuild_full_text(target, derived | damaged_full_text(findings), self.plex)
        left_out = [made for made in done.left_out if not _carried_over(source, made, found, target)]
        to_do += make_plex_indexes(target, left_out, self.plex)
        by_page = tuple(done.read_by_page)
        return Tried(rung=Rung.SALVAGE if by_page else Rung.RELOAD, file=target, to_do=to_do, by_page=by_page)

    def _unpack(self, name: str, target: Path) -> Iterator[Tried]:
        for number, snapshot in enumerate(self.snapshots):
            folder = target.with_name(f"{target.name}.{number}")
            folder.mkdir()
            try:
                yield Tried(rung=Rung.SNAPSHOT, file=snapshot.unpack(folder)[name], archive=snapshot.name)
            except (DataError, KeyError) as error:
                yield Tried(rung=Rung.SNAPSHOT, failed=str(error), archive=snapshot.name)

    def _judge(self, made: Tried, known: Mapping[str, Known]) -> Tried:
        """Check what a rung made, and count what it kept."""
        if made.file is None:
            return made
        bad = [finding for finding in self._look(made.file) if needs_mending(finding)]
        if bad:
            made.file.unlink()
            return _failed(made, f"{bad[0].table}: {bad[0].detail}".removeprefix(": "))
        try:
            with reading(made.file, immutable=True) as connection:
                kept = count_rows(connection)
        except PlexguardError as error:
            return _failed(made, str(error))
        return replace(made, kept=kept, losses=measure(known, kept))


def _with(climb: Climb, tried: list[Tried], taken: Tried | None) -> Climb:
    return replace(climb, tried=tuple(tried), taken=taken)


def _least(tried: Iterable[Tried]) -> Tried | None:
    """Return what has lost least of those that passed the check; of equals the first."""
    return min((one for one in tried if one.file is not None), key=lambda one: one.lost, default=None)


def _compared(made: Tried, before: list[Tried]) -> Tried:
    """Drop what `.recover` has made if it is no better: its room may be needed."""
    best = _least(before)
    if made.rung is not Rung.RECOVER or made.file is None or best is None or made.lost < best.lost:
        return made
    made.file.unlink()
    return replace(_failed(made, _no_more(best)), aside=made.aside)


def _no_more(best: Tried) -> str:
    return f"finds no row that {best.rung.value} has not"


def _has_more(rows: Recovered, there: Path) -> bool:
    """Tell whether one of these rows is not in a database."""
    with reading(there, immutable=True) as connection, contextlib.closing(iter(rows)) as each:
        return any(
            connection.execute(f"SELECT 1 FROM {quoted(table.name)} WHERE rowid = ?", (rowid,)).fetchone() is None
            for table, (rowid, _) in each
        )


def _failed(made: Tried, reason: str) -> Tried:
    return Tried(rung=made.rung, failed=reason, archive=made.archive)


def _is_foreign_wal(finding: Finding) -> bool:
    return finding.kind is Kind.WAL and finding.severity is Severity.DAMAGE


def read_like(path: Path | None) -> tuple[Made, ...]:
    """Return the schema of a database, () where it is not whole or there is none."""
    if path is None or not path.exists():
        return ()
    try:
        with PageFile(path) as pages:
            made, is_whole = read_schema(pages, Claims(pages.count), set())
    except (DataError, OSError):
        return ()
    return made if is_whole else ()


def opens(path: Path) -> bool:
    """Tell whether SQLite can open a database and read its schema."""
    try:
        with reading(path, immutable=True) as connection:
            connection.execute("SELECT count(*), max(length(sql)) FROM sqlite_master").fetchone()
    except (DatabaseDamaged, NotADatabase, PlexguardError):
        return False
    return True


def check_keeping_mode(check: Check, copy: Path) -> Report:
    """Check a copy. The check opens it without a -wal, and leaves that in its header: Plex's own mode is put back."""
    with open(copy, "r+b") as file:
        file.seek(18)
        mode = file.read(2)
        try:
            return check(copy)
        finally:
            if mode == b"\x02\x02":
                file.seek(18)
                file.write(mode)


def _carried_over(source: Path, made: Made, found: Survey, target: Path) -> bool:
    with PageFile(source) as pages:
        return made.root > 1 and carry_over(pages, made, found.seen[made.table].table, target)


def _bad_plex_only(source: Path, found: Survey | None, findings: tuple[Finding, ...]) -> tuple[str, ...]:
    """Return the indexes of Plex's own order that are damaged, or do not have an entry for each row."""
    if found is None:
        return ()
    with PageFile(source) as pages:
        return tuple(
            made.name
            for made in found.schema.plex_only
            if made.table in found.seen
            and (
                count_index(pages, made.root) != found.seen[made.table].rows
                or any(made.name in finding.detail for finding in findings if finding.severity is Severity.DAMAGE)
            )
        )
