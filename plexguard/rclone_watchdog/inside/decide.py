"""Whether Plex's container sees the mount that lives, and what follows when it does not. Pure."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field

from plexguard.core.clock import Moment
from plexguard.core.mounts import is_below

DAY_S = 86_400.0
# One container for all mounts: each restart ends what everybody watches.
MAX_IN_DAY = 3
# The start of a large library takes minutes; one that does not cure it is not tried again at once.
COOLDOWN_S = 600.0
# Docker's words for a mount that goes on with what is mounted on the host below its source.
_FOLLOWS = ("rslave", "rshared", "slave", "shared")


@dataclass(frozen=True, slots=True, kw_only=True)
class InsideSeen:
    """What was found, published. is_seen: bytes were read through the container, of the mount that has this device. detail: why
    not, or how."""

    is_seen: bool
    detail: str
    device: str
    checked: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The restarts of the last days, oldest first, for all mounts, on disk. told: by mount, what was told of it last."""

    restarts: tuple[Moment, ...] = ()
    told: dict[str, str] = field(default_factory=dict)

    def spend(self, now: Moment) -> "Budget":
        kept = tuple(moment for moment in self.restarts if now.seconds_since(moment) < 2 * DAY_S)
        return dataclasses.replace(self, restarts=(*kept[-100:], now))

    def note_told(self, name: str, word: str) -> "Budget":
        others = {key: value for key, value in self.told.items() if key != name}
        return dataclasses.replace(self, told={**others, name: word} if word else others)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """A folder of the host in a container. propagation: Docker's word, "" for its default, which follows nothing."""

    source: str
    destination: str
    propagation: str

    @property
    def follows(self) -> bool:
        return self.propagation in _FOLLOWS


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a container has the mount, or a part of it. device: what is mounted there inside, "" for nothing of its own."""

    bind: Bind
    path: str
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What was seen. device: of the mount on the host, "" when it is not there. is_running: the container. places: where it has the
    mount. reading: why no bytes were read in the first place of these, "" when they were. in_use: why it must not be restarted now,
    "" when nothing speaks against it; None where it was not asked."""

    device: str
    is_running: bool
    places: tuple[Place, ...] = ()
    reading: str = ""
    in_use: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """It sees the mount that lives, or has nothing of it."""

    detail: str


@dataclass(frozen=True, slots=True)
class Blind:
    """It does not, and nothing is done about it, or not yet. word: the same for as long as it is the same thing."""

    detail: str
    word: str


@dataclass(frozen=True, slots=True)
class Restart:
    """It sees the dead mount, and is restarted. budget: to be saved before."""

    detail: str
    budget: Budget


def find_binds(binds: Iterable[Bind], mount_point: str) -> tuple[tuple[Bind, str], ...]:
    """Return the binds that show the mount, each with the path inside where it, or the part of it, is."""
    found = []
    for bind in binds:
        source, destination = bind.source.rstrip("/") or "/", bind.destination.rstrip("/") or "/"
        if is_below(source, mount_point):
            found.append((bind, destination))
        elif is_below(mount_point, source):
            rest = mount_point[len(source.rstrip("/")) :]
            found.append((bind, destination.rstrip("/") + rest))
    return tuple(found)


def decide(seen: Observation, budget: Budget, now: Moment, *, mount_point: str, may_restart: bool) -> Seen | Blind | Restart:
    """Return what is so, or what is to be done. When in doubt nothing is."""
    if not seen.device:
        return Blind("nothing is mounted there on this machine", "absent")
    if not seen.is_running:
        return Blind("Plex's container does not run", "stopped")
    if not seen.places:
        return Seen("Plex's container has nothing of it")
    dead = [place for place in seen.places if place.device != seen.device]
    if not dead:
        if seen.reading:
            return Blind(f"Plex's container has the mount, and does not read it: {seen.reading}", "unread")
        return Seen("bytes were read through Plex's container")
    detail = f"Plex's container does not see the mount that lives at {dead[0].path}: {explain(dead[0].bind, mount_point)}"
    refusal = _find_refusal(seen, budget, now, may_restart=may_restart)
    if refusal:
        return Blind(f"{detail}. {refusal}", refusal)
    return Restart(detail, budget.spend(now))


def _find_refusal(seen: Observation, budget: Budget, now: Moment, *, may_restart: bool) -> str:
    if not may_restart:
        return "It is not restarted: restart_container = false"
    if sum(now.seconds_since(moment) < DAY_S for moment in budget.restarts) >= MAX_IN_DAY:
        return f"It is not restarted: {MAX_IN_DAY} restarts in 24 hours are spent"
    if any(now.seconds_since(moment) < COOLDOWN_S for moment in budget.restarts[-1:]):
        return "It is not restarted again so soon"
    if seen.in_use is None or seen.in_use:
        return f"Its restart is put off: {seen.in_use or 'it cannot be told whether somebody watches'}"
    return ""


def explain(bind: Bind, mount_point: str) -> str:
    """Return which bind keeps a container from seeing a mount that is made anew, and how it is to be written."""
    if bind.source.rstrip("/") == mount_point or is_below(bind.source, mount_point):
        above = mount_point.rpartition("/")[0] or "/"
        return f"it was given {bind.source} itself, and only follows mounts below what it is given; give it {above} with :rslave"
    if not bind.follows:
        return f"{bind.source} was given to it at {bind.destination} without :rslave"
    return f"it has {bind.source} with :{bind.propagation}, and yet another mount"


def find_blindness(seen: InsideSeen | None, device: str) -> str:
    """Return why a container is not known to see the mount of that device, "" when it is."""
    if not device:
        return "nothing is mounted there"
    if seen is None or (seen.is_seen and seen.device != device):
        return "it is not known yet whether Plex's container sees the mount that lives"
    return "" if seen.is_seen else seen.detail
