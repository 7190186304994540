"""plexguard-plex-probe: arguments and wiring. Without a subcommand it checks once; `restart` is the root side."""

import dataclasses
import json
import os
from pathlib import Path
from typing import NoReturn

import click

from plexguard.core import program
from plexguard.core.found import DEFAULT_URL, FoundContainer, FoundPlex, Server, read_container, read_plex
from plexguard.core.journal import Journal
from plexguard.core.notify import one_line
from plexguard.core.plex import HttpPlex
from plexguard.core.plex_config import PlexConfig
from plexguard.core.program import FOUND_PROBLEMS, Ports
from plexguard.core.records import encode
from plexguard.core.state import StateFile, state_directory
from plexguard.core.token import read_token
from plexguard.core.unreadable import count_asking, open_record
from plexguard.plex_probe import act, events
from plexguard.plex_probe.config import Config
from plexguard.plex_probe.decide import State, Verdict, decide
from plexguard.plex_probe.observe import observe

NAME = "plex-probe"
STATE_SCHEMA = 1
RESTART_STATE = "plex-restart"
PROBE_UNIT = "plexguard-plex-probe.service"
_NOT_FOUND = FoundPlex(server=Server.NONE, missing="plexguard-discover has not run yet")
# Verdicts that are no problem to be found: Plex is well, or meant to be away.
_WELL = (Verdict.HEALTHY, Verdict.MAINTENANCE, Verdict.STARTING, Verdict.STOPPED)


@click.group(context_settings=program.CONTEXT, invoke_without_command=True, epilog="Manual: man plexguard-plex-probe")
@program.format_option
@program.config_option
@program.version_option(NAME)
@click.pass_context
def cli(context: click.Context, output: str, config_path: Path) -> int:
    """Check Plex once; ask for a restart if it is certainly down."""
    ports = program.open_ports(NAME)
    context.obj = (ports, config_path)
    return 0 if context.invoked_subcommand else _check(ports, program.load_config(config_path, Config), output=output)


@cli.command()
@click.pass_context
def restart(context: click.Context) -> int:
    """Restart Plex, if that is right and within the budget (root)."""
    ports, config_path = context.obj
    return _restart(ports, program.load_config(config_path, Config), program.load_config(config_path, PlexConfig))


def _check(ports: Ports, config: Config, *, output: str) -> int:
    state = StateFile(state_directory(NAME) / "state.json", State, schema=STATE_SCHEMA, journal=ports.journal)
    past = state.load() or State()
    found = read_plex(ports.journal) or _NOT_FOUND
    # A person without the unit's rights may look, and nothing is kept or done.
    may_act = not ports.by_hand or os.access(state.path.parent, os.W_OK)
    if found.server is Server.NONE:
        if ports.by_hand or not past.told_no_server:
            ports.journal.send(events.NO_SERVER, reason=found.missing)
        if may_act and not past.told_no_server:
            # An outage that is open stays open: the server may only be unknown for a moment.
            state.save(dataclasses.replace(past, told_no_server=True))
        return os.EX_UNAVAILABLE
    token = read_token()
    began = ports.clock.moment()
    seen = observe(
        HttpPlex(found.url, token, owners=found.owners),
        found,
        manager=ports.manager,
        container=_read_container(found, ports.journal),
        clock=ports.clock,
        config=config,
        has_token=token is not None,
    )
    plan = decide(seen, config, past, began, ports.clock.moment())
    if may_act:
        act.carry_out(plan, state=state, journal=ports.journal, manager=ports.manager)
    ports.notifier.tell(f"STATUS={one_line(_describe(plan.state))}")
    if output == "json":
        click.echo(json.dumps(encode(plan.state), indent=1))
    elif ports.by_hand:
        click.echo(_describe(plan.state))
    return 0 if plan.state.verdict in _WELL else FOUND_PROBLEMS


def _describe(state: State) -> str:
    """Return the last check as one line, for `systemctl status` and for a terminal."""
    took = [
        f"{name} {seconds * 1000:.0f} ms"
        for name, seconds in (("identity", state.identity_s), ("libraries", state.libraries_s))
        if seconds is not None
    ]
    details = ", ".join([*took, *([state.detail] if state.detail else [])])
    return " ".join(["Plex", state.version]).strip() + f": {state.verdict.value}" + (f" ({details})" if details else "")


def _restart(ports: Ports, config: Config, plex_config: PlexConfig) -> int:
    from plexguard.plex_probe.restart import act as restart_act  # what a check does not need
    from plexguard.plex_probe.restart.decide import Budget, Refuse, decide
    from plexguard.plex_probe.restart.observe import observe

    budget_file = StateFile(state_directory(RESTART_STATE) / "state.json", Budget, schema=STATE_SCHEMA, journal=ports.journal)
    budget = budget_file.load() or Budget()
    found = read_plex(ports.journal) or _NOT_FOUND
    plex = HttpPlex(found.url or DEFAULT_URL, None)
    container = _read_container(found, ports.journal)
    now = ports.clock.moment()
    seen = observe(
        plex,
        found,
        manager=ports.manager,
        container=container,
        clock=ports.clock,
        config=config,
        paused_limit=plex_config.paused_limit,
        unreadable=count_asking(open_record(ports.journal), now),
        open_with_token=lambda: HttpPlex(found.url, read_token(), owners=found.owners),
    )
    step = decide(seen, config, budget, now)
    if isinstance(step, Refuse):
        ports.journal.send(events.RESTART_REFUSED, reason=step.reason)
        return os.EX_TEMPFAIL if step.passing else os.EX_UNAVAILABLE
    # Counted before anything is done: a restart that could not be counted must not happen.
    budget_file.save(step.budget)
    ports.journal.send(
        events.RESTARTING,
        server=step.name,
        reason=step.reason,
        in_day=step.budget.in_day(now),
        limit=config.max_restarts_per_day,
    )
    answers = restart_act.carry_out(
        step, plex=plex, manager=ports.manager, host=ports.host, clock=ports.clock, journal=ports.journal
    )
    # Looked at at once, so that the recovery is told with its true downtime and not at the next tick.
    ports.manager.start(PROBE_UNIT)
    return 0 if answers else FOUND_PROBLEMS


def _read_container(found: FoundPlex, journal: Journal) -> FoundContainer | None:
    return read_container(journal) if found.server is Server.CONTAINER else None


def main() -> NoReturn:
    program.launch(NAME, cli)


if __name__ == "__main__":
    main()
