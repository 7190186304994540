"""Docker's word on one container, parsed to what the others need and nothing more (its environment may hold secrets)."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from plexguard.core.errors import PeerError
from plexguard.core.found import LEASE_LABEL, FoundContainer, Mount
from plexguard.core.host import CommandFailed, Host

_INSPECT_TIMEOUT_S = 15.0
# Exit codes of an end that was asked for: by itself, SIGKILL, SIGTERM. Without an event that tells, these are no crash.
_ASKED_EXIT_CODES = (0, 128 + 9, 128 + 15)
# Health checks run every few seconds and raise events of their own: only these are followed.
EVENTS = ("create", "start", "restart", "die", "stop", "kill", "oom", "pause", "unpause", "destroy", "rename")
# All containers: Docker's own filter for one takes its name for a prefix, so that "plex" were "plex-exporter" too, and it
# knows nothing of the container that comes after.
FOLLOW = (
    *("docker", "events", '--format={{.Action}} {{.Actor.ID}} {{index .Actor.Attributes "signal"}}', "--filter=type=container"),
    *(f"--filter=event={event}" for event in EVENTS),
)
_LEASE = f'(index .Config.Labels "{LEASE_LABEL}")'
_LIST_FORMAT = f"--format=[{{{{json .Id}}}}, {{{{json .Name}}}}, {{{{json .Config.Image}}}}, {{{{json {_LEASE}}}}}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerEvent:
    """What happened to a container. signal: for "kill" its number, else empty."""

    action: str
    id: str
    signal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A container in the list of all. image: as it was named when the container was made."""

    id: str
    name: str
    image: str


def parse_event(line: str) -> ContainerEvent | None:
    """Return the event in a line of FOLLOW, None for a line that is none: the warnings of Docker's command come there too."""
    action, _, rest = line.strip().partition(" ")
    container_id, _, signal = rest.partition(" ")
    return ContainerEvent(action=action, id=container_id, signal=signal) if action in EVENTS and container_id else None


def list_containers(host: Host) -> tuple[Listed, ...]:
    """Return all containers but those of runs, also those that do not run. Raises CommandError and PeerError.

    `docker ps` tells the image, but only its id once a newer one took the name: after each pull.
    """
    ids = host.run(["docker", "ps", "--all", "--quiet", "--no-trunc"], timeout_s=_INSPECT_TIMEOUT_S).stdout.split()
    if not ids:
        return ()
    done = host.run(["docker", "container", "inspect", _LIST_FORMAT, "--", *ids], timeout_s=_INSPECT_TIMEOUT_S, check=False)
    # One that was removed in between is no fault: the others are told all the same.
    if done.code != 0 and not _is_absent(done.stderr):
        raise CommandFailed(f"docker container inspect: exit code {done.code}: {done.stderr.strip()}")
    return tuple(listed for line in done.stdout.splitlines() if line.strip() and (listed := _parse_listed(line)) is not None)


def _parse_listed(line: str) -> Listed | None:
    try:
        container_id, name, image, lease = json.loads(line)
        return None if lease else Listed(id=str(container_id), name=str(name).removeprefix("/"), image=str(image))
    except (TypeError, ValueError, RecursionError) as error:
        raise PeerError(f"docker container inspect: {error}") from error


def inspect(host: Host, name: str) -> dict[str, Any] | None:
    """Return `docker inspect` of a container, or None when there is none. Raises CommandError and PeerError."""
    try:
        done = host.run(["docker", "container", "inspect", "--", name], timeout_s=_INSPECT_TIMEOUT_S)
    except CommandFailed as error:
        if _is_absent(str(error)):
            return None
        raise
    try:
        (found,) = json.loads(done.stdout)
        return dict(found)
    except (TypeError, ValueError, RecursionError) as error:
        raise PeerError(f"docker container inspect {name}: {error}") from error


def _is_absent(error: str) -> bool:
    # The whole words: without a socket Docker says "no such file or directory", and that is no word on the container.
    return "no such container" in error.lower()


def parse_inspect(name: str, found: dict[str, Any] | None, *, seen_s: float) -> FoundContainer:
    """Return the state of the container, with its end judged by the exit code alone. name: of one that is not there.

    Raises PeerError.
    """
    if found is None:
        return FoundContainer(name=name, seen_s=seen_s)
    try:
        state = found["State"]
        environment = dict(line.partition("=")[::2] for line in found["Config"].get("Env") or ())
        exit_code = int(state["ExitCode"])
        return FoundContainer(
            name=str(found["Name"]).removeprefix("/"),
            id=str(found["Id"]),
            status=str(state["Status"]),
            image=str(found["Config"]["Image"]),
            exit_code=exit_code,
            stopped_on_purpose=not state["Running"] and exit_code in _ASKED_EXIT_CODES and not state.get("OOMKilled", False),
            started=_parse_time(str(state.get("StartedAt", ""))),
            seen_s=seen_s,
            uid=_number(environment, "PLEX_UID", "PUID"),
            gid=_number(environment, "PLEX_GID", "PGID"),
            mounts=tuple(_parse_mounts(found.get("Mounts") or ())),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PeerError(f"docker container inspect {name}: not what was expected: {error!r}") from error


def _parse_mounts(mounts: Iterable[dict[str, Any]]) -> Iterable[Mount]:
    return (Mount(source=str(m["Source"]), destination=str(m["Destination"])) for m in mounts if m.get("Source"))


def _parse_time(text: str) -> datetime | None:
    """Docker writes the year 1 for "never"."""
    if not text or text.startswith("0001-"):
        return None
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"time {text} has no zone")
    return time


def _number(environment: dict[str, str], *names: str) -> int:
    return next((int(environment[name]) for name in names if environment.get(name, "").isdigit()), -1)
