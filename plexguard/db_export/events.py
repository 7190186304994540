"""What plexguard-db-export can tell the journal."""

from plexguard.core.events import Event, FilePath, Priority
from plexguard.db_export.apply import events as apply
from plexguard.db_export.remap import events as remap
from plexguard.db_export.repair import events as repair
from plexguard.db_export.restore import events as restore
from plexguard.db_export.swap import events as swap

FURTHER = (apply, remap, repair, restore, swap)
_PAGE = "plexguard-db-export(8)"

EXPORTED = Event(
    name="database.exported",
    message_id="ab69f627687e483d8189abc63acccc35",
    priority=Priority.INFO,
    message="Plex's database is in {path}: {rows} rows, {size_mb} MB, verified, after {took_s:.0f} s",
    subject="Plex's database was exported",
    page=_PAGE,
    fields={"path": FilePath, "rows": int, "size_mb": int, "took_s": float},
    ends=("database.export-failed", "database.archive-bad"),
    meaning="""
        There is a new archive of Plex's database, {path}: {rows} rows of library and blobs in {size_mb} MB. Plex went on
        meanwhile.
        """,
    decided="""
        Both databases were copied at one moment each, all rows were counted without an error, and the archive was read back
        from the disk: every hash is right.
        """,
    did="""
        The archive was given its name. Then older archives were removed, of which [db-export] keep_daily, keep_weekly and
        keep_monthly keep none; the last good one always stays.
        """,
    action="""
        What is kept, and whether an archive still is what it was:
          plexguard-db-export list
          plexguard-db-export verify {path_quoted}
        """,
)

EXPORT_FAILED = Event(
    name="database.export-failed",
    message_id="122593f7b2254e88807f584b07dd2532",
    priority=Priority.ERR,
    message="No good archive of Plex's database was made: {reason}",
    subject="No good archive of Plex's database was made",
    page=_PAGE,
    fields={"reason": str, "hint": str},
    meaning="""
        Plex's database should have been exported, and there is no good new archive: {reason}.
        """,
    decided="""
        By what SQLite, the file system or the packer said, or by what was read back from the disk.
        """,
    did="""
        What was half made was removed. A database that is damaged and can be copied is kept all the same, in an archive that
        says so, and is not counted as good. No good archive was removed; Plex's own files were not touched.
        """,
    action="""
        {hint}
        See what is wrong with the database, how much room there is, and which archives there are:
          plexguard-db-export check
          df -h /var/lib/plexguard/db-export
          plexguard-db-export list
        Then make one:
          systemctl start plexguard-db-export.service
        """,
)

ARCHIVE_BAD = Event(
    name="database.archive-bad",
    message_id="600e416dca8f4db6ae098daaf16d683a",
    priority=Priority.ERR,
    message="{path}: is not what was written: {reason}",
    subject="An archive of Plex's database is bad",
    page=_PAGE,
    fields={"path": FilePath, "reason": str},
    meaning="""
        The archive {path} has changed since it was written and verified: {reason}. From it nothing can be restored.
        """,
    decided="""
        All of it was read, and what is in it was compared with the hashes in its manifest.
        """,
    did="""
        It was left where it is, and is not counted as good any more. The next archive that is made ends this.
        """,
    action="""
        A disk that changes what it was given will do so again: look at what the kernel says of it, and at the other archives.
          journalctl -k -p warning
          plexguard-db-export list
        """,
)
