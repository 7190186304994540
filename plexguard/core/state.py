"""State on disk: one small JSON record a program, written so that a crash leaves the old or the new one, never half.

A record that is torn, foreign or from a newer version is set aside as `.bad`, told as an event and begun anew; every
program must be safe without its state. Histories are JSON lines, trimmed.
"""

import fcntl
import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from plexguard.core import core_events
from plexguard.core.errors import DataError, IoFailed, NoPermission, TryAgain
from plexguard.core.events import FilePath
from plexguard.core.journal import Journal
from plexguard.core.records import decode, encode

T = TypeVar("T")
STATE_ROOT = Path("/var/lib/plexguard")
RUNTIME_ROOT = Path("/run/plexguard")
# Larger is no state of ours; reading it would only cost memory.
MAX_STATE_BYTES = 16 * 1024 * 1024
# How long a lock is waited for that its holder, killed, left with a program it was about to start.
_INHERITED_S = 0.5
# What others read (status, notify) is published in spite of the unit's UMask=0077; secrets are never state.
PUBLISHED = 0o644


def state_directory(program: str) -> Path:
    """Return where a program keeps its state: $STATE_DIRECTORY under systemd, the same folder when run by hand.

    Of several the one of that name, where there is one: the manager lists them in an order of its own.
    """
    folders = os.environ.get("STATE_DIRECTORY", "").split(":")
    return Path(next((folder for folder in folders if folder.endswith(f"/{program}")), folders[0]) or STATE_ROOT / program)


def runtime_directory(program: str) -> Path:
    """Return where a program keeps what a reboot forgets: $RUNTIME_DIRECTORY under systemd, the same folder when run by hand."""
    return Path(os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0] or RUNTIME_ROOT / program)


def make_folder(folder: Path) -> Path:
    """Make a folder of state, as its unit would: a command of root's by hand may come before the unit has ever run. What root makes
    in a service's folder is given to the service's user.

    Raises NoPermission and IoFailed.
    """
    try:
        if not folder.is_dir():
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            owner = folder.parent.stat()
            if os.geteuid() == 0 and owner.st_uid != 0:
                os.chown(folder, owner.st_uid, owner.st_gid)
    except PermissionError as error:
        raise NoPermission(f"Failed to make {folder}: {error.strerror}", hint="run it as root") from error
    except OSError as error:
        raise IoFailed(f"Failed to make {folder}: {error.strerror}") from error
    return folder


class StateFile(Generic[T]):
    """One record of a dataclass in one file. schema: raised when the record changes so that old code would misread it.

    spare: a file in memory, for what the disk does not take (`keep`). While it is there, it is the newer one.
    """

    def __init__(self, path: Path, record: type[T], *, schema: int, journal: Journal, spare: Path | None = None) -> None:
        self.path = path
        self._spare = spare
        self._record = record
        self._schema = schema
        self._journal = journal

    def load(self) -> T | None:
        """Return the record, or None where there is none that can be used. Raises NoPermission and IoFailed."""
        kept = self._read_spare()
        if kept is not None:
            return kept
        try:
            return self._parse(_read(self.path))
        except FileNotFoundError:
            return None
        except DataError as error:
            self._set_aside(str(error))
            return None

    def save(self, record: T) -> None:
        """Replace the record on disk. Raises IoFailed (disk full, read-only) with the old record intact."""
        self._write(self.path, record)
        if self._spare is not None:
            _remove(self._spare)

    def keep(self, record: T) -> None:
        """Save a record, or where the disk takes nothing keep it in memory, which a reboot forgets.

        Only for what may be forgotten: what was seen and told, never what was done. Raises IoFailed as save() does, but the
        next time, when that is no news, not any more.
        """
        was_kept = self.is_kept
        try:
            self.save(record)
        except IoFailed:
            if self._spare is None:
                raise
            with suppress(IoFailed):
                self._write(self._spare, record)
            if not was_kept:
                raise

    @property
    def is_kept(self) -> bool:
        """Whether the record that counts is the one in memory."""
        return self._read_spare() is not None

    def _write(self, path: Path, record: T) -> None:
        text = json.dumps({"schema": self._schema, **encode(record)}, indent=1, ensure_ascii=True)
        write_atomic(path, (text + "\n").encode("ascii"), mode=PUBLISHED)

    def _read_spare(self) -> T | None:
        if self._spare is None:
            return None
        try:
            return self._parse(_read(self._spare))
        except (FileNotFoundError, DataError, NoPermission, IoFailed):
            return None

    def _parse(self, text: bytes) -> T:
        data = _parse_object(text)
        schema = data.pop("schema", None)
        if schema != self._schema:
            raise DataError(f"schema {schema!r} is not {self._schema}: from another version of plexguard")
        return decode(self._record, data)

    def read(self) -> T:
        """Return the record for who may only read. Raises FileNotFoundError, DataError, NoPermission and IoFailed."""
        kept = self._read_spare()
        return kept if kept is not None else self._parse(_read(self.path))

    def peek(self) -> T | None:
        """Return the record for who may only read, or None where there is none that can be used; nothing is set aside."""
        try:
            return self.read()
        except (FileNotFoundError, DataError, NoPermission, IoFailed):
            return None

    def _set_aside(self, reason: str) -> None:
        aside = self.path.with_name(self.path.name + ".bad")
        try:
            os.replace(self.path, aside)
        except OSError as error:
            raise IoFailed(f"Failed to set aside {self.path}: {error.strerror}") from error
        self._journal.send(core_events.STATE_SET_ASIDE, path=FilePath(self.path), aside=FilePath(aside), reason=reason)


def _read(path: Path) -> bytes:
    try:
        # A folder that another user may write to may hold anything: a pipe must not hang whoever reads it.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise DataError("no regular file")
            text = file.read(MAX_STATE_BYTES + 1)
    except FileNotFoundError:
        raise
    except PermissionError as error:
        raise NoPermission(f"Failed to read {path}: {error.strerror}") from error
    except OSError as error:
        raise IoFailed(f"Failed to read {path}: {error.strerror}") from error
    if len(text) > MAX_STATE_BYTES:
        raise DataError("far too large")
    return text


def _parse_object(text: bytes) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"not JSON: {error}") from error
    if not isinstance(data, dict):
        raise DataError("not a JSON object")
    return data


def write_atomic(path: Path, content: bytes, *, mode: int) -> None:
    """Write a file so that readers and crashes see the old or the new content. Raises IoFailed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        raise IoFailed(f"Failed to write {path}: {error.strerror}") from error
    finally:
        # It is only still there when something failed, or when the program was asked to stop just now.
        with suppress(OSError):
            temporary.unlink()


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise IoFailed(f"Failed to remove {path}: {error.strerror}") from error


def sync_file(path: Path) -> None:
    """Wait until what is in a file is on the disk; its name is its folder's. Raises OSError."""
    _sync(path, os.O_NOFOLLOW)


def sync_folder(folder: Path) -> None:
    """Make what a folder lists outlast a power cut: a file's own fsync(2) does not. Raises OSError."""
    _sync(folder, os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class History(Generic[T]):
    """An append-only file of records, one JSON line each, trimmed to the newest `keep`."""

    def __init__(self, path: Path, record: type[T], *, keep: int) -> None:
        self.path = path
        self._record = record
        self._keep = keep

    def read(self) -> tuple[T, ...]:
        """Return the records, oldest first. A line that is torn or foreign is left out: the last one may be half written."""
        try:
            lines = _read(self.path).splitlines()
        except FileNotFoundError:
            return ()
        return tuple(self._parse_lines(lines))

    def append(self, record: T) -> None:
        """Add one record and trim. Raises IoFailed with the old file intact."""
        records = [*self.read(), record][-self._keep :]
        text = "".join(json.dumps(encode(r), ensure_ascii=True) + "\n" for r in records)
        write_atomic(self.path, text.encode("ascii"), mode=PUBLISHED)

    def _parse_lines(self, lines: list[bytes]) -> Iterator[T]:
        for line in lines:
            try:
                yield decode(self._record, _parse_object(line))
            except DataError:
                continue


class LockHeld(TryAgain):
    """Another run is at work."""


@contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Hold a lock that the kernel releases with the process. Raises LockHeld when another holds it, after half a second.

    Raises IoFailed and NoPermission when the file cannot be opened.
    """
    try:
        fd = _open_lock(path)
    except PermissionError as error:
        raise NoPermission(f"Failed to open {path}: {error.strerror}", hint="run it as root") from error
    except OSError as error:
        raise IoFailed(f"Failed to open {path}: {error.strerror}") from error
    try:
        _lock_soon(fd, path)
        yield
    finally:
        os.close(fd)


def _open_lock(path: Path) -> int:
    """Open a lock file, which is made if need be. What root makes by hand in a service's folder is given to the service's user,
    who else could not lock it."""
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        fd = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return os.open(path, flags)
    owner = path.parent.stat()
    # Not where it is root's anyway: the sandboxes refuse the call.
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(fd, owner.st_uid, owner.st_gid)
    return fd


def _lock_soon(fd: int, path: Path) -> None:
    """A run that is killed while it starts a program leaves the lock with that program until it has closed what it inherited."""
    deadline_s = time.monotonic() + _INHERITED_S
    while True:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline_s:
                raise LockHeld(f"{path}: held by another run") from error
        time.sleep(0.01)
