"""plexguard-status: arguments and wiring."""

import json
import os
from pathlib import Path
from typing import NoReturn

import click

from plexguard.core import config as core_config
from plexguard.core import program, suite
from plexguard.core.drop_ins import find_mistakes
from plexguard.core.errors import ConfigError, NoPermission
from plexguard.status.apply import act

NAME = "status"


@click.group(context_settings=program.CONTEXT, epilog="Manual: man plexguard-status")
@program.version_option(NAME)
def cli() -> None:
    """Check the configuration, and apply it."""


@cli.command("check-config")
@program.format_option
@program.config_option
def check_config(output: str, config_path: Path) -> int:
    """Tell every mistake in the configuration at once."""
    mistakes = find_mistakes(core_config.read(config_path, os.environ), program.open_ports(NAME).host)
    if output == "json":
        click.echo(json.dumps({"mistakes": mistakes}, indent=1))
    else:
        click.echo("\n".join(mistakes) if mistakes else f"{config_path}: no mistakes")
    return os.EX_CONFIG if mistakes else 0


@cli.command()
def apply() -> int:
    """Check the configuration, then make it hold (root)."""
    ports = program.open_ports(NAME)
    mistakes = find_mistakes(core_config.read(core_config.DEFAULT_PATH, os.environ), ports.host)
    if mistakes:
        raise ConfigError(mistakes)
    if os.geteuid() != 0:
        raise NoPermission("Failed to apply the configuration: only root may", hint="sudo plexguard-status apply")
    for line in act.apply(ports.manager, ports.clock, config_path=core_config.DEFAULT_PATH):
        click.echo(line)
    click.echo("applied")
    return 0


@cli.command("example-config")
def example_config() -> int:
    """Print every option with its help and default."""
    click.echo(core_config.render_example(suite.sections()), nl=False)
    return 0


def main() -> NoReturn:
    program.launch(NAME, cli)


if __name__ == "__main__":
    main()
