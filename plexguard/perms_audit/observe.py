"""What is known before the walk: the roots to audit and whether each can be walked at all."""

import dataclasses
import grp
import os
import pwd
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plexguard.core.errors import ConfigError, UsageError
from plexguard.core.folders import is_system_folder
from plexguard.core.found import FoundPlex, Server, host_path, read_container, read_plex
from plexguard.core.guarded import NONE_GUARDED, OWNER, Guarded
from plexguard.core.journal import Journal
from plexguard.core.links import resolve
from plexguard.core.mounts import MountPoint, find_unmounted, is_below, mount_of, read_fstab, read_mounts
from plexguard.core.state import RUNTIME_ROOT
from plexguard.perms_audit.access import Identity
from plexguard.perms_audit.config import Config, Override
from plexguard.perms_audit.policy import Excludes, Policy, Want
from plexguard.perms_audit.roots import Root, RootFault, normalise
from plexguard.perms_audit.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """All that is known before the first folder is opened. named: the roots as they were named, and what they lead to. policy:
    with the roots that can be walked. faulty: those that cannot, or not wholly."""

    named: tuple[tuple[str, str], ...]
    policy: Policy
    faulty: tuple[Root, ...]
    mounts: tuple[MountPoint, ...]

    def resolve(self, path: str) -> str:
        """Return a path as it is below its resolved root: Plex knows its folders by the names they were given."""
        fitting = [(name, target) for name, target in self.named if name != target and is_below(path, name)]
        name, target = max(fitting, key=lambda pair: len(pair[0]), default=("", ""))
        return target.rstrip("/") + path[len(name.rstrip("/")) :]


def survey(
    arguments: Sequence[str],
    config: Config,
    *,
    environment: Mapping[str, str],
    journal: Journal,
    past: State,
    folder: Path = RUNTIME_ROOT,
    within_roots: bool = False,
    guarded: Guarded = NONE_GUARDED,
) -> Survey:
    """Find the roots, judge them, and say how their media should be and for whom.

    within_roots: arguments must lie below a root that is configured or discovered, if there is any. Raises UsageError and
    ConfigError.
    """
    table = read_mounts()
    guarded = _resolve_guarded(guarded, table)
    mounts = guarded.without_covers(table)
    found = read_plex(journal, folder)
    named = choose_roots(arguments, config, found, environment=environment, journal=journal, folder=folder)
    paths = [resolve_links(path, mounts) for path in named]
    if within_roots:
        known = choose_roots((), config, found, environment=environment, journal=journal, folder=folder)
        _check_within(paths, [resolve_links(path, mounts) for path in known])
    files = [path for path in paths if arguments and _is_local_file(path, mounts)]
    roots = judge_roots(
        [path for path in paths if path not in files],
        past,
        mounts,
        read_fstab(),
        configured=bool(arguments or config.roots),
        guarded=guarded,
    )
    roots += tuple(
        dataclasses.replace(root, only=(os.path.basename(file),))
        for file in files
        for root in judge_roots([os.path.dirname(file)], past, mounts, read_fstab(), guarded=guarded)[:1]
    )
    roots = see_from(roots, found, journal, folder)
    config = _resolve_paths(config, mounts)
    excludes = Excludes(config.excludes)
    walked = tuple(root for root in roots if root.fault is None and not excludes.excludes_root(root.path))
    policy = make_policy(config, walked, find_identity(config, found, past))
    policy = dataclasses.replace(policy, guarded=tuple(sorted(set(guarded.mount_points.values()))), guard_uid=_find_guard())
    faulty = tuple(root for root in roots if root.fault is not None or root.part_missing)
    return Survey(named=tuple(zip(named, paths, strict=True)), policy=policy, faulty=faulty, mounts=mounts)


def _find_guard() -> int:
    try:
        return pwd.getpwnam(OWNER).pw_uid
    except KeyError:
        return -1


def _resolve_guarded(guarded: Guarded, mounts: tuple[MountPoint, ...]) -> Guarded:
    """Return the guarded mounts by the names that the roots go by: those behind all symlinks."""
    resolved = {point: resolve_links(point, mounts) for point in guarded.mount_points.values()}
    return Guarded(
        mount_points={name: resolved[point] for name, point in guarded.mount_points.items()},
        unproven=tuple(dataclasses.replace(mount, mount_point=resolved[mount.mount_point]) for mount in guarded.unproven),
    )


def _is_local_file(path: str, mounts: tuple[MountPoint, ...]) -> bool:
    """Tell whether an argument is a single file. A remote mount, which may hang, is not asked: the walk tells."""
    return not mount_of(path, mounts).is_remote and not os.path.islink(path) and os.path.isfile(path)


def survey_path(path: str, config: Config, *, journal: Journal, past: State, folder: Path = RUNTIME_ROOT) -> tuple[Policy, str]:
    """Return what one path is held to, wherever it lies, and the path with its symlinks resolved: for looking, not for repairs."""
    found = read_plex(journal, folder)
    above, name = os.path.split(resolve_links(normalise(path), read_mounts()))
    roots = see_from((Root(path=above),), found, journal, folder)
    return make_policy(config, roots, find_identity(config, found, past)), os.path.join(above, name)


def _resolve_paths(config: Config, mounts: tuple[MountPoint, ...]) -> Config:
    """Return the configuration with its overrides and excludes by the names that the roots go by: those behind all symlinks."""
    return dataclasses.replace(
        config,
        overrides=tuple(dataclasses.replace(o, path=resolve_links(o.path, mounts)) for o in config.overrides),
        excludes=tuple(resolve_links(exclude, mounts) if "/" in exclude else exclude for exclude in config.excludes),
    )


def _check_within(paths: Sequence[str], known: Sequence[str]) -> None:
    """Who may start the unit for a path is an administrator's choice; that choice must not reach beyond the media."""
    for path in paths if known else ():
        if not any(is_below(path, root) for root in known):
            raise UsageError(f"{path}: lies below no root", hint="set roots in [perms-audit] of /etc/plexguard/plexguard.toml")


def choose_roots(
    arguments: Sequence[str],
    config: Config,
    found: FoundPlex | None,
    *,
    environment: Mapping[str, str],
    journal: Journal,
    folder: Path = RUNTIME_ROOT,
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
    a link counts only when nobody else can change it: a root must not be led to somebody's private folder. One that does not is
    left as it is: the walk follows no link, and tells; and so it does where links lead in a circle.
    """
    try:
        return resolve(path, is_apart=lambda place: mount_of(place, mounts).is_remote, may_follow=_is_roots)
    except OSError:
        return path


def _is_roots(link: str) -> bool:
    """Tell whether nobody but root can change a link. An ordinary user's audit has only that user's rights to lose."""
    if os.geteuid() != 0:
        return True
    folder = os.stat(os.path.dirname(link))
    others_write = folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not folder.st_mode & stat.S_ISVTX
    return os.lstat(link).st_uid == 0 and folder.st_uid == 0 and not others_write


def judge_roots(
    paths: Sequence[str],
    past: State,
    mounts: tuple[MountPoint, ...],
    fstab: tuple[MountPoint, ...],
    *,
    configured: bool = True,
    guarded: Guarded = NONE_GUARDED,
) -> tuple[Root, ...]:
    """Tell of each root whether it may and can be walked. Pure: asks no file system, so nothing can hang here.

    A network or FUSE mount below a root becomes a root of its own: when it hangs, the rest is audited all the same. So does a
    guarded mount point, whatever is there: bare it must not be opened.
    """
    roots: dict[str, Root] = {}
    for path in dict.fromkeys(paths):
        root = _judge_root(path, past.mounts.get(path, ""), mounts, fstab, configured=configured, guarded=guarded)
        roots[path] = root
        for inner in _find_own(path, mounts, guarded) if root.fault is None else ():
            roots.setdefault(inner, _judge_root(inner, "", mounts, (), configured=configured, guarded=guarded))
    return tuple(dataclasses.replace(root, apart=_find_apart(root, mounts, guarded)) for root in roots.values())


def _find_own(path: str, mounts: tuple[MountPoint, ...], guarded: Guarded) -> tuple[str, ...]:
    """Return what lies below a root and is a root of its own."""
    remote = [mount.path for mount in mounts if mount.is_remote and mount.path != path and is_below(mount.path, path)]
    return tuple(dict.fromkeys((*remote, *guarded.find_below(path))))


def _find_apart(root: Root, mounts: tuple[MountPoint, ...], guarded: Guarded) -> frozenset[str]:
    # Where a mount of fstab(5) is missing, its bare folder is nobody's media, and perhaps closed on purpose.
    away = (*_find_own(root.path, mounts, guarded), *filter(None, (root.part_missing,)))
    return frozenset(inner[len(root.path.rstrip("/")) + 1 :] for inner in away)


def _judge_root(
    path: str,
    last_mount: str,
    mounts: tuple[MountPoint, ...],
    fstab: tuple[MountPoint, ...],
    *,
    configured: bool,
    guarded: Guarded,
) -> Root:
    mount = mount_of(path, mounts)
    point = guarded.find(path)
    root = Root(path=path, configured=configured, remote=mount.type if mount.is_remote else "", guarded=point)
    if is_system_folder(path):
        return dataclasses.replace(root, fault=RootFault.SYSTEM_FOLDER)
    if guarded.find_unproven(path) is not None:
        return dataclasses.replace(root, fault=RootFault.NOT_PROVEN)
    if point and not any(mount.path == point for mount in mounts):
        return dataclasses.replace(root, fault=RootFault.NOT_MOUNTED)
    missing = find_unmounted(path, mounts, fstab, last_mount)
    if missing and missing != path and missing.startswith(path + "/"):
        return dataclasses.replace(root, part_missing=missing)
    return dataclasses.replace(root, fault=RootFault.NOT_MOUNTED) if missing else root


def see_from(roots: tuple[Root, ...], found: FoundPlex | None, journal: Journal, folder: Path) -> tuple[Root, ...]:
    """Return the roots with the bind mount by which Plex's container comes to each, if it is in one."""
    if found is None or found.server is not Server.CONTAINER:
        return roots
    container = read_container(journal, folder)
    sources = [mount.source for mount in container.mounts] if container is not None else []
    return tuple(
        dataclasses.replace(root, seen_from=max((s for s in sources if is_below(root.path, s)), key=len, default=root.path))
        for root in roots
    )


def find_identity(config: Config, found: FoundPlex | None, past: State) -> Identity | None:
    """Return whom Plex runs as: by the configuration, else as discovered, else as it was; None when nobody ever knew.

    A Plex that is away for a moment, as between two versions of a container, must not have its media opened to everybody.

    Raises ConfigError for a user who does not exist here.
    """
    if config.as_user:
        return _find_user(config.as_user, config.as_gid)
    if config.as_uid >= 0:
        return _find_number(config.as_uid, config.as_gid)
    if found is not None and found.uid >= 0 and found.gids:
        return Identity(found.uid, found.gids)
    return Identity(past.uid, past.gids) if past.uid >= 0 and past.gids else None


def _find_user(name: str, gid: int) -> Identity:
    try:
        user = pwd.getpwnam(name)
    except KeyError as error:
        raise ConfigError((f'[perms-audit] as_user: found "{name}", and there is no such user',)) from error
    return Identity(user.pw_uid, _groups(user, gid))


def _find_number(uid: int, gid: int) -> Identity:
    try:
        user = pwd.getpwuid(uid)
    except KeyError as error:
        if gid < 0:
            raise ConfigError((f"[perms-audit] as_uid: found {uid}, who has no name here: as_gid must be given too",)) from error
        return Identity(uid, (gid,))
    return Identity(uid, _groups(user, gid))


def _groups(user: pwd.struct_passwd, gid: int) -> tuple[int, ...]:
    first = gid if gid >= 0 else user.pw_gid
    return tuple(dict.fromkeys([first, *os.getgrouplist(user.pw_name, first)]))


def make_policy(config: Config, roots: tuple[Root, ...], identity: Identity | None) -> Policy:
    """Return what the configuration wants of these roots. Raises ConfigError for an owner or group that does not exist."""
    want = _make_want(Override(path="/"), config)
    overrides = tuple((override.path, _make_want(override, config)) for override in config.overrides)
    return Policy(roots=roots, want=want, overrides=overrides, excludes=config.excludes, identity=identity)


def _make_want(override: Override, config: Config) -> Want:
    def either(name: str) -> Any:
        own = getattr(override, name)
        return getattr(config, name) if own is None else own

    return Want(
        exact=either("policy") == "exact",
        file_mode=either("file_mode"),
        dir_mode=either("dir_mode"),
        uid=_number_of(either("owner"), "owner", lambda name: pwd.getpwnam(name).pw_uid),
        gid=_number_of(either("group"), "group", lambda name: grp.getgrnam(name).gr_gid),
    )


def _number_of(name: str, option: str, look_up: Callable[[str], int]) -> int:
    """Return the number of a user or group, -1 for none."""
    if not name:
        return -1
    if name.isdecimal() and name.isascii():
        return int(name)
    try:
        return look_up(name)
    except KeyError as error:
        raise ConfigError((f'[perms-audit] {option}: found "{name}", which does not exist here',)) from error
