"""Plex's log files: the line format, rotation by rename, and what goes to the console instead.

Times are local and without a zone, as Plex writes them.
"""

from __future__ import annotations

import os
import threading
from datetime import datetime
from pathlib import Path

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MAX_BYTES = 10 * 1000 * 1000
KEPT = 5
SERVER_LOG = "Plex Media Server.log"
SCANNER_LOG = "Plex Media Scanner.log"
SOURCE_TREE = "/home/runner/actions-runner/_work/plex-media-server/plex-media-server"


class Log:
    """One log file. With debug off, DEBUG and VERBOSE lines are not written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.debug = True
        self._lock = threading.Lock()

    def write(self, level: str, message: str, *, component: str = "") -> None:
        """Append one line; component is what stands in brackets before the message, such as Req#57d3a."""
        if level in ("DEBUG", "VERBOSE") and not self.debug:
            return
        prefix = f"[{component}] " if component else ""
        line = f"{stamp(datetime.now().astimezone())} [{threading.get_ident()}] {level} - {prefix}{message}\n"
        with self._lock:
            self._rotate_when_full()
            with self.path.open("a", encoding="utf-8", errors="surrogateescape") as file:
                file.write(line)

    def rotate(self) -> None:
        """Move every file one place on by rename: x.log to x.1.log, up to x.5.log; the oldest goes."""
        for number in range(KEPT - 1, -1, -1):
            if self._numbered(number).exists():
                os.replace(self._numbered(number), self._numbered(number + 1))

    def _rotate_when_full(self) -> None:
        if self.path.exists() and self.path.stat().st_size >= MAX_BYTES:
            self.rotate()

    def _numbered(self, number: int) -> Path:
        return self.path if number == 0 else self.path.with_suffix(f".{number}.log")


class Logs:
    """The folder Logs with the files the simulator writes."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.server = Log(folder / SERVER_LOG)
        self.scanner = Log(folder / SCANNER_LOG)

    def rotate(self) -> None:
        """Begin new files, as each start of the server does."""
        self.server.rotate()


def stamp(now: datetime) -> str:
    """Return a time as 'Aug 04, 2026 06:58:17.248', in English whatever the locale says."""
    return f"{MONTHS[now.month - 1]} {now:%d, %Y %H:%M:%S}.{now.microsecond // 1000:03d}"


def utc_offset(now: datetime) -> str:
    """Return the zone as the first line of a log names it: '02:00', '-07:00'."""
    offset = now.utcoffset()
    minutes = int(offset.total_seconds() // 60) if offset else 0
    return f"{'-' if minutes < 0 else ''}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def write_start(log: Log, version: str) -> None:
    """Write the lines every start begins with."""
    log.write(
        "INFO",
        f"Plex Media Server v{version} - Debian GNU/Linux PC x86_64 - build: linux-x86_64 debian"
        f" - GMT {utc_offset(datetime.now().astimezone())}",
    )
    log.write("INFO", f"Linux version: {os.uname().release}, language: en-US")
    log.write("INFO", "/usr/lib/plexmediaserver/Plex Media Server")
    log.write("DEBUG", "BPQ: [Idle] -> [Starting]")


def write_running(log: Log) -> None:
    """Write the last lines of a start."""
    log.write("DEBUG", "Running server...")
    log.write("DEBUG", "BPQ: [Starting] -> [Processing]")


def write_stop(log: Log, cause: str) -> None:
    """Write the lines of a clean stop; cause is 'signal 15 (Terminated)'."""
    log.write("DEBUG", f"Shutting down with {cause}")
    log.write("DEBUG", "Ordered to stop server.")
    log.write("DEBUG", "Stopping server...")
    log.write("DEBUG", "HttpServer: Stopping server.")
    log.write("DEBUG", "TranscodeJobManager: [Running] onServerShutdown")
    log.write("DEBUG", "TranscodeJobManager: [Running] -> [Shutdown]")
    log.write("DEBUG", "MetadataItemClusterRequestHandler: a shutdown event has been received")


def write_stopped(log: Log) -> None:
    """Write the lines that end a clean stop."""
    log.write("DEBUG", "Server stopped.")
    log.write("DEBUG", "NetworkService: Stopping advertisement.")
    log.write("DEBUG", "Killing plug-ins.")
