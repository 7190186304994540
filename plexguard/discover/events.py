"""What plexguard-discover can tell the journal."""

from plexguard.core.events import Event, Priority

_PAGE = "plexguard-discover(8)"

FOUND = Event(
    name="discover.found",
    message_id="e95171230a764edc86b4da0222911631",
    priority=Priority.NOTICE,
    message="Plex is {server} at {url}; library folders: {folders}",
    subject="Plex was found",
    page=_PAGE,
    fields={"server": str, "url": str, "folders": str},
    ends=("discover.not-found",),
    meaning="""
        This is the Plex that plexguard guards from now on: {server}, answering at {url}. The permission audits look at its
        library folders ({folders}), unless roots are configured. It is told when anything of it changes.
        """,
    action="""
        All that was found:
          cat /run/plexguard/plex.json
        If it is the wrong one, name the right one in [plex]:
          editor /etc/plexguard/plexguard.toml
          plexguard-status apply
        """,
)

NOT_FOUND = Event(
    name="discover.not-found",
    message_id="170896b97c1a4dca9a072fd3935a9281",
    priority=Priority.NOTICE,
    message="No Plex found: {reason}",
    subject="No Plex was found",
    page=_PAGE,
    fields={"reason": str},
    meaning="""
        There is no Plex on this machine that plexguard could guard: {reason}. It goes on looking: every few minutes, and at
        once when Plex's Preferences.xml appears or its container changes.
        """,
    action="""
        Install Plex, or say where it is:
          editor /etc/plexguard/plexguard.toml
          plexguard-status apply
        """,
)

UNMAPPED = Event(
    name="discover.unmapped",
    message_id="70245256cdb34918a6bb57565311a64f",
    priority=Priority.WARNING,
    message="Library folder {folder} of container {container} lies on no mount of it: its media cannot be audited",
    subject="A library folder lies inside the container",
    page=_PAGE,
    fields={"folder": str, "container": str},
    meaning="""
        Plex names {folder} as a library folder, and no bind mount or volume of container {container} leads there, so the
        host has no path for it.
        """,
    action="""
        See the container's mounts:
          docker inspect --format '{{{{json .Mounts}}}}' {container}
        """,
)
