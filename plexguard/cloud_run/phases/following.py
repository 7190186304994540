"""Work on the run's machine that this one leads: its plan is left there, it is begun as a job, and what it tells is passed on.

It goes on when the connection is lost and when this machine is booted anew: then it is found, and what it has told meanwhile is
told once.
"""

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass

from plexguard.cloud_run import events
from plexguard.cloud_run.phases.work import Work
from plexguard.cloud_run.section import told
from plexguard.cloud_run.section.told import Note, Packed, Plan, Told
from plexguard.cloud_run.section.worker import PLAN, TOLD
from plexguard.cloud_run.server.place import Place
from plexguard.cloud_run.there.jobs import Job, JobFailed
from plexguard.cloud_run.there.remote_files import put
from plexguard.core.errors import DataError, IoFailed, PlexguardError
from plexguard.core.host import Commands
from plexguard.core.program import FOUND_PROBLEMS
from plexguard.core.records import decode, encode
from plexguard.core.zipped import zip_suite

_CALL_S = 60.0
# What is told when a library is done.
_DONE = {"scan": events.LIBRARY_DONE, "analyze": events.LIBRARY_ANALYSED}


class WorkFailed(PlexguardError):
    """The work on the run's machine did not come to its end."""

    exit_code = FOUND_PROBLEMS


def leave_plan(machine: Commands, place: Place, task: str, plan: Plan) -> str:
    """Bring the program and the plan of a task, and return its folder there. Raises what the machine raises."""
    folder = f"{place.folder}/{task}"
    machine.run(["install", "-d", "-m", "0755", folder], timeout_s=_CALL_S)
    put(machine, zip_suite(), place.suite)
    put(machine, json.dumps({"schema": told.SCHEMA, **encode(plan)}).encode("ascii"), f"{folder}/{PLAN}")
    return folder


@dataclass(slots=True, kw_only=True)
class Following:
    """task: of `plexguard-cloud-run work`. limit_s: after which its machine ends it. bring: brings a checkpoint home. refused: the
    last one that could not be: the next is tried. noted: the last note that was told."""

    run: Work
    machine: Commands
    task: str
    limit_s: float
    bring: Callable[[Packed], object] = lambda _: None
    refused: str = ""
    noted: int = 0

    def do(self, plan: Plan) -> Told:
        """Have it done, and return what it has told at its end. Raises WorkFailed, JobFailed, and what the machine raises."""
        place = Place(self.run.lease.label)
        folder = f"{place.folder}/{self.task}"
        job = Job(host=self.machine, name=place.job(self.task))
        if not job.look().is_there:  # one that works has its program open
            leave_plan(self.machine, place, self.task, plan)
        job.begin([*place.program("cloud-run"), "work", self.task, folder], limit_s=self.limit_s)
        try:
            job.wait(self.run.ports.clock, tell=lambda _standing: self._pass_on(f"{folder}/{TOLD}"))
        except JobFailed as error:
            last = self._pass_on(f"{folder}/{TOLD}")
            job.forget()
            if last is not None and last.failure:
                raise WorkFailed(last.failure, hint=last.hint) from error
            raise
        last = self._pass_on(f"{folder}/{TOLD}")
        job.forget()
        if last is None or not last.is_over:
            raise WorkFailed(f"{self.task}: it has ended, and not said how")
        return last

    def _pass_on(self, file: str) -> Told | None:
        """Tell what it has told since, and return it, None while there is nothing. Raises what the machine raises."""
        now = self._read(file)
        if now is None:
            return None
        state = self.run.book.state
        self.noted = max(self.noted, state.noted.get(self.task, 0))
        for note in now.notes:
            if note.number > self.noted:
                self._tell(note)
        if now.notes and now.notes[-1].number > self.noted:
            self.noted = now.notes[-1].number
            with contextlib.suppress(IoFailed):  # a disk that is full for a minute ends no work of days
                self.run.book.change(noted={**state.noted, self.task: self.noted})
        if now.checkpoint is not None and now.checkpoint.path not in (state.checkpoint, self.refused):
            self._bring(now.checkpoint)
        if (now.line, now.done, now.total) != (state.line, state.done, state.total):
            self.run.tell(now.line, done=now.done, total=now.total)
        return now

    def _tell(self, note: Note) -> None:
        if note.kind == "measured":
            self.run.ports.journal.send(events.STORAGE_MEASURED, run=self.run.name, detail=note.text)
            return
        if note.kind == "done" and self.task in _DONE:
            self.run.ports.journal.send(_DONE[self.task], run=self.run.name, library=note.about, detail=note.text)
        else:
            self.run.tell_trouble(note.text, library=note.about)

    def _bring(self, checkpoint: Packed) -> None:
        try:
            self.bring(checkpoint)
            self.run.book.change(checkpoint=checkpoint.path)
        except PlexguardError as error:
            self.refused = checkpoint.path
            self.run.tell_trouble(f"what was found out cannot be brought home just now: {error}")

    def _read(self, file: str) -> Told | None:
        done = self.machine.run(["cat", "--", file], timeout_s=_CALL_S, check=False)
        if done.code != 0:
            return None  # not yet
        try:
            data = json.loads(done.stdout)
            data.pop("schema", None)
            return decode(Told, data)
        except (ValueError, AttributeError, DataError, RecursionError) as error:
            raise WorkFailed(f"{file}: not as it is written there: {error}") from error
