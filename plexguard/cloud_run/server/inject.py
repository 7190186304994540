"""Put an archive in the place of the database of a run's Plex, on its machine: with plexguard-db-export, which is brought there.

Each step may be done again: what was carried stays, a job that was begun is found, and a Plex that runs is never written under.
"""

from dataclasses import dataclass
from typing import Any

from plexguard.cloud_run.reference.own import ask
from plexguard.cloud_run.rent.labels import Label
from plexguard.cloud_run.server.container import GID, UID, config_folder
from plexguard.cloud_run.server.counting import Counted, read_counts
from plexguard.cloud_run.server.place import Place
from plexguard.cloud_run.there.jobs import Job
from plexguard.cloud_run.there.remote_files import put
from plexguard.core.clock import Clock
from plexguard.core.errors import PeerError
from plexguard.core.host import Commands
from plexguard.core.zipped import zip_suite

_CALL_S = 60.0
_COUNT_S = 600.0
# Of 15 GB unpacked, checked whole and mended, on a slow disk.
_JOB_S = 6 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """machine: the run's. label: of its lease."""

    machine: Commands
    label: Label
    clock: Clock

    @property
    def _place(self) -> Place:
        return Place(self.label)

    @property
    def archive(self) -> str:
        """Where an archive is brought to."""
        return f"{self._place.folder}/reference.tar.zst"

    @property
    def _program(self) -> tuple[str, ...]:
        return self._place.program("db-export")

    def prepare(self) -> None:
        """Make the folders, as Plex's user's, and bring the program. Raises what the machine raises."""
        self.machine.run(["install", "-d", "-m", "0755", self._place.folder], timeout_s=_CALL_S)
        above, folders = config_folder(self.label), []
        for part in ("", "Library", "Application Support", "Plex Media Server", "Plug-in Support", "Databases"):
            above = f"{above}/{part}".rstrip("/")
            folders.append(above)
        self.machine.run(["install", "-d", "-m", "0755", f"--owner={UID}", f"--group={GID}", *folders], timeout_s=_CALL_S)
        put(self.machine, zip_suite(), self._place.suite)

    def restore(self, archive: str) -> tuple[str, ...]:
        """Verify an archive, unpack and check it, and put it in place; return what in it is to be mended. Raises JobFailed."""
        answer = self._do("restore", "--format=json", f"--data={self._place.data}", archive)
        try:
            return tuple(map(str, answer["damage"]))
        except (TypeError, KeyError) as error:
            raise PeerError(f"plexguard-db-export restore: not as it writes it: {error}") from error

    def repair(self) -> None:
        """Mend what restore() has found. Raises JobFailed."""
        self._do("repair", f"--data={self._place.data}", is_answered=False)

    def remap(self, mappings: bytes) -> int:
        """Write other paths into it, and return how many. Raises JobFailed."""
        file = f"{self._place.folder}/mappings.json"
        put(self.machine, mappings, file)
        # 1: some files are not at their new paths, of which the share was looked at before anything was rented.
        answer = self._do("remap", "--format=json", f"--mappings={file}", f"--data={self._place.data}", goods=(0, 1))
        try:
            return int(answer["rewritten"])
        except (TypeError, KeyError, ValueError) as error:
            raise PeerError(f"plexguard-db-export remap: not as it writes it: {error}") from error

    def count(self) -> tuple[Counted, ...]:
        """Return what its libraries hold. Raises Refused and PeerError; what cannot be read is never empty."""
        return read_counts(ask(self.machine, [*self._program, "count", self._place.library], timeout_s=_COUNT_S))

    def tidy(self) -> None:
        """Remove what was only needed for it: an archive takes as much as its database."""
        self.machine.run(["rm", "-f", "--", self.archive, f"{self._place.folder}/mappings.json"], timeout_s=_CALL_S)

    def _do(self, name: str, *arguments: str, goods: tuple[int, ...] = (0,), is_answered: bool = True) -> Any:
        job = Job(host=self.machine, name=self._place.job(name))
        job.begin([*self._program, name, *arguments], limit_s=_JOB_S)
        job.wait(self.clock, goods=goods)
        answer = job.await_answer(self.clock) if is_answered else None
        job.forget()
        return answer
