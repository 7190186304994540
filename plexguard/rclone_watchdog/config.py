"""The sections [rclone-watchdog], how mounts are watched, and [rclone.NAME], the mounts themselves."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import ClassVar, TypeVar

from plexguard.core.events import Mode
from plexguard.core.folders import is_system_folder
from plexguard.core.mounts import is_below
from plexguard.core.options import BOOLEAN, FOLDER, TEXT, Kind, choice, count, mode, option, show_list, size, span, tables
from plexguard.core.spans import parse_size
from plexguard.rclone_watchdog.mounting.flags import find_faults, holds_secret

T = TypeVar("T")


def _of_profile(kind: Kind[T], unset: T) -> Kind[T]:
    """Return the kind of a value that the profile has when it is not given: `unset` then, which is no value of the kind itself."""
    return Kind(
        f'{kind.allowed}; "" means: as the profile says',
        lambda value: unset if value == "" else kind.parse(value),
        lambda value: '""' if value == unset else kind.show(value),
    )


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError
    return tuple(TEXT.parse(item) for item in value)


_FLAGS: Kind[tuple[str, ...]] = Kind('a list of flags, such as ["--tpslimit=10"]', _texts, show_list)
_SIZE = _of_profile(size("1M", "64T"), 0)
_NUMBER = _of_profile(count(1, 1000), 0)
# The bounds let the time limits of before be had: 120min, 600s, 20 retries.
_LIMIT = _of_profile(span("1s", "12h"), timedelta(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a mount takes of memory, disk and storage. The time limits are not those of before (60 to 120 min, 10 to 20 retries),
    with which one read of a storage that hangs lasts for days; the page has what was measured."""

    cache_size: int
    buffer_size: int
    read_ahead: int
    chunk_size: int
    transfers: int
    checkers: int
    dir_cache: timedelta
    timeout: timedelta = timedelta(seconds=40)
    connect_timeout: timedelta = timedelta(seconds=10)
    retries: int = 1


def _profile(cache: str, buffer: str, chunk: str, transfers: int, *, dir_cache_h: int = 24) -> Profile:
    return Profile(
        cache_size=parse_size(cache),
        buffer_size=parse_size(buffer),
        read_ahead=parse_size(buffer),
        chunk_size=parse_size(chunk),
        transfers=transfers,
        checkers=2 * transfers,
        dir_cache=timedelta(hours=dir_cache_h),
    )


PROFILES = {
    "lite": _profile("5G", "64M", "32M", 2),
    "standard": _profile("10G", "128M", "64M", 4, dir_cache_h=72),
    "power": _profile("20G", "256M", "128M", 16),
    "superpower": _profile("20G", "512M", "128M", 32),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A mount: what rclone shows where, and how it is proven."""

    remote: str = option(
        TEXT,
        "",
        'What is mounted, as rclone names it, such as "s3:media". Empty: somebody else mounts it (fstab, mergerfs, NFS), and it is '
        "watched only.",
    )
    mount_point: str = option(
        FOLDER, "", "Where. Libraries of Plex are best below it: while it is away Plex leaves them alone. Must be given."
    )
    profile: str = option(
        choice(*PROFILES), "standard", "How much memory and disk it may use: lite, standard, power or superpower."
    )
    read_only: bool = option(BOOLEAN, True, "Whether nothing can be written through it.")
    uid: int = option(
        count(-1, 4294967294), -1, "Whose its files seem to be. -1: the user whom Plex runs as, 1000 where it is unknown."
    )
    gid: int = option(count(-1, 4294967294), -1, "The same for their group.")
    umask: Mode = option(mode(0), Mode(0o022), "Which bits its files and folders seem not to have.")
    cache_mode: str = option(
        choice("off", "minimal", "writes", "full"), "full", "What is kept on disk; full: whatever is read, so that seeks are quick."
    )
    cache_size: int = option(_SIZE, 0, "How much is kept on disk. A file that is open is never dropped, so it may be more.")
    cache_age: timedelta = option(span("1min", "3650d"), timedelta(hours=72), "How long what nobody reads is kept there.")
    cache_free: int = option(
        size("0", "64T"), parse_size("1G"), "What the cache leaves free on its disk, by rclone 1.64 and newer."
    )
    cache_folder: str = option(FOLDER, "", "Where it is kept. Empty: in /var/cache/plexguard/rclone.")
    buffer_size: int = option(_SIZE, 0, "What is read ahead into memory, for each file that is open.")
    read_ahead: int = option(_SIZE, 0, "What is read ahead onto disk beyond that.")
    chunk_size: int = option(_SIZE, 0, "How much the first request for a file asks for. Each further one asks for twice as much,")
    chunk_limit: int = option(size("1M", "64T"), parse_size("1G"), "and none for more than this.")
    chunk_streams: int = option(
        count(0, 64), 0, "How many such requests for one file go on side by side, by rclone 1.68 and newer. 0: one after the other."
    )
    transfers: int = option(_NUMBER, 0, "How many files are sent to the storage at a time, of a mount that can be written to.")
    checkers: int = option(_NUMBER, 0, "How many folders are listed at a time when all of them are.")
    timeout: timedelta = option(_LIMIT, timedelta(0), "How long the storage may be silent in an answer, before it is asked again.")
    connect_timeout: timedelta = option(_LIMIT, timedelta(0), "How long a connection to it may take.")
    retries: int = option(_NUMBER, 0, "How often it is asked for the same bytes (low-level retries).")
    dir_cache: timedelta = option(
        _of_profile(span("1s", "3650d"), timedelta(0)), timedelta(0), "How long rclone remembers what a folder holds."
    )
    attr_timeout: timedelta = option(
        span("0s", "3650d"),
        timedelta(days=365),
        "How long the kernel remembers size, time and existence of a file. Long: media do not change.",
    )
    list_at_start: bool = option(
        BOOLEAN, False, "Whether all its folders are listed in the background when it starts, by rclone 1.65 and newer."
    )
    checksum: bool = option(BOOLEAN, False, "Whether the checksum of what was read or written whole is compared.")
    log_level: str = option(
        choice("DEBUG", "INFO", "NOTICE", "ERROR"), "INFO", "Which of rclone's lines reach the journal, this and what is graver."
    )
    stats_interval: timedelta = option(
        span("10s", "1d"), timedelta(minutes=5), "How often it writes how much was moved, at level INFO."
    )
    extra_flags: tuple[str, ...] = option(_FLAGS, (), "More flags of rclone mount, each with its value, for what has no option.")
    canary: str = option(
        TEXT,
        "",
        "A file of it, from its top, whose bytes are read as proof. Empty: some of the media in turn, which are found by listing.",
    )
    protect: bool = option(
        BOOLEAN,
        True,
        "Whether Plex's scans of it are cancelled, and automatic ones and emptying the trash switched off, while it is not proven.",
    )
    cover: bool = option(
        BOOLEAN,
        False,
        "Whether it is covered while it is not proven, so that whoever looks there meets an error and no empty folder.",
    )
    restart_container: bool = option(
        BOOLEAN,
        True,
        "Whether Plex's container may be restarted when it goes on seeing the mount that is dead after a new one is proven.",
    )

    @property
    def is_ours(self) -> bool:
        """Whether plexguard makes this mount, by rclone."""
        return bool(self.remote)

    def resolve(self) -> "Mount":
        """Return it with what the profile says for all that was not given."""
        profile = PROFILES[self.profile]
        return replace(self, **{name: getattr(self, name) or getattr(profile, name) for name in Profile.__dataclass_fields__})

    def find_mistakes(self) -> tuple[str, ...]:
        return tuple(self._find_mistakes())

    def _find_mistakes(self) -> Iterator[str]:
        if not self.mount_point:
            yield f"mount_point: missing, allowed is {FOLDER.allowed}"
        if holds_secret(self.remote):
            yield "remote: names a secret, which everybody could read in the list of processes: put it into rclone.conf"
        if self.mount_point and self.is_ours and is_system_folder(self.mount_point):
            yield f'mount_point: found "{self.mount_point}", which is a folder of the system: use one such as "/mnt/media"'
        if self.cache_folder and self.mount_point and is_below(self.cache_folder, self.mount_point):
            yield f'cache_folder: found "{self.cache_folder}", which lies in the mount itself'
        yield from (f"extra_flags: {fault}" for fault in find_faults(self.extra_flags))
        if self.remote and ":" not in self.remote:
            yield f'remote: found "{self.remote}", which names no remote of rclone: write "NAME:PATH"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Rclone:
    SECTION: ClassVar[str] = "rclone"

    mount: dict[str, Mount] = tables(Mount, "A mount, under a name of its own.", is_direct=True)

    def find_mistakes(self) -> tuple[str, ...]:
        """Return which mounts are in each other's way."""
        named = [(name, mount) for name, mount in self.mount.items() if mount.mount_point]
        return tuple(
            f'{name}: mount_point: found "{one.mount_point}", and {other} is {"there too" if same else "around it"}: '
            "a mount that hangs would take the other with it"
            for name, one in named
            for other, around in named
            if name != other
            and is_below(one.mount_point, around.mount_point)
            and not ((same := one.mount_point == around.mount_point) and name < other)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    SECTION: ClassVar[str] = "rclone-watchdog"

    rclone: str = option(FOLDER, "/usr/bin/rclone", "Which rclone is used, 1.60 or newer.")
    backend_interval: timedelta = option(
        span("2s", "10min"),
        timedelta(seconds=6.5),
        "How often the storage is asked while all is well: for bytes, on S3. Elsewhere they cost two requests, and are asked for "
        "each fourth time; in between, whether a file is there.",
    )
    listing_interval: timedelta = option(
        span("30s", "1d"), timedelta(minutes=1), "How often the top of the mount is listed and compared."
    )
    read_interval: timedelta = option(span("10s", "1d"), timedelta(minutes=1), "How often bytes are read through the mount itself.")
    answer_limit: timedelta = option(
        span("500ms", "5min"),
        timedelta(seconds=2.5),
        "How long an answer may take before it is called late. It grows with what the storage was measured to take.",
    )
    patience: timedelta = option(
        span("10s", "1h"), timedelta(minutes=5), "How long late bytes are waited for, as long as the storage answers at all."
    )
    lost_percent: int = option(count(1, 100), 50, "A mount that lists so much less than it did has lost its content.")
    trash: bool = option(
        BOOLEAN, False, "Whether plexguard empties Plex's trash, in Plex's place, and only while all mounts are proven."
    )
    trash_items: int = option(
        count(0, 1_000_000), 50, "The trash of a library is emptied while no more items than this are missing, and not half of it,"
    )
    trash_percent: int = option(count(0, 100), 1, "or, where that is more, so many in a hundred.")
    trash_pause: timedelta = option(
        span("5s", "1h"), timedelta(minutes=1), "How much time at least lies between the two looks before it is emptied."
    )


FURTHER = (Rclone,)
