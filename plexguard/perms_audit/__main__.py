"""plexguard-perms-audit: arguments and wiring. Without a subcommand it audits; `guard` and `answer` are its services."""

import contextlib
import dataclasses
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from plexguard.core import config as core_config
from plexguard.core import program
from plexguard.core.errors import DataError, IoFailed, MissingInput, NoPermission, PlexguardError, UsageError
from plexguard.core.events import Mode, show_path
from plexguard.core.mounts import is_below
from plexguard.core.program import FOUND_PROBLEMS, Ports
from plexguard.core.records import encode
from plexguard.core.state import StateFile, exclusive_lock, state_directory
from plexguard.core.unreadable import FILE, Record, open_record
from plexguard.perms_audit import events, unhealthy
from plexguard.perms_audit.access import Guise
from plexguard.perms_audit.child import in_child
from plexguard.perms_audit.config import Config
from plexguard.perms_audit.observe import State, Survey, open_state, remember, survey, survey_path
from plexguard.perms_audit.policy import Policy
from plexguard.perms_audit.prove import prove
from plexguard.perms_audit.roots import RootFault
from plexguard.perms_audit.runs import Lately, Run, RunLog, list_runs, read_run, trim

if TYPE_CHECKING:
    from plexguard.perms_audit.audit import Account, Audit

F = TypeVar("F", bound=Callable[..., Any])
NAME = "perms-audit"
_LINK_SETTLES_S = 5.0
_CHECK_TIMEOUT_S = 10.0


class KindParameter(click.ParamType):
    """A command line value that follows the same rules as the option of the same name in the configuration."""

    def __init__(self, option: str) -> None:
        self._kind = core_config.options(Config)[option][0].kind
        self.name = option

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        if not isinstance(value, str):
            return value
        try:
            return self._kind.parse(self._kind.from_environment(value))
        except ValueError:
            self.fail(f"found {value!r}, allowed is {self._kind.allowed}", param, ctx)


class AuditOrCommand(click.Group):
    """A group that audits where no command is named: what does not begin with one is options and roots."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] in self.commands:
            return super().parse_args(ctx, args)
        ctx.allow_interspersed_args = True
        return click.Command.parse_args(self, ctx, args)


def identity_options(command: F) -> F:
    """Add the options that say as whom to look."""
    options = (
        click.option("--as-user", type=KindParameter("as_user"), metavar="NAME", help="Look as this user, not as Plex's."),
        click.option("--as-uid", type=KindParameter("as_uid"), metavar="UID", help="The same by number."),
        click.option("--as-gid", type=KindParameter("as_gid"), metavar="GID", help="The group that goes with it."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group(
    cls=AuditOrCommand,
    context_settings=program.CONTEXT,
    invoke_without_command=True,
    subcommand_metavar="[ROOT]... | COMMAND [ARGS]...",
    epilog="Manual: man plexguard-perms-audit",
)
@click.option("--check", is_flag=True, help="Stop at the first unreadable path, print it, exit 1.")
@click.option("--dry-run", is_flag=True, help="Report what would be repaired; change nothing.")
@click.option("--recent", is_flag=True, help="Only files changed within changed_within (4h).")
@click.option("--changed-within", type=KindParameter("changed_within"), metavar="SPAN", help="Only files changed within SPAN.")
@click.option("--policy", type=KindParameter("policy"), metavar="POLICY", help="add: what lacks. exact: as configured.")
@click.option("--file-mode", type=KindParameter("file_mode"), metavar="MODE", help="Mode for files (0644).")
@click.option("--dir-mode", type=KindParameter("dir_mode"), metavar="MODE", help="Mode for folders (0755).")
@identity_options
@click.option("--within-roots", is_flag=True, help="Refuse a ROOT that lies below no known root.")
@program.format_option
@program.config_option
@program.version_option(NAME)
@click.pass_context
def cli(context: click.Context, check: bool, recent: bool, within_roots: bool, output: str, config_path: Path, **given: Any) -> int:
    """Find media that Plex cannot read, and repair them."""
    if context.invoked_subcommand:
        return 0
    ports = program.open_ports(NAME)
    config = _load(config_path, given)
    # MTIME_HOURS limits every run, as it did in the scripts that came before.
    recent = recent or given["changed_within"] is not None or bool(os.environ.get("MTIME_HOURS"))
    return _audit(tuple(context.args), config, ports, check=check, recent=recent, within_roots=within_roots, output=output)


@cli.command("list")
@click.argument("run", required=False, metavar="[RUN]")
@program.format_option
def list_(run: str | None, output: str) -> int:
    """List the runs that changed something, or the changes of one."""
    return _list_changes(run, output=output) if run else _list_runs(output=output)


@cli.command()
@click.argument("run", metavar="RUN")
@click.option("--dry-run", is_flag=True, help="Report what would be restored; change nothing.")
def undo(run: str, dry_run: bool) -> int:
    """Restore what a run changed, where nobody changed it since."""
    return _undo(run, program.open_ports(NAME), dry_run=dry_run)


@cli.command()
@click.argument("path", metavar="PATH")
@identity_options
@program.config_option
def explain(path: str, config_path: Path, **given: Any) -> int:
    """Say whether Plex can read PATH, and what is in the way."""
    return _explain(path, _load(config_path, given), program.open_ports(NAME))


@cli.command()
@program.config_option
def guard(config_path: Path) -> int:
    """Repair what changes as it changes (a service)."""
    return _guard(program.load_config(config_path, Config), program.open_ports(NAME))


@cli.command()
@program.config_option
def answer(config_path: Path) -> int:
    """Answer requests that come through the socket (a service)."""
    return _answer(program.load_config(config_path, Config), program.open_ports(NAME))


def _load(config_path: Path, given: dict[str, Any]) -> Config:
    """Return the configuration with what the command line says instead."""
    config = program.load_config(config_path, Config)
    if given.get("as_uid") is not None:
        config = dataclasses.replace(config, as_user="")
    # A flag that was not given says nothing; the number 0 does.
    return dataclasses.replace(config, **{name: value for name, value in given.items() if value is not None and value is not False})


def _audit(
    arguments: tuple[str, ...], config: Config, ports: Ports, *, check: bool, recent: bool, within_roots: bool, output: str
) -> int:
    from plexguard.perms_audit.audit import Audit  # what the other commands do not need

    folder = _state_folder()
    state = open_state(folder, ports.journal)
    past = _load_state(state)
    known = survey(arguments, config, environment=os.environ, journal=ports.journal, past=past, within_roots=within_roots)
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
    )
    work.keep_changes = output == "json"
    if check:
        return _check(work, known, ports, recent=recent, output=output)
    with contextlib.closing(runs):
        account = work.run(recent=recent)
    if output == "json":
        click.echo(account.to_json())
    _keep(state, past, known, account, told=None if arguments or ports.by_hand or config.dry_run else work.told, ports=ports)
    _see_to_flagged(known, account, config, ports)
    return _exit_code(account)


def _check(work: "Audit", known: Survey, ports: Ports, *, recent: bool, output: str) -> int:
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


def _exit_code(account: "Account") -> int:
    """Root faults weigh most: of such a root nothing at all is known."""
    if RootFault.UNREADABLE in account.root_faults.values():
        return os.EX_NOPERM
    if account.root_faults:
        return os.EX_NOINPUT
    return 0 if account.is_well and account.wrong == account.repaired else FOUND_PROBLEMS


def _list_runs(*, output: str) -> int:
    folder = _state_folder() / "runs"
    runs = list(_read_runs(folder))
    if output == "json":
        click.echo(json.dumps([{**encode(run.head), "changes": len(run.changes)} for run in runs], indent=1))
        return 0
    for run in runs:
        changes = run.changes
        example = f", such as {show_path(changes[0].full_path)}" if changes else ""
        click.echo(f"{run.head.run}  {run.head.by:<8}  {len(changes):>6} changes{example}")
    return 0


def _read_runs(folder: Path) -> Iterator[Run]:
    for run in list_runs(folder):
        try:
            yield read_run(folder, run)
        except (DataError, MissingInput) as error:
            # Cut off at its first line, or too old by now: the others are still wanted.
            click.echo(f"plexguard-{NAME}: {error}", err=True)


def _list_changes(run: str, *, output: str) -> int:
    changes = read_run(_state_folder() / "runs", run).changes
    if output == "json":
        click.echo(json.dumps([{**encode(change), "path": change.full_path} for change in changes], indent=1))
        return 0
    for change in changes:
        owner = (
            "" if (change.old.uid, change.old.gid) == (change.new.uid, change.new.gid) else f" {change.old.uid}:{change.old.gid}"
        )
        click.echo(f"{Mode(change.old.mode)}{owner} -> {Mode(change.new.mode)}  {show_path(change.full_path)}")
    return 0


def _undo(run: str, ports: Ports, *, dry_run: bool) -> int:
    from plexguard.perms_audit.undo import Undone, undo

    folder = _state_folder() / "runs"
    undone = read_run(folder, run)
    with contextlib.closing(RunLog(folder, "undo", ports.clock)) as runs:
        summary = undo(undone.changes, runs, ports.clock, dry_run=dry_run)
    for path, reason in summary.failed:
        click.echo(f"{show_path(path)}: {reason}", err=True)
    counts = {became: summary.counts[became] for became in Undone}
    click.echo(", ".join(f"{count} {became.value}" for became, count in counts.items() if count) or "nothing to do")
    if not dry_run:
        ports.journal.send(
            events.UNDONE,
            run=run,
            restored=counts[Undone.RESTORED],
            changed=counts[Undone.CHANGED],
            gone=counts[Undone.GONE],
            failed=counts[Undone.FAILED],
        )
    return FOUND_PROBLEMS if summary.failed else 0


def _explain(path: str, config: Config, ports: Ports) -> int:
    if not path.startswith("/"):
        raise UsageError(f"{path}: not an absolute path", hint=f'plexguard-perms-audit explain "$PWD/{path}"')
    policy, target = survey_path(path, config, journal=ports.journal, past=_load_state(open_state(_state_folder(), ports.journal)))
    try:
        reason = in_child(lambda: prove(policy, target), timeout_s=config.stall_timeout.total_seconds())
    except FileNotFoundError as error:
        raise MissingInput(f"{show_path(path)}: there is no such file") from error
    except OSError as error:
        raise IoFailed(f"Failed to look at {show_path(path)}: {error.strerror}") from error
    who = "everybody" if policy.identity is None else str(policy.identity)
    click.echo(f"{who} cannot read it: {show_path(reason)}" if reason else f"{who} can read it")
    return FOUND_PROBLEMS if reason else 0


def _see_to_flagged(known: Survey, account: "Account", config: Config, ports: Ports) -> None:
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

    unhealthy.try_again(
        try_path,
        journal=ports.journal,
        clock=ports.clock,
        file=file,
    )
    if config.restart_plex and not config.dry_run:
        unhealthy.ask_restart(manager=ports.manager, journal=ports.journal, clock=ports.clock, file=file)


def _open_record(ports: Ports) -> StateFile[Record]:
    """Open the record of what Plex complained about in vain: the system's, whoever asks."""
    return open_record(ports.journal, state_directory(NAME) / FILE.name)


def _guard(config: Config, ports: Ports) -> int:
    from plexguard.perms_audit.guard.act import AuditRequests, run_guard
    from plexguard.perms_audit.mend import Mender

    folder = _state_folder()
    state = open_state(folder, ports.journal)

    def look() -> Policy:
        """Return the policy with every root there may be: one that is not mounted now is watched when it comes."""
        known = survey((), config, environment=os.environ, journal=ports.journal, past=_load_state(state))
        roots = {root.path: root for root in (*known.policy.roots, *known.faulty) if root.fault is not RootFault.SYSTEM_FOLDER}
        return dataclasses.replace(known.policy, roots=tuple(roots.values()))

    policy = look()
    guise = Guise(policy.identity)
    guise.prepare()
    requests = AuditRequests(ports.manager, ports.journal, ports.clock)
    with contextlib.closing(RunLog(folder / "runs", "guard", ports.clock, waits_for_disk=False)) as runs:
        mender = Mender(
            policy,
            guise,
            runs=runs,
            journal=ports.journal,
            clock=ports.clock,
            lately=Lately(folder / "runs", ports.clock, within=config.repeat_after),
            dry_run=config.dry_run,
            # A name that is so young is left by an audit, see decide_linked().
            ask_audit=lambda reason: requests.ask(reason, after_s=_LINK_SETTLES_S),
        )
        try:
            return run_guard(
                [root.path for root in policy.roots],
                mender,
                ports,
                requests=requests,
                last_mounts=_load_state(state).mounts,
                is_current=lambda: look().is_same(policy),
            )
        finally:
            mender.flush(last=True)


def _answer(config: Config, ports: Ports) -> int:
    from plexguard.core.daemon import run_cycles
    from plexguard.core.notify import take_socket
    from plexguard.perms_audit.request.act import Server

    with take_socket() as listening:
        server = Server(listening, config, ports, folder=_state_folder())
        run_cycles(server.cycle, ports.notifier)
    return 0


def _keep(
    state: StateFile[State], past: State, known: Survey, account: "Account", *, told: dict[str, int] | None, ports: Ports
) -> None:
    """Keep what later runs need where there is a place for it: a run by hand as an ordinary user has none, and needs none."""
    if not os.access(state.path.parent, os.W_OK):
        return
    partly = {root.path for root in known.faulty}
    healthy = [root.path for root in known.policy.roots if root.path not in account.root_faults and root.path not in partly]
    record = remember(past, healthy, known.mounts, known.policy.identity)
    if told is not None:
        record = dataclasses.replace(record, told=told)
    try:
        if record != past:
            # Audits run side by side: what another one has learnt meanwhile is kept.
            with exclusive_lock(state.path.with_name("lock")):
                now = _load_state(state)
                told = now.told if told is None else told
                state.save(dataclasses.replace(record, mounts={**now.mounts, **record.mounts}, told=told))
        trim(_state_folder() / "runs", ports.clock.now())
    except PlexguardError as error:
        click.echo(f"plexguard-{NAME}: {error}", err=True)


def _load_state(state: StateFile[State]) -> State:
    try:
        return state.load() or State()
    except NoPermission:
        return State()


def _state_folder() -> Path:
    """Return where state and undo lists are kept: an ordinary user's own runs have theirs in that user's home."""
    folder = state_directory(NAME)
    if os.geteuid() == 0 or "STATE_DIRECTORY" in os.environ:
        return folder
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")
    return home / "plexguard" / NAME


def main() -> NoReturn:
    program.launch(NAME, cli)


if __name__ == "__main__":
    main()
