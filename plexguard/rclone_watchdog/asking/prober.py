"""Asks what it is told to, each question beside the caller, and keeps the newest answer to each. It judges nothing.

A question to rclone or the storage has a thread of its own for as long as it lasts, what goes through the mount a process. Neither
is waited for.
"""

import os
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from plexguard.core.clock import Clock
from plexguard.core.host import Host
from plexguard.core.secret import mask
from plexguard.core.state import StateFile
from plexguard.rclone_watchdog.asking.backend import Backend, make_address
from plexguard.rclone_watchdog.asking.cache import CacheReader
from plexguard.rclone_watchdog.asking.kernel import KernelWatch, MountTable
from plexguard.rclone_watchdog.asking.rc import ADDRESS_FILE, AddressFile, HttpRc, Line, Rc, RcAddress, RcError, to_number
from plexguard.rclone_watchdog.asking.samples import SCHEMA, Known, Sample, Samples, choose_samples, is_hidden
from plexguard.rclone_watchdog.asking.storage import Reply, StorageReader, judge_rc
from plexguard.rclone_watchdog.asking.through import ThroughReader
from plexguard.rclone_watchdog.config import Config, Mount
from plexguard.rclone_watchdog.observe import Answer, Listing, Observation, Outcome, Question

SAMPLES_FILE = "samples.json"
# What asks rclone alone, and no storage, has answered by then or does not.
_RCLONE_LIMIT_S = 10.0
# How far one goes for some files.
_MOST_FOLDERS, _FOUND_AT_ONCE = 8, 6
# Of fewer files that are known, all may have been deleted by their owner: with one film, with one season.
_MANY = 10
# Every so many listings one goes on from the top to further files, until enough are known.
_SEARCH_EVERY = 10
# For how long what another rclone said of a refusal is taken for the reason of the next one, too.
_EXPLAINED_S = 60.0
_MOST_WORDS = 300
# Files that are asked for through our mount before it is said that they are not there: one may have been deleted.
_MOST_TRIES = 3
# So often one file is read through our mount before the next: of each new one rclone first asks for its folder and time. A small
# one is another each time, since the first read may bring all of it into rclone's cache.
_SAME_FILE, _LARGE_BYTES = 10, 256 << 20
# What has no answer of its own in an Observation, only numbers.
_NUMBERS = frozenset({Question.CACHE})


@dataclass
class _Task:
    """A question that is under way. more: what it found, as fields of an Observation."""

    question: Question
    asked_s: float
    line: Line = field(default_factory=Line)
    answer: Answer | None = None
    more: dict[str, Any] = field(default_factory=dict)


class MountProber:
    """Asks about one mount. See observe.Prober. rng, connect: for tests."""

    def __init__(
        self,
        mount: Mount,
        config: Config,
        *,
        clock: Clock,
        host: Host,
        runtime: Path,
        samples: StateFile[Known] | None,
        rng: Random | None = None,
        connect: Callable[[RcAddress], Rc] = HttpRc,
        folder: str = "",
    ) -> None:
        """runtime: where rclone's unit writes its address. samples: where files are kept that are known to be there. folder: below
        which it is read through the mount, where that is not its top."""
        self._mount = mount
        self._config = config
        self._clock = clock
        self._connect = connect
        self._rng = rng or Random()  # noqa: S311  # chooses files and places in them
        self._table = MountTable()
        self._kernel = KernelWatch(mount, table=self._table)
        self._file = AddressFile(runtime / ADDRESS_FILE)
        remote = mount.remote or mount.mount_point
        self._samples = Samples(remote, file=samples, rng=self._rng, canary=mount.canary)
        keeps_nothing = mount.is_ours and mount.cache_mode != "full"
        self._through = ThroughReader(folder or mount.mount_point, at_start=keeps_nothing)
        self._backend = Backend(host)
        self._storage = StorageReader(mount.remote, rng=self._rng, now=clock.monotonic_s, explain=self._explain)
        self._cache = CacheReader(clock.monotonic_s)
        self._tasks: dict[Question, _Task] = {}
        self._found: dict[str, Any] = {}
        self._listings = self._tries = self._times = 0
        self._chosen: Sample | None = None
        self._explained: tuple[str, float] = ("", -_EXPLAINED_S)
        self._address: RcAddress | None = None

    @property
    def data_requests(self) -> int:
        """How many requests to the storage a question for data costs."""
        return self._storage.requests

    @property
    def stuck_pid(self) -> int:
        """Return our own process that is stuck in the mount, 0 when none is."""
        return self._through.stuck_pid

    def look(self) -> Observation:
        now_s = self._clock.monotonic_s()
        self._address = self._file.read() if self._mount.is_ours else None
        kernel = self._kernel.look(now_s, rclone_pid=self._address.pid if self._address else 0)
        for task in list(self._tasks.values()):
            self._take(task, now_s)
        self._take_through(now_s)
        return Observation(now_s=now_s, kernel=kernel, **self._found)

    def ask(self, questions: Collection[Question], *, renew: Collection[Question] = ()) -> None:
        now_s = self._clock.monotonic_s()
        for question in renew:
            task = self._tasks.pop(question, None)
            if task is not None:
                task.line.cut()
        for question in questions:
            if question is Question.THROUGH:
                self._through.begin(self._choose(), now_s, rng=self._rng)
            elif self._mount.is_ours and question not in self._tasks:
                self._begin(question, now_s)

    def _choose(self) -> Sample | None:
        """Return the file to be read through the mount: the last one again, while it is read well and is large."""
        last: Answer | None = self._found.get("through")
        is_well = last is not None and last.outcome is Outcome.GOOD
        if not is_well or self._chosen is None or self._chosen.size < _LARGE_BYTES or self._times >= _SAME_FILE:
            self._chosen, self._times = self._samples.next(), 0
        self._times += 1
        return self._chosen

    def close(self) -> None:
        """Give up all that is under way. What is stuck in the mount ends when the kernel lets it."""
        for task in self._tasks.values():
            task.line.cut()
        self._through.give_up()
        self._table.close()

    # -- what was answered --

    def _take(self, task: _Task, now_s: float) -> None:
        answer = task.answer
        if answer is not None:
            del self._tasks[task.question]
            self._found |= task.more
        else:
            answer = Answer(outcome=Outcome.LATE, asked_s=task.asked_s, latency_s=now_s - task.asked_s, is_pending=True)
        if task.question not in _NUMBERS:
            self._found[_field(task.question)] = answer

    def _take_through(self, now_s: float) -> None:
        taken = self._through.take(now_s)
        if taken is None:
            return
        answer, read = taken
        if read is not None:
            self._samples.add(read.found)
        if answer.outcome is Outcome.MISSING and self._may_try_another(answer):
            self._tries += 1
            if self._through.begin(self._samples.next(), now_s, rng=self._rng):
                return
        if not answer.is_pending:
            self._tries = 0
        if read is not None and not self._mount.is_ours:
            self._samples.note_read(Sample(path=read.path, size=read.size))
        self._found["through"] = answer

    def _may_try_another(self, answer: Answer) -> bool:
        """Tell whether another file may still be there. Of our mount the storage knows that better, and what is known to be there
        is not forgotten because a mount is empty."""
        if not answer.about or self._samples.has_canary:
            return False
        if self._mount.is_ours:
            return self._tries < min(_MOST_TRIES, self._samples.count)
        return not self._samples.note_missing(Sample(path=answer.about, size=0))

    # -- the threads --

    def _begin(self, question: Question, now_s: float) -> None:
        task = _Task(question=question, asked_s=now_s)
        self._tasks[question] = task
        address = self._address or self._file.read()
        threading.Thread(target=self._answer, args=(task, address), name=question.value, daemon=True).start()

    def _answer(self, task: _Task, address: RcAddress | None) -> None:
        reply, about = Reply(outcome=Outcome.FAILED, detail="plexguard could not ask"), ""
        try:
            reply, about = self._ask(task, address)
        except RcError as error:
            reply = judge_rc(error)
        finally:
            words = mask(" ".join(reply.detail.split()))[:_MOST_WORDS]
            latency_s = self._clock.monotonic_s() - task.asked_s
            task.answer = Answer(outcome=reply.outcome, asked_s=task.asked_s, latency_s=latency_s, about=about, detail=words)

    def _ask(self, task: _Task, address: RcAddress | None) -> tuple[Reply, str]:
        rc = self._connect(address) if address is not None else None
        if task.question is Question.DATA:
            return self._ask_data(rc, task.line)
        if task.question is Question.DIRECT:
            return self._ask_directly(address)
        if rc is None:
            return Reply(outcome=Outcome.FAILED, detail="rclone does not run"), ""
        if task.question is Question.CONTROL:
            return self._ask_control(rc, task.line)
        if task.question is Question.LISTING:
            return self._ask_listing(rc, task)
        task.more = {"cache": self._cache.read(rc, task.line)} if task.question is Question.CACHE else _ask_process(rc, task.line)
        return Reply(outcome=Outcome.GOOD), ""

    @property
    def _patience_s(self) -> float:
        return self._config.patience.total_seconds()

    def _ask_data(self, rc: Rc | None, line: Line) -> tuple[Reply, str]:
        """Read of one file after the other until one is there; missing are only all."""
        deadline_s = self._clock.monotonic_s() + self._patience_s
        if self._samples.count == 0 and rc is not None:
            self._samples.add(self._find(rc, line))
        reply, about = self._read_in_turn(rc, line, deadline_s)
        if reply.outcome is Outcome.MISSING and not self._samples.has_canary and self._samples.count < _MANY and rc is not None:
            found = self._find(rc, line)
            self._samples.add(found)
            if found:
                reply, about = self._read_in_turn(rc, line, deadline_s)
        return reply, about

    def _read_in_turn(self, rc: Rc | None, line: Line, deadline_s: float) -> tuple[Reply, str]:
        reply = Reply(outcome=Outcome.MISSING, detail="no file with content was found in it")
        sample = self._samples.next()
        for _ in range(self._samples.count):
            if sample is None or (left_s := deadline_s - self._clock.monotonic_s()) <= 0:
                break
            sized = self._measure(rc, sample, left_s, line)
            if sized is None:
                reply = Reply(outcome=Outcome.MISSING, detail="the file is not there")
            else:
                reply = self._storage.read(rc, sized, timeout_s=left_s, line=line)
            if reply.outcome is Outcome.GOOD and sized is not None:
                self._samples.note_read(Sample(path=sample.path, size=reply.size or sized.size))
            if reply.outcome is not Outcome.MISSING or self._samples.note_missing(sample):
                return reply, sample.path
            sample = self._samples.next()
        return reply, sample.path if sample else ""

    def _measure(self, rc: Rc | None, sample: Sample, left_s: float, line: Line) -> Sample | None:
        """Return a file with its size, which of a named canary is asked for once; None when there is no such file."""
        if sample.size or rc is None:
            return sample
        values = {"fs": self._mount.remote, "remote": sample.path}
        item = rc.call("operations/stat", values, timeout_s=left_s, line=line).get("item")
        return Sample(path=sample.path, size=to_number(item.get("Size"))) if isinstance(item, dict) else None

    def _ask_control(self, rc: Rc, line: Line) -> tuple[Reply, str]:
        sample = self._samples.next()
        if sample is None:
            rc.call("operations/list", _listing_of(self._mount.remote, ""), timeout_s=self._patience_s, line=line)
            return Reply(outcome=Outcome.GOOD, detail="no file is known yet: its top was listed"), ""
        values = {"fs": self._mount.remote, "remote": sample.path}
        item = rc.call("operations/stat", values, timeout_s=self._patience_s, line=line).get("item")
        if item is None:
            return Reply(outcome=Outcome.MISSING, detail="the file is not there"), sample.path
        return Reply(outcome=Outcome.GOOD), sample.path

    def _ask_listing(self, rc: Rc, task: _Task) -> tuple[Reply, str]:
        entries = self._list(rc, "", task.line)
        task.more = {"listing": Listing(entries=len(entries), baseline=0)}
        self._listings += 1
        if self._samples.are_wanted and self._listings % _SEARCH_EVERY == 0:
            self._samples.add(self._find(rc, task.line, top=entries))
        return Reply(outcome=Outcome.GOOD), ""

    def _find(self, rc: Rc, line: Line, top: list[dict[str, Any]] | None = None) -> tuple[Sample, ...]:
        """Find some files by a random way down from the top, and beside it: a request for each folder."""
        ways, entries, found = [""], top, list[Sample]()
        for _ in range(_MOST_FOLDERS):
            if not ways or len(found) >= _FOUND_AT_ONCE:
                break
            folder = ways.pop()
            entries = entries if entries is not None else self._list(rc, folder, line)
            files = [Sample(path=str(e.get("Path", "")), size=to_number(e.get("Size"))) for e in entries if not e.get("IsDir")]
            found += choose_samples((file for file in files if not is_hidden(os.path.basename(file.path))), self._rng)
            folders = [str(e.get("Path", "")) for e in entries if e.get("IsDir") and not is_hidden(str(e.get("Name", "")))]
            self._rng.shuffle(folders)
            ways += folders
            entries = None
        return tuple(found)

    def _list(self, rc: Rc, folder: str, line: Line) -> list[dict[str, Any]]:
        values = _listing_of(self._mount.remote, folder)
        found = rc.call("operations/list", values, timeout_s=self._patience_s, line=line).get("list")
        return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []

    def _ask_directly(self, address: RcAddress | None) -> tuple[Reply, str]:
        sample = self._samples.next()
        limit_s = 2 * self._config.answer_limit.total_seconds()
        address = address or self._file.last or make_address(self._mount, self._config)
        return self._backend.read(address, sample, timeout_s=limit_s), sample.path if sample else ""

    def _explain(self, sample: Sample, timeout_s: float) -> str:
        """Return another rclone's words for why a file is not given, of the last minute."""
        words, at_s = self._explained
        now_s = self._clock.monotonic_s()
        address = self._file.last
        if now_s - at_s >= _EXPLAINED_S and address is not None:
            words = self._backend.read(address, sample, timeout_s=timeout_s).detail
            self._explained = (words, now_s)
        return words


def _field(question: Question) -> str:
    return "listing_answer" if question is Question.LISTING else question.value


def _ask_process(rc: Rc, line: Line) -> dict[str, Any]:
    found = rc.call("core/stats", {}, timeout_s=_RCLONE_LIMIT_S, line=line)
    words = mask(" ".join(str(found.get("lastError") or "").split()))[:_MOST_WORDS]
    return {"errors": to_number(found.get("errors")), "last_error": words, "transferred_bytes": to_number(found.get("bytes"))}


def _listing_of(remote: str, folder: str) -> dict[str, Any]:
    # Without the times: S3 would be asked for each file's own.
    return {"fs": remote, "remote": folder, "opt": {"noModTime": True, "noMimeType": True}}


def open_samples(folder: Path, journal: Any) -> StateFile[Known]:
    return StateFile(folder / SAMPLES_FILE, Known, schema=SCHEMA, journal=journal)
