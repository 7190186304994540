"""What plexguard-log-watch can tell the journal."""

from plexguard.core.events import Event, FilePath, Priority

_PAGE = "plexguard-log-watch(8)"

COMPLAINT = Event(
    name="logs.complaint",
    message_id="8425cd73759f44e4b2e26c1983bc45e1",
    priority=Priority.INFO,
    message="{path}: complained about ({pattern}), and found {verdict}{detail}",
    subject="Plex complained about {path}, which was found {verdict}",
    page=_PAGE,
    fields={"path": FilePath, "pattern": str, "verdict": str, "detail": str},
    meaning="""
        A line of a log ({pattern}) says that this file or folder could not be read, or that something of it could not be
        played. The audit was asked to look at it and at the folders above it, and found it {verdict}: "readable" was fine
        already, "repaired" was not and is now, "unreadable" could not be repaired, "missing" is not there. It is told once
        for a path, and then not again for a while, however many lines there are.
        """,
    action="""
        Nothing, when it is readable or repaired. A playback is also refused for bandwidth, for a user's limits, or to a player
        that asks for a file that is long gone. What was repaired, and what was not:
          journalctl -u 'plexguard-perms-*' --since -1h
        What Plex wrote can be read in the web interface: Settings, Console.
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
    meaning="""
        A line of a log ({pattern}) says that this could not be read or played: {what}. Whether that is so could not be found
        out: {reason}. Nothing was changed, and this is not taken for "all is well". It is told once, and then not again for a
        while.
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
    meaning="""
        Plex logged "{fault}" for this path. That is said by a mount whose server or program is gone (FUSE, NFS, a disk that
        fails), or by a container that still sees the mount of before a remount. It has nothing to do with permissions, so
        nothing is repaired. A library scan may now mark everything on that mount as deleted. It is told once for a mount, and
        then not again for a while.
        """,
    action="""
        See what is mounted there, and whether it answers (both may hang, as Plex does):
          findmnt -T {path_quoted}
          ls -la {path_quoted}
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
        More complaints came than can be looked at one by one, so {count} of them were left out: {reason}. The audit of recent
        changes and the full audit find the same files without any complaint.
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
    fields={"source": str, "reason": str},
    meaning="""
        Until {source} can be read, complaints are not noticed, or not traced to their files: {reason}. It is tried again all
        the time, and told when it works. The audits go on without it.
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
    fields={"source": str, "downtime_s": float},
    ends=("logs.unreadable",),
    meaning="""
        {source} could not be read for {downtime_s} s, and can be again. What was written to log files meanwhile is read now.
        """,
    action="""
        Nothing.
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
    meaning="""
        Complaints are handed to the part of plexguard that has the rights to look and to repair, and it gave no answer:
        {reason}. They wait and are handed on again, ever more rarely and for an hour at most.
        """,
    action="""
        See whether it is turned off, or has failed:
          systemctl status 'plexguard-perms-*'
          journalctl -u 'plexguard-perms-*' --since -1h
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
        The part of plexguard that looks and repairs gave no answer for {downtime_s} s, and does again. The complaints that
        waited, {waiting} of them, are handed to it now.
        """,
    action="""
        Nothing.
        """,
)
