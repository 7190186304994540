"""The overview, from an observation. Pure."""

from plexguard.status.observe import Observation
from plexguard.status.overview import Overview, ProblemView, State, Thing
from plexguard.status.views.machinery import view_budgets, view_configuration, view_events, view_timers, view_units
from plexguard.status.views.media import view_backups, view_logs, view_permissions
from plexguard.status.views.mounts import view_hold, view_mounts, view_trash
from plexguard.status.views.network import view_network, view_speed
from plexguard.status.views.notifications import view_notifications
from plexguard.status.views.plex import view_plex, view_streams
from plexguard.status.views.proxy import view_proxy
from plexguard.status.views.runs import view_cloud

# Told for people, and guarded by nothing: not to know it is no fault.
_ASIDE = frozenset({"streams"})
# A grave one first; what is wrong is told in this order.
_WRONG = (State.PROBLEM, State.UNKNOWN, State.WARNING)


def decide(seen: Observation) -> Overview:
    plex, plex_view = view_plex(seen)
    mounts, mount_views = view_mounts(seen)
    hold, hold_view = view_hold(seen)
    trash, trash_views = view_trash(seen)
    backups, backup_views = view_backups(seen)
    cloud, cloud_views = view_cloud(seen)
    notifications, channels = view_notifications(seen)
    units, unit_problems = view_units(seen)
    events, event_problems = view_events(seen)
    configuration, mistakes = view_configuration(seen)
    things = (
        plex,
        view_streams(plex_view),
        view_proxy(seen, plex_view),
        *mounts,
        *hold,
        trash,
        view_permissions(seen),
        view_logs(seen),
        backups,
        view_network(seen),
        view_speed(seen),
        cloud,
        notifications,
        units,
        events,
        configuration,
    )
    return Overview(
        at=seen.now.wall,
        host=seen.host,
        healthy=is_healthy(things),
        things=things,
        plex=plex_view,
        timers=view_timers(seen),
        budgets=view_budgets(seen),
        channels=channels,
        problems=_find_problems(things, {"units": unit_problems, "events": event_problems, "configuration": mistakes}),
        mounts=mount_views,
        hold=hold_view,
        trash=trash_views,
        backups=backup_views,
        cloud_runs=cloud_views,
    )


def is_healthy(things: tuple[Thing, ...]) -> bool:
    """Tell whether nothing is a problem, and nothing that ought to be known is unknown."""
    return not any(thing.state in (State.PROBLEM, State.UNKNOWN) and thing.name not in _ASIDE for thing in things)


def _find_problems(things: tuple[Thing, ...], single: dict[str, tuple[ProblemView, ...]]) -> tuple[ProblemView, ...]:
    """Return what is wrong, the gravest first. single: what a thing sums up, one by one."""
    found: list[ProblemView] = []
    for state in _WRONG:
        for thing in things:
            if thing.state is not state or thing.name in _ASIDE:
                continue
            whole = ProblemView(text=f"{thing.title}: {thing.summary}", since=thing.since, command=thing.command)
            found += single.get(thing.name) or (whole,)
    return tuple(found)
