"""Which flag of rclone each option becomes, from which version on; and which flags are refused. Pure.

The table of flags in plexguard-rclone-watchdog(8) is held to FLAGS by a test.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Version = tuple[int, ...]
# Debian 12 has it; nothing here was tried with an older one.
OLDEST: Version = (1, 60)
# Before it rclone listens at addresses alone, after it also at the path of a socket.
SOCKETS: Version = (1, 61)


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


_VERSION = re.compile(r"^rclone v(\d+)\.(\d+)(?:\.(\d+))?", re.ASCII)


def parse_version(text: str) -> Version | None:
    """Return the version of what `rclone version` prints, None where it is none."""
    found = _VERSION.match(text)
    return tuple(int(part or 0) for part in found.groups()) if found else None


def show_version(version: Version) -> str:
    return ".".join(map(str, version))
