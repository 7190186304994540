"""plexguard-speed-test: arguments and wiring. Without a subcommand it makes a test, if one is due or asked for by hand."""

import json
import os
from datetime import tzinfo
from pathlib import Path
from typing import NoReturn

import click

from plexguard.core import program
from plexguard.core.errors import MissingInput
from plexguard.core.events import show_path
from plexguard.core.found import Server, read_container, read_plex
from plexguard.core.plex_config import PlexConfig
from plexguard.core.plex_http import HttpPlex
from plexguard.core.program import Ports
from plexguard.core.records import encode
from plexguard.core.spans import show_bytes
from plexguard.core.state import History, StateFile, exclusive_lock, make_folder, state_directory
from plexguard.core.token import read_token
from plexguard.core.viewers import read_paused
from plexguard.speed_test import act
from plexguard.speed_test.config import Config
from plexguard.speed_test.decide import Due, State, decide, find_due, settle
from plexguard.speed_test.observe import Observation, find_starter, observe
from plexguard.speed_test.result import Record, Result

NAME = "speed-test"
STATE_SCHEMA = 1
_KEPT_RECORDS = 1000


@click.group(context_settings=program.CONTEXT, invoke_without_command=True, epilog="Manual: man plexguard-speed-test")
@program.format_option
@program.config_option
@program.version_option(NAME)
@click.pass_context
def cli(context: click.Context, output: str, config_path: Path) -> int:
    """Measure the line once, when that disturbs nobody."""
    if context.invoked_subcommand:
        return 0
    config, plex_config = program.load_config(config_path, Config), program.load_config(config_path, PlexConfig)
    return _test(program.open_ports(NAME), config, plex_config, output=output)


@cli.command(name="list")
@program.format_option
def list_(output: str) -> int:
    """List the tests that were made."""
    records = _open_history().read()
    if output == "json":
        click.echo(json.dumps(encode(records), indent=1))
        return 0
    for record in records:
        said = _describe(record.result) if record.result else f"no result: {show_path(record.failure)}"
        click.echo(f"{record.time.astimezone():%Y-%m-%d %H:%M}  {said}")
    return 0


def _test(ports: Ports, config: Config, plex_config: PlexConfig, *, output: str) -> int:
    zone = _open_zone(config.time_zone)
    starter = find_starter(os.environ, ports.clock.monotonic_s(), by_hand=ports.by_hand)
    folder = state_directory(NAME)
    with exclusive_lock(make_folder(folder) / "lock"):
        state = StateFile(folder / "state.json", State, schema=STATE_SCHEMA, journal=ports.journal)
        past = state.load()
        due = find_due(config, zone, past or State(), ports.clock.now(), starter)
        seen = _look(ports, config, plex_config) if due.is_open else None
        plan = decide(due, seen, config, past or State())
        # What cannot be compared and kept is not measured either.
        before = _open_history().read() if plan.attempt else ()
        act.carry_out(plan, state=state, journal=ports.journal, past=past)
        if not plan.attempt:
            return plan.code
        return _measure(ports, config, due, plan.state, before, state=state, output=output)


def _look(ports: Ports, config: Config, plex_config: PlexConfig) -> Observation:
    found, token = read_plex(ports.journal), read_token()
    return observe(
        config,
        found,
        open_plex=lambda plex: HttpPlex(plex.url, token, owners=plex.owners),
        container=read_container(ports.journal) if found is not None and found.server is Server.CONTAINER else None,
        paused=read_paused(ports.journal),
        paused_limit=plex_config.paused_limit,
        now=ports.clock.moment(),
        has_token=token is not None,
    )


def _measure(
    ports: Ports, config: Config, due: Due, counted: State, before: tuple[Record, ...], *, state: StateFile[State], output: str
) -> int:
    began = ports.clock.now()
    outcome = act.make_test(config, ports.host, ports.clock)
    plan = settle(outcome, counted, before, config, ports.clock.moment(), due=due)
    result = outcome if isinstance(outcome, Result) else None
    record = Record(time=began, day=due.day, result=result, failure="" if isinstance(outcome, Result) else outcome.reason)
    act.keep(plan, record, state=state, history=_open_history(), journal=ports.journal)
    if output == "json":
        click.echo(json.dumps(encode(record), indent=1))
    elif result is not None and ports.by_hand:
        click.echo(_describe(result))
    return plan.code


def _describe(result: Result) -> str:
    used = f"  {show_bytes(result.data_bytes)} used" if result.data_bytes is not None else ""
    return (
        f"download {result.download_bit_per_s / 1e6:7.1f} Mbit/s  upload {result.upload_bit_per_s / 1e6:7.1f} Mbit/s  "
        f"ping {result.ping_ms:5.0f} ms  {show_path(result.server)}{used}"
    )


def _open_history() -> History[Record]:
    return History(state_directory(NAME) / "history.jsonl", Record, keep=_KEPT_RECORDS)


def _open_zone(name: str) -> tzinfo:
    """Return a time zone. One that is configured was found already; the default is not there without tzdata."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError as error:
        raise MissingInput(f"{name}: there is no such time zone on this machine", hint="apt-get install tzdata") from error


def main() -> NoReturn:
    program.launch(NAME, cli)


if __name__ == "__main__":
    main()
