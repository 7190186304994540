"""What remapping can tell the journal."""

from plexguard.core.events import Event, FilePath, Priority

REMAPPED = Event(
    name="database.remapped",
    message_id="58984030ad744c7ba18a85be85c85298",
    priority=Priority.NOTICE,
    message="Plex's database knows its files by new paths: {count} were rewritten; what was there is in {path}",
    subject="Paths in Plex's database were rewritten",
    page="plexguard-db-export(8)",
    fields={"count": int, "path": FilePath, "missing": int, "checked": int},
    meaning="""
        {count} paths of Plex's library were rewritten. Of {checked} files that were looked for afterwards {missing} are not there.
        """,
    decided="""
        Somebody gave a list of mappings. Of those that fit a path the longest counts, by whole names of folders. Plex was proven to
        be stopped.
        """,
    did="""
        All paths were rewritten in a copy, in one transaction, and the copy took the place of the database. What was there is kept
        in {path}. Plex was not started.
        """,
    action="""
        See which files are there, and take it back if it was wrong:
          plexguard-db-export paths
          plexguard-db-export undo
        Before the next scan, have Plex not empty its trash by itself; after it compare the number of items.
        """,
)
