"""What a repair found and did, for people and programs. Pure."""

from collections.abc import Iterator
from typing import Any

from plexguard.core.events import show_path
from plexguard.db_export.repair.act import Repaired, refused
from plexguard.db_export.repair.decide import Loss, needs_mending
from plexguard.db_export.repair.ladder import Climb, Tried

_SHOWN = 10


def show(done: Repaired, *, max_loss: float) -> Iterator[str]:
    """Yield the lines for people."""
    for climb in done.climbs:
        yield from _show_climb(climb, max_loss=max_loss)
    for name in done.with_snapshot:
        yield f"{name}: from the same archive, since its rows belong to the library's"
    if done.is_sound:
        return
    if done.generation is not None:
        yield f"Put in place. What was there before: {show_path(str(done.generation.folder))}"
        yield f"  to have it back: plexguard-db-export undo {done.generation.number}"
    elif done.dry_run and not done.failed:
        yield "Dry run: nothing was put in place"
    else:
        yield "Nothing was put in place: Plex's files are as they were"
    if done.to_do:
        yield "Left to do, for its search or sorting: see TROUBLESHOOTING in man plexguard-db-export"


def _show_climb(climb: Climb, *, max_loss: float) -> Iterator[str]:
    if climb.is_sound:
        yield f"{climb.database}: sound, nothing to do"
        return
    wrong = [finding for finding in climb.findings if needs_mending(finding)]
    yield f"{climb.database}: {len(wrong)} findings"
    for finding in wrong[:_SHOWN]:
        yield (
            f"  {finding.kind.value}: {finding.table}: {finding.detail}"
            if finding.table
            else (f"  {finding.kind.value}: {finding.detail}")
        )
    if len(wrong) > _SHOWN:
        yield f"  and {len(wrong) - _SHOWN} more"
    if climb.unreadable_bytes:
        yield f"  the disk could not read {climb.unreadable_bytes:,} bytes of it: see journalctl -k"
    for tried in climb.tried:
        yield f"  {_name(tried)}: {_say(tried, climb, max_loss=max_loss)}"
        if tried.aside:
            yield f"    {tried.aside:,} entries that it found belong to no table"
        for loss in tried.losses[:_SHOWN]:
            yield f"    {_show_loss(loss)}"


def _name(tried: Tried) -> str:
    return f"{tried.rung.value} {show_path(tried.archive)}" if tried.archive else tried.rung.value


def _say(tried: Tried, climb: Climb, *, max_loss: float) -> str:
    if tried.failed:
        return f"failed: {show_path(tried.failed)}"
    kept = f"passes the check, {sum(tried.kept.values()):,} rows kept, {tried.lost:,} lost"
    if climb.taken is tried:
        return f"{kept}: taken"
    return f"{kept}: too much, the limit is {max_loss:.1%} of a table" if refused(climb, max_loss=max_loss) else kept


def _show_loss(loss: Loss) -> str:
    made_again = ", which is made again from others" if loss.is_derived else ""
    return f"{loss.table}: {loss.kept:,} of {loss.best:,} rows, {loss.rows:,} lost ({loss.share:.2%}){made_again}"


def say_losses(tried: Tried) -> str:
    """Return the losses on one line."""
    found = [f"{loss.table} {loss.rows}" for loss in tried.losses if not loss.is_derived]
    return ", ".join(found[:_SHOWN]) + (f" and {len(found) - _SHOWN} more tables" if len(found) > _SHOWN else "") or "none"


def say_failure(climb: Climb, *, max_loss: float) -> str:
    """Return why nothing was good enough, on one line."""
    losses = refused(climb, max_loss=max_loss)
    if climb.best is not None and losses:
        what = f"{_name(climb.best)} would lose {losses[0].rows} of {losses[0].best} rows of {losses[0].table}"
        return f"{what}{f' and of {len(losses) - 1} more tables' if len(losses) > 1 else ''}, the limit is {max_loss:.1%}"
    failed = [f"{_name(tried)}: {tried.failed}" for tried in climb.tried if tried.failed]
    return "; ".join(failed) or "there is no archive"


def encode_repaired(done: Repaired) -> dict[str, Any]:
    return {
        "sound": done.is_sound,
        "dry_run": done.dry_run,
        "before": str(done.generation.folder) if done.generation is not None else None,
        "generation": done.generation.number if done.generation is not None else None,
        "lost": done.lost,
        "with_snapshot": list(done.with_snapshot),
        "left_to_do": [{"database": database, "sql": sql} for database, sql in done.to_do],
        "databases": [_encode_climb(climb) for climb in done.climbs],
    }


def _encode_climb(climb: Climb) -> dict[str, Any]:
    return {
        "database": climb.database,
        "findings": [
            {"kind": f.kind.value, "severity": f.severity.value, "table": f.table, "detail": f.detail} for f in climb.findings
        ],
        "unreadable_bytes": climb.unreadable_bytes,
        "taken": climb.taken.rung.value if climb.taken is not None else None,
        "tried": [
            {
                "rung": tried.rung.value,
                "archive": tried.archive or None,
                "failed": tried.failed or None,
                "belong_nowhere": tried.aside,
                "kept": dict(tried.kept),
                "lost": tried.lost,
                "losses": [
                    {"table": loss.table, "best": loss.best, "kept": loss.kept, "derived": loss.is_derived} for loss in tried.losses
                ],
            }
            for tried in climb.tried
        ],
    }
