"""What can be told of a repair."""

from plexguard.core.events import Event, FilePath, Priority

_PAGE = "plexguard-db-export(8)"

REPAIRED = Event(
    name="database.repaired",
    message_id="ef88281e5793490a95a6fde2491d5211",
    priority=Priority.NOTICE,
    message="{database} was repaired ({how}), {lost} rows lost; what was there before is in {path}",
    subject="Plex's database was repaired",
    page=_PAGE,
    fields={"database": str, "how": str, "lost": int, "losses": str, "left": str, "path": FilePath},
    about=("database",),
    ends=("database.repair-failed",),
    meaning="""
        {database} was damaged and has been mended by this: {how}. Rows lost: {lost}. By table: {losses}. Left to do: {left}.
        """,
    decided="""
        The steps with the least loss were tried first, each on a copy. The first one whose result passed the whole check was
        taken, if it lost no more than max_loss of any table, counted against the indexes of the damaged database and the last
        archive, or if --force was given.
        """,
    did="""
        Both databases were put in place at once, each with its -wal and -shm. What was there before is kept in {path}.
        """,
    action="""
        Start Plex, and look whether it has what it should have. To have the old files back:
          plexguard-db-export undo
        If a database is damaged again, look at its disk and its memory:
          journalctl -k -p err
        """,
)

REPAIR_FAILED = Event(
    name="database.repair-failed",
    message_id="b3082d86641f4be8adf626711dd1965a",
    priority=Priority.ERR,
    message="{database} was not repaired: {reason}",
    subject="Plex's database was not repaired",
    page=_PAGE,
    fields={"database": str, "reason": str},
    about=("database",),
    meaning="""
        {database} is damaged, and nothing good enough could be made of it: {reason}.
        """,
    decided="""
        Every step was tried on a copy. A result is good enough when it passes the whole check and has lost no more than max_loss
        of any table.
        """,
    did="""
        Nothing was changed: Plex's files are as they were.
        """,
    action="""
        See what each step would keep, and what it would lose:
          plexguard-db-export repair --dry-run
        Then bear the loss, or restore an archive:
          plexguard-db-export repair --force
          plexguard-db-export list
        """,
)
