"""plexguard-net-recover: arguments and wiring. Without a subcommand it checks once; `reboot` is the last resort."""

import dataclasses
import json
import os
from pathlib import Path
from typing import NoReturn

import click

from plexguard.core import program
from plexguard.core.clock import Moment
from plexguard.core.errors import PlexguardError
from plexguard.core.found import DEFAULT_URL, Server, read_container, read_plex
from plexguard.core.notify import one_line
from plexguard.core.plex_config import PlexConfig
from plexguard.core.program import FOUND_PROBLEMS, Ports
from plexguard.core.records import encode
from plexguard.core.state import STATE_ROOT, StateFile, exclusive_lock, make_folder, runtime_directory, state_directory
from plexguard.core.viewers import read_paused
from plexguard.net_recover import act, events
from plexguard.net_recover.config import Config
from plexguard.net_recover.decide import State, decide
from plexguard.net_recover.history import PROGRAM, REBOOT, Teller, open_history, read_all
from plexguard.net_recover.network import SystemNetwork
from plexguard.net_recover.observe import Eyes, Watching, observe
from plexguard.net_recover.reboot.decide import Budget, Notice
from plexguard.net_recover.states import Verdict

NAME = "net-recover"
STATE_SCHEMA = 1


@click.group(context_settings=program.CONTEXT, invoke_without_command=True, epilog="Manual: man plexguard-net-recover")
@click.option("--dry-run", is_flag=True, help="Look and say what would be done; change nothing.")
@click.option("--reset-budget", is_flag=True, help="Give fresh rounds and a fresh reboot (root).")
@program.format_option
@program.config_option
@program.version_option(NAME)
@click.pass_context
def cli(context: click.Context, dry_run: bool, reset_budget: bool, output: str, config_path: Path) -> int:
    """Check the network once; take the step that fits if it is certainly lost."""
    ports = program.open_ports(NAME)
    context.obj = (ports, config_path, output)
    if context.invoked_subcommand:
        return 0
    config = program.load_config(config_path, Config)
    if reset_budget:
        return _reset_budget(ports)
    return (_look if dry_run else _check)(ports, config, config_path, output=output)


@cli.command()
@click.option("--format", "words", type=click.Choice(["text", "json"]), help="Report for people or programs.")
@click.pass_context
def history(context: click.Context, words: str | None) -> int:
    """Print outages, steps and reboots, oldest first."""
    _, config_path, output = context.obj
    program.load_config(config_path, Config)
    records = read_all()
    if (words or output) == "json":
        click.echo(json.dumps(encode(records), indent=1))
        return 0
    for record in records:
        click.echo(f"{record.when:%Y-%m-%d %H:%M:%S}Z  {record.event:<16}  {record.text}")
    return 0


@cli.command()
@click.pass_context
def reboot(context: click.Context) -> int:
    """Reboot, if that is right and within the budget (root)."""
    ports, config_path, _ = context.obj
    return _reboot(ports, program.load_config(config_path, Config), config_path)


def _open_state(ports: Ports, folder: Path) -> StateFile[State]:
    spare = runtime_directory(NAME) / "state.json"
    return StateFile(folder / "state.json", State, schema=STATE_SCHEMA, journal=ports.journal, spare=spare)


def _open_budget(ports: Ports, folder: Path) -> StateFile[Budget]:
    return StateFile(folder / "state.json", Budget, schema=STATE_SCHEMA, journal=ports.journal)


def _open_eyes(ports: Ports, config_path: Path) -> Eyes:
    def ask_watching() -> Watching:
        from plexguard.core.plex_http import HttpPlex  # what a healthy check does not need
        from plexguard.core.token import read_token
        from plexguard.net_recover.watching import find_watching

        paused_limit = program.load_config(config_path, PlexConfig).paused_limit
        try:
            found = read_plex(ports.journal)
            token = read_token() if found is not None else None
        except PlexguardError:
            # What others publish is theirs to mend: the check goes on.
            return Watching.UNKNOWN
        plex = HttpPlex(found.url or DEFAULT_URL, token, owners=found.owners) if found else HttpPlex(DEFAULT_URL, None)
        return find_watching(plex, found, read_paused(ports.journal), ports.clock.moment(), paused_limit=paused_limit)

    return Eyes(network=SystemNetwork(), host=ports.host, manager=ports.manager, clock=ports.clock, ask_watching=ask_watching)


def _check(ports: Ports, config: Config, config_path: Path, *, output: str) -> int:
    folder = state_directory(NAME)
    file = _open_state(ports, folder)
    eyes = _open_eyes(ports, config_path)
    if ports.by_hand and not os.access(folder, os.W_OK):
        # A person without the unit's rights may look, and nothing is kept or done.
        return _look(ports, config, config_path, output=output)
    # Not on the disk, which may take nothing.
    with exclusive_lock(make_folder(runtime_directory(NAME)) / "lock"):
        past = file.load() or State()
        began = ports.clock.moment()
        seen = observe(eyes, config, known=past.seen)
        teller = Teller(ports.journal, open_history(folder), ports.clock)
        past, rebooted = _tell_reboot(ports, past, seen.is_well, teller)
        state = act.carry_out(seen, config, past, began, act.Hands(eyes=eyes, teller=teller, state=file), rebooted=rebooted)
    ports.notifier.tell(f"STATUS={one_line(_describe(state))}")
    if output == "json":
        click.echo(json.dumps(encode(state), indent=1))
    elif ports.by_hand:
        click.echo(_describe(state))
    return _exit_code(state.verdict)


def _tell_reboot(ports: Ports, past: State, is_well: bool, teller: Teller) -> tuple[State, bool]:
    """Tell the end of a reboot of ours, once, in the first check after it."""
    notice, now = _read_notice(ports), ports.clock.moment()
    if notice is None or notice.at == past.told_reboot or notice.at.boot_id == now.boot_id:
        return past, False
    verdict = "back" if is_well else "still lost"
    teller.tell(events.REBOOT_DONE, away_s=_find_absence_s(notice.at, now), verdict=verdict, reason=notice.reason)
    return dataclasses.replace(past, told_reboot=notice.at), True


def _read_notice(ports: Ports) -> Notice | None:
    """Return what the last reboot left behind. That file is another unit's: what is wrong with it is told there."""
    try:
        budget = _open_budget(ports, STATE_ROOT / REBOOT).load()
    except PlexguardError:
        return None
    return budget.notice if budget is not None else None


def _find_absence_s(left: Moment, now: Moment) -> float:
    """Return for how long this machine was away: from the notice to the kernel's start."""
    return max(0.0, now.seconds_since(left) - now.uptime_s)


def _describe(state: State) -> str:
    """Return the last check as one line, for `systemctl status` and for a terminal."""
    return f"Network: {state.verdict.value} ({state.detail})"


def _exit_code(verdict: Verdict) -> int:
    if verdict is Verdict.UNKNOWN:
        return os.EX_UNAVAILABLE
    return 0 if verdict is Verdict.ONLINE else FOUND_PROBLEMS


def _look(ports: Ports, config: Config, config_path: Path, *, output: str) -> int:
    from plexguard.net_recover.report import make_report, render  # what a check does not need

    past = _open_state(ports, STATE_ROOT / PROGRAM).load() if (STATE_ROOT / PROGRAM / "state.json").exists() else None
    past = past or State()
    began = ports.clock.moment()
    seen = observe(_open_eyes(ports, config_path), config, known=past.seen, whole=True)
    plan = decide(seen, config, past, began, ports.clock.moment())
    report = make_report(seen, plan)
    click.echo(json.dumps(encode(report), indent=1) if output == "json" else render(report))
    return _exit_code(plan.state.verdict)


def _reset_budget(ports: Ports) -> int:
    folder = make_folder(STATE_ROOT / PROGRAM)
    state_file, budget_file = _open_state(ports, folder), _open_budget(ports, STATE_ROOT / REBOOT)
    with exclusive_lock(make_folder(runtime_directory(NAME)) / "lock"):
        state, budget = state_file.load() or State(), budget_file.load() or Budget()
        problem = state.problem
        if problem is not None:
            problem = dataclasses.replace(problem, round=0, todo=(), round_ended=None, gave_up=False, spent=(), reboot_asked=None)
        state_file.save(dataclasses.replace(state, rounds=(), problem=problem, told_reboot=None))
        if budget != Budget():
            budget_file.save(Budget())
    teller = Teller(ports.journal, open_history(folder), ports.clock)
    teller.tell(events.BUDGET_RESET, reboots=len(budget.reboots))
    return 0


def _reboot(ports: Ports, config: Config, config_path: Path) -> int:
    from plexguard.net_recover.reboot import act as reboot_act  # what a check does not need
    from plexguard.net_recover.reboot.decide import Known, find_early_refusal, find_refusal
    from plexguard.net_recover.reboot.observe import is_clock_synchronised, look_again

    folder = make_folder(state_directory(REBOOT))
    file = _open_budget(ports, folder)
    loaded = file.load()
    budget = loaded or Budget()
    is_lost = loaded is None and file.path.with_name(file.path.name + ".bad").exists()
    teller = Teller(ports.journal, open_history(folder), ports.clock)
    checked = _open_state(ports, STATE_ROOT / PROGRAM).load()
    known = Known(checked=checked, is_synchronised=is_clock_synchronised(ports.host), is_budget_lost=is_lost)
    early = find_early_refusal(known, config, budget, ports.clock.moment())
    if early is not None or checked is None:
        assert early is not None
        return reboot_act.refuse(early, budget, file=file, teller=teller)
    found = read_plex(ports.journal)
    container = read_container(ports.journal) if found is not None and found.server is Server.CONTAINER else None
    seen = look_again(_open_eyes(ports, config_path), config, checked, container)
    refusal = find_refusal(seen)
    if refusal is not None:
        return reboot_act.refuse(refusal, budget, file=file, teller=teller)
    return reboot_act.reboot(seen, known, budget, file=file, host=ports.host, clock=ports.clock, teller=teller)


def main() -> NoReturn:
    program.launch(NAME, cli)


if __name__ == "__main__":
    main()
