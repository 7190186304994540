"""Media that stay unreadable: flagged when Plex complained in vain, tried again by every audit, cleared when cured."""

import contextlib
import dataclasses
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from plexguard.core.clock import Clock
from plexguard.core.errors import PlexguardError, TryAgain
from plexguard.core.events import FilePath
from plexguard.core.journal import Journal
from plexguard.core.manager import Manager
from plexguard.core.mounts import is_below
from plexguard.core.state import StateFile, exclusive_lock
from plexguard.core.unreadable import FLAG, MOST_PATHS, Record, Unreadable, publish_flag
from plexguard.perms_audit import events

PLEX_RESTART = "plexguard-plex-restart.service"
# Unreadable for so long in spite of everything is lasting: the next audit but one, with the default interval.
LASTING_S = 1800.0
_LOCK_TIMEOUT_S = 2.0


def flag(path: str, reason: str, *, journal: Journal, clock: Clock, file: StateFile[Record], public: Path = FLAG) -> None:
    """Note a path as unreadable, and tell it when that is new. public: the flag for Plex's container. Raises PlexguardError."""
    with _held(file, clock):
        record = file.load() or Record()
        is_new = path not in record.paths
        if is_new and len(record.paths) < MOST_PATHS:
            record = Record(paths={**record.paths, path: Unreadable(since=clock.moment(), reason=reason)})
            file.save(record)
        publish_flag(record, public)
    if is_new:
        journal.send(events.UNHEALTHY, path=FilePath(path), reason=reason)


def clear(path: str, state: str, *, journal: Journal, clock: Clock, file: StateFile[Record], public: Path = FLAG) -> None:
    """Take a path off the record, if it is on it, and tell how long it was. Raises PlexguardError."""
    with _held(file, clock):
        record = file.load() or Record()
        was = record.paths.get(path)
        if was is None:
            publish_flag(record, public)
            return
        record = Record(paths={other: entry for other, entry in record.paths.items() if other != path})
        file.save(record)
        publish_flag(record, public)
    journal.send(events.HEALTHY, path=FilePath(path), state=state, downtime_s=clock.moment().seconds_since(was.since))


@contextlib.contextmanager
def _held(file: StateFile[Record], clock: Clock) -> Iterator[None]:
    """Hold the record's lock, which others hold for a moment only. Raises TryAgain when they do not let go of it."""
    deadline_s = clock.monotonic_s() + _LOCK_TIMEOUT_S
    while True:
        try:
            with exclusive_lock(file.path.with_suffix(".lock")):
                yield
                return
        except TryAgain:
            if clock.monotonic_s() > deadline_s:
                raise
            clock.sleep(0.05)


def find_flagged(file: StateFile[Record], roots: tuple[str, ...]) -> list[str]:
    """Return the paths on the record that lie below one of the roots."""
    record = file.load() or Record()
    return [path for path in record.paths if any(is_below(path, root) for root in roots)]


def try_again(prove: Callable[[str], str], *, journal: Journal, clock: Clock, file: StateFile[Record], public: Path = FLAG) -> None:
    """Try every path on the record, and clear those that are cured. prove: returns why a path is unreadable, "" when it is not.

    A path of which nothing can be told stays on the record. The flag is made to say what the record says: a reboot forgets it.
    """
    with _held(file, clock):
        publish_flag(file.load() or Record(), public)
    for path in (file.load() or Record()).paths:
        try:
            reason = prove(path)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV):
                clear(path, "no longer there", journal=journal, clock=clock, file=file, public=public)
        except PlexguardError:
            continue
        else:
            if not reason:
                clear(path, "readable again", journal=journal, clock=clock, file=file, public=public)


def ask_restart(*, manager: Manager, journal: Journal, clock: Clock, file: StateFile[Record]) -> None:
    """Ask, once for each path, for a restart of Plex when paths have been unreadable for long. Raises PlexguardError.

    An ask that the restart's unit put off (somebody was watching, say) counts as none.
    """
    was_put_off = manager.unit(PLEX_RESTART).exit_code == os.EX_TEMPFAIL
    with _held(file, clock):
        record, now = file.load() or Record(), clock.moment()
        lasting = {
            path: dataclasses.replace(was, asked_restart=now)
            for path, was in record.paths.items()
            if now.seconds_since(was.since) >= LASTING_S and (was.asked_restart is None or was_put_off)
        }
        if not lasting:
            return
        # Noted first: an ask that could not be counted must not happen.
        file.save(Record(paths={**record.paths, **lasting}))
    journal.send(events.RESTART_ASKED, count=len(lasting), path=FilePath(next(iter(lasting))))
    manager.start(PLEX_RESTART)
