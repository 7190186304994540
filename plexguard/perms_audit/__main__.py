"""plexguard-perms-audit: arguments and wiring."""

import dataclasses
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import click

from plexguard.core import config as core_config
from plexguard.core import program
from plexguard.core.errors import NoPermission, PlexguardError
from plexguard.core.events import Mode, show_path
from plexguard.core.mounts import read_fstab, read_mounts
from plexguard.core.program import FOUND_PROBLEMS, Ports
from plexguard.core.state import StateFile, exclusive_lock, state_directory
from plexguard.perms_audit import events
from plexguard.perms_audit.audit import Account, Audit
from plexguard.perms_audit.config import Config
from plexguard.perms_audit.observe import STATE_SCHEMA, Root, State, choose_roots, judge_roots, remember_mounts, resolve_links
from plexguard.perms_audit.roots import RootFault

NAME = "perms-audit"


class KindParameter(click.ParamType):
    """A command line value that follows the same rules as the option of the same name in the configuration."""

    def __init__(self, option: str) -> None:
        self._kind = core_config.options(Config)[option][0].kind
        self.name = option

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        if not isinstance(value, str):
            return value
        try:
            return self._kind.parse(value)
        except ValueError:
            self.fail(f"found {value!r}, allowed is {self._kind.allowed}", param, ctx)


@click.command(context_settings=program.CONTEXT, epilog="Manual: man plexguard-perms-audit")
@click.argument("roots", nargs=-1, metavar="[ROOT]...")
@click.option("--check", is_flag=True, help="Stop at the first unreadable path, print it, exit 1.")
@click.option("--dry-run", is_flag=True, help="Report what would be repaired; change nothing.")
@click.option("--recent", is_flag=True, help="Only files changed within changed_within (4h).")
@click.option("--changed-within", type=KindParameter("changed_within"), metavar="SPAN", help="Only files changed within SPAN.")
@click.option("--file-mode", type=KindParameter("file_mode"), metavar="MODE", help="Mode that files have at least (0644).")
@click.option("--dir-mode", type=KindParameter("dir_mode"), metavar="MODE", help="Mode that folders have at least (0755).")
@program.format_option
@program.config_option
@program.version_option(NAME)
def cli(
    roots: tuple[str, ...],
    check: bool,
    dry_run: bool,
    recent: bool,
    changed_within: timedelta | None,
    file_mode: Mode | None,
    dir_mode: Mode | None,
    output: str,
    config_path: Path,
) -> int:
    """Find media that Plex cannot read, and repair them."""
    ports = program.open_ports(NAME)
    config = program.load_config(config_path, Config)
    given = {"changed_within": changed_within, "file_mode": file_mode, "dir_mode": dir_mode, "dry_run": dry_run or None}
    config = dataclasses.replace(config, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    # MTIME_HOURS limits every run, as it did in the scripts that came before.
    recent = recent or changed_within is not None or bool(os.environ.get("MTIME_HOURS"))
    return _audit(roots, config, ports, check=check, recent=recent, output=output)


def _audit(arguments: tuple[str, ...], config: Config, ports: Ports, *, check: bool, recent: bool, output: str) -> int:
    paths = choose_roots(arguments, config, environment=os.environ, journal=ports.journal)
    if not paths:
        ports.journal.send(events.NO_ROOTS)
        return os.EX_UNAVAILABLE
    state = StateFile(state_directory(NAME) / "state.json", State, schema=STATE_SCHEMA, journal=ports.journal)
    past = _load(state)
    mounts = read_mounts()
    roots = judge_roots([resolve_links(path, mounts) for path in paths], past, mounts, read_fstab())
    workers = config.workers or min(8, len(os.sched_getaffinity(0)))
    audit = Audit(roots, config, mounts, journal=ports.journal, clock=ports.clock, workers=workers)
    audit.keep_changes = output == "json"
    if check:
        return _check(audit, recent=recent, output=output)
    account = audit.run(recent=recent)
    if output == "json":
        click.echo(account.to_json())
    _save(state, remember_mounts(past, _healthy(roots, account), mounts), past)
    return _exit_code(account)


def _check(audit: Audit, *, recent: bool, output: str) -> int:
    path, account = audit.find_first(recent=recent)
    if output == "json":
        click.echo(json.dumps({"unreadable": path}))
    elif path is not None:
        click.echo(show_path(path))
    return FOUND_PROBLEMS if path is not None else _exit_code(account)


def _exit_code(account: Account) -> int:
    """Root faults weigh most: of such a root nothing at all is known."""
    if RootFault.UNREADABLE in account.root_faults.values():
        return os.EX_NOPERM
    if account.root_faults:
        return os.EX_NOINPUT
    return 0 if account.is_well and account.wrong == account.repaired else FOUND_PROBLEMS


def _healthy(roots: tuple[Root, ...], account: Account) -> list[str]:
    return [root.path for root in roots if root.path not in account.root_faults and not root.part_missing]


def _load(state: StateFile[State]) -> State:
    try:
        return state.load() or State()
    except NoPermission:
        return State()


def _save(state: StateFile[State], record: State, past: State) -> None:
    """Keep the state where there is a place for it: a run by hand as an ordinary user has none, and needs none."""
    if record == past or not os.access(state.path.parent, os.W_OK):
        return
    try:
        # Audits run side by side: what another one has learnt meanwhile is kept.
        with exclusive_lock(state.path.with_name("lock")):
            state.save(State(mounts={**_load(state).mounts, **record.mounts}))
    except PlexguardError as error:
        click.echo(f"plexguard-{NAME}: {error}", err=True)


def main() -> NoReturn:
    program.launch(NAME, cli)


if __name__ == "__main__":
    main()
