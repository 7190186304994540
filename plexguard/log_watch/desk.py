"""From a complaint to what came of it: turn its number into paths, hand the paths to the audit, tell the outcome once."""

from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from plexguard.core.errors import PeerError, TryAgain, Unavailable
from plexguard.core.events import FilePath, show_path
from plexguard.core.guarded import NONE_GUARDED, Guarded
from plexguard.core.mounts import MountPoint, mount_of
from plexguard.core.perms_request import Answer, Verdict
from plexguard.core.program import Ports
from plexguard.log_watch import events
from plexguard.log_watch.decide import GIVE_UP_S, Agenda, Case, judge_path, make_case, postpone
from plexguard.log_watch.observe import Sources
from plexguard.log_watch.outages import Outages
from plexguard.log_watch.patterns import Complaint, Subject

# What is done at once, so that a cycle ends.
_MAX_LOOKUPS = 32
_ASKING_S = 5.0
_ANSWER_TIMEOUT_S = 15.0
_LONGEST_SILENCE_S = 60.0
# Long enough to count a storm before it is told.
_COUNT_S = 10.0
_HINT_S = 5.0
_DATABASE = "database"


class Library(Protocol):
    """Plex's database, open for as long as the context lasts. Raises Unavailable."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def find_files(self, subject: Subject) -> tuple[str, ...]: ...


class Desk:
    """ask: the audit, with a limit in seconds; raises what perms_request.ask does. hint: tells who proves a mount, by its name, to
    look at once. It is told by `look_around` where things are just now."""

    def __init__(
        self,
        agenda: Agenda,
        ports: Ports,
        outages: Outages,
        *,
        ask: Callable[[str, float], Answer],
        hint: Callable[[str], None],
        open_library: Callable[[Path], Library],
    ) -> None:
        self.agenda = agenda
        self.last = ""
        self._ports = ports
        self._outages = outages
        self._ask = ask
        self._hint = hint
        self._open_library = open_library
        self._sources = Sources()
        self._mounts: tuple[MountPoint, ...] = ()
        self._guarded = NONE_GUARDED
        self._hinted_s: dict[str, float] = {}
        self._silent_since_s: float | None = None
        self._silence_s = 0.0
        self._ask_again_s = 0.0
        self._lost_since_s: float | None = None
        self._tell_lost_s = 0.0

    def look_around(self, sources: Sources, mounts: Iterable[MountPoint], guarded: Guarded) -> None:
        """Take notice of where Plex's things are. mounts: of this machine, as text; no file system is asked."""
        self._sources, self._mounts, self._guarded = sources, tuple(mounts), guarded

    # -- what comes in ------------------------------------------------------------------------------------------------

    def take(self, complaint: Complaint) -> bool:
        """Take a complaint that is new, and return whether it was."""
        if complaint.path:
            return self._take_path(complaint, complaint.path)
        return self.agenda.take(make_case(complaint, "", self._now()), self._now())

    def _take_path(self, complaint: Complaint, inside: str) -> bool:
        """Take a path as Plex names it."""
        path = self._sources.host_path(inside)
        why = judge_path(inside) or ("no mount of Plex's container leads there" if path is None else judge_path(path))
        fault = complaint.mount_fault or self._find_mount_fault(path, complaint)
        if fault and not judge_path(inside):
            return self._take_dead_mount(path or inside, fault)
        if path is not None and not why:
            return self.agenda.take(make_case(complaint, path, self._now()), self._now())
        shown = show_path(inside[:200])
        if not self._may_tell_first(f"none {shown}"):
            return False
        self._ports.journal.send(events.UNSETTLED, what=shown, pattern=complaint.pattern, reason=why)
        return True

    def _find_mount_fault(self, path: str | None, complaint: Complaint) -> str:
        """Return what Plex complains of on a mount that is not proven: bare or covered it refuses as a closed folder does."""
        if path is None or self._guarded.find_unproven(self._sources.found.follow(path)) is None:
            return ""
        return "Permission denied" if complaint.is_strong else complaint.pattern

    def _take_dead_mount(self, path: str, fault: str) -> bool:
        """A scan says the same of every file on the mount: it is told once for all of them."""
        guarded = self._guarded.find(self._sources.found.follow(path))
        if guarded:
            self._give_hint(guarded)
        if not self._may_tell_first(f"mount {guarded or mount_of(path, self._mounts).path}"):
            return False
        self._ports.journal.send(events.MOUNT_DEAD, path=FilePath(path), fault=fault)
        return True

    def _give_hint(self, mount_point: str) -> None:
        if self._now() - self._hinted_s.get(mount_point, -_HINT_S) < _HINT_S:
            return
        self._hinted_s[mount_point] = self._now()
        for name in self._guarded.names_of(mount_point):
            self._hint(name)

    def _may_tell_first(self, key: str) -> bool:
        """Tell whether something is new and may be told. Only that is remembered: junk must not push out what was settled."""
        may_tell = self.agenda.is_new(key, self._now()) and self.agenda.may_tell(self._now())
        if may_tell:
            self.agenda.remember(key, self._now())
        return may_tell

    # -- what numbers stand for ---------------------------------------------------------------------------------------

    def look_up(self) -> bool:
        """Turn numbers into paths. Return whether there was anything to look up."""
        if self.agenda.next(self._now(), with_path=False) is None:
            return False
        source = f"Plex's database {show_path(str(self._sources.database))}"
        try:
            if self._sources.database_fault:
                raise Unavailable(self._sources.database_fault)
            self._look_up_some()
        except Unavailable as error:
            self._outages.begin(_DATABASE, source, str(error))
            self._put_off_lookups(str(error))
        else:
            self._outages.end(_DATABASE, source)
        return True

    def _look_up_some(self) -> None:
        with self._open_library(self._sources.database) as library:
            for _ in range(_MAX_LOOKUPS):
                case = self.agenda.next(self._now(), with_path=False)
                if case is None:
                    return
                # None for a number that the database does not know: a player's link to what is long gone.
                files = library.find_files(case.subject)
                self.agenda.replace(case, None)
                for file in files:
                    self._take_path(Complaint(pattern=case.pattern, is_strong=case.is_strong), file)

    def _put_off_lookups(self, reason: str) -> None:
        now_s = self._now()
        for case in self.agenda.waiting:
            if not case.path and case.due_s <= now_s:
                self._put_off(case, postpone(case, None, now_s), reason)

    # -- what the audit says ------------------------------------------------------------------------------------------

    def hand_on(self) -> bool:
        """Ask the audit about the paths whose turn it is, for a few seconds. Return whether it was asked."""
        asked = False
        until_s = self._now() + _ASKING_S
        while self._ask_again_s <= self._now() < until_s:
            case = self.agenda.next(self._now(), with_path=True)
            if case is None:
                break
            asked = True
            try:
                answer = self._ask(case.path, _ANSWER_TIMEOUT_S)
            except Unavailable as error:
                self._hear_nothing(case, error)
                # Nobody is there, so there is no use in asking about the next one, and this one was not tried.
                self._silence_s = min(_LONGEST_SILENCE_S, self._silence_s * 2 or 1.0)
                self._ask_again_s = self._now() + self._silence_s
                is_over = self._now() - case.since_s > GIVE_UP_S
                self._put_off(case, None if is_over else case, str(error))
            except (TryAgain, PeerError) as error:
                self._hear_nothing(case, error)
                self._put_off(case, postpone(case, None, self._now()), str(error))
            else:
                self._settle(case, answer)
                self._hear_again()
        return asked

    def _settle(self, case: Case, answer: Answer) -> None:
        self.last = f"{show_path(case.path)}: {answer.verdict.value}"
        if answer.verdict in (Verdict.LATER, Verdict.OUTSIDE, Verdict.UNKNOWN):
            later = postpone(case, answer, self._now()) if answer.verdict is Verdict.LATER else None
            self._put_off(case, later, answer.detail or f"the audit answered {answer.verdict.value}")
            return
        self.agenda.replace(case, None)
        if self.agenda.may_tell(self._now()):
            detail = f" ({answer.detail})" if answer.detail else ""
            self._ports.journal.send(
                events.COMPLAINT, path=FilePath(case.path), pattern=case.pattern, verdict=answer.verdict.value, detail=detail
            )

    def _hear_nothing(self, case: Case, error: Unavailable | TryAgain | PeerError) -> None:
        if self._silent_since_s is None:
            self._silent_since_s = self._now()
            self._ports.journal.send(events.AUDIT_LOST, path=FilePath(case.path), reason=str(error))

    def _hear_again(self) -> None:
        self._silence_s = 0.0
        if self._silent_since_s is not None:
            downtime_s, self._silent_since_s = self._now() - self._silent_since_s, None
            self._ports.journal.send(events.AUDIT_FOUND, downtime_s=downtime_s, waiting=len(self.agenda.waiting))

    # -- what is told -------------------------------------------------------------------------------------------------

    def _put_off(self, case: Case, later: Case | None, reason: str) -> None:
        self.agenda.replace(case, later)
        if later is None:
            self._tell_unsettled(show_path(case.key), case.pattern, reason)

    def _tell_unsettled(self, what: str, pattern: str, reason: str) -> None:
        if self.agenda.may_tell(self._now()):
            self._ports.journal.send(events.UNSETTLED, what=what, pattern=pattern, reason=reason)

    def tell_lost(self) -> None:
        """Tell how many complaints were left out, once for a storm."""
        if not self.agenda.lost:
            return
        if self._lost_since_s is None:
            self._lost_since_s = self._now()
        if self._now() - self._lost_since_s >= _COUNT_S and self._now() >= self._tell_lost_s:
            reason = "more came than can wait, or be told, in so short a time"
            self._ports.journal.send(events.OVERFLOW, count=self.agenda.lost, reason=reason)
            self.agenda.lost, self._lost_since_s = 0, None
            self._tell_lost_s = self._now() + self.agenda.repeat_s

    def _now(self) -> float:
        return self._ports.clock.monotonic_s()
