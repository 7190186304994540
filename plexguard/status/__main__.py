"""plexguard-status: arguments and wiring."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import click

from plexguard.core import config as core_config
from plexguard.core import program, suite
from plexguard.core.drop_ins import find_mistakes
from plexguard.core.errors import ConfigError, NoPermission
from plexguard.core.found import read_plex
from plexguard.core.records import encode
from plexguard.core.state import state_directory
from plexguard.status.overview import Overview

NAME = "status"


@click.group(context_settings=program.CONTEXT, invoke_without_command=True, epilog="Manual: man plexguard-status")
@click.option(
    "--journal", "folder", metavar="DIR", type=click.Path(path_type=Path), help="Show the hosts whose journals are in it."
)
@click.option("--watch", is_flag=True, help="Show it again every 2 s, until Ctrl-C.")
@program.format_option
@program.config_option
@program.version_option(NAME)
@click.pass_context
def cli(context: click.Context, folder: Path | None, watch: bool, output: str, config_path: Path) -> int:
    """Show how everything is that is guarded, on one screen."""
    if context.invoked_subcommand:
        return 0
    # What only this needs is not loaded for the others.
    from plexguard.status import act
    from plexguard.status.show import render

    ports = program.open_ports(NAME)
    if folder is not None:
        if watch:
            raise click.UsageError("--watch shows this machine, and --journal others")
        return _show_hosts(folder, ports, output=output)
    take = _prepare(ports, config_path)
    if watch:
        return act.watch(take, ports.clock, output=output)
    overview = take()
    if output == "json":
        act.print_json(overview)
    else:
        act.print_lines(lambda width: render(overview, width=width))
    return act.judge(overview)


def _show_hosts(folder: Path, ports: program.Ports, *, output: str) -> int:
    from plexguard.status import act
    from plexguard.status.hosts.decide import decide
    from plexguard.status.hosts.observe import read_journals
    from plexguard.status.hosts.show import render

    view = decide(read_journals(folder, ports.clock), ports.clock.now())
    if output == "json":
        act.print_json(view)
    else:
        act.print_lines(lambda width: render(view, width=width))
    return act.exit_code(view.healthy, (host.state for host in view.hosts))


def _prepare(ports: program.Ports, config_path: Path) -> Callable[[], Overview]:
    """Return what takes an overview. The configuration is read once."""
    from plexguard.core.told import JournalEvents
    from plexguard.status.decide import decide
    from plexguard.status.observe import observe, read_limits, read_told

    limits, mistakes = read_limits(config_path, os.environ)

    def take() -> Overview:
        seen = observe(
            ports.manager,
            ports.clock,
            read_told=lambda: read_told(JournalEvents, ports.clock),
            limits=limits,
            mistakes=mistakes,
        )
        return decide(seen)

    return take


@cli.command()
@program.config_option
def serve(config_path: Path) -> int:
    """Answer over HTTP at a socket that systemd hands over."""
    from plexguard.core.notify import take_sockets
    from plexguard.core.told import JournalEvents
    from plexguard.status.config import Config
    from plexguard.status.server.index import Index
    from plexguard.status.server.serve import Service, Setting, find_names, serve_until_idle
    from plexguard.status.server.take import Taker

    ports, config, events = program.open_ports(NAME), program.load_config(config_path, Config), suite.events()
    setting = Setting(sockets=take_sockets(), names=find_names(config), idle=config.idle)
    index = Index(state_directory(NAME) / "index.sqlite", ports.journal)
    world = Taker(ports.manager, ports.clock, index, events, config_path=config_path).world()
    serve_until_idle(Service(setting, world, index, JournalEvents, events, journal=ports.journal, notifier=ports.notifier))
    return 0


@cli.command("check-config")
@program.format_option
@program.config_option
def check_config(output: str, config_path: Path) -> int:
    """Tell every mistake in the configuration at once."""
    from plexguard.status.check.decide import Report, decide
    from plexguard.status.check.observe import observe

    ports, settings = program.open_ports(NAME), core_config.read(config_path, os.environ)
    report = Report(mistakes=find_mistakes(settings, ports.host))
    if not report.mistakes:
        settings = core_config.read(config_path, os.environ)
        around = suite.look_around(settings, ports.host)
        report = decide(observe(settings, ports.manager, found=read_plex(ports.journal)), around)
    if output == "json":
        click.echo(json.dumps(encode(report), indent=1))
    else:
        said = (*report.mistakes, *report.faults) or (f"{config_path}: no mistakes",)
        click.echo("\n".join((*said, *(f"note: {note}" for note in report.notes))))
    if report.mistakes:
        return os.EX_CONFIG
    return program.FOUND_PROBLEMS if report.faults else 0


@cli.command()
def apply() -> int:
    """Check the configuration, then make it hold (root)."""
    from plexguard.status.apply import act as apply_act

    ports = program.open_ports(NAME)
    mistakes = find_mistakes(core_config.read(core_config.DEFAULT_PATH, os.environ), ports.host)
    if mistakes:
        raise ConfigError(mistakes)
    if os.geteuid() != 0:
        raise NoPermission("Failed to apply the configuration: only root may", hint="sudo plexguard-status apply")
    done = apply_act.apply(ports.manager, ports.clock, ports.journal, config_path=core_config.DEFAULT_PATH)
    for line in done.lines:
        click.echo(line)
    if done.refused:
        return 1
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
