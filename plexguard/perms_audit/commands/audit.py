"""Without a subcommand: audit everything, what changed of late or what is named, and keep what later runs need."""

import contextlib
import dataclasses
import json
import os

import click

from plexguard.core.child import in_child
from plexguard.core.errors import MissingInput, PlexguardError
from plexguard.core.events import show_path
from plexguard.core.guarded import NONE_GUARDED, Guarded
from plexguard.core.mounts import is_below
from plexguard.core.program import FOUND_PROBLEMS, Ports
from plexguard.core.state import StateFile, exclusive_lock, state_directory
from plexguard.core.unreadable import FILE, Record, open_record
from plexguard.perms_audit import events, unhealthy
from plexguard.perms_audit.audit import Account, Audit
from plexguard.perms_audit.config import Config
from plexguard.perms_audit.observe import Survey, survey
from plexguard.perms_audit.prove import prove
from plexguard.perms_audit.report import carry, keep_left, tell_ended
from plexguard.perms_audit.roots import RootFault
from plexguard.perms_audit.runs import Lately, RunLog, trim
from plexguard.perms_audit.state import State, find_state_folder, load_state, open_state, remember

_CHECK_TIMEOUT_S = 10.0


def run(
    arguments: tuple[str, ...],
    config: Config,
    ports: Ports,
    *,
    guarded: Guarded = NONE_GUARDED,
    check: bool,
    recent: bool,
    within_roots: bool,
    output: str,
) -> int:
    """Audit once, or only look for something unreadable; see to what Plex complained about, and keep what later runs need."""
    folder = find_state_folder()
    state = open_state(folder, ports.journal)
    past = load_state(state)
    known = survey(
        arguments,
        config,
        environment=os.environ,
        journal=ports.journal,
        past=past,
        within_roots=within_roots,
        guarded=guarded,
    )
    if not known.named:
        ports.journal.send(events.NO_ROOTS)
        return os.EX_UNAVAILABLE
    runs = RunLog(folder / "runs", "audit", ports.clock)
    lately = Lately(folder / "runs", ports.clock, within=config.repeat_after)
    if not ports.by_hand:
        # A person who says "repair" means it.
        lately.refresh()
    work = Audit(
        known.policy,
        config,
        journal=ports.journal,
        clock=ports.clock,
        workers=config.workers or min(8, len(os.sched_getaffinity(0))),
        faulty=known.faulty,
        runs=runs,
        lately=lately,
        # Every night, and to whoever asks, everything is told.
        told=past.told if recent and not ports.by_hand else None,
        left_out=past.left_out if recent and not ports.by_hand else (),
    )
    work.keep_changes = output == "json"
    if check:
        return _check(work, known, ports, recent=recent, output=output)
    with contextlib.closing(runs):
        account = work.run(recent=recent)
    if output == "json":
        click.echo(account.to_json())
    now = None if arguments or ports.by_hand or config.dry_run else _sum_up(past, work, recent=recent)
    _keep(state, past, known, account, now=now, ports=ports)
    if now is not None:
        tell_ended({**past.told, **past.left}, {**now.told, **now.left}, account.root_faults, ports.journal)
    _see_to_flagged(known, account, config, ports)
    return _exit_code(account)


def _check(work: Audit, known: Survey, ports: Ports, *, recent: bool, output: str) -> int:
    """Print what Plex complained about and still cannot read, else the first unreadable path that is found."""
    flagged = unhealthy.find_flagged(_open_record(ports), tuple(root.path for root in known.policy.roots))
    path = next((path for path in flagged if _stays_unreadable(path, known)), None)
    code = 0
    if path is None:
        path, account = work.find_first(recent=recent)
        code = _exit_code(account)
    if output == "json":
        click.echo(json.dumps({"unreadable": path}))
    elif path is not None:
        click.echo(show_path(path))
    return FOUND_PROBLEMS if path is not None else code


def _stays_unreadable(path: str, known: Survey) -> bool:
    """Tell whether a path that is on the record still is what the record says; what cannot be told stays on it."""
    try:
        return bool(in_child(lambda: prove(known.policy, path), timeout_s=_CHECK_TIMEOUT_S))
    except FileNotFoundError:
        return False
    except (OSError, PlexguardError):
        return True


def _exit_code(account: Account) -> int:
    """Root faults weigh most: of such a root nothing at all is known."""
    if RootFault.UNREADABLE in account.root_faults.values():
        return os.EX_NOPERM
    if set(account.root_faults.values()) == {RootFault.NOT_PROVEN}:
        # The mount's watchdog has told it, and all else was audited: it is no failure of this.
        return FOUND_PROBLEMS if account.wrong != account.repaired else os.EX_TEMPFAIL
    if account.root_faults:
        return os.EX_NOINPUT
    return 0 if account.is_well and account.wrong == account.repaired else FOUND_PROBLEMS


def _see_to_flagged(known: Survey, account: Account, config: Config, ports: Ports) -> None:
    """Try again what Plex complained about in vain, and where that is wanted ask for a restart."""
    file = _open_record(ports)
    if os.geteuid() != 0 or not os.access(file.path.parent, os.W_OK):
        return
    timeout_s = config.stall_timeout.total_seconds()

    def try_path(path: str) -> str:
        # In a root that is not mounted, or is empty, nothing is "no longer there".
        if any(is_below(path, root) for root in account.root_faults):
            raise MissingInput(f"{path}: its root could not be audited")
        return in_child(lambda: prove(known.policy, path), timeout_s=timeout_s)

    unhealthy.try_again(try_path, journal=ports.journal, clock=ports.clock, file=file)
    if config.restart_plex and not config.dry_run:
        unhealthy.ask_restart(manager=ports.manager, journal=ports.journal, clock=ports.clock, file=file)


def _open_record(ports: Ports) -> StateFile[Record]:
    """Open the record of what Plex complained about in vain: the system's, whoever asks."""
    return open_record(ports.journal, state_directory(Config.SECTION) / FILE.name)


def _sum_up(past: State, work: Audit, *, recent: bool) -> State:
    """Return the state with what a run has told."""
    faulty = work.account.root_faults
    told = carry(past.told, work.told, faulty)
    left = keep_left(past.left, told, faulty, recent=recent)
    return dataclasses.replace(past, told=told, left=left, left_out=work.account.left_out)


def _keep(
    state: StateFile[State],
    past: State,
    known: Survey,
    account: Account,
    *,
    now: State | None,
    ports: Ports,
) -> None:
    """Keep what later runs need where there is a place for it: a run by hand as an ordinary user has none, and needs none. now: the
    state with what was told, None of a run that tells nothing to later ones."""
    if not os.access(state.path.parent, os.W_OK):
        return
    partly = {root.path for root in known.faulty}
    healthy = [root.path for root in known.policy.roots if root.path not in account.root_faults and root.path not in partly]
    record = remember(now or past, healthy, known.mounts, known.policy.identity)
    try:
        if record != past:
            # Audits run side by side: what another one has learnt meanwhile is kept.
            with exclusive_lock(state.path.with_name("lock")):
                kept = load_state(state)
                told = now or kept
                record = dataclasses.replace(record, told=told.told, left=told.left, left_out=told.left_out)
                state.save(dataclasses.replace(record, mounts={**kept.mounts, **record.mounts}))
        trim(find_state_folder() / "runs", ports.clock.now())
    except PlexguardError as error:
        click.echo(f"plexguard-{Config.SECTION}: {error}", err=True)
