"""`remap`: write other paths into Plex's database."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plexguard.core import program
from plexguard.core.program import FOUND_PROBLEMS, Ports
from plexguard.db_export.arguments import data_option
from plexguard.db_export.commands.which import Which, find_which
from plexguard.db_export.config import Config
from plexguard.db_export.remote.carried import Carried

if TYPE_CHECKING:  # --help needs no more than names
    from plexguard.db_export.database.files import PlexData
    from plexguard.db_export.remap.observe import Collision, Left
    from plexguard.db_export.remap.report import Report

# What is looked for afterwards: so many files of those that were moved.
_SAMPLE = 500
_LOOK_S = 20.0


@click.command()
@click.argument("db", metavar="[DB]", required=False, type=click.Path(path_type=Path))
@click.option("--mappings", metavar="FILE", required=True, type=Carried(path_type=Path), help="Which path became which, as JSON.")
@click.option("--dry-run", is_flag=True, help="Count what would be rewritten; change nothing.")
@click.option("--force", is_flag=True, help="Also where two files become one.")
@data_option
@program.format_option
@click.pass_obj
def remap(config_path: Path, db: Path | None, mappings: Path, dry_run: bool, force: bool, data: Path | None, output: str) -> int:
    """Write other paths into Plex's database."""
    config, ports = program.load_config(config_path, Config), program.open_ports(Config.SECTION)
    which = find_which(db, data, config, ports)
    pairs = read_mappings(mappings)
    report = preview(which, pairs) if dry_run else run(which, pairs, config, ports, force=force)
    _print(report, output=output)
    return FOUND_PROBLEMS if report.missing or (dry_run and report.collisions) else 0


def read_mappings(path: Path) -> dict[str, str]:
    from plexguard.core.errors import IoFailed, MissingInput
    from plexguard.db_export.remap.mappings import MAX_BYTES, parse_mappings

    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise MissingInput(f"{path}: no such file") from error
    except OSError as error:
        raise IoFailed(f"Failed to read {path}: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise MissingInput(f"{path}: is no mappings file: it is larger than {MAX_BYTES} bytes")
    return parse_mappings(data, str(path))


def preview(which: Which, pairs: dict[str, str]) -> "Report":
    """Count what would be done. The database may be live."""
    from plexguard.db_export.database.look import look
    from plexguard.db_export.remap.decide import Mover
    from plexguard.db_export.remap.observe import forecast
    from plexguard.db_export.remap.report import Report

    mover = Mover(pairs)
    seen = look(which.library, lambda connection: forecast(connection, mover))
    return Report(
        mappings=pairs,
        counts=seen.mappings,
        columns=seen.columns,
        left=(*seen.left, *_find_linked(which, pairs)),
        collisions=seen.collisions,
        settings=_find_settings(which, pairs),
        is_dry=True,
    )


def run(which: Which, pairs: dict[str, str], config: Config, ports: Ports, *, force: bool) -> "Report":
    """Rewrite a copy, and put it in place."""
    from plexguard.core.errors import UsageError
    from plexguard.db_export.commands.begin import begin
    from plexguard.db_export.swap.stopped import prove_stopped

    if which.data is None:
        raise UsageError(
            f"{which.library}: lies in no data folder of Plex's, where what was there could be kept", hint="try it with --dry-run"
        )
    with begin(which.data, ports):
        prove_stopped(which.data, which.found, manager=ports.manager, host=ports.host, clock=ports.clock)
        return _rewrite(which, which.data, pairs, config, ports, force=force)


def _rewrite(which: Which, data: "PlexData", pairs: dict[str, str], config: Config, ports: Ports, *, force: bool) -> "Report":
    from concurrent.futures import ThreadPoolExecutor

    from plexguard.core.events import FilePath
    from plexguard.db_export.database.copy import snapshot
    from plexguard.db_export.database.files import LIBRARY, need_space
    from plexguard.db_export.remap import events
    from plexguard.db_export.remap.act import rewrite_copy, work_folder
    from plexguard.db_export.remap.decide import Mover
    from plexguard.db_export.remap.report import Report
    from plexguard.db_export.swap.replace import replace

    mover = Mover(pairs)
    # The copy, and by how much longer paths may make it grow.
    need_space(data.databases, data.library.stat().st_size * 5 // 4, what="the rewritten copy")
    with work_folder(data) as folder:
        copy = folder / LIBRARY
        # Plex is stopped: what is in its place is what is in the copy. SQLite lets others work while it looks.
        with ThreadPoolExecutor(1) as beside:
            look = beside.submit(_look_through, data.library, pairs)
            snapshot(data.library, copy)
            done = rewrite_copy(copy, mover)
            collisions, left = look.result()
        left += _find_linked(which, pairs)
        if collisions and not force:
            _refuse(collisions)
        if not done.values:
            return Report(mappings=pairs, counts=done.mappings, columns=done.columns, left=left, collisions=())
        generation = replace(data, {LIBRARY: copy}, reason="remap", keep=config.undo_keep, clock=ports.clock)
    checked, missing, untold = _look_for_some(which, pairs)
    ports.journal.send(events.REMAPPED, count=done.values, path=FilePath(generation.folder), missing=len(missing), checked=checked)
    return Report(
        mappings=pairs,
        counts=done.mappings,
        columns=done.columns,
        left=left,
        collisions=collisions,
        settings=_find_settings(which, pairs),
        kept=str(generation.folder),
        checked=checked,
        missing=missing,
        untold=untold,
    )


def _look_through(library: Path, pairs: dict[str, str]) -> "tuple[tuple[Collision, ...], tuple[Left, ...]]":
    """Return which files would become one, and what is left as it is."""
    from plexguard.db_export.database.look import look
    from plexguard.db_export.remap.decide import Mover
    from plexguard.db_export.remap.observe import find_left, find_meetings

    mover = Mover(pairs)
    return look(library, lambda connection: (find_meetings(connection, mover), find_left(connection, mover)))


def _find_linked(which: Which, pairs: dict[str, str]) -> "tuple[Left, ...]":
    """Return what of the blobs database is left as it is."""
    from plexguard.db_export.database.look import look
    from plexguard.db_export.remap.decide import Mover
    from plexguard.db_export.remap.observe import find_linked

    if which.data is None or not which.data.blobs.exists():
        return ()
    mover = Mover(pairs)
    return look(which.data.blobs, lambda connection: find_linked(connection, mover))


def _refuse(collisions: "tuple[Collision, ...]") -> None:
    from plexguard.core.errors import DataError
    from plexguard.core.events import show_path

    first = collisions[0]
    raise DataError(
        f"{len(collisions)} paths would be those of several files, as {show_path(first.path)} of "
        f"{' and '.join(map(show_path, first.sources))}; nothing was changed",
        hint="see all with --dry-run; rewrite them all the same with --force",
    )


def _find_settings(which: Which, pairs: dict[str, str]) -> tuple[tuple[str, str, str], ...]:
    from plexguard.db_export.remap.decide import Mover
    from plexguard.db_export.remap.preferences import find_settings

    if which.data is None:
        return ()
    try:
        return find_settings(which.data.preferences.read_bytes(), Mover(pairs))
    except OSError:
        return ()


def _look_for_some(which: Which, pairs: dict[str, str]) -> tuple[int, tuple[str, ...], int]:
    """Look for some of the files at their new paths. Return how many were looked for, those that are not there, and how many cannot
    be told."""
    from plexguard.core.mounts import read_fstab, read_mounts
    from plexguard.db_export.database.look import look
    from plexguard.db_export.paths.observe import Place
    from plexguard.db_export.paths.survey import World, survey
    from plexguard.db_export.remap.observe import sample_files

    paths = look(which.library, lambda connection: sample_files(connection, tuple(pairs.values()), most=_SAMPLE))
    folders: dict[str, set[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, set()).add(name)
    world = World(find_here=which.find_here, mounts=read_mounts(), fstab=read_fstab())
    (seen,) = survey({Place(section=0, title="", root=""): folders}, world, within_s=_LOOK_S, stall_s=_LOOK_S)
    missing = tuple(sorted(f"{folder}/{name}" for folder, names in seen.missing.items() for name in names))
    return seen.checked, missing, seen.untold_count


def _print(report: "Report", *, output: str) -> None:
    from plexguard.db_export.remap.report import as_json, show

    if output == "json":
        click.echo(json.dumps(as_json(report)))
        return
    for line in show(report):
        click.echo(line)
