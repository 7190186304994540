"""plexguard-proxy: arguments and wiring."""

import json
import os
import signal
from pathlib import Path
from typing import NoReturn

import click

from plexguard.core import program
from plexguard.core.config import DEFAULT_PATH
from plexguard.core.daemon import run_cycles
from plexguard.core.errors import ConfigError, NoPermission, PeerError
from plexguard.core.found import read_plex, url_of
from plexguard.core.program import Ports
from plexguard.core.published import PROBE, PROXY, ProxySeen
from plexguard.core.records import encode
from plexguard.core.state import RUNTIME_ROOT, StateFile, state_directory
from plexguard.core.token import read_token
from plexguard.proxy import act, events, prepare
from plexguard.proxy.config import Config
from plexguard.proxy.decide import Phase
from plexguard.proxy.observe import find_absent, open_plex
from plexguard.proxy.render.common import MAIN, SOCKET, Places
from plexguard.proxy.render.front import render_front
from plexguard.proxy.render.pictures import render_pictures
from plexguard.proxy.report import Shown, render
from plexguard.proxy.runtime import Gate, ProxyAway, RuntimeSocket

NAME = "proxy"
_PLACES = Places()
_BREAKER = "plexguard-proxy-breaker.service"
# Root's, as the folder is. There while an administrator wants the door shut; a reboot forgets it.
_DRAINED = RUNTIME_ROOT / "proxy-drained"
_OPEN = 1


@click.group(context_settings=program.CONTEXT, invoke_without_command=True, epilog="Manual: man plexguard-proxy")
@program.config_option
@program.version_option(NAME)
@click.pass_context
def cli(context: click.Context, config_path: Path) -> int:
    """Guard the front door to Plex. Without a command it shows how it is."""
    context.obj = config_path
    if context.invoked_subcommand:
        return 0
    return _show(config_path, "text")


@cli.command()
@click.option("--print", "shows", is_flag=True, help="Print what HAProxy is given.")
@click.pass_obj
def check(config_path: Path, shows: bool) -> int:
    """Have HAProxy read the configuration that is made for it."""
    ports, config = program.open_ports(NAME), program.load_config(config_path, Config)
    url = _find_url(config, ports)
    for folder, files in (
        (_PLACES.run, render_front(config, url, _PLACES)),
        (_PLACES.pictures, render_pictures(config, url, _PLACES)),
    ):
        prepare.check(files, ports.host, folder=Path(folder))
        if shows:
            click.echo("\n".join(f"# {folder}/{name}\n{text}" for name, text in files.items()))
    if shows:
        return 0
    click.echo("HAProxy takes the configuration")
    for address in find_absent(config.listen):
        click.echo(f"this machine does not have {address} now: the proxy answers there as soon as it has")
    return 0


@cli.command()
@program.format_option
@click.pass_obj
def show(config_path: Path, output: str) -> int:
    """Show the breaker, why it is open, and what has gone through."""
    return _show(config_path, output)


def _show(config_path: Path, output: str) -> int:
    ports = program.open_ports(NAME)
    try:
        config: Config | None = program.load_config(config_path, Config)
    except ConfigError:
        if config_path != DEFAULT_PATH:
            raise
        # Who looks in an outage is not turned away for a mistake that the running proxy may not even have.
        config = None
    gate, fault, may_ask = _ask_gate()
    shown = Shown(
        published=PROXY.read(),
        gate=gate,
        fault=fault,
        may_ask=may_ask,
        config=config,
        url=url_of(read_plex(ports.journal)),
        absent=find_absent(config.listen) if config is not None else (),
        now=ports.clock.now(),
    )
    if output == "json":
        published = shown.published or ProxySeen(phase="unknown")
        click.echo(json.dumps({**encode(published), "guarded": shown.is_guarded, "gate": encode(gate), "fault": fault}, indent=1))
    else:
        click.echo(render(shown))
    return 0 if shown.passes else _OPEN


def _ask_gate() -> tuple[Gate | None, str, bool]:
    """Return the gate, or why HAProxy could not be asked, and whether this user may ask."""
    try:
        return _runtime().look(), "", True
    except ProxyAway as error:
        return None, str(error), not isinstance(error.__cause__, PermissionError)
    except PeerError as error:
        return None, str(error), True


@cli.command()
def drain() -> int:
    """Let no new request through to Plex (root)."""
    _need_root("drain")
    act.drain(_runtime(), _DRAINED)
    click.echo("drained: callers are answered with 503 until plexguard-proxy ready")
    return 0


@cli.command()
def ready() -> int:
    """End what drain began (root)."""
    _need_root("ready")
    is_guarded = program.open_ports(NAME).manager.unit(_BREAKER).runs
    if act.let_go(_runtime(), _DRAINED, is_guarded=is_guarded):
        click.echo("let go: requests pass again after checks that are good")
    else:
        click.echo("it was not drained: nothing is changed")
    return 0


@cli.command(name="prepare", hidden=True)
@click.argument("process", type=click.Choice(["front", "pictures"]))
@click.option("--signal", "pid", type=click.IntRange(min=2), help="Have this master process read it anew.")
@click.option("--run", "runs", is_flag=True, help="Become HAProxy with it.")
@click.pass_obj
def prepare_(config_path: Path, process: str, pid: int | None, runs: bool) -> int:
    """Put the configuration of a process in place; its unit calls this."""
    ports = program.open_ports(NAME)
    config = program.load_config(config_path, Config)
    url = _find_url(config, ports)
    is_front = process == "front"
    files = render_front(config, url, _PLACES) if is_front else render_pictures(config, url, _PLACES)
    folder = Path(_PLACES.run if is_front else _PLACES.pictures)
    try:
        if pid is None:
            prepare.check_patiently(files, ports.host, ports.clock, folder=folder)
        else:
            prepare.check(files, ports.host, folder=folder)
        if is_front:
            prepare.check_free((*config.listen, *config.metrics_listen))
    except prepare.ConfigurationRefused as error:
        ports.journal.send(events.REFUSED, reason=str(error))
        return error.exit_code
    # The state of another Plex's server is of no use.
    if is_front and not (prepare.is_same_plex(files, folder) and prepare.keep_servers(folder)):
        now, published = ports.clock.moment(), PROXY.read()
        is_shut = published is not None and act.take_up(published, now).phase is not Phase.CLOSED
        prepare.make_servers(folder, url, is_shut=is_shut, is_drained=_DRAINED.exists())
    is_other = prepare.differs(files, folder)
    prepare.place(files, folder)
    # The front door loses nothing by it; the pictures would be forgotten.
    if pid is not None and (is_front or is_other):
        os.kill(pid, signal.SIGUSR2)
    if runs:
        # Quiet: it says each of its names at each stop and reload; what is wrong was found before.
        os.execv(prepare.HAPROXY, [prepare.HAPROXY, "-Ws", "-q", "-f", str(folder / MAIN)])  # noqa: S606  # a list, and HAProxy is this process from now on
    return 0


@cli.command(hidden=True)
@click.pass_obj
def breaker(config_path: Path) -> int:
    """Carry the breaker; its unit calls this."""
    ports, config = program.open_ports(NAME), program.load_config(config_path, Config)
    file = StateFile(state_directory(NAME) / "state.json", ProxySeen, schema=act.STATE_SCHEMA, journal=ports.journal)
    run_cycles(act.Breaker(config, ports, _open_world(ports), file).cycle, ports.notifier)
    return 0


@cli.command(hidden=True)
def release() -> int:
    """Leave the proxy to HAProxy's own checks; the breaker's unit calls this when it ends."""
    try:
        act.release(_runtime())
    except ProxyAway:
        # There is nothing to be left.
        return 0
    return 0


def _open_world(ports: Ports) -> act.World:
    token = read_token()
    return act.World(
        runtime=_runtime(),
        open_plex=lambda: open_plex(read_plex(ports.journal), token),
        read_probe=PROBE.read,
        is_drained=_DRAINED.exists,
        maps=_PLACES.run,
    )


def _find_url(config: Config, ports: Ports) -> str:
    """Return where Plex answers. Raises ConfigError where the door would be in its way."""
    found = read_plex(ports.journal)
    if clashes := prepare.find_clashes(config, found):
        raise ConfigError(clashes)
    return url_of(found)


def _runtime() -> RuntimeSocket:
    return RuntimeSocket(f"{_PLACES.run}/{SOCKET}")


def _need_root(command: str) -> None:
    if os.geteuid() != 0:
        raise NoPermission("Failed to set the proxy: only root may", hint=f"sudo plexguard-proxy {command}")


def main() -> NoReturn:
    program.launch(NAME, cli)


if __name__ == "__main__":
    main()
