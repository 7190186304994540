"""Docker's word on one container, parsed to what the others need and nothing more (its environment may hold secrets)."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from plexguard.core.errors import PeerError
from plexguard.core.found import FoundContainer, Mount
from plexguard.core.host import CommandFailed, Host

_INSPECT_TIMEOUT_S = 15.0
# Exit codes of an end that was asked for: by itself, SIGKILL, SIGTERM. Without an event that tells, these are no crash.
_ASKED_EXIT_CODES = (0, 128 + 9, 128 + 15)
# Health checks run every few seconds and raise events of their own: only these are followed.
# The action, and for "kill" the number of the signal.
EVENT_FORMAT = '--format={{.Action}} {{index .Actor.Attributes "signal"}}'
EVENTS = ("create", "start", "restart", "die", "stop", "kill", "oom", "pause", "unpause", "destroy", "rename")


def inspect(host: Host, name: str) -> dict[str, Any] | None:
    """Return `docker inspect` of a container, or None when there is none. Raises CommandError and PeerError."""
    try:
        done = host.run(["docker", "container", "inspect", "--", name], timeout_s=_INSPECT_TIMEOUT_S)
    except CommandFailed as error:
        # The whole words: without a socket Docker says "no such file or directory", and that is no word on the container.
        if "no such container" in str(error).lower():
            return None
        raise
    try:
        (found,) = json.loads(done.stdout)
        return dict(found)
    except (TypeError, ValueError, RecursionError) as error:
        raise PeerError(f"docker container inspect {name}: {error}") from error


def parse_inspect(name: str, found: dict[str, Any] | None, *, stop_seen: bool, seen_s: float) -> FoundContainer:
    """Return the state of the container. stop_seen: an event told that it was stopped. Raises PeerError."""
    if found is None:
        return FoundContainer(name=name, seen_s=seen_s)
    try:
        state = found["State"]
        environment = dict(line.partition("=")[::2] for line in found["Config"].get("Env") or ())
        exit_code = int(state["ExitCode"])
        return FoundContainer(
            name=name,
            id=str(found["Id"]),
            status=str(state["Status"]),
            image=str(found["Config"]["Image"]),
            exit_code=exit_code,
            stopped_on_purpose=not state["Running"]
            and (stop_seen or (exit_code in _ASKED_EXIT_CODES and not state.get("OOMKilled", False))),
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
