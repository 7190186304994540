"""`check`: whether Plex's databases, or those of an archive, are sound."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plexguard.core import program
from plexguard.core.program import FOUND_PROBLEMS, Ports
from plexguard.db_export.arguments import data_option, find_plex_data
from plexguard.db_export.config import ARCHIVES, Config
from plexguard.db_export.remote.carried import Carried

if TYPE_CHECKING:  # --help needs none of it
    from plexguard.db_export.archive.progress import Progress
    from plexguard.db_export.check.findings import Report
    from plexguard.db_export.database.files import PlexData


@click.command()
@click.argument("file", metavar="[DB|ARCHIVE]", required=False, type=Carried(path_type=Path))
@data_option
@program.format_option
@click.pass_obj
def check(config_path: Path, file: Path | None, data: Path | None, output: str) -> int:
    """Tell what is wrong with a database or an archive."""
    config = program.load_config(config_path, Config)
    return run(config, program.open_ports(Config.SECTION), file=file, data=data, output=output)


def run(config: Config, ports: Ports, *, file: Path | None, data: Path | None, output: str) -> int:
    from plexguard.db_export.check.report import encode, show
    from plexguard.db_export.progress_shown import shown

    with shown(ports) as progress:
        reports = _check_file(file, progress) if file is not None else _check_plex(config, ports, data, progress)
    if output == "json":
        click.echo(encode(reports))
    else:
        click.echo("\n".join(show(path, report) for path, report in reports.items()))
    return 0 if all(report.is_sound for report in reports.values()) else FOUND_PROBLEMS


def _check_file(path: Path, progress: "Progress") -> "dict[Path, Report]":
    from plexguard.db_export.archive.unpack import find_work, is_archive
    from plexguard.db_export.check.archived import check_archive
    from plexguard.db_export.check.run import check_database

    if not is_archive(path):
        return {path: check_database(path, work=find_work(), progress=progress)}
    return {path / name: report for name, report in check_archive(path, progress=progress).items()}


def _check_plex(config: Config, ports: Ports, data: Path | None, progress: "Progress") -> "dict[Path, Report]":
    from plexguard.db_export.archive.unpack import find_work
    from plexguard.db_export.check.run import check_database

    place, _ = find_plex_data(data, config, ports)
    rows = _last_rows(place, Path(config.archives or ARCHIVES))
    return {
        path: check_database(
            path, work=find_work(), previous=rows.get(path.name), shrink_percent=config.shrink_percent, progress=progress
        )
        for path in (place.library, place.blobs)
    }


def _last_rows(data: "PlexData", archives: Path) -> Mapping[str, Mapping[str, int]]:
    """Return the rows of each database in the last good archive of this server; none where there is none, or none can be read."""
    from plexguard.core.errors import PlexguardError
    from plexguard.db_export.archive.keep import list_archives
    from plexguard.db_export.archive.preferences import machine_identifier, read_preferences

    try:
        own = machine_identifier(read_preferences(data.preferences.read_bytes()))
        kept = [kept.manifest for kept in list_archives(archives) if kept.manifest is not None and kept.is_good]
    except (OSError, PlexguardError):
        return {}
    last = next((manifest for manifest in reversed(kept) if manifest.machine_identifier == own), None)
    if last is None:
        return {}
    return {
        name: {**facts.rows, **{f"section {section}": number for section, number in facts.sections.items()}}
        for name, facts in last.databases.items()
    }
