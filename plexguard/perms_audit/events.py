"""What plexguard-perms-audit can tell the journal."""

from plexguard.core.events import Event, FilePath, Mode, Priority

_PAGE = "plexguard-perms-audit(8)"

REPAIRED = Event(
    name="perms.repaired",
    message_id="d803b6563e7b4cf98059982710c2b315",
    priority=Priority.NOTICE,
    message="{path}: mode {old_mode} is now {new_mode}",
    subject="Plex can read {path} again",
    page=_PAGE,
    fields={"path": FilePath, "old_mode": Mode, "new_mode": Mode},
    meaning="""
        This file or folder lacked read (for folders: also search) bits, so Plex could not open it: a player would have
        been told that it is not available, or that its session was terminated. Its mode was {old_mode}; what it lacked
        of the configured file_mode or dir_mode was added, and nothing was taken away. The mode was read back: it is
        {new_mode}.
        """,
    action="""
        Nothing needs to be done. If it comes again, find out who writes files with such a mode (a download client's
        umask, most often). All repairs:
          journalctl -u 'plexguard-perms-audit*' MESSAGE_ID=d803b6563e7b4cf98059982710c2b315
        The old mode, if it was meant:
          chmod {old_mode} {path_quoted}
        """,
)

FOUND = Event(
    name="perms.found",
    message_id="dcfd31970114492d9140b9eabb60c965",
    priority=Priority.WARNING,
    message="{path}: mode {old_mode} should be {new_mode} (dry run: nothing changed)",
    subject="Plex cannot read {path}",
    page=_PAGE,
    fields={"path": FilePath, "old_mode": Mode, "new_mode": Mode},
    meaning="""
        This file or folder lacks read (for folders: also search) bits, so Plex cannot open it. The audit ran with
        --dry-run, DRY_RUN=1 or dry_run = true: it only tells.
        """,
    action="""
        Repair it, and all others, when you are ready: without --dry-run and DRY_RUN, and with dry_run = false.
          editor /etc/plexguard/plexguard.toml
          systemctl start plexguard-perms-audit-full.service
        """,
)

NOT_REPAIRED = Event(
    name="perms.not-repaired",
    message_id="e366ed88782c44c19e2d60547de89447",
    priority=Priority.WARNING,
    message="{count} below {root} left as they are, such as {path}: {reason}",
    subject="Media below {root} stay unreadable",
    page=_PAGE,
    fields={"root": FilePath, "path": FilePath, "reason": str, "count": int},
    meaning="""
        The audit found paths that Plex cannot read and did not, or could not, change them. Told once for each cause, with
        the number of paths and one of them. The cause here: {reason}
        """,
    action="""
        Look at the one that is named, its folders, and the file system it is on:
          namei -l {path_quoted}
          findmnt -T {path_quoted}
        All of them:
          plexguard-perms-audit --dry-run --format json {root_quoted}
        """,
)

ROOT_FAULT = Event(
    name="perms.root-fault",
    message_id="69f2375d240f440b802e69715780fabb",
    priority=Priority.ERR,
    message="{root}: {reason}; it was not audited",
    subject="{root} could not be audited",
    page=_PAGE,
    fields={"root": FilePath, "reason": str},
    meaning="""
        A root is missing, empty, not mounted, hung, or a folder of the system, so nothing is known of the media in it. That
        is never taken for "all is well". Nothing was changed below it.
        """,
    action="""
        See whether its disk is there, and which roots are configured:
          findmnt -T {root_quoted}
          plexguard-status check-config
        If its media were moved to another file system on purpose, let plexguard forget the old mount:
          rm /var/lib/plexguard/perms-audit/state.json
        """,
)

UNSEEN = Event(
    name="perms.unseen",
    message_id="4867427e4ce947c1a3653e5696300e76",
    priority=Priority.WARNING,
    message="{count} paths below {root} could not be looked at, such as {path}: {reason}",
    subject="Parts of {root} could not be looked at",
    page=_PAGE,
    fields={"root": FilePath, "path": FilePath, "reason": str, "count": int},
    meaning="""
        While it walked the tree the audit met folders that it could not list: {reason}. What lies in them is unknown.
        "Socket not connected" or "Stale file handle" is a dead mount, never a question of modes.
        """,
    action="""
        Look at the one that is named, as root:
          ls -la {path_quoted}
          findmnt -T {path_quoted}
        """,
)

AUDITED = Event(
    name="perms.audited",
    message_id="22aa184bf0734bf2856ed32ef237874a",
    priority=Priority.INFO,
    message="Examined {files} files and {folders} folders in {seconds:.1f} s: {wrong} wrong, {repaired} repaired, {failed} failed",
    subject="Media permissions were audited",
    page=_PAGE,
    fields={"files": int, "folders": int, "wrong": int, "repaired": int, "failed": int, "seconds": float, "roots": int},
    meaning="""
        One audit of {roots} roots is done. A run for recent changes counts only the files that changed in that time, and all
        folders; failed counts what is still unreadable.
        """,
    action="""
        Nothing, when nothing failed. Otherwise the lines before this one tell each cause:
          journalctl -u 'plexguard-perms-audit*' -p warning
        """,
)

NO_ROOTS = Event(
    name="perms.no-roots",
    message_id="28b08b029d424073892acdef1e9fc4a7",
    priority=Priority.NOTICE,
    message="Nothing to audit: no roots are configured and no library folder of a Plex is known; "
    "set roots in [perms-audit] of /etc/plexguard/plexguard.toml",
    subject="There is nothing to audit yet",
    page=_PAGE,
    meaning="""
        Without configuration the audit takes the library folders that Plex itself names. No Plex was found on this machine,
        or it has no libraries yet, or its token could not be read, so there are none.
        """,
    action="""
        See what was found, or name the folders yourself:
          cat /run/plexguard/plex.json
          editor /etc/plexguard/plexguard.toml
          plexguard-status apply
        """,
)
