"""What plexguard-rclone-watchdog can tell the journal: of mounts here, and of the rest where it is done."""

from plexguard.core.events import Event, FilePath, Priority
from plexguard.rclone_watchdog.inside import events as inside
from plexguard.rclone_watchdog.mounting import events as mounting
from plexguard.rclone_watchdog.protect import events as protect
from plexguard.rclone_watchdog.trash import events as trash

FURTHER = (mounting, protect, inside, trash)
_PAGE = "plexguard-rclone-watchdog(8)"

# Of every fault: which mount, where, in words, which signals agree, and for how long nothing was read.
_FAULT = {"mount": str, "path": FilePath, "reason": str, "signals": str, "silent_s": float}

PROVEN = Event(
    name="mount.proven",
    message_id="adc07de058654bf097c1fa65ee1b6ed0",
    priority=Priority.NOTICE,
    message="Mount {mount} is proven again after {downtime_s:.0f} s: bytes are read through it",
    subject="A mount is proven again",
    page=_PAGE,
    fields={"mount": str, "problem": str, "downtime_s": float, "remounts": int},
    about=("mount",),
    ends=(
        "mount.stale",
        "mount.hung",
        "mount.degraded",
        "mount.refusing",
        "mount.empty",
        "mount.foreign",
        "mount.absent",
        "mount.unknown",
        "mount.gave-up",
    ),
    meaning="""
        Mount {mount} is back after {downtime_s} s: bytes of its files are read through it. It was {problem}; remounts in
        that time: {remounts}.
        """,
    decided="""
        Bytes of a file that is known to be there were read from the storage, and others through the mount that is there
        now.
        """,
    did="""
        Plex gets its settings back as they were, as soon as it is proven to see the mount too (plex.released).
        """,
    action="""
        See what it was, and how often:
          journalctl -u plexguard-rclone-watchdog@{mount}.service --since -1d
        """,
)

STALE = Event(
    name="mount.stale",
    message_id="6d903f9ba5a549fca844de2be002859f",
    priority=Priority.WARNING,
    message="Mount {mount} is stale: {reason}",
    subject="A mount's program is gone, and the mount is still there",
    page=_PAGE,
    fields=_FAULT,
    about=("mount",),
    meaning="""
        Mount {mount} at {path} is stale: {reason}. Whoever looks there gets "Transport endpoint is not connected".
        Nothing was read of it for {silent_s} s.
        """,
    decided="""
        It is in the kernel's table of mounts, and there is no program that answers for it. Signals that agree:
        {signals}.
        """,
    did="""
        Plex was protected first: its scans of this mount are cancelled, and automatic scans and emptying of the trash
        are off until bytes are read through the mount again (mount.proven). systemd starts rclone afresh, and the
        mount's unit takes the dead mount away before; where it does not, it is remounted (mount.remounting).
        """,
    action="""
        See why rclone ended. Killed for want of memory: give it a smaller profile, or the machine more memory:
          journalctl -u plexguard-rclone@{mount}.service --since -15min
          journalctl -k --grep 'out of memory' --since -15min
          editor /etc/plexguard/plexguard.toml
        """,
)

HUNG = Event(
    name="mount.hung",
    message_id="61828f7b46324a9fbab195059d473256",
    priority=Priority.WARNING,
    message="Mount {mount} hangs: {reason}",
    subject="A mount does not answer",
    page=_PAGE,
    fields=_FAULT,
    about=("mount",),
    meaning="""
        Mount {mount} at {path} does not answer: {reason}. Who reads there waits, and cannot be killed until it answers.
        Nothing was read of it for {silent_s} s.
        """,
    decided="""
        Several questions, or the same several times, got no answer within the limit, which grows with what the storage
        usually takes (answer_limit in [rclone-watchdog]). Signals that agree: {signals}.
        """,
    did="""
        Plex was protected first: its scans of this mount are cancelled, and automatic scans and emptying of the trash
        are off until bytes are read through the mount again (mount.proven). Where the storage itself is silent a
        remount would not help: it is waited for. Where it answers and the mount does not, the connection is cut and
        rclone started afresh (mount.remounting).
        """,
    action="""
        See whether the storage can be reached from here, and what rclone says of it:
          systemctl status plexguard-rclone-watchdog@{mount}.service plexguard-rclone@{mount}.service
          journalctl -u plexguard-rclone@{mount}.service --since -15min
          plexguard-rclone-watchdog probe {path_quoted}
          findmnt {path_quoted}
        """,
)

DEGRADED = Event(
    name="mount.degraded",
    message_id="153ad10a072c4067a1337f3a371ddadb",
    priority=Priority.WARNING,
    message="Mount {mount} lists and does not read: {reason}",
    subject="A mount lists its files and does not read them",
    page=_PAGE,
    fields=_FAULT,
    about=("mount",),
    meaning="""
        Mount {mount} at {path} may still list its files, from memory, and cannot read them: {reason}. A scan in this
        state makes Plex take every file for deleted. Nothing was read of it for {silent_s} s.
        """,
    decided="""
        Bytes were asked for, of files that are known to be there, and came back as errors. Signals that agree:
        {signals}.
        """,
    did="""
        Plex was protected first: its scans of this mount are cancelled, and automatic scans and emptying of the trash
        are off until bytes are read through the mount again (mount.proven). Where the storage gives bytes and only the
        mount does not, rclone's memory of folders is made anew, and if that does not help it is remounted. Otherwise a
        remount would not help, and the storage is waited for.
        """,
    action="""
        See what the storage answers, and what rclone says of it:
          journalctl -u plexguard-rclone@{mount}.service --since -15min
          systemctl status plexguard-rclone-watchdog@{mount}.service plexguard-rclone@{mount}.service
          plexguard-rclone-watchdog probe {path_quoted}
          findmnt {path_quoted}
        """,
)

REFUSING = Event(
    name="mount.refusing",
    message_id="d170303a8cb74aba84bdf77ef0cd1aba",
    priority=Priority.WARNING,
    message="Mount {mount} is refused by its storage: {reason}",
    subject="A mount's storage refuses to answer",
    page=_PAGE,
    fields=_FAULT,
    about=("mount",),
    meaning="""
        The storage of mount {mount} at {path} answers, and does not want to: {reason}. Its keys may be wrong or
        withdrawn, a quota may be used up, or it is asked too often.
        """,
    decided="""
        It answered with 401, 403 or 429, or in words that mean the same. Signals that agree: {signals}.
        """,
    did="""
        Plex was protected first: its scans of this mount are cancelled, and automatic scans and emptying of the trash
        are off until bytes are read through the mount again (mount.proven). It is asked less often, and not remounted:
        that would only ask more.
        """,
    action="""
        See which it is. A quota comes back by itself; keys are in rclone.conf, and a restart of the mount takes new
        ones:
          journalctl -u plexguard-rclone@{mount}.service --since -15min
          ls -l /etc/plexguard/credentials/
          systemctl restart plexguard-rclone@{mount}.service
        """,
)

EMPTY = Event(
    name="mount.empty",
    message_id="52bff2e668a843e98ffa575233357090",
    priority=Priority.ERR,
    message="Mount {mount} has lost its content: {reason}",
    subject="A mount has lost its content",
    page=_PAGE,
    fields=_FAULT,
    about=("mount",),
    meaning="""
        Mount {mount} at {path} is there, and what it held is not: {reason}. Either it shows the wrong bucket or folder,
        which to rclone is an empty one without any error, or the files were deleted.
        """,
    decided="""
        It was compared with what it listed when it was last known to be whole (lost_percent in [rclone-watchdog]), and
        files that are known were asked for. Signals that agree: {signals}.
        """,
    did="""
        Plex was protected first: its scans of this mount are cancelled, and automatic scans and emptying of the trash
        are off until bytes are read through the mount again (mount.proven). It is not remounted: the same would be
        mounted.
        """,
    action="""
        See what the storage holds, and whether remote in [rclone.{mount}] names the right place. If it is meant to be
        so little from now on, say so, and Plex is let go:
          plexguard-rclone-watchdog probe {path_quoted}
          findmnt {path_quoted}
          editor /etc/plexguard/plexguard.toml
          plexguard-rclone-watchdog accept {mount}
        """,
)

FOREIGN = Event(
    name="mount.foreign",
    message_id="3ee7f0a2d3b947c88a5a1e34d182bced",
    priority=Priority.ERR,
    message="Mount {mount} is hidden by another: {reason}",
    subject="Something else is mounted in place of a mount",
    page=_PAGE,
    fields=_FAULT,
    about=("mount",),
    meaning="""
        At {path}, the place of mount {mount}, something else is mounted: {reason}. Plex sees that, and would take all
        of the mount's files for deleted.
        """,
    decided="""
        The kernel's table of mounts has another type or source there than rclone and its remote. Signals that agree:
        {signals}.
        """,
    did="""
        Plex was protected first: its scans of this mount are cancelled, and automatic scans and emptying of the trash
        are off until bytes are read through the mount again (mount.proven). A mount of plexguard's own is remounted,
        and what lies on it is unmounted lazily before. A mount of others is left alone.
        """,
    action="""
        See who mounts there, most often a line of fstab or a unit of your own:
          findmnt --list --submounts {path_quoted}
          systemctl list-units --type=mount
          systemctl status plexguard-rclone-watchdog@{mount}.service plexguard-rclone@{mount}.service
        """,
)

ABSENT = Event(
    name="mount.absent",
    message_id="c817d816321e464e9c863919543f0321",
    priority=Priority.WARNING,
    message="Mount {mount} is gone: {reason}",
    subject="A mount is not there",
    page=_PAGE,
    fields=_FAULT,
    about=("mount",),
    meaning="""
        Mount {mount} is gone: {reason}. Who looks at {path} meets the bare folder: nothing,
        or an error.
        """,
    decided="""
        The kernel's table of mounts has nothing at exactly this path. Signals that agree: {signals}.
        """,
    did="""
        Plex was protected first: its scans of this mount are cancelled, and automatic scans and emptying of the trash
        are off until bytes are read through the mount again (mount.proven). A mount of plexguard's own is started
        again, by systemd or by its watchdog (mount.remounting); one of others is waited for.
        """,
    action="""
        See why it went. rclone ends with 1 where its remote or its options are wrong, and before it is begun its unit
        ends with 78 where something is missing on this machine:
          journalctl -u plexguard-rclone@{mount}.service --since -15min
          systemctl status plexguard-rclone-watchdog@{mount}.service plexguard-rclone@{mount}.service
        """,
)

UNKNOWN = Event(
    name="mount.unknown",
    message_id="4bac7229d41a4158a4060764641649fb",
    priority=Priority.WARNING,
    message="Whether mount {mount} works is not known: {reason}",
    subject="Whether a mount works is not known",
    page=_PAGE,
    fields=_FAULT,
    about=("mount",),
    meaning="""
        Mount {mount} at {path} has neither been proven nor found at fault for a minute: {reason}.
        """,
    decided="""
        It is mounted, and nothing could be read of it that proves anything, and nothing failed. Signals: {signals}.
        """,
    did="""
        Plex was protected first: its scans of this mount are cancelled, and automatic scans and emptying of the trash
        are off until bytes are read through the mount again (mount.proven). What is not known is never taken for well.
        """,
    action="""
        Look at it by hand. A canary, one small file that stays, makes the proof simple (canary in [rclone.{mount}]):
          plexguard-rclone-watchdog probe {path_quoted}
          findmnt {path_quoted}
          systemctl status plexguard-rclone-watchdog@{mount}.service plexguard-rclone@{mount}.service
          editor /etc/plexguard/plexguard.toml
        """,
)

SLOW = Event(
    name="mount.slow",
    message_id="700d3201afd546628cd1e54e081d3136",
    priority=Priority.NOTICE,
    message="Mount {mount} is slow: {reason}",
    subject="A mount is slow",
    page=_PAGE,
    fields={"mount": str, "latency_s": float, "reason": str},
    about=("mount",),
    meaning="""
        Mount {mount} gives its bytes, and takes long for it: {reason}. Films may stop and load.
        """,
    decided="""
        Bytes took longer than answer_limit in [rclone-watchdog] twice in a row, or are still waited for, and the
        storage answers.
        """,
    did="""
        Nothing: a storage that is slow is left in peace, and is waited for as long as patience in [rclone-watchdog]
        says. A remount would throw its cache away and make it slower. What is late is now told by what it usually
        takes. Its end is mount.in-time.
        """,
    action="""
        See who reads, and what the line carries:
          systemctl status plexguard-rclone-watchdog@{mount}.service plexguard-rclone@{mount}.service
          plexguard-speed-test --help
          ss -tnp state established '( dport = :443 )'
        """,
)

IN_TIME = Event(
    name="mount.in-time",
    message_id="8528c0cbb6dc4714a9acd8b769300130",
    priority=Priority.INFO,
    message="Mount {mount} answers in time again",
    subject="A mount answers in time again",
    page=_PAGE,
    fields={"mount": str, "latency_s": float},
    about=("mount",),
    ends=("mount.slow",),
    meaning="""
        Mount {mount} gives its bytes in time again; the last took {latency_s} s.
        """,
    decided="""
        Three answers in a row came within answer_limit.
        """,
    did="""
        Nothing had to be done.
        """,
    action="""
        If it is slow again and again, see when:
          journalctl -u plexguard-rclone-watchdog@{mount}.service --since -1d
        """,
)

REMOUNTING = Event(
    name="mount.remounting",
    message_id="5d5b33418da14cbea27ecf511302e8fd",
    priority=Priority.NOTICE,
    message="Mount {mount} is remounted (try {number} of 3): {did}",
    subject="A mount is remounted",
    page=_PAGE,
    fields={"mount": str, "verdict": str, "reason": str, "number": int, "did": str},
    about=("mount",),
    meaning="""
        Mount {mount} is {verdict}: {reason}. It is made anew: {did}. This is try {number} in this problem.
        """,
    decided="""
        The fault lies in the mount and not in its storage, and more than one signal says so, or the same several times.
        """,
    did="""
        The try was counted on disk first. Who still waited for the mount is let go, with an error. Three tries are
        made, and each is given time, 10, 20 and 30 s; then it is given up (mount.gave-up). rclone's cache on disk is
        kept.
        """,
    action="""
        If it comes again, see what rclone said before:
          journalctl -u plexguard-rclone@{mount}.service --since -15min
        """,
)

GAVE_UP = Event(
    name="mount.gave-up",
    message_id="3737bf3480b54ecd962ba67cd76dda0b",
    priority=Priority.ERR,
    message="Mount {mount} is given up after {remounts} remounts: it is {verdict}: {reason}",
    subject="A mount is given up",
    page=_PAGE,
    fields={"mount": str, "verdict": str, "reason": str, "remounts": int},
    about=("mount",),
    meaning="""
        Mount {mount} is {verdict}: {reason}. It was remounted {remounts} times, and none of them helped.
        """,
    decided="""
        After the last of the remounts, which were 10, 20 and 30 s apart, nothing could be read of it within its time.
        """,
    did="""
        Its watchdog's unit has failed, and with it what requires it; Plex stays protected. The unit is started again,
        and looks every few seconds whether the storage answers: then it remounts, ever less often where that does not
        help. It gets ready by itself when the mount is proven. What it asks the storage with, rclone.conf, it reads anew every
        two minutes: one that is mended is found.
        """,
    action="""
        A person has to look. What rclone says, and whether the storage answers to one of your own:
          journalctl -u plexguard-rclone@{mount}.service --since -15min
          systemctl status plexguard-rclone-watchdog@{mount}.service plexguard-rclone@{mount}.service
          plexguard-rclone-watchdog
        To have it tried at once:
          systemctl restart plexguard-rclone@{mount}.service
        """,
)

STOPPED = Event(
    name="mount.stopped",
    message_id="b8f91496ada648f8a1b5ca5c37326387",
    priority=Priority.NOTICE,
    message="Mount {mount} was stopped, and is left stopped",
    subject="A mount was stopped by hand",
    page=_PAGE,
    fields={"mount": str},
    about=("mount",),
    meaning="""
        Somebody has stopped mount {mount}, or its unit is masked.
        """,
    decided="""
        The service manager was told to end it: it did not end by itself.
        """,
    did="""
        Nothing is mounted again: who stops it means it. Plex stays protected, since to it all of the mount's files are
        gone, until the mount is proven again.
        """,
    action="""
        To have it back:
          systemctl start plexguard-rclone@{mount}.service
        For good: take [rclone.{mount}] out of the configuration, and tell plexguard so:
          editor /etc/plexguard/plexguard.toml
          plexguard-status apply
        """,
)

CACHE_FULL = Event(
    name="mount.cache-full",
    message_id="7335bc1ab8f241fb8bf714f138be1e99",
    priority=Priority.WARNING,
    message="There is no room for the cache of mount {mount}: {free_bytes} bytes are free",
    subject="The disk of a mount's cache is full",
    page=_PAGE,
    fields={"mount": str, "used_bytes": int, "limit_bytes": int, "free_bytes": int},
    about=("mount",),
    meaning="""
        rclone finds no room for what it keeps of mount {mount} on disk: it has {used_bytes} bytes there, may have
        {limit_bytes}, and {free_bytes} are free on that file system. Reads may fail, though the storage is well.
        """,
    decided="""
        rclone itself says so of its cache (outOfSpace in vfs/stats), or less than 16 MB are free on that file system,
        which rclone 1.60 does not notice. Whether reads fail is looked at each 5 s from then on.
        """,
    did="""
        Nothing is deleted: a cache is hours of work, and may hold what is not uploaded yet. The mount is not remounted
        for it.
        """,
    action="""
        See what fills that disk, and make room, or give the mount a smaller profile or its cache another disk:
          df -h /var/cache/plexguard
          editor /etc/plexguard/plexguard.toml
        """,
)

CACHE_FREED = Event(
    name="mount.cache-freed",
    message_id="c8eb4111a3964762a57f547435202d41",
    priority=Priority.NOTICE,
    message="There is room for the cache of mount {mount} again",
    subject="There is room for a mount's cache again",
    page=_PAGE,
    fields={"mount": str, "free_bytes": int},
    about=("mount",),
    ends=("mount.cache-full",),
    meaning="""
        There is room for what rclone keeps of mount {mount} on disk: {free_bytes} bytes are free.
        """,
    decided="""
        rclone does not say any more that it is out of space.
        """,
    did="""
        Nothing had to be done.
        """,
    action="""
        If it comes again, the profile of the mount is too large for that disk:
          df -h /var/cache/plexguard
          editor /etc/plexguard/plexguard.toml
        """,
)

ACCEPTED = Event(
    name="mount.accepted",
    message_id="3dafe21852ea4869bdaff85777994876",
    priority=Priority.NOTICE,
    message="Mount {mount} is taken for whole as it is: {entries} entries, where there were {before}",
    subject="What a mount holds now was accepted",
    page=_PAGE,
    fields={"mount": str, "entries": int, "before": int},
    about=("mount",),
    meaning="""
        From now on mount {mount} is compared with what it lists now, {entries} entries; it was {before}.
        """,
    decided="""
        An administrator said so, with plexguard-rclone-watchdog accept.
        """,
    did="""
        The baseline was replaced. The mount is proven as soon as bytes of it are read.
        """,
    action="""
        Nothing has to be done: it grows by itself with what is added. What it holds now:
          plexguard-status
        """,
)
