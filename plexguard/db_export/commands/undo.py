"""`undo`: put back what was there before a restore, a repair or a remap."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plexguard.core import program
from plexguard.core.program import Ports
from plexguard.db_export.arguments import data_option, find_plex_data
from plexguard.db_export.config import Config

if TYPE_CHECKING:  # --help needs no more than names
    from plexguard.core.found import FoundPlex
    from plexguard.db_export.database.files import PlexData
    from plexguard.db_export.swap.generations import Generation


@click.command()
@click.argument("generation", type=click.IntRange(min=1), required=False)
@click.option("--list", "is_list", is_flag=True, help="List what can be put back.")
@click.option("--finish", is_flag=True, help="Only end a change that was cut off.")
@data_option
@program.format_option
@click.pass_obj
def undo(config_path: Path, generation: int | None, is_list: bool, finish: bool, data: Path | None, output: str) -> int:
    """Put back what was there before the last change."""
    config, ports = program.load_config(config_path, Config), program.open_ports(Config.SECTION)
    place, found = find_plex_data(data, config, ports)
    if is_list:
        return _list(place, output=output)
    if finish:
        return end(place, ports, output=output)
    return run(place, found, generation, config, ports, output=output)


def run(
    data: "PlexData", found: "FoundPlex | None", number: int | None, config: Config, ports: Ports, *, output: str = "text"
) -> int:
    older, kept = put_back(data, found, number, config, ports)
    if output == "json":
        click.echo(json.dumps({"undone": _describe(older), "kept": _describe(kept)}))
    else:
        made = f"{older.made:%Y-%m-%d %H:%M} UTC"
        click.echo(f"put back: what was there before the {older.reason} of {made}\nwhat was there until now: {kept.folder}")
    return 0


def put_back(
    data: "PlexData", found: "FoundPlex | None", number: int | None, config: Config, ports: Ports
) -> "tuple[Generation, Generation]":
    """Put back what was there, the newest where none is named, and tell it; return it, and what is kept now. Raises what undoing
    raises."""
    from plexguard.core.events import FilePath
    from plexguard.db_export.commands.begin import begin
    from plexguard.db_export.swap import events
    from plexguard.db_export.swap.replace import undo as exchange
    from plexguard.db_export.swap.stopped import prove_stopped

    with begin(data, ports):
        prove_stopped(data, found, manager=ports.manager, host=ports.host, clock=ports.clock)
        older, kept = exchange(data, number, keep=config.undo_keep, clock=ports.clock)
    made = f"{older.made:%Y-%m-%d %H:%M} UTC"
    ports.journal.send(events.UNDONE, reason=older.reason, made=made, path=FilePath(kept.folder))
    return older, kept


def end(data: "PlexData", ports: Ports, *, output: str = "text") -> int:
    """Complete or take back what was cut off, which every command that writes does first."""
    from plexguard.db_export.commands.begin import begin

    with begin(data, ports) as finished:
        pass
    outcome = "nothing was cut off" if finished is None else f"the {finished.reason} that was cut off was {finished.outcome}"
    click.echo(json.dumps({"outcome": finished.outcome if finished is not None else None}) if output == "json" else outcome)
    return 0


def _list(data: "PlexData", *, output: str) -> int:
    from plexguard.core.spans import show_bytes
    from plexguard.db_export.swap.generations import list_generations

    generations = list_generations(data)
    if output == "json":
        click.echo(json.dumps({"generations": [{**_describe(one), "bytes": one.size_bytes} for one in generations]}))
        return 0
    for one in generations:
        click.echo(
            f"{one.number:>4}  {one.made:%Y-%m-%d %H:%M}  before {one.reason:<8} {show_bytes(one.size_bytes):>7}  {one.folder}"
        )
    if not generations:
        click.echo("nothing to put back")
    return 0


def _describe(generation: "Generation") -> dict[str, object]:
    return {
        "number": generation.number,
        "made": generation.made.isoformat(),
        "reason": generation.reason,
        "folder": str(generation.folder),
    }
