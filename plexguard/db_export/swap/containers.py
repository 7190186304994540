"""What Docker says of containers that may have Plex's databases: what they are called, and which are about to run again."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from plexguard.core.host import CommandError, CommandFailed, Host
from plexguard.core.mounts import is_below

_ASK_TIMEOUT_S = 15.0
# Docker's words for a container that runs nothing.
_STILL = ("created", "exited", "dead", "absent")
_VOLUMES = "/var/lib/docker/volumes"
# Docker's, containerd's and Podman's cgroups are named after the container's id, by whichever driver.
_ID = re.compile(r"[0-9a-f]{64}")
_SERVICE = re.compile(r"^0::/system\.slice/(?:[^/\n]+\.slice/)*([^/\n]+\.service)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """What a process runs in. name: of the container or the unit. stop: how to stop it."""

    name: str
    stop: str


def stop_command(container: str) -> str:
    return f"docker stop {container}"


def ask_status(host: Host, name: str) -> str:
    """Return Docker's word on a container, "absent" where there is none. Raises CommandError."""
    try:
        return _inspect(host, name, "{{.State.Status}}")
    except CommandFailed as error:
        if "no such container" not in str(error).lower():
            raise
        return "absent"


def is_still(status: str) -> bool:
    """Tell whether a container runs nothing: what is paused, restarted or removed still has its databases open, or will."""
    return status in _STILL


def find_holder(host: Host, cgroup: str) -> Holder | None:
    """Return what a process runs in, None where that does not show. cgroup: its /proc/PID/cgroup (cgroups(7))."""
    if (found := _ID.search(cgroup)) is not None:
        try:
            name = _inspect(host, found[0], "{{.Name}}").removeprefix("/")
        except CommandError:
            # Not Docker's.
            return Holder(name=f"container {found[0][:12]}", stop=f"stop container {found[0][:12]}")
        return Holder(name=f"container {name}", stop=stop_command(name))
    if (found := _SERVICE.search(cgroup)) is not None:
        return Holder(name=found[1], stop=f"systemctl stop {found[1]}")
    return None


def find_restarting(host: Host, folder: Path) -> str:
    """Return the container that Docker is about to start again and that has this folder, "" for none. Raises CommandError."""
    form = "--format=[{{json .Names}}, {{json .Mounts}}]"
    done = host.run(["docker", "ps", "--all", "--no-trunc", "--filter=status=restarting", form], timeout_s=_ASK_TIMEOUT_S)
    return next((name for name, mounts in map(json.loads, done.stdout.splitlines()) if may_have(mounts, folder)), "")


def may_have(mounts: str, folder: Path) -> bool:
    """Tell whether one of a container's mounts leads to a folder. mounts: as `docker ps` lists them, folders and volumes."""
    sources = (mount if mount.startswith("/") else f"{_VOLUMES}/{mount}/_data" for mount in mounts.split(",") if mount)
    return any(is_below(str(folder), source) for source in sources)


def _inspect(host: Host, name: str, form: str) -> str:
    return host.run(["docker", "container", "inspect", f"--format={form}", "--", name], timeout_s=_ASK_TIMEOUT_S).stdout.strip()
