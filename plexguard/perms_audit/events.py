"""What plexguard-perms-audit can tell the journal."""

from plexguard.core.events import Event, FilePath, Mode, Priority

_PAGE = "plexguard-perms-audit(8)"

REPAIRED = Event(
    name="perms.repaired",
    message_id="d803b6563e7b4cf98059982710c2b315",
    priority=Priority.NOTICE,
    message="{path}: mode {old_mode} is now {new_mode}: {reason}",
    subject="{path} was repaired",
    page=_PAGE,
    fields={"path": FilePath, "old_mode": Mode, "new_mode": Mode, "reason": str, "run": str},
    meaning="""
        Plex could not open this file or folder, or it was not as the configured policy wants it: {reason}. A player would have
        been told that it is not available, or that its session was terminated. Its mode was {old_mode} and is {new_mode}. It
        was tried once more before the change, the mode was read back after it, and where Plex could not open it, it was opened
        as Plex's user.
        """,
    action="""
        Nothing needs to be done. If it comes again, find out who writes files with such a mode (a download client's
        umask, most often). All repairs of this run, and how to take them back:
          plexguard-perms-audit list {run}
          plexguard-perms-audit undo {run}
        """,
)

FOUND = Event(
    name="perms.found",
    message_id="dcfd31970114492d9140b9eabb60c965",
    priority=Priority.WARNING,
    message="{path}: mode {old_mode} should be {new_mode}: {reason} (dry run: nothing changed)",
    subject="{path} is not as it should be",
    page=_PAGE,
    fields={"path": FilePath, "old_mode": Mode, "new_mode": Mode, "reason": str},
    meaning="""
        Plex cannot open this file or folder, or it is not as the configured policy wants it: {reason}. This was a dry run
        (--dry-run, DRY_RUN=1 or dry_run = true): it only tells.
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
    fields={
        "files": int,
        "folders": int,
        "wrong": int,
        "repaired": int,
        "failed": int,
        "seconds": float,
        "roots": int,
        "run": str,
    },
    meaning="""
        One audit of {roots} roots is done. A run for recent changes counts only the files that changed in that time or lie
        in a folder that did, and all folders; failed counts what is still unreadable, or other than the policy wants it.
        """,
    action="""
        Nothing, when nothing failed. Otherwise each cause was told when it was new, and is told again every night:
          journalctl -u 'plexguard-perms-audit*' -p warning
        What the runs have changed, by their ids:
          plexguard-perms-audit list
        """,
)

REPAIRED_MANY = Event(
    name="perms.repaired-many",
    message_id="82b607ecb3ff4b48b812cda8dacb379a",
    priority=Priority.NOTICE,
    message="{folder}: {count} more paths repaired below it, such as {path} (plexguard-perms-audit list {run})",
    subject="Many paths below {folder} were repaired",
    page=_PAGE,
    fields={"folder": FilePath, "count": int, "path": FilePath, "run": str},
    meaning="""
        So many paths were repaired in one run that only the first are told one by one. The others are summed up, by their
        folder or by their root. Each of them was judged, repaired and tried for itself; the list of the run has them all.
        """,
    action="""
        See them, and if it was not meant, take them back:
          plexguard-perms-audit list {run}
          plexguard-perms-audit undo {run}
        """,
)

ONE_CAUSE = Event(
    name="perms.one-cause",
    message_id="9bf5e55d8513412ca87b80504ff0fbd0",
    priority=Priority.WARNING,
    message="{count} files of {owner} had mode {mode}, such as {path}: one cause, such as a program of theirs with umask {umask}",
    subject="Files of {owner} come with mode {mode}",
    page=_PAGE,
    fields={"count": int, "owner": str, "mode": Mode, "umask": Mode, "path": FilePath},
    meaning="""
        Many files that Plex could not read belong to one user and had one mode. That is no accident of single files: a program
        of {owner} makes them so. A umask of {umask} gives new files that mode; a umask of 0000 or 777 in the settings of a
        download client, where 022 was meant, is the usual case, and a NAS that zeroes modes for a while another.
        """,
    action="""
        Find the programs of {owner} and their umask, and set UMask=0022 for their units where it is wrong; an example is among
        the documents:
          ps -u {owner} -o unit,pid,args
          ls /usr/share/doc/plexguard/examples
        """,
)

BLOCKED = Event(
    name="perms.blocked",
    message_id="cc5474695074417f9a61a952e101ef62",
    priority=Priority.ERR,
    message="{folder} keeps Plex out of {root}: {reason}",
    subject="Plex cannot come to {root}",
    page=_PAGE,
    fields={"root": FilePath, "folder": FilePath, "reason": str},
    meaning="""
        A folder above the media cannot be passed by the user Plex runs as, so nothing below it can be read, whatever its own
        mode: {reason}. It lies outside the roots, so it was not changed.
        """,
    action="""
        See the whole way, and let that user pass; setfacl(1) can do that for one user alone:
          namei -l {root_quoted}
          chmod o+x {folder_quoted}
        """,
)

NO_MEDIA = Event(
    name="perms.no-media",
    message_id="1e0f2210a45c4ebf8a3628079579e8cc",
    priority=Priority.NOTICE,
    message="{count} below {root} are no media, such as {path}: {reason}",
    subject="There is more than media below {root}",
    page=_PAGE,
    fields={"root": FilePath, "path": FilePath, "reason": str, "count": int},
    meaning="""
        Pipes, sockets and device nodes are no media; nothing is done to them, and nothing is wrong with the media beside them.
        """,
    action="""
        Look at the one that is named. If it belongs there, leave it out of the audit: excludes in [perms-audit].
          ls -la {path_quoted}
        """,
)

READ_ONLY = Event(
    name="perms.read-only",
    message_id="a65251eeb2cf47e49987c1ab3998971e",
    priority=Priority.WARNING,
    message="{root} is read-only here: what is wrong in it can be found, and not be repaired",
    subject="Nothing can be repaired in {root}",
    page=_PAGE,
    fields={"root": FilePath},
    meaning="""
        The file system of this root is mounted read-only, or the unit may not write to it. That is told before there is
        something to repair, because an audit that cannot repair looks like one that finds nothing wrong.
        """,
    action="""
        See how it is mounted, and whether the units know the root:
          findmnt -T {root_quoted}
          plexguard-status apply
        """,
)

UNDONE = Event(
    name="perms.undone",
    message_id="9f3af5236b2843a69cc73a371138d6c6",
    priority=Priority.NOTICE,
    message="Run {run} was undone: {restored} restored, {changed} changed since and left alone, {gone} gone, {failed} failed",
    subject="The changes of run {run} were taken back",
    page=_PAGE,
    fields={"run": str, "restored": int, "changed": int, "gone": int, "failed": int},
    meaning="""
        An administrator took back what a run changed. Old modes and owners came back where nobody had changed them since.
        """,
    action="""
        For an hour (repeat_after) these paths are left as they are. If they are meant to stay so for good, leave them out:
        excludes in [perms-audit].
          editor /etc/plexguard/plexguard.toml
        """,
)

UNHEALTHY = Event(
    name="perms.unhealthy",
    message_id="2877d1c15f7e4bb181e733af7f06c3f9",
    priority=Priority.ERR,
    message="Plex cannot read {path}, and it could not be repaired: {reason}",
    subject="{path} stays unreadable to Plex",
    page=_PAGE,
    fields={"path": FilePath, "reason": str},
    meaning="""
        Plex complained about this path in its log. It was audited with the folders above it, what could be repaired was, and
        then it was opened as Plex's user, which failed: {reason}. Until it can be read, `plexguard-perms-audit --check` and the
        health check of Plex's container report it; each audit tries it again.
        """,
    action="""
        See what is in the way:
          plexguard-perms-audit explain {path_quoted}
          namei -l {path_quoted}
        """,
)

HEALTHY = Event(
    name="perms.healthy",
    message_id="c112b731431a4572a660aa4893c59e10",
    priority=Priority.NOTICE,
    message="{path} is {state}, after {downtime_s:.0f} s",
    subject="{path} is no longer unreadable",
    page=_PAGE,
    fields={"path": FilePath, "state": str, "downtime_s": float},
    ends=("perms.unhealthy",),
    meaning="""
        A path that Plex could not read is {state}: it was opened as Plex's user, or it is not there any more.
        """,
    action="""
        Nothing needs to be done.
        """,
)

RESTART_ASKED = Event(
    name="perms.restart-asked",
    message_id="ea5754230dce4c84b5ddebdc477b20bc",
    priority=Priority.WARNING,
    message="{count} paths stay unreadable, such as {path}: a restart of Plex was asked for (restart_plex = true)",
    subject="Plex is to be restarted for media it cannot read",
    page=_PAGE,
    fields={"count": int, "path": FilePath},
    meaning="""
        Media stay unreadable to Plex, though everything that could be repaired was. A Plex that was started before its user
        joined a group, or before a mount came back, reads them after a restart. The restart unit looks for itself, and keeps
        to its budget; it is asked once for each path.
        """,
    action="""
        See what it decided:
          journalctl -u plexguard-plex-restart.service
        """,
)

REFUSED = Event(
    name="perms.request-refused",
    message_id="7abd7cf0fa6547008b38fb8afa352874",
    priority=Priority.WARNING,
    message="A request from uid {uid} was refused: {reason}",
    subject="A request for an audit was refused",
    page=_PAGE,
    fields={"uid": int, "reason": str},
    meaning="""
        Somebody asked the root side of the audit for something that it does not do: a path outside the roots, too many
        paths at once, or it was nobody who may ask. Nothing was looked at. Told once a minute at most for each reason.
        """,
    action="""
        Log text can name any path, so a single one means little. Which programs may ask is fixed: see the manual.
          journalctl -u plexguard-log-watch.service -e
        """,
)

NOT_RECORDED = Event(
    name="perms.not-recorded",
    message_id="5a9ba1f933c340b3b7c055e48cbc9d4e",
    priority=Priority.WARNING,
    message="Whether Plex can read {path} could not be noted: {reason}",
    subject="The record of unreadable media could not be written",
    page=_PAGE,
    fields={"path": FilePath, "reason": str},
    meaning="""
        A path that Plex complained about was looked at, repaired where that was possible, and the answer given. Only the record
        of media that stay unreadable could not be brought up to date: {reason}. So `plexguard-perms-audit --check` and the
        health check of Plex's container may not know of this path, or still know of it. Told once a minute at most.
        """,
    action="""
        A full disk is the usual cause. See that there is room, and who may write there:
          df -h /var/lib/plexguard
          ls -l /var/lib/plexguard/perms-audit
        The next audit looks again at every path that is on the record:
          systemctl start plexguard-perms-audit.service
        """,
)

WATCHING = Event(
    name="perms.watching",
    message_id="5a31b7c6d5e24322a415d5d839ce7814",
    priority=Priority.INFO,
    message="Watching {path}: what comes into it is checked at once",
    subject="{path} is watched",
    page=_PAGE,
    fields={"path": FilePath},
    meaning="""
        The file system of this folder tells the guard what is created, moved in or given another mode below it. What Plex
        cannot read there is repaired within a second.
        """,
    action="""
        Nothing. What is watched now:
          systemctl status plexguard-perms-guard.service
        """,
)

UNWATCHED = Event(
    name="perms.unwatched",
    message_id="9ba91d363f1e44e6a4c512fb29aef852",
    priority=Priority.NOTICE,
    message="Not watching {path} ({reason}): it is left to the timer",
    subject="{path} is not watched",
    page=_PAGE,
    fields={"path": FilePath, "reason": str},
    meaning="""
        Nothing tells the guard what happens below this folder. A network or FUSE mount (fuse.rclone, nfs4) raises no events
        for what happens behind it, overlay refuses to be watched, and what is not mounted or not there is waited for. The
        reason here: {reason}. The audits of the timers look at it all the same.
        """,
    action="""
        Nothing, if it is as it should be. When the audits run, and what is mounted there:
          systemctl list-timers 'plexguard-perms-audit*'
          findmnt -T {path_quoted}
        """,
)

GUARD_BEHIND = Event(
    name="perms.guard-behind",
    message_id="44aaf43a39394d42b1e75426add9d8b8",
    priority=Priority.NOTICE,
    message="{unit} is started: {reason}",
    subject="The live guard had an audit started",
    page=_PAGE,
    fields={"reason": str, "unit": str},
    meaning="""
        The guard could not, or need not, look at every single change: {reason}. So it started {unit}, at most once a minute,
        which finds what is wrong.
        """,
    action="""
        Nothing. If it comes often on a busy disk, let the kernel keep more changes:
          cat /proc/sys/fs/fanotify/max_queued_events
        What the audit found:
          journalctl -u 'plexguard-perms-audit*'
        """,
)

AUDIT_REFUSED = Event(
    name="perms.audit-refused",
    message_id="ba1352fcd83349d5850f2584884af473",
    priority=Priority.WARNING,
    message="{unit} could not be started, it is tried again: {reason}",
    subject="The live guard could not have an audit started",
    page=_PAGE,
    fields={"unit": str, "reason": str},
    meaning="""
        There were changes that the guard could not look at, and the audit that was to find them could not be started:
        {reason}. It is tried again every minute.
        """,
    action="""
        See what keeps it from running:
          systemctl status 'plexguard-perms-audit*'
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
