"""`ask-claim`: ask a person for a run's claim token. Root's part of it, and all that it does."""

from pathlib import Path

import click

from plexguard.cloud_run.commands import begin
from plexguard.cloud_run.life.runs import check_name, read_kept
from plexguard.core import program
from plexguard.core.program import Ports


@click.command("ask-claim", hidden=True)
@click.argument("name", metavar="NAME")
@click.pass_obj
def ask_claim(config_path: Path, name: str) -> int:
    """Ask for a claim token where a run wants one, as a unit does."""
    return run(program.open_ports(begin.NAME), check_name(name))


def run(ports: Ports, name: str) -> int:
    """Return 0 also when nobody has answered: who wants the token tells it, and ends the run."""
    from plexguard.cloud_run import events
    from plexguard.cloud_run.commands.phase import open_book
    from plexguard.cloud_run.server.claim import Mailbox, ask_person, runtime_folder
    from plexguard.core.spans import show_span

    mailbox = Mailbox(runtime_folder(name))
    if not mailbox.is_wanted:
        return 0
    limit = read_kept(name, open_book(ports, name).folder).claim_timeout
    ports.journal.send(events.CLAIM_ASKED, run=name, limit=show_span(limit))
    ports.notifier.tell("STATUS=waiting for a claim token: sudo systemd-tty-ask-password-agent")
    token = ask_person(ports.host, ports.clock, run=name, limit_s=limit.total_seconds())
    if token is not None:
        mailbox.put(token)
    return 0
