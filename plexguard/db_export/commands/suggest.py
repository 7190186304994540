"""`suggest`: mappings for what is missing, in a file for a person to look through."""

import json
import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plexguard.core import program
from plexguard.core.program import FOUND_PROBLEMS
from plexguard.db_export.arguments import data_option
from plexguard.db_export.commands.which import Which, listing_options, open_which, take_listing
from plexguard.db_export.config import Config
from plexguard.db_export.remote.carried import Brought

if TYPE_CHECKING:  # --help needs no more than names
    from plexguard.db_export.paths.listing import Listing
    from plexguard.db_export.paths.proposal import Proposal
    from plexguard.db_export.paths.survey import Seen


@click.command()
@click.argument("db", metavar="[DB|ARCHIVE]", required=False, type=click.Path(path_type=Path))
@click.option("--output", "target", metavar="FILE", required=True, type=Brought(path_type=Path), help="Write the mappings there.")
@click.option("--search", metavar="DIR", multiple=True, type=click.Path(path_type=Path), help="Look in DIR too, for all libraries.")
@listing_options
@data_option
@program.format_option
@click.pass_obj
def suggest(
    config_path: Path,
    db: Path | None,
    target: Path,
    search: tuple[Path, ...],
    listing: Path | None,
    below: str,
    data: Path | None,
    output: str,
) -> int:
    """Suggest mappings for files that are missing."""
    from plexguard.core.errors import UsageError
    from plexguard.db_export.paths.proposal import as_json, show

    config, ports = program.load_config(config_path, Config), program.open_ports(Config.SECTION)
    _check_target(target)
    listed = take_listing(listing, below)
    if listed is not None and search:
        raise UsageError("--search: looks on this machine's disks, where --listing takes the storage's word: use one of both")
    with open_which(db, data, config, ports) as which:
        proposal = run(which, search) if listed is None else run_listed(which, listed)
    if proposal.suggestions:
        write(target, proposal)
    if output == "json":
        click.echo(json.dumps(as_json(proposal)))
    else:
        for line in show(proposal, str(target)):
            click.echo(line)
    return FOUND_PROBLEMS if proposal.unmatched or proposal.faults else 0


def run(which: Which, search: tuple[Path, ...]) -> "Proposal":
    from plexguard.core.mounts import read_fstab, read_mounts
    from plexguard.db_export.database.look import look
    from plexguard.db_export.paths.candidates import find_candidates
    from plexguard.db_export.paths.observe import read_library
    from plexguard.db_export.paths.proposal import propose
    from plexguard.db_export.paths.survey import World, survey

    world = World(find_here=which.find_here, mounts=read_mounts(), fstab=read_fstab())
    library = look(which.library, read_library)
    found = survey(library.files, world, within_s=None)
    return propose(
        library,
        found,
        _read_sizes(which, found),
        search=tuple(os.path.abspath(folder) for folder in search),
        find=partial(find_candidates, mounts=world.mounts, find_there=which.find_there),
        find_here=which.find_here,
        find_there=which.find_there,
    )


def run_listed(which: Which, listing: "Listing") -> "Proposal":
    from plexguard.db_export.database.look import look
    from plexguard.db_export.paths.listing import find_listed, survey_listing
    from plexguard.db_export.paths.observe import read_library
    from plexguard.db_export.paths.proposal import propose

    library = look(which.library, read_library)
    found = survey_listing(library.files, listing)
    same = {"find_here": lambda path: path, "find_there": lambda path: path}
    return propose(library, found, _read_sizes(which, found), search=(), find=partial(find_listed, listing), **same)


def _read_sizes(which: Which, found: "Iterable[Seen]") -> dict[str, int]:
    """Return how large the missing files were, in bytes, 0 where the database does not say."""
    from plexguard.db_export.database.look import look
    from plexguard.db_export.paths.observe import read_parts

    missing = {f"{folder}/{name}" for seen in found for folder, names in seen.missing.items() for name in names}
    return look(which.library, lambda connection: {path: size for path, size, _ in read_parts(connection) if path in missing})


def _check_target(target: Path) -> None:
    from plexguard.core.errors import UsageError

    if target.exists():
        raise UsageError(f"{target}: is there already, and may hold what somebody has chosen", hint="name another file")


def write(target: Path, proposal: "Proposal") -> None:
    from plexguard.core.state import write_atomic
    from plexguard.db_export.paths.proposal import encode_file

    write_atomic(target, encode_file(proposal), mode=0o644)
