"""Where the files of runs are: /etc/plexguard/cloud-run/NAME.toml, else the one that is shipped by that name, and drop-ins.

As with units: a file of the administrator's replaces the shipped one, a drop-in in NAME.toml.d changes an option of either.
"""

import shutil
from pathlib import Path

from plexguard.cloud_run.life.run_file import RunFile
from plexguard.core import config
from plexguard.core.errors import IoFailed, MissingInput, NoPermission, UsageError
from plexguard.core.events import show_path
from plexguard.core.options import THING_NAME
from plexguard.core.state import PUBLISHED, make_folder, write_atomic

FOLDER = Path("/etc/plexguard/cloud-run")
SHIPPED = Path("/usr/share/plexguard/cloud-run")
# In the folder of a run's state: its file as it was when it began.
_KEPT = "run.toml"


def check_name(name: str) -> str:
    """Return the name of a run if it is one. It becomes part of file names, of unit names and of labels. Raises UsageError."""
    if not THING_NAME.fullmatch(name):
        raise UsageError(f"{show_path(name)}: is no name of a run, allowed are a-z, 0-9 and -, at most 31 of them")
    return name


def find_file(name: str, *, folder: Path = FOLDER, shipped: Path = SHIPPED) -> Path:
    """Return where a run's file is: the administrator's own, or the one of that name that is shipped. Raises UsageError,
    MissingInput and NoPermission."""
    own = folder / f"{check_name(name)}.toml"
    try:
        found = next((path for path in (own, shipped / own.name) if path.exists()), None)
    except PermissionError as error:
        raise NoPermission(
            f"{own}: {error.strerror}: runs are read by the user plexguard-cloud", hint=f"chmod 755 {folder}"
        ) from error
    if found is None:
        raise MissingInput(f"{own}: there is no such run", hint=f"plexguard-cloud-run; or: cp {SHIPPED}/delta.toml {own}")
    return found


def read_run(name: str, *, folder: Path = FOLDER, shipped: Path = SHIPPED) -> RunFile:
    """Return what a run is to be. Raises what find_file() does, and ConfigError."""
    return _read(find_file(name, folder=folder, shipped=shipped), folder / f"{name}.toml.d")


def keep_run(name: str, kept: Path, *, folder: Path = FOLDER, shipped: Path = SHIPPED) -> None:
    """Keep a run's file and drop-ins as they are now, in the folder of its state: whoever prepares the next run in them changes
    none that works. Raises what find_file() does, and IoFailed."""
    target = kept / f"{_KEPT}.d"
    drop_ins = sorted((folder / f"{name}.toml.d").glob("*.toml"))
    try:
        content = find_file(name, folder=folder, shipped=shipped).read_bytes()
        shutil.rmtree(target, ignore_errors=True)
        if drop_ins:
            make_folder(target)
        for file in drop_ins:
            write_atomic(target / file.name, file.read_bytes(), mode=PUBLISHED)
    except OSError as error:
        raise IoFailed(f"Failed to read the file of the run {name}: {error.strerror}") from error
    write_atomic(kept / _KEPT, content, mode=PUBLISHED)


def read_kept(name: str, kept: Path) -> RunFile:
    """Return a run's file as it was when the run began. Raises what read_run() does."""
    path = kept / _KEPT
    return _read(path, Path(f"{path}.d")) if path.exists() else read_run(name)


def _read(path: Path, drop_ins: Path) -> RunFile:
    settings = config.read_plain(path, drop_ins)
    made = settings.take(RunFile)
    settings.check()
    return made


def find_runs(*, folder: Path = FOLDER, shipped: Path = SHIPPED) -> tuple[str, ...]:
    """Return the names of all runs, the administrator's own and those that are shipped; names that are none are left out."""
    return tuple(sorted({*find_own(folder=folder), *find_own(folder=shipped)}))


def find_own(*, folder: Path = FOLDER) -> tuple[str, ...]:
    """Return the names of the runs whose files are in a folder, or their drop-ins."""
    names = {
        file.name.removesuffix(".d").removesuffix(".toml") for pattern in ("*.toml", "*.toml.d") for file in folder.glob(pattern)
    }
    return tuple(sorted(name for name in names if THING_NAME.fullmatch(name)))
