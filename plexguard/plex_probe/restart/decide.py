"""Whether to restart Plex, and how: asked at the moment of acting, with a budget that the watcher cannot touch. Pure."""

import dataclasses
from dataclasses import dataclass

from plexguard.core.clock import Moment
from plexguard.core.found import FoundPlex, Server
from plexguard.core.guarded import Unproven
from plexguard.core.published import RestartsSeen
from plexguard.plex_probe.config import Config
from plexguard.plex_probe.decide import State
from plexguard.plex_probe.look import Answer, Level, Look
from plexguard.plex_probe.observe import is_deadlocked
from plexguard.plex_probe.server import SeenServer, ServerState
from plexguard.plex_probe.states import Verdict

DAY_S = 86_400.0
# Restarts that follow each other closer than this belong to one incident: the root side does not know what the probe knows.
INCIDENT_GAP_S = 3_600.0
# The probe writes each 30 s; what is older says nothing of now.
_TOLD_FRESH_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget(RestartsSeen):
    """The restarts on disk, for others and for itself. unfinished: when one was begun that has not seen Plex answer."""

    unfinished: Moment | None = None

    def in_day(self, now: Moment) -> int:
        return sum(now.seconds_since(moment) < DAY_S for moment in self.restarts)

    def in_incident(self, now: Moment) -> int:
        """Count restarts backwards from now for as long as each is close to the next."""
        number, later = 0, now
        for moment in reversed(self.restarts):
            if later.seconds_since(moment) >= INCIDENT_GAP_S:
                break
            number, later = number + 1, moment
        return number

    def was_ours(self, now: Moment) -> bool:
        """Tell whether a Plex that is stopped now was stopped by a restart of ours."""
        return self.unfinished is not None and now.seconds_since(self.unfinished) < INCIDENT_GAP_S

    def has_told(self, refusal: "Refuse", now: Moment) -> bool:
        """Tell whether a refusal is old news: who may ask may ask each minute, for hours, and each hour what was refused for
        good."""
        limit_s = INCIDENT_GAP_S if refusal.passing else 2 * INCIDENT_GAP_S
        return refusal.reason == self.refused and self.refused_at is not None and now.seconds_since(self.refused_at) < limit_s

    def note_refusal(self, refusal: "Refuse", now: Moment) -> "Budget":
        """Return the budget after a refusal: one for good that comes again and again is told once, one that passes each hour."""
        if refusal.passing and self.has_told(refusal, now):
            return self
        return dataclasses.replace(self, refused=refusal.reason, refused_at=now)

    def spend(self, now: Moment) -> "Budget":
        kept = tuple(moment for moment in self.restarts if now.seconds_since(moment) < 2 * DAY_S)
        return Budget(restarts=(*kept[-100:], now))


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartObservation:
    """What the root side sees: one look of its own, and the state of the server.

    elsewhere, connections: as the probe sees them. is_writing: its database was written to during the look. unreadable: for how
    many media that Plex cannot read the audit asked for a restart just now. is_in_use: somebody watches, or Plex is at work, None
    when it does not tell or was not asked. mounts: that hold its libraries, are guarded, and not proven.
    """

    found: FoundPlex
    look: Look
    server: SeenServer
    elsewhere: str = ""
    connections: int = 0
    is_writing: bool = False
    unreadable: int = 0
    is_in_use: bool | None = None
    mounts: tuple[Unproven, ...] = ()

    @property
    def is_for_media(self) -> bool:
        """Whether Plex answers, and is to be restarted for what it cannot read."""
        return self.unreadable > 0 and self.look.answer in (Answer.WELL, Answer.LIMITED)

    @property
    def is_hung(self) -> bool:
        """Whether it serves nobody though it runs: it is silent, or has nothing but errors for a great many."""
        return self.look.answer is Answer.SILENT or is_deadlocked((self.look,), self.connections)

    @property
    def waits_for(self) -> Unproven | None:
        """The mount that it may be waiting for: what reads from that cannot be killed, and a restart does not bring it back."""
        if is_deadlocked((self.look,), self.connections) or not (self.is_hung or self.is_stuck):
            return None
        return next((mount for mount in self.mounts if mount.may_hang), None)

    @property
    def is_stuck(self) -> bool:
        """Whether its database answers nobody, while it still tells who watches."""
        return self.look.answer is Answer.DATABASE_SILENT and self.look.level is Level.DATABASE


@dataclass(frozen=True, slots=True)
class Refuse:
    """passing: it may be right later, so the ask does not count."""

    reason: str
    passing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """stop_timeout_s: how long it may take to stop by itself. budget: to be saved before anything is done."""

    server: Server
    name: str
    reason: str
    stop_timeout_s: float
    start_timeout_s: float
    budget: Budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the probe has published, which is believed where it speaks against a restart. in_maintenance: just now. silent_s: for
    how long Plex has been silent, 0 when it is not known. has_answered: Plex has, at this address."""

    in_maintenance: bool = False
    silent_s: float = 0.0
    has_answered: bool = True


def read_told(state: State | None, found: FoundPlex, now: Moment) -> Told:
    """Return what speaks against a restart in the probe's state, which may be old or missing."""
    if state is None or state.checked is None:
        return Told(has_answered=False)
    is_fresh = now.seconds_since(state.checked) < _TOLD_FRESH_S
    silent_s = now.seconds_since(state.silent_since) if is_fresh and state.silent_since is not None else 0.0
    in_maintenance = is_fresh and state.verdict is Verdict.MAINTENANCE
    return Told(in_maintenance=in_maintenance, silent_s=silent_s, has_answered=state.answered == found.url)


def decide(seen: RestartObservation, config: Config, budget: Budget, told: Told, now: Moment) -> Refuse | Restart:
    """Return the restart, or why there is none. When in doubt there is none."""
    # The end of an update that was left without it is no restart, and costs nothing.
    is_free = seen.server.state is ServerState.LEFT_STOPPED
    refusal = (
        _find_refusal(seen, config)
        or _find_doubt(seen, config, told)
        or (None if is_free else _find_spent_budget(config, budget, now))
    )
    if refusal is not None:
        return refusal
    return Restart(
        server=seen.found.server,
        name=seen.found.name,
        reason=_tell_reason(seen),
        stop_timeout_s=(config.stop_timeout_hung if seen.is_hung else config.stop_timeout).total_seconds(),
        start_timeout_s=config.start_timeout.total_seconds(),
        budget=dataclasses.replace(budget if is_free else budget.spend(now), unfinished=now),
    )


def _find_doubt(seen: RestartObservation, config: Config, told: Told) -> Refuse | None:
    """Return why a Plex that runs and does not answer may be at work, or be asked in the wrong place."""
    if seen.server.state is not ServerState.RUNNING or seen.is_for_media:
        return None
    if not told.has_answered:
        return Refuse(f"nothing has ever answered at {seen.found.url}: is Plex's address another?", passing=True)
    if told.in_maintenance:
        return Refuse("it was in maintenance just now", passing=True)
    if seen.is_writing and told.silent_s < config.busy_limit.total_seconds():
        return Refuse("its database is being written to", passing=True)
    return None


def _tell_reason(seen: RestartObservation) -> str:
    if seen.is_for_media:
        return f"{seen.unreadable} media files stay unreadable to it (restart_plex in [perms-audit])"
    return f"{seen.look.answer.value}; {seen.server.detail}"


def _find_refusal(seen: RestartObservation, config: Config) -> Refuse | None:
    if not config.restart:
        return Refuse("restart = false in [plex-probe]", passing=False)
    if seen.found.server not in (Server.UNIT, Server.CONTAINER):
        return Refuse("no Plex on this machine is known that could be restarted", passing=False)
    if seen.is_in_use or (seen.is_in_use is None and (seen.is_for_media or seen.is_stuck)):
        # What certainly hangs for everybody cannot tell who watches, and need not.
        why = "somebody watches or a scan runs" if seen.is_in_use else "it cannot be told whether somebody watches"
        return Refuse(why, passing=True)
    is_gone = seen.server.state in (ServerState.DOWN, ServerState.LEFT_STOPPED) and not seen.look.answer.is_conclusive
    if not (seen.is_for_media or seen.is_hung or seen.is_stuck or is_gone or seen.look.answer is Answer.REFUSED):
        return Refuse(f"it is no outage now: {seen.look.answer.value}", passing=True)
    if seen.waits_for is not None:
        return Refuse(f"it may wait for its mount {seen.waits_for.mount_point}, which is {seen.waits_for.verdict}", passing=True)
    if seen.elsewhere:
        return Refuse(f"Plex answers at {seen.elsewhere}, though not at {seen.found.url}", passing=True)
    if seen.server.update:
        return Refuse(f"an update is at work: {seen.server.update}", passing=True)
    if seen.server.state not in (ServerState.RUNNING, ServerState.DOWN, ServerState.LEFT_STOPPED):
        return Refuse(f"{seen.server.detail}: {seen.server.state.value}", passing=True)
    return None


def _find_spent_budget(config: Config, budget: Budget, now: Moment) -> Refuse | None:
    if budget.in_incident(now) >= config.max_restarts_per_incident:
        return Refuse(
            f"{config.max_restarts_per_incident} restarts in this outage are spent (max_restarts_per_incident)", passing=False
        )
    if budget.in_day(now) >= config.max_restarts_per_day:
        return Refuse(f"{config.max_restarts_per_day} restarts in 24 hours are spent (max_restarts_per_day)", passing=False)
    return None
