"""What is known before the walk: the roots to audit and whether each can be walked at all."""

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from plexguard.core.errors import UsageError
from plexguard.core.found import RUNTIME, host_path, read_container, read_plex
from plexguard.core.journal import Journal
from plexguard.core.mounts import MountPoint, mount_of
from plexguard.perms_audit.config import Config
from plexguard.perms_audit.roots import RootFault, find_unmounted, is_system_folder, normalise

STATE_SCHEMA = 1
# As many as the kernel follows (path_resolution(7)).
_MAX_LINKS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is remembered from run to run. mounts: by root, the mount that it was on when it was last found well."""

    mounts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A root to walk. path: as given, with symlinks resolved. fault: why it must not be walked, if so. part_missing: a
    mount that belongs below it and is not there: the rest is walked."""

    path: str
    fault: RootFault | None = None
    part_missing: str = ""


def choose_roots(
    arguments: Sequence[str], config: Config, *, environment: Mapping[str, str], journal: Journal, folder: Path = RUNTIME
) -> tuple[str, ...]:
    """Return the folders to audit: of the command line, else MEDIA_ROOTS or the configuration, else what Plex names.

    MEDIA_ROOTS beside PLEX_CONTAINER are paths of that container, as in its compose file, and are turned into the host's.
    Raises UsageError for a relative path or one that no mount of the container leads to.
    """
    for argument in arguments:
        if not argument.startswith("/") or ".." in argument.split("/"):
            raise UsageError(f"{argument}: a root is an absolute path", hint=f'plexguard-perms-audit "$PWD/{argument}"')
    if arguments:
        return tuple(normalise(argument) for argument in arguments)
    if config.roots and environment.get("MEDIA_ROOTS") and environment.get("PLEX_CONTAINER"):
        return _map_roots(config.roots, environment["PLEX_CONTAINER"], journal, folder)
    if config.roots:
        return config.roots
    found = read_plex(journal, folder)
    return found.folders if found is not None else ()


def _map_roots(roots: Sequence[str], container: str, journal: Journal, folder: Path) -> tuple[str, ...]:
    found = read_container(journal, folder)
    if found is None or not found.exists or found.name != container:
        raise UsageError(
            f"MEDIA_ROOTS are paths of container {container}, which plexguard does not know",
            hint='set container = "…" in [plex] and start plexguard-container-watch, or give the host\'s folders as arguments',
        )
    mapped = {root: host_path(root, found.mounts) for root in roots}
    lost = [root for root, path in mapped.items() if path is None]
    if lost:
        raise UsageError(
            f"MEDIA_ROOTS: no mount of container {container} leads to {', '.join(lost)}", hint=f"docker inspect {container}"
        )
    return tuple(path for path in mapped.values() if path is not None)


def resolve_links(path: str, mounts: tuple[MountPoint, ...]) -> str:
    """Return a path with its symlinks resolved: what counts is the mount behind it, not the name it is known by.

    Only local folders are asked. Of a FUSE or network mount, which may hang, the rest of the path is taken as it is. For root
    a link counts only when nobody else can change it: a root must not be led to somebody's private folder.
    """
    place, names, links = "/", path.split("/"), 0
    while names:
        name = names.pop(0)
        step = os.path.normpath(os.path.join(place, name))
        if mount_of(step, mounts).is_remote:
            return os.path.normpath("/".join([step, *names]))
        try:
            target = os.readlink(step)
        except OSError:
            # No link, or nothing there: the walk tells.
            place = step
            continue
        links += 1
        if links > _MAX_LINKS:
            return path
        if not _is_roots(step):
            # Left as it is: the walk follows no link, and tells.
            return os.path.normpath("/".join([step, *names]))
        names = target.split("/") + names
        place = "/" if target.startswith("/") else place
    return place


def _is_roots(link: str) -> bool:
    """Tell whether nobody but root can change a link. An ordinary user's audit has only that user's rights to lose."""
    if os.geteuid() != 0:
        return True
    folder = os.stat(os.path.dirname(link))
    others_write = folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not folder.st_mode & stat.S_ISVTX
    return os.lstat(link).st_uid == 0 and folder.st_uid == 0 and not others_write


def judge_roots(
    paths: Sequence[str], past: State, mounts: tuple[MountPoint, ...], fstab: tuple[MountPoint, ...]
) -> tuple[Root, ...]:
    """Tell of each root whether it may and can be walked. Pure: asks no file system, so nothing can hang here."""
    return tuple(_judge_root(path, past.mounts.get(path, ""), mounts, fstab) for path in dict.fromkeys(paths))


def _judge_root(path: str, last_mount: str, mounts: tuple[MountPoint, ...], fstab: tuple[MountPoint, ...]) -> Root:
    if is_system_folder(path):
        return Root(path=path, fault=RootFault.SYSTEM_FOLDER)
    missing = find_unmounted(path, mounts, fstab, last_mount)
    if not missing:
        return Root(path=path)
    if missing != path and missing.startswith(path + "/"):
        return Root(path=path, part_missing=missing)
    return Root(path=path, fault=RootFault.NOT_MOUNTED)


def remember_mounts(past: State, healthy: Sequence[str], mounts: tuple[MountPoint, ...]) -> State:
    """Return the state after a run: which mount each root that was found well lies on."""
    return State(mounts={**past.mounts, **{path: mount_of(path, mounts).path for path in healthy}})
