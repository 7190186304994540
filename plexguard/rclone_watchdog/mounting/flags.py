"""Which flag of rclone each option becomes, from which version on; which flags are refused, and which are no use. Pure.

The table of flags in plexguard-rclone-watchdog(8) is held to FLAGS by a test, the list of those that do nothing to IDLE.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the options refuse what is said here
    from plexguard.rclone_watchdog.config import Mount

Version = tuple[int, ...]
# Debian 12 has it; nothing here was tried with an older one.
OLDEST: Version = (1, 60)
# Before it rclone listens at addresses alone, after it also at the path of a socket.
SOCKETS: Version = (1, 61)
# Between these rclone could block itself when it logs for systemd.
_LOG_BLOCKS: tuple[Version, Version] = ((1, 70), (1, 70, 2))


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag of rclone mount. option: of [rclone.NAME] that it is made from. since: the version that knows it first. unit: behind
    a number; a bare size is one of KiB to rclone."""

    name: str
    option: str
    since: Version = OLDEST
    unit: str = ""


FLAGS = (
    Flag("--read-only", "read_only"),
    Flag("--uid", "uid"),
    Flag("--gid", "gid"),
    Flag("--umask", "umask"),
    Flag("--vfs-cache-mode", "cache_mode"),
    Flag("--vfs-cache-max-size", "cache_size", unit="B"),
    Flag("--vfs-cache-max-age", "cache_age"),
    Flag("--vfs-cache-min-free-space", "cache_free", (1, 64), "B"),
    Flag("--cache-dir", "cache_folder"),
    Flag("--buffer-size", "buffer_size", unit="B"),
    Flag("--vfs-read-ahead", "read_ahead", unit="B"),
    Flag("--vfs-read-chunk-size", "chunk_size", unit="B"),
    Flag("--vfs-read-chunk-size-limit", "chunk_limit", unit="B"),
    Flag("--vfs-read-chunk-streams", "chunk_streams", (1, 68)),
    Flag("--transfers", "transfers"),
    Flag("--checkers", "checkers"),
    Flag("--timeout", "timeout"),
    Flag("--contimeout", "connect_timeout"),
    Flag("--low-level-retries", "retries"),
    Flag("--dir-cache-time", "dir_cache"),
    Flag("--attr-timeout", "attr_timeout"),
    Flag("--vfs-refresh", "list_at_start", (1, 65)),
    Flag("--no-checksum", "checksum"),
    Flag("--log-level", "log_level"),
    Flag("--stats", "stats_interval"),
)
# These are there when their option is not.
_ABSENCES = {"--no-checksum"}

# What every mount has. --allow-non-empty: strays in the bare folder hide nothing and are told; that nothing else is mounted there
# has been seen to before. --stats-one-line: a journal has no use for a table of six lines.
_ALWAYS = ("--allow-other", "--allow-non-empty", "--stats-one-line")
# What the rest of plexguard stands on: with another value nobody would find the mount, its address, its lines, or its end.
_OURS = (
    *("--allow-other", "--allow-non-empty", "--allow-root", "--config", "--password-command", "--devname", "--volname"),
    *("--daemon", "--daemon-timeout", "--daemon-wait", "--network-mode", "--noappledouble", "--noapplexattr"),
    *("--log-file", "--log-format", "--log-systemd", "--syslog", "--syslog-facility", "--use-json-log", "--stats-one-line"),
    *("--verbose", "--quiet", "--progress", "--interactive", "--dry-run", "--help", "--version"),
    *("--option", "--fuse-flag", "--cpuprofile", "--memprofile", "--dump"),
)
_SECRET = re.compile(r"pass|secret|token|grant|key|header|auth|credential|sas-url|\bsas\b", re.ASCII)
# A path, and for no single storage, so that rclone.conf cannot hold it.
_PATHS = {"--client-key"}
_SHAPE = re.compile(r"--[a-z0-9][a-z0-9-]*(?:=.*)?", re.ASCII | re.DOTALL)

# Storages that tell nobody of changes, so that polling them is nothing (rclone logs so).
_WITHOUT_CHANGES = ("s3", "webdav", "sftp", "ftp", "http", "local", "b2", "azureblob", "swift", "smb")
# Flags that do nothing on a mount: they are for commands that copy and compare. Tried, and read in rclone's source.
IDLE = {
    "--retries": "it repeats whole commands such as copy; on a mount retries (--low-level-retries) does",
    "--retries-sleep": "it is the pause of --retries",
    "--checksum": "it compares files that are copied",
    "--size-only": "it compares files that are copied",
    "--ignore-times": "it compares files that are copied",
    "--ignore-existing": "it chooses files that are copied",
    "--update": "it chooses files that are copied",
    "--check-first": "it is the order of a copy",
    "--order-by": "it is the order of a copy",
    "--track-renames": "it finds files that are copied",
}


def name_of(flag: str) -> str:
    """Return a flag without its value, as rclone knows it: "_" is "-" to it."""
    return flag.partition("=")[0].replace("_", "-")


def find_faults(flags: Iterable[str]) -> Iterator[str]:
    """Yield what is wrong with flags that somebody wrote, each without its value: it may be a secret."""
    options = {flag.name: flag.option for flag in FLAGS}
    for flag in flags:
        name = name_of(flag)
        if not _SHAPE.fullmatch(name):
            yield 'found a word that is no long flag: write each with its value in one, such as "--tpslimit=10"'
        elif name in options:
            yield f"found {name}, for which there is the option {options[name]}"
        elif name in _OURS or re.match(r"--(?:rc|metrics)(?:-|$)", name):
            yield f"found {name}, which plexguard sets itself, or without which it could not supervise the mount"
        elif name not in _PATHS and _SECRET.search(name):
            yield f"found {name}, which may hold a secret, and everybody can read the list of processes: put it into rclone.conf"


def holds_secret(remote: str) -> bool:
    """Tell whether a connection string ("s3,NAME=VALUE:media") gives something that is to be kept."""
    return any(_SECRET.search(name) for name in re.findall(r",\s*([\w-]+)=", remote))


def find_idle(mount: "Mount", kind: str = "") -> dict[str, str]:
    """Return which of the extra flags do nothing, and why. kind: of the storage ("s3"), where that is known."""
    idle = dict(IDLE)
    if kind in _WITHOUT_CHANGES:
        idle["--poll-interval"] = f"a storage of type {kind} tells nobody of changes: dir_cache says when they are seen"
    if mount.log_level not in ("DEBUG", "INFO"):
        idle["--stats-log-level"] = f"lines of statistics are left out at log_level {mount.log_level}"
    if mount.cache_mode == "off":
        idle |= dict.fromkeys(("--vfs-cache-poll-interval", "--vfs-write-back", "--vfs-fast-fingerprint"), "cache_mode is off")
    return {name: idle[name] for name in dict.fromkeys(map(name_of, mount.extra_flags)) if name in idle}


def find_unknown(mount: "Mount", version: Version) -> dict[str, str]:
    """Return which options were given and have no effect, since this rclone does not know their flags."""
    given = {"cache_free": False, "chunk_streams": bool(mount.chunk_streams), "list_at_start": mount.list_at_start}
    return {
        flag.option: f"{flag.name} needs rclone {show_version(flag.since)}, and this is {show_version(version)}"
        for flag in FLAGS
        if given.get(flag.option) and version < flag.since
    }


def render(mount: "Mount", version: Version, fixed: Mapping[str, str]) -> list[str]:
    """Return the flags of a mount whose options are all resolved. fixed: by flag, what the configuration does not say alone: whose
    files they seem to be, and where the cache is."""
    lines = []
    for flag in FLAGS:
        value = getattr(mount, flag.option)
        if version < flag.since or (flag.name == "--vfs-read-chunk-streams" and not value):
            continue
        if isinstance(value, bool):
            lines += [flag.name] if value is not (flag.name in _ABSENCES) else []
        else:
            lines.append(f"{flag.name}={fixed.get(flag.name) or _show(value)}{flag.unit}")
    return [*lines, *_ALWAYS, *(["--log-systemd"] if logs_for_systemd(version) else []), *mount.extra_flags]


def logs_for_systemd(version: Version) -> bool:
    """Tell whether this rclone can say how grave its lines are without danger."""
    return not _LOG_BLOCKS[0] <= version < _LOG_BLOCKS[1]


def _show(value: object) -> str:
    if isinstance(value, timedelta):
        total_ms = round(value.total_seconds() * 1000)
        return f"{total_ms}ms" if total_ms % 1000 else f"{total_ms // 1000}s"
    # An umask begins with 0: for 1.60, which takes a number of any base, it is octal only then.
    return str(value)


_VERSION = re.compile(r"^rclone v(\d+)\.(\d+)(?:\.(\d+))?", re.ASCII)


def parse_version(text: str) -> Version | None:
    """Return the version of what `rclone version` prints, None where it is none."""
    found = _VERSION.match(text)
    return tuple(int(part or 0) for part in found.groups()) if found else None


def show_version(version: Version) -> str:
    return ".".join(map(str, version))
