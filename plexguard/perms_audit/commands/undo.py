"""`undo`: restore what a run changed."""

import contextlib

import click

from plexguard.core.events import show_path
from plexguard.core.guarded import Guarded
from plexguard.core.program import FOUND_PROBLEMS, Ports
from plexguard.perms_audit import events
from plexguard.perms_audit.runs import RunLog, read_run
from plexguard.perms_audit.state import find_state_folder
from plexguard.perms_audit.undo import Undone, undo


def run(run_id: str, ports: Ports, *, dry_run: bool, guarded: Guarded) -> int:
    folder = find_state_folder() / "runs"
    undone = read_run(folder, run_id)
    with contextlib.closing(RunLog(folder, "undo", ports.clock)) as runs:
        summary = undo(undone.changes, runs, ports.clock, dry_run=dry_run, guarded=guarded)
    for path, reason in summary.failed:
        click.echo(f"{show_path(path)}: {reason}", err=True)
    counts = {became: summary.counts[became] for became in Undone}
    click.echo(", ".join(f"{count} {became.value}" for became, count in counts.items() if count) or "nothing to do")
    if not dry_run:
        ports.journal.send(
            events.UNDONE,
            run=run_id,
            restored=counts[Undone.RESTORED],
            changed=counts[Undone.CHANGED],
            gone=counts[Undone.GONE],
            failed=counts[Undone.FAILED],
        )
    return FOUND_PROBLEMS if summary.failed else 0
