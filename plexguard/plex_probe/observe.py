"""What the probe sees in one check: looks at Plex, and where they failed, what runs it and what it is doing."""

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from plexguard.core.clock import Clock
from plexguard.core.found import DEFAULT_URL, FoundContainer, FoundPlex, Server
from plexguard.core.listeners import count_connections
from plexguard.core.manager import Manager
from plexguard.core.plex import Plex
from plexguard.core.plex_http import HttpPlex
from plexguard.core.viewers import Paused, note_paused, pick_viewers
from plexguard.plex_probe.config import Config
from plexguard.plex_probe.look import Answer, Level, Look, take_look
from plexguard.plex_probe.progress import Marks, mark_progress
from plexguard.plex_probe.server import SeenServer, ServerState, observe_server

if TYPE_CHECKING:  # what a check of a Plex that is well does not need
    from plexguard.core.guarded import Unproven

RESTART_UNIT = "plexguard-plex-restart.service"
# A Plex that answers 503 without a word of maintenance, to so many at once, has a deadlock: no more than that is known of it.
_DEADLOCK_CONNECTIONS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """looks: in order, the last one decides. server: what runs Plex. processes: Plex processes on this machine, as a line, ""
    when not asked. viewers: players at which somebody watches, None when Plex does not tell; paused: which are, and since when.
    elsewhere: where Plex answers instead of at its configured address, url, "" when it does not. connections: how many are open
    to a Plex that answers with errors. marks: of its log and database at the end. database_moves: it was written to between the
    first look and the last, None when that cannot be told. ask_was_put_off, ask_was_refused: the last run of the restart's unit
    refused, for a reason that passes or for good. mounts: that hold its libraries, are guarded, and not proven."""

    looks: tuple[Look, ...]
    server: SeenServer
    processes: str = ""
    viewers: int | None = None
    paused: Paused = Paused()
    elsewhere: str = ""
    connections: int = 0
    url: str = ""
    marks: Marks = Marks()
    database_moves: bool | None = None
    ask_was_put_off: bool = False
    ask_was_refused: bool = False
    restart_is_masked: bool = False
    mounts: "tuple[Unproven, ...]" = ()

    @property
    def waits_for(self) -> "Unproven | None":
        """The mount that a silent Plex may be waiting for. A restart would not bring it back; and what reads from it cannot even
        be killed, so that the stop would take until systemd gives up."""
        return None if self.is_deadlocked else next((mount for mount in self.mounts if mount.may_hang), None)

    @property
    def last(self) -> Look:
        return self.looks[-1]

    @property
    def is_deadlocked(self) -> bool:
        return is_deadlocked(self.looks, self.connections)


def is_deadlocked(looks: tuple[Look, ...], connections: int) -> bool:
    """Tell whether it gives everybody an error already at /identity, and they pile up."""
    return connections >= _DEADLOCK_CONNECTIONS and all(
        look.answer is Answer.FAILING and look.level is Level.IDENTITY for look in looks
    )


def describe_processes() -> str:
    from plexguard.core.processes import find_plex  # psutil costs 20 ms that a healthy check saves

    return ", ".join(map(str, find_plex())) or "no Plex process"


def observe(
    plex: Plex,
    found: FoundPlex,
    *,
    manager: Manager,
    container: FoundContainer | None,
    clock: Clock,
    config: Config,
    has_token: bool,
    paused: Paused = Paused(),  # noqa: B008  # frozen
    paused_limit: timedelta,
    describe: Callable[[], str] = describe_processes,
    open_local: Callable[[], Plex] = lambda: HttpPlex(DEFAULT_URL, None),
    was_ours: Callable[[], bool] = lambda: False,
    find_mounts: "Callable[[], tuple[Unproven, ...]]" = tuple,
    whole: bool = False,
) -> Observation:
    """Look until something is certain: one look that speaks for itself, or as many failures in a row as configured.

    What runs Plex, and its processes, are only asked about when it did not answer, or when the whole is wanted, as for a
    person who asks why. open_local: Plex as this machine itself sees it, without a token.
    """
    read_media = config.read_media
    looks: tuple[Look, ...] = (
        take_look(plex, clock, timeout_s=config.timeout.total_seconds(), has_token=has_token, read_media=read_media),
    )
    # Only looked at when something is the matter: it costs a process of its own.
    before = Marks() if looks[0].answer.is_conclusive else mark_progress(found.preferences)
    looks = _look_until_certain(looks, plex, clock, config, has_token=has_token)
    last = looks[-1].answer
    sessions, now = looks[-1].sessions, clock.moment()
    if sessions is not None:
        paused = note_paused(sessions, paused, now)
    marks = mark_progress(found.preferences) if last not in (Answer.WELL, Answer.LIMITED) else Marks()
    seen = Observation(
        looks=looks,
        server=SeenServer(state=ServerState.RUNNING),
        viewers=None if sessions is None else len(pick_viewers(sessions, paused, now, limit=paused_limit)),
        paused=paused,
        url=found.url,
        marks=marks,
        database_moves=marks.database_moved(before),
    )
    if last.is_conclusive and not whole:
        return seen
    server = observe_server(found, manager=manager, container=container, clock=clock, config=config, was_ours=was_ours)
    restart = manager.unit(RESTART_UNIT)
    if restart.active_state == "activating":
        server = SeenServer(state=ServerState.RESTARTING, detail=f"{RESTART_UNIT} is at work", update=server.update)
    return dataclasses.replace(
        seen,
        server=server,
        processes=describe(),
        elsewhere="" if last.is_conclusive else find_elsewhere(found, open_local, clock, config),
        connections=count_connections(found.port) if last is Answer.FAILING else 0,
        ask_was_put_off=restart.exit_code == os.EX_TEMPFAIL,
        ask_was_refused=restart.exit_code == os.EX_UNAVAILABLE,
        restart_is_masked=restart.load_state == "masked",
        mounts=find_mounts(),
    )


def _look_until_certain(looks: tuple[Look, ...], plex: Plex, clock: Clock, config: Config, *, has_token: bool) -> tuple[Look, ...]:
    while not looks[-1].answer.is_conclusive and len(looks) < config.looks:
        clock.sleep(config.pause.total_seconds())
        look = take_look(plex, clock, timeout_s=config.timeout.total_seconds(), has_token=has_token, read_media=config.read_media)
        looks = (*looks, look)
    return looks


def find_elsewhere(found: FoundPlex, open_local: Callable[[], Plex], clock: Clock, config: Config) -> str:
    """Return the local address where a Plex of this machine answers though it does not at the one that is configured.

    That one may be a proxy's, or lead out and in again: its fault is no reason to restart Plex.
    """
    if found.server not in (Server.UNIT, Server.CONTAINER) or found.url in ("", DEFAULT_URL):
        return ""
    look = take_look(open_local(), clock, timeout_s=config.timeout.total_seconds(), has_token=False)
    return DEFAULT_URL if look.answer.is_conclusive else ""
