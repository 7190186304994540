"""Take a request from the socket, look into it in a process that can be given up, and answer."""

import contextlib
import os
import pwd
import socket
import struct
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from plexguard.core.child import in_child
from plexguard.core.clock import Clock, Moment
from plexguard.core.daemon import StopAsked
from plexguard.core.errors import DataError, PlexguardError, TryAgain
from plexguard.core.events import FilePath
from plexguard.core.guarded import NONE_GUARDED, Guarded
from plexguard.core.journal import Journal
from plexguard.core.mounts import is_below
from plexguard.core.perms_request import MAX_PACKET_BYTES, Answer, Verdict, parse_request, to_packet
from plexguard.core.program import Ports
from plexguard.core.state import RUNTIME_ROOT
from plexguard.core.unreadable import FILE, FLAG, open_record
from plexguard.perms_audit import events, unhealthy
from plexguard.perms_audit.access import Guise
from plexguard.perms_audit.config import Config
from plexguard.perms_audit.mend import Mender
from plexguard.perms_audit.observe import Survey, survey
from plexguard.perms_audit.prove import Place, Prover, find_place
from plexguard.perms_audit.request.decide import Limiter
from plexguard.perms_audit.runs import Lately, RunLog
from plexguard.perms_audit.state import State, open_state

# Who may ask, beside root.
PEER = "plexguard"
_PEER_CREDENTIALS = struct.Struct("3i")
# A service that nobody asks ends; the socket starts it again.
_IDLE_S = 120.0
WAIT_S = 20.0
# The service counts as started after its first wait, and whoever starts it waits for that.
_FIRST_WAIT_S = 0.1
# However long stall_timeout is: whoever asked has gone by then, and this with a wait must end well within WatchdogSec=.
LONGEST_LOOK = timedelta(minutes=4)
# A peer sends its packet at once, or not at all.
_PACKET_TIMEOUT_S = 1.0
# The same trouble is told once in so long, however many requests meet it.
_TELL_AGAIN_S = 60.0
_FULL_UNIT = "plexguard-perms-audit-full.service"
NEEDS_AUDIT = "it has several names (hard links), and a full audit was started to find them all"


class Server:
    """Answers one request after the other. folder: where the undo lists are. longest_look: how long a child is waited for."""

    def __init__(
        self,
        listening: socket.socket,
        config: Config,
        ports: Ports,
        *,
        folder: Path,
        runtime: Path = RUNTIME_ROOT,
        longest_look: timedelta = LONGEST_LOOK,
        read_guarded: Callable[[Moment], Guarded] = lambda _now: NONE_GUARDED,
    ) -> None:
        self._socket = listening
        self._config = config
        self._ports = ports
        self._folder = folder
        self._runtime = runtime
        self._look_timeout_s = min(config.stall_timeout, longest_look).total_seconds()
        self._read_guarded = read_guarded
        self._limiter = Limiter(config.repeat_after)
        self._peers = _find_peers()
        self._busy_s = ports.clock.monotonic_s()
        self._told_s: dict[str, float] = {}
        # Until when a root that hung is not asked.
        self._hung_until_s: dict[str, float] = {}
        self._count = 0
        self._wait_s = _FIRST_WAIT_S

    def cycle(self) -> str:
        """Answer a request, or wait a while for one; return how many there were. Ends the service when nobody asks."""
        self._socket.settimeout(self._wait_s)
        self._wait_s = WAIT_S
        try:
            peer, _ = self._socket.accept()
        except TimeoutError:
            if self._ports.clock.monotonic_s() - self._busy_s > _IDLE_S:
                raise StopAsked from None
        else:
            with peer:
                self._answer(peer)
            self._busy_s = self._ports.clock.monotonic_s()
        return f"{self._count} requests answered"

    def _answer(self, peer: socket.socket) -> None:
        uid = _peer_uid(peer)
        if uid not in self._peers:
            self._tell_refused(uid, "this user may not ask")
            return
        peer.settimeout(_PACKET_TIMEOUT_S)
        try:
            packet = peer.recv(MAX_PACKET_BYTES + 1)
        except OSError:
            # Who connects and says nothing has asked nothing.
            return
        answer, looked_into = self._attend(packet, uid)
        self._count += 1
        # Who did not wait for the answer needs none.
        with contextlib.suppress(OSError):
            peer.sendall(to_packet(answer))
        # After the answer, which a record that cannot be written must not cost.
        try:
            if looked_into:
                self._keep(looked_into, answer)
        except PlexguardError as error:
            # A disk that is full must not end what repairs.
            if self._is_due("record"):
                self._ports.journal.send(events.NOT_RECORDED, path=FilePath(looked_into), reason=str(error))

    def _attend(self, packet: bytes, uid: int) -> tuple[Answer, str]:
        """Return the answer, and the path if it was looked into."""
        try:
            path = parse_request(packet).path
        except DataError as error:
            self._tell_refused(uid, "it is no request")
            return Answer(verdict=Verdict.OUTSIDE, detail=str(error)), ""
        journal = self._ports.journal
        try:
            past = open_state(self._folder, journal).load() or State()
            guarded = self._read_guarded(self._ports.clock.moment())
            known = survey(
                (), self._config, environment=os.environ, journal=journal, past=past, folder=self._runtime, guarded=guarded
            )
        except PlexguardError as error:
            return Answer(verdict=Verdict.UNKNOWN, detail=str(error)), ""
        path = known.resolve(path)
        place = find_place(path, known.policy)
        fault = next((root.fault for root in known.faulty if root.guarded and root.fault and is_below(path, root.path)), None)
        if place is None and fault is not None:
            # A dead mount refuses as a closed folder does; it is no question of modes.
            return Answer(verdict=Verdict.UNKNOWN, detail=fault.value), ""
        if place is None:
            self._tell_refused(uid, "the path lies below no root")
            return Answer(verdict=Verdict.OUTSIDE, detail="it lies below no root that can be walked"), ""
        now_s = self._ports.clock.monotonic_s()
        root = known.policy.roots[place.root].path
        if self._hung_until_s.get(root, now_s) > now_s:
            return Answer(verdict=Verdict.UNKNOWN, detail=f"{root} gave no answer a while ago"), ""
        refusal = self._limiter.refuse(path, now_s)
        if refusal is not None:
            return refusal, ""
        answer = self._look_into(place, known)
        self._limiter.note(path, answer.verdict, self._ports.clock.monotonic_s())
        return answer, path

    def _look_into(self, place: Place, known: Survey) -> Answer:
        try:
            answer = in_child(
                lambda: attend(
                    place, known, self._config, folder=self._folder, journal=self._ports.journal, clock=self._ports.clock
                ),
                timeout_s=self._look_timeout_s,
            )
            if answer.detail == NEEDS_AUDIT:
                self._ports.manager.start(_FULL_UNIT)
            return answer
        except TryAgain as error:
            # One mount that hangs must not make all others wait: the next paths on it are answered at once.
            until_s = self._ports.clock.monotonic_s() + self._config.repeat_after.total_seconds()
            self._hung_until_s[known.policy.roots[place.root].path] = until_s
            return Answer(verdict=Verdict.UNKNOWN, detail=str(error))
        except FileNotFoundError:
            return Answer(verdict=Verdict.MISSING, detail="there is no such file")
        except OSError as error:
            # "Socket not connected" and its like: a dead mount, never a question of modes.
            return Answer(verdict=Verdict.UNKNOWN, detail=error.strerror or str(error))
        except PlexguardError as error:
            return Answer(verdict=Verdict.UNKNOWN, detail=str(error))

    def _keep(self, path: str, answer: Answer) -> None:
        journal, clock = self._ports.journal, self._ports.clock
        file, public = open_record(journal, self._folder / FILE.name), self._runtime / FLAG.relative_to(RUNTIME_ROOT)
        if answer.verdict is Verdict.UNREADABLE:
            unhealthy.flag(path, answer.detail, journal=journal, clock=clock, file=file, public=public)
        elif answer.verdict in (Verdict.READABLE, Verdict.REPAIRED):
            unhealthy.clear(path, "readable again", journal=journal, clock=clock, file=file, public=public)

    def _tell_refused(self, uid: int, reason: str) -> None:
        if self._is_due(reason):
            self._ports.journal.send(events.REFUSED, uid=uid, reason=reason)

    def _is_due(self, trouble: str) -> bool:
        """Tell whether a trouble, which may come with every request, is to be told now; if so, it counts as told."""
        now_s = self._ports.clock.monotonic_s()
        if now_s - self._told_s.get(trouble, -_TELL_AGAIN_S) < _TELL_AGAIN_S:
            return False
        self._told_s[trouble] = now_s
        return True


def attend(place: Place, known: Survey, config: Config, *, folder: Path, journal: Journal, clock: Clock) -> Answer:
    """Look at a path as Plex; repair it and the folders above it if that fails; prove it. Raises OSError when nobody can tell.

    The first look is the dry run: a path that Plex can read, whatever a log says, is touched no further.
    """
    guise = Guise(known.policy.identity)
    guise.prepare()
    prover = Prover(known.policy, guise)
    if not prover.why_unreadable(place):
        return Answer(verdict=Verdict.READABLE)
    names = place.path.split("/") if place.path else []
    chain = [Place(place.root, "/".join(names[:number])) for number in range(len(names) + 1)]
    lately = Lately(folder / "runs", clock, within=config.repeat_after)
    wanted: list[str] = []
    with contextlib.closing(RunLog(folder / "runs", "request", clock)) as runs:
        mender = Mender(
            known.policy,
            guise,
            runs=runs,
            journal=journal,
            clock=clock,
            lately=lately,
            dry_run=config.dry_run,
            ask_audit=wanted.append,
        )
        mender.check(chain)
        mender.flush(last=True)
    reason = prover.why_unreadable(place)
    if reason and wanted:
        return Answer(verdict=Verdict.UNKNOWN, detail=NEEDS_AUDIT)
    return Answer(verdict=Verdict.UNREADABLE, detail=reason) if reason else Answer(verdict=Verdict.REPAIRED)


def _find_peers() -> frozenset[int]:
    try:
        return frozenset({0, pwd.getpwnam(PEER).pw_uid})
    except KeyError:
        return frozenset({0})


def _peer_uid(peer: socket.socket) -> int:
    """Return the user who connected, as the kernel noted it (unix(7), SO_PEERCRED)."""
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
    return int(_PEER_CREDENTIALS.unpack(credentials)[1])
