"""plexguard-db-export: arguments and wiring. Without a command it lists the archives."""

from pathlib import Path
from typing import Any, NoReturn

import click

from plexguard.core import program
from plexguard.core.host import LocalHost
from plexguard.db_export.commands.apply import apply
from plexguard.db_export.commands.check import check
from plexguard.db_export.commands.count import count
from plexguard.db_export.commands.export import export
from plexguard.db_export.commands.files import files
from plexguard.db_export.commands.finish import finish
from plexguard.db_export.commands.list import list_
from plexguard.db_export.commands.paths import paths
from plexguard.db_export.commands.remap import remap
from plexguard.db_export.commands.repair import repair
from plexguard.db_export.commands.restore import restore
from plexguard.db_export.commands.suggest import suggest
from plexguard.db_export.commands.undo import undo
from plexguard.db_export.commands.verify import verify

NAME = "db-export"


class HereOrThere(click.Group):
    """A group whose commands run on the machine that --host names."""

    def invoke(self, ctx: click.Context) -> Any:
        if ctx.params["there"] is None:
            return super().invoke(ctx)
        from plexguard.db_export.remote.act import run_there

        arguments = (*ctx.protected_args, *ctx.args) or ("list",)
        return run_there(ctx.params["there"], NAME, self, arguments, LocalHost())


@click.group(
    cls=HereOrThere, context_settings=program.CONTEXT, invoke_without_command=True, epilog="Manual: man plexguard-db-export"
)
@click.option("--host", "there", metavar="[USER@]HOST", help="Run the command on that machine.")
@program.config_option
@program.version_option(NAME)
@click.pass_context
def cli(context: click.Context, config_path: Path, there: str | None) -> int:
    """Copy, check and mend Plex's database. Alone: list its archives."""
    context.obj = config_path
    if context.invoked_subcommand:
        return 0
    return int(context.invoke(list_) or 0)


# By name; each finds the path of the configuration in its context: @click.pass_obj.
cli.add_command(apply)
cli.add_command(check)
cli.add_command(count)
cli.add_command(export)
cli.add_command(files)
cli.add_command(finish)
cli.add_command(list_)
cli.add_command(paths)
cli.add_command(remap)
cli.add_command(repair)
cli.add_command(restore)
cli.add_command(restore, "inject")
cli.add_command(suggest)
cli.add_command(undo)
cli.add_command(verify)


def main() -> NoReturn:
    program.launch(NAME, cli)


if __name__ == "__main__":
    main()
