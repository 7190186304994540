"""`work`: what a phase does on the run's machine, where its program was brought to."""

from pathlib import Path

import click

from plexguard.core import program


@click.command(hidden=True)
@click.argument("task", type=click.Choice(["scan", "analyze", "export", "sign-out"]))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.pass_obj
def work(config_path: Path, task: str, folder: Path) -> int:
    """Do the work of a phase by the plan in DIR, as its unit does."""
    from plexguard.cloud_run.section import worker

    return worker.work(task, folder, program.open_ports("cloud-run"))
