"""Everything that the overview is made of, read once: published states, the service manager, the journal, the configuration.

Nothing here touches media, asks Plex or needs rights: what cannot be read is noted with the reason. Everything has an end.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TypeVar

from plexguard.core import config as core_config
from plexguard.core import published
from plexguard.core.clock import Clock, Moment
from plexguard.core.drop_ins import find_config_mistakes
from plexguard.core.errors import PlexguardError
from plexguard.core.found import FoundContainer, FoundPlex
from plexguard.core.manager import Manager, Timer, Unit
from plexguard.core.published import Reading
from plexguard.core.state import STATE_ROOT
from plexguard.core.suite import events, section_of
from plexguard.core.told import Told, ToldReader
from plexguard.core.unreadable import Record
from plexguard.status.incidents import Incident, Life, find_incidents, forget, make_rules, occurrence_of

T = TypeVar("T")
UNITS = "plexguard*"
# How far back the journal is read for what has not ended since, and how long that may take.
LOOK_BACK = timedelta(days=7)
_READ_S = 5.0
_CHUNK = 500
# A watchdog of a mount writes down what it knows four times as often, however seldom it asks the storage.
_FRESH_S = 60.0
NO_RIGHT = "there is no journal here that this user may read"
_JOURNALS = (Path("/var/log/journal"), Path("/run/log/journal"))


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedMount:
    """A mount that is configured. is_ours: plexguard makes it."""

    path: str
    is_ours: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What of the configuration the overview needs. speed_zone: by whose days speed tests are counted. mounts: by name.
    mount_fresh_s: for how long what is known of one may be believed."""

    probe_interval: timedelta = timedelta(seconds=30)
    network_interval: timedelta = timedelta(seconds=60)
    audit_interval: timedelta = timedelta(minutes=30)
    restart: bool = True
    max_restarts_per_incident: int = 2
    max_restarts_per_day: int = 6
    max_rounds: int = 3
    reboot: bool = False
    max_reboots_per_day: int = 1
    speed_zone: tzinfo = UTC
    max_speed_tests_per_day: int = 4
    proxy_listen: tuple[str, ...] = ("127.0.0.1:32401",)
    mounts: Mapping[str, GuardedMount] = field(default_factory=dict)
    mount_fresh_s: float = 73.0
    trash: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalSeen:
    """What the journal has. incidents: since `since`, oldest first. newest: when anything was told last. last: when each event was,
    by its name. why: it could not be read, or not all of it; "" when it was."""

    incidents: tuple[Incident, ...] = ()
    newest: Moment | None = None
    last: Mapping[str, datetime] = field(default_factory=dict)
    since: datetime | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """now_s: the same moment as now, on the clock of Unit.started_s. manager_why: the service manager did not answer. told: without
    what nobody remembers in this life. mistakes: in the configuration, whose defaults stand in for what is wrong."""

    now: Moment
    now_s: float
    host: str
    plex: Reading[FoundPlex]
    container: Reading[FoundContainer]
    probe: Reading[published.ProbeSeen]
    restarts: Reading[published.RestartsSeen]
    network: Reading[published.NetworkSeen]
    reboots: Reading[published.RebootsSeen]
    speed: Reading[published.SpeedSeen]
    speed_lines: tuple[published.SpeedLine, ...]
    audit: Reading[published.AuditSeen]
    unreadable: Reading[Record]
    logs: Reading[published.LogsSeen]
    notify: Reading[published.NotifySeen]
    mounts: Mapping[str, Reading[published.MountSeen]]
    backups: Mapping[str, Reading[published.BackupSeen]]
    cloud_runs: Mapping[str, Reading[published.CloudRunSeen]]
    units: Mapping[str, Unit] = field(default_factory=dict)
    timers: Mapping[str, Timer] = field(default_factory=dict)
    manager_why: str = ""
    told: JournalSeen = field(default_factory=JournalSeen)
    life: Life | None = None
    limits: Limits = field(default_factory=Limits)
    mistakes: tuple[str, ...] = ()
    proxy: Reading[published.ProxySeen] = field(default_factory=lambda: Reading(record=None))
    hold: Reading[published.HoldSeen] = field(default_factory=lambda: Reading(record=None))
    trash: Reading[published.TrashSeen] = field(default_factory=lambda: Reading(record=None))


def observe(
    manager: Manager,
    clock: Clock,
    *,
    read_told: Callable[[], JournalSeen],
    limits: Limits,
    mistakes: tuple[str, ...] = (),
    root: Path = STATE_ROOT,
    runtime: Path | None = None,
) -> Observation:
    """Take an observation. runtime: where the server and its container are published, None for the usual place."""
    mounts = dict(published.MOUNTS.look_each(root))
    units, timers, manager_why = _ask_manager(manager, mounts={*mounts, *limits.mounts})
    told = read_told()
    place = root if runtime is None else runtime
    probe, network = published.PROBE.look(root), published.NETWORK.look(root)
    checked = [record.checked for record in (probe.record, network.record) if record is not None and record.checked is not None]
    now, now_s = clock.moment(), clock.monotonic_s()
    life = find_life(replace(now, uptime_s=now_s), told, units)
    return Observation(
        now=find_boot(now, checked),
        now_s=now_s,
        host=os.uname().nodename,
        plex=_at(published.PLEX, runtime).look(place),
        container=_at(published.CONTAINER, runtime).look(place),
        probe=probe,
        restarts=published.RESTARTS.look(root),
        network=network,
        reboots=published.REBOOTS.look(root),
        speed=published.SPEED.look(root),
        speed_lines=published.SPEED_LINES.read(root),
        audit=published.AUDIT.look(root),
        unreadable=published.UNREADABLE.look(root),
        logs=published.LOGS.look(root),
        notify=published.NOTIFY.look(root),
        proxy=published.PROXY.look(root),
        mounts=mounts,
        hold=published.HOLD.look(root),
        trash=published.TRASH.look(root),
        backups=dict(published.BACKUPS.look_each(root)),
        cloud_runs=dict(published.CLOUD_RUNS.look_each(root)),
        units=units,
        timers=timers,
        manager_why=manager_why,
        told=replace(told, incidents=forget(told.incidents, life, make_rules(events()))),
        life=life,
        limits=limits,
        mistakes=mistakes,
    )


def find_boot(now: Moment, checked: Iterable[Moment]) -> Moment:
    """Return this moment, with the id of the boot by which the units count."""
    boot_id = next((moment.boot_id for moment in checked if now.is_of_boot_of(moment)), now.boot_id)
    return replace(now, boot_id=boot_id)


def find_life(now: Moment, told: JournalSeen, units: Mapping[str, Unit]) -> Life:
    """Return since when this machine remembers. now: with the seconds of CLOCK_MONOTONIC."""
    return Life(
        boot_id=find_boot(now, (told.newest,) if told.newest is not None else ()).boot_id,
        began=now.wall - timedelta(seconds=now.uptime_s),
        started_s={unit.name: unit.started_s for unit in units.values() if unit.started_s},
    )


def _at(source: published.Source[T], folder: Path | None) -> published.Source[T]:
    if folder is None:
        return source
    return published.Source(file=Path(source.file).name, record=source.record, schema=source.schema)


def _ask_manager(manager: Manager, *, mounts: Iterable[str]) -> tuple[dict[str, Unit], dict[str, Timer], str]:
    try:
        units = {unit.name: unit for unit in manager.find_units(UNITS)}
        # One that was started and never enabled is in no list of what is installed.
        units |= {unit.name: unit for unit in manager.look_up(sorted(map(watchdog_of, mounts)))}
        timers = {timer.name: timer for timer in manager.find_timers(UNITS)}
    except PlexguardError as error:
        return {}, {}, str(error)
    return units, timers, "" if units else "no unit of plexguard is installed"


def watchdog_of(mount: str) -> str:
    """Return the unit that watches a mount."""
    return f"plexguard-rclone-watchdog@{mount}.service"


# -- the configuration ------------------------------------------------------------------------------------------------


def read_limits(path: Path, environment: Mapping[str, str]) -> tuple[Limits, tuple[str, ...]]:
    """Return what the configuration says, and its mistakes: the programs with one in their section do not run."""
    settings = core_config.read(path, environment)
    probe, network = settings.take(section_of("plex-probe")), settings.take(section_of("net-recover"))
    audit, speed = settings.take(section_of("perms-audit")), settings.take(section_of("speed-test"))
    rclone, watchdog = settings.take(section_of("rclone")), settings.take(section_of("rclone-watchdog"))
    limits = Limits(
        probe_interval=probe.interval,
        network_interval=network.interval,
        audit_interval=audit.interval,
        restart=probe.restart,
        max_restarts_per_incident=probe.max_restarts_per_incident,
        max_restarts_per_day=probe.max_restarts_per_day,
        max_rounds=network.max_rounds,
        reboot=network.reboot,
        max_reboots_per_day=network.max_reboots_per_day,
        speed_zone=_open_zone(speed.time_zone),
        max_speed_tests_per_day=speed.max_attempts_per_day,
        proxy_listen=tuple(map(str, settings.take(section_of("proxy")).listen)),
        mounts={name: GuardedMount(path=m.mount_point, is_ours=m.is_ours) for name, m in rclone.mount.items()},
        mount_fresh_s=_FRESH_S + 2 * watchdog.backend_interval.total_seconds(),
        trash=watchdog.trash,
    )
    return limits, find_config_mistakes(core_config.read(path, environment))


def _open_zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # what only an overview needs

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


# -- the journal ------------------------------------------------------------------------------------------------------


def read_told(open_reader: Callable[[], ToldReader], clock: Clock, *, folders: tuple[Path, ...] = _JOURNALS) -> JournalSeen:
    """Return what was told in the last days; of a journal that is too long for the time there is, what is newest of it."""
    if not can_read_journal(folders):
        return JournalSeen(why=NO_RIGHT)
    now = clock.now()
    try:
        reader = open_reader()
        return _read_told(reader, clock, now)
    except OSError as error:
        return JournalSeen(why=f"the journal cannot be read: {error.strerror}")


def _read_told(reader: ToldReader, clock: Clock, now: datetime) -> JournalSeen:
    deadline_s = clock.monotonic_s() + _READ_S
    began = reader.first()
    for span in (LOOK_BACK, timedelta(days=1), timedelta(hours=1)):
        found: list[Told] = []
        since = now - span
        reader.seek_time(since)
        while chunk := reader.read(_CHUNK):
            found += chunk
            if clock.monotonic_s() >= deadline_s:
                break
        else:
            why = "" if span == LOOK_BACK else f"only what was told since {since:%Y-%m-%d %H:%M} UTC was read: the journal is long"
            return JournalSeen(
                incidents=find_incidents(map(occurrence_of, found), make_rules(events())),
                newest=found[-1].moment if found else None,
                last={one.event.name: one.at for one in found},
                since=max(since, began) if began is not None else since,
                why=why,
            )
        deadline_s = clock.monotonic_s() + _READ_S
    return JournalSeen(why="the journal is too long to be read")


def can_read_journal(folders: tuple[Path, ...] = _JOURNALS) -> bool:
    """Tell whether this user may read the system's journal. Who may not is shown an empty one, and no error."""
    files = [file for folder in folders for file in folder.glob("*/system.journal")]
    return any(os.access(file, os.R_OK) for file in files)
