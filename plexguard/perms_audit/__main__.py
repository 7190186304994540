"""plexguard-perms-audit: arguments and wiring. Without a subcommand it audits; `guard` and `answer` are its services."""

import dataclasses
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from plexguard.core import program
from plexguard.core.guarded import read_guarded
from plexguard.core.options import options
from plexguard.perms_audit.config import Config

F = TypeVar("F", bound=Callable[..., Any])
NAME = "perms-audit"


class KindParameter(click.ParamType):
    """A command line value that follows the same rules as the option of the same name in the configuration."""

    def __init__(self, option: str) -> None:
        self._kind = options(Config)[option][0].kind
        self.name = option

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        if not isinstance(value, str):
            return value
        try:
            return self._kind.parse(self._kind.from_environment(value))
        except ValueError:
            self.fail(f"found {value!r}, allowed is {self._kind.allowed}", param, ctx)


class AuditOrCommand(click.Group):
    """A group that audits where no command is named: what does not begin with one is options and roots."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] in self.commands:
            return super().parse_args(ctx, args)
        ctx.allow_interspersed_args = True
        return click.Command.parse_args(self, ctx, args)


def identity_options(command: F) -> F:
    """Add the options that say as whom to look."""
    options = (
        click.option("--as-user", type=KindParameter("as_user"), metavar="NAME", help="Look as this user, not as Plex's."),
        click.option("--as-uid", type=KindParameter("as_uid"), metavar="UID", help="The same by number."),
        click.option("--as-gid", type=KindParameter("as_gid"), metavar="GID", help="The group that goes with it."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group(
    cls=AuditOrCommand,
    context_settings=program.CONTEXT,
    invoke_without_command=True,
    subcommand_metavar="[ROOT]... | COMMAND [ARGS]...",
    epilog="Manual: man plexguard-perms-audit",
)
@click.option("--check", is_flag=True, help="Stop at the first unreadable path, print it, exit 1.")
@click.option("--dry-run", is_flag=True, help="Report what would be repaired; change nothing.")
@click.option("--recent", is_flag=True, help="Only files changed within changed_within (4h).")
@click.option("--changed-within", type=KindParameter("changed_within"), metavar="SPAN", help="Only files changed within SPAN.")
@click.option("--policy", type=KindParameter("policy"), metavar="POLICY", help="add: what lacks. exact: as configured.")
@click.option("--file-mode", type=KindParameter("file_mode"), metavar="MODE", help="Mode for files (0644).")
@click.option("--dir-mode", type=KindParameter("dir_mode"), metavar="MODE", help="Mode for folders (0755).")
@identity_options
@click.option("--within-roots", is_flag=True, help="Refuse a ROOT that lies below no known root.")
@program.format_option
@program.config_option
@program.version_option(NAME)
@click.pass_context
def cli(context: click.Context, check: bool, recent: bool, within_roots: bool, output: str, config_path: Path, **given: Any) -> int:
    """Find media that Plex cannot read, and repair them."""
    if context.invoked_subcommand:
        return 0
    # What one command needs, the others do not: a guard stays small for months.
    from plexguard.perms_audit.commands import audit as command

    ports = program.open_ports(NAME)
    config = _load(config_path, given)
    # MTIME_HOURS limits every run, as it did in the scripts that came before.
    recent = recent or given["changed_within"] is not None or bool(os.environ.get("MTIME_HOURS"))
    return command.run(
        tuple(context.args),
        config,
        ports,
        guarded=read_guarded(config_path, ports.clock.moment()),
        check=check,
        recent=recent,
        within_roots=within_roots,
        output=output,
    )


@cli.command("list")
@click.argument("run", required=False, metavar="[RUN]")
@program.format_option
def list_(run: str | None, output: str) -> int:
    """List the runs that changed something, or the changes of one."""
    from plexguard.perms_audit.commands import list as command

    return command.run(run, output=output)


@cli.command()
@click.argument("run", metavar="RUN")
@click.option("--dry-run", is_flag=True, help="Report what would be restored; change nothing.")
@program.config_option
def undo(run: str, dry_run: bool, config_path: Path) -> int:
    """Restore what a run changed, where nobody changed it since."""
    from plexguard.perms_audit.commands import undo as command

    ports = program.open_ports(NAME)
    return command.run(run, ports, dry_run=dry_run, guarded=read_guarded(config_path, ports.clock.moment()))


@cli.command()
@click.argument("path", metavar="PATH")
@identity_options
@program.config_option
def explain(path: str, config_path: Path, **given: Any) -> int:
    """Say whether Plex can read PATH, and what is in the way."""
    from plexguard.perms_audit.commands import explain as command

    config, ports = _load(config_path, given), program.open_ports(NAME)
    return command.run(path, config, ports, guarded=read_guarded(config_path, ports.clock.moment()))


@cli.command()
@program.config_option
def guard(config_path: Path) -> int:
    """Repair what changes as it changes (a service)."""
    from plexguard.perms_audit.commands import guard as command

    config = program.load_config(config_path, Config)
    return command.run(config, program.open_ports(NAME), read_guarded=functools.partial(read_guarded, config_path))


@cli.command()
@program.config_option
def answer(config_path: Path) -> int:
    """Answer requests that come through the socket (a service)."""
    from plexguard.perms_audit.commands import answer as command

    config = program.load_config(config_path, Config)
    return command.run(config, program.open_ports(NAME), read_guarded=functools.partial(read_guarded, config_path))


def _load(config_path: Path, given: dict[str, Any]) -> Config:
    """Return the configuration with what the command line says instead."""
    config = program.load_config(config_path, Config)
    if given.get("as_uid") is not None:
        config = dataclasses.replace(config, as_user="")
    # A flag that was not given says nothing; the number 0 does.
    return dataclasses.replace(config, **{name: value for name, value in given.items() if value is not None and value is not False})


def main() -> NoReturn:
    program.launch(NAME, cli)


if __name__ == "__main__":
    main()
