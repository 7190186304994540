"""The section [perms-audit]."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from plexguard.core.config import BOOLEAN, CALENDAR, FOLDERS, count, mode, option, span
from plexguard.core.events import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    SECTION: ClassVar[str] = "perms-audit"

    roots: tuple[str, ...] = option(
        FOLDERS, (), "Folders of media to audit. Empty: the library folders that Plex itself names.", environment="MEDIA_ROOTS"
    )
    file_mode: Mode = option(mode(0o400), Mode(0o644), "What a file's mode has at least; what it lacks of it is added.")
    dir_mode: Mode = option(mode(0o500), Mode(0o755), "The same for folders.")
    changed_within: timedelta = option(
        span("1min", "365d", environment_unit="h"),
        timedelta(hours=4),
        "What counts as recent for --recent, by the later of ctime and mtime.",
        environment="MTIME_HOURS",
    )
    dry_run: bool = option(BOOLEAN, False, "Report only, change nothing.", environment="DRY_RUN")
    interval: timedelta = option(span("1min", "7d"), timedelta(minutes=30), "How often recent changes are audited.")
    full_calendar: str = option(
        CALENDAR, "*-*-* 05:30", "When everything is audited; a time zone may follow, as in systemd.time(7)."
    )
    workers: int = option(count(0, 64), 0, "Processes that walk side by side. 0: one a processor, at most 8.")
    stall_timeout: timedelta = option(
        span("5s", "1h"), timedelta(seconds=60), "A root from which nothing has come for so long is given up as hung."
    )
