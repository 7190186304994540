"""plexguard-cloud-run: arguments and wiring. Without a command it names the runs."""

from pathlib import Path
from typing import NoReturn

import click

from plexguard.cloud_run.commands import begin
from plexguard.cloud_run.commands.apply import apply
from plexguard.cloud_run.commands.ask_claim import ask_claim
from plexguard.cloud_run.commands.cost import cost
from plexguard.cloud_run.commands.destroy import destroy
from plexguard.cloud_run.commands.finish import finish
from plexguard.cloud_run.commands.hold import hold
from plexguard.cloud_run.commands.logs import logs
from plexguard.cloud_run.commands.orphans import orphans
from plexguard.cloud_run.commands.phase import phase, prepare, release
from plexguard.cloud_run.commands.plan import plan
from plexguard.cloud_run.commands.reaper import reaper
from plexguard.cloud_run.commands.resume import resume
from plexguard.cloud_run.commands.status import status, watch
from plexguard.cloud_run.commands.work import work
from plexguard.core import program

NAME = begin.NAME


@click.group(context_settings=program.CONTEXT, invoke_without_command=True, epilog="Manual: man plexguard-cloud-run")
@program.config_option
@program.version_option(NAME)
@click.pass_context
def cli(context: click.Context, config_path: Path) -> int:
    """Know what is rented, and leave nothing behind. Alone: name the runs."""
    from plexguard.cloud_run.life.runs import find_runs

    context.obj = config_path
    if context.invoked_subcommand:
        return 0
    begin.load(config_path)
    for name in find_runs():
        click.echo(name)
    return 0


# By name; each finds the path of the configuration in its context: @click.pass_obj.
cli.add_command(apply)
cli.add_command(ask_claim)
cli.add_command(cost)
cli.add_command(destroy)
cli.add_command(finish)
cli.add_command(hold)
cli.add_command(logs)
cli.add_command(orphans)
cli.add_command(phase)
cli.add_command(plan)
cli.add_command(prepare)
cli.add_command(reaper)
cli.add_command(release)
cli.add_command(resume)
cli.add_command(status)
cli.add_command(watch)
cli.add_command(work)


def main() -> NoReturn:
    program.launch(NAME, cli)


if __name__ == "__main__":
    main()
