"""The section [perms-audit]."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from plexguard.core.events import Mode
from plexguard.core.options import BOOLEAN, CALENDAR, FOLDERS, TEXT, Kind, choice, count, mode, option, span

POLICIES = choice("add", "exact")
FILE_MODE = mode(0o400)
DIR_MODE = mode(0o500)
# The highest user id; the one above it means "none" to the kernel.
_ID = count(-1, 2**32 - 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What holds below one folder instead of the section's own; None: nothing else."""

    path: str
    policy: str | None = None
    file_mode: Mode | None = None
    dir_mode: Mode | None = None
    owner: str | None = None
    group: str | None = None


_OVERRIDE_KINDS: dict[str, Kind[Any]] = {
    "policy": POLICIES,
    "file_mode": FILE_MODE,
    "dir_mode": DIR_MODE,
    "owner": TEXT,
    "group": TEXT,
}


def _overrides(value: object) -> tuple[Override, ...]:
    if not isinstance(value, list):
        raise ValueError
    return tuple(map(_override, value))


def _override(table: object) -> Override:
    if not isinstance(table, dict) or "path" not in table or table.keys() - {"path", *_OVERRIDE_KINDS}:
        raise ValueError
    (path,) = FOLDERS.parse([table["path"]])
    return Override(path=path, **{name: kind.parse(table[name]) for name, kind in _OVERRIDE_KINDS.items() if name in table})


def _show_override(override: Override) -> str:
    given: list[tuple[str, Callable[[Any], str], Any]] = [("path", TEXT.show, override.path)]
    given += [(name, kind.show, value) for name, kind in _OVERRIDE_KINDS.items() if (value := getattr(override, name)) is not None]
    return "{ " + ", ".join(f"{name} = {show(value)}" for name, show, value in given) + " }"


OVERRIDES: Kind[tuple[Override, ...]] = Kind(
    "a list of tables, each with a path (absolute) and what is other below it: policy, file_mode, dir_mode, owner, group",
    _overrides,
    lambda v: "[" + ", ".join(map(_show_override, v)) + "]",
)


def _excludes(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError
    return tuple(_exclude(item) for item in value)


def _exclude(value: object) -> str:
    text = TEXT.parse(value)
    if not text:
        raise ValueError
    return FOLDERS.parse([text])[0] if "/" in text else text


EXCLUDES: Kind[tuple[str, ...]] = Kind(
    'a list of absolute paths and of patterns of names, such as ["/srv/media/incoming", "*.part"]',
    _excludes,
    lambda v: "[" + ", ".join(map(TEXT.show, v)) + "]",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    SECTION: ClassVar[str] = "perms-audit"

    roots: tuple[str, ...] = option(
        FOLDERS, (), "Folders of media to audit. Empty: the library folders that Plex itself names.", environment="MEDIA_ROOTS"
    )
    excludes: tuple[str, ...] = option(
        EXCLUDES,
        ("lost+found", ".Trash-*", "$RECYCLE.BIN", "#recycle"),
        "What is left out: paths with all that is below them, and files and folders by their names.",
    )
    policy: str = option(
        POLICIES,
        "add",
        '"add": whatever Plex can read is well, and else what it lacks is added. "exact": every mode is as configured.',
    )
    file_mode: Mode = option(FILE_MODE, Mode(0o644), "What a file's mode gets where it is wrong; with exact, what all have.")
    dir_mode: Mode = option(DIR_MODE, Mode(0o755), "The same for folders.")
    owner: str = option(TEXT, "", "The user, by name or number, that media belong to. Empty: any.")
    group: str = option(TEXT, "", "The same for the group.")
    overrides: tuple[Override, ...] = option(OVERRIDES, (), "What is other below some folders; the innermost holds.")
    as_user: str = option(TEXT, "", "The user who must be able to read. Empty: the one that Plex runs as.")
    as_uid: int = option(_ID, -1, "The same by number, for a user without a name here. -1: not given.")
    as_gid: int = option(_ID, -1, "The group that goes with as_uid. -1: the groups of that user.")
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
    workers: int = option(count(0, 64), 0, "Processes that walk side by side. 0: one a processor, and more where the disk is slow.")
    stall_timeout: timedelta = option(
        span("5s", "1h"), timedelta(seconds=60), "A root from which nothing has come for so long is given up as hung."
    )
    repeat_after: timedelta = option(
        span("1min", "7d"), timedelta(hours=1), "A path that was repaired is not repaired again before this, if it does not hold."
    )
    restart_plex: bool = option(
        BOOLEAN, False, "Whether Plex is also restarted for media that stay unreadable to it, within the budget of [plex-probe]."
    )
