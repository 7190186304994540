"""Whether messages get out. Pure."""

from datetime import timedelta

from plexguard.core.published import ChannelSeen, NotifySeen
from plexguard.status.observe import Observation
from plexguard.status.overview import ChannelView, State, Thing
from plexguard.status.views.words import show_count, when

_UNIT = "plexguard-notify.service"
_STATES = {"well": State.WELL, "quiet": State.WELL, "waiting": State.WELL, "failed": State.PROBLEM}
# What waits for so long is late, however well its channel says that it is; quiet hours are meant.
_LATE = timedelta(minutes=30)


def view_notifications(seen: Observation) -> tuple[Thing, tuple[ChannelView, ...]]:
    record = seen.notify.record or NotifySeen()
    channels = tuple(_view_channel(seen, channel) for channel in record.channels)
    state, summary, command = _judge(seen, record, channels)
    details = tuple((channel.name, f"{channel.kind}, {channel.waiting} unsent") for channel in channels)
    since = when(seen, record.checked) if summary.startswith(_UNIT) else None
    thing = Thing(
        name="notifications",
        title="Notifications",
        state=state,
        summary=summary,
        since=since,
        details=details,
        command=command,
    )
    return thing, channels


def _judge(seen: Observation, record: NotifySeen, channels: tuple[ChannelView, ...]) -> tuple[State, str, str]:
    unit, more = seen.units.get(_UNIT), f"journalctl -x -e -u {_UNIT}"
    if seen.notify.why:
        return State.UNKNOWN, seen.notify.why, more
    if not channels:
        return State.OFF, "no channel is set up", "man plexguard-notify"
    if unit is not None and not unit.runs and unit.active_state != "activating":
        return State.PROBLEM, f"{_UNIT} does not run: nothing is sent", f"systemctl status {_UNIT}"
    if record.trouble:
        return State.PROBLEM, record.trouble, more
    waiting, dropped = sum(channel.waiting for channel in channels), sum(channel.dropped for channel in channels)
    summary = f"{show_count(len(channels), 'channel')}, " + (f"{waiting} unsent" if waiting else "nothing unsent")
    if dropped:
        summary += f", {dropped} dropped"
    worst = max(channels, key=lambda channel: channel.state.gravity)
    if worst.reason and worst.state is not State.WELL:
        summary += f"; {worst.name}: {worst.reason}"
    return worst.state, summary, "plexguard-notify queue list"


def _view_channel(seen: Observation, channel: ChannelSeen) -> ChannelView:
    state = _STATES.get(channel.state, State.PROBLEM)
    is_late = channel.state == "waiting" and channel.oldest is not None and seen.now.wall - channel.oldest > _LATE
    return ChannelView(
        name=channel.name,
        kind=channel.kind,
        waiting=channel.waiting,
        oldest=channel.oldest,
        dropped=channel.dropped,
        state=State.WARNING if is_late else state,
        reason=channel.reason,
    )
