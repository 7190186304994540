"""The processes that walk and repair, and who hands out their work.

A file system that hangs takes a worker with it, not the audit: the worker is abandoned and its root reported. Where walking
is mostly waiting, for a network or a slow disk, more workers wait side by side.
"""

import contextlib
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from typing import Self

from plexguard.core.child import end_child, end_here
from plexguard.core.errors import PlexguardError
from plexguard.perms_audit.access import Guise
from plexguard.perms_audit.act import Outcome, Repairer, RepairFailed
from plexguard.perms_audit.decide import Repair
from plexguard.perms_audit.open import find_blocked, open_or_fault
from plexguard.perms_audit.policy import Policy
from plexguard.perms_audit.roots import RootFault
from plexguard.perms_audit.walk import Batch, Share, Walker

# So many wait side by side where the file system is slow: 2 ms a lookup are then 8,000 lookups a second, and 60 MB.
MOST_WORKERS = 16


@dataclass(frozen=True, slots=True)
class _Walk:
    """Shares of one root to walk. closed: with the rights of root."""

    root: int
    closed: bool
    shares: Sequence[Share]


@dataclass(frozen=True, slots=True)
class _Repairs:
    """Repairs of one root."""

    root: int
    steps: Sequence[Repair]


@dataclass(frozen=True, slots=True)
class Done:
    """What became of repairs: each with its outcome, or why it failed."""

    results: tuple[tuple[Repair, Outcome | str], ...]


# -- inside a worker --------------------------------------------------------------------------------------------------


class _Server:
    """A worker's life: work in, what was found or done out, until the pipe closes."""

    def __init__(self, pipe: Connection, policy: Policy, changed_since: float | None) -> None:
        self._pipe = pipe
        self._policy = policy
        self._since = changed_since
        self._guise = Guise(policy.identity)
        self._repairer = Repairer(policy.roots, self._guise)
        self._opened: dict[int, int | RootFault] = {}

    def serve(self) -> None:
        self._guise.prepare()
        while True:
            match self._pipe.recv():
                case _Walk() as work:
                    self._pipe.send(self._walk(work))
                case _Repairs() as work:
                    self._pipe.send(self._repair(work))

    def _walk(self, work: _Walk) -> Batch:
        is_first = work.root not in self._opened
        if is_first:
            self._opened[work.root] = open_or_fault(self._policy.roots[work.root], self._guise)
        target = self._opened[work.root]
        if isinstance(target, RootFault):
            return Batch(work.root, root_fault=target)
        walker = Walker(
            self._policy, self._guise, root=work.root, closed=work.closed, changed_since=self._since, tell_alive=self._tell_alive
        )
        if is_first:
            walker.batch.blocked = find_blocked(self._policy.roots[work.root], self._guise)
            walker.batch.is_read_only = bool(os.fstatvfs(target).f_flag & os.ST_RDONLY)
        return walker.walk(target, work.shares)

    def _repair(self, work: _Repairs) -> Done:
        results: list[tuple[Repair, Outcome | str]] = []
        for step in work.steps:
            try:
                results.append((step, self._repairer.repair(step)))
            except RepairFailed as error:
                results.append((step, str(error)))
            self._tell_alive()
        return Done(tuple(results))

    def _tell_alive(self) -> None:
        self._pipe.send(None)


def _serve(pipe: Connection, policy: Policy, changed_since: float | None) -> None:
    # Ctrl-C is the parent's to handle; a worker ends with its pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            _Server(pipe, policy, changed_since).serve()
        except PlexguardError as error:
            pipe.send(error)


# -- the parent -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Worker:
    pid: int
    pipe: Connection
    work: _Walk | _Repairs | None = None
    silent_since_s: float = 0.0

    def end(self) -> None:
        self.pipe.close()
        end_child(self.pid)


class Workers:
    """Walks all roots. Iterate over it for batches and repairs that are done; `walk` and `repair` add to the work.

    workers: how many at first. most_workers: how many where the file system is slow, None for the default. stall_timeout_s: a
    worker that says nothing for so long is given up, with its root.
    """

    def __init__(
        self, policy: Policy, *, changed_since: float | None, workers: int, most_workers: int | None, stall_timeout_s: float
    ) -> None:
        self._policy = policy
        self._changed_since = changed_since
        self._stall_timeout_s = stall_timeout_s
        self._repairs: deque[_Repairs] = deque()
        self._waiting: deque[tuple[int, bool, Share]] = deque(
            (number, False, Share("", root.only)) for number, root in enumerate(policy.roots)
        )
        self._workers: list[_Worker] = []
        self._width = workers
        self._most = max(workers, MOST_WORKERS if most_workers is None else most_workers)
        self._given_up: set[int] = set()

    def walk(self, root: int, path: str, *, closed: bool = False) -> None:
        """Walk a folder that became readable meanwhile. closed: with the rights of root, since it did not."""
        self._waiting.append((root, closed, Share(path)))

    def repair(self, root: int, steps: Sequence[Repair]) -> None:
        self._repairs.append(_Repairs(root, steps))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()

    def __iter__(self) -> Iterator[Batch | Done]:
        while True:
            self._hand_out()
            busy = [worker for worker in self._workers if worker.work is not None]
            if not busy:
                return
            ready = wait([worker.pipe for worker in busy], timeout=self._time_left(busy))
            for worker in busy:
                if worker.pipe in ready:
                    yield from self._receive(worker)
            yield from self._give_up_stalled(busy)

    def _hand_out(self) -> None:
        while self._repairs or self._waiting:
            worker = self._idle_worker()
            if worker is None:
                return
            # Repairs first: what is found behind a closed folder waits for them.
            work = self._repairs.popleft() if self._repairs else self._next_walk()
            if isinstance(work, _Walk) and not work.shares:
                continue
            worker.work, worker.silent_since_s = work, time.monotonic()
            try:
                worker.pipe.send(work)
            except OSError:
                # Killed from outside while it had nothing to do: nothing is lost but the worker.
                self._workers.remove(worker)
                worker.end()
                self._take_back(work)

    def _take_back(self, work: _Walk | _Repairs) -> None:
        if isinstance(work, _Repairs):
            self._repairs.appendleft(work)
        else:
            self._waiting.extendleft((work.root, work.closed, share) for share in reversed(work.shares))

    def _idle_worker(self) -> _Worker | None:
        for worker in self._workers:
            if worker.work is None:
                return worker
        if len(self._workers) < self._width:
            self._workers.append(self._fork())
            return self._workers[-1]
        return None

    def _next_walk(self) -> _Walk:
        """Take a share of the waiting folders of one root: all that wait, split over the workers."""
        root, closed, first = self._waiting.popleft()
        shares = [first]
        fair = len(self._waiting) // self._width
        while len(shares) < fair and self._waiting and self._waiting[0][:2] == (root, closed):
            shares.append(self._waiting.popleft()[2])
        return _Walk(root, closed, [] if root in self._given_up else shares)

    def _fork(self) -> _Worker:
        ours, theirs = Pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            for pipe in (ours, *(worker.pipe for worker in self._workers)):
                pipe.close()
            end_here(lambda: _serve(theirs, self._policy, self._changed_since))
        theirs.close()
        return _Worker(pid, ours)

    def _receive(self, worker: _Worker) -> Iterator[Batch | Done]:
        """Take what a worker says. Raises what it could not even begin with."""
        worker.silent_since_s = time.monotonic()
        try:
            answer = worker.pipe.recv()
        except (EOFError, OSError):
            # Killed from outside (out of memory, for one), perhaps in the middle of its answer: what it had in hand is
            # lost, so its root is not proven.
            yield from self._abandon(worker, RootFault.FAILED)
            return
        if isinstance(answer, PlexguardError):
            raise answer
        if answer is None:
            return
        worker.work = None
        if isinstance(answer, Done):
            yield answer
            return
        if answer.root_fault is not None:
            self._given_up.add(answer.root)
        if answer.waited:
            self._width = min(self._most, self._width * 4)
        # Newest first: depth before breadth keeps the list of what waits short.
        self._waiting.extendleft((answer.root, answer.closed, share) for share in reversed(answer.left_over))
        if answer.root not in self._given_up or answer.root_fault is not None:
            yield answer

    def _time_left(self, busy: Sequence[_Worker]) -> float:
        return max(0.0, min(worker.silent_since_s for worker in busy) + self._stall_timeout_s - time.monotonic())

    def _give_up_stalled(self, busy: Sequence[_Worker]) -> Iterator[Batch | Done]:
        limit = time.monotonic() - self._stall_timeout_s
        for worker in busy:
            # Whose answer waits is not stuck: we were, with what others had found.
            if worker.work is not None and worker.silent_since_s <= limit and not worker.pipe.poll():
                yield from self._abandon(worker, RootFault.HUNG)

    def _abandon(self, worker: _Worker, fault: RootFault) -> Iterator[Batch | Done]:
        """Give up a worker and its root; the others go on with the other roots."""
        work = worker.work
        self._workers.remove(worker)
        worker.end()
        if work is None:
            return
        self._given_up.add(work.root)
        self._waiting = deque(item for item in self._waiting if item[0] != work.root)
        if isinstance(work, _Repairs):
            yield Done(tuple((step, fault.value) for step in work.steps))
        yield Batch(work.root, root_fault=fault)
