"""Which of Plex's libraries a mount concerns: by names, and what plexguard-discover knows of links, since who touches a sick mount
hangs with it."""

from collections.abc import Iterable, Sequence

from plexguard.core.found import FoundContainer, FoundPlex, Server, host_path
from plexguard.core.mounts import MountPoint, is_below, mount_of
from plexguard.core.plex import Library

# File systems that show the folders of others as their own, and do not tell reliably of which: a library on one of these may lie on
# any mount.
_UNIONS = ("fuse.mergerfs", "mergerfs", "fuse.unionfs", "fuse.unionfs-fuse", "unionfs", "overlay", "aufs")


def find_affected(
    libraries: Iterable[Library],
    mount_point: str,
    found: FoundPlex | None,
    container: FoundContainer | None,
    mounts: Sequence[MountPoint],
) -> tuple[Library, ...]:
    """Return the libraries whose scan may meet the mount: those with a folder at, below or above it. In doubt one is affected:
    where the container's own paths are not known, and on a union of folders.

    mounts: the machine's.
    """

    def is_affected(folder: str) -> bool:
        path = map_folder(folder, found, container)
        return container is None if path is None else may_meet(path, mount_point, mounts)

    return tuple(library for library in libraries if any(map(is_affected, library.folders)))


def may_meet(path: str, mount_point: str, mounts: Sequence[MountPoint]) -> bool:
    """Tell whether a scan of a folder may meet a mount: at it, below or above it, or somewhere behind a union of folders."""
    under = mount_of(path, mounts)
    # A machine's root may be an overlay.
    is_on_union = under.type in _UNIONS and under.path != "/"
    return is_below(path, mount_point) or is_below(mount_point, path) or is_on_union


def map_folder(folder: str, found: FoundPlex | None, container: FoundContainer | None) -> str | None:
    """Return where a folder of Plex's lies on the host, None where that is not known or no mount of its container leads there."""
    path: str | None = folder.rstrip("/") or "/"
    if found is not None and found.server is Server.CONTAINER:
        path = host_path(folder, container.mounts) if container is not None else None
    return found.follow(path) if found is not None and path is not None else path
