"""The hosts as lines for people. Pure."""

from collections.abc import Iterator

from plexguard.status.hosts.decide import HostsView, HostView
from plexguard.status.overview import State
from plexguard.status.show import DIM, HEAD, STYLES, Line, Piece, clean, show_between, show_problem, wrap
from plexguard.status.views.words import show_count


def render(view: HostsView, *, width: int) -> tuple[Line, ...]:
    return tuple(_render(view, max(width, 40)))


def _render(view: HostsView, width: int) -> Iterator[Line]:
    at = view.at.astimezone()
    wrong = sum(host.state is not State.WELL for host in view.hosts)
    doubt = f"{wrong} not healthy" if wrong else "not all is known"
    said = (
        Piece("all healthy", STYLES[State.WELL])
        if view.healthy
        else Piece(doubt, STYLES[State.PROBLEM if wrong else State.UNKNOWN])
    )
    yield (Piece(f"{show_count(len(view.hosts), 'host')}, {at:%Y-%m-%d %H:%M:%S %Z}: ", HEAD), said)
    if not view.is_complete:
        yield from wrap("Not every event of the last 7 days was read: there are too many.", width, first="", rest="")
    for file in view.broken:
        yield from wrap(f"{clean(file)} cannot be read: it is no journal.", width, first="", rest="  ")
    for host in view.hosts:
        yield ()
        yield from _show_host(view, host, width)


def _show_host(view: HostsView, host: HostView, width: int) -> Iterator[Line]:
    yield (Piece(f"{clean(host.host)}: ", HEAD), Piece(host.state.value, STYLES[host.state]), Piece(f", {host.summary}"))
    heard = f"{show_between(view.at, host.heard)} ago" if host.heard is not None else "never"
    event = f"{show_between(view.at, host.last_event)} ago" if host.last_event is not None else "none in 7 days"
    yield (Piece(f"   last heard {heard}, last event {event}, {show_count(host.incidents, 'incident')} in 24 h"),)
    for problem in host.problems:
        yield from show_problem(problem, view.at, width)
    for area in host.areas:
        for line in wrap(f"{show_between(view.at, area.at)} ago: {clean(area.message)}", width - 13, first="", rest=""):
            yield (Piece(f"   {clean(area.area):<10}", DIM), *line)
            break
