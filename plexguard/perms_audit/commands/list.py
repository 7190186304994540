"""`list`: the runs that changed something, or the changes of one."""

import json
from collections.abc import Iterator
from pathlib import Path

import click

from plexguard.core.errors import DataError, MissingInput
from plexguard.core.events import Mode, show_path
from plexguard.core.records import encode
from plexguard.perms_audit.config import Config
from plexguard.perms_audit.runs import Run, list_runs, read_run
from plexguard.perms_audit.state import find_state_folder


def run(run_id: str | None, *, output: str) -> int:
    return _list_changes(run_id, output=output) if run_id else _list_runs(output=output)


def _list_runs(*, output: str) -> int:
    folder = find_state_folder() / "runs"
    runs = list(_read_runs(folder))
    if output == "json":
        click.echo(json.dumps([{**encode(run.head), "changes": len(run.changes)} for run in runs], indent=1))
        return 0
    for run in runs:
        changes = run.changes
        example = f", such as {show_path(changes[0].full_path)}" if changes else ""
        click.echo(f"{run.head.run}  {run.head.by:<8}  {len(changes):>6} changes{example}")
    return 0


def _read_runs(folder: Path) -> Iterator[Run]:
    for run_id in list_runs(folder):
        try:
            yield read_run(folder, run_id)
        except (DataError, MissingInput) as error:
            # Cut off at its first line, or too old by now: the others are still wanted.
            click.echo(f"plexguard-{Config.SECTION}: {error}", err=True)


def _list_changes(run_id: str, *, output: str) -> int:
    changes = read_run(find_state_folder() / "runs", run_id).changes
    if output == "json":
        click.echo(json.dumps([{**encode(change), "path": change.full_path} for change in changes], indent=1))
        return 0
    for change in changes:
        owner = (
            "" if (change.old.uid, change.old.gid) == (change.new.uid, change.new.gid) else f" {change.old.uid}:{change.old.gid}"
        )
        click.echo(f"{Mode(change.old.mode)}{owner} -> {Mode(change.new.mode)}  {show_path(change.full_path)}")
    return 0
