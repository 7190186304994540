"""Run by the service manager at boot and at each daemon-reload, with the folder to write to as first argument.

It never fails a boot: with a bad configuration the shipped units stand as they are and the reason is logged. It asks no
file system of the media, only names and tables, so that nothing can hang it.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from plexguard.core import config, core_events
from plexguard.core.drop_ins import find_bad_calendars, make_drop_ins, make_instances, read_groups
from plexguard.core.errors import ConfigError, PlexguardError
from plexguard.core.events import Event
from plexguard.core.found import PLEX_FILE, SCHEMA, FoundPlex
from plexguard.core.host import Host, LocalHost
from plexguard.core.journal import Journal, StderrJournal, SystemdJournal
from plexguard.core.mounts import read_fstab, read_mounts
from plexguard.core.secret import mask
from plexguard.core.state import StateFile
from plexguard.core.suite import instances

NAME = "plexguard-generator"
_JOURNAL = Path("/run/systemd/journal/socket")
_KERNEL_LOG = Path("/dev/kmsg")


class BootJournal:
    """The journal when it is up, else the kernel's log, as systemd.generator(7) asks for."""

    def send(self, event: Event, /, **values: object) -> None:
        if _JOURNAL.exists():
            SystemdJournal(NAME).send(event, **values)
            return
        try:
            _KERNEL_LOG.write_text(f"<{int(event.priority)}>{NAME}: {mask(event.render(values))}\n", encoding="utf-8")
        except OSError:
            StderrJournal().send(event, **values)


def generate(folder: Path, *, config_path: Path, found_file: Path, host: Host, journal: Journal) -> None:
    """Write the drop-ins and instances below a folder, or none of them when the configuration has a mistake."""
    settings = config.read(config_path, {})
    try:
        found = StateFile(found_file, FoundPlex, schema=SCHEMA, journal=journal).load()
        made = make_drop_ins(settings, found, (*read_mounts(), *read_fstab()), read_groups()) | make_instances(instances(settings))
        mistakes = find_bad_calendars(settings, host)
    except ConfigError as error:
        made, mistakes = {}, error.mistakes
    except (PlexguardError, OSError) as error:
        made, mistakes = {}, (f"the shipped units stand as they are: {error}",)
    for mistake in mistakes:
        journal.send(core_events.CONFIG_NOT_APPLIED, program=NAME, mistake=mistake)
    for name, content in made.items() if not mistakes else ():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")


def main() -> None:
    """Write to the folder given by the manager; the exit code is always 0: a boot must not depend on this."""
    if len(sys.argv) < 2:
        print(f"usage: {NAME} FOLDER [EARLY LATE]", file=sys.stderr)
        return
    folder = Path(sys.argv[1])
    never_fail(
        lambda: generate(folder, config_path=config.DEFAULT_PATH, found_file=PLEX_FILE, host=LocalHost(), journal=BootJournal())
    )


def never_fail(work: Callable[[], None]) -> None:
    try:
        work()
    except Exception as error:  # noqa: BLE001  # see the module's docstring: even our bug must not fail a boot
        print(f"<2>{NAME}: {type(error).__name__}: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
