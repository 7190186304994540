"""`trash`: empty Plex's trash, or see what would be emptied, or what was."""

import json
import os
from datetime import timedelta
from pathlib import Path

import click

from plexguard.core import program, published
from plexguard.core.errors import Unavailable
from plexguard.core.found import FoundPlex, Server, read_container, read_plex
from plexguard.core.mounts import read_fstab, read_mounts
from plexguard.core.plex_http import HttpPlex
from plexguard.core.program import FOUND_PROBLEMS, Ports
from plexguard.core.records import encode
from plexguard.core.state import STATE_ROOT, StateFile, exclusive_lock, make_folder, state_directory
from plexguard.core.token import read_token
from plexguard.rclone_watchdog.config import Config, Rclone
from plexguard.rclone_watchdog.trash.act import PLACES_SCHEMA, STATE_SCHEMA, Emptier, Places, Run, read_lists
from plexguard.rclone_watchdog.trash.decide import State
from plexguard.rclone_watchdog.trash.observe import Observation, World, observe
from plexguard.rclone_watchdog.trash.places import Ground, judge_guards
from plexguard.rclone_watchdog.trash.report import encode_run, show_lists, show_run
from plexguard.rclone_watchdog.trash.survey import survey

NAME = "trash"
# What a watchdog may take to write down a proof, beside the time to the next one.
_WRITTEN = timedelta(seconds=30)
_LONGEST = timedelta(minutes=20)


def run(ports: Ports, config_path: Path, *, dry_run: bool, output: str) -> int:
    config, mounts = program.load_config(config_path, Config), program.load_config(config_path, Rclone)
    folder = state_directory(NAME)
    with exclusive_lock(make_folder(folder) / "lock"):
        found = _find_plex(ports)
        places = StateFile(folder / "mounts.json", Places, schema=PLACES_SCHEMA, journal=ports.journal)
        plex = HttpPlex(found.url, read_token(), owners=found.owners)

        def look(only: str) -> Observation:
            """Look at everything anew: between two looks all of it may have changed."""
            now = ports.clock.moment()
            guards = judge_guards(mounts.mount, dict(published.MOUNTS.look_each(STATE_ROOT)), config, now)
            lasts = (places.peek() or Places()).mounts
            world = World(
                plex=plex,
                found=found,
                container=read_container(ports.journal) if found.server is Server.CONTAINER else None,
                hold=published.HOLD.look(STATE_ROOT),
                ground=Ground(table=read_mounts(), fstab=read_fstab(), guards=guards, lasts=lasts),
                now=now,
                survey=survey,
            )
            return observe(world, config, only=only)

        emptier = Emptier(
            look,
            plex,
            config=config,
            state=StateFile(folder / "state.json", State, schema=STATE_SCHEMA, journal=ports.journal),
            journal=ports.journal,
            clock=ports.clock,
            pause_s=find_pause(config, mounts).total_seconds(),
            lists=folder / "lists",
            places=places,
        )
        return _carry_out(emptier, config, dry_run=dry_run, output=output, by_hand=ports.by_hand)


def _carry_out(emptier: Emptier, config: Config, *, dry_run: bool, output: str, by_hand: bool) -> int:
    if dry_run:
        done = emptier.preview()
    elif config.trash:
        done = emptier.run()
    elif emptier.is_idle:
        if by_hand:
            click.echo("Nothing is emptied: [rclone-watchdog] trash is off (see it all the same: --dry-run)")
        return 0
    else:
        done = emptier.give_back()
    if output == "json":
        click.echo(json.dumps(encode_run(done), indent=1))
    elif by_hand:
        for line in show_run(done, is_dry=dry_run):
            click.echo(line)
    return _code_of(done)


def _code_of(done: Run) -> int:
    if done.fault:
        return os.EX_UNAVAILABLE
    return FOUND_PROBLEMS if any(result.reasons for result in done.results) else 0


def find_pause(config: Config, mounts: Rclone) -> timedelta:
    """Return how much time lies between two looks: enough for every mount to be proven anew."""
    intervals = (config.backend_interval if mount.is_ours else config.read_interval for mount in mounts.mount.values())
    return min(max((config.trash_pause, *(interval + _WRITTEN for interval in intervals))), _LONGEST)


def _find_plex(ports: Ports) -> FoundPlex:
    found = read_plex(ports.journal)
    if found is None:
        raise Unavailable(
            "Plex is not known: plexguard-discover has not run yet", hint="systemctl start plexguard-discover.service"
        )
    if found.server is Server.NONE:
        raise Unavailable(found.missing, hint="systemctl start plexguard-discover.service")
    return found


def list_emptied(*, output: str) -> int:
    lists = read_lists(state_directory(NAME) / "lists", program.open_ports(NAME).journal)
    if output == "json":
        click.echo(json.dumps(encode(lists), indent=1))
        return 0
    for line in show_lists(lists):
        click.echo(line)
    return 0
