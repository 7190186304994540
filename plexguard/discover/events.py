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
    ends=("discover.not-found", "plex.no-server"),
    meaning="""
        This is the Plex that plexguard guards from now on: {server}, answering at {url}. The permission audits look at its
        library folders ({folders}), unless roots are configured.
        """,
    decided="""
        By [plex] in the configuration, or else by what is there: Plex's own unit, then a container of the configured name or
        the only one of a Plex image. With both, the one that runs is taken. The folders are those that Plex itself names. It
        is told when anything of it changed.
        """,
    did="""
        Published it in /run/plexguard/plex.json. Where other units now need other folders or groups, they were made anew, and
        the services that ran with the old ones were restarted. Where Plex answers elsewhere than before, the proxy was
        reloaded, and what goes through it went on.
        """,
    action="""
        All that was found:
          cat /run/plexguard/plex.json
        If it is the wrong one, or changes when it should not, name the right one in [plex]:
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
        There is no Plex on this machine that plexguard could guard: {reason}.
        """,
    decided="""
        By [plex] in the configuration: unless it says otherwise, Plex's own unit is looked for, then a container of the
        configured name or of a Plex image.
        """,
    did="""
        Published that there is none, so nothing is probed, restarted or audited. It goes on looking: every 5 minutes, and at
        once when Plex's Preferences.xml appears or its container changes.
        """,
    action="""
        Install Plex, or say where it is:
          editor /etc/plexguard/plexguard.toml
          plexguard-status apply
        What there is:
          systemctl status plexmediaserver
          docker ps -a
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
    about=("folder", "container"),
    meaning="""
        Media in {folder} are not guarded: the folder lies inside the container {container}, and the host has no path for it.
        """,
    decided="""
        Plex names {folder} as a library folder, and no bind mount or volume of the container leads there.
        """,
    did="""
        The folder is left out of the audits; the others are audited. It is told once, and its end is told (discover.mapped).
        """,
    action="""
        Mount the folder into the container from the host. See its mounts:
          docker inspect --format '{{{{json .Mounts}}}}' {container}
        Then have it looked at again:
          systemctl start plexguard-discover.service
        """,
)

MAPPED = Event(
    name="discover.mapped",
    message_id="8d25afb5a526431eb44960107f355c65",
    priority=Priority.NOTICE,
    message="Library folder {folder} of container {container} is no fault any more: {reason}",
    subject="A library folder inside the container is no fault any more",
    page=_PAGE,
    fields={"folder": str, "container": str, "reason": str},
    about=("folder", "container"),
    ends=("discover.unmapped",),
    meaning="""
        {folder} could not be audited, as no mount of container {container} led there. That is over: {reason}.
        """,
    decided="""
        By the folders that Plex names now, and the mounts that its container has now.
        """,
    did="""
        Published the folders as they are. One that is mounted is audited from now on.
        """,
    action="""
        The folders that are audited now:
          cat /run/plexguard/plex.json
        """,
)
