"""The faults that a mount and its storage can have, each made on purpose, and what became of mount and Plex in each: for tests, for
`make soak` and `make bench` alike."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.fault_proxy import DATA
from tests.system.conftest import events
from tests.system.mounting import CACHE, FILMS, POINT, SHOWS, Items, Stand

# For those of rclone's own, among them that its cache is full.
CACHE_MB = 48
PROVEN, HELD, RELEASED = "mount.proven", "plex.held", "plex.released"
# Where the outer machine's cgroups are of version 1.
_V1_MEMORY = Path("/sys/fs/cgroup/memory")
# What a mount tells that is no fault of it.
_NO_FAULT = (PROVEN, "mount.in-time", "mount.remounting", "mount.cleared")
# The scan that meets a fault takes so long at least, and empties the trash at its end: whoever protects Plex has that long, on a
# busy machine too. Those after it need not.
SCAN_S, _BRIEF_SCAN_S = 20.0, 0.2
# Faults that come sooner after another are of a mount that comes and goes, which is believed late.
_STEADY_S = 15.0
# For what comes within seconds; on a busy machine and after a time-out too.
_TOLD_TIMEOUT_S, _BACK_TIMEOUT_S = 60.0, 120.0


@dataclass(frozen=True, kw_only=True)
class Fault:
    """told: the events that would be right, any one of them, from some time on: at first it may be known only that bytes are late.
    is_remounted: whether a new mount is the cure while it lasts; None: it may be one.
    mends_itself: nothing outside has to be mended. is_held: whether Plex must be protected. lasts_s: how long it is left alone before
    it is mended. end: the event that tells its end."""

    name: str
    cause: Callable[[Stand], object]
    told: frozenset[str]
    is_remounted: bool | None = False
    mends_itself: bool = False
    is_held: bool = True
    mend: Callable[[Stand], object] = Stand.mend
    end: str = PROVEN
    lasts_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Met:
    """What became of a fault. told: what it was told as in the end. Times since it was made: until it was told as what it is, and until
    Plex was protected (None: it was not); back_s: from its end until the mount was proven. lost: items that are gone from Plex's
    database. remounts: how often rclone was started while it lasted, remounts_after: when it was over. stuck: processes that could not
    be killed. story: all events, in order."""

    fault: str
    told: str
    told_s: float
    held_s: float | None
    back_s: float
    lost: int
    remounts: int
    remounts_after: int
    stuck: list[str]
    story: list[str]


def _oom(stand: Stand) -> None:
    """Have the kernel kill rclone for want of memory, as one that reads too many files at once is."""
    pid, folder = stand.rclone_pid, _V1_MEMORY / f"plexguard-testbed-{stand.machine.pid}"
    if not _V1_MEMORY.is_dir():
        stand.machine.systemctl("set-property", "--runtime", stand.mount_unit, "MemoryMax=1M")
    else:
        # There systemd has no say in memory, in no machine either: so that it does not know why rclone ended.
        folder.mkdir()
        (folder / "memory.limit_in_bytes").write_text("64K", encoding="ascii")
        (folder / "cgroup.procs").write_text(str(stand.outer_pid(pid)), encoding="ascii")
    reading = stand.machine.spawn(["cp", f"{FILMS}/Film 2 (1982)/Film 2 (1982).mkv", "/dev/null"])
    try:
        stand.machine.wait_for(lambda: stand.rclone_pid != pid, timeout_s=30, what="rclone is killed for want of memory")
    finally:
        reading.communicate(timeout=60)
        if folder.is_dir():
            for left in (folder / "cgroup.procs").read_text(encoding="ascii").split():
                with contextlib.suppress(ProcessLookupError):
                    (_V1_MEMORY / "cgroup.procs").write_text(left, encoding="ascii")
            folder.rmdir()
        else:
            stand.machine.systemctl("set-property", "--runtime", stand.mount_unit, "MemoryMax=infinity")


def _fill_cache(stand: Stand) -> None:
    stand.machine.run(["dd", "if=/dev/zero", f"of={CACHE}/filler", "bs=1M"], check=False)


def _free_cache(stand: Stand) -> None:
    stand.machine.run(["rm", "-f", f"{CACHE}/filler"])


def _cover_by_another(stand: Stand) -> None:
    stand.machine.run(["mount", "-t", "tmpfs", "somebody", POINT])
    # Plex leaves a library alone whose own folder is gone.
    stand.machine.run(["mkdir", FILMS, SHOWS])


def _all(kind: str, **values: float) -> Callable[[Stand], object]:
    return lambda stand: stand.faults.set("all", kind, **values)


def _bytes(kind: str, **values: float) -> Callable[[Stand], object]:
    return lambda stand: stand.faults.set(DATA, kind, **values)


_GONE = frozenset({"mount.stale", "mount.absent"})
_SILENT = frozenset({"mount.hung"})
_FAILS = frozenset({"mount.degraded"})
_REFUSES = frozenset({"mount.refusing"})

OUT_OF_MEMORY = Fault(name="rclone killed for want of memory", cause=_oom, told=_GONE, is_remounted=True, mends_itself=True)
CACHE_FULL = Fault(
    name="the cache's disk is full",
    cause=_fill_cache,
    told=frozenset({"mount.cache-full", "mount.degraded"}),
    is_remounted=None,
    mend=_free_cache,
)
# They need a cache, of a size.
WITH_CACHE = (OUT_OF_MEMORY, CACHE_FULL)
OF_RCLONE = (
    Fault(name="rclone killed", cause=lambda s: s.signal_rclone("KILL"), told=_GONE, is_remounted=True, mends_itself=True),
    Fault(
        name="rclone stopped (SIGSTOP)", cause=lambda s: s.signal_rclone("STOP"), told=_SILENT, is_remounted=True, mends_itself=True
    ),
    OUT_OF_MEMORY,
    Fault(
        name="another mount on top",
        cause=_cover_by_another,
        told=frozenset({"mount.foreign"}),
        is_remounted=True,
        mends_itself=True,
    ),
    CACHE_FULL,
)
OF_STORAGE = (
    Fault(name="storage stopped", cause=lambda s: s.faults.refuse(), told=_FAILS),
    Fault(name="storage hung", cause=_all("hang"), told=_SILENT, is_remounted=None),
    Fault(name="storage answers 403", cause=_all("answer", status=403), told=_REFUSES),
    Fault(name="storage answers 429", cause=_all("answer", status=429), told=_REFUSES),
    Fault(name="storage answers 500", cause=_all("answer", status=500), told=_FAILS),
    Fault(name="storage resets", cause=_all("reset"), told=_FAILS),
)
SLOW = Fault(
    name="30 s for each read",
    cause=_bytes("slow", seconds=30.0),
    told=frozenset({"mount.slow"}),
    end="mount.in-time",
    is_held=False,
    lasts_s=60.0,
)
OF_CONTENT = (
    Fault(name="network cut", cause=lambda s: s.cut_line(), told=_SILENT | _FAILS, is_remounted=None),
    Fault(name="lists, and opens no file", cause=_bytes("answer", status=500), told=_FAILS),
    Fault(name="bucket emptied", cause=lambda s: s.empty(), told=frozenset({"mount.empty"})),
    SLOW,
)
ALL = (*OF_RCLONE, *OF_STORAGE, *OF_CONTENT)
# Those that tell whether another storage or another Debian makes a difference.
EVERYWHERE = tuple(fault for fault in ALL if fault.name in ("rclone killed", "storage hung", "storage answers 403"))
# Those that cost items within seconds; the others make each file wait first.
_QUICK = ("rclone killed", "another mount on top", "storage answers 403", "bucket emptied")
BY_HAND = tuple(fault for fault in ALL if fault.name in _QUICK)


def meet(stand: Stand, fault: Fault) -> Met:
    """Make a fault while Plex begins to scan, see what is told and done, mend it, and see that all is as before."""
    stand.machine.wait_for(lambda: stand.proven_for_s() > _STEADY_S, timeout_s=_BACK_TIMEOUT_S, what="the mount is steady")
    before, settings = stand.items(), stand.settings()
    stand.scan_takes(SCAN_S)
    since = stand.machine.cursor()
    fault.cause(stand)
    began = time.time()
    stand.scan()
    try:
        told = _await_event(stand, fault.told, since, timeout_s=_TOLD_TIMEOUT_S)
        held_s = max(0.0, _await_hold(stand, since) - began) if fault.is_held else None
        _leave(stand, fault)
        if fault.mends_itself:
            _await_event(stand, {PROVEN}, since, timeout_s=_BACK_TIMEOUT_S)
        during, remounts = stand.told(since), stand.remounts(since)
    finally:
        stand.scan_takes(_BRIEF_SCAN_S)
        ended = began if fault.mends_itself else time.time()
        fault.mend(stand)
    proven = _await_event(stand, {fault.end}, since, timeout_s=_BACK_TIMEOUT_S, after_s=ended)
    if fault.is_held:
        _await_event(stand, {RELEASED}, since, timeout_s=_BACK_TIMEOUT_S)
    stand.await_scans()
    # A scan of one folder marks nothing of the others, and empties the trash of all.
    stand.scan(folder=f"{FILMS}/Film 1 (1981)")
    stand.await_scans()
    lost = before.known - stand.items().known
    stand.scan()
    stand.await_scans()
    after = stand.items()
    assert after == Items(before.known, before.present), f"{fault.name}: Plex had {before}, and has {after}"
    changed = {name for name, value in stand.settings().items() if settings.get(name) != value}
    assert not changed, f"{fault.name}: settings of Plex's are not as before: {changed}"
    story = stand.told(since)
    return Met(
        fault=fault.name,
        told=[name for name in during if name.startswith("mount.") and name not in _NO_FAULT][-1],
        told_s=max(0.0, _at_s(told) - began),
        held_s=held_s,
        back_s=max(0.0, _at_s(proven) - ended),
        lost=lost,
        remounts=remounts,
        remounts_after=stand.remounts(since) - remounts,
        stuck=stand.stuck(),
        story=story,
    )


def find_wrongs(met: Met) -> list[str]:
    """Return what was not right about it, in words."""
    fault = max((fault for fault in ALL if met.fault.startswith(fault.name)), key=lambda fault: len(fault.name))
    wrongs = [f"told as {met.told}"] if met.told not in fault.told else []
    wrongs += [f"{met.lost} items lost"] if met.lost else []
    wrongs += [f"stuck: {', '.join(met.stuck)}"] if met.stuck else []
    if fault.is_remounted is not None and (met.remounts > 0) is not fault.is_remounted:
        wrongs.append("not mounted anew" if fault.is_remounted else "mounted anew for nothing")
    return wrongs


def _leave(stand: Stand, fault: Fault) -> None:
    """Leave a fault as it is until Plex's scan has met it, or for as long as it is to last."""
    if fault.lasts_s:
        time.sleep(fault.lasts_s)
        return
    deadline = time.monotonic() + SCAN_S
    while time.monotonic() < deadline and stand.is_scanning():
        time.sleep(0.2)


def _await_hold(stand: Stand, since: str) -> float:
    """Wait until it is told that Plex is held, see that it is, and return when that was told."""
    held = _await_event(stand, {HELD}, since, timeout_s=_TOLD_TIMEOUT_S)
    assert stand.settings()["autoEmptyTrash"] == "False", "Plex is told to be held, and is not"
    return _at_s(held)


def _await_event(
    stand: Stand, names: "set[str] | frozenset[str]", since: str, *, timeout_s: float, after_s: float = 0.0
) -> dict[str, str]:
    def look() -> dict[str, str] | None:
        found = [event for name in names for event in events(stand.machine, name, since_cursor=since)]
        found = [event for event in found if _at_s(event) >= after_s]
        return min(found, key=_at_s) if found else None

    return (
        stand.machine.wait_for(look, timeout_s=timeout_s, what=f"one of {', '.join(sorted(names))} (told: {stand.told(since)})")
        or {}
    )


def _at_s(entry: dict[str, str]) -> float:
    return int(entry["__REALTIME_TIMESTAMP"]) / 1e6


def lose(stand: Stand, fault: Fault) -> int:
    """Make a fault while Plex scans and nobody protects it, and return how many items it loses."""
    before = stand.items()
    fault.cause(stand)
    try:
        stand.scan()
        stand.await_scans(timeout_s=180)
        return before.known - stand.items().known
    finally:
        fault.mend(stand)
        _undo(stand, fault)
        stand.await_items(before)


def _undo(stand: Stand, fault: Fault) -> None:
    """Undo what nobody undoes without plexguard."""
    if fault.name == "another mount on top":
        stand.machine.run(["umount", POINT])
