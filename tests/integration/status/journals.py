"""Real journal files of machines that there are not, made as systemd-journal-remote(8) makes them of what it receives."""

import hashlib
import subprocess
from datetime import datetime
from pathlib import Path

from plexguard.core.events import Event

REMOTE = Path("/lib/systemd/systemd-journal-remote")


def make_entry(host: str, at: datetime, message: str, **fields: str) -> str:
    """Return an entry in the export format (systemd.io, JOURNAL_EXPORT_FORMATS), as journald of that host would give it."""
    machine = hashlib.sha256(host.encode()).hexdigest()[:32]
    us = int(at.timestamp() * 1e6)
    trusted = {"_HOSTNAME": host, "_MACHINE_ID": machine, "_BOOT_ID": machine[::-1], "_UID": "0", "_TRANSPORT": "journal"}
    head = {"__REALTIME_TIMESTAMP": str(us), "__MONOTONIC_TIMESTAMP": str(us % 10**12), "_BOOT_ID": machine[::-1]}
    lines = {**head, **trusted, **fields, "MESSAGE": message}
    return "".join(f"{name}={value}\n" for name, value in lines.items()) + "\n"


def tell_entry(host: str, at: datetime, event: Event, **values: object) -> str:
    fields = {name: value.decode() if isinstance(value, bytes) else value for name, value in event.journal_fields(values).items()}
    fields |= {
        "MESSAGE_ID": event.message_id,
        "PRIORITY": str(int(event.priority)),
        "_SYSTEMD_UNIT": "plexguard-plex-probe.service",
    }
    return make_entry(host, at, event.render(values), **fields)


def write_journal(folder: Path, name: str, *entries: str) -> None:
    """Write entries into a journal file."""
    subprocess.run(
        [REMOTE, "-o", folder / f"{name}.journal", "-"],
        input="".join(entries),
        text=True,
        check=True,
        timeout=60,
        capture_output=True,
    )
