"""Processes that look at folders, side by side. One that hangs is given up, with what it had in hand; nobody waits for it."""

import contextlib
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from typing import Generic, Self, TypeVar

from plexguard.core.child import end_child, end_here

T = TypeVar("T")
R = TypeVar("R")
Alive = Callable[[], None]
# Where a look is mostly waiting, for a network, so many wait side by side.
MOST = 16
STALL_S = 30.0
_ALIVE_EVERY_S = 0.5
_SLOW_S = 1.0


@dataclass(slots=True)
class _Worker(Generic[T]):
    pid: int
    pipe: Connection
    task: T | None = None
    since_s: float = 0.0
    silent_since_s: float = 0.0


class Pool(Generic[T, R]):
    """Does tasks in children. Iterate over it for tasks and what came of them, None for one whose child was given up.

    work: is called in a child with a task and a function to call now and then, which tells that it lives. It is inherited, with
    all that it knows: tasks and answers alone go through pipes. stall_s: a child that says nothing for so long is given up.
    """

    def __init__(self, work: Callable[[T, Alive], R], *, stall_s: float = STALL_S, workers: int = 0) -> None:
        self._work = work
        self._stall_s = stall_s
        self._width = workers or max(2, os.cpu_count() or 2)
        self._waiting: deque[T] = deque()
        self._workers: list[_Worker[T]] = []

    def add(self, task: T) -> None:
        self._waiting.append(task)

    def drop(self, unwanted: Callable[[T], bool]) -> list[T]:
        """Take tasks back that nobody has begun, and return them."""
        dropped = [task for task in self._waiting if unwanted(task)]
        self._waiting = deque(task for task in self._waiting if not unwanted(task))
        return dropped

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.pipe.close()
            end_child(worker.pid)
        self._workers.clear()

    def __iter__(self) -> Iterator[tuple[T, R | None]]:
        while True:
            self._hand_out()
            busy = [worker for worker in self._workers if worker.task is not None]
            if not busy:
                return
            left_s = min(worker.silent_since_s for worker in busy) + self._stall_s - time.monotonic()
            ready = wait([worker.pipe for worker in busy], timeout=max(0.0, left_s))
            for worker in busy:
                if worker.pipe in ready:
                    yield from self._receive(worker)
                elif worker.silent_since_s + self._stall_s <= time.monotonic() and not worker.pipe.poll():
                    yield from self._give_up(worker)

    def _hand_out(self) -> None:
        while self._waiting:
            worker = next((worker for worker in self._workers if worker.task is None), None)
            if worker is None and len(self._workers) >= self._width:
                return
            if worker is None:
                worker = self._fork()
            task = self._waiting.popleft()
            try:
                worker.pipe.send(task)
            except OSError:  # killed from outside, while it had nothing to do
                self._waiting.appendleft(task)
                self._end(worker)
                continue
            worker.task, worker.since_s = task, time.monotonic()
            worker.silent_since_s = worker.since_s

    def _fork(self) -> _Worker[T]:
        ours, theirs = Pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            for pipe in (ours, *(worker.pipe for worker in self._workers)):
                pipe.close()
            end_here(lambda: _serve(theirs, self._work))
        theirs.close()
        worker: _Worker[T] = _Worker(pid, ours)
        self._workers.append(worker)
        return worker

    def _receive(self, worker: _Worker[T]) -> Iterator[tuple[T, R | None]]:
        try:
            is_done, answer = worker.pipe.recv()
        except (EOFError, OSError):
            yield from self._give_up(worker)
            return
        now_s = time.monotonic()
        worker.silent_since_s = now_s
        if not is_done or worker.task is None:
            return
        if now_s - worker.since_s > _SLOW_S:
            self._width = MOST
        task, worker.task = worker.task, None
        yield task, answer

    def _give_up(self, worker: _Worker[T]) -> Iterator[tuple[T, R | None]]:
        task = worker.task
        self._end(worker)
        if task is not None:
            yield task, None

    def _end(self, worker: _Worker[T]) -> None:
        self._workers.remove(worker)
        worker.pipe.close()
        end_child(worker.pid)


def _serve(pipe: Connection, work: Callable[[T, Alive], R]) -> None:
    # Ctrl-C is the parent's to handle; a child ends with its pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    told_s = 0.0

    def tell_alive() -> None:
        nonlocal told_s
        if time.monotonic() - told_s > _ALIVE_EVERY_S:
            told_s = time.monotonic()
            pipe.send((False, None))

    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            pipe.send((True, work(pipe.recv(), tell_alive)))
