"""`repair`: mend Plex's databases, with the least loss, and say what was lost."""

import json
from pathlib import Path

import click

from plexguard.core import program
from plexguard.db_export.arguments import data_option, find_plex_data
from plexguard.db_export.commands.begin import begin
from plexguard.db_export.config import ARCHIVES, Config


@click.command("repair")
@data_option
@click.option("--force", is_flag=True, help="Also when more is lost than max_loss.")
@click.option("--dry-run", is_flag=True, help="Do all but put it in place.")
@program.format_option
@click.pass_obj
def repair(config_path: Path, data: Path | None, force: bool, dry_run: bool, output: str) -> int:
    """Mend a damaged database. Plex must be stopped."""
    from plexguard.db_export.check.observe import look_at_files
    from plexguard.db_export.check.run import check_copy
    from plexguard.db_export.repair.act import repair as act
    from plexguard.db_export.repair.ladder import Ladder
    from plexguard.db_export.repair.mend import PlexSqlite
    from plexguard.db_export.repair.recover import Sqlite3
    from plexguard.db_export.repair.report import encode_repaired, show
    from plexguard.db_export.repair.snapshots import find_snapshots, read_identifier
    from plexguard.db_export.repair.tell import tell
    from plexguard.db_export.swap.stopped import prove_stopped

    config = program.load_config(config_path, Config)
    ports = program.open_ports("db-export")
    plex_data, found = find_plex_data(data, config, ports)
    max_loss = config.max_loss / 1000
    with begin(plex_data, ports):
        prove_stopped(plex_data, found, manager=ports.manager, host=ports.host, clock=ports.clock)
        snapshots = find_snapshots(Path(config.archives or ARCHIVES), machine_identifier=read_identifier(plex_data.preferences))
        ladder = Ladder(
            work=plex_data.databases,
            check=check_copy,
            look_beside=look_at_files,
            plex=PlexSqlite(host=ports.host),
            sqlite3=Sqlite3(host=ports.host, clock=ports.clock),
            snapshots=snapshots,
            max_loss=max_loss,
            forced=force,
            tell=lambda step: click.echo(f"{step} …", err=True),
        )
        done = act(plex_data, ladder, clock=ports.clock, keep=config.undo_keep, dry_run=dry_run)
    if not dry_run:
        tell(done, ports.journal, max_loss=max_loss)
    if output == "json":
        click.echo(json.dumps(encode_repaired(done), indent=1))
    else:
        for line in show(done, max_loss=max_loss):
            click.echo(line)
    return 1 if done.failed else 0
