"""The mounts, what is held in Plex for their sake, and Plex's trash. Pure."""

from collections.abc import Iterator
from dataclasses import replace

from plexguard.core.clock import Moment
from plexguard.core.manager import Unit
from plexguard.core.published import MountSeen, Reading, TrashLibrarySeen
from plexguard.core.spans import show_bytes
from plexguard.status.observe import Observation, watchdog_of
from plexguard.status.overview import HoldView, MountView, State, Thing, TrashView
from plexguard.status.views.freshness import find_timer_fault, lies_ahead
from plexguard.status.views.words import ago, show_count, show_seconds, when

_TRASH_TIMER, _TRASH = "plexguard-trash.timer", "plexguard-trash.service"
# A day between two runs, and what the timer's delay and a machine that is busy add to it.
_TRASH_AGE_S = 2 * 86_400.0
_STATES = {"proven": State.WELL, "slow": State.WARNING, "unknown": State.UNKNOWN}
_MOST_NAMED = 3


def view_mounts(seen: Observation) -> tuple[tuple[Thing, ...], tuple[MountView, ...]]:
    names = sorted({*seen.limits.mounts, *(name for name in seen.mounts if _is_worth_a_word(seen, name))})
    if not names:
        return (Thing(name="mounts", title="Mounts", state=State.OFF, summary="no mount is guarded"),), ()
    found = [_view_mount(seen, name) for name in names]
    return tuple(thing for thing, _ in found), tuple(view for _, view in found)


def _is_worth_a_word(seen: Observation, name: str) -> bool:
    """Tell whether a mount that is in no configuration, any more or not yet, is still looked after."""
    unit = seen.units.get(watchdog_of(name))
    return unit is not None and unit.active_state not in ("inactive", "failed")


def _view_mount(seen: Observation, name: str) -> tuple[Thing, MountView]:
    reading = seen.mounts.get(name, Reading(record=None))
    view, command = _judge_mount(seen, name, reading)
    summary = f"{view.path}: {view.verdict}".removeprefix(": ") + (f", {view.detail}" if view.detail else "")
    thing = Thing(
        name=f"mount {name}",
        title=f"Mount {name}",
        state=view.state,
        summary=summary,
        since=when(seen, reading.record.since) if reading.record is not None else None,
        details=tuple(_describe_mount(seen, reading.record)) if reading.record is not None else (),
        command=command,
    )
    return thing, view


def _judge_mount(seen: Observation, name: str, reading: Reading[MountSeen]) -> tuple[MountView, str]:
    """Return how a mount is, and the command against it. The state of its watchdog counts first: what nobody watches is not known,
    whatever was once written down of it."""
    unit_name, configured, record = watchdog_of(name), seen.limits.mounts.get(name), reading.record
    unit, more = seen.units.get(unit_name), f"journalctl -x -e -u {unit_name.removesuffix('.service')}"
    path = configured.path if configured is not None else record.path if record is not None else ""
    view = _fill_view(seen, name, path, record)
    if configured is None:
        told = replace(view, state=State.WARNING, detail="it is watched, and not configured any more")
        return told, f"systemctl stop {unit_name}"
    if unit is not None and not seen.manager_why:
        state, verdict, detail, command = _judge_unit(unit, record)
        if detail:
            return replace(view, state=state, verdict=verdict, detail=detail), command or more
    if reading.why:
        return replace(view, state=State.UNKNOWN, verdict="unknown", detail=reading.why), more
    if record is None:
        return replace(view, state=State.UNKNOWN, verdict="unknown", detail="nothing has been written down of it yet"), more
    if fault := _find_staleness(seen, record.checked):
        return replace(view, state=State.PROBLEM, verdict="unknown", detail=fault), more
    if record.path != path:
        detail = f"its watchdog still watches {record.path}"
        return replace(view, state=State.PROBLEM, verdict="unknown", detail=detail), "plexguard-status apply"
    detail = ", ".join(part for part in (record.detail, "it is left to a person" if record.gave_up else "") if part)
    return replace(view, state=_STATES.get(record.verdict, State.PROBLEM), verdict=record.verdict, detail=detail), more


def _judge_unit(unit: Unit, record: MountSeen | None) -> tuple[State, str, str, str]:
    """Return state, verdict, detail and command for a mount whose watchdog does not run; no detail for one that does."""
    unmask = f"systemctl unmask {unit.name} && " if unit.file_state.startswith("masked") else ""
    start = f"{unmask}systemctl start {unit.name}"
    if unit.runs or unit.active_state in ("activating", "deactivating"):
        return State.WELL, "", "", ""
    if not unit.exists:
        return State.PROBLEM, "unknown", f"{unit.name} is not installed", "apt-get install --reinstall plexguard"
    if unit.active_state == "failed" and not unit.was_told_to_stop:
        return State.PROBLEM, "unknown", f"its watchdog has failed ({unit.result})", f"systemctl status {unit.name}"
    if record is not None or unit.ended_s or unit.file_state.startswith("masked"):
        return State.OFF, "stopped", f"{unit.name} is {_word_of(unit)}", start
    return State.PROBLEM, "unknown", "it is configured, and its watchdog has never run", start


def _word_of(unit: Unit) -> str:
    return unit.file_state if unit.file_state.startswith("masked") else "stopped"


def _find_staleness(seen: Observation, checked: Moment | None) -> str:
    """Return why what is written down of a mount says nothing of now, "" when it does."""
    if checked is None:
        return "it was never checked"
    if lies_ahead(seen, checked):
        return "what is known of it claims to be from the future"
    fresh = seen.now.seconds_since(checked) <= seen.limits.mount_fresh_s
    return "" if fresh else f"the last check was {ago(seen, checked)} ago"


def _fill_view(seen: Observation, name: str, path: str, record: MountSeen | None) -> MountView:
    """Return what is written down of a mount; state and verdict are not judged yet."""
    held = seen.hold.record.holders.get(name) if seen.hold.record is not None else None
    view = MountView(name=name, path=path, state=State.UNKNOWN, verdict="unknown", held_since=when(seen, held))
    if record is None:
        return view
    return replace(
        view,
        checked=when(seen, record.checked),
        proven=when(seen, record.proven),
        latency_s=record.latency_s,
        limit_s=record.limit_s,
        cache_bytes=record.cache_bytes,
        cache_limit_bytes=record.cache_limit_bytes,
        waiting=record.waiting,
        probes=record.probes,
        remounts=record.remounts,
        remounts_total=record.remounts_total,
        fault=record.fault,
        fault_at=when(seen, record.fault_at),
    )


def _describe_mount(seen: Observation, record: MountSeen) -> Iterator[tuple[str, str]]:
    if record.proven is not None:
        yield "bytes read", f"{ago(seen, record.proven)} ago"
    if record.latency_s is not None:
        limit = f", late from {record.limit_s:.1f} s" if record.limit_s is not None else ""
        yield "latency", f"{record.latency_s:.2f} s{limit}"
    if record.cache_bytes is not None:
        limit = f" of {show_bytes(record.cache_limit_bytes)}" if record.cache_limit_bytes else ""
        yield "cache", f"{show_bytes(record.cache_bytes)}{limit}"
    if record.waiting:
        yield "waiting requests", str(record.waiting)
    if record.remounts:
        yield "remounts", f"{record.remounts} in the last day"
    if record.fault and record.fault_at is not None:
        yield "last fault", f"{record.fault}, {ago(seen, record.fault_at)} ago"


# -- Plex, held -------------------------------------------------------------------------------------------------------


def view_hold(seen: Observation) -> tuple[tuple[Thing, ...], HoldView | None]:
    """Return what is switched off in Plex; nothing where no mount is guarded and nothing is."""
    record, more = seen.hold.record, "journalctl -x -e PLEXGUARD_EVENT=plex.held + PLEXGUARD_EVENT=plex.hold-failed"
    if seen.hold.why:
        return (_hold_thing(State.UNKNOWN, seen.hold.why, more),), HoldView(held=None)
    if record is None and not seen.limits.mounts:
        return (), None
    if record is None or not record.holders:
        if record is not None and record.before:
            summary = "settings of Plex are still to be put back: " + ", ".join(sorted(record.before))
            return (_hold_thing(State.WARNING, summary, more),), HoldView(held=True, failed=record.failed)
        return (_hold_thing(State.WELL, "scanned as Plex is set to, nothing is held", more),), HoldView(held=False)
    names, first = tuple(sorted(record.holders)), max(record.holders.values(), key=seen.now.seconds_since)
    view = HoldView(held=True, since=when(seen, first), mounts=names, failed=record.failed)
    by = "mount " + names[0] if len(names) == 1 else "mounts " + ", ".join(names)
    if record.failed:
        return (_hold_thing(State.PROBLEM, f"not held for {by} yet: {record.failed}", more, view),), view
    summary = f"held for {by}: scans are cancelled, automatic ones and emptying the trash are off"
    return (_hold_thing(State.WARNING, summary, more, view),), view


def _hold_thing(state: State, summary: str, command: str, view: HoldView | None = None) -> Thing:
    since = view.since if view is not None else None
    return Thing(name="hold", title="Plex's libraries", state=state, summary=summary, since=since, command=command)


# -- trash ------------------------------------------------------------------------------------------------------------


def view_trash(seen: Observation) -> tuple[Thing, tuple[TrashView, ...]]:
    record = seen.trash.record
    views = tuple(_view_library(seen, key, one) for key, one in record.libraries.items()) if record is not None else ()
    state, summary, command = _judge_trash(seen, views)
    since = max((v.kept_since for v in views if v.kept_since is not None), default=None) if state is State.WARNING else None
    details = tuple((view.title, _describe_library(view)) for view in views)
    thing = Thing(name="trash", title="Trash", state=state, summary=summary, since=since, details=details, command=command)
    return thing, views if state is not State.OFF else ()


def _view_library(seen: Observation, key: str, one: TrashLibrarySeen) -> TrashView:
    return TrashView(
        library=key,
        title=one.title,
        state=State.WARNING if one.kept else State.UNKNOWN if one.missing is None else State.WELL,
        missing=one.missing,
        total=one.total,
        limit=one.limit,
        kept=one.kept,
        kept_since=when(seen, one.kept_since),
        emptied=one.emptied,
        emptied_items=one.emptied_items,
        emptied_total=one.emptied_total,
    )


def _judge_trash(seen: Observation, views: tuple[TrashView, ...]) -> tuple[State, str, str]:
    more, record = f"journalctl -x -e -u {_TRASH.removesuffix('.service')}", seen.trash.record
    if seen.trash.why:
        return State.UNKNOWN, seen.trash.why, more
    if not seen.limits.trash:
        if record is not None and record.before:
            return State.WARNING, "Plex's own emptying is not switched on again yet", f"systemctl start {_TRASH}"
        return State.OFF, "plexguard does not empty it", "man plexguard-rclone-watchdog"
    fault, command = find_timer_fault(seen, _TRASH_TIMER)
    if fault:
        # The configuration has it wanted: there is nothing to enable.
        return State.WARNING, f"{fault}, nobody empties it", command.replace("enable --now", "start")
    if record is None or record.checked is None:
        return State.WARNING, "it has not been looked at yet", f"systemctl start {_TRASH}"
    if (age_s := seen.now.seconds_since(record.checked)) > _TRASH_AGE_S:
        return State.WARNING, f"it was last looked at {show_seconds(age_s)} ago", more
    if record.fault:
        return State.WARNING, f"nothing could be told of it: {record.fault}", more
    kept = [view for view in views if view.kept]
    if kept:
        named = "; ".join(f"{view.title}: {view.kept}" for view in kept[:_MOST_NAMED])
        return State.WARNING, f"kept, {named}", "plexguard-rclone-watchdog trash --dry-run"
    looked = f"looked at {show_seconds(age_s)} ago"
    return State.WELL, f"nothing is kept of {show_count(len(views), 'library', 'libraries')}, {looked}", more


def _describe_library(view: TrashView) -> str:
    missing = "not known" if view.missing is None else f"{view.missing} of {view.total} missing, at most {view.limit} are emptied"
    return f"{missing}: {view.kept}" if view.kept else missing
