"""Put an archive in place of the databases of a Plex that runs, and prove that it is well after; or put all of it back.

Whatever goes wrong, Plex runs in the end on what it had before, or on the archive and is well. Who is cut off leaves a note, by
which the next one, or a boot, puts back what was there (finish.py).
"""

import contextlib
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from plexguard.core.errors import PlexguardError
from plexguard.core.plex import Plex
from plexguard.core.program import FOUND_PROBLEMS, Ports
from plexguard.core.state import StateFile
from plexguard.db_export.apply import noted
from plexguard.db_export.apply.health import Health, await_well
from plexguard.db_export.apply.noted import Note
from plexguard.db_export.apply.server import Runner, start, stop
from plexguard.db_export.database.files import PlexData


class PutBack(PlexguardError):
    """The archive is not in place: what was there before is, and Plex is well with it."""

    exit_code = FOUND_PROBLEMS


class NotPutBack(PlexguardError):
    """Neither with the archive nor with what was there before Plex is well."""

    exit_code = FOUND_PROBLEMS


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacing:
    """A Plex that runs, and what replaces its databases. before: how it is. expected: the libraries that it has to show after.
    put: replaces, and returns the number of what was there; adjust: changes what was put; undo: puts back what was there. These
    are called while Plex is stopped. open_plex: with the token as it is by then."""

    data: PlexData
    runner: Runner
    before: Health
    expected: frozenset[str]
    open_plex: Callable[[], Plex]
    put: Callable[[], int]
    adjust: Callable[[], object]
    undo: Callable[[int], object]
    ports: Ports

    def run(self) -> Health:
        """Return how Plex is now. Raises PutBack, NotPutBack, and LockHeld while another one is at
        work."""
        with (
            noted.hold(self.data, self.ports.journal) as file,
            uninterrupted(),
            self.ports.manager.inhibit(what="sleep:shutdown", why="Plex's database is being replaced"),
        ):
            note = Note(folder=str(self.data.folder), kind=self.runner.kind.value, name=self.runner.name)
            file.save(note)
            generation = 0
            try:
                stop(self.runner, self.ports.host, self.ports.manager)
                generation = self.put()
                file.save(replace(note, generation=generation))
                self.adjust()
                start(self.runner, self.ports.host, self.ports.manager)
                health = await_well(self.open_plex, self.before, self.expected, self.ports.clock)
            except PlexguardError as error:
                self._put_back(file, generation, error)
                raise PutBack(
                    f"the archive is not in place, and what was there before is: {error}",
                    hint=error.hint or "look at Plex's own log",
                ) from error
            noted.forget(file)
            return health

    def _put_back(self, file: StateFile[Note], generation: int, why: PlexguardError) -> None:
        """Raises NotPutBack, and leaves the note."""
        try:
            if generation:
                stop(self.runner, self.ports.host, self.ports.manager)
                self.undo(generation)
            start(self.runner, self.ports.host, self.ports.manager)
            await_well(self.open_plex, self.before, self.before.libraries, self.ports.clock)
        except PlexguardError as error:
            raise NotPutBack(
                f"{why}; and what was there before is not in place, or Plex is not well with it: {error}",
                hint="plexguard-db-export finish; plexguard-db-export undo --list",
            ) from error
        noted.forget(file)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Between stop and start nobody ends this process by SIGTERM: that would leave Plex stopped. All that it waits for has a
    limit."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
