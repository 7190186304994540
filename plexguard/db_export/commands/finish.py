"""`finish`: end every change that was cut off on this machine. What the service does at boot, before Plex starts."""

import json
from typing import TYPE_CHECKING

import click

from plexguard.core import program
from plexguard.core.program import FOUND_PROBLEMS, Ports
from plexguard.db_export.config import Config

if TYPE_CHECKING:  # --help needs no more than names
    from plexguard.db_export.apply.noted import Note
    from plexguard.db_export.database.files import PlexData


@click.command()
@program.format_option
def finish(output: str) -> int:
    """End all changes that were cut off."""
    # Nothing of the configuration counts here, and so no mistake in it leaves Plex without its library.
    return run(program.open_ports(Config.SECTION), output=output)


def run(ports: Ports, *, output: str = "text") -> int:
    """End what is noted, each folder for itself. A swap that is at work in another run is none that was cut off."""
    from functools import partial

    from plexguard.core.errors import PlexguardError
    from plexguard.core.events import FilePath
    from plexguard.db_export.apply.noted import list_noted as list_applies
    from plexguard.db_export.swap import events
    from plexguard.db_export.swap.noted import list_noted

    ended: dict[str, str | None] = {}
    steps = [(data, partial(_end, data, ports)) for data in list_noted(ports.journal)]
    # Which puts back files, once these are whole.
    steps += [(note.data, partial(take_back, note, ports)) for note in list_applies(ports.journal)]
    for data, end in steps:
        try:
            ended[str(data.folder)] = end()
        except PlexguardError as error:
            ended[str(data.folder)] = None
            hint = error.hint or "man plexguard-db-export"
            ports.journal.send(events.SWAP_UNFINISHED, path=FilePath(data.folder), reason=str(error), hint=hint)
    if output == "json":
        click.echo(json.dumps({"folders": [{"folder": folder, "outcome": outcome} for folder, outcome in ended.items()]}))
    elif ports.by_hand:
        lines = [f"{folder}: {outcome or 'not ended'}" for folder, outcome in ended.items()]
        click.echo("\n".join(lines) or "nothing was cut off")
    return FOUND_PROBLEMS if None in ended.values() else 0


def _end(data: "PlexData", ports: Ports) -> str:
    from plexguard.core.errors import MissingInput
    from plexguard.core.state import LockHeld
    from plexguard.db_export.commands.begin import begin

    if not data.databases.is_dir():
        raise MissingInput(
            f"{data.databases}: no such folder", hint="mount what it lies on; if it is gone for good, remove the note"
        )
    try:
        with begin(data, ports) as finished:
            return "nothing was cut off" if finished is None else f"the {finished.reason} was {finished.outcome}"
    except LockHeld:
        return "another run is at work there"


def take_back(note: "Note", ports: Ports) -> str:
    from plexguard.core.events import FilePath
    from plexguard.core.state import LockHeld
    from plexguard.db_export.apply import events
    from plexguard.db_export.apply.finish import finish as end
    from plexguard.db_export.commands.undo import put_back

    try:
        outcome = end(note, lambda now: put_back(now.data, None, now.generation, Config(), ports), ports)
    except LockHeld:
        return "another run is at work there"
    ports.journal.send(events.CUT_OFF, server=str(note.runner), path=FilePath(note.data.folder), outcome=outcome)
    return outcome
