"""What a run is to be: /etc/plexguard/cloud-run/NAME.toml, one file a run, without sections."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from plexguard.cloud_run.choosing.profiles import MONITORING, PROFILES, Limits, Profile
from plexguard.cloud_run.config import EUROS, ZONE, Config
from plexguard.core import config
from plexguard.core.errors import IoFailed, MissingInput, UsageError
from plexguard.core.events import show_path
from plexguard.core.folders import is_system_folder
from plexguard.core.options import BOOLEAN, TEXT, THING_NAME, Kind, choice, count, option, quote, show_list, size, span
from plexguard.core.options import FOLDER as PLACE
from plexguard.core.spans import show_size
from plexguard.core.state import PUBLISHED, write_atomic

FOLDER = Path("/etc/plexguard/cloud-run")
NO_RUNS = f"There is no run yet: write {FOLDER}/NAME.toml"
# In the folder of a run's state: its file as it was when it began.
_KEPT = "run.toml"
_MIN_MEMORY = "256M"
# A name as Docker has them: a registry, parts, a tag, a digest. No option, whatever is typed: it begins with a letter or digit.
_IMAGE = re.compile(
    r"(?:[a-z0-9][a-z0-9.-]*(?::[0-9]{1,5})?/)?[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?",
    re.ASCII,
)


def _image(value: object) -> str:
    text = TEXT.parse(value)
    if text and (len(text) > 255 or not _IMAGE.fullmatch(text)):
        raise ValueError
    return text


IMAGE: Kind[str] = Kind('the name of an image, such as "plexinc/pms-docker:latest"', _image, quote)


def _mount(value: object) -> str:
    text = TEXT.parse(value)
    if text and not THING_NAME.fullmatch(text):
        raise ValueError
    return text


MOUNT: Kind[str] = Kind('the name of a mount, such as "media"', _mount, quote)


NEWEST, NONE = "newest", "none"


def _database(value: object) -> str:
    text = TEXT.parse(value)
    return text if text in (NEWEST, NONE) else PLACE.parse(text or None)


DATABASE: Kind[str] = Kind(f'"{NEWEST}", "{NONE}", or an absolute path', _database, quote)


def _titles(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError
    titles = tuple(dict.fromkeys(TEXT.parse(title) for title in value))
    if not all(titles):
        raise ValueError
    return titles


TITLES: Kind[tuple[str, ...]] = Kind('a list of titles, such as ["Films", "Music"]', _titles, show_list)


def _trees(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(tree in ("metadata", "media") for tree in value):
        raise ValueError
    return tuple(dict.fromkeys(value))


TREES: Kind[tuple[str, ...]] = Kind('a list of "metadata" and "media"', _trees, show_list)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFile:
    """A run. An option that is empty or 0 is as `instance`, or [cloud-run], says."""

    SECTION: ClassVar[str] = ""

    instance: str = option(choice(*PROFILES), "power", "Which machine: its type, its disk and the limits of Plex's container.")
    type: str = option(TEXT, "", "Another type than that of the instance, by its commercial name. Then nothing stands in for it.")
    zone: str = option(ZONE, "", "Another zone than those of [cloud-run].")
    disk: int = option(size("0", "10T"), 0, "Another size of the disk.")
    memory: int = option(size("0", "4T"), 0, "The most memory that Plex's container may take. Lowered to what the machine has.")
    swap: int = option(size("0", "4T"), 0, "The most swap beside it.")
    cpus: int = option(count(0, 1024), 0, "The most processors.")
    mount: str = option(
        MOUNT, "", "Which mount of this machine, by its name in [rclone.NAME], the run has on its own. Empty: none."
    )
    media: str = option(PLACE, "/Media", "Where it is mounted there. Empty: Plex sees no media.")
    mount_timeout: timedelta = option(
        span("10s", "1h"), timedelta(minutes=10), "For how long its storage may be away at first, before the run fails."
    )
    database: str = option(
        DATABASE,
        NONE,
        'The archive of Plex\'s database to begin with: "newest" of those that are kept, "none", or the path of one.',
    )
    mappings: str = option(
        PLACE, "", "The file of mappings that say where the files are by now, as `plexguard-db-export remap` has."
    )
    min_present: int = option(
        count(0, 100),
        90,
        "How much of each library has to be in the storage, in per cent; with less the run stops before it rents.",
    )
    scan: bool = option(BOOLEAN, True, "Whether Plex scans its libraries. Without, the run sets all up and goes on to its end.")
    sections: tuple[str, ...] = option(
        TITLES, (), "Which libraries are worked on, by their titles, in that order. Empty: all but those of photos."
    )
    force_deep_scan: bool = option(BOOLEAN, False, "Whether everything is fetched anew, and not only what has changed.")
    most_loss: int = option(
        count(0, 100), 5, "How much of a library a scan may take, in per cent. With more it is undone, and the run fails."
    )
    bring: tuple[str, ...] = option(
        TREES, ("metadata", "media"), "What is brought home beside the database: folders of Plex's, metadata and media."
    )
    bandwidth: int = option(
        size("0", "100G"), 0, "The most that is carried to and from the machine, in bytes a second. 0: no limit."
    )
    monitoring: str = option(choice(*MONITORING), "cloud_intensive", "How patiently the work is watched.")
    max_cost: float = option(EUROS, 0.0, "The most that the run may cost, in euros. 0: that of [cloud-run].")
    limit: timedelta = option(
        span("1h", "30d"), timedelta(hours=96), "After what time the machine is given back, whatever is done."
    )
    image: str = option(
        IMAGE, "", "The image of Plex's container. Empty: the official one, of the version at home where there is a Plex."
    )
    limited: bool = option(
        BOOLEAN, True, "Whether Plex's container has limits at all. Some engines, such as one in a container, can give none."
    )
    claim: str = option(
        choice("ask", "never"),
        "ask",
        "Whether Plex is to belong to an account: then a claim token is asked for, or fetched with an account's token.",
    )
    claim_timeout: timedelta = option(span("5s", "10min"), timedelta(minutes=3), "For how long it is asked for.")
    keep: bool = option(BOOLEAN, False, "Whether the machine stays after the run until that time is over, to look at.")
    hold: timedelta = option(
        span("10min", "7d"), timedelta(hours=8), "For how long plexguard-cloud-hold@NAME.service keeps the machine, to look at."
    )

    def find_mistakes(self) -> tuple[str, ...]:
        return tuple(self._find_mistakes())

    def _find_mistakes(self) -> Iterator[str]:
        least = size(_MIN_MEMORY, "4T")
        if self.memory:
            try:
                least.parse(self.memory)
            except ValueError:
                yield f"memory: found {show_size(self.memory)}, allowed is {least.allowed}"
        if is_system_folder(self.media) if self.media else self.mount:
            yield f'media: found "{self.media}", which is no place for media: use one such as "/Media"'

    @property
    def profile(self) -> Profile:
        return PROFILES[self.instance]

    @property
    def disk_bytes(self) -> int:
        return self.disk or self.profile.disk_bytes

    @property
    def types(self) -> tuple[str, ...]:
        """The types that will do, the best first."""
        return (self.type,) if self.type else (self.profile.type, *self.profile.others)

    @property
    def limits(self) -> Limits:
        """The limits of the container as they are wanted, whatever the machine has."""
        known = self.profile.limits
        memory, swap = self.memory or known.memory_bytes, self.swap or known.swap_bytes
        return Limits(memory_bytes=memory, memory_swap_bytes=memory + swap, cpus=self.cpus or known.cpus)

    def zones_in(self, section: Config) -> tuple[str, ...]:
        return (self.zone,) if self.zone else section.zones

    def cost_limit_in(self, section: Config) -> float:
        return self.max_cost or section.max_cost


def check_name(name: str) -> str:
    """Return the name of a run if it is one. It becomes part of file names, of unit names and of labels. Raises UsageError."""
    if not THING_NAME.fullmatch(name):
        raise UsageError(f"{show_path(name)}: is no name of a run, allowed are a-z, 0-9 and -, at most 31 of them")
    return name


def read_run(name: str, *, folder: Path = FOLDER) -> RunFile:
    """Return a run's file. Raises UsageError, MissingInput and ConfigError."""
    path = folder / f"{check_name(name)}.toml"
    if not path.exists():
        raise MissingInput(f"{path}: there is no such run", hint=f"echo 'mount = \"NAME\"' | install -m 644 -D /dev/stdin {path}")
    return _read(path)


def keep_run(name: str, kept: Path, *, folder: Path = FOLDER) -> None:
    """Keep a run's file as it is now, in the folder of its state: whoever prepares the next run in it changes none that works.
    Raises IoFailed."""
    path = folder / f"{name}.toml"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise IoFailed(f"Failed to read {path}: {error.strerror}") from error
    write_atomic(kept / _KEPT, content, mode=PUBLISHED)


def read_kept(name: str, kept: Path) -> RunFile:
    """Return a run's file as it was when the run began. Raises what read_run() does."""
    path = kept / _KEPT
    return _read(path) if path.exists() else read_run(name)


def _read(path: Path) -> RunFile:
    settings = config.read_plain(path)
    made = settings.take(RunFile)
    settings.check()
    return made


def find_runs(*, folder: Path = FOLDER) -> tuple[str, ...]:
    """Return the names of all runs that have a file; names that are none are left out."""
    return tuple(sorted(file.stem for file in folder.glob("*.toml") if THING_NAME.fullmatch(file.stem)))
