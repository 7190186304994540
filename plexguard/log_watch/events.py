"""What plexguard-log-watch can tell the journal."""

from plexguard.core.events import Event, FilePath, Kept, Priority

_PAGE = "plexguard-log-watch(8)"

COMPLAINT = Event(
    name="logs.complaint",
    message_id="8425cd73759f44e4b2e26c1983bc45e1",
    priority=Priority.INFO,
    message="{path}: complained about ({pattern}), and found {verdict}{detail}",
    subject="Plex complained about {path}, which was found {verdict}",
    page=_PAGE,
    fields={"path": FilePath, "pattern": str, "verdict": str, "detail": str},
    about=("path",),
    meaning="""
        Plex, or the proxy before it, complained about {path}, and it was found {verdict}{detail}: "readable" was fine
        already, "repaired" was not and is now, "unreadable" could not be repaired, "missing" is not there.
        """,
    decided="""
        A line of a log ({pattern}) says that this file or folder could not be read, or that something of it could not be
        played. A log line proves nothing: the audit opened the path as Plex's user.
        """,
    did="""
        The audit looked at the path and, where it could not be read, at the folders above it, and repaired what it could.
        However many lines there are, the same path is not looked at again within repeat_after (10 min).
        """,
    action="""
        When it is readable or repaired, nothing has to be done: a playback is also refused for bandwidth, for a user's
        limits, or to a player that asks for a file that is long gone. Else see what is in the way:
          plexguard-perms-audit explain {path_quoted}
        What was repaired, and what was not:
          journalctl -u 'plexguard-perms-*' --since -1h
        What Plex wrote can be read in its web interface: Settings, Console.
        """,
)

UNSETTLED = Event(
    name="logs.unsettled",
    message_id="0af75db7903e4651bae52be86d103e42",
    priority=Priority.WARNING,
    message="{what}: complained about ({pattern}), and nobody can tell whether Plex can read it: {reason}",
    subject="A complaint of Plex could not be followed up",
    page=_PAGE,
    fields={"what": str, "pattern": str, "reason": str},
    about=("what",),
    meaning="""
        Plex, or the proxy before it, complained about {what}, and nobody can tell whether Plex can read it: {reason}. This is
        not taken for "all is well".
        """,
    decided="""
        A line of a log ({pattern}) named it. Either it is no path that can be looked at, or Plex's database or the audit
        could not say anything of it: up to 6 tries with growing pauses, an hour at most.
        """,
    did="""
        Nothing was changed. It is told once, and not again within repeat_after (10 min).
        """,
    action="""
        If it is a path outside of the folders that are audited, and should not be, add its folder to the roots in
        [perms-audit]:
          editor /etc/plexguard/plexguard.toml
          plexguard-status apply
        What the audit found there, and which Plex it looks for:
          journalctl -u 'plexguard-perms-*' --since -1h
          cat /run/plexguard/plex.json
        """,
)

MOUNT_DEAD = Event(
    name="logs.mount-dead",
    message_id="a594c603c6b64b488be141dbfe192602",
    priority=Priority.WARNING,
    message='Plex says "{fault}" for {path}: a dead mount, modes are left alone',
    subject="A mount that Plex reads is dead",
    page=_PAGE,
    fields={"path": FilePath, "fault": str},
    about=("path",),
    meaning="""
        A mount that Plex reads is dead: Plex says "{fault}" for {path}. A library scan may now mark everything on that mount
        as deleted.
        """,
    decided="""
        These words are said by a mount whose server or program is gone (FUSE, NFS, a disk that fails), or by a container that
        still sees the mount of before a remount. They have nothing to do with permissions; nor has a refusal on a mount that
        plexguard-rclone-watchdog(8) says is not proven.
        """,
    did="""
        No mode is changed, and nothing is remounted. Where plexguard-rclone-watchdog(8) guards the mount it is told to look at
        once. It is told once for a mount, and not again within repeat_after (10 min).
        """,
    action="""
        See what is mounted there, and whether it answers (the second may hang, as Plex does):
          findmnt -T {path_quoted}
          ls -la {path_quoted}
        How the mounts are that plexguard guards:
          systemctl status 'plexguard-rclone-watchdog@*'
        Until it is back, have Plex not empty its trash after scans (Settings, Library). If only the container sees it dead,
        the container has to be restarted:
          docker ps
        """,
)

OVERFLOW = Event(
    name="logs.overflow",
    message_id="219a2d5c13a9416ead1026837f00df76",
    priority=Priority.WARNING,
    message="{count} complaints were left out: {reason}",
    subject="Complaints of Plex were left out",
    page=_PAGE,
    fields={"count": int, "reason": str},
    meaning="""
        {count} complaints were left out: {reason}. The audit of recent changes and the full audit find the same files without
        any complaint.
        """,
    decided="""
        512 complaints may wait at once, half of them of the kind that anybody can cause, and 200 may be told within
        repeat_after (10 min). What came beyond that was counted for 10 s.
        """,
    did="""
        They were dropped; those that wait are handed to the audit. It is told once within repeat_after.
        """,
    action="""
        Many at once have one cause, most often: a mount, a folder above all of them, or somebody who tries numbers. Look at
        the first ones, then audit everything:
          journalctl -u plexguard-log-watch --since -1h
          systemctl start plexguard-perms-audit-full.service
        """,
)

UNREADABLE = Event(
    name="logs.unreadable",
    message_id="cf57da01bb934f30a1ed2a0402da0f84",
    priority=Priority.WARNING,
    message="{source} cannot be read: {reason}",
    subject="What plexguard-log-watch follows cannot be read",
    page=_PAGE,
    fields={"source": str, "reason": str, "part": str},
    about=("part",),
    meaning="""
        {source} cannot be read: {reason}. Until it can, complaints are not noticed, or not traced to their files.
        """,
    decided="""
        One attempt to read it failed, or there is no log in the folder, or it lies on a network or FUSE mount, which is not
        touched.
        """,
    did="""
        It is tried again, the logs and the proxy's journal every half second, the database with the next complaint that needs
        it, and told when it works (logs.readable). The audits go on without it. When no log is seen for 5 minutes the service
        starts anew.
        """,
    action="""
        The folders of Plex are shown to the service when it starts, wherever they are, but not from a network or FUSE mount.
        What it sees, and as whom:
          systemctl show plexguard-log-watch.service --property=BindReadOnlyPaths,SupplementaryGroups
          cat /run/plexguard/plex.json
        Have Plex found anew and the service started anew:
          plexguard-status apply
          systemctl restart plexguard-log-watch.service
        """,
)

READABLE = Event(
    name="logs.readable",
    message_id="5d4c2e15414e4f5f802506092bb6acd9",
    priority=Priority.NOTICE,
    message="{source} can be read again after {downtime_s:.0f} s",
    subject="What plexguard-log-watch follows can be read again",
    page=_PAGE,
    fields={"source": str, "downtime_s": float, "part": str},
    ends=("logs.unreadable",),
    about=("part",),
    meaning="""
        {source} can be read again, after {downtime_s} s.
        """,
    decided="""
        It was read without a fault.
        """,
    did="""
        What was written to log files or to the proxy's journal meanwhile is read now, as far as it is still there.
        """,
    action="""
        See what the service says of it, and what it is shown:
          journalctl -u plexguard-log-watch --since -1d
          systemctl show plexguard-log-watch.service --property=BindReadOnlyPaths,SupplementaryGroups
        """,
)

AUDIT_LOST = Event(
    name="logs.audit-lost",
    message_id="590dbf5541f9498592039d990ae0d25d",
    priority=Priority.WARNING,
    message="The audit cannot be asked to look at {path}: {reason}",
    subject="Complaints of Plex cannot be handed to the audit",
    page=_PAGE,
    fields={"path": FilePath, "reason": str},
    kept=Kept.RUN,
    meaning="""
        Complaints of Plex cannot be handed to the part of plexguard that has the rights to look and to repair: {reason}.
        Until it answers, what Plex cannot read waits for the audits of the timers.
        """,
    decided="""
        It was asked about {path} through its socket, and there was nobody there, or no answer within 15 s, or none that makes
        sense.
        """,
    did="""
        Complaints wait and are handed on again, with growing pauses, for an hour at most. Its end is told (logs.audit-found).
        """,
    action="""
        See whether it is turned off, or has failed, and start its socket:
          systemctl status 'plexguard-perms-*'
          journalctl -u 'plexguard-perms-*' --since -1h
          systemctl start plexguard-perms-request.socket
        """,
)

AUDIT_FOUND = Event(
    name="logs.audit-found",
    message_id="443df91fb0e042c9980282e8e1cfe3cd",
    priority=Priority.NOTICE,
    message="The audit answers again after {downtime_s:.0f} s, {waiting} complaints wait for it",
    subject="Complaints of Plex are handed to the audit again",
    page=_PAGE,
    fields={"downtime_s": float, "waiting": int},
    ends=("logs.audit-lost",),
    meaning="""
        Complaints of Plex are handed to the audit again, after {downtime_s} s.
        """,
    decided="""
        The audit answered a request.
        """,
    did="""
        The complaints that waited, {waiting} of them, are handed to it now. Those that waited for more than an hour were told
        as logs.unsettled.
        """,
    action="""
        The audit's own journal says why it goes away:
          journalctl -u plexguard-perms-request --since -1d
        """,
)
