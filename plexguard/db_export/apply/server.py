"""What runs the Plex of a data folder, stopped and started."""

import re
from dataclasses import dataclass

from plexguard.core.errors import Unavailable
from plexguard.core.found import FoundPlex, Server
from plexguard.core.host import Host
from plexguard.core.manager import Manager
from plexguard.core.processes import read_cgroup
from plexguard.db_export.database.files import PlexData
from plexguard.db_export.swap.containers import ask_status, find_holder, is_still
from plexguard.db_export.swap.pieces import all_files
from plexguard.db_export.swap.stopped import is_data_of
from plexguard.db_export.swap.users import find_users

# It closes its databases, and is then ended.
STOP_S = 120
_START_S = 120.0
_CONTAINER = re.compile(r"docker stop (\S+)")


class NotRunning(Unavailable):
    """No Plex runs on this data, so that nobody can tell whether it would be well after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """What runs Plex. kind: a unit or a container."""

    kind: Server
    name: str

    def __str__(self) -> str:
        return self.name if self.kind is Server.UNIT else f"container {self.name}"


def find_runner(data: PlexData, found: FoundPlex | None, host: Host, manager: Manager) -> Runner:
    """Return what runs Plex on this data just now: as discovery has it, or whose process has its databases open. Raises NotRunning,
    and what looking at processes raises."""
    if found is not None and is_data_of(data, found) and found.server in (Server.UNIT, Server.CONTAINER):
        runner = Runner(kind=found.server, name=found.name)
        if is_running(runner, host, manager):
            return runner
    for user in find_users(all_files(data)):
        holder = find_holder(host, read_cgroup(user.pid)) if user.pid else None
        if holder is None:
            continue
        container = _CONTAINER.fullmatch(holder.stop)
        if container is not None:
            return Runner(kind=Server.CONTAINER, name=container[1])
        if holder.name.endswith(".service"):
            return Runner(kind=Server.UNIT, name=holder.name)
    raise NotRunning(
        f"{data.folder}: no Plex runs on it, and whether it would be well after cannot be told",
        hint="start Plex; or, without that: plexguard-db-export restore",
    )


def is_running(runner: Runner, host: Host, manager: Manager) -> bool:
    """Raises CommandError."""
    if runner.kind is Server.UNIT:
        return manager.unit(runner.name).runs
    return not is_still(ask_status(host, runner.name))


def stop(runner: Runner, host: Host, manager: Manager) -> None:
    """Raises CommandError."""
    if runner.kind is Server.UNIT:
        manager.stop(runner.name, timeout_s=STOP_S)
    else:
        host.run(["docker", "stop", "-t", str(STOP_S // 2), "--", runner.name], timeout_s=STOP_S)


def start(runner: Runner, host: Host, manager: Manager) -> None:
    """Raises CommandError."""
    if runner.kind is Server.UNIT:
        manager.reset_failed(runner.name)
        manager.start(runner.name, timeout_s=_START_S)
    else:
        host.run(["docker", "start", "--", runner.name], timeout_s=_START_S)
