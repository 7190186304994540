"""What swaps of Plex's databases can tell the journal."""

from plexguard.core.events import Event, FilePath, Priority

_PAGE = "plexguard-db-export(8)"

UNDONE = Event(
    name="database.undone",
    message_id="22745a6b7c05457c82ca4be56f3a9238",
    priority=Priority.NOTICE,
    message="Plex's database is again what it was before the {reason} of {made}; what was there is in {path}",
    subject="A change of Plex's database was undone",
    page=_PAGE,
    fields={"reason": str, "made": str, "path": FilePath},
    meaning="""
        The files that were replaced by the {reason} of {made} are in place again.
        """,
    decided="""
        Somebody asked for it, and Plex was proven to be stopped: its unit or container, its processes, everybody who has its
        databases open, and the locks on them were looked at.
        """,
    did="""
        What was there until now is kept in {path}, so that this can be undone as well. Plex was not started.
        """,
    action="""
        Look at what is there, and at what else is kept:
          plexguard-db-export check
          plexguard-db-export undo --list
        """,
)

SWAP_FINISHED = Event(
    name="database.swap-finished",
    message_id="f88c936c83d94699b1efee02b29a78e8",
    priority=Priority.NOTICE,
    message="A {reason} of Plex's database that was cut off was {outcome}",
    subject="A swap of Plex's databases that was cut off was ended",
    page=_PAGE,
    fields={"reason": str, "outcome": str},
    ends=("database.swap-unfinished",),
    meaning="""
        While the files of a {reason} changed places, the program was killed or the machine lost power. From the first change to the
        last there was no library that Plex could open, and none that it could make anew. Now the swap was {outcome}.
        """,
    decided="""
        What was about to change stood on the disk before anything did. A swap that had touched a file is completed; one that had
        not, or that the disk refuses, is taken back.
        """,
    did="""
        Every file is now of before or of after the {reason}. What was there before it is kept when it was completed.
        """,
    action="""
        See what is kept, and whether the library is sound; then start Plex, unless this was at boot, where it starts by itself:
          plexguard-db-export undo --list
          plexguard-db-export check
          systemctl start plexmediaserver.service
        """,
)

SWAP_UNFINISHED = Event(
    name="database.swap-unfinished",
    message_id="c35cbe084f4e4300a964f3e61d1b6cc2",
    priority=Priority.ERR,
    message="A change of Plex's database in {path} was cut off, and could not be ended: {reason}",
    subject="A swap of Plex's databases that was cut off could not be ended",
    page=_PAGE,
    fields={"path": FilePath, "reason": str, "hint": str},
    meaning="""
        The program was killed or the machine lost power while files changed places. Until that is ended there may be no library in
        {path} that Plex can open: it fails to start, or does not get beyond its start.
        """,
    decided="""
        A note of the swap was found, as at each boot before Plex starts; to end it failed: {reason}.
        """,
    did="""
        Nothing was lost, and Plex's start was not held back. Every file is in place, or in plexguard-undo beside the databases.
        """,
    action="""
        {hint}
        Stop Plex, end what was cut off, and start it again:
          systemctl stop plexmediaserver.service
          plexguard-db-export finish
          systemctl start plexmediaserver.service
        """,
)
