"""What can be told of a mount point, and of what a mount is made with."""

from plexguard.core.events import Event, FilePath, Priority

_PAGE = "plexguard-rclone-watchdog(8)"

CLEARED = Event(
    name="mount.cleared",
    message_id="9c431ed5cc2a4528963c54bd86185cf8",
    priority=Priority.NOTICE,
    message="What was mounted at {path} and is not of plexguard was unmounted: {type} from {source}",
    subject="Something else was unmounted at a mount point",
    page=_PAGE,
    fields={"mount": str, "path": FilePath, "type": str, "source": str},
    meaning="""
        At {path}, where the configuration has mount {mount}, something was mounted that plexguard had not: {type} from
        {source}. It hid the mount, or would have.
        """,
    decided="""
        The kernel's table of mounts has it at exactly this path, with another type or source than the mount of plexguard's own.
        """,
    did="""
        It was unmounted lazily: who has a file of it open goes on reading it, and nobody finds it any more.
        """,
    action="""
        See who mounts there, most often a line of fstab or a unit of your own, and have it mount elsewhere, or give mount
        {mount} another place:
          grep -n mnt /etc/fstab
          systemctl list-units --type=mount
          editor /etc/plexguard/plexguard.toml
        """,
)

SETTING_IDLE = Event(
    name="mount.setting-idle",
    message_id="1ef4a8342b894462b30a3965418b5cea",
    priority=Priority.NOTICE,
    message="Mount {mount}: {setting} has no effect: {reason}",
    subject="A setting of a mount has no effect",
    page=_PAGE,
    fields={"mount": str, "setting": str, "reason": str},
    meaning="""
        In [rclone.{mount}] something is set that changes nothing on this mount: {setting}. {reason}.
        """,
    decided="""
        Some of rclone's flags are for commands that copy, and do nothing on a mount; others are known to newer versions of it
        only, or need another setting.
        """,
    did="""
        The mount is made without regard to it. It is told at each start.
        """,
    action="""
        Take it out of the configuration:
          editor /etc/plexguard/plexguard.toml
          plexguard-status check-config
        """,
)

STRAYS = Event(
    name="mount.strays",
    message_id="a89680e120584395bbf0be769cb9e8ad",
    priority=Priority.NOTICE,
    message="In the bare folder {path}, below mount {mount}, lie {entries} files and folders, such as {sample}",
    subject="Files lie in the bare folder of a mount",
    page=_PAGE,
    fields={"mount": str, "path": FilePath, "entries": int, "sample": FilePath},
    meaning="""
        Somebody has written into the folder {path} while mount {mount} was not mounted there: {entries} files and folders,
        such as {sample}. They are hidden by the mount, take room on the local disk, and are in no storage.
        """,
    decided="""
        The folder was listed just when nothing was mounted at it: before the mount was made, or after it was taken away. It
        belongs to the user plexguard-media and is closed to all others, so that only root can have written there.
        """,
    did="""
        Nothing was changed or removed. The mount is made all the same. It is told again when there are more or fewer, and after a
        reboot.
        """,
    action="""
        With the mount stopped, see what it is, and move it away:
          systemctl stop plexguard-rclone@{mount}.service
          ls -lA {path_quoted}
          systemctl start plexguard-rclone@{mount}.service
        """,
)

COVERED = Event(
    name="mount.covered",
    message_id="f7c213fd157347cb85af970e922d26de",
    priority=Priority.NOTICE,
    message="Mount {mount} is not proven, and {path} is covered",
    subject="The mount point of {mount} is covered",
    page=_PAGE,
    fields={"mount": str, "path": FilePath},
    about=("mount",),
    meaning="""
        At {path}, where mount {mount} belongs, lies a folder of plexguard's own: who looks there meets an error, or nothing of
        what was there, and can write nothing.
        """,
    decided="""
        The watchdog of {mount} says that it is not proven, and the configuration has cover = true for it.
        """,
    did="""
        An empty file system was mounted over it, read-only. Where Plex's libraries lie below it, it can be looked into, so that
        their folders are missing, for which Plex leaves a library alone; else it is closed to all. The mount below is as it was.
        """,
    action="""
        It is taken away when the mount is proven, or is made anew:
          findmnt {path_quoted}
          systemctl start plexguard-rclone-cover@{mount}.service
        """,
)

UNCOVERED = Event(
    name="mount.uncovered",
    message_id="6ab263f437ec433cb1a75e0d124654d9",
    priority=Priority.NOTICE,
    message="The cover of mount {mount} is taken away: {path}",
    subject="The mount point of {mount} is not covered any more",
    page=_PAGE,
    fields={"mount": str, "path": FilePath},
    about=("mount",),
    meaning="""
        At {path} mount {mount} itself is seen again.
        """,
    decided="""
        The watchdog of {mount} says that it is to be seen, or the configuration has cover = false for it.
        """,
    did="""
        The cover was unmounted, and nothing else.
        """,
    action="""
        None is needed.
          findmnt {path_quoted}
        """,
)
