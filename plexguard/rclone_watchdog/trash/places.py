"""Which mounts a folder of a library lies on, and whether each is there and proven: from names, tables and records alone. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from plexguard.core.clock import Moment
from plexguard.core.found import FoundContainer, FoundPlex, Server, host_path
from plexguard.core.mounts import MountPoint, find_unmounted, is_below, mount_of
from plexguard.core.published import MountSeen, Reading
from plexguard.core.spans import show_span
from plexguard.rclone_watchdog.config import Config, Mount
from plexguard.rclone_watchdog.states import Verdict
from plexguard.rclone_watchdog.trash.limits import Reason, Why

# A watchdog writes down what it knows four times as often, and at once when that changes.
_WRITTEN_S = 60.0
# Proof that is older than this proves nothing of now, however seldom it is asked for.
_OLDEST_S = 600.0
_PROVEN = frozenset(verdict.value for verdict in Verdict if verdict.is_proven)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A mount that is watched. fault: why it counts as not proven, "" when it is. is_ours: plexguard makes it, by rclone. proven:
    when bytes of it were read last; interval_s: how often they are."""

    name: str
    path: str
    fault: str = ""
    is_ours: bool = True
    proven: Moment | None = None
    interval_s: float = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What is known of the mounts of this machine. table: what is mounted. fstab: what should be. lasts: the mount point that each
    folder was on when it was last found well."""

    table: tuple[MountPoint, ...]
    fstab: tuple[MountPoint, ...] = ()
    guards: tuple[Guard, ...] = ()
    lasts: Mapping[str, str] = field(default_factory=dict)


def judge_guards(
    mounts: Mapping[str, Mount], records: Mapping[str, Reading[MountSeen]], config: Config, now: Moment
) -> tuple[Guard, ...]:
    """Return the mounts that are watched, by what their watchdogs have published."""
    return tuple(_judge_guard(name, mount, records.get(name), config, now) for name, mount in mounts.items())


def _judge_guard(name: str, mount: Mount, reading: Reading[MountSeen] | None, config: Config, now: Moment) -> Guard:
    interval_s = (config.backend_interval if mount.is_ours else config.read_interval).total_seconds()
    record = reading.record if reading is not None else None
    why = reading.why if reading is not None else ""
    guard = Guard(
        name=name,
        path=mount.mount_point,
        is_ours=mount.is_ours,
        interval_s=interval_s,
        proven=record.proven if record is not None else None,
    )
    if record is None:
        return replace(guard, fault=why or "its watchdog has never looked at it")
    return replace(guard, fault=_find_fault(record, guard, now))


def _find_fault(record: MountSeen, guard: Guard, now: Moment) -> str:
    fresh_s = min(_WRITTEN_S + 2 * guard.interval_s, _OLDEST_S)
    if record.path != guard.path:
        return f"its watchdog watches {record.path}"
    if record.verdict not in _PROVEN:
        return f"it is {record.verdict}" + (f", {record.detail}" if record.detail else "")
    if _age_s(record.checked, now) > fresh_s:
        return f"it was last looked at {_show_age(record.checked, now)}"
    if _age_s(record.proven, now) > fresh_s:
        return f"bytes of it were last read {_show_age(record.proven, now)}"
    return ""


def _age_s(moment: Moment | None, now: Moment) -> float:
    """Return how long ago a moment was. What lies ahead of now, or in another boot, is no proof of anything: it is endless ago."""
    if moment is None or not now.is_of_boot_of(moment) or moment.uptime_s > now.uptime_s + _WRITTEN_S:
        return float("inf")
    return now.seconds_since(moment)


def _show_age(moment: Moment | None, now: Moment) -> str:
    if moment is None:
        return "never"
    age_s = _age_s(moment, now)
    return "in another life of this machine" if age_s == float("inf") else f"{show_span(timedelta(seconds=round(age_s)))} ago"


def find_host_path(path: str, found: FoundPlex, container: FoundContainer | None) -> tuple[str, str]:
    """Return the path of this machine for one of Plex's, or "" and why there is none."""
    if found.server is Server.UNIT:
        return path, ""
    if found.server is not Server.CONTAINER:
        return "", "Plex runs on another machine, whose disks cannot be looked at"
    if container is None or not container.exists:
        return "", "nothing is known of Plex's container"
    outside = host_path(path, container.mounts)
    return (outside, "") if outside is not None else ("", "no mount of Plex's container leads there")


def find_reasons(path: str, ground: Ground, *, is_whole: bool = True) -> tuple[Reason, ...]:
    """Return why what lies at a path, and below it, may be missing without being gone. is_whole: with what is mounted below it."""
    return tuple(Reason(why=Why.MOUNT, text=text) for text in dict.fromkeys(_find_faults(path, ground, is_whole=is_whole)))


def _find_faults(path: str, ground: Ground, *, is_whole: bool) -> Iterator[str]:
    # Also a disk that is plugged in only now and then: what was on it is missing while it is not.
    needed = tuple(replace(mount, is_optional=False) for mount in ground.fstab if is_whole or is_below(path, mount.path))
    last = ground.lasts.get(path, "")
    if unmounted := find_unmounted(path, ground.table, needed, last):
        yield f"{unmounted} is not mounted"
    guards = {guard.path: guard for guard in ground.guards}
    table = {mount.path: mount for mount in ground.table}
    for guard in guards.values():
        if is_below(path, guard.path) or (is_whole and is_below(guard.path, path)):
            yield from _find_guard_faults(guard, table.get(guard.path))
    for mount in (
        mount_of(path, ground.table),
        *(m for m in ground.table if is_whole and m.path != path and is_below(m.path, path)),
    ):
        if mount.is_remote and mount.path not in guards:
            yield f"{mount.path} ({mount.type}) is watched by nobody: name it in [rclone.NAME]"


def _find_guard_faults(guard: Guard, mount: MountPoint | None) -> Iterator[str]:
    if guard.fault:
        yield f"{guard.path} is not proven: {guard.fault}"
    elif mount is None:
        yield f"{guard.path} is not mounted"
    elif guard.is_ours and not mount.type.startswith("fuse"):
        yield f"{guard.path} is covered by something else ({mount.type})"
