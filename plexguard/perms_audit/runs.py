"""The undo lists: for each run a file with everything it was about to change, written before it changed it.

A line stands in the file before its inode is touched, so a run that was cut off can be undone as well; what it did not come to
do is told apart by the mode, which is still the old one. The same files tell which paths were repaired a short while ago.
"""

import contextlib
import dataclasses
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from plexguard.core.clock import Clock
from plexguard.core.errors import DataError, IoFailed, MissingInput, NoPermission
from plexguard.core.records import decode, encode
from plexguard.core.state import PUBLISHED
from plexguard.perms_audit.decide import Repair

SCHEMA = 1
KEPT_RUNS = 500
KEPT_FOR = timedelta(days=90)
# More paths than this are not remembered; then the oldest are forgotten first.
_MOST_LATELY = 50_000
# What a power cut may take: the list is flushed to the kernel before each change, and to the disk this often.
_SYNC_S = 1.0
# When each file was repaired, by its path and inode.
_Repaired = dict[tuple[str, int], datetime]
_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{4}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """Mode and owner of an inode."""

    mode: int
    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change that was about to be made. root, path: as the run knew them, "" for the root itself. at: when. failed: it could
    not be made, or did not help and was taken back; the line before it says what was tried."""

    root: str
    path: str
    device: int
    inode: int
    old: Owned
    new: Owned
    at: datetime
    failed: bool = False

    @property
    def full_path(self) -> str:
        return f"{self.root.rstrip('/')}/{self.path}" if self.path else self.root


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The first line of a list. by: what ran ("audit", "guard", "request", "undo")."""

    schema: int
    run: str
    by: str
    began: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    head: Head
    changes: tuple[Change, ...]


class RunLog:
    """The list of the run that goes on. No file is made before the first change.

    waits_for_disk: a second's changes at most are lost in a power cut. The live guard does not wait: nothing is repaired while
    a busy disk takes its time for others, and the kernel writes the list down by itself within half a minute.
    """

    def __init__(self, folder: Path, by: str, clock: Clock, *, waits_for_disk: bool = True) -> None:
        self._waits_for_disk = waits_for_disk
        self._folder = folder
        self._by = by
        self._clock = clock
        self._fd = -1
        self._length = 0
        self._synced_s = 0.0
        self._noted = self._failed = 0
        self.head = _make_head(by, clock)

    @property
    def run(self) -> str:
        return self.head.run

    @property
    def is_begun(self) -> bool:
        return self._fd >= 0

    def note(self, changes: Iterable[Change]) -> None:
        """Write down what is about to be changed. Raises IoFailed: then nothing must be changed."""
        lines = [_line(change) for change in changes]
        if not lines:
            return
        self._noted += len(lines)
        self._write(lines)

    def note_failed(self, change: Change) -> None:
        """Write down that a change was not made after all. When that cannot be, the list says more than was done: no harm."""
        self._failed += 1
        with contextlib.suppress(IoFailed):
            self._write([_line(dataclasses.replace(change, failed=True))])

    def _write(self, lines: list[str]) -> None:
        try:
            if self._fd < 0:
                self._begin()
            _write_all(self._fd, "".join(lines).encode("ascii"))
            if self._waits_for_disk and self._clock.monotonic_s() - self._synced_s >= _SYNC_S:
                os.fdatasync(self._fd)
                self._synced_s = self._clock.monotonic_s()
            self._length = os.lseek(self._fd, 0, os.SEEK_END)
        except OSError as error:
            self._drop_half()
            raise IoFailed(f"Failed to write the undo list of run {self.run}: {error.strerror}") from error

    def _begin(self) -> None:
        if not self._folder.is_dir():
            self._folder.mkdir(parents=True)
            # Published, in spite of the unit's UMask=0077.
            self._folder.chmod(0o755)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(self._path, flags, 0o600)
        self._length = 0
        os.fchmod(self._fd, PUBLISHED)
        _write_all(self._fd, _line(self.head).encode("ascii"))

    @property
    def _path(self) -> Path:
        return self._folder / f"{self.run}.jsonl"

    def _drop_half(self) -> None:
        """Forget what could not be written as a whole: half a line would spoil the next one, and half a head the list."""
        if self._fd < 0:
            return
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, self._length)
        if not self._length:
            self.close()
            with contextlib.suppress(OSError):
                self._path.unlink()

    def renew(self) -> None:
        """Begin another run, if this one has changed something."""
        if self.is_begun:
            self.close()
            self.head = _make_head(self._by, self._clock)

    def close(self) -> None:
        """End the list. One that holds nothing but failures is of use to nobody, and would in time crowd out the others."""
        if self._fd < 0:
            return
        os.close(self._fd)
        self._fd = -1
        if self._failed >= self._noted:
            with contextlib.suppress(OSError):
                self._path.unlink()
        self._noted = self._failed = 0


def _make_head(by: str, clock: Clock) -> Head:
    began = clock.now()
    return Head(schema=SCHEMA, run=f"{began:%Y%m%dT%H%M%S}-{os.urandom(2).hex()}", by=by, began=began)


def _line(record: Change | Head) -> str:
    return json.dumps(encode(record), ensure_ascii=True) + "\n"


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def read_run(folder: Path, run: str) -> Run:
    """Return a run's list. Raises MissingInput, DataError, NoPermission and IoFailed."""
    if not _ID.fullmatch(run):
        raise MissingInput(f"{run}: no such run", hint="plexguard-perms-audit list")
    try:
        text = (folder / f"{run}.jsonl").read_text(encoding="ascii", errors="replace")
    except FileNotFoundError as error:
        raise MissingInput(f"{run}: no such run", hint="plexguard-perms-audit list") from error
    except PermissionError as error:
        raise NoPermission(f"Failed to read run {run}: {error.strerror}", hint="run it as root") from error
    except OSError as error:
        raise IoFailed(f"Failed to read run {run}: {error.strerror}") from error
    head, *rest = text.split("\n")
    found = decode(Head, _parse(head, run))
    if found.schema != SCHEMA:
        raise DataError(f"run {run}: schema {found.schema} is not {SCHEMA}: from another version of plexguard")
    return Run(head=found, changes=tuple(_parse_changes(rest, run)))


def _parse(line: str, run: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"run {run}: not JSON: {error}") from error


def _parse_changes(lines: list[str], run: str) -> Iterator[Change]:
    made: dict[tuple[str, int], list[Change]] = {}
    for line in lines:
        try:
            change = decode(Change, _parse(line, run))
        except DataError:
            # Cut off in the middle of a write: what was not yet written down was not yet done.
            continue
        tries = made.setdefault((change.full_path, change.inode), [])
        if not change.failed:
            tries.append(change)
        elif tries:
            tries.pop()
    yield from (change for tries in made.values() for change in tries)


def to_change(step: Repair, root: str, clock: Clock) -> Change:
    """Return the line of the undo list for a step. root: its root's path."""
    finding, owned = step.finding, step.finding.owned
    new_uid = owned.uid if step.uid < 0 else step.uid
    new_gid = owned.gid if step.gid < 0 else step.gid
    return Change(
        root=root,
        path=finding.path,
        device=finding.device,
        inode=finding.inode,
        old=Owned(mode=owned.mode, uid=owned.uid, gid=owned.gid),
        new=Owned(mode=step.new_mode, uid=new_uid, gid=new_gid),
        at=clock.now(),
    )


def list_runs(folder: Path) -> list[str]:
    """Return the ids of all runs that changed something, oldest first. Raises NoPermission and IoFailed."""
    try:
        return sorted(file.stem for file in folder.iterdir() if file.suffix == ".jsonl" and _ID.fullmatch(file.stem))
    except FileNotFoundError:
        return []
    except PermissionError as error:
        raise NoPermission(f"Failed to read {folder}: {error.strerror}", hint="run it as root") from error
    except OSError as error:
        raise IoFailed(f"Failed to read {folder}: {error.strerror}") from error


class Lately:
    """The files that were repaired, by any run, within a time: `(path, inode) in lately`. `refresh` before asking.

    Another file of the same name is another file: an upgrade of a film is repaired like any new one. A clock that jumped must
    not hold anything back for ever: what lies that far in the future is as long ago.
    """

    def __init__(self, folder: Path, clock: Clock, *, within: timedelta) -> None:
        self._folder = folder
        self._clock = clock
        self._within = within
        self._own: _Repaired = {}
        # By run: how long its list was when it was read, and what stands in it.
        self._others: dict[str, tuple[int, _Repaired]] = {}

    def __contains__(self, file: object) -> bool:
        found = [repaired[file] for repaired in (self._own, *(r for _, r in self._others.values())) if file in repaired]
        return any(abs(self._clock.now() - at) < self._within for at in found)

    def add(self, path: str, inode: int) -> None:
        """Note a repair of one's own."""
        self._own.pop((path, inode), None)
        self._own[path, inode] = self._clock.now()
        limit = self._clock.now() - self._within
        # In the order in which they were made.
        while len(self._own) > _MOST_LATELY or next(iter(self._own.values())) < limit:
            del self._own[next(iter(self._own))]

    def refresh(self, *, own_run: str = "") -> None:
        """Read what other runs have written down since the last time; own_run: one's own, which `add` knows better.

        Raises NoPermission and IoFailed.
        """
        kept: dict[str, tuple[int, _Repaired]] = {}
        now = self._clock.now()
        for run in list_runs(self._folder):
            try:
                status = (self._folder / f"{run}.jsonl").stat()
                if run == own_run or abs(now.timestamp() - status.st_mtime) > self._within.total_seconds():
                    continue
                known = self._others.get(run)
                if known is not None and known[0] == status.st_size:
                    kept[run] = known
                else:
                    changes = read_run(self._folder, run).changes[-_MOST_LATELY:]
                    kept[run] = status.st_size, {(change.full_path, change.inode): change.at for change in changes}
            except (FileNotFoundError, MissingInput, DataError):
                continue
        self._others = kept


def trim(folder: Path, now: datetime) -> None:
    """Delete the lists that are too old, or too many. Raises IoFailed."""
    runs = list_runs(folder)
    limit = f"{now - KEPT_FOR:%Y%m%dT%H%M%S}"
    for run in {*runs[:-KEPT_RUNS], *(run for run in runs if run < limit)}:
        try:
            (folder / f"{run}.jsonl").unlink(missing_ok=True)
        except OSError as error:
            raise IoFailed(f"Failed to delete the undo list of run {run}: {error.strerror}") from error
