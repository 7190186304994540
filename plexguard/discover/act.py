"""Publish what was found, and tell what changed."""

import os
from pathlib import Path

from plexguard.core.drop_ins import GENERATED, find_changed_units, find_running_services, read_drop_ins
from plexguard.core.errors import IoFailed
from plexguard.core.events import show_path
from plexguard.core.found import FoundPlex, Server, url_of
from plexguard.core.journal import Journal
from plexguard.core.manager import Manager
from plexguard.core.suite import reloading_units
from plexguard.discover import events


def link_preferences(link: Path, target: str) -> None:
    """Make the link to Preferences.xml lead to the server at hand, or to nothing. Raises IoFailed."""
    try:
        if target and (not link.is_symlink() or os.readlink(link) != target):
            temporary = link.with_name(f".{link.name}.{os.getpid()}")
            temporary.unlink(missing_ok=True)
            temporary.symlink_to(target)
            os.replace(temporary, link)
        elif not target:
            link.unlink(missing_ok=True)
    except OSError as error:
        raise IoFailed(f"Failed to link {link}: {error.strerror}") from error


def reload(manager: Manager, folder: Path = GENERATED) -> None:
    """Have the drop-ins made anew, and restart the services that run with the old ones.

    What was bound or granted to a service when it started, such as the folders of Plex's logs, changes in no other way.
    """
    before = read_drop_ins(folder)
    manager.reload()
    for service in find_running_services(find_changed_units(before, read_drop_ins(folder)), manager):
        manager.try_restart(service)


def pass_on_address(now: FoundPlex, past: FoundPlex | None, manager: Manager) -> None:
    """Have the services that lead to Plex reloaded when it answers elsewhere than before; what goes through them goes on.

    Only queued: a service that is ordered after this program is not reloaded before its end.
    """
    if url_of(now) == url_of(past):
        return
    for name in sorted(reloading_units()):
        unit = manager.unit(name)
        # One that is about to start may have read the address before it was another.
        if unit.runs or unit.active_state == "activating":
            manager.try_reload(name)


def tell_changes(now: FoundPlex, past: FoundPlex | None, journal: Journal, *, kept: FoundPlex | None = None) -> None:
    """Tell what is found when it is new or has changed; a run that finds the same is silent. kept: the server that was found last,
    maybe before this boot, of which an end may still have to be told."""
    if now.server is not Server.NONE:
        _tell_mapped(now, kept or past, journal)
    if now.server is Server.NONE:
        if past is None or past.server is not Server.NONE:
            journal.send(events.NOT_FOUND, reason=now.missing)
        return
    if past is None or _told(now) != _told(past):
        kind = {Server.UNIT: "unit", Server.CONTAINER: "container", Server.REMOTE: "remote server"}[now.server]
        journal.send(
            events.FOUND, server=f"{kind} {now.name}", url=now.url, folders=", ".join(map(show_path, now.folders)) or "none yet"
        )
    known = past.unmapped if past is not None and (past.server, past.name) == (now.server, now.name) else ()
    for folder in now.unmapped:
        if folder not in known:
            journal.send(events.UNMAPPED, folder=folder, container=now.name)


def _tell_mapped(now: FoundPlex, past: FoundPlex | None, journal: Journal) -> None:
    if past is None:
        return
    is_same = (past.server, past.name) == (now.server, now.name)
    reason = "a mount leads there, or Plex names it no more" if is_same else "it is not this container that is guarded"
    for folder in past.unmapped:
        if not is_same or folder not in now.unmapped:
            journal.send(events.MAPPED, folder=folder, container=past.name, reason=reason)


def _told(found: FoundPlex) -> tuple[object, ...]:
    return found.server, found.name, found.url, found.folders
