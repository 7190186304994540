"""What a restore can tell the journal."""

from plexguard.core.events import Event, FilePath, Priority

RESTORED = Event(
    name="database.restored",
    message_id="3283703ccae84f6a84928aca9909e4cd",
    priority=Priority.NOTICE,
    message="Plex's database is that of {archive}, of {made}; what was there is in {path}",
    subject="Plex's database was restored",
    page="plexguard-db-export(8)",
    fields={"archive": FilePath, "made": str, "path": FilePath, "settings": int, "views": int},
    meaning="""
        Plex's databases were replaced by those of the archive {archive}, as they were {made}. Carried over from what was there:
        {settings} states of items and {views} views.
        """,
    decided="""
        Every hash of the archive was right and its databases passed the check. Plex was proven to be stopped: its unit or
        container, its processes, everybody who has its databases open, and the locks on them were looked at.
        """,
    did="""
        What was there is kept in {path}. The server kept its own identity, unless --with-identity was given. Plex was not started.
        """,
    action="""
        Start Plex, or take the restore back:
          systemctl start plexmediaserver.service
          plexguard-db-export undo
        """,
)
