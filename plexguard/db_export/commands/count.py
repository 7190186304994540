"""`count`: what each library holds, and how much of it is analysed."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plexguard.core import program
from plexguard.db_export.arguments import data_option
from plexguard.db_export.commands.which import open_which
from plexguard.db_export.config import Config

if TYPE_CHECKING:  # --help needs no more than names
    from plexguard.db_export.database.libraries import LibraryCount


@click.command()
@click.argument("db", metavar="[DB|ARCHIVE]", required=False, type=click.Path(path_type=Path))
@data_option
@program.format_option
@click.pass_obj
def count(config_path: Path, db: Path | None, data: Path | None, output: str) -> int:
    """Tell what each library holds, and how much is analysed."""
    from plexguard.db_export.database.libraries import count_libraries

    config, ports = program.load_config(config_path, Config), program.open_ports(Config.SECTION)
    with open_which(db, data, config, ports) as which:
        found = count_libraries(which.library)
    if output == "json":
        click.echo(json.dumps({"libraries": [_encode(one) for one in found]}))
    else:
        click.echo("\n".join(map(_show, found)) or "there is no library in it")
    return 0


def _show(one: "LibraryCount") -> str:
    from plexguard.core.events import show_path

    trashed = f", {one.trashed:,} in the trash" if one.trashed else ""
    return f"{show_path(one.title)}: {one.items:,} items, {one.analysed:,} of them analysed{trashed}"


def _encode(one: "LibraryCount") -> dict[str, object]:
    kind = one.kind.name.lower() if one.kind is not None else None
    return {
        "section": one.section,
        "title": one.title,
        "kind": kind,
        "items": one.items,
        "trashed": one.trashed,
        "analysed": one.analysed,
    }
