"""plexguard-db-export: arguments and wiring. Without a command it lists the archives."""

from pathlib import Path
from typing import NoReturn

import click

from plexguard.core import program
from plexguard.db_export.commands.list import list_
from plexguard.db_export.commands.repair import repair

NAME = "db-export"


@click.group(context_settings=program.CONTEXT, invoke_without_command=True, epilog="Manual: man plexguard-db-export")
@program.config_option
@program.version_option(NAME)
@click.pass_context
def cli(context: click.Context, config_path: Path) -> int:
    """Copy, check and mend Plex's database. Alone: list its archives."""
    context.obj = config_path
    if context.invoked_subcommand:
        return 0
    return int(context.invoke(list_) or 0)


# By name; each finds the path of the configuration in its context: @click.pass_obj.
cli.add_command(list_)
cli.add_command(repair)


def main() -> NoReturn:
    program.launch(NAME, cli)


if __name__ == "__main__":
    main()
