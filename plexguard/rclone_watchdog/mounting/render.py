"""The flags of rclone mount, from the options of a mount and the version that is installed; and which are no use there. Pure.

The list of flags that do nothing in plexguard-rclone-watchdog(8) is held to IDLE by a test.
"""

from collections.abc import Mapping
from datetime import timedelta

from plexguard.rclone_watchdog.config import Mount
from plexguard.rclone_watchdog.mounting.flags import FLAGS, Version, name_of, show_version

# Between these rclone could block itself when it logs for systemd.
_LOG_BLOCKS: tuple[Version, Version] = ((1, 70), (1, 70, 2))
# These are there when their option is not.
_ABSENCES = {"--no-checksum"}

# What every mount has. --allow-non-empty: strays in the bare folder hide nothing and are told; that nothing else is mounted there
# has been seen to before. --stats-one-line: a journal has no use for a table of six lines.
_ALWAYS = ("--allow-other", "--allow-non-empty", "--stats-one-line")
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


def find_idle(mount: Mount, kind: str = "") -> dict[str, str]:
    """Return which of the extra flags do nothing, and why. kind: of the storage ("s3"), where that is known."""
    idle = dict(IDLE)
    if kind in _WITHOUT_CHANGES:
        idle["--poll-interval"] = f"a storage of type {kind} tells nobody of changes: dir_cache says when they are seen"
    if mount.log_level not in ("DEBUG", "INFO"):
        idle["--stats-log-level"] = f"lines of statistics are left out at log_level {mount.log_level}"
    if mount.cache_mode == "off":
        idle |= dict.fromkeys(("--vfs-cache-poll-interval", "--vfs-write-back", "--vfs-fast-fingerprint"), "cache_mode is off")
    return {name: idle[name] for name in dict.fromkeys(map(name_of, mount.extra_flags)) if name in idle}


def find_unknown(mount: Mount, version: Version) -> dict[str, str]:
    """Return which options were given and have no effect, since this rclone does not know their flags."""
    given = {"cache_free": False, "chunk_streams": bool(mount.chunk_streams), "list_at_start": mount.list_at_start}
    return {
        flag.option: f"{flag.name} needs rclone {show_version(flag.since)}, and this is {show_version(version)}"
        for flag in FLAGS
        if given.get(flag.option) and version < flag.since
    }


def render(mount: Mount, version: Version, fixed: Mapping[str, str]) -> list[str]:
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
