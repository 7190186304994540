"""The front door: whether requests pass through it to Plex, and if not, whose matter that is. Pure."""

from plexguard.core.found import Server
from plexguard.core.published import ProxySeen
from plexguard.status.observe import Observation
from plexguard.status.overview import Breaker, PlexView, State, Thing
from plexguard.status.views.freshness import is_disabled, lies_ahead
from plexguard.status.views.words import ago, show_seconds, when

_FRONT, _BREAKER = "plexguard-proxy.service", "plexguard-proxy-breaker.service"
_SHOW = "plexguard-proxy show"
# The breaker publishes every 30 s.
_SILENT_S = 90.0
# What the door notices at once the probe may find a minute later.
_BLIP_S = 120.0
_SERVING = frozenset({"healthy", "degraded"})
_TRIGGERS = {
    "traffic": "requests that failed in a row",
    "checks": "checks that failed in a row",
    "verdict": "what plexguard-plex-probe found",
    "drain": "an administrator",
}


def view_proxy(seen: Observation, plex: PlexView) -> Thing:
    """Return how the door is. One that turns callers away because of what is told of Plex itself does what it is for."""
    state, summary, command = _find_barrier(seen)
    proxy = seen.proxy.record
    since = None
    if not summary and proxy is not None:
        state, summary, command = _judge(seen, proxy, plex)
        since = when(seen, proxy.opened or proxy.since)
    details = () if _is_off(seen, _FRONT) else _describe(seen, proxy)
    return Thing(name="proxy", title="Front door", state=state, summary=summary, since=since, details=details, command=command)


def find_breaker(seen: Observation) -> Breaker | None:
    """Return how the breaker is: "unknown" when nothing was heard of it of late, None where there is none to be heard of."""
    proxy = seen.proxy.record
    if _is_off(seen, _FRONT) or _is_off(seen, _BREAKER) or (proxy is None and not _runs(seen)):
        return None
    if proxy is None:
        return Breaker(state="unknown")
    # By its own clock, so that it never shrinks.
    lasted_s = proxy.seen.seconds_since(proxy.opened) if proxy.opened is not None and proxy.seen is not None else 0.0
    told = Breaker(state="unknown", opens=proxy.opens, open_s=proxy.open_s + lasted_s, checked=when(seen, proxy.seen))
    if not is_heard_of(seen):
        return told
    return Breaker(
        state=proxy.phase,
        since=when(seen, proxy.since),
        opened=when(seen, proxy.opened),
        trigger=proxy.trigger,
        reason=proxy.reason,
        text=proxy.text,
        failures=proxy.failures,
        failed_checks=proxy.failed_checks,
        opens=told.opens,
        open_s=told.open_s,
        checked=told.checked,
    )


def is_heard_of(seen: Observation) -> bool:
    """Tell whether what the breaker has published is of now."""
    at = seen.proxy.record.seen if seen.proxy.record is not None else None
    return at is not None and not lies_ahead(seen, at) and seen.now.seconds_since(at) <= _SILENT_S


def _is_off(seen: Observation, name: str) -> bool:
    """Tell whether somebody wants it so; where the service manager does not answer, nobody knows."""
    unit = seen.units.get(name)
    return not seen.manager_why and (unit is None or not unit.exists or is_disabled(unit))


def _runs(seen: Observation) -> bool:
    unit = seen.units.get(_FRONT)
    return unit is not None and unit.runs


def _started_s(seen: Observation) -> float:
    unit = seen.units.get(_BREAKER)
    return unit.started_s if unit is not None and unit.runs else 0.0


def _find_barrier(seen: Observation) -> tuple[State, str, str]:
    """Return why nothing is known of the door now, "" when something is."""
    if _is_off(seen, _FRONT):
        unit = seen.units.get(_FRONT)
        word = unit.file_state if unit is not None and unit.exists else "not installed"
        return State.OFF, f"{_FRONT} is {word}", f"systemctl enable --now {_FRONT}"
    if not seen.manager_why:
        front, breaker = seen.units[_FRONT], seen.units.get(_BREAKER)
        if not front.runs:
            state = State.PROBLEM if front.active_state == "failed" else State.WARNING
            return state, f"{_FRONT} does not run ({front.active_state}): nobody is answered", f"systemctl status {_FRONT}"
        if _is_off(seen, _BREAKER):
            word = breaker.file_state if breaker is not None and breaker.exists else "not installed"
            return State.OFF, f"its breaker is {word}: HAProxy goes by a check of its own", f"systemctl status {_BREAKER}"
        if breaker is not None and not breaker.runs:
            summary = f"{_BREAKER} does not run ({breaker.active_state}): HAProxy goes by a check of its own"
            state = State.WARNING if breaker.active_state == "activating" else State.PROBLEM
            return state, summary, f"systemctl status {_BREAKER}"
    return _find_silence(seen)


def _find_silence(seen: Observation) -> tuple[State, str, str]:
    more, proxy = f"journalctl -x -e -u {_BREAKER}", seen.proxy.record
    if seen.proxy.why:
        return State.UNKNOWN, seen.proxy.why, more
    if is_heard_of(seen):
        return State.WELL, "", ""
    if proxy is None and seen.manager_why:
        return State.OFF, "nothing is known of a proxy", more
    if _started_s(seen) and seen.now_s - _started_s(seen) < _SILENT_S:
        return State.WARNING, "its breaker has just been started, and has not looked yet", more
    if proxy is None or proxy.seen is None:
        return State.PROBLEM, "its breaker has not looked at it yet: whether requests pass to Plex is not known", more
    if lies_ahead(seen, proxy.seen):
        return State.UNKNOWN, "what is known of it claims to be from the future", more
    return (
        State.PROBLEM,
        f"its breaker has not looked at it for {ago(seen, proxy.seen)}: whether requests pass to Plex is not known",
        more,
    )


def _judge(seen: Observation, proxy: ProxySeen, plex: PlexView) -> tuple[State, str, str]:
    if proxy.phase == "closed" or proxy.opened is None:
        return State.WELL, "requests pass to Plex", _SHOW
    found = seen.plex.record
    if found is not None and found.server is Server.NONE:
        return State.OFF, "turns callers away: no Plex was found", _SHOW
    lasted = ago(seen, proxy.opened)
    if proxy.trigger == "drain" and proxy.phase == "open":
        return State.OFF, f"drained for {lasted}: callers are turned away until plexguard-proxy ready", "plexguard-proxy ready"
    looks = "; checks look whether it is back" if proxy.phase == "half-open" else ""
    if _is_plexs_own(seen, plex):
        return State.WELL, f"turns callers away for {lasted}, as it should: {proxy.text}{looks}", _SHOW
    state = State.WARNING if seen.now.seconds_since(proxy.opened) < _BLIP_S else State.PROBLEM
    return state, f"no request has passed to Plex for {lasted}: {proxy.text}{looks}", _SHOW


def _is_plexs_own(seen: Observation, plex: PlexView) -> bool:
    """Tell whether it is told of Plex already that nobody gets anything from it."""
    probe = seen.probe.record
    is_doubtful = probe is not None and probe.silent_since is not None
    return plex.verdict != "unknown" and (plex.verdict not in _SERVING or is_doubtful)


def _describe(seen: Observation, proxy: ProxySeen | None) -> tuple[tuple[str, str], ...]:
    rows = [("address", ", ".join(seen.limits.proxy_listen))] if seen.limits.proxy_listen else []
    breaker = find_breaker(seen)
    if proxy is None or breaker is None:
        return tuple(rows)
    rows.append(("breaker", breaker.state))
    if breaker.opened is not None:
        rows.append(("opened by", _TRIGGERS.get(breaker.trigger, breaker.trigger)))
    if breaker.opens:
        times = "once" if breaker.opens == 1 else f"{breaker.opens} times"
        rows.append(("was open", f"{times}, {show_seconds(breaker.open_s)} in all"))
    if proxy.seen is not None and not lies_ahead(seen, proxy.seen):
        rows.append(("looked at", f"{ago(seen, proxy.seen)} ago"))
    return tuple(rows)
