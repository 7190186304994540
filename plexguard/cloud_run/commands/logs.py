"""`logs`: what the units of a run have told, by journalctl."""

import os
from pathlib import Path

import click

from plexguard.cloud_run.life.runs import check_name


@click.command()
@click.argument("name", metavar="NAME")
@click.option("--follow", is_flag=True, help="Go on with what is told from now on.")
@click.pass_obj
def logs(config_path: Path, name: str, follow: bool) -> int:
    """Show what a run has told."""
    argv = make_argv(check_name(name), follow=follow)
    os.execvp(argv[0], argv)  # noqa: S606  # a list, and the reader is this process from now on


def make_argv(name: str, *, follow: bool) -> list[str]:
    argv = ["journalctl", f"--unit=plexguard-cloud-*@{name}.service"]
    return [*argv, "--follow"] if follow else argv
