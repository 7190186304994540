"""`mount` and `clear`: what the unit of a mount calls."""

import os
import pwd
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from plexguard.core import config, program
from plexguard.core.child import in_child
from plexguard.core.errors import ConfigError, NoPermission, SystemRefused, UsageError
from plexguard.core.events import FilePath
from plexguard.core.found import read_container, read_last_plex
from plexguard.core.made import Made, made_file, mark_settings
from plexguard.core.mounts import read_mounts
from plexguard.core.program import Ports
from plexguard.rclone_watchdog.asking.kernel import find_lines
from plexguard.rclone_watchdog.config import Config, Mount, Rclone
from plexguard.rclone_watchdog.mounting import clear, events, prepare
from plexguard.rclone_watchdog.mounting.render import find_idle, find_unknown

NAME = "rclone-watchdog"
_USER = "plexguard-media"
# Its unit ends a stop after 4 s, start of Python included.
_CLEAR_TIMEOUT_S = 2.0


@click.command(hidden=True)
@click.argument("name")
@click.pass_obj
def mount(config_path: Path, name: str) -> int:
    """Become rclone; the unit of a mount calls this."""
    ports = program.open_ports(NAME)
    program_path = program.load_config(config_path, Config).rclone
    wanted = find_ours(config_path, name).resolve()
    places = prepare.Places(
        runtime=Path(os.environ.get("RUNTIME_DIRECTORY", "") or prepare.RUNTIME_FOLDER / name),
        cache=Path(wanted.cache_folder or os.environ.get("CACHE_DIRECTORY", "") or prepare.CACHE_FOLDER / name),
    )
    version = prepare.read_version(program_path, ports.host)
    prepare.check_fuse(os.geteuid())
    storages = prepare.read_storages(name, wanted)
    kind = prepare.find_kind(storages, wanted)
    prepare.check_flags(program_path, wanted, ports.host)
    clear.check_place(wanted.mount_point, read_mounts())
    clear.check_way(wanted.mount_point)
    prepare.check_folder(wanted.mount_point, os.geteuid(), find_lines(prepare.read_table(), wanted.mount_point))
    if wanted.cache_mode != "off":
        prepare.check_cache(places.cache)
    for what, why in (find_idle(wanted, kind) | find_unknown(wanted, version)).items():
        ports.journal.send(events.SETTING_IDLE, mount=name, setting=what, reason=why)
    control = prepare.Control.make(version, places)
    owner = prepare.find_owner(wanted, read_last_plex(ports.journal), read_container(ports.journal))
    prepare.write_files(places, control, storages, program=program_path, mount=wanted, kind=kind, version=version)
    command = prepare.make_command(wanted, version, control, places, program=program_path, owner=owner)
    prepare.become(command, prepare.make_environment(os.environ, version))


@click.command(name="clear", hidden=True)
@click.argument("name")
@click.pass_obj
def clear_(config_path: Path, name: str) -> int:
    """Make way at a mount point, before and after (root)."""
    if os.geteuid() != 0:
        raise NoPermission("Failed to clear a mount point: only root may", hint=f"sudo plexguard-rclone-watchdog clear {name}")
    ports = program.open_ports(NAME)
    # Folders above a mount point are for all; the unit's own mask is not.
    os.umask(0o022)
    memory = made_file(name, ports.journal)
    made = memory.peek() or Made()
    try:
        wanted: Mount | None = find_ours(config_path, name)
    except (ConfigError, UsageError):
        # What is wrong is told by who mounts. What was mounted before somebody made the mistake goes all the same.
        wanted = None
    try:
        strays = _clear(name, wanted, made, ports)
        record = Made(strays=strays)
        # Set in ExecStopPost= alone: what is mounted there from then on may belong to somebody else.
        if wanted is not None and "SERVICE_RESULT" not in os.environ:
            mark = mark_settings(config.read(config_path, os.environ), name)
            record = replace(record, path=wanted.mount_point, remote=wanted.remote, settings=mark)
        memory.save(record)
    except clear.PlaceRefused as error:
        # Who mounts tells the same.
        if ports.by_hand:
            raise
        return error.exit_code
    except OSError as error:
        raise SystemRefused(f"Failed to clear the mount point of {name}: {error}", hint="findmnt") from error
    return 0


def _clear(name: str, wanted: Mount | None, made: Made, ports: Ports) -> int:
    """Do it, and return how many strays are known now."""
    remotes = frozenset((made.remote, wanted.remote if wanted is not None else ""))
    for path in filter(None, dict.fromkeys((made.path, wanted.mount_point if wanted is not None else ""))):
        clear.check_place(path, read_mounts())
        for line in in_child(partial(clear.unmount, path, remotes), timeout_s=_CLEAR_TIMEOUT_S):
            ports.journal.send(events.CLEARED, mount=name, path=FilePath(path), type=line.type, source=line.source)
    if wanted is None:
        return made.strays
    path, user = wanted.mount_point, pwd.getpwnam(_USER)
    mode = clear.pick_mode(path, read_last_plex(ports.journal).places)
    bare = in_child(partial(clear.lay_bare, path, mode, user.pw_uid, user.pw_gid), timeout_s=_CLEAR_TIMEOUT_S)
    if not bare.is_ours:
        # Who mounts refuses such a folder, and says why.
        return 0
    if bare.strays not in (0, made.strays):
        place, sample = FilePath(path), FilePath(f"{path}/{bare.sample}")
        ports.journal.send(events.STRAYS, mount=name, path=place, entries=bare.strays, sample=sample)
    return bare.strays


def find_ours(config_path: Path, name: str) -> Mount:
    """Return the mount of a name that rclone is to make. Raises ConfigError, and UsageError where there is none."""
    mounts = {key: value for key, value in program.load_config(config_path, Rclone).mount.items() if value.is_ours}
    if name not in mounts:
        known = ", ".join(sorted(mounts)) or "none"
        raise UsageError(f"{name}: no mount of this name has a remote in the configuration, only: {known}", hint=f"[rclone.{name}]")
    return mounts[name]
