"""`export`: an archive of Plex's data, made while Plex runs."""

import contextlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click

from plexguard.core import program
from plexguard.core.program import FOUND_PROBLEMS, Ports
from plexguard.db_export.arguments import data_option, find_plex_data
from plexguard.db_export.config import ARCHIVES, Config
from plexguard.db_export.remote.carried import Brought

if TYPE_CHECKING:  # a command that only shows its help needs none of it
    from plexguard.core.found import FoundPlex
    from plexguard.db_export.archive.keep import Kept
    from plexguard.db_export.archive.write import Exported

_IDENTITY_TIMEOUT_S = 2.0


@click.command()
@data_option
@click.option("--to", metavar="DIR", type=Brought(file_okay=False, path_type=Path), help="Make it in DIR; then none is removed.")
@click.option("--with-identity", is_flag=True, help="Take Plex's token and identity too.")
@click.option("--with", "extra", type=click.Choice(["metadata", "media"]), multiple=True, help="Take this folder of Plex's too.")
@program.format_option
@click.pass_obj
def export(config_path: Path, data: Path | None, to: Path | None, with_identity: bool, extra: tuple[str, ...], output: str) -> int:
    """Make an archive of Plex's database, and verify it."""
    config, ports = program.load_config(config_path, Config), program.open_ports(Config.SECTION)
    with _stopped_by_error():
        return run(config, ports, data=data, to=to, with_identity=with_identity, extra=extra, output=output)


def run(
    config: Config, ports: Ports, *, data: Path | None, to: Path | None, with_identity: bool, extra: tuple[str, ...], output: str
) -> int:
    from plexguard.core.errors import PlexguardError, TryAgain
    from plexguard.db_export import events
    from plexguard.db_export.archive.write import Wanted
    from plexguard.db_export.archive.write import export as make
    from plexguard.db_export.progress_shown import shown
    from plexguard.db_export.state import note_failed

    place, found = find_plex_data(data, config, ports)
    target = to or Path(config.archives or ARCHIVES)
    trees = {"Metadata": config.metadata or "metadata" in extra, "Media": config.media or "media" in extra}
    wanted = Wanted(
        with_identity=with_identity, trees=tuple(name for name, is_in in trees.items() if is_in), plex=_ask_version(found)
    )
    try:
        with shown(ports) as progress:
            exported = make(place, target, wanted, clock=ports.clock, progress=progress)
    except TryAgain:
        raise
    except PlexguardError as error:
        ports.journal.send(events.EXPORT_FAILED, reason=str(error), hint=error.hint or "man plexguard-db-export")
        if to is None:
            note_failed(ports.journal, str(error), ports.clock.now())
        return error.exit_code
    removed = _remove_old(target, config, ports, exported) if to is None else ()
    if ports.by_hand or output == "json":
        # To a unit the event says the same.
        _print(exported, removed, output=output)
    code = _tell(exported, ports)
    if to is None:
        _note(target, exported, ports)
    return code


def _note(target: Path, exported: "Exported", ports: Ports) -> None:
    from plexguard.db_export.archive.keep import list_archives
    from plexguard.db_export.state import note_failed, note_good

    archives = list_archives(target)
    newest = next((kept for kept in archives if kept.path == exported.path), None)
    if newest is not None and newest.is_good:
        note_good(ports.journal, newest, kept=sum(kept.is_good for kept in archives))
    else:
        note_failed(ports.journal, f"the database is damaged: {'; '.join(exported.manifest.damage)}", ports.clock.now())


def _ask_version(found: "FoundPlex | None") -> str:
    """Return the version of the Plex that runs, "" when it does not answer: it need not run for this."""
    if found is None or not found.url:
        return ""
    from plexguard.core.errors import PlexguardError
    from plexguard.core.plex_http import HttpPlex

    try:
        return HttpPlex(found.url, None, owners=found.owners).identity(timeout_s=_IDENTITY_TIMEOUT_S).version
    except (PlexguardError, OSError):
        return ""


def _remove_old(target: Path, config: Config, ports: Ports, exported: "Exported") -> "tuple[Kept, ...]":
    """Remove what is old enough. When the new archive is not good, an older one must have been proven before any is removed."""
    from plexguard.core.events import FilePath
    from plexguard.db_export import events
    from plexguard.db_export.archive.keep import Rules, choose_removed, list_archives, prove_last_good

    archives = list_archives(target)
    if not exported.manifest.is_good:
        bad = []

        def tell_bad(path: Path, reason: str) -> None:
            bad.append(path)
            ports.journal.send(events.ARCHIVE_BAD, path=FilePath(str(path)), reason=reason)

        if prove_last_good(archives, tell_bad) is None:
            return ()
        archives = tuple(kept for kept in archives if kept.path not in bad)
    rules = Rules(daily=config.keep_daily, weekly=config.keep_weekly, monthly=config.keep_monthly)
    removed = choose_removed(archives, rules, machine_identifier=exported.manifest.machine_identifier)
    for kept in removed:
        kept.path.unlink(missing_ok=True)
    return removed


def _print(exported: "Exported", removed: "tuple[Kept, ...]", *, output: str) -> None:
    manifest = exported.manifest
    if output == "json":
        summary = {
            "path": str(exported.path),
            "bytes": exported.size,
            "seconds": round(exported.seconds, 3),
            "good": manifest.is_good,
            "manifest": json.loads(manifest.to_json()),
            "removed": [str(kept.path) for kept in removed],
        }
        click.echo(json.dumps(summary))
        return
    click.echo(exported.path)


def _tell(exported: "Exported", ports: Ports) -> int:
    from plexguard.core.events import FilePath
    from plexguard.db_export import events

    manifest, path = exported.manifest, FilePath(str(exported.path))
    if not manifest.is_good:
        reason = f"the database is damaged, and kept as it is in {path}: {'; '.join(manifest.damage)}"
        ports.journal.send(events.EXPORT_FAILED, reason=reason, hint="plexguard-db-export check")
        return FOUND_PROBLEMS
    rows = sum(sum(facts.rows.values()) for facts in manifest.databases.values())
    ports.journal.send(events.EXPORTED, path=path, rows=rows, size_mb=round(exported.size / 1e6), took_s=exported.seconds)
    return 0


@contextlib.contextmanager
def _stopped_by_error() -> Iterator[None]:
    """Have a stop by the service manager end the work as Ctrl-C does, so that what is half made is removed."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
