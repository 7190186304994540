"""What Docker's words mean: which container is Plex's, was it stopped on purpose, and when was it started. Pure."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

from plexguard.container_watch.observe import ContainerEvent, Listed
from plexguard.core.clock import Moment
from plexguard.core.found import FoundContainer

# What comes before, as a registry or a mirror, and a tag or digest after it, make no other image.
_IMAGES = frozenset({"plexinc/pms-docker", "linuxserver/plex", "hotio/plex", "binhex/arch-plex", "binhex/arch-plexpass"})
# For as long as a container is replaced, the old one and the new one are both there: Compose makes the new one first, and
# gives the old one its time to stop.
_REPLACE_S = 300.0
_ENDED = ("exited", "dead", "removing")
# Signals that ask for something else than an end: HUP, USR1, USR2, CONT, WINCH.
_HARMLESS = ("1", "10", "12", "18", "28")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What events told of a container since its last start. asked: it was told to end. died: it has ended."""

    asked: bool = False
    died: bool = False


def remember(event: ContainerEvent, heard: Heard) -> Heard:
    """Return what is known of a container's end after one more event.

    `docker stop`, `docker kill`, compose and the like signal the container first ("kill"), then it dies. A crash has only
    "die". A start makes all of it history.
    """
    if event.action == "stop" or (event.action == "kill" and event.signal not in _HARMLESS):
        return dataclasses.replace(heard, asked=True)
    if event.action == "die":
        return dataclasses.replace(heard, died=True)
    if event.action in ("start", "restart", "unpause", "create"):
        return Heard()
    return heard


def judge_end(found: FoundContainer, heard: Heard, last: FoundContainer | None) -> FoundContainer:
    """Return the container with whether it was stopped on purpose: by events, by what was published last, by its exit code.

    Who signals from outside of Docker leaves the exit code of a stop (137, 143), as the kernel does that is out of memory:
    where the end was heard and no signal of Docker's before it, that is a crash. Code 0 is none: Plex was shut down from
    within. Events are only known as long as Docker and this program run; an end that was judged outlives both.
    """
    if found.status not in _ENDED:
        return found
    if heard.asked:
        return dataclasses.replace(found, stopped_on_purpose=True)
    if heard.died:
        return dataclasses.replace(found, stopped_on_purpose=found.stopped_on_purpose and found.exit_code == 0)
    if last is not None and last.status in _ENDED and (last.id, last.started) == (found.id, found.started):
        return dataclasses.replace(found, stopped_on_purpose=last.stopped_on_purpose)
    return found


def is_plex_image(image: str) -> bool:
    """Tell whether an image, as REGISTRY/NAMESPACE/NAME:TAG@DIGEST, is one of those that Plex is run from."""
    *path, name = image.partition("@")[0].split("/")
    return "/".join([*path, name.partition(":")[0]][-2:]) in _IMAGES


def find_plex(containers: Iterable[Listed]) -> tuple[Listed, ...]:
    """Return the containers of a Plex image, by name."""
    return tuple(sorted((c for c in containers if is_plex_image(c.image)), key=lambda c: c.name))


def choose(candidates: tuple[Listed, ...], *, followed: str, several_s: float) -> Listed | None:
    """Return the one container that is Plex's, None where it is not certain.

    followed: the id of the one that was taken so far. several_s: for how long there have been several.
    """
    if len(candidates) == 1:
        return candidates[0]
    return next((c for c in candidates if c.id == followed and several_s < _REPLACE_S), None)


def date_start(found: FoundContainer, last: FoundContainer | None, now: Moment) -> FoundContainer:
    """Return the container with its start on the clock that nobody sets: reckoned once, when the start is first seen."""
    if found.started is None:
        return found
    if last is not None and last.started_s is not None and (last.id, last.started) == (found.id, found.started):
        return dataclasses.replace(found, started_s=last.started_s)
    age_s = max(0.0, (now.wall - found.started).total_seconds())
    return dataclasses.replace(found, started_s=max(0.0, now.uptime_s - age_s))
