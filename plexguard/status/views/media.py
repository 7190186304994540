"""What is done for the media: permissions, Plex's log and backups. Pure."""

from collections.abc import Sequence
from datetime import timedelta

from plexguard.core.events import quote_for_shell
from plexguard.core.manager import Unit
from plexguard.core.published import BackupSeen, Reading
from plexguard.core.spans import show_bytes
from plexguard.status.observe import Observation
from plexguard.status.overview import BackupView, State, Thing
from plexguard.status.views.freshness import find_timer_fault, is_disabled
from plexguard.status.views.words import ago, show_seconds, when, when_monotonic

_AUDIT, _FULL = "plexguard-perms-audit", "plexguard-perms-audit-full"
_GUARD, _LOGS = "plexguard-perms-guard.service", "plexguard-log-watch.service"
_LATE = timedelta(minutes=30)
_EXPORT = "plexguard-db-export"
# A week between two archives, and what the timer's delay, a long export and one that is made up for add to it.
_BACKUP_AGE = timedelta(days=9)


def view_permissions(seen: Observation) -> Thing:
    state, summary, command = _judge_permissions(seen)
    paths = seen.unreadable.record.paths if seen.unreadable.record is not None else {}
    oldest = max((path.since for path in paths.values()), key=seen.now.seconds_since, default=None)
    return Thing(
        name="permissions",
        title="Permissions",
        state=state,
        summary=summary,
        since=when(seen, oldest),
        details=_describe_permissions(seen),
        command=command,
    )


def _judge_permissions(seen: Observation) -> tuple[State, str, str]:
    more = f"journalctl -x -e -u {_AUDIT} -u {_FULL}"
    if is_disabled(seen.units.get(f"{_AUDIT}.timer")) and is_disabled(seen.units.get(f"{_FULL}.timer")):
        return State.OFF, "both audits are disabled", f"systemctl enable --now {_AUDIT}.timer {_FULL}.timer"
    if seen.audit.why or seen.unreadable.why:
        return State.UNKNOWN, seen.audit.why or seen.unreadable.why, more
    paths = seen.unreadable.record.paths if seen.unreadable.record is not None else {}
    if paths:
        first = next(iter(paths))
        many = "1 media file stays" if len(paths) == 1 else f"{len(paths)} media files stay"
        return State.PROBLEM, f"{many} unreadable to Plex: {first}", f"plexguard-perms-audit explain {quote_for_shell(first)}"
    past = seen.audit.record
    if past is None or not past.mounts:
        return State.UNKNOWN, "no audit has succeeded yet", more
    fault, command = find_timer_fault(seen, f"{_AUDIT}.timer")
    if fault:
        return State.WARNING, fault, command
    if past.told:
        left, first = sum(past.told.values()), next(iter(past.told))
        return State.WARNING, f"the last audit left {left}: {first}", more
    return _judge_last_audit(seen, more)


def _judge_last_audit(seen: Observation, more: str) -> tuple[State, str, str]:
    units = [unit for name in (_AUDIT, _FULL) if (unit := seen.units.get(f"{name}.service")) is not None and unit.ended_s]
    if not units:
        return State.WELL, "nothing was left by the last audit, which was before this machine was started", more
    newest = max(units, key=lambda unit: unit.ended_s)
    age_s = seen.now_s - newest.ended_s
    told = f"the last audit was {show_seconds(age_s)} ago"
    if newest.active_state == "failed":
        return State.WARNING, f"{told} and ended with {newest.result}, code {newest.exit_code}", more
    if age_s > (2 * seen.limits.audit_interval + _LATE).total_seconds():
        return State.WARNING, told, more
    left_out = seen.audit.record.left_out if seen.audit.record is not None else ()
    # The mounts have a row of their own, which says how they are now.
    return State.WELL, f"{told} and left {_list_left_out(left_out) if left_out else 'nothing'}", more


def _list_left_out(paths: Sequence[str]) -> str:
    return f"out {', '.join(paths)}: not proven then"


def _describe_permissions(seen: Observation) -> tuple[tuple[str, str], ...]:
    rows = [("left", f"{count} x {words}") for words, count in (seen.audit.record.told if seen.audit.record else {}).items()]
    if not seen.manager_why:
        rows.append(("live guard", _show_service(seen.units.get(_GUARD))))
    if (at := seen.told.last.get("perms.audited")) is not None:
        rows.append(("last audit told", f"{at:%Y-%m-%d %H:%M} UTC"))
    return tuple(rows)


def _show_service(unit: Unit | None) -> str:
    if unit is None:
        return "not installed"
    return "runs" if unit.runs else unit.file_state if is_disabled(unit) else unit.active_state


def view_logs(seen: Observation) -> Thing:
    unit = seen.units.get(_LOGS)
    logs, more = seen.logs.record, f"journalctl -x -e -u {_LOGS}"
    since = when_monotonic(seen, unit.started_s) if unit is not None and unit.runs else None
    if seen.manager_why:
        state, summary = State.UNKNOWN, seen.manager_why
    elif is_disabled(unit):
        state, summary, more = State.OFF, f"{_LOGS} is disabled", f"systemctl enable --now {_LOGS}"
    elif unit is None or not unit.runs:
        word = unit.active_state if unit is not None else "not installed"
        state, summary, more = State.WARNING, f"{_LOGS} does not run ({word})", f"systemctl status {_LOGS}"
    elif seen.logs.why:
        state, summary = State.UNKNOWN, seen.logs.why
    elif logs is not None and logs.unreadable:
        what, begin = next(iter(logs.unreadable.items()))
        state, summary, since = State.WARNING, f"{what}: unreadable for {ago(seen, begin)}", when(seen, begin)
    elif logs is None or not logs.folder:
        state, summary = State.UNKNOWN, "it has not read Plex's log yet"
    else:
        state, summary = State.WELL, f"follows {logs.folder}"
    return Thing(name="logs", title="Plex's log", state=state, summary=summary, since=since, command=more)


# -- backups ----------------------------------------------------------------------------------------------------------


def view_backups(seen: Observation) -> tuple[Thing, tuple[BackupView, ...]]:
    more = f"journalctl -x -e -u {_EXPORT}"
    if not seen.backups:
        return _tell_none(seen), ()
    views = tuple(_view_backup(seen, name, reading) for name, reading in seen.backups.items())
    worst = max(views, key=lambda view: view.state.gravity)
    details = tuple((view.name, view.detail) for view in views)
    summary = worst.detail if len(views) == 1 else f"{worst.name}: {worst.detail}"
    return Thing(
        name="backups", title="Backups", state=worst.state, summary=summary, since=worst.made, details=details, command=more
    ), views


def _tell_none(seen: Observation) -> Thing:
    fault, command = find_timer_fault(seen, f"{_EXPORT}.timer")
    if fault:
        return Thing(name="backups", title="Backups", state=State.OFF, summary=f"none is made: {fault}", command=command)
    start = f"systemctl start {_EXPORT}.service"
    return Thing(name="backups", title="Backups", state=State.WARNING, summary="no archive was made yet", command=start)


def _view_backup(seen: Observation, name: str, reading: Reading[BackupSeen]) -> BackupView:
    backup = reading.record
    if backup is None:
        return BackupView(name=name, database="", state=State.UNKNOWN, detail=reading.why or "nothing is known of it yet")
    state, detail = _judge_backup(seen, backup)
    return BackupView(
        name=name,
        database=backup.database,
        state=state,
        path=backup.path,
        made=backup.made,
        size_bytes=backup.size_bytes,
        kept=backup.kept,
        detail=detail,
    )


def _judge_backup(seen: Observation, backup: BackupSeen) -> tuple[State, str]:
    if backup.made is None:
        return State.PROBLEM, "no backup has succeeded yet" + (f": {backup.failure}" if backup.failure else "")
    age = seen.now.wall - backup.made
    told = f"verified {show_seconds(max(0.0, age.total_seconds()))} ago, {show_bytes(backup.size_bytes)}, {backup.kept} kept"
    if backup.failure:
        return State.WARNING, f"the last try failed: {backup.failure}; {told}"
    return (State.WARNING if age > _BACKUP_AGE else State.WELL), told
