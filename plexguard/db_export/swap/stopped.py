"""Is Plex stopped, provably: its unit, its container, the processes of its name, and whoever has its databases open or locked.

What cannot be told is no proof. Right after a stop Plex is still closing its databases, so that is waited for.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from plexguard.core.child import in_child
from plexguard.core.clock import Clock
from plexguard.core.errors import IoFailed, NoPermission
from plexguard.core.found import DOCKER_UNIT, FoundPlex, Server
from plexguard.core.host import CommandError, CommandFailed, Host
from plexguard.core.manager import Manager, Unit, is_stopped
from plexguard.core.processes import Process, find_plex
from plexguard.db_export.database.files import PlexData
from plexguard.db_export.swap.pieces import all_files
from plexguard.db_export.swap.users import PlexRuns, User, find_users

WAIT_S = 30.0
_POLL_S = 0.2
_ASK_TIMEOUT_S = 15.0
_LOOK_TIMEOUT_S = 10.0
# Docker's words for a container that runs nothing.
_STILL = ("created", "exited", "dead", "absent")
_FOLDER = "PLEX_MEDIA_SERVER_APPLICATION_SUPPORT_DIR"
_BELOW_HOME = "Library/Application Support"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Why Plex is not proven to be stopped. passes: it looks like the end of a stop."""

    reason: str
    passes: bool = False


def prove_stopped(
    data: PlexData, found: FoundPlex | None, *, manager: Manager, host: Host, clock: Clock, wait_s: float = WAIT_S
) -> None:
    """Raise PlexRuns unless Plex does not run on this data; wait so long for one that is closing.

    found: the Plex of this machine, which is asked for when this is its data. Raises NoPermission where processes can't be looked
    at, IoFailed, and CommandError when the manager does not answer.
    """
    deadline_s = clock.monotonic_s() + wait_s
    while (running := find_running(data, found, manager=manager, host=host)) is not None:
        if not running.passes or clock.monotonic_s() >= deadline_s:
            raise PlexRuns(f"Plex is not stopped: {running.reason}")
        clock.sleep(_POLL_S)


def find_running(data: PlexData, found: FoundPlex | None, *, manager: Manager, host: Host) -> Running | None:
    """Look once; the first reason that is found."""
    if found is not None and is_data_of(data, found):
        if found.server is Server.UNIT and (running := judge_unit(manager.unit(found.name))) is not None:
            return running
        if found.server is Server.CONTAINER and (running := _ask_container(found.name, manager, host)) is not None:
            return running
    return judge_processes(find_users(all_files(data)), _find_servers(data))


def is_data_of(data: PlexData, found: FoundPlex) -> bool:
    """Tell whether a data folder is that of a server."""
    return bool(found.preferences) and os.path.realpath(Path(found.preferences).parent) == os.path.realpath(data.folder)


def judge_unit(unit: Unit) -> Running | None:
    """Say why a unit is not stopped. Being activated may be a wait for the next try."""
    if unit.active_state == "deactivating":
        return Running(reason=f"{unit.name} is being stopped", passes=True)
    if unit.exists and not is_stopped(unit):
        return Running(reason=f"{unit.name} is {unit.active_state}")
    return None


def _ask_container(name: str, manager: Manager, host: Host) -> Running | None:
    if is_stopped(manager.unit(DOCKER_UNIT)):
        # Containers that outlive it are seen as processes.
        return None
    try:
        argv = ["docker", "container", "inspect", "--format={{.State.Status}}", "--", name]
        status = host.run(argv, timeout_s=_ASK_TIMEOUT_S).stdout.strip()
    except CommandFailed as error:
        if "no such container" not in str(error).lower():
            return Running(reason=f"can't tell the state of container {name}: {error}")
        status = "absent"
    except CommandError as error:
        return Running(reason=f"can't tell the state of container {name}: {error}")
    return judge_container(name, status)


def judge_container(name: str, status: str) -> Running | None:
    """Say why a container is not stopped: what is paused, restarted or removed still has its databases open, or will."""
    return None if status in _STILL else Running(reason=f"container {name} is {status or 'in no known state'}")


def judge_processes(users: tuple[User, ...], servers: tuple[Process, ...]) -> Running | None:
    """Say who uses the databases or runs as a server of this data: that may be the end of a stop."""
    reasons = [*map(str, users[:3]), *(f"{server} runs" for server in servers[:3])]
    return Running(reason="; ".join(reasons), passes=True) if reasons else None


def _find_servers(data: PlexData) -> tuple[Process, ...]:
    """Return the processes named as Plex that run for this data, or don't show for which."""
    processes = tuple(process for process in find_plex() if process.state != "zombie")
    if not processes:
        return ()
    try:
        # A server's folder may be on a mount that hangs.
        return in_child(lambda: _choose(data.folder, processes), timeout_s=_LOOK_TIMEOUT_S)
    except PermissionError as error:
        raise NoPermission(f"Failed to look at Plex's processes: {error.strerror}", hint="run it as root") from error
    except OSError as error:
        raise IoFailed(f"Failed to look at Plex's processes: {error.strerror}") from error


def _choose(folder: Path, processes: tuple[Process, ...]) -> tuple[Process, ...]:
    ours = folder.stat()
    return tuple(process for process in processes if _may_serve(process.pid, ours))


def _may_serve(pid: int, ours: os.stat_result) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            theirs = find_folder(parse_environment(file.read()))
        if theirs is None:
            return True
        # Through its own root: it may be in a container.
        status = os.stat(f"/proc/{pid}/root{theirs}")
    except (FileNotFoundError, ProcessLookupError, NotADirectoryError):
        return False
    return (status.st_dev, status.st_ino) == (ours.st_dev, ours.st_ino)


def parse_environment(text: bytes) -> dict[str, str]:
    """Parse /proc/pid/environ (proc(5))."""
    return dict(os.fsdecode(entry).partition("=")[::2] for entry in text.split(b"\0") if entry)


def find_folder(environment: Mapping[str, str]) -> str | None:
    """Return the data folder of a server with that environment, None where it does not show."""
    above, home = environment.get(_FOLDER, ""), environment.get("HOME", "")
    above = above or (f"{home}/{_BELOW_HOME}" if home else "")
    return f"{above}/Plex Media Server" if above.startswith("/") else None
