"""Leases: on disk before anything is rented, who holds it, until when, and by which ids it is known as they come back.

A lease outlives whoever made it. It says no more than what was asked for: whether that is there is for the provider to say.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from plexguard.cloud_run.rent.keys import Keys
from plexguard.cloud_run.rent.labels import Label
from plexguard.cloud_run.rent.resources import Key, Kind
from plexguard.core.clock import Moment
from plexguard.core.errors import DataError, IoFailed, NoPermission, PlexguardError
from plexguard.core.journal import Journal
from plexguard.core.options import THING_NAME
from plexguard.core.state import StateFile, exclusive_lock, make_folder

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """What a run holds, or may hold.

    units: any of which holds it, as long as it runs in the boot that the lease was made in. deadline: when it is given back in
    any case, by the provider's clock. keep: until then even when nobody holds it. keys: of what is known to have been made.
    type, hourly_euros: of the machine. project: of the provider's, in which it is.
    """

    run: str
    owner: str
    provider: str
    zone: str
    units: tuple[str, ...]
    made: Moment
    deadline: datetime
    keep: bool = False
    type: str = ""
    hourly_euros: float = 0.0
    project: str = ""
    keys: tuple[Key, ...] = ()

    @property
    def label(self) -> Label:
        return Label(owner=self.owner, run=self.run, deadline=self.deadline)

    @property
    def has_server(self) -> bool:
        """Whether a machine is known to have been made."""
        return any(key.kind is Kind.SERVER for key in self.keys)

    def with_key(self, key: Key) -> "Lease":
        return self if key in self.keys else replace(self, keys=(*self.keys, key))


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRead:
    """A lease as it was found. lease: None when it can't be read, and why: then nobody knows who holds what."""

    lease: Lease | None
    why: str = ""


class Leases:
    """The leases of all runs, one folder each below `folder`."""

    def __init__(self, folder: Path, journal: Journal) -> None:
        self._folder = folder
        self._journal = journal

    def read_all(self) -> dict[str, LeaseRead]:
        """Return every lease by its run. One that can't be read is no reason to take it for none. Raises IoFailed, NoPermission."""
        try:
            names = sorted(place.name for place in self._folder.iterdir() if THING_NAME.fullmatch(place.name))
        except FileNotFoundError:
            return {}
        except PermissionError as error:
            raise NoPermission(f"Failed to read {self._folder}: {error.strerror}", hint="run it as root") from error
        except OSError as error:
            raise IoFailed(f"Failed to read {self._folder}: {error.strerror}") from error
        return {name: read for name in names if (read := self.read(name)) is not None}

    def read(self, run: str) -> LeaseRead | None:
        """Return the lease of a run, None when there is none."""
        try:
            lease = self._file(run).read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PlexguardError as error:
            return LeaseRead(lease=None, why=f"{self._path(run)}: {error}")
        if lease.run != run:
            return LeaseRead(lease=None, why=f"{self._path(run)}: is the lease of {lease.run}")
        return LeaseRead(lease=lease)

    def save(self, lease: Lease) -> None:
        """Keep a lease, before what it names is asked for. Raises IoFailed, NoPermission."""
        make_folder(self._path(lease.run).parent)
        self._file(lease.run).save(lease)

    def note(self, run: str, key: Key) -> None:
        """Add to a lease what is known to have been made. Raises DataError when there is none: then nothing may be made."""
        read = self.read(run)
        if read is None or read.lease is None:
            raise DataError(f"{self._path(run)}: {read.why if read else 'there is no lease'}")
        if key not in read.lease.keys:
            self.save(read.lease.with_key(key))

    def keys_of(self, run: str) -> Keys:
        """Return where the keys are of the machine that a run holds."""
        return Keys(self._folder / run / "keys")

    def forget(self, run: str) -> None:
        """Remove a lease with the keys of its machine, once nothing of it is left. Raises IoFailed."""
        self.keys_of(run).forget()
        try:
            self._path(run).unlink(missing_ok=True)
        except OSError as error:
            raise IoFailed(f"Failed to remove {self._path(run)}: {error.strerror}") from error

    @contextmanager
    def hold(self, run: str) -> Iterator[None]:
        """Be the only one who makes or gives back what a run holds. Raises TryAgain when another is at it."""
        with exclusive_lock(make_folder(self._path(run).parent) / "lock"):
            yield

    def _path(self, run: str) -> Path:
        return self._folder / run / "lease.json"

    def _file(self, run: str) -> StateFile[Lease]:
        return StateFile(self._path(run), Lease, schema=SCHEMA, journal=self._journal)
