"""`verify`: whether an archive is what was written, and with --deep whether what was written is sound."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plexguard.core import program
from plexguard.core.program import FOUND_PROBLEMS, Ports
from plexguard.db_export.config import Config
from plexguard.db_export.remote.carried import Carried

if TYPE_CHECKING:  # --help needs none of it
    from plexguard.db_export.archive.manifest import Manifest


@click.command()
@click.argument("archive", metavar="ARCHIVE", type=Carried(path_type=Path))
@click.option("--deep", is_flag=True, help="Unpack its databases and check them too.")
@program.format_option
@click.pass_obj
def verify(config_path: Path, archive: Path, deep: bool, output: str) -> int:
    """Tell whether an archive is what was written."""
    program.load_config(config_path, Config)
    return run(archive, program.open_ports(Config.SECTION), deep=deep, output=output)


def run(path: Path, ports: Ports, *, deep: bool, output: str) -> int:
    from plexguard.db_export.archive.manifest import BadArchive
    from plexguard.db_export.archive.read import open_archive
    from plexguard.db_export.progress_shown import shown

    manifest, fault, damage = None, "", None
    try:
        with open_archive(path) as archive, shown(ports) as progress:
            archive.verify(progress=progress)
            manifest = archive.manifest
        damage = _check(path) if deep else None
    except BadArchive as error:
        fault = str(error)
        _note_bad(path, fault.removeprefix(f"{path}: "), ports)
    if output == "json":
        click.echo(json.dumps(_encode(path, manifest, fault, damage)))
    else:
        for line in (fault or _show(path, manifest), *(damage or ())):
            click.echo(line)
    return FOUND_PROBLEMS if fault or damage or (manifest is not None and not manifest.is_good) else 0


def _check(path: Path) -> tuple[str, ...]:
    """Unpack the databases, check each, and return what is damaged, one line each."""
    from plexguard.db_export.check.archived import check_archive
    from plexguard.db_export.check.findings import Severity

    reports = check_archive(path)
    found = ((name, finding) for name, report in reports.items() for finding in report.findings)
    return tuple(f"{name}: {finding.detail}" for name, finding in found if finding.severity is Severity.DAMAGE)


def _note_bad(path: Path, reason: str, ports: Ports) -> None:
    """Keep it for the status. By a unit it is an event too; a person reads what is printed."""
    from plexguard.core.events import FilePath
    from plexguard.db_export import events
    from plexguard.db_export.state import note_bad

    note_bad(ports.journal, path.absolute(), reason, ports.clock.now())
    if not ports.by_hand:
        ports.journal.send(events.ARCHIVE_BAD, path=FilePath(str(path)), reason=reason)


def _show(path: Path, manifest: "Manifest | None") -> str:
    if manifest is None:
        return f"{path}: can be unpacked, and has a library in it; it has no manifest to hold it against"
    rows = sum(sum(facts.rows.values()) for facts in manifest.databases.values())
    made = f"{manifest.made.astimezone():%Y-%m-%d %H:%M}"
    if not manifest.is_good:
        return f"{path}: is what was written on {made}, of a database that was damaged: {'; '.join(manifest.damage)}"
    return f"{path}: is what was written on {made}: {len(manifest.databases)} databases, {rows} rows"


def _encode(path: Path, manifest: "Manifest | None", fault: str, damage: tuple[str, ...] | None) -> dict[str, object]:
    """damage: None where nobody looked for any."""
    return {
        "path": str(path),
        "verified": not fault,
        "good": not fault and not damage and (manifest is None or manifest.is_good),
        "fault": fault or None,
        "damage": None if damage is None else list(damage),
        "manifest": None if manifest is None else json.loads(manifest.to_json()),
    }
