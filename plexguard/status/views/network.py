"""The network, and how fast its line is. Pure."""

from datetime import timedelta

from plexguard.core.published import NetworkSeen, SpeedLine, SpeedResult, SpeedSeen
from plexguard.status.observe import Observation
from plexguard.status.overview import State, Thing
from plexguard.status.views.freshness import find_staleness, is_disabled
from plexguard.status.views.words import ago, show_seconds, when

_NET, _SPEED = "plexguard-net-recover", "plexguard-speed-test"
_STATES = {"online": State.WELL, "switched-off": State.WARNING, "unknown": State.UNKNOWN}
# The test is made each night; somebody may have watched in some.
_SPEED_AGE = timedelta(days=4)


def view_network(seen: Observation) -> Thing:
    record, timer = seen.network.record, seen.units.get(f"{_NET}.timer")
    more = "plexguard-net-recover history"
    if is_disabled(timer):
        return _network(State.OFF, f"{_NET}.timer is disabled", f"systemctl enable --now {_NET}.timer")
    if seen.network.why:
        return _network(State.UNKNOWN, seen.network.why, f"systemctl status {_NET}.timer")
    checked = record.checked if record is not None else None
    state, summary, command = find_staleness(seen, _NET, checked, seen.limits.network_interval)
    if summary or record is None:
        return _network(state, summary, command)
    problem = record.problem
    details = [("interface", record.interface)] if record.interface else []
    if record.last_online is not None:
        details.append(("last online", f"{ago(seen, record.last_online)} ago"))
    return Thing(
        name="network",
        title="Network",
        state=_STATES.get(record.verdict, State.PROBLEM),
        summary=_show_network(seen, record),
        since=when(seen, problem.began) if problem is not None else None,
        details=tuple(details),
        command=more,
    )


def _network(state: State, summary: str, command: str) -> Thing:
    return Thing(name="network", title="Network", state=state, summary=summary, command=command)


def _show_network(seen: Observation, record: NetworkSeen) -> str:
    problem = record.problem
    lasting = f" for {ago(seen, problem.began)}" if problem is not None else ""
    after = "; it is left to you" if problem is not None and problem.gave_up else ""
    return f"{record.verdict}{lasting}" + (f": {record.detail}" if record.detail else "") + after


def view_speed(seen: Observation) -> Thing:
    state, summary, command = _judge_speed(seen)
    record = seen.speed.record
    since = when(seen, record.slow_since) if record is not None else None
    return Thing(
        name="speed", title="Speed", state=state, summary=summary, since=since, details=_describe_speed(seen), command=command
    )


def _judge_speed(seen: Observation) -> tuple[State, str, str]:
    more = "plexguard-speed-test list"
    if is_disabled(seen.units.get(f"{_SPEED}.timer")):
        return State.OFF, f"{_SPEED}.timer is disabled", f"systemctl enable --now {_SPEED}.timer"
    if seen.speed.why:
        return State.UNKNOWN, seen.speed.why, more
    past = seen.speed.record or SpeedSeen()
    if past.missing:
        return State.WARNING, f"no test is made: there is no command {past.missing}", "apt-get install speedtest-cli"
    last = find_result(seen.speed_lines)
    if last is None or last.result is None:
        failure = seen.speed_lines[-1].failure if seen.speed_lines else ""
        return State.WARNING, "no test has succeeded yet" + (f": {failure}" if failure else ""), more
    age = seen.now.wall - last.time
    told = f"{show_speed(last.result)}, {show_seconds(max(0.0, age.total_seconds()))} ago"
    if past.slow:
        return State.WARNING, f"{' and '.join(past.slow)} below the usual: {told}", more
    if age > _SPEED_AGE:
        return State.WARNING, f"no test has succeeded since: {told}", "journalctl -x -e -u plexguard-speed-test"
    return State.WELL, told, more


def _describe_speed(seen: Observation) -> tuple[tuple[str, str], ...]:
    past, last = seen.speed.record, seen.speed_lines[-1] if seen.speed_lines else None
    rows = [("last failure", last.failure)] if last is not None and last.failure else []
    if past is not None and past.put_off:
        rows.append(("put off", past.put_off))
    return tuple(rows)


def find_result(lines: tuple[SpeedLine, ...]) -> SpeedLine | None:
    """Return the newest test that has a result."""
    return next((line for line in reversed(lines) if line.result is not None), None)


def show_speed(result: SpeedResult) -> str:
    down, up = result.download_bit_per_s / 1e6, result.upload_bit_per_s / 1e6
    return f"{down:.1f} Mbit/s down, {up:.1f} up, ping {result.ping_ms:.0f} ms"
