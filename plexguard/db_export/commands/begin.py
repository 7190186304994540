"""What every command that writes does first."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from plexguard.core.program import Ports
from plexguard.db_export.database.files import PlexData

if TYPE_CHECKING:  # --help needs no more than names
    from plexguard.db_export.swap.replace import Finished


@contextlib.contextmanager
def begin(data: PlexData, ports: Ports) -> "Iterator[Finished | None]":
    """Keep other runs from writing to this data, and tell what became of a swap that was cut off. Raises what hold() raises, and
    SystemRefused where a database can't be written to."""
    from plexguard.db_export.database.files import check_file_system
    from plexguard.db_export.swap import events
    from plexguard.db_export.swap.replace import hold

    check_file_system(data.databases)
    with hold(data) as finished:
        if finished is not None:
            ports.journal.send(events.SWAP_FINISHED, reason=finished.reason, outcome=finished.outcome)
        yield finished
