"""`restore`: put an archive in place of Plex's databases. Also named `inject`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plexguard.core import program
from plexguard.core.program import Ports
from plexguard.db_export.arguments import data_option, find_plex_data
from plexguard.db_export.config import Config
from plexguard.db_export.remote.carried import Carried

if TYPE_CHECKING:  # --help needs no more than names
    from plexguard.core.found import FoundPlex
    from plexguard.db_export.database.files import PlexData
    from plexguard.db_export.restore.act import Restored, Wanted


@click.command()
@click.argument("archive", metavar="ARCHIVE", type=Carried(path_type=Path))
@click.option("--merge-watch-state", "merges", is_flag=True, help="Carry over what users did since then.")
@click.option("--newer-schema", is_flag=True, help="Also from a newer Plex than was here.")
@click.option("--other-machine", is_flag=True, help="Also from another server.")
@click.option("--with-identity", is_flag=True, help="Become the server that the archive is from.")
@data_option
@program.format_option
@click.pass_obj
def restore(
    config_path: Path,
    archive: Path,
    merges: bool,
    newer_schema: bool,
    other_machine: bool,
    with_identity: bool,
    data: Path | None,
    output: str,
) -> int:
    """Put an archive in place of Plex's databases."""
    from plexguard.db_export.restore.act import Wanted

    config, ports = program.load_config(config_path, Config), program.open_ports(Config.SECTION)
    place, found = find_plex_data(data, config, ports)
    wanted = Wanted(merge_watch_state=merges, newer_schema=newer_schema, other_machine=other_machine, with_identity=with_identity)
    return run(place, found, archive, wanted, config, ports, output=output)


def run(
    data: "PlexData", found: "FoundPlex | None", archive: Path, wanted: "Wanted", config: Config, ports: Ports, *, output: str
) -> int:
    from plexguard.core.events import FilePath
    from plexguard.db_export.commands.begin import begin
    from plexguard.db_export.progress_shown import shown
    from plexguard.db_export.restore import events
    from plexguard.db_export.restore.act import restore as put
    from plexguard.db_export.swap.stopped import prove_stopped

    with begin(data, ports):
        prove_stopped(data, found, manager=ports.manager, host=ports.host, clock=ports.clock)
        with shown(ports) as progress:
            restored = put(data, archive, wanted, keep=config.undo_keep, clock=ports.clock, progress=progress)
    merged = restored.merged
    ports.journal.send(
        events.RESTORED,
        archive=FilePath(archive),
        made=restored.made_text,
        path=FilePath(restored.generation.folder),
        settings=merged.changed + merged.added if merged is not None else 0,
        views=merged.views if merged is not None else 0,
    )
    click.echo(json.dumps(_encode(restored)) if output == "json" else _show(archive, restored))
    return 0


def _show(archive: Path, restored: "Restored") -> str:
    lines = [
        f"restored: {archive}, of {restored.made_text}: {', '.join(restored.parts)}",
        f"what was there: {restored.generation.folder}; to put it back: plexguard-db-export undo {restored.generation.number}",
    ]
    merged = restored.merged
    if merged is not None:
        lines.append(f"carried over: {merged.changed} states of items changed, {merged.added} added, {merged.views} views added")
    if merged is not None and merged.unknown:
        lines.append(f"left out: {merged.left} rows of accounts that the archive does not know: {', '.join(merged.unknown)}")
    if restored.damage:
        lines += [*restored.damage, "nothing is lost with these; they are mended by: plexguard-db-export repair"]
    return "\n".join(lines)


def _encode(restored: "Restored") -> dict[str, object]:
    merged = restored.merged
    return {
        "made": restored.made.isoformat() if restored.made is not None else None,
        "parts": list(restored.parts),
        "damage": list(restored.damage),
        "generation": {"number": restored.generation.number, "folder": str(restored.generation.folder)},
        "merged": None
        if merged is None
        else {
            "changed": merged.changed,
            "added": merged.added,
            "views": merged.views,
            "unknown_accounts": list(merged.unknown),
            "left": merged.left,
        },
    }
