"""`phase` and `release`: what the units of a run's phases call."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from plexguard.cloud_run.commands import begin
from plexguard.cloud_run.config import Config
from plexguard.cloud_run.life.chain import FOLLOWING_PHASES, HOLDING_PHASES, LASTING_PHASES, PHASES, PREPARED_PHASES
from plexguard.cloud_run.life.runs import check_name, read_kept, read_run
from plexguard.core.program import Ports

if TYPE_CHECKING:  # --help needs none of it
    from plexguard.cloud_run.life.run_file import RunFile
    from plexguard.cloud_run.life.state import Book
    from plexguard.cloud_run.phases.work import Work


# For how long a line may be lost again and again.
_LOST_S, _PAUSE_S = 4 * 3600.0, 10.0
_FULL_S = 1800.0
# How often a machine may be booted in the midst of one phase.
_MOST_BOOTS = 3


@click.command(hidden=True)
@click.argument("phase", type=click.Choice(PHASES))
@click.argument("name", metavar="NAME")
@click.pass_obj
def phase(config_path: Path, phase: str, name: str) -> int:
    """Do a phase of a run, as its unit does."""
    config, ports = begin.load(config_path)
    return run(config, ports, phase, check_name(name))


@click.command(hidden=True)
@click.argument("phase", type=click.Choice(HOLDING_PHASES))
@click.argument("name", metavar="NAME")
@click.pass_obj
def release(config_path: Path, phase: str, name: str) -> int:
    """Give back what a phase holds, as its unit does."""
    config, ports = begin.load_to_return(config_path)
    from plexguard.cloud_run.life.run_file import RunFile
    from plexguard.cloud_run.phases.settle import settle

    # What was rented is given back though the run's file is gone, or wrong by now.
    work = open_work(config, ports, check_name(name), RunFile())
    failure = settle(work)
    code: int = find_phase(phase).release(work)
    return code or (failure.exit_code if failure is not None else 0)


@click.command(hidden=True)
@click.argument("phase", type=click.Choice(PREPARED_PHASES))
@click.argument("name", metavar="NAME")
@click.pass_obj
def prepare(config_path: Path, phase: str, name: str) -> int:
    """Do what a phase does first, as its unit does."""
    config, ports = begin.load(config_path)
    return run(config, ports, phase, check_name(name), is_first=True)


def run(config: Config, ports: Ports, phase: str, name: str, *, is_first: bool = False) -> int:
    """Do a phase, or what comes first of it, and return the exit code: what it raises is told, and is the end of the run."""
    from plexguard.cloud_run import events
    from plexguard.cloud_run.life.state import FAILED
    from plexguard.core.errors import PlexguardError
    from plexguard.core.notify import one_line

    try:
        file = read_run(name) if phase == PHASES[0] else read_kept(name, open_book(ports, name).folder)
        (_prepare if is_first else _do)(phase, open_work(config, ports, name, file))
    except PlexguardError as error:
        reason, book = one_line(str(error)), open_book(ports, name)
        if book.peek() is not None:
            book.close(FAILED, failure=f"{phase}: {reason}")
        hint = error.hint or f"journalctl -x -u 'plexguard-cloud-*@{name}.service'"
        ports.journal.send(events.RUN_FAILED, run=name, phase=phase, reason=reason, hint=hint)
        return error.exit_code
    return 0


def _do(phase: str, work: "Work") -> None:
    """Do a phase that was not done before. Raises what it raises."""
    from plexguard.cloud_run import events

    # The first begins the run, and has its state.
    if phase != PHASES[0] and not work.book.begin(phase):
        work.tell("done before")
        return
    _insist(work, lambda: _work(phase, work))
    seconds = _end(work, phase)
    work.ports.journal.send(events.PHASE_DONE, run=work.name, phase=phase, seconds=seconds, line=work.book.state.line)


def _work(phase: str, work: "Work") -> None:
    """Do a phase; one whose machine was booted in its midst has lost what is in memory there, and gets it anew."""
    from plexguard.cloud_run.there.jobs import JobGone

    for attempt in range(_MOST_BOOTS + 1):
        try:
            find_phase(phase).work(work)
            return
        except JobGone as error:
            if attempt == _MOST_BOOTS or phase not in FOLLOWING_PHASES:
                raise
            work.tell(f"setting up again: {error}")
            for before in ("mount", "plex"):
                find_phase(before).work(work)


def _end(work: "Work", phase: str) -> float:
    """Note that a phase has ended, for as long as a disk may be full. Raises IoFailed."""
    from plexguard.core.errors import IoFailed

    clock = work.ports.clock
    until_s = clock.monotonic_s() + _FULL_S
    while True:
        try:
            return work.book.end(phase, is_done=phase in LASTING_PHASES)
        except IoFailed:
            if clock.monotonic_s() >= until_s:
                raise
            clock.sleep(_PAUSE_S)


def _insist(work: "Work", do: Callable[[], object]) -> None:
    """Do something, and do it again when the connection to the machine was lost in its midst: any phase finds what it has done, as
    one does that is taken up after a boot. Raises what it raises, ConnectionLost when that lasts."""
    from plexguard.core.ssh import ConnectionLost

    clock = work.ports.clock
    until_s = clock.monotonic_s() + _LOST_S
    while True:
        try:
            do()
            return
        except ConnectionLost as error:
            if clock.monotonic_s() >= until_s:
                raise
            work.tell(f"trying again: {error}")
            clock.sleep(_PAUSE_S)


def _prepare(phase: str, work: "Work") -> None:
    """Do what comes first in a phase. Raises what it raises."""
    if work.book.begin(phase):
        _insist(work, lambda: find_phase(phase).prepare(work))
        work.book.end(phase, is_done=False, has_ended=False)


def open_work(config: Config, ports: Ports, name: str, file: "RunFile") -> "Work":
    """Return a run to work on. Raises what opening the provider raises."""
    from plexguard.cloud_run.phases.work import Work
    from plexguard.cloud_run.reap.world import open_world

    world = open_world(config, ports)
    return Work(
        name=name,
        file=file,
        config=config,
        ports=ports,
        world=world,
        book=open_book(ports, name),
        keys=world.leases.keys_of(name),
    )


def open_book(ports: Ports, name: str) -> "Book":
    from plexguard.cloud_run.life.state import Book
    from plexguard.core.state import state_directory

    return Book(state_directory(begin.NAME), name, clock=ports.clock, journal=ports.journal)


def find_phase(name: str) -> Any:
    """Return the module of a phase: one of many, and each asks for other libraries."""
    match name:
        case "preflight":
            from plexguard.cloud_run.phases import preflight

            return preflight
        case "instance":
            from plexguard.cloud_run.phases import instance

            return instance
        case "mount":
            from plexguard.cloud_run.phases import mount

            return mount
        case "database":
            from plexguard.cloud_run.phases import database

            return database
        case "plex":
            from plexguard.cloud_run.phases import plex

            return plex
        case "scan":
            from plexguard.cloud_run.phases import scan

            return scan
        case "analyze":
            from plexguard.cloud_run.phases import analyze

            return analyze
        case _:
            from plexguard.cloud_run.phases import export

            return export
