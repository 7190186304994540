"""`files`: which files a library has, as the database knows them."""

import json
from pathlib import Path

import click

from plexguard.core import program
from plexguard.db_export.arguments import data_option
from plexguard.db_export.commands.which import open_which
from plexguard.db_export.config import Config


@click.command()
@click.argument("section", type=int)
@click.argument("db", metavar="[DB|ARCHIVE]", required=False, type=click.Path(path_type=Path))
@data_option
@program.format_option
@click.pass_obj
def files(config_path: Path, section: int, db: Path | None, data: Path | None, output: str) -> int:
    """List the files of a library, by its number."""
    from plexguard.core.events import show_path
    from plexguard.db_export.database.libraries import list_files

    config, ports = program.load_config(config_path, Config), program.open_ports(Config.SECTION)
    with open_which(db, data, config, ports) as which:
        found = list_files(which.library, section)
    if output == "json":
        click.echo(json.dumps({"files": found}))
    else:
        for path in found:
            click.echo(show_path(path))
    return 0
