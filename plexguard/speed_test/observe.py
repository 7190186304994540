"""What the speed test looks at before it takes the line: is there a command, an update, a viewer, a network?"""

import enum
import shutil
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from plexguard.core.clock import Moment
from plexguard.core.endpoints import Endpoint
from plexguard.core.found import FoundContainer, FoundPlex, Server
from plexguard.core.plex import Plex, Session
from plexguard.core.updates import find_update
from plexguard.core.viewers import Paused, ask_viewers
from plexguard.speed_test.config import Config

# A question to Plex, which may be busy but has nobody waiting for us.
_SESSIONS_TIMEOUT_S = 10.0
_CONNECT_TIMEOUT_S = 3.0
# From a timer's firing to here: the start of an interpreter on a machine that is busy.
_JUST_NOW_S = 30.0
Connect = Callable[[Endpoint], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """command: where it lies, "" when there is none. update: what shows that one is at work. viewers: who watches, None when
    that cannot be told, with the reason in unknown. no_network: what every endpoint said, "" when one took a connection."""

    command: str
    update: str = ""
    viewers: tuple[Session, ...] | None = ()
    unknown: str = ""
    no_network: str = ""


class Starter(enum.Enum):
    """Who started this."""

    TIMER = "the timer"
    UNIT = "systemctl start"
    PERSON = "a person, who reads what is printed"


def find_starter(environment: Mapping[str, str], now_s: float, *, by_hand: bool) -> Starter:
    """Return who started this. now_s: on CLOCK_MONOTONIC. by_hand: it is no unit that runs.

    The manager sets TRIGGER_UNIT= and its kin (systemd.exec(5)), and goes on doing so at later starts by hand, as long as
    the timer is loaded (seen with 252 and 257): it was the timer only if that was just now.
    """
    fired = environment.get("TRIGGER_TIMER_MONOTONIC_USEC", "")
    is_number = fired.isascii() and fired.isdigit()
    if is_number and environment.get("TRIGGER_UNIT", "").endswith(".timer") and now_s - int(fired) / 1e6 < _JUST_NOW_S:
        return Starter.TIMER
    return Starter.PERSON if by_hand else Starter.UNIT


def find_command(command: Sequence[str]) -> str:
    """Return where a command lies, "" when there is none that may be run."""
    return shutil.which(command[0]) or ""


def try_endpoint(endpoint: Endpoint) -> str:
    """Return why an endpoint took no connection, "" when it did."""
    try:
        socket.create_connection((endpoint.address, endpoint.port), timeout=_CONNECT_TIMEOUT_S).close()
    except OSError as error:
        return f"{endpoint}: {error.strerror or error}"
    return ""


def find_outage(endpoints: Sequence[Endpoint], connect: Connect) -> str:
    """Return why there is no network, "" when one endpoint took a connection, or when there is none to ask."""
    reasons = []
    for endpoint in endpoints:
        reason = connect(endpoint)
        if not reason:
            return ""
        reasons.append(reason)
    return "; ".join(reasons)


def observe(
    config: Config,
    found: FoundPlex | None,
    *,
    open_plex: Callable[[FoundPlex], Plex],
    container: FoundContainer | None,
    paused: Paused,
    paused_limit: timedelta,
    now: Moment,
    has_token: bool,
    connect: Connect = try_endpoint,
    find: Callable[[Sequence[str]], str] = find_command,
    look_for_update: Callable[[FoundContainer | None], str] = find_update,
) -> Observation:
    """Look at everything, what is in this house first: nobody outside is asked when the test is put off anyway."""
    command = find(config.command)
    if not command:
        return Observation(command="")
    if update := look_for_update(container):
        return Observation(command=command, update=update)
    viewers, unknown = _ask_viewers(found, open_plex, paused, paused_limit=paused_limit, now=now, has_token=has_token)
    if viewers is None or viewers:
        return Observation(command=command, viewers=viewers, unknown=unknown)
    return Observation(command=command, no_network=find_outage(config.endpoints, connect))


def _ask_viewers(
    found: FoundPlex | None,
    open_plex: Callable[[FoundPlex], Plex],
    paused: Paused,
    *,
    paused_limit: timedelta,
    now: Moment,
    has_token: bool,
) -> tuple[tuple[Session, ...] | None, str]:
    if found is None:
        return None, "plexguard-discover has not run yet"
    if found.server is Server.NONE:
        return None, found.missing
    viewers = ask_viewers(open_plex(found), paused, now, limit=paused_limit, timeout_s=_SESSIONS_TIMEOUT_S)
    if viewers is not None:
        return viewers, ""
    return None, "Plex does not answer that" + ("" if has_token else " without its token, and none is known")
