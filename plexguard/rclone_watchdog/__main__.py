"""plexguard-rclone-watchdog: arguments and wiring."""

from pathlib import Path
from typing import NoReturn

import click

from plexguard.core import program
from plexguard.core.plex_config import PlexConfig
from plexguard.rclone_watchdog.commands.mount import clear_, mount
from plexguard.rclone_watchdog.commands.watch import accept, find_mount, watch
from plexguard.rclone_watchdog.config import Config, Rclone

NAME = "rclone-watchdog"


@click.group(context_settings=program.CONTEXT, invoke_without_command=True, epilog="Manual: man plexguard-rclone-watchdog")
@program.config_option
@program.version_option(NAME)
@click.pass_context
def cli(context: click.Context, config_path: Path) -> int:
    """Prove that mounts are alive. Without a command it names them."""
    context.obj = config_path
    if context.invoked_subcommand:
        return 0
    for name, named in program.load_config(config_path, Rclone).mount.items():
        click.echo(f"{name}: {named.remote or 'made by others'} at {named.mount_point}")
    return 0


cli.add_command(watch)
cli.add_command(accept)
cli.add_command(mount)
cli.add_command(clear_)


@cli.command()
@click.argument("path", metavar="PATH")
@program.format_option
@click.pass_obj
def probe(config_path: Path, path: str, output: str) -> int:
    """Look at a mount once, whoever has made it."""
    from plexguard.rclone_watchdog.commands import probe as command  # what a watchdog need not load

    config = program.load_config(config_path, Config)
    return command.run(path, program.load_config(config_path, Rclone).mount, config, program.open_ports(NAME), output=output)


@cli.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.pass_obj
def release(config_path: Path, names: tuple[str, ...]) -> int:
    """Put Plex's settings back, though a mount is not proven (root)."""
    from plexguard.rclone_watchdog.commands import release as command

    return command.run(names, program.load_config(config_path, Rclone).mount, program.open_ports(NAME))


@cli.command(name="trash")
@click.option("--dry-run", is_flag=True, help="Look and tell, change nothing.")
@click.option("--history", is_flag=True, help="List what was emptied before.")
@program.format_option
@click.pass_obj
def trash_(config_path: Path, dry_run: bool, history: bool, output: str) -> int:
    """Empty Plex's trash, where what is missing is gone."""
    from plexguard.rclone_watchdog.commands import trash as command

    if history:
        return command.list_emptied(output=output)
    return command.run(program.open_ports(NAME), config_path, dry_run=dry_run, output=output)


@cli.command(hidden=True)
@click.argument("name")
@click.pass_obj
def cover(config_path: Path, name: str) -> int:
    """Cover a mount point, or not; the watchdog asks for it (root)."""
    from plexguard.rclone_watchdog.commands import cover as command

    return command.run(name, find_mount(config_path, name), program.open_ports(NAME))


@cli.command(hidden=True)
@click.argument("name")
@click.pass_obj
def inside(config_path: Path, name: str) -> int:
    """Look at a mount through Plex's container; the watchdog asks for it (root)."""
    from plexguard.rclone_watchdog.commands import inside as command

    mount = find_mount(config_path, name)
    return command.run(name, mount, program.load_config(config_path, PlexConfig), program.open_ports(NAME))


def main() -> NoReturn:
    program.launch(NAME, cli)


if __name__ == "__main__":
    main()
