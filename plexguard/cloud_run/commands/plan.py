"""`plan`: which machine a run gets, and what it costs at the most. Nothing is rented."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from plexguard.cloud_run.commands import begin
from plexguard.cloud_run.config import Config
from plexguard.cloud_run.life.chain import PHASES
from plexguard.core import config as core_config
from plexguard.core import program
from plexguard.core.config import Settings
from plexguard.core.program import FOUND_PROBLEMS, Ports
from plexguard.core.spans import show_span

if TYPE_CHECKING:  # --help needs none of it
    from plexguard.cloud_run.choosing.choose import Planned
    from plexguard.cloud_run.life.run_file import RunFile
    from plexguard.cloud_run.storage.choose import Media


@click.command()
@click.argument("name", metavar="NAME")
@program.format_option
@click.pass_obj
def plan(config_path: Path, name: str, output: str) -> int:
    """Tell which machine a run gets, and what it costs."""
    config, ports = begin.load(config_path)
    return run(config, ports, name, output=output, settings=core_config.read(config_path, os.environ))


def run(config: Config, ports: Ports, name: str, *, output: str, settings: Settings) -> int:
    """settings: of this machine, with its mounts."""
    from plexguard.cloud_run.choosing.planning import plan_run, tell_choice
    from plexguard.cloud_run.life.runs import read_run
    from plexguard.cloud_run.phases.mount import read_storages
    from plexguard.cloud_run.providers.open import open_provider
    from plexguard.cloud_run.storage.choose import choose_media

    wanted = read_run(name)
    media = choose_media(wanted, settings, config)
    if media is not None and config.provider != "local":
        read_storages(media)  # what would end the run is told now
    provider = open_provider(config, clock=ports.clock, host=ports.host)
    planned = plan_run(wanted, config, provider)
    tell_choice(name, wanted, planned.choice, ports.journal)
    if output == "json":
        click.echo(json.dumps(_encode(name, wanted, planned, config, media), indent=1))
    else:
        for line in show(name, wanted, planned, config, media):
            click.echo(line)
    return 0 if planned.is_affordable else FOUND_PROBLEMS


def show(name: str, wanted: "RunFile", planned: "Planned", config: Config, media: "Media | None") -> list[str]:
    """Return the plan, a line for each part of it."""
    from plexguard.cloud_run.choosing.planning import show_memory
    from plexguard.cloud_run.choosing.profiles import MONITORING

    choice, estimate, patience = planned.choice, planned.estimate, MONITORING[wanted.monitoring]
    disk = f", {choice.disk_bytes / 1e9:.0f} GB of {'local disk' if choice.is_local_disk else 'block storage'}"
    rows = {
        "run": name,
        "machine": f"{choice.offer.type} in {choice.zone}, from {config.provider}: {choice.offer.cpus} processors, "
        f"{show_memory(choice.offer.ram_bytes)} of memory{disk if choice.disk_bytes else ''}",
        "container": f"{show_memory(choice.limits.memory_bytes)} of memory, {show_memory(choice.limits.swap_bytes)} of swap, "
        f"{choice.limits.cpus} processors",
        "mount": f"{media.name}: {media.remote or 'as home has it'}, at {media.point}" if media else "none: Plex sees no media",
        "database": {"newest": "the newest archive that is kept", "none": "none, it begins without one"}.get(
            wanted.database, wanted.database
        ),
        "monitoring": f"{wanted.monitoring}: every {show_span(patience.interval)}, a stall after {show_span(patience.stall)}, "
        f"over after {show_span(patience.limit)}",
        "phases": ", ".join(PHASES),
        "limit": show_span(wanted.limit) + (", and kept until then" if wanted.keep else ""),
        "cost": f"{estimate.total:.2f} EUR at the most, without tax: {estimate.hours} h of machine {estimate.machine:.2f}, "
        f"disk {estimate.disk:.2f}, address {estimate.address:.2f}",
        "max_cost": f"{planned.max_cost:.2f} EUR" + ("" if planned.is_affordable else ", which is less: this run would not begin"),
    }
    return [f"{key:11} {value}" for key, value in rows.items()]


def _encode(name: str, wanted: "RunFile", planned: "Planned", config: Config, media: "Media | None") -> dict[str, Any]:
    from plexguard.core.records import encode

    return {
        "run": name,
        "provider": config.provider,
        "machine": encode(planned.choice),
        "mount": media.name if media is not None else "",
        "database": wanted.database,
        "monitoring": wanted.monitoring,
        "phases": PHASES,
        "limit_s": wanted.limit.total_seconds(),
        "keep": wanted.keep,
        "estimate": {**encode(planned.estimate), "total": planned.estimate.total},
        "max_cost": planned.max_cost,
        "is_affordable": planned.is_affordable,
    }
