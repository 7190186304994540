"""plexguard-plex-probe: arguments and wiring. Without a subcommand it checks once; `restart` is the root side."""

import dataclasses
import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from plexguard.core import program
from plexguard.core.errors import NoPermission
from plexguard.core.found import DEFAULT_URL, FoundContainer, FoundPlex, Server, read_container, read_plex
from plexguard.core.journal import Journal
from plexguard.core.notify import one_line
from plexguard.core.plex_config import PlexConfig
from plexguard.core.plex_http import HttpPlex
from plexguard.core.program import FOUND_PROBLEMS, Ports
from plexguard.core.records import encode
from plexguard.core.responses import RESPONSES
from plexguard.core.secret import Secret
from plexguard.core.state import STATE_ROOT, StateFile, exclusive_lock, make_folder, runtime_directory, state_directory
from plexguard.core.token import read_token
from plexguard.core.viewers import PROBE_FOLDER, Paused, paused_file, read_paused
from plexguard.plex_probe import act, events
from plexguard.plex_probe.config import Config
from plexguard.plex_probe.decide import State, decide
from plexguard.plex_probe.explain import describe, describe_door, explain_check
from plexguard.plex_probe.observe import Observation, observe
from plexguard.plex_probe.states import Verdict

if TYPE_CHECKING:
    from plexguard.core.guarded import Unproven
    from plexguard.plex_probe.restart.decide import Budget

NAME = "plex-probe"
STATE_SCHEMA = 1
RESTART_STATE = "plex-restart"
_NOT_FOUND = FoundPlex(server=Server.NONE, missing="plexguard-discover has not run yet")
# Verdicts that are no problem to be found: Plex is well, or meant to be away.
_WELL = (Verdict.HEALTHY, Verdict.MAINTENANCE, Verdict.UPDATING, Verdict.STARTING, Verdict.STOPPED)


@click.group(context_settings=program.CONTEXT, invoke_without_command=True, epilog="Manual: man plexguard-plex-probe")
@click.option("--explain", is_flag=True, help="Show every level, what runs Plex, the verdict and what follows. Changes nothing.")
@program.format_option
@program.config_option
@program.version_option(NAME)
@click.pass_context
def cli(context: click.Context, output: str, config_path: Path, explain: bool) -> int:
    """Check Plex once; ask for a restart if it is certainly down."""
    ports = program.open_ports(NAME)
    configs = (program.load_config(config_path, Config), program.load_config(config_path, PlexConfig))

    def find_mounts(found: FoundPlex) -> "tuple[Unproven, ...]":
        from plexguard.core.guarded import read_guarded  # what a check of a Plex that is well does not need

        return read_guarded(config_path, ports.clock.moment()).find_unproven_for(found.places)

    context.obj = (ports, *configs, find_mounts)
    return 0 if context.invoked_subcommand else _check(*context.obj, output=output, explain=explain)


@cli.command()
@click.pass_context
def restart(context: click.Context) -> int:
    """Restart Plex, if that is right and within the budget (root)."""
    # By hand and by the unit at once both would find the same budget.
    with exclusive_lock(make_folder(state_directory(RESTART_STATE)) / "lock"):
        return _restart(*context.obj)


def _check(
    ports: Ports,
    config: Config,
    plex_config: PlexConfig,
    find_mounts: "Callable[[FoundPlex], tuple[Unproven, ...]]",
    *,
    output: str,
    explain: bool,
) -> int:
    folder = state_directory(NAME)
    spare = runtime_directory(NAME) / "state.json"
    state = StateFile(folder / "state.json", State, schema=STATE_SCHEMA, journal=ports.journal, spare=spare)
    # A person without the unit's rights may look, and nothing is kept or done.
    may_act = not explain and (not ports.by_hand or os.access(folder, os.W_OK))
    past = (state.load() if may_act else state.peek()) or State()
    found = read_plex(ports.journal) or _NOT_FOUND
    if found.server is Server.NONE:
        return _tell_no_server(found, past, ports, state=state if may_act else None)
    paused = read_paused(ports.journal, folder)
    began = ports.clock.moment()
    seen = _look(
        ports,
        found,
        config,
        paused=paused,
        paused_limit=plex_config.paused_limit,
        find_mounts=lambda: find_mounts(found),
        whole=explain,
    )
    now = ports.clock.moment()
    plan = decide(seen, config, past, began, now)
    if may_act:
        act.save_paused(paused_file(folder, ports.journal), paused, seen.paused)
        plan = act.carry_out(
            plan,
            replan=lambda uncounted: decide(seen, config, past, began, now, uncounted=uncounted),
            state=state,
            journal=ports.journal,
            manager=ports.manager,
        )
        act.note_response(plan.state, folder / RESPONSES.name)
    ports.notifier.tell(f"STATUS={one_line(describe(plan.state))}")
    if output == "json":
        click.echo(json.dumps(encode(plan.state), indent=1))
    elif explain:
        from plexguard.core.published import PROXY  # what a check does not need

        in_day, door = _read_budget(ports).in_day(ports.clock.moment()), describe_door(PROXY.read(), ports.clock.moment())
        click.echo(explain_check(found, seen, plan, config, past=past, in_day=in_day, door=door))
    elif ports.by_hand:
        click.echo(describe(plan.state))
    return 0 if plan.state.verdict in _WELL else FOUND_PROBLEMS


def _tell_no_server(found: FoundPlex, past: State, ports: Ports, *, state: StateFile[State] | None) -> int:
    """Tell once that there is nothing to check, and each time to a person. state: where that is remembered, if it may be."""
    if ports.by_hand or not past.told_no_server:
        ports.journal.send(events.NO_SERVER, reason=found.missing)
    if state is not None and not past.told_no_server:
        # An outage that is open stays open: the server may only be unknown for a moment.
        state.keep(dataclasses.replace(past, told_no_server=True))
    return os.EX_UNAVAILABLE


def _look(
    ports: Ports,
    found: FoundPlex,
    config: Config,
    *,
    paused: Paused,
    paused_limit: timedelta,
    find_mounts: "Callable[[], tuple[Unproven, ...]]",
    whole: bool,
) -> Observation:
    token = _read_token(ports)
    return observe(
        HttpPlex(found.url, token, owners=found.owners),
        found,
        manager=ports.manager,
        container=_read_container(found, ports.journal),
        clock=ports.clock,
        config=config,
        has_token=token is not None,
        paused=paused,
        paused_limit=paused_limit,
        was_ours=lambda: _read_budget(ports).was_ours(ports.clock.moment()),
        find_mounts=find_mounts,
        whole=whole,
    )


def _read_token(ports: Ports) -> Secret | None:
    """Return the token; for a person without the right to it the check goes as far as it does without one."""
    try:
        return read_token()
    except NoPermission:
        if not ports.by_hand:
            raise
        return None


def _read_budget(ports: Ports) -> "Budget":
    """Return what the root side has published of its restarts; only read when something is the matter."""
    from plexguard.plex_probe.restart.decide import Budget

    file = StateFile(STATE_ROOT / RESTART_STATE / "state.json", Budget, schema=STATE_SCHEMA, journal=ports.journal)
    return file.peek() or Budget()


def _restart(
    ports: Ports, config: Config, plex_config: PlexConfig, find_mounts: "Callable[[FoundPlex], tuple[Unproven, ...]]"
) -> int:
    from plexguard.core.unreadable import count_asking, open_record  # what a check does not need
    from plexguard.plex_probe.restart import act as restart_act
    from plexguard.plex_probe.restart.decide import Budget, Refuse, decide, read_told
    from plexguard.plex_probe.restart.observe import observe

    probe_file = StateFile(PROBE_FOLDER / "state.json", State, schema=STATE_SCHEMA, journal=ports.journal)
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
        paused=read_paused(ports.journal),
        paused_limit=plex_config.paused_limit,
        unreadable=count_asking(open_record(ports.journal), now),
        was_ours=lambda: budget.was_ours(now),
        open_with_token=lambda: HttpPlex(found.url, read_token(), owners=found.owners),
        find_mounts=lambda: find_mounts(found),
    )
    step = decide(seen, config, budget, read_told(probe_file.peek(), found, now), now)
    if isinstance(step, Refuse):
        return restart_act.refuse(step, budget, now, ports, file=budget_file)
    return restart_act.restart(step, now, ports, plex=plex, file=budget_file, limit=config.max_restarts_per_day)


def _read_container(found: FoundPlex, journal: Journal) -> FoundContainer | None:
    """Return the state of Plex's container; None while what is published of it is of another, which the discovery follows soon."""
    container = read_container(journal) if found.server is Server.CONTAINER else None
    return container if container is not None and container.name == found.name else None


def main() -> NoReturn:
    program.launch(NAME, cli)


if __name__ == "__main__":
    main()
