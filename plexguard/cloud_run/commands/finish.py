"""`finish`: the end of a run whose phases have all ended well. Its unit calls it."""

from pathlib import Path

import click

from plexguard.cloud_run.commands import begin
from plexguard.cloud_run.config import Config
from plexguard.cloud_run.life.runs import check_name, read_kept
from plexguard.core.program import Ports


@click.command(hidden=True)
@click.argument("name", metavar="NAME")
@click.pass_obj
def finish(config_path: Path, name: str) -> int:
    """Sum a run up, as its unit does."""
    config, ports = begin.load(config_path)
    return run(config, ports, check_name(name))


def run(config: Config, ports: Ports, name: str) -> int:
    from plexguard.cloud_run import events
    from plexguard.cloud_run.life.chain import apply_unit
    from plexguard.cloud_run.life.state import DONE, Book
    from plexguard.cloud_run.life.summary import make_summary, show_libraries, show_seconds
    from plexguard.core.state import state_directory

    book = Book(state_directory(begin.NAME), name, clock=ports.clock, journal=ports.journal)
    book.refuse_gap()
    book.close(DONE)
    state = book.state
    summary = make_summary(state)
    hours = (ports.clock.now() - state.began).total_seconds() / 3600
    ports.journal.send(
        events.RUN_DONE,
        run=name,
        hours=hours,
        libraries=show_libraries(summary),
        phases=show_seconds(summary),
        cost_euros=f"{summary.cost_euros:.2f}",
    )
    if summary.result and read_kept(name, book.folder).apply:
        ports.manager.start(apply_unit(name))
    return 0
