"""Give a new file the owner, mode and attributes of the one whose place it takes."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from plexguard.core.errors import IoFailed, NoPermission
from plexguard.core.state import sync_file


def take_over(path: Path, *, place: Path, mode: int) -> None:
    """Make a file look like what is at its place, and put it on the disk. mode: where nothing is there; then the folder tells the
    owner. Access lists are attributes too. Raises NoPermission and IoFailed."""
    try:
        is_there = place.exists()
        like = (place if is_there else place.parent).stat()
        wanted = stat.S_IMODE(like.st_mode) if is_there else mode
        if (like.st_uid, like.st_gid) != _owner(path):
            os.chown(path, like.st_uid, like.st_gid)
        if is_there:
            _copy_attributes(place, path)
        path.chmod(wanted)
        sync_file(path)
    except PermissionError as error:
        raise NoPermission(f"Failed to give {path} its owner: {error.strerror}", hint="run it as root") from error
    except OSError as error:
        raise IoFailed(f"Failed to prepare {path}: {error.strerror}") from error


def _owner(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_uid, status.st_gid


def _copy_attributes(source: Path, target: Path) -> None:
    # A file system may have none, or not these.
    with suppress(OSError):
        for name in os.listxattr(source):
            with suppress(OSError):
                os.setxattr(target, name, os.getxattr(source, name))
