"""What can be told of Plex's container, and whether it sees a mount."""

from plexguard.core.events import Event, Priority

_PAGE = "plexguard-rclone-watchdog(8)"

BLIND = Event(
    name="plex.blind",
    message_id="3ff02b13d5c6447fa329024a358120bc",
    priority=Priority.WARNING,
    message="Plex's container {container} does not see mount {mount}: {detail}",
    subject="Plex's container does not see mount {mount}",
    page=_PAGE,
    fields={"mount": str, "container": str, "detail": str},
    about=("mount",),
    meaning="""
        Mount {mount} gives its bytes on this machine, and container {container} has something else there: {detail}. Nothing of
        it plays, and a scan finds everything missing. Plex stays held.
        """,
    decided="""
        The container's own table of mounts has another device there than the machine's, or bytes could not be read there as
        Plex's user.
        """,
    did="""
        A container that has the dead mount is restarted, unless restart_container = false, somebody watches something that lies
        elsewhere, a scan is at work, or three restarts in 24 hours are spent. It is looked at again (plex.sees).
        """,
    action="""
        A container follows mounts that are made anew when it is given the folder above them with :rslave, as in
        -v /mnt:/mnt:ro,rslave. Until it is made so, a restart helps:
          docker inspect {container}
          docker restart {container}
        """,
)

RESTARTING = Event(
    name="plex.restarting-for-mount",
    message_id="30f17f3a6eec4b45917f27af91d8800d",
    priority=Priority.NOTICE,
    message="Plex's container {container} is restarted, to see mount {mount} again: {detail}",
    subject="Plex's container is restarted to see mount {mount}",
    page=_PAGE,
    fields={"mount": str, "container": str, "detail": str},
    about=("mount",),
    meaning="""
        Container {container} has a mount that is dead where {mount} is, and gets rid of it in no other way: {detail}.
        """,
    decided="""
        Its own table of mounts has another device there than the machine's. Nobody watched anything that lies elsewhere, no scan
        was at work, and of three restarts in 24 hours, ten minutes apart at least, there was one left.
        """,
    did="""
        The restart was counted in /var/lib/plexguard/rclone-inside, and Docker was told to stop the container within a minute and
        to start it again.
        """,
    action="""
        To need it no more, give the container the folder above the mount with :rslave:
          docker inspect {container}
        """,
)

SEES = Event(
    name="plex.sees",
    message_id="485de965682c44a9af35026c77e5951d",
    priority=Priority.NOTICE,
    message="Plex's container {container} sees mount {mount}: {detail}",
    subject="Plex's container sees mount {mount}",
    page=_PAGE,
    fields={"mount": str, "container": str, "detail": str},
    about=("mount",),
    ends=("plex.blind",),
    meaning="""
        Container {container} has the mount that lives where {mount} is: {detail}.
        """,
    decided="""
        Its own table of mounts has the device of the machine's there, and bytes of a file were read there as Plex's user.
        """,
    did="""
        It was published in /run/plexguard/rclone-inside, for the watchdog that waits for it to let Plex go.
        """,
    action="""
        None is needed.
          plexguard-status
        """,
)
