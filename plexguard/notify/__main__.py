"""plexguard-notify: arguments and wiring."""

import contextlib
import json
import os
import random
from collections.abc import Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from typing import NoReturn
from zoneinfo import ZoneInfo

import click

from plexguard.core import program, suite
from plexguard.core.daemon import run_cycles
from plexguard.core.errors import NoPermission, UsageError
from plexguard.core.notify import take_connection
from plexguard.core.program import Ports
from plexguard.core.published import NOTIFY, PROBE
from plexguard.core.state import StateFile, exclusive_lock, make_folder, state_directory
from plexguard.core.told import JournalEvents
from plexguard.notify import alert as failures
from plexguard.notify import events, report, sendmail
from plexguard.notify.act import Engine
from plexguard.notify.channels import open_ping, open_sender
from plexguard.notify.config import Channel, Config
from plexguard.notify.credentials import read_credentials
from plexguard.notify.heartbeat import Ping, Signal
from plexguard.notify.message import SendError
from plexguard.notify.orders import CLEAR, RETRY, leave_order
from plexguard.notify.state import NothingConfigured
from plexguard.notify.worker import ForkedWorker
from plexguard.notify.works import World

NAME = "notify"
_MARK_SCHEMA = 1


@click.group(context_settings=program.CONTEXT, invoke_without_command=True, epilog="Manual: man plexguard-notify")
@program.config_option
@program.version_option(NAME)
@click.pass_context
def cli(context: click.Context, config_path: Path) -> int:
    """Deliver what plexguard tells: by mail, web hook, Airtable, Apprise."""
    context.obj = config_path
    return 0 if context.invoked_subcommand is not None else _follow(config_path)


def _follow(config_path: Path) -> int:
    ports = program.open_ports(NAME)
    config = program.load_config(config_path, Config)
    root = state_directory(NAME)
    _check_owner(root)
    told = StateFile(root / "no-channels.json", NothingConfigured, schema=_MARK_SCHEMA, journal=ports.journal)
    if not config.channel:
        ports.notifier.tell("READY=1", "STATUS=no channel is configured")
        if told.load() is None:
            ports.journal.send(events.NO_CHANNELS)
            told.save(NothingConfigured(since=ports.clock.now()))
        return 0
    with contextlib.suppress(OSError):
        told.path.unlink()
    engine = Engine(config, ports, _open_world(root, ports))
    # Two that write one queue would spoil it.
    with exclusive_lock(root / "lock"):
        try:
            run_cycles(engine.cycle, ports.notifier)
        finally:
            engine.close()
    return 0


def _check_owner(root: Path) -> None:
    """Raise NoPermission where the queue is another user's: what root wrote into it the service could not write any more."""
    if make_folder(root).stat().st_uid != os.geteuid():
        raise NoPermission(f"{root}: belongs to another user", hint="systemctl start plexguard-notify.service")


def _open_world(root: Path, ports: Ports) -> World:
    by_name = {event.name: event for event in suite.events()}
    return World(
        root=root,
        open_journal=JournalEvents,
        open_sender=lambda name, channel: open_sender(name, channel, read_credentials(name, channel), clock=ports.clock),
        send_ping=lambda name, channel, ping: _send_ping(ports, name, channel, ping),
        start=ForkedWorker,
        zone=_find_zone,
        jitter=random.SystemRandom().random,
        read_probe=PROBE.read,
        events=by_name,
    )


def _send_ping(ports: Ports, name: str, channel: Channel, ping: Ping) -> None:
    open_ping(name, channel, read_credentials(name, channel), clock=ports.clock).ping(ping)


def _find_zone(channel: Channel) -> tzinfo:
    """Return the zone of a channel's quiet hours, the machine's own where none is named."""
    if channel.quiet_zone:
        return ZoneInfo(channel.quiet_zone)
    try:
        with open("/etc/localtime", "rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError):
        return UTC


@cli.command()
@click.argument("channel", required=False)
@click.pass_context
def test(context: click.Context, channel: str | None) -> int:
    """Send a message as a trial, over one channel or all."""
    ports = program.open_ports(NAME)
    chosen = _choose(program.load_config(context.obj, Config), channel)
    if not chosen:
        click.echo("no channel is configured (man plexguard-notify)")
        return program.FOUND_PROBLEMS
    failed = False
    for name, one in chosen.items():
        try:
            if one.kind == "ping":
                _send_ping(ports, name, one, Ping(signal=Signal.SUCCESS))
            else:
                sender = open_sender(name, one, read_credentials(name, one), clock=ports.clock)
                sender.send([report.make_trial(name, os.uname().nodename, ports.clock.now())])
        except SendError as error:
            failed = True
            click.echo(f"{name}: failed: {error}" + (f" (try: {error.hint})" if error.hint else ""))
        else:
            click.echo(f"{name}: taken")
    return program.FOUND_PROBLEMS if failed else 0


def _choose(config: Config, name: str | None) -> Mapping[str, Channel]:
    if name is None:
        return config.channel
    if name not in config.channel:
        known = ", ".join(config.channel) or "none"
        raise UsageError(f"channel {name}: there is none of that name, there are: {known}", hint="man plexguard-notify")
    return {name: config.channel[name]}


@cli.group()
def queue() -> None:
    """What is waiting to be delivered."""


@queue.command("list")
@program.format_option
def list_queue(output: str) -> int:
    """Show what is waiting for each channel, and why."""
    seen = NOTIFY.read()
    if output == "json":
        click.echo(json.dumps(report.as_json(seen), indent=1))
        return 0
    waiting = report.read_waiting(state_directory(NAME)) if os.geteuid() == 0 else ()
    for line in report.render(seen, waiting):
        click.echo(line)
    return 0


@queue.command()
@click.argument("channel", required=False)
@click.pass_context
def clear(context: click.Context, channel: str | None) -> int:
    """Forget what is waiting for one channel or all (root)."""
    return _order(context, CLEAR, channel, "will be forgotten")


@queue.command()
@click.argument("channel", required=False)
@click.pass_context
def retry(context: click.Context, channel: str | None) -> int:
    """Try at once again, one channel or all (root)."""
    return _order(context, RETRY, channel, "will be tried")


def _order(context: click.Context, what: str, channel: str | None, promise: str) -> int:
    for name in _choose(program.load_config(context.obj, Config), channel):
        leave_order(state_directory(NAME), what, name)
        click.echo(f"{name}: {promise} within seconds, if the service runs")
    return 0


@cli.command()
@click.option("--restarted", is_flag=True, help="Only if it failed and is started again (for ExecStopPost=).")
@click.argument("unit")
def alert(restarted: bool, unit: str) -> int:
    """Tell that a unit failed, as OnFailure= of all units has it."""
    ports = program.open_ports(NAME)
    if not failures.UNIT_NAME.fullmatch(unit):
        raise UsageError(f"{unit!r}: no name of a unit")
    if restarted and not failures.is_restarted(os.environ):
        return 0
    lines = failures.read_last_lines(os.environ.get("MONITOR_INVOCATION_ID", os.environ.get("INVOCATION_ID", "")))
    ports.journal.send(events.UNIT_FAILED, **failures.describe_failure(unit, os.environ, ports.manager, lines))
    return 0


@cli.command("sendmail", hidden=True)
@click.pass_context
def run_sendmail(context: click.Context) -> int:
    """Run sendmail for one message from the socket, as plexguard-mail@.service has it."""
    config = program.load_config(context.obj, Config)
    with take_connection() as connection:
        sendmail.serve(connection, config.sendmail)
    return 0


def main() -> NoReturn:
    program.launch(NAME, cli)


if __name__ == "__main__":
    main()
