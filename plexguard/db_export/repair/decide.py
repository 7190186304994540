"""Which rungs of the ladder can help, what a rung has lost, and which one is good enough. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from plexguard.db_export.check.findings import Finding, Kind, Severity


class Rung(Enum):
    """A way to mend a database, the least loss first."""

    WITHOUT_WAL = "without the -wal"
    REINDEX = "reindex"
    FULL_TEXT = "full-text rebuild"
    RELOAD = "dump and reload"
    # The same, with tables that had to be read page by page.
    SALVAGE = "salvage"
    # The same, with what the sqlite3 program finds besides.
    RECOVER = ".recover"
    SNAPSHOT = "snapshot"


# What is mended in a copy of the file, since all rows are where they should be.
_IN_PLACE = {Kind.INDEX, Kind.SEQUENCE, Kind.FULL_TEXT}


def plan_rungs(findings: Iterable[Finding]) -> tuple[Rung, ...]:
    """Return what is worth trying, in order; () for a database that needs nothing."""
    wrong = {finding.kind for finding in findings if needs_mending(finding)}
    if not wrong:
        return ()
    # What a -wal of another database would do to this one is left out of every copy.
    rungs = [Rung.WITHOUT_WAL] if Kind.WAL in wrong else []
    wrong -= {Kind.WAL}
    if wrong and wrong <= _IN_PLACE:
        rungs.append(Rung.FULL_TEXT if Kind.FULL_TEXT in wrong else Rung.REINDEX)
    return (*rungs, Rung.RELOAD, Rung.RECOVER, Rung.SNAPSHOT)


def needs_mending(finding: Finding) -> bool:
    """Tell whether a finding is one for a repair. A sequence that is behind is only odd until a new row takes an old number."""
    return finding.severity is Severity.DAMAGE or (finding.kind is Kind.SEQUENCE and finding.severity is Severity.WARNING)


def damaged_tables(findings: Iterable[Finding]) -> frozenset[str]:
    """Return the tables whose own pages are in doubt."""
    return frozenset(f.table for f in findings if f.table and f.severity is Severity.DAMAGE and f.kind not in _IN_PLACE)


def damaged_full_text(findings: Iterable[Finding]) -> frozenset[str]:
    """Return the full-text tables that are damaged, or the tables of theirs."""
    return frozenset(f.table for f in findings if f.severity is Severity.DAMAGE and f.kind is Kind.FULL_TEXT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of how many rows a table should have.

    rows: in its pages that can be read. entries: in its indexes, None where none can be read. archived: in the last good archive,
    None where there is none. given: how many numbers were ever given out, where a part of its pages cannot be found; else 0.
    is_derived: it can be made again.
    """

    rows: int
    entries: int | None = None
    archived: int | None = None
    given: int = 0
    is_derived: bool = False

    @property
    def best(self) -> int:
        """The best estimate. An index that is whole knows; without one the last archive does, older as it is; without that there
        may have been as many as were given numbers. Most libraries have deleted much: that is the least certain."""
        for known in (self.entries, self.archived):
            if known is not None:
                return max(self.rows, known)
        return max(self.rows, self.given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A table of which rows are gone. best: how many there should be."""

    table: str
    best: int
    kept: int
    is_derived: bool = False

    @property
    def rows(self) -> int:
        return self.best - self.kept

    @property
    def share(self) -> float:
        return self.rows / self.best


def measure(known: Mapping[str, Known], kept: Mapping[str, int]) -> tuple[Loss, ...]:
    """Return the tables that have fewer rows than they should, the largest loss first."""
    found = (Loss(table=t, best=k.best, kept=kept.get(t, 0), is_derived=k.is_derived) for t, k in known.items())
    return tuple(sorted((loss for loss in found if loss.rows > 0), key=lambda loss: (loss.is_derived, -loss.rows, loss.table)))


def rows_lost(losses: Iterable[Loss]) -> int:
    """Return how many rows are gone that nothing can make again."""
    return sum(loss.rows for loss in losses if not loss.is_derived)


def is_settled(last: Rung, lost: int) -> bool:
    """Tell whether something good enough is to be taken before the next rung is tried. last: that was tried. lost: rows; what a
    salvage has lost may be found by another."""
    return last is not Rung.SALVAGE or lost == 0


def too_much(losses: Iterable[Loss], *, max_loss: float) -> tuple[Loss, ...]:
    """Return the losses that nobody should bear unasked: above this share of their table."""
    return tuple(loss for loss in losses if not loss.is_derived and loss.share > max_loss)
