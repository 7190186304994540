"""`apply`: put what a run has brought home in place of Plex's databases, here or on another machine. Its unit calls it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from plexguard.cloud_run.commands import begin
from plexguard.cloud_run.config import Apply
from plexguard.cloud_run.life.runs import check_name
from plexguard.core import program
from plexguard.core.program import Ports

if TYPE_CHECKING:  # --help needs none of it
    from plexguard.cloud_run.apply.target import Target

_LOOK_S = 60.0


@click.command()
@click.argument("name", metavar="NAME")
@click.pass_obj
def apply(config_path: Path, name: str) -> int:
    """Put what a run has brought home in place of Plex's databases."""
    section = program.load_config(config_path, Apply)
    return run(section, program.open_ports(begin.NAME), check_name(name))


def run(section: Apply, ports: Ports, name: str) -> int:
    from plexguard.cloud_run import events
    from plexguard.cloud_run.apply.target import open_target
    from plexguard.core.errors import PlexguardError
    from plexguard.core.notify import one_line

    def tell(line: str) -> None:
        ports.notifier.tell(f"STATUS={one_line(line)}")

    where = section.remote_host or "this machine"
    try:
        target = open_target(section, name, host=ports.host, clock=ports.clock, tell=tell)
        archive, server = find_result(ports, name)
        answer = insist(target, archive, section, server, ports, tell)
    except PlexguardError as error:
        hint = error.hint or f"journalctl -x -u plexguard-cloud-apply@{name}.service"
        ports.journal.send(events.APPLY_FAILED, run=name, target=where, reason=one_line(str(error)), hint=hint)
        return error.exit_code
    changes, kept = describe(answer)
    ports.journal.send(events.APPLIED, run=name, target=target.name, changes=changes, kept=kept)
    if ports.by_hand:
        click.echo(f"{target.name} has what {name} has brought home: {changes}\nwhat was there: {kept}")
    return 0


def find_result(ports: Ports, name: str) -> tuple[Path, str]:
    """Return the archive that the last run of a name has brought home, and the id of the server that it is for, "" where it began
    without a database. Raises TryAgain for a run that was not begun or goes on, and MissingInput."""
    from plexguard.cloud_run.commands.phase import open_book
    from plexguard.core.errors import MissingInput, TryAgain

    state = open_book(ports, name).state
    if state.ended is None:
        raise TryAgain(f"the run {name} goes on", hint=f"plexguard-cloud-run watch {name}")
    if not state.result or not Path(state.result).exists():
        raise MissingInput(
            f"the run {name} has brought nothing home that is still there: {state.result or 'it ended before that'}",
            hint=f"plexguard-cloud-run status {name}",
        )
    return Path(state.result), state.server


def insist(target: "Target", archive: Path, section: Apply, server: str, ports: Ports, tell: Callable[[str], object]) -> Any:
    """Apply an archive as soon as nobody is watching. Raises what applying raises, TryAgain when somebody is for too long."""
    from plexguard.core.errors import TryAgain

    arguments = [f"--min-present={section.min_present}", f"--most-loss={section.most_loss}"]
    arguments += ["--merge-watch-state"] if section.merge_watch_state else []
    arguments += [f"--server={server}"] if server else []
    arguments += [f"--url={section.remote_url}"] if section.target == "remote" and section.remote_url else []
    until_s = ports.clock.monotonic_s() + section.wait.total_seconds()
    while True:
        try:
            tell(f"applying {archive.name}")
            return target.apply(archive, section.mappings, arguments)
        except TryAgain as error:
            if ports.clock.monotonic_s() >= until_s:
                raise
            tell(f"waiting: {error}")
            ports.clock.sleep(_LOOK_S)


def describe(answer: Any) -> tuple[str, str]:
    """Return what became of each library, in a line, and where what was there is kept. Raises PeerError."""
    from plexguard.core.errors import PeerError

    try:
        rows = [(one["title"], one["before"] or 0, one["after"] or 0) for one in answer["libraries"]]
        changes = "; ".join(f"{title} {before:,} → {after:,} ({after - before:+,})" for title, before, after in rows)
        return changes or "no library", str(answer["generation"]["folder"])
    except (TypeError, KeyError, ValueError) as error:
        raise PeerError(f"plexguard-db-export apply: not as it writes it: {error}") from error
