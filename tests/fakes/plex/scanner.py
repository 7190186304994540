"""Library scans: walk a section's locations, open every media file, and set the database right.

A file that is gone, or that is listed but cannot be opened, is marked as deleted. With autoEmptyTrash, which is on by default,
its rows are removed at the end of the same scan. Only a location whose own path is missing is left alone; an empty folder
counts as 'all deleted'.
"""

from __future__ import annotations

import errno
import hashlib
import os
import queue
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from .faults import Faults
from .library import LEVELS, Library, Location, MediaFile, Section, add_file, empty_trash
from .logs import Logs
from .preferences import Preferences
from .state import Activities, Activity

EXTENSIONS = {
    "movie": frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".ts", ".wmv"}),
    "artist": frozenset({".aac", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav"}),
    "photo": frozenset({".gif", ".heic", ".jpeg", ".jpg", ".png", ".webp"}),
}
EPISODE = re.compile(r"[Ss](\d+)[Ee](\d+)")
# How Plex's library words the errors it met on media.
BOOST_NAMES = {errno.ENOTCONN: "Socket not connected", errno.EACCES: "Permission denied"}

OpenMedia = Callable[[str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A scan that was asked for; path '' is the whole section."""

    section: int
    path: str = ""
    force: bool = False


class Scanner:
    """The queue of scans and the thread that works it off, one scan at a time."""

    def __init__(
        self, library: Library, activities: Activities, preferences: Preferences, faults: Faults, logs: Logs, open_media: OpenMedia
    ) -> None:
        self._library = library
        self._activities = activities
        self._preferences = preferences
        self._faults = faults
        self._logs = logs
        self._open_media = open_media
        self._queue: queue.Queue[Request | None] = queue.Queue()
        self._stopping = threading.Event()
        self.refreshing: set[int] = set()
        # When the scan of a section is to end early, on the monotonic clock.
        self._cancelled: dict[int, float] = {}
        self._thread = threading.Thread(target=self._work, name="scanner", daemon=True)
        self._thread.start()

    def ask(self, request: Request) -> None:
        """Queue a scan; nobody learns when it runs."""
        if request.section not in self.refreshing:
            self._cancelled.pop(request.section, None)
        self._queue.put(request)

    def cancel(self, section: int) -> None:
        """Take note that a scan is not wanted, which may come to nothing. What waits for its turn is as good as running."""
        switches = self._faults.current()
        if switches.cancel == "works":
            self._cancelled.setdefault(section, time.monotonic() + switches.cancel_s)

    def _is_cancelled(self, section: int) -> bool:
        return self._stopping.is_set() or self._cancelled.get(section, float("inf")) <= time.monotonic()

    def _wait(self, section: int, seconds: float) -> bool:
        """Wait, and return whether the scan was broken off meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._is_cancelled(section):
            self._stopping.wait(min(left, 0.02))
        return self._is_cancelled(section)

    def wait(self, timeout_s: float = 10.0) -> None:
        """Return when the queue is worked off. Raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while self._queue.unfinished_tasks:
            if time.monotonic() > deadline:
                raise TimeoutError(f"a scan is still running after {timeout_s} s")
            time.sleep(0.01)

    def stop(self) -> None:
        """Cancel the scan that runs and forget those that wait."""
        self._stopping.set()
        self._queue.put(None)
        self._thread.join(2.0)

    def _work(self) -> None:
        while (request := self._queue.get()) is not None and not self._stopping.is_set():
            try:
                self._run(request)
            except sqlite3.Error as error:
                self._logs.server.write("ERROR", f"Soci Exception handled: sqlite3_statement_backend::loadRS: {error}")
            finally:
                self._queue.task_done()

    def _run(self, request: Request) -> None:
        section = self._library.section(request.section)
        if section is None:
            return
        activity = Activity(type="library.update.section", title="Scanning", cancellable=True)
        self._show(activity)
        self._logs.server.write("DEBUG", f'Activity: registered new activity {activity.uuid} - "Scanning"')
        self._logs.server.write("DEBUG", f"Scanning section {section.key}")
        self._library.freeze_counts(section.key)
        self.refreshing.add(section.key)
        try:
            self._wait(section.key, self._faults.current().nameless_s)
            self._scan(section, request, self._name(activity, section))
        finally:
            self.refreshing.discard(section.key)
            self._cancelled.pop(section.key, None)
            self._library.thaw_counts(section.key)
            self._activities.remove(activity.uuid)

    def _name(self, activity: Activity, section: Section) -> Activity:
        named = replace(activity, title=f"Scanning {section.title}", section=str(section.key), progress=0)
        self._logs.server.write("DEBUG", f"Activity: updated activity {named.uuid} - completed 0.0% - {named.title}")
        self._show(named)
        return named

    def _show(self, activity: Activity) -> None:
        if self._faults.current().scans_shown:
            self._activities.put(activity)

    def _scan(self, section: Section, request: Request, activity: Activity) -> None:
        end = time.monotonic() + self._faults.current().scan_s
        for location in section.locations:
            folder = request.path or location.path
            if not is_below(folder, location.path) or self._is_offline(location):
                continue
            files = self._find(section, location, folder, activity)
            if files is None:
                break
            with self._library.writing() as connection:
                reconcile(connection, section, location, folder, files)
                mark_empty_items(connection, section)
        is_cancelled = self._wait(section.key, max(0.0, end - time.monotonic()))
        empties_trash = bool(self._preferences.value("autoEmptyTrash"))
        if is_cancelled:
            for location in section.locations:
                self._logs.scanner.write("DEBUG", f"Scanner: scanning in {location.path} was cancelled")
            # What was not found again so far is gone: that is how guards have destroyed libraries.
            if empties_trash and not self._stopping.is_set():
                self._library.empty_trash(section.key)
            return
        with self._library.writing() as connection:
            finish(connection, section, force=request.force, empties_trash=empties_trash)

    def _is_offline(self, location: Location) -> bool:
        """Tell whether a location's own path is missing: Plex then leaves its items alone."""
        try:
            os.stat(location.path)
        except FileNotFoundError:
            return True
        except OSError as error:
            self._complain("Couldn't check for the existence of file", location.path, "status", error)
        return False

    def _find(self, section: Section, location: Location, folder: str, activity: Activity) -> dict[str, MediaFile] | None:
        """Return the media files that can be read, or None when the scan was broken off."""
        found = {}
        extensions = EXTENSIONS.get(section.type, EXTENSIONS["movie"])
        for directory, names in self._walk(folder):
            self._show(replace(activity, subtitle=Path(directory).name))
            self._logs.scanner.write("DEBUG", f"Processing directory {directory}")
            for name in names:
                path = os.path.join(directory, name)
                switches = self._faults.current()
                if self._wait(section.key, 0.0 if section.title == switches.quick_library else switches.file_s):
                    return None
                if is_text(path) and Path(name).suffix.lower() in extensions and (file := self._read(section, location, path)):
                    found[path] = file
        return found

    def _walk(self, folder: str) -> Iterator[tuple[str, list[str]]]:
        errors: list[OSError] = []
        for directory, folders, names in os.walk(folder, onerror=errors.append, followlinks=True):
            folders.sort()
            yield directory, sorted(names)
        for error in errors:
            if error.errno == errno.EACCES:
                reason = "boost::filesystem::status: Permission denied [system:13]"
                self._logs.scanner.write("ERROR", f'IsDirectory failed {reason}: "{error.filename}"')
            elif error.errno != errno.ENOENT:
                self._complain("Couldn't check for the existence of file", error.filename, "status", error)

    def _read(self, section: Section, location: Location, path: str) -> MediaFile | None:
        """Open a file and read its beginning, as a scan must; None if that fails."""
        try:
            descriptor = self._open_media(path)
        except OSError as error:
            if error.errno == errno.ENOTCONN:
                self._complain("Couldn't get size of file", path, "file_size", error)
            self._logs.scanner.write("DEBUG", f"File '{Path(path).name}' didn't exist")
            return None
        try:
            size = os.fstat(descriptor).st_size
            beginning = os.read(descriptor, 4096)
        except OSError:
            self._logs.scanner.write("DEBUG", f"File '{Path(path).name}' didn't exist")
            return None
        finally:
            os.close(descriptor)
        content = hashlib.sha1(beginning + str(size).encode()).hexdigest()
        return MediaFile(path=path, size=size, content=content, titles=titles(section.type, os.path.relpath(path, location.path)))

    def _complain(self, what: str, path: str, function: str, error: OSError) -> None:
        name = BOOST_NAMES.get(error.errno or 0, error.strerror)
        self._logs.server.write("ERROR", f'{what} "{path}": boost::filesystem::{function}: {name} [system:{error.errno}]')


def open_media(path: str) -> int:
    """Open a media file for reading and return its descriptor."""
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def is_text(path: str) -> bool:
    """Tell whether a path is valid UTF-8: the database can hold no other."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_below(path: str, folder: str) -> bool:
    """Tell whether a path is a folder or inside it, by whole components."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def titles(section_type: str, relative: str) -> tuple[str, ...]:
    """Return what a file's item and those above it are called, from the top down, by where the file lies."""
    path = Path(relative)
    folders, stem = path.parts[:-1], path.stem
    if len(LEVELS[section_type]) == 1:
        return (stem,)
    top = folders[0] if folders else stem
    if section_type == "artist":
        return (top, folders[1] if len(folders) > 1 else top, stem)
    numbers = EPISODE.search(stem)
    return (top, f"Season {int(numbers[1]) if numbers else 1}", stem)


def reconcile(
    connection: sqlite3.Connection, section: Section, location: Location, folder: str, files: dict[str, MediaFile]
) -> None:
    """Make the rows of one location agree with what was found below a folder of it."""
    rows = connection.execute(
        "SELECT media_parts.id, media_parts.file, media_items.id AS media_id FROM media_parts"
        " JOIN media_items ON media_items.id = media_item_id WHERE section_location_id = ?",
        (location.id,),
    ).fetchall()
    known = {row["file"]: row for row in rows if is_below(row["file"], folder)}
    for path, row in known.items():
        deleted_at = None if path in files else int(time.time())
        # The first time counts: a file that stays away keeps the date it went.
        change = "COALESCE(deleted_at, ?)" if deleted_at else "?"
        connection.execute(f"UPDATE media_parts SET deleted_at = {change} WHERE id = ?", (deleted_at, row["id"]))
        connection.execute(f"UPDATE media_items SET deleted_at = {change} WHERE id = ?", (deleted_at, row["media_id"]))
    for path in sorted(files.keys() - known.keys()):
        add_file(connection, section, location, files[path])


def mark_empty_items(connection: sqlite3.Connection, section: Section) -> None:
    """Mark items without a file left as deleted, from the bottom up, and take back the mark from the others."""
    now = int(time.time())
    for number in reversed(LEVELS[section.type]):
        alive = (
            "EXISTS (SELECT 1 FROM media_items WHERE metadata_item_id = metadata_items.id AND media_items.deleted_at IS NULL)"
            " OR EXISTS (SELECT 1 FROM metadata_items AS child WHERE child.parent_id = metadata_items.id"
            " AND child.deleted_at IS NULL)"
        )
        connection.execute(
            f"UPDATE metadata_items SET deleted_at = CASE WHEN {alive} THEN NULL ELSE COALESCE(deleted_at, ?) END"
            " WHERE library_section_id = ? AND metadata_type = ?",
            (now, section.key, number),
        )


def finish(connection: sqlite3.Connection, section: Section, *, force: bool, empties_trash: bool) -> None:
    """Empty the trash, if that is wanted, and write down that the section was scanned."""
    now = int(time.time())
    if force:
        connection.execute("UPDATE metadata_items SET refreshed_at = ? WHERE library_section_id = ?", (now, section.key))
    if empties_trash:
        empty_trash(connection, section.key)
    connection.execute(
        "UPDATE library_sections SET scanned_at = ?, content_changed_at = content_changed_at + 1 WHERE id = ?",
        (now, section.key),
    )
    connection.execute("UPDATE section_locations SET scanned_at = ? WHERE library_section_id = ?", (now, section.key))
