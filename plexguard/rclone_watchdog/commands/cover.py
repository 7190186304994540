"""`cover`: have the cover lie over a mount point, or not, as its watchdog says."""

import pwd
from functools import partial

from plexguard.core.child import in_child
from plexguard.core.errors import NoPermission, SystemRefused
from plexguard.core.events import FilePath
from plexguard.core.found import read_last_plex
from plexguard.core.mounts import read_mounts
from plexguard.core.program import Ports
from plexguard.core.state import STATE_ROOT, StateFile
from plexguard.rclone_watchdog.config import Mount
from plexguard.rclone_watchdog.mounting import events
from plexguard.rclone_watchdog.mounting.clear import check_place, pick_mode
from plexguard.rclone_watchdog.mounting.cover import Step, Wish, cover, decide, read_lines, uncover

_USER = "plexguard-media"
_TIMEOUT_S = 5.0
# Of the watchdog's state.
_SCHEMA = 1


def run(name: str, mount: Mount, ports: Ports) -> int:
    """Make it so. Raises NoPermission and SystemRefused."""
    check_place(mount.mount_point, read_mounts())
    wish = StateFile(STATE_ROOT / "rclone-watchdog" / name / "state.json", Wish, schema=_SCHEMA, journal=ports.journal).peek()
    step = decide(read_lines(mount.mount_point), wish, is_configured=mount.cover)
    try:
        if step is Step.COVER:
            owner = pwd.getpwnam(_USER)
            mode = pick_mode(mount.mount_point, read_last_plex(ports.journal).places)
            in_child(partial(cover, mount.mount_point, mode, owner.pw_uid, owner.pw_gid), timeout_s=_TIMEOUT_S)
            ports.journal.send(events.COVERED, mount=name, path=FilePath(mount.mount_point))
        elif step is Step.UNCOVER:
            in_child(partial(uncover, mount.mount_point), timeout_s=_TIMEOUT_S)
            ports.journal.send(events.UNCOVERED, mount=name, path=FilePath(mount.mount_point))
    except KeyError as error:
        raise SystemRefused(f"Failed to cover {mount.mount_point}: there is no user {_USER}") from error
    except PermissionError as error:
        hint = f"sudo plexguard-rclone-watchdog cover {name}"
        raise NoPermission(f"Failed to {step.value} {mount.mount_point}: {error.strerror}", hint=hint) from error
    except OSError as error:
        raise SystemRefused(
            f"Failed to {step.value} {mount.mount_point}: {error.strerror}", hint=f"findmnt {mount.mount_point}"
        ) from error
    return 0
