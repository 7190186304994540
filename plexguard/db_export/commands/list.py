"""`list`: the archives that are kept."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plexguard.core import program
from plexguard.db_export.config import ARCHIVES, Config

if TYPE_CHECKING:  # --help needs none of it
    from plexguard.db_export.archive.keep import Kept


@click.command("list")
@program.format_option
@click.pass_obj
def list_(config_path: Path, output: str) -> int:
    """List the archives that are kept."""
    from plexguard.core.errors import MissingInput
    from plexguard.db_export.archive.keep import list_archives

    config = program.load_config(config_path, Config)
    folder = Path(config.archives or ARCHIVES)
    try:
        archives = list_archives(folder)
    except MissingInput:
        archives = ()
    if output == "json":
        click.echo(json.dumps([encode_kept(kept) for kept in archives], indent=1))
        return 0
    for kept in archives:
        click.echo(show_kept(kept))
    if not archives:
        click.echo(f"There is no archive in {folder} yet (plexguard-db-export export makes one)")
    return 0


def show_kept(kept: "Kept") -> str:
    """Return an archive in a line."""
    from plexguard.core.spans import show_bytes

    size = f"{show_bytes(kept.size):>7}"
    if kept.manifest is None:
        return f"{'-':16}  {size}  bad      {kept.path}: {kept.fault}"
    made = kept.manifest.made.astimezone()
    state = "good" if kept.manifest.is_good else "damaged"
    return f"{made:%Y-%m-%d %H:%M}  {size}  {state:7}  {kept.path}"


def encode_kept(kept: "Kept") -> dict[str, object]:
    """Return an archive as JSON has it."""
    manifest = None if kept.manifest is None else json.loads(kept.manifest.to_json())
    return {"path": str(kept.path), "bytes": kept.size, "good": kept.is_good, "fault": kept.fault or None, "manifest": manifest}
