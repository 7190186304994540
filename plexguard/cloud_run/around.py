"""What the runs of the cloud need around their configuration, looked at for `plexguard-status check-config`: files of runs, each of
which is read, and nothing is asked of the provider."""

import os
import shutil

from plexguard.cloud_run.config import Apply, Config
from plexguard.cloud_run.life.runs import FOLDER, find_own, find_runs, read_run
from plexguard.cloud_run.rent.lease import Leases
from plexguard.cloud_run.storage.choose import choose_media
from plexguard.core.config import DEFAULT_PATH, read
from plexguard.core.errors import ConfigError, PlexguardError
from plexguard.core.host import Host
from plexguard.core.journal import StderrJournal
from plexguard.core.state import state_directory
from plexguard.core.suite import Around


def look_around(config: Config, _apply: Apply, host: Host) -> Around:
    faults: list[str] = []
    own = find_own(folder=FOLDER)
    for name in own:
        try:
            file = read_run(name, folder=FOLDER)
        except ConfigError as error:
            faults += error.mistakes
            continue
        try:
            choose_media(file, read(DEFAULT_PATH, os.environ), config)
        except ConfigError as error:
            faults += [f"{FOLDER / name}.toml: {mistake}" for mistake in error.mistakes]
    odd = sorted(file.name for file in FOLDER.glob("*.toml") if file.stem not in own)
    faults += [f"{FOLDER / name}: is no name of a run, allowed are a-z, 0-9 and -, at most 31 of them" for name in odd]
    if config.provider == "none":
        faults += [f"[cloud-run] provider: missing, and something may be rented for {name}" for name in _find_leases()]
    if config.provider == "local" and not _has_docker():
        faults.append("[cloud-run] provider: runs are to work on this machine, which has no Docker: apt install docker.io")
    return Around(faults=tuple(faults))


def instances(config: Config, _apply: Apply) -> tuple[str, ...]:
    """Return what is started by hand with the name of a run, for each that there is, where machines come from somewhere."""
    runs = find_runs() if config.provider != "none" else ()
    return tuple(f"plexguard-cloud-{unit}@{name}.service" for unit in ("run", "hold", "apply") for name in runs)


def _has_docker() -> bool:
    return shutil.which("docker") is not None


def _find_leases() -> tuple[str, ...]:
    try:
        return tuple(Leases(state_directory(Config.SECTION), StderrJournal()).read_all())
    except PlexguardError:
        return ()  # not root, who alone may look
