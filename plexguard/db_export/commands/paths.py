"""`paths`: whether the files are there that Plex's database knows."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plexguard.core import program
from plexguard.core.program import FOUND_PROBLEMS
from plexguard.db_export.arguments import data_option
from plexguard.db_export.commands.which import Which, listing_options, open_which, take_listing
from plexguard.db_export.config import Config
from plexguard.db_export.remote.carried import Carried

if TYPE_CHECKING:  # --help needs no more than names
    from plexguard.db_export.paths.listing import Listing
    from plexguard.db_export.paths.survey import Seen

_LOOK_S = 60.0


@click.command()
@click.argument("db", metavar="[DB|ARCHIVE]", required=False, type=click.Path(path_type=Path))
@click.option("--all", "every", is_flag=True, help="Look for all files, however long it takes.")
@click.option("--mappings", metavar="FILE", type=Carried(path_type=Path), help="Look where these would have the files.")
@listing_options
@data_option
@program.format_option
@click.pass_obj
def paths(
    config_path: Path,
    db: Path | None,
    every: bool,
    mappings: Path | None,
    listing: Path | None,
    below: str,
    data: Path | None,
    output: str,
) -> int:
    """Tell how many of the database's files are there."""
    from plexguard.db_export.commands.remap import read_mappings
    from plexguard.db_export.paths.report import as_json, show

    config, ports = program.load_config(config_path, Config), program.open_ports(Config.SECTION)
    pairs, listed = read_mappings(mappings) if mappings is not None else {}, take_listing(listing, below)
    with open_which(db, data, config, ports) as which:
        found = look(which, pairs, listed, within_s=None if every else _LOOK_S)
    if output == "json":
        click.echo(json.dumps(as_json(found)))
    else:
        for line in show(found):
            click.echo(line)
    return FOUND_PROBLEMS if any(seen.missing_count or seen.untold_count for seen in found) else 0


def look(which: Which, mappings: dict[str, str], listing: "Listing | None", *, within_s: float | None) -> "tuple[Seen, ...]":
    from plexguard.core.mounts import read_fstab, read_mounts
    from plexguard.db_export.database.look import look as look_into
    from plexguard.db_export.paths.listing import survey_listing
    from plexguard.db_export.paths.observe import move_library, read_library
    from plexguard.db_export.paths.survey import World, survey
    from plexguard.db_export.remap.decide import Mover

    library = look_into(which.library, read_library)
    if mappings:
        library = move_library(library, Mover(mappings))
    if listing is not None:
        return survey_listing(library.files, listing)
    world = World(find_here=which.find_here, mounts=read_mounts(), fstab=read_fstab())
    return survey(library.files, world, within_s=within_s)
