"""What applying an archive to a Plex that runs can tell the journal."""

from plexguard.core.events import Event, FilePath, Priority

_PAGE = "plexguard-db-export(8)"

APPLIED = Event(
    name="database.applied",
    message_id="eb60c8bb5b934a549b78740ebaa8f1c8",
    priority=Priority.NOTICE,
    message="{server} is well with {archive}: {changes}",
    subject="An archive was applied, and Plex is well with it",
    page=_PAGE,
    fields={"archive": FilePath, "server": str, "changes": str, "path": FilePath},
    ends=("database.apply-put-back", "database.apply-failed", "database.apply-cut-off"),
    meaning="""
        Plex was stopped, its databases were replaced by those of {archive}, and it was started again. What became of its
        libraries: {changes}.
        """,
    decided="""
        Before anything was touched: Plex was well, nobody was watching, every hash of the archive was right, it lacked no
        library, none had shrunk, and its files are here. After: the same server answers, shows all libraries, and reads a
        file of each that it
        read one of before.
        """,
    did="""
        What was there is kept in {path}. The server kept its identity and its settings.
        """,
    action="""
        To put back what was there, stop Plex first:
          plexguard-db-export undo --list
          plexguard-db-export undo
        """,
)

PUT_BACK = Event(
    name="database.apply-put-back",
    message_id="d20b7bc064bc4411a5cd4904c4decf0f",
    priority=Priority.ERR,
    message="{server}: {reason}",
    subject="An archive was not applied, and what was there before is in place",
    page=_PAGE,
    fields={"archive": FilePath, "server": str, "reason": str},
    meaning="""
        {archive} is not in place: {reason}. Plex runs on what it had before, and is well.
        """,
    decided="""
        Plex was stopped for it. Then the archive could not be put in place, or Plex did not become as well with it as it was
        before.
        """,
    did="""
        What was there before was put back, Plex was started, and looked at until it was well.
        """,
    action="""
        See what is wrong with the archive, and what Plex's own log says of the time it ran on it:
          plexguard-db-export check {archive}
          plexguard-db-export undo --list
        """,
)

NOT_PUT_BACK = Event(
    name="database.apply-failed",
    message_id="56c9789b9a714e8cb1a5de88eb72e6b2",
    priority=Priority.CRIT,
    message="{server} is not well: {reason}",
    subject="An archive was not applied, and Plex is not well with what was there before",
    page=_PAGE,
    fields={"archive": FilePath, "server": str, "reason": str},
    meaning="""
        {archive} could not be applied, and to put back what was there before failed too, or Plex is not well with it:
        {reason}.
        """,
    decided="""
        Each step was looked at after it was done. This is what cannot be ended without a person.
        """,
    did="""
        Nothing was deleted: what was there before is in plexguard-undo beside the databases. It stays noted, and the next
        boot tries
        to put it back.
        """,
    action="""
        Try to put it back now; see what is kept; and look at what is there:
          plexguard-db-export finish
          plexguard-db-export undo --list
          plexguard-db-export check
        """,
)

CUT_OFF = Event(
    name="database.apply-cut-off",
    message_id="9acd3ce89a284f078feb5ab688921841",
    priority=Priority.WARNING,
    message="{server}: an apply was cut off: {outcome}",
    subject="An apply that was cut off was ended",
    page=_PAGE,
    fields={"server": str, "path": FilePath, "outcome": str},
    meaning="""
        While an archive was applied to the Plex of {path}, the program was killed or the machine lost power. Now {outcome}.
        """,
    decided="""
        It was noted before Plex was stopped, and forgotten only once Plex was known to be well. Who had noted it is at work
        no more.
        """,
    did="""
        Plex runs on what it had before, or is about to.
        """,
    action="""
        Look whether Plex is well, and apply the archive again:
          plexguard-plex-probe
          plexguard-db-export list
        """,
)
