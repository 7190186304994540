"""`explain`: whether Plex can read a path, and what is in the way."""

import click

from plexguard.core.child import in_child
from plexguard.core.errors import IoFailed, MissingInput, TryAgain, UsageError
from plexguard.core.events import show_path
from plexguard.core.guarded import Guarded
from plexguard.core.program import FOUND_PROBLEMS, Ports
from plexguard.perms_audit.config import Config
from plexguard.perms_audit.observe import survey_path
from plexguard.perms_audit.prove import prove
from plexguard.perms_audit.state import find_state_folder, load_state, open_state


def run(path: str, config: Config, ports: Ports, *, guarded: Guarded) -> int:
    if not path.startswith("/"):
        raise UsageError(f"{path}: not an absolute path", hint=f'plexguard-perms-audit explain "$PWD/{path}"')
    mount = guarded.find_unproven(path)
    if mount is not None:
        raise TryAgain(
            f"{show_path(path)}: its mount {mount.mount_point} is not proven to be alive ({mount.why})",
            hint=f"systemctl status plexguard-rclone-watchdog@{mount.name}.service",
        )
    policy, target = survey_path(
        path, config, journal=ports.journal, past=load_state(open_state(find_state_folder(), ports.journal))
    )
    try:
        reason = in_child(lambda: prove(policy, target), timeout_s=config.stall_timeout.total_seconds())
    except FileNotFoundError as error:
        raise MissingInput(f"{show_path(path)}: there is no such file") from error
    except OSError as error:
        raise IoFailed(f"Failed to look at {show_path(path)}: {error.strerror}") from error
    who = "everybody" if policy.identity is None else str(policy.identity)
    click.echo(f"{who} cannot read it: {show_path(reason)}" if reason else f"{who} can read it")
    return FOUND_PROBLEMS if reason else 0
