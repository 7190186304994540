"""Progress for who watches: a bar on a terminal, STATUS= for the service manager, nothing for anybody else."""

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from plexguard.core.program import Ports
from plexguard.db_export.archive.progress import NoProgress, Pace, Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID


@contextlib.contextmanager
def shown(ports: Ports) -> Iterator[Progress]:
    """Yield what a long work tells its progress to."""
    if not ports.by_hand:
        yield _Status(ports)
    elif sys.stderr.isatty():
        with _bar() as progress:
            yield progress
    else:
        yield NoProgress()


class _Status:
    """The line that `systemctl status` shows."""

    def __init__(self, ports: Ports) -> None:
        self._notifier = ports.notifier
        self._pace = Pace(ports.clock)

    def begin(self, what: str, total_bytes: int) -> None:
        self._notifier.tell(f"STATUS={self._pace.begin(what, total_bytes).show()}")

    def advance(self, done_bytes: int) -> None:
        standing = self._pace.advance(done_bytes)
        if standing is not None:
            self._notifier.tell(f"STATUS={standing.show()}")


@contextlib.contextmanager
def _bar() -> Iterator[Progress]:
    from rich.console import Console  # it takes longer to load than a small library to export
    from rich.progress import Progress as Made

    with Made(console=Console(stderr=True), transient=True) as bar:
        yield _Bar(bar)


class _Bar:
    """A bar for each thing that is done."""

    def __init__(self, bar: "Bar") -> None:
        self._bar = bar
        self._task: TaskID | None = None

    def begin(self, what: str, total_bytes: int) -> None:
        self._task = self._bar.add_task(what, total=total_bytes)

    def advance(self, done_bytes: int) -> None:
        if self._task is not None:
            self._bar.update(self._task, advance=done_bytes)
