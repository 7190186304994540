"""What Plex's container has of a mount: by its table of mounts, and by reading through it in a child that can be given up."""

import contextlib
import json
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from plexguard.core.child import in_child
from plexguard.core.errors import PeerError, PlexguardError
from plexguard.core.found import FoundPlex
from plexguard.core.host import CommandFailed, Host
from plexguard.core.plex import Plex, PlexError, PlexRefused, Session
from plexguard.rclone_watchdog.asking.kernel import COVER_SOURCE, find_lines
from plexguard.rclone_watchdog.inside.decide import Bind, Place, find_binds

_DOCKER_S = 10.0
_READ_S = 8.0
_ASK_S = 3.0
# Of what is sought in a mount for a file to be read.
_MOST_ENTRIES = 2_000
_PROC = Path("/proc")


def inspect(host: Host, name: str) -> tuple[int, tuple[Bind, ...]]:
    """Return the container's first process, 0 when it does not run, and what it was given of the host. Raises CommandError and
    PeerError."""
    try:
        done = host.run(["docker", "inspect", "--type", "container", "--", name], timeout_s=_DOCKER_S)
    except CommandFailed as error:
        if "No such container" in str(error):
            return 0, ()
        raise
    return parse_inspect(done.stdout)


def parse_inspect(text: str) -> tuple[int, tuple[Bind, ...]]:
    try:
        (told,) = json.loads(text)
        pid = int(told["State"]["Pid"]) if told["State"]["Running"] else 0
        binds = tuple(
            Bind(source=str(m["Source"]), destination=str(m["Destination"]), propagation=str(m.get("Propagation", "")))
            for m in told["Mounts"]
            if m.get("Type") == "bind"
        )
    except (ValueError, KeyError, TypeError) as error:
        raise PeerError(f"docker inspect: not as Docker writes it: {error}") from error
    return pid, binds


def find_device(mount_point: str, *, proc: Path = _PROC, process: str = "self") -> str:
    """Return the device of what is mounted at a path, as a process sees it: "" for nothing, and for the cover."""
    text = (proc / process / "mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    lines = find_lines(text, mount_point)
    return lines[-1].device if lines and lines[-1].source != COVER_SOURCE else ""


def find_places(binds: Sequence[Bind], mount_point: str, pid: int, *, proc: Path = _PROC) -> tuple[Place, ...]:
    """Return where a container has the mount, with what is there. Raises OSError when its first process is gone."""
    return tuple(
        Place(bind=bind, path=path, device=find_device(path, proc=proc, process=str(pid)))
        for bind, path in find_binds(binds, mount_point)
    )


def read_inside(pid: int, path: str, found: FoundPlex) -> str:
    """Read some bytes of a file below a container's path, as Plex's user; return why that failed, "" when it did not."""

    def read() -> str:
        top = os.open(f"/proc/{pid}/root{path}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        if os.geteuid() == 0 and found.uid > 0:
            os.setgroups(list(found.gids))
            os.setegid(found.gids[0] if found.gids else found.uid)
            # Effective only: root without CAP_KILL could not end it when it hangs.
            os.seteuid(found.uid)
        for number, (folder, name) in enumerate(_walk_files(top)):
            if number > _MOST_ENTRIES:
                break
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            if os.read(fd, 4096) or not os.fstat(fd).st_size:
                return ""
            return "a file has no bytes though it is not empty"
        return "there is no file to be read"

    try:
        return in_child(read, timeout_s=_READ_S)
    except OSError as error:
        return error.strerror or str(error)
    except PlexguardError as error:
        return str(error)


def _walk_files(top: int) -> Iterator[tuple[int, str]]:
    """Yield files, each with the descriptor of its folder; a folder that is closed is left out."""
    folders = [top]
    seen = 0
    while folders:
        folder = folders.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                seen += 1
                if seen > _MOST_ENTRIES:
                    return
                mode = entry.stat(follow_symlinks=False).st_mode
                if stat.S_ISREG(mode):
                    yield folder, entry.name
                elif stat.S_ISDIR(mode) and len(folders) < 100:
                    with contextlib.suppress(PermissionError):
                        folders.append(os.open(entry.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder))
        if folder != top:
            os.close(folder)


def find_use(plex: Plex, sessions: Sequence[Session] | None, affected: frozenset[str]) -> str | None:
    """Return why Plex must not be restarted: somebody watches something of another library, or it scans; "" when nothing is, None
    when it does not tell. sessions: who watches, None when that is not known."""
    if sessions is None:
        return None
    watching = [session for session in sessions if session.library not in affected]
    if watching:
        return f"somebody watches {watching[0].title}, which lies elsewhere"
    try:
        scans = [activity for activity in plex.activities(timeout_s=_ASK_S) if activity.is_scan]
    except PlexRefused:
        return ""
    except PlexError:
        return None
    return f"Plex is at work: {scans[0].title}" if scans else ""
