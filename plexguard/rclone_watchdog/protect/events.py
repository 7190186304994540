"""What can be told of Plex while it is held for a mount."""

from plexguard.core.events import Event, Priority

_PAGE = "plexguard-rclone-watchdog(8)"
# What is over when Plex is held, and when it is let go.
_WAITING = ("plex.hold-failed", "plex.release-waits", "plex.scan-goes-on")

HELD = Event(
    name="plex.held",
    message_id="482d6bcb1516409289b6f171a4e823d8",
    priority=Priority.NOTICE,
    message="Plex is held while mount {mount} is not proven ({reason}): {settings} are off, and scans of {libraries} are cancelled",
    subject="Plex is held while mount {mount} is not proven",
    page=_PAGE,
    fields={"mount": str, "reason": str, "settings": str, "libraries": str},
    about=("mount",),
    ends=_WAITING,
    meaning="""
        Mount {mount} is not proven ({reason}). A scan would find its files missing, and Plex would forget them, with their
        dates, posters and what was watched. That cannot happen now: {settings} are off, and scans of {libraries} are cancelled.
        """,
    decided="""
        Libraries with a folder at the mount point, below or above it are affected, and those on a union of folders such as
        mergerfs. Where Plex does not tell its libraries, all are. Each setting was written down, switched off, and read back.
        """,
    did="""
        The settings as they were are in /var/lib/plexguard/plex-hold/state.json. Scans of these libraries that begin later are
        cancelled too. Films play on. When the mount is proven, and Plex misses nothing that it had, all is put back
        (plex.released). What you change in these settings meanwhile stays as you want it.
        """,
    action="""
        See to the mount. To have Plex as it was all the same:
          plexguard-rclone-watchdog release {mount}
        """,
)

HOLD_FAILED = Event(
    name="plex.hold-failed",
    message_id="affd85924aa74e5c88480033d6b95d1a",
    priority=Priority.ERR,
    message="Plex is not held, though mount {mount} is not proven ({reason}): {detail}",
    subject="Plex is not held while mount {mount} is not proven",
    page=_PAGE,
    fields={"mount": str, "reason": str, "detail": str},
    about=("mount",),
    meaning="""
        Mount {mount} is not proven ({reason}), and Plex may forget what it finds missing there: {detail}.
        """,
    decided="""
        For 5 s not all was done that should be: each setting that Plex has is to be off, and to be read back so.
        """,
    did="""
        It is tried again each second, and told when it is done (plex.held), or when another thing is in the way. Scans are
        cancelled all the same, where Plex answers. A token that Plex refuses is read anew every two minutes.
        """,
    action="""
        With Plex's own page, switch "Empty trash automatically after every scan" off, and cancel the scan. To have a token that
        you have mended read at once:
          plexguard-plex-probe --explain
          systemctl restart plexguard-rclone-watchdog@{mount}.service
        """,
)

SCAN_GOES_ON = Event(
    name="plex.scan-goes-on",
    message_id="f387aeff17bd4e3a82a3ae48a89b087d",
    priority=Priority.WARNING,
    message="Plex is held while mount {mount} is not proven, and scans all the same: {detail}",
    subject="Plex does not end a scan while mount {mount} is not proven",
    page=_PAGE,
    fields={"mount": str, "detail": str},
    about=("mount",),
    meaning="""
        {detail}. It may mark as missing all that it does not find. Nothing is forgotten by it, since emptying the trash is off, and
        is put back only when a whole scan has found it again.
        """,
    decided="""
        5 s after Plex had agreed to cancel the scan, its list of activities or of libraries still showed it.
        """,
    did="""
        It is cancelled again each second, and nobody waits for it.
        """,
    action="""
        A scan that waits for a mount that hangs ends when the mount is made anew. None is needed until then:
          plexguard-status
        """,
)

HOLD_OVERRULED = Event(
    name="plex.hold-overruled",
    message_id="f4773614fbb44dc6a4a6c30d06a512b8",
    priority=Priority.NOTICE,
    message="Somebody has changed in Plex what was held while a mount is not proven, and it is left so: {settings}",
    subject="What was held in Plex was changed by somebody",
    page=_PAGE,
    fields={"settings": str},
    meaning="""
        While a mount is not proven these settings of Plex were off, and somebody has changed them: {settings}. With
        autoEmptyTrash on, the next scan may make Plex forget what it does not find.
        """,
    decided="""
        They were seen to be off after plexguard had switched them off, and are not any more.
        """,
    did="""
        They are left as they are, now and later: a person wants them so. Scans are still cancelled.
        """,
    action="""
        If nobody meant it, switch it off in Plex's settings, under Library, until the mount is proven:
          plexguard-status
        """,
)

RELEASED = Event(
    name="plex.released",
    message_id="f3dff6fe8c554ba8a35aa06eef4ff7a3",
    priority=Priority.NOTICE,
    message="Plex is let go by mount {mount}: {detail}",
    subject="Plex is not held for mount {mount} any more",
    page=_PAGE,
    fields={"mount": str, "detail": str},
    about=("mount",),
    ends=_WAITING,
    meaning="""
        Mount {mount} is proven, or was let go by hand, and Plex is not held for it any more: {detail}.
        """,
    decided="""
        Bytes were read through the mount, and by Plex's container if it has one. No scan was at work that may have met the dead
        mount, and Plex misses no more than when it was held. By hand nothing of this is asked.
        """,
    did="""
        With the last mount that Plex was held for, each setting that was still off was put back as it was, and read back.
        """,
    action="""
        None is needed. What Plex's settings are now:
          plexguard-status
        """,
)

RELEASE_WAITS = Event(
    name="plex.release-waits",
    message_id="a353d7ad2c084136b0635f0a1dd22c4e",
    priority=Priority.WARNING,
    message="Mount {mount} is proven again, and Plex stays held: {detail}",
    subject="Plex stays held though mount {mount} is proven",
    page=_PAGE,
    fields={"mount": str, "detail": str},
    about=("mount",),
    meaning="""
        Mount {mount} is proven again, and yet the settings of Plex are not put back: {detail}. With them Plex could forget items
        whose files are there, or may be.
        """,
    decided="""
        A whole scan was asked for in each library that missed more than when it was held, and it was waited for. Plex in a
        container has to see the mount that lives, which plexguard-rclone-inside@{mount} finds out.
        """,
    did="""
        Emptying the trash and scans by themselves stay off in Plex. It is looked at again, and Plex is let go by itself when
        nothing is in the way (plex.released).
        """,
    action="""
        Look at what Plex misses: in the library, filter by "Trashed" or "Unplayable". If these files are gone for good, or you do
        not mind:
          plexguard-rclone-watchdog release {mount}
        A token that Plex refuses is read anew when the watchdog is started anew:
          systemctl restart plexguard-rclone-watchdog@{mount}.service
        What a container sees:
          systemctl status plexguard-rclone-inside@{mount}.service
        """,
)
