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
from plexguard.core.found import DOCKER_SOCKET, DOCKER_UNIT, FoundPlex, Server
from plexguard.core.host import CommandError, Host
from plexguard.core.manager import Manager, Unit, is_stopped
from plexguard.core.processes import Process, find_plex, read_cgroup
from plexguard.db_export.database.files import PlexData
from plexguard.db_export.swap.containers import (
    Holder,
    ask_status,
    find_holder,
    find_restarting,
    is_still,
    stop_command,
)
from plexguard.db_export.swap.pieces import all_files
from plexguard.db_export.swap.users import PlexRuns, User, find_users

WAIT_S = 30.0
_POLL_S = 0.2
_LOOK_TIMEOUT_S = 10.0
_FOLDER = "PLEX_MEDIA_SERVER_APPLICATION_SUPPORT_DIR"
_BELOW_HOME = "Library/Application Support"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Why Plex is not proven to be stopped. passes: it looks like the end of a stop. hint: how to stop it, "" if nobody knows."""

    reason: str
    passes: bool = False
    hint: str = ""


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
            raise PlexRuns(f"Plex is not stopped: {running.reason}", hint=running.hint)
        clock.sleep(_POLL_S)


def find_running(data: PlexData, found: FoundPlex | None, *, manager: Manager, host: Host) -> Running | None:
    """Look once; the first reason that is found."""
    if found is not None and is_data_of(data, found):
        if found.server is Server.UNIT and (running := judge_unit(manager.unit(found.name))) is not None:
            return running
        if found.server is Server.CONTAINER and (running := _ask_container(found.name, manager, host)) is not None:
            return running
    users, servers = find_users(all_files(data)), _find_servers(data)
    pids = dict.fromkeys((*(user.pid for user in users), *(server.pid for server in servers)))
    holders = (find_holder(host, read_cgroup(pid)) for pid in pids if pid)
    running = judge_processes(users, servers, next((holder for holder in holders if holder is not None), None))
    is_native = found is not None and found.server is Server.UNIT and is_data_of(data, found)
    return running if running is not None or is_native else _ask_for_restarting(data, manager, host)


def is_data_of(data: PlexData, found: FoundPlex) -> bool:
    """Tell whether a data folder is that of a server."""
    return bool(found.preferences) and os.path.realpath(Path(found.preferences).parent) == os.path.realpath(data.folder)


def judge_unit(unit: Unit) -> Running | None:
    """Say why a unit is not stopped. Being activated may be a wait for the next try."""
    if unit.active_state == "deactivating":
        return Running(reason=f"{unit.name} is being stopped", passes=True)
    if unit.exists and not is_stopped(unit):
        return Running(reason=f"{unit.name} is {unit.active_state}", hint=f"systemctl stop {unit.name}")
    return None


def _ask_container(name: str, manager: Manager, host: Host) -> Running | None:
    if is_stopped(manager.unit(DOCKER_UNIT)):
        # Containers that outlive it are seen as processes.
        return None
    try:
        status = ask_status(host, name)
    except CommandError as error:
        return Running(reason=f"can't tell the state of container {name}: {error}")
    if is_still(status):
        return None
    return Running(reason=f"container {name} is {status or 'in no known state'}", hint=stop_command(name))


def _ask_for_restarting(data: PlexData, manager: Manager, host: Host) -> Running | None:
    """Look for a container of any name that runs nothing just now, until Docker starts it again by its restart policy."""
    if not DOCKER_SOCKET.exists() or manager.unit(DOCKER_UNIT).active_state != "active":
        return None
    try:
        name = find_restarting(host, data.folder.resolve())
    except CommandError as error:
        return Running(reason=f"can't tell whether a container of it is about to start: {error}")
    return Running(reason=f"container {name} is restarting", hint=stop_command(name)) if name else None


def judge_processes(users: tuple[User, ...], servers: tuple[Process, ...], holder: Holder | None) -> Running | None:
    """Say who uses the databases or runs as a server of this data: that may be the end of a stop. holder: what they run in."""
    first = {user.pid: user for user in reversed(users)}
    reasons = [*map(str, reversed(first.values())), *(f"{server} runs" for server in servers if server.pid not in first)][:3]
    if not reasons:
        return None
    inside = f", in {holder.name}" if holder is not None else ""
    return Running(reason="; ".join(reasons) + inside, passes=True, hint=holder.stop if holder is not None else "")


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
