"""Work on the run's machine that this one leads: its plan is left there, it is begun as a job, and what it tells is passed on.

It goes on when the connection is lost and when this machine is booted anew: then it is found, and what it has told meanwhile is
told once.
"""

import json
from dataclasses import dataclass

from plexguard.cloud_run import events
from plexguard.cloud_run.phases.work import Work
from plexguard.cloud_run.section import told
from plexguard.cloud_run.section.told import Plan, Told
from plexguard.cloud_run.section.worker import PLAN, TOLD
from plexguard.cloud_run.server.place import Place
from plexguard.cloud_run.there.jobs import Job, JobFailed
from plexguard.cloud_run.there.remote_files import put
from plexguard.core.errors import DataError, PlexguardError
from plexguard.core.host import Commands
from plexguard.core.program import FOUND_PROBLEMS
from plexguard.core.records import decode, encode
from plexguard.core.zipped import zip_suite

_CALL_S = 60.0


class WorkFailed(PlexguardError):
    """The work on the run's machine did not come to its end."""

    exit_code = FOUND_PROBLEMS


@dataclass(slots=True, kw_only=True)
class Following:
    """task: of `plexguard-cloud-run work`. limit_s: after which its machine ends it."""

    run: Work
    machine: Commands
    task: str
    limit_s: float

    def do(self, plan: Plan) -> Told:
        """Have it done, and return what it has told at its end. Raises WorkFailed, JobFailed, and what the machine raises."""
        place = Place(self.run.lease.label)
        folder = f"{place.folder}/{self.task}"
        job = Job(host=self.machine, name=place.job(self.task))
        if not job.look().is_there:  # one that works has its program open
            self.machine.run(["install", "-d", "-m", "0755", folder], timeout_s=_CALL_S)
            put(self.machine, zip_suite(), place.suite)
            put(self.machine, json.dumps({"schema": told.SCHEMA, **encode(plan)}).encode("ascii"), f"{folder}/{PLAN}")
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
        before = state.noted.get(self.task, 0)
        for note in now.notes:
            if note.number > before:
                kind = events.LIBRARY_DONE if note.kind == "done" else events.LIBRARY_TROUBLE
                self.run.ports.journal.send(kind, run=self.run.name, library=note.about, detail=note.text)
        noted = now.notes[-1].number if now.notes else 0
        if noted > before:
            self.run.book.change(noted={**state.noted, self.task: noted})
        if (now.line, now.done, now.total) != (state.line, state.done, state.total):
            self.run.tell(now.line, done=now.done, total=now.total)
        return now

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
