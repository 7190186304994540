"""What a check can find, how bad each is, and what a person does about it. Pure data."""

from dataclasses import dataclass, field
from enum import Enum


class Severity(Enum):
    """How bad a finding is, the worst first."""

    # Plex may fail on it, or has lost something.
    DAMAGE = "damage"
    # Plex works; a person should look.
    WARNING = "warning"
    # Good to know; nothing is to be done at once.
    NOTE = "note"


class Kind(Enum):
    """What was found."""

    HEADER = "header"
    LENGTH = "length"
    UNREADABLE = "unreadable"
    SCHEMA = "schema"
    MISSING_TABLE = "missing-table"
    PAGES = "pages"
    TABLE = "table"
    INDEX = "index"
    FULL_TEXT = "full-text"
    WAL = "wal"
    JOURNAL = "journal"
    ORPHANS = "orphans"
    SEQUENCE = "sequence"
    SHRUNK = "shrunk"
    BLOATED = "bloated"
    OLD_VALUES = "old-values"


REPAIR = "plexguard-db-export repair"
_RESTORE = "plexguard-db-export restore ARCHIVE"
_CURES = {
    Kind.HEADER: f"{REPAIR}, or {_RESTORE}",
    Kind.LENGTH: f"{REPAIR}, or {_RESTORE}: a part of the file is missing",
    Kind.UNREADABLE: f"{REPAIR}, or {_RESTORE}",
    Kind.SCHEMA: f"{REPAIR}, or {_RESTORE}",
    Kind.MISSING_TABLE: _RESTORE,
    Kind.PAGES: REPAIR,
    Kind.TABLE: REPAIR,
    Kind.INDEX: f"{REPAIR}: an index can be made anew from its table",
    Kind.FULL_TEXT: f"{REPAIR}: only searching suffers, and the search index is made anew from the titles",
    Kind.WAL: "stop Plex, keep a copy of all three files, then check again without the -wal",
    Kind.JOURNAL: "start Plex once, so that it takes back what was cut off; then check again",
    Kind.ORPHANS: 'in Plex, "Empty Trash" and "Clean Bundles"; then check again',
    Kind.SEQUENCE: f"{REPAIR}: else new rows may take the numbers of old ones",
    Kind.SHRUNK: "look whether its disk was away during a scan: plexguard-db-export paths",
    Kind.BLOATED: 'in Plex, "Optimize Database"',
    Kind.OLD_VALUES: "nothing: older versions of Plex stored them so",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, or worth a word. table: "" for the file as a whole. sure: no doubt that it is so."""

    kind: Kind
    severity: Severity
    table: str = ""
    detail: str
    sure: bool = True

    @property
    def cure(self) -> str:
        """What a person does about it: one command or one setting."""
        return _CURES[self.kind]


def damage(kind: Kind, detail: str, *, table: str = "") -> Finding:
    return Finding(kind=kind, severity=Severity.DAMAGE, table=table, detail=detail)


def warning(kind: Kind, detail: str, *, table: str = "", sure: bool = True) -> Finding:
    return Finding(kind=kind, severity=Severity.WARNING, table=table, detail=detail, sure=sure)


def note(kind: Kind, detail: str, *, table: str = "", sure: bool = True) -> Finding:
    return Finding(kind=kind, severity=Severity.NOTE, table=table, detail=detail, sure=sure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the check of one database found. rows: of each table that could be counted, and the items of each library."""

    findings: tuple[Finding, ...]
    rows: dict[str, int] = field(default_factory=dict)

    @property
    def is_sound(self) -> bool:
        """Whether nothing is damaged; what is only odd does not count."""
        return not any(finding.severity is Severity.DAMAGE for finding in self.findings)


_ORDER = tuple(Severity)


def worst_first(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return findings with damage before warnings, and each once."""
    return tuple(sorted(dict.fromkeys(findings), key=lambda finding: _ORDER.index(finding.severity)))
