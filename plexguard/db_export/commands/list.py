"""`list`: the archives that are kept."""

from pathlib import Path

import click

from plexguard.core import program
from plexguard.db_export.config import ARCHIVES, Config


@click.command("list")
@program.format_option
@click.pass_obj
def list_(config_path: Path, output: str) -> int:
    """List the archives that are kept."""
    config = program.load_config(config_path, Config)
    for file in sorted(Path(config.archives or ARCHIVES).glob("*.tar.zst")):
        click.echo(file.name)
    return 0
