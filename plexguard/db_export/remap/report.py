"""What a remap would do, or did, for people and programs. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from plexguard.core.events import show_path
from plexguard.core.records import encode
from plexguard.db_export.remap.observe import Collision, Left

_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """mappings: how many values each moved, by its old path. settings: of Plex's, which hold paths: name, value, what it should be.
    kept: where the old database is, "" for a dry run. checked, missing, untold: files that were looked for afterwards."""

    mappings: Mapping[str, str]
    counts: Counter[str]
    columns: Counter[str]
    left: tuple[Left, ...]
    collisions: tuple[Collision, ...]
    settings: tuple[tuple[str, str, str], ...] = ()
    kept: str = ""
    is_dry: bool = False
    checked: int = 0
    missing: tuple[str, ...] = ()
    untold: int = 0


def show(report: Report) -> Iterator[str]:
    for old, new in report.mappings.items():
        yield f"{report.counts[old]:>9,}  {show_path(old)} → {show_path(new)}"
    verb = "would be rewritten" if report.is_dry else "rewritten"
    yield f"{report.columns.total():>9,}  {verb} in all" + "".join(f"\n{n:>9,}    {name}" for name, n in report.columns.items())
    yield from _show_collisions(report.collisions)
    for left in report.left:
        yield f"left as it is: {left.count} in {left.column}, as {show_path(left.example)}: {_say_why(left)}"
    for name, value, new in report.settings:
        yield f"left as it is: Plex's setting {show_path(name)} is {show_path(value)}: set it to {show_path(new)} in Plex"
    if report.kept:
        yield f"what was there before: {report.kept} (plexguard-db-export undo)"
        yield from _show_check(report)


def _say_why(left: Left) -> str:
    if left.is_remade:
        return "Plex makes anew what belongs to it"
    return "only Plex's own SQLite can change it" if left.is_closed else "what it means to Plex is not known"


def _show_collisions(collisions: tuple[Collision, ...]) -> Iterator[str]:
    for one in collisions[:_SHOWN]:
        yield f"several become {show_path(one.path)}:" + "".join(f"\n  {show_path(source)}" for source in one.sources)
    if len(collisions) > _SHOWN:
        yield f"and {len(collisions) - _SHOWN} more paths that several become"


def _show_check(report: Report) -> Iterator[str]:
    if report.checked or report.untold:
        told = f", of {report.untold} it cannot be told" if report.untold else ""
        yield f"looked for {report.checked} of the files: {len(report.missing)} are not there{told}"
    for path in report.missing[:_SHOWN]:
        yield f"  {show_path(path)}"


def as_json(report: Report) -> dict[str, Any]:
    return {
        "mappings": [{"old": old, "new": new, "count": report.counts[old]} for old, new in report.mappings.items()],
        "rewritten": report.columns.total(),
        "columns": dict(report.columns),
        "left": encode(report.left),
        "collisions": encode(report.collisions),
        "settings": [{"name": name, "value": value, "new": new} for name, value, new in report.settings],
        "kept": report.kept or None,
        "dry_run": report.is_dry,
        "checked": report.checked,
        "missing": list(report.missing),
        "untold": report.untold,
    }
