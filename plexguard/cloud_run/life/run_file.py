"""What the file of a run says: options without sections. `runs.py` knows where these files are."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from plexguard.cloud_run.choosing.profiles import MONITORING, PROFILES, Limits, Profile
from plexguard.cloud_run.config import EUROS, ZONE, Config
from plexguard.core.folders import is_system_folder
from plexguard.core.options import BOOLEAN, FOLDERS, TEXT, THING_NAME, Kind, choice, count, option, quote, show_list, size, span
from plexguard.core.options import FOLDER as PLACE
from plexguard.core.plex import NewLibrary
from plexguard.core.spans import show_size

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
HOME = "home"


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


# What Plex itself takes for a library of that kind.
_USUAL = {
    "movie": ("tv.plex.agents.movie", "Plex Movie"),
    "show": ("tv.plex.agents.series", "Plex TV Series"),
    "artist": ("tv.plex.agents.music", "Plex Music"),
    "photo": ("com.plexapp.agents.none", "Plex Photo Scanner"),
}
_LANGUAGE = "en-US"
_OF_LIBRARY = {"title", "type", "agent", "scanner", "language", "paths"}


def _library(value: object) -> NewLibrary:
    if not isinstance(value, dict) or not {"title", "type", "paths"} <= value.keys() <= _OF_LIBRARY or value["type"] not in _USUAL:
        raise ValueError
    agent, scanner = _USUAL[value["type"]]
    folders = FOLDERS.parse(value["paths"])
    made = NewLibrary(
        title=TEXT.parse(value["title"]),
        type=value["type"],
        agent=TEXT.parse(value.get("agent", agent)),
        scanner=TEXT.parse(value.get("scanner", scanner)),
        language=TEXT.parse(value.get("language", _LANGUAGE)),
        folders=folders,
    )
    if not (made.title and made.agent and made.scanner and made.language and folders):
        raise ValueError
    return made


def _libraries(value: object) -> tuple[NewLibrary, ...] | str:
    if value == HOME:
        return HOME
    if not isinstance(value, list):
        raise ValueError
    made = tuple(map(_library, value))
    if len({library.title for library in made}) < len(made):
        raise ValueError
    return made


def _show_libraries(libraries: tuple[NewLibrary, ...] | str) -> str:
    return quote(libraries) if isinstance(libraries, str) else show_list(tuple(library.title for library in libraries))


LIBRARIES: Kind[tuple[NewLibrary, ...] | str] = Kind(
    f'"{HOME}", or [[libraries]] with title, type (movie, show, artist or photo) and paths; where they are not the usual ones also '
    "agent, scanner and language",
    _libraries,
    _show_libraries,
)


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
        MOUNT, "", "Which mount of this machine, by its name in [rclone.NAME], the run has on its own. Empty: the only one."
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
    libraries: tuple[NewLibrary, ...] | str = option(
        LIBRARIES,
        (),
        "Which libraries are made there, where a run begins without a database: those of this machine's Plex, or a list of them.",
    )
    scan: bool = option(BOOLEAN, True, "Whether Plex scans its libraries. Without, the run sets all up and goes on to its end.")
    sections: tuple[str, ...] = option(
        TITLES, (), "Which libraries are worked on, by their titles, in that order. Empty: all but those of photos."
    )
    max_libraries: int = option(count(0, 1000), 0, "How many of these at the most, for a try. 0: all.")
    force_deep_scan: bool = option(BOOLEAN, False, "Whether everything is fetched anew, and not only what has changed.")
    most_loss: int = option(
        count(0, 100), 5, "How much of a library a scan may take, in per cent. With more it is undone, and the run fails."
    )
    analyze: bool = option(BOOLEAN, True, "Whether Plex analyses its libraries after the scan.")
    sonic: bool = option(BOOLEAN, True, "Whether that of music has the sonic analysis, which takes days.")
    force_refresh: bool = option(BOOLEAN, False, "Whether all metadata of music are fetched anew before that.")
    checkpoint: timedelta = option(
        span("10min", "7d"), timedelta(hours=6), "How often what was found out is kept and brought home meanwhile."
    )
    bring: tuple[str, ...] = option(
        TREES, ("metadata", "media"), "What is brought home beside the database: folders of Plex's, metadata and media."
    )
    measure_storage: bool = option(BOOLEAN, False, "Whether it is measured first how fast the storage gives its files there.")
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
    apply: bool = option(
        BOOLEAN, False, "Whether what it has brought home is applied at its end, as plexguard-cloud-apply@NAME.service does."
    )
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
        if self.libraries and self.database != NONE:
            yield f'libraries: found with database = "{self.database}", which has libraries of its own: allowed with "{NONE}"'

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
