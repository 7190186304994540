"""`watch` and `accept`: what the unit of a watchdog calls, and what is said to it."""

import contextlib
import os
from pathlib import Path

import click

from plexguard.core import program
from plexguard.core.daemon import run_cycles
from plexguard.core.errors import ConfigError, NoPermission, Unavailable, UsageError
from plexguard.core.hints import last_hint
from plexguard.core.program import FOUND_PROBLEMS
from plexguard.core.state import STATE_ROOT, StateFile
from plexguard.rclone_watchdog.act import RealHands
from plexguard.rclone_watchdog.asking.prober import MountProber, open_samples
from plexguard.rclone_watchdog.asking.rc import ADDRESS_FILE, AddressFile, HttpRc
from plexguard.rclone_watchdog.config import Config, Mount, Rclone
from plexguard.rclone_watchdog.decide import State
from plexguard.rclone_watchdog.mounting.prepare import RUNTIME_FOLDER
from plexguard.rclone_watchdog.protect.open import open_protector, open_world
from plexguard.rclone_watchdog.protect.release import let_go
from plexguard.rclone_watchdog.watch import ACCEPT, STATE_SCHEMA, GaveUp, OldCredentials, Watch, World

NAME = "rclone-watchdog"
# Neither asks the storage before it answers.
_REFRESH_S = 2.0


@click.command(hidden=True)
@click.argument("name")
@click.pass_obj
def watch(config_path: Path, name: str) -> int:
    """Prove a mount; its unit calls this."""
    ports, config = program.open_ports(NAME), program.load_config(config_path, Config)
    try:
        wanted = find_mount(config_path, name)
    except UsageError:
        let_go(name, open_world(name, None, ports.journal), ports)
        raise
    # Not $STATE_DIRECTORY: the unit has another one too, and systemd sorts them.
    folder, runtime = STATE_ROOT / NAME / name, RUNTIME_FOLDER / name
    file = StateFile(folder / "state.json", State, schema=STATE_SCHEMA, journal=ports.journal)
    samples = open_samples(folder, ports.journal)
    prober = MountProber(wanted, config, clock=ports.clock, host=ports.host, runtime=runtime, samples=samples)
    world = World(
        prober=prober,
        protector=open_protector(name, wanted, ports),
        hands=RealHands(name=name, manager=ports.manager, ask_refresh=lambda: refresh(runtime)),
        folder=folder,
        read_hint=lambda: last_hint(name),
    )
    looping = Watch(name, wanted, config, ports, world, file)
    try:
        run_cycles(looping.cycle, ports.notifier, is_ready=looping.is_ready)
    except GaveUp:
        return FOUND_PROBLEMS
    except OldCredentials:
        return os.EX_TEMPFAIL
    finally:
        prober.close()
    if _is_gone(config_path, name):
        let_go(name, open_world(name, None, ports.journal), ports)
    return 0


def _is_gone(config_path: Path, name: str) -> bool:
    """Tell whether the mount was taken out of the configuration meanwhile: who stops this then will not start it again."""
    try:
        return name not in program.load_config(config_path, Rclone).mount
    except ConfigError:
        return False


def refresh(runtime: Path) -> None:
    """Have rclone forget what it has listed, and begin to list it anew. Raises RcError."""
    address = AddressFile(runtime / ADDRESS_FILE).read()
    if address is not None:
        rc = HttpRc(address)
        rc.call("vfs/forget", {}, timeout_s=_REFRESH_S)
        rc.call("vfs/refresh", {"_async": "true"}, timeout_s=_REFRESH_S)


@click.command()
@click.argument("name")
@click.pass_obj
def accept(config_path: Path, name: str) -> int:
    """Take what a mount holds now for whole, though it was more (root)."""
    find_mount(config_path, name)
    unit, folder = f"plexguard-{NAME}@{name}.service", STATE_ROOT / NAME / name
    try:
        # The watchdog's folder: what lies there under that name already is no file of root's to be opened.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(folder / ACCEPT, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644))
    except FileNotFoundError as error:
        raise Unavailable(f"{name}: its watchdog has never run", hint=f"systemctl start {unit}") from error
    except PermissionError as error:
        raise NoPermission(f"Failed to accept mount {name}: only root may", hint=f"sudo plexguard-{NAME} accept {name}") from error
    click.echo(f"what {name} lists next is taken for whole: journalctl -u {unit}")
    return 0


def find_mount(config_path: Path, name: str) -> Mount:
    """Return the mount of a name. Raises UsageError where there is none."""
    mounts = program.load_config(config_path, Rclone).mount
    if name not in mounts:
        known = ", ".join(sorted(mounts)) or "none"
        raise UsageError(f"{name}: the configuration has no mount of this name, only: {known}", hint=f"write [rclone.{name}]")
    return mounts[name]
