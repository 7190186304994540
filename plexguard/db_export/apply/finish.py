"""End an apply that was cut off: what was there before is put back, and Plex is started where it was stopped for it."""

from collections.abc import Callable

from plexguard.core.found import Server
from plexguard.core.program import Ports
from plexguard.db_export.apply import noted
from plexguard.db_export.apply.noted import Note
from plexguard.db_export.apply.server import Runner, is_running, start, stop

_ASK_S = 30.0


def finish(note: Note, undo: Callable[[Note], object], ports: Ports) -> str:
    """Return what was done. undo: puts back what was there, while Plex is stopped. Raises LockHeld while the one who noted it is at
    work, and what stopping, undoing and starting raise: then it stays noted."""
    with noted.hold(note.data, ports.journal) as file:
        now = file.peek()
        if now is None:
            return "nothing was cut off"
        is_early = not ports.manager.unit("multi-user.target").runs
        if now.generation:
            if not is_early and is_running(now.runner, ports.host, ports.manager):
                stop(now.runner, ports.host, ports.manager)
            undo(now)
        if is_early:
            _start_later(now.runner, ports)
        else:
            start(now.runner, ports.host, ports.manager)
        noted.forget(file)
        return "the apply was taken back" if now.generation else "Plex was started again"


def _start_later(runner: Runner, ports: Ports) -> None:
    """Have it started as soon as it can be: at boot this comes before Plex, and before Docker, which does not start by itself what
    was stopped."""
    if runner.kind is Server.UNIT:
        ports.manager.start(runner.name)
        return
    needs = ("--property=After=docker.service", "--property=Requires=docker.service")
    ports.host.run(["systemd-run", "--quiet", "--no-block", *needs, "--", "docker", "start", "--", runner.name], timeout_s=_ASK_S)
