"""What plexguard-perms-audit can tell the journal."""

from plexguard.core.events import Event, FilePath, Kept, Mode, Priority

_PAGE = "plexguard-perms-audit(8)"

REPAIRED = Event(
    name="perms.repaired",
    message_id="d803b6563e7b4cf98059982710c2b315",
    priority=Priority.NOTICE,
    message="{path}: mode {old_mode} is now {new_mode}: {reason}",
    subject="{path} was repaired",
    page=_PAGE,
    fields={"path": FilePath, "old_mode": Mode, "new_mode": Mode, "reason": str, "run": str},
    about=("path",),
    meaning="""
        Plex could not open {path}, or it was not as the configured policy wants it: {reason}. A player would have been told
        that it is not available, or that its session was terminated. It is well now.
        """,
    decided="""
        By its mode, owner and ACL, for the user that Plex runs as; where that could be done it was tried once more as that
        user just before the change. A service leaves alone what was repaired, or taken back by undo, within repeat_after (1
        h).
        """,
    did="""
        The change was written to the undo list of run {run}, then mode {old_mode} became {new_mode}. The mode was read back,
        and the path opened as Plex's user; a change that does not help is taken back.
        """,
    action="""
        Find out who writes files with such a mode (a download client's umask, most often). All repairs of this run, and how
        to take them back:
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
    about=("path",),
    meaning="""
        Plex cannot open {path}, or it is not as the configured policy wants it: {reason}.
        """,
    decided="""
        By its mode {old_mode}, its owner and ACL, for the user that Plex runs as.
        """,
    did="""
        Nothing: this was a dry run (--dry-run, DRY_RUN=1 or dry_run = true). Otherwise it would be given mode {new_mode}.
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
    about=("root", "reason"),
    meaning="""
        Below {root} paths stay unreadable to Plex, or other than the policy wants them: {count} in number, {path} is one of
        them. The cause: {reason}.
        """,
    decided="""
        Each was judged by its mode, owner and ACL for the user that Plex runs as. Then it was not changed, as that could do
        harm or no good, or the change failed, or did not help.
        """,
    did="""
        They were left as they are; a change that did not help was taken back. It is told once for each cause: when it is new,
        when the number has changed, and every night.
        """,
    action="""
        Look at the one that is named, its folders, and the file system it is on:
          plexguard-perms-audit explain {path_quoted}
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
    about=("root",),
    meaning="""
        Nothing is known of the media in {root}: {reason}. That is never taken for "all is well".
        """,
    decided="""
        Before it is walked a root is looked at: whether it is there, a folder, mounted as fstab(5), [rclone.NAME] or the last
        audit say, no folder of the system, and open to root; and whether plexguard-rclone-watchdog(8), where it guards the
        mount, knows of it (one that is not proven is left out: perms.root-left-out). One that holds no file at all, and one
        from which nothing came for stall_timeout (60 s), is at fault too.
        """,
    did="""
        It was not audited, and nothing was changed in it. The other roots were. Each audit looks at it again, every 30
        minutes, and its end is told (perms.root-well).
        """,
    action="""
        See whether its disk is there, and which roots are configured:
          findmnt -T {root_quoted}
          plexguard-status
          plexguard-status check-config
        If its media were moved to another file system on purpose, let plexguard forget the old mount:
          rm /var/lib/plexguard/perms-audit/state.json
        """,
)

ROOT_LEFT_OUT = Event(
    name="perms.root-left-out",
    message_id="3f750ecce3bd4cc590e0ae29f3fd05fb",
    priority=Priority.NOTICE,
    message="{root} is left out: its mount is not proven to be alive",
    subject="{root} is left out of the audits while its mount is not proven",
    page=_PAGE,
    fields={"root": FilePath},
    about=("root",),
    ends=("perms.root-fault",),
    meaning="""
        plexguard-rclone-watchdog(8) does not say that the mount {root} is alive. What lies on it is not audited meanwhile, since
        who asks a mount that hangs waits with it.
        """,
    decided="""
        By what the watchdog has published of the mount; the mount itself was not asked.
        """,
    did="""
        All other roots were audited. This one will be by the first audit, every 30 minutes and each night, that finds its mount
        proven. The mount's own problem, and its end, are told by its watchdog.
        """,
    action="""
        See what is wrong with the mount:
          plexguard-status
          plexguard-rclone-watchdog probe {root_quoted}
        """,
)

ROOT_WELL = Event(
    name="perms.root-well",
    message_id="c8ba81cad2a940eeb9e053be08768866",
    priority=Priority.NOTICE,
    message="{root} can be audited again, or is no root any more",
    subject="{root} can be audited again",
    page=_PAGE,
    fields={"root": FilePath},
    about=("root",),
    ends=("perms.root-fault",),
    meaning="""
        {root} could not be audited, and that is over.
        """,
    decided="""
        The last audit of recent changes, or of everything, met no fault there; or it is no root any more.
        """,
    did="""
        It was audited as any root.
        """,
    action="""
        See what is mounted there, and what the kernel says of its disk:
          findmnt -T {root_quoted}
          journalctl -k -p warning --since -1d
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
    about=("root", "reason"),
    meaning="""
        Parts of {root} could not be looked at, and what lies in them is unknown: {count} in number, {path} is one of them.
        The cause: {reason}.
        """,
    decided="""
        While it walked the tree the audit met folders that even root could not list. "Socket not connected" or "Stale file
        handle" is a dead mount, never a question of modes.
        """,
    did="""
        The rest was audited; these were left. It is told when it is new, when the number has changed, and every night.
        """,
    action="""
        Look at the one that is named, as root:
          ls -la {path_quoted}
          findmnt -T {path_quoted}
        What the kernel says of the disk below it:
          journalctl -k -p warning --since -1d
        """,
)

SETTLED = Event(
    name="perms.settled",
    message_id="c0b91b2c28a04b719a8768e6c1f4a3e1",
    priority=Priority.NOTICE,
    message="Nothing is left below {root} for this reason any more: {reason}",
    subject="A cause below {root} is settled",
    page=_PAGE,
    fields={"root": FilePath, "reason": str},
    about=("root", "reason"),
    ends=("perms.not-repaired", "perms.unseen"),
    meaning="""
        Below {root} paths could not be repaired, or not be looked at, and none is left of which that is so. The cause was:
        {reason}.
        """,
    decided="""
        An audit found none. For paths that were not repaired it was a full one, as that of recent changes does not see all.
        """,
    did="""
        Nothing more. Other causes are told for themselves.
        """,
    action="""
        See what every audit found:
          journalctl -u 'plexguard-perms-audit*' -p notice --since -7d
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
    ends=("perms.no-roots",),
    meaning="""
        An audit of {roots} roots is done: {wrong} paths were wrong, {repaired} were repaired, {failed} are still unreadable,
        or other than the policy wants them.
        """,
    decided="""
        {files} files and {folders} folders were examined in {seconds} s, each as the user that Plex runs as. A run for recent
        changes counts only files that changed within changed_within (4 h) or lie in a folder that did, and all folders.
        """,
    did="""
        What was repaired stands on the undo list of this run ("{run}", empty where nothing was changed). What failed was
        told, each cause when it was new.
        """,
    action="""
        When nothing failed, nothing has to be done. Otherwise see the causes, which are told again every night:
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
    about=("folder",),
    meaning="""
        Many paths were repaired at once: {count} more below {folder}, such as {path}.
        """,
    decided="""
        In one run the first 50 repairs are told one by one, by a service that stays the first 20 in 10 s. The others are
        summed up by their folder, or by their root when there are more than 10 folders.
        """,
    did="""
        Each of them was judged, written to the undo list, repaired and tried for itself. The list of run {run} has them all.
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
    about=("owner", "mode"),
    meaning="""
        {count} files that Plex could not read belong to {owner} and had mode {mode}, such as {path}. That is no accident of
        single files: a program of {owner} makes them so.
        """,
    decided="""
        At least 10 files of one owner with one mode were found in one run, or by the guard within 10 s. A umask of {umask}
        gives new files that mode; a umask of 0000 or 777 in the settings of a download client, where 022 was meant, is the
        usual case, and a NAS that zeroes modes for a while another.
        """,
    did="""
        The files were repaired, or told as in a dry run. The program was not touched: the next files will be wrong too.
        """,
    action="""
        Find the programs of {owner} and their umask, and set UMask=0022 for their units where it is wrong; an example is
        among the documents:
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
    about=("root",),
    meaning="""
        Plex can read nothing in {root}, whatever its own mode, since it cannot pass {folder}, a folder above it: {reason}.
        """,
    decided="""
        The way to the root was tried from the top as the user that Plex runs as, and it cannot pass this folder.
        """,
    did="""
        The folder lies outside the roots, so it was not changed. The root was audited all the same. It is told when it is new
        and every night, and its end too (perms.unblocked).
        """,
    action="""
        See the whole way, and let that user pass; setfacl(1) can do that for one user alone:
          namei -l {root_quoted}
          chmod o+x {folder_quoted}
        """,
)

UNBLOCKED = Event(
    name="perms.unblocked",
    message_id="f1abf291155548d9918f3cc1f4f03fe7",
    priority=Priority.NOTICE,
    message="{root} can be reached by Plex again, or is no root any more",
    subject="Plex can come to {root} again",
    page=_PAGE,
    fields={"root": FilePath},
    about=("root",),
    ends=("perms.blocked",),
    meaning="""
        A folder above {root} kept Plex out, and does not any more.
        """,
    decided="""
        The last audit passed all folders above it as the user that Plex runs as; or it is no root any more.
        """,
    did="""
        It was audited as any root.
        """,
    action="""
        See the whole way, and whose folder it is that somebody closes again:
          namei -l {root_quoted}
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
    about=("root", "reason"),
    meaning="""
        There is more than media below {root}: {count} paths, such as {path}. Nothing is wrong with the media beside them.
        """,
    decided="""
        They are neither files nor folders: each {reason}.
        """,
    did="""
        Nothing is done to them. It is told when the number has changed, and every night.
        """,
    action="""
        Look at the one that is named. If it belongs there, leave it out of the audit: excludes in [perms-audit].
          ls -la {path_quoted}
          editor /etc/plexguard/plexguard.toml
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
    about=("root",),
    meaning="""
        What is wrong in {root} can be found, and cannot be repaired: it is read-only here. An audit that cannot repair looks
        like one that finds nothing wrong, so this is told before there is something to repair.
        """,
    decided="""
        Its file system is mounted read-only, or the unit may not write to it (ReadWritePaths=).
        """,
    did="""
        It was audited, and nothing was changed in it. It is told when it is new and every night, and its end too
        (perms.writable).
        """,
    action="""
        See how it is mounted, and have the units learn the roots again:
          findmnt -T {root_quoted}
          plexguard-status apply
        """,
)

WRITABLE = Event(
    name="perms.writable",
    message_id="ca2eeac68dd7496d97f212d44261c61c",
    priority=Priority.NOTICE,
    message="{root} is not read-only any more, or is no root any more",
    subject="What is wrong in {root} can be repaired again",
    page=_PAGE,
    fields={"root": FilePath},
    about=("root",),
    ends=("perms.read-only",),
    meaning="""
        {root} was read-only, so that nothing could be repaired in it, and is not any more.
        """,
    decided="""
        The last audit found its file system writable; or it is no root any more.
        """,
    did="""
        What the audit found wrong there was repaired.
        """,
    action="""
        A disk that becomes read-only by itself has errors, which the kernel tells:
          journalctl -k -p warning --since -1d
          findmnt -T {root_quoted}
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
    about=("run",),
    meaning="""
        What run {run} changed was taken back: {restored} paths have their old mode and owner again.
        """,
    decided="""
        An administrator ran plexguard-perms-audit undo {run}. A path is only restored when it is the same file and nobody has
        changed it since.
        """,
    did="""
        {changed} that were changed since were left alone, {gone} are gone, {failed} failed. The undoing is a run of its own
        in the list. For repeat_after (1 h) the services leave these paths as they are.
        """,
    action="""
        If they are meant to stay so for good, leave them out: excludes in [perms-audit].
          editor /etc/plexguard/plexguard.toml
        What can be taken back:
          plexguard-perms-audit list
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
    about=("path",),
    meaning="""
        Plex complained about {path} in its log, cannot read it, and it could not be repaired: {reason}.
        """,
    decided="""
        It was opened as Plex's user, which failed. Then it was audited with the folders above it, what could be repaired was,
        and it was opened once more.
        """,
    did="""
        It was put on the record: until it can be read, plexguard-perms-audit --check and the health check of Plex's container
        report it. Each audit tries it again, every 30 minutes. After 30 minutes a restart of Plex is asked for, if
        restart_plex is set.
        """,
    action="""
        See what is in the way:
          plexguard-perms-audit explain {path_quoted}
          namei -l {path_quoted}
          findmnt -T {path_quoted}
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
    about=("path",),
    meaning="""
        {path}, which Plex could not read for {downtime_s} s, is {state}.
        """,
    decided="""
        It was opened as Plex's user, or it is not there any more while its root is well.
        """,
    did="""
        It was taken off the record that plexguard-perms-audit --check and the health check of Plex's container look at.
        """,
    action="""
        See whether Plex can read it, and who changes it:
          plexguard-perms-audit explain {path_quoted}
          journalctl -u 'plexguard-perms-*' --since -1d
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
        {count} paths stay unreadable to Plex, such as {path}, though everything that could be repaired was. A Plex that was
        started before its user joined a group, or before a mount came back, reads them after a restart.
        """,
    decided="""
        They have been on the record for 30 minutes at least, no restart was asked for them yet, and restart_plex = true is
        set.
        """,
    did="""
        It was noted, then plexguard-plex-restart.service was started. That looks for itself, keeps to its budget, and leaves
        Plex alone while somebody watches. It is asked once for each path, and again only where it was put off.
        """,
    action="""
        See what it decided:
          journalctl -u plexguard-plex-restart.service
          plexguard-perms-audit explain {path_quoted}
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
        Somebody, with uid {uid}, asked the root side of the audit for something that it does not do: {reason}.
        """,
    decided="""
        Only root and user plexguard may ask, and only for a path that lies below a root. The kernel says who asked.
        """,
    did="""
        Nothing was looked at or changed. It is told once a minute at most for each reason.
        """,
    action="""
        Log text can name any path, so a single one means little. What log-watch asked for, and whose uid it is:
          journalctl -u plexguard-log-watch.service -e
          ps -eo uid,user,args
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
    about=("path",),
    meaning="""
        The record of unreadable media could not be brought up to date: {reason}. So plexguard-perms-audit --check and the
        health check of Plex's container may not know of {path}, or still know of it.
        """,
    decided="""
        Writing the record failed, or its lock was not free within 2 s.
        """,
    did="""
        The path was looked at, repaired where that was possible, and the answer given. Each audit tries every path on the
        record again. It is told once a minute at most.
        """,
    action="""
        A full disk is the usual cause. See that there is room, and who may write there:
          df -h /var/lib/plexguard
          ls -l /var/lib/plexguard/perms-audit
        Then have every path on the record looked at again:
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
    about=("path",),
    ends=("perms.unwatched",),
    meaning="""
        What is created, moved in or given another mode below {path} is seen at once, and what Plex cannot read there is
        repaired within a second.
        """,
    decided="""
        It is a root, or a file system that is mounted below one, and its file system took the mark by which the kernel tells
        of changes.
        """,
    did="""
        The guard watches it. An audit of recent changes was asked for, as nobody has told what happened before.
        """,
    action="""
        What is watched now:
          systemctl status plexguard-perms-guard.service
        If it comes and goes, its mount does:
          findmnt -T {path_quoted}
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
    about=("path",),
    meaning="""
        Nothing tells the guard what happens below {path}: {reason}. What comes there is repaired later, by the audits of the
        timers.
        """,
    decided="""
        By the table of mounts, and by whether its file system can be watched. A network or FUSE mount (fuse.rclone, nfs4)
        raises no events for what happens behind it and is not touched, overlay refuses, and what is not mounted or not there
        is waited for. Each reason is told once, until {path} is watched again.
        """,
    did="""
        The other roots are watched. Recent changes are audited every 30 minutes, everything every night. When it can be
        watched, that is told (perms.watching).
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
    about=("unit",),
    ends=("perms.audit-refused",),
    meaning="""
        The guard could not, or need not, look at every single change: {reason}.
        """,
    decided="""
        The kernel's queue of changes ran over, a folder is watched that was not before, a tree was moved in that is too
        large, or a file has several names, of which only an audit can see all.
        """,
    did="""
        {unit} was started, which finds what is wrong; once a minute at most.
        """,
    action="""
        On a busy disk, let the kernel keep more changes:
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
    about=("unit",),
    kept=Kept.RUN,
    meaning="""
        There were changes that the guard could not look at, and the audit that was to find them could not be started:
        {reason}.
        """,
    decided="""
        The service manager refused to start {unit}, or gave no answer.
        """,
    did="""
        It is tried again every minute until it works, which is told (perms.guard-behind). This is told once until then.
        """,
    action="""
        See what keeps it from running, and start it by hand:
          systemctl status 'plexguard-perms-audit*'
          systemctl start plexguard-perms-audit-full.service
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
        There is nothing to audit yet, so media that Plex cannot read are not found.
        """,
    decided="""
        No roots are configured, and no library folder of a Plex is known: no Plex was found on this machine, or it has no
        libraries yet, or its token could not be read.
        """,
    did="""
        Nothing. Each audit looks again, every 30 minutes, and tells when it has audited something (perms.audited).
        """,
    action="""
        See what was found, or name the folders yourself:
          cat /run/plexguard/plex.json
          editor /etc/plexguard/plexguard.toml
          plexguard-status apply
        """,
)
