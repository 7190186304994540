"""`orphans`: what is rented, and who holds it."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from plexguard.cloud_run.commands import begin
from plexguard.cloud_run.config import Config
from plexguard.core import program
from plexguard.core.events import show_path
from plexguard.core.program import FOUND_PROBLEMS, Ports

if TYPE_CHECKING:  # --help needs none of it
    from plexguard.cloud_run.reap.decide import Plan
    from plexguard.cloud_run.rent.resources import Resource


@click.command()
@program.format_option
@click.pass_obj
def orphans(config_path: Path, output: str) -> int:
    """List what is rented and held by nobody."""
    return run(*begin.load(config_path), output=output)


def run(config: Config, ports: Ports, *, output: str) -> int:
    from plexguard.cloud_run.reap.decide import decide
    from plexguard.cloud_run.reap.world import look, open_world

    plan = decide(look(config, open_world(config, ports)))
    if output == "json":
        click.echo(json.dumps(_encode(plan), indent=1))
    else:
        for line in show(plan):
            click.echo(line)
    if plan.unlisted:
        return os.EX_UNAVAILABLE
    return FOUND_PROBLEMS if plan.give_back else 0


def show(plan: "Plan") -> list[str]:
    """Return what there is, a line each."""
    lines = []
    for word, groups in (("orphan", plan.give_back), ("held", plan.kept)):
        lines += [
            f"{word:8} {_show_resource(resource)}  {group.label.run}: {group.why}"
            for group in groups
            for resource in group.resources
        ]
    lines += [f"bare     {_show_resource(resource)}, belongs to nothing" for resource in plan.unclaimed]
    lines += [f"stranger {_show_resource(resource)}  of {_show_owner(resource)}" for resource in plan.strangers]
    lines += [f"unknown  {zone}: {reason}" for zone, reason in plan.unlisted]
    return lines or ["nothing is rented"]


def _show_resource(resource: "Resource") -> str:
    key = resource.key
    return (
        f"{key.kind.value} {key.id} in {key.zone} ({show_path(' '.join(word for word in (resource.type, resource.state) if word))})"
    )


def _show_owner(resource: "Resource") -> str:
    return resource.label.owner if resource.label is not None else "unknown"


def _encode(plan: "Plan") -> dict[str, Any]:
    return {
        "orphans": [_row(r, run=g.label.run, why=g.why) for g in plan.give_back for r in g.resources],
        "held": [_row(r, run=g.label.run, why=g.why) for g in plan.kept for r in g.resources],
        "unlabelled": [_row(r) for r in plan.unclaimed],
        "strangers": [_row(r, owner=_show_owner(r)) for r in plan.strangers],
        "unknown": [{"zone": zone, "reason": reason} for zone, reason in plan.unlisted],
    }


def _row(resource: "Resource", **more: str) -> dict[str, Any]:
    key = resource.key
    return {"kind": key.kind.value, "id": key.id, "zone": key.zone, "type": resource.type, "state": resource.state, **more}
