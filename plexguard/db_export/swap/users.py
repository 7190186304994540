"""Who has one of these files open: every process of the machine is asked, those in containers too, and the kernel for locks."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from plexguard.core.child import in_child
from plexguard.core.errors import IoFailed, NoPermission, PlexguardError, TryAgain
from plexguard.core.processes import read_comm
from plexguard.db_export.swap.locks import find_lock

_LOOK_TIMEOUT_S = 20.0
_INIT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A process that uses a file. pid: 0 when it can't be seen from here."""

    pid: int
    name: str
    file: str
    is_lock: bool = False

    def __str__(self) -> str:
        who = f"{self.name or 'a process'} (pid {self.pid})" if self.pid else "a process that can't be seen from here"
        return f"{who} {'holds a lock on' if self.is_lock else 'has open'} {self.file}"


def find_users(paths: Iterable[Path]) -> tuple[User, ...]:
    """Return who has these files open or locked. Who may not look at all processes can't tell, and that is an error.

    Raises NoPermission, IoFailed and TryAgain.
    """
    every = tuple(paths)
    try:
        # In a process of its own: what somebody else has open may be on a mount that hangs.
        return in_child(lambda: _find(every), timeout_s=_LOOK_TIMEOUT_S)
    except PermissionError as error:
        raise _cannot_tell("who has Plex's databases open", error) from error
    except OSError as error:
        raise IoFailed(f"Failed to find out who has Plex's databases open: {error.strerror}") from error


def _cannot_tell(what: str, error: OSError) -> PlexguardError:
    return NoPermission(f"Failed to find out {what}: {error.filename or error}: {error.strerror}", hint="run it as root")


def _find(paths: tuple[Path, ...]) -> tuple[User, ...]:
    files = {}
    for path in paths:
        # A Plex that closes its databases removes some of them just now; a bolt is nobody's.
        with contextlib.suppress(FileNotFoundError):
            status = path.lstat()
            files[status.st_dev, status.st_ino] = path.name
    opened = tuple(user for pid in _list_pids() for user in _opened_by(pid, files))
    # Who is seen with the file open says more than a lock.
    seen = {user.pid for user in opened}
    locks = ((path, find_lock(path)) for path in paths if not path.name.endswith("-wal") and not path.is_symlink())
    held = (
        User(pid=pid, name=read_comm(pid) if pid else "", file=path.name, is_lock=True) for path, pid in locks if pid is not None
    )
    return (*opened, *(user for user in held if user.pid not in seen))


def _list_pids() -> list[int]:
    ours = os.getpid(), os.getppid()
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) not in ours]


def _opened_by(pid: int, files: dict[tuple[int, int], str]) -> Iterator[User]:
    inodes, names = {str(inode) for _, inode in files}, frozenset(files.values())
    told = set()
    for fd in _list_fds(pid):
        inode = _read_inode(f"/proc/{pid}/fdinfo/{fd}")
        try:
            # An overlay may tell another inode there than a stat(2) does; a name may be another in a container.
            if inode is not None and inode not in inodes and _read_name(f"/proc/{pid}/fd/{fd}") not in names:
                continue
            status = os.stat(f"/proc/{pid}/fd/{fd}")
        except (FileNotFoundError, ProcessLookupError):
            continue
        name = files.get((status.st_dev, status.st_ino))
        if name is not None and name not in told:
            told.add(name)
            yield User(pid=pid, name=read_comm(pid), file=name)


def _list_fds(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/fdinfo")
    except (FileNotFoundError, ProcessLookupError):
        # It ended meanwhile.
        return []
    except PermissionError:
        # Where this machine is a container itself, what began it may be hidden even from its root; it reads no databases.
        if pid == _INIT and os.geteuid() == 0 and not read_comm(pid).startswith("Plex"):
            return []
        raise


def _read_name(link: str) -> str:
    return os.path.basename(os.readlink(link).removesuffix(" (deleted)"))


def _read_inode(path: str) -> str | None:
    """Return the inode of an open file as the kernel tells it, without a question to its file system (since Linux 5.14)."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return next((line[4:].strip() for line in file if line.startswith("ino:")), None)
    except (FileNotFoundError, ProcessLookupError):
        return "gone"


def check_unused(paths: tuple[Path, ...]) -> None:
    """Raise PlexRuns when somebody uses one of these files."""
    users = find_users(paths)
    if users:
        raise PlexRuns(f"Plex's databases are in use: {'; '.join(map(str, users[:5]))}", hint="stop Plex, and start again")


class PlexRuns(TryAgain):
    """Plex runs, or can't be proven to be stopped."""

    hint = "systemctl stop plexmediaserver.service, or docker stop; then start again"
