"""The fake cloud: its clock, its faults, the way of each request, and the handles tests have on it."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from . import control, life
from .bill import Charge, Leftover, leftovers, meter
from .catalogue import PROJECT, SECRET_KEY
from .context import Context
from .faults import Faults, Misfortune, Mishap
from .listener import Listener, date_of, sleep_while
from .machines import Hook, Machines
from .messages import (
    Answer,
    Dropped,
    Recorded,
    Refusal,
    Request,
    denied_authentication,
    locked,
    not_found,
    out_of_stock,
    permissions_denied,
    precondition_failed,
    quota_exceeded_of_old,
    quotas_exceeded,
    resource_expired,
    server_error,
    too_many_requests,
    transient_state,
)
from .records import Timing, World, load_world, save_world
from .routes import find_endpoint, rights_of

FOR_EVER_S = 10.0**9


class Clock(Protocol):
    def now(self) -> datetime: ...


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class FakeScaleway:
    """The API on a port of this machine, for the length of a `with` block. See the package for how it is driven."""

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        timing: Timing | None = None,
        faults: Faults | None = None,
        state: Path | None = None,
        address: str = "127.0.0.1",
        port: int = 0,
        before: Callable[[int], object] | None = None,
        after: Callable[[int], object] | None = None,
        poweron: Hook | None = None,
        poweroff: Hook | None = None,
        reboot: Hook | None = None,
        terminate: Hook | None = None,
        secret_key: str = SECRET_KEY,
        project: str = PROJECT,
    ) -> None:
        self._clock = clock or RealClock()
        self._timing = timing or Timing()
        self._state = state
        self._place = address, port
        self.before, self.after = before, after
        self.secret_key, self.project = secret_key, project
        hooks = {"poweron": poweron, "poweroff": poweroff, "reboot": reboot, "terminate": terminate}
        self.machines = Machines(hooks, self.now_s)
        self.requests: list[Recorded] = []
        # The numbers of requests that are held now.
        self.held: set[int] = set()
        self._lock = threading.RLock()
        self._misfortune = Misfortune()
        self._recent_s: deque[float] = deque()
        self.world = World()
        if faults is not None:
            self._misfortune.set(faults, self.now_s(), Faults.__slots__)

    def __enter__(self) -> Self:
        self._load()
        self._listener = Listener(*self._place, self)
        self._place = self._listener.server_address[0], self._listener.server_address[1]  # type: ignore[assignment]
        life.resume(self._context())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._listener.end()
        self.machines.wait()

    @property
    def url(self) -> str:
        address, port = self._place
        return f"http://{address}:{port}"

    # Time.

    def now(self) -> datetime:
        return self._clock.now() + timedelta(seconds=self.world.passed_s)

    def now_s(self) -> float:
        return self.now().timestamp()

    def date(self) -> str:
        return date_of(self.now())

    def pass_time(self, seconds: float) -> None:
        """Have time pass, here alone."""
        with self._lock:
            self.world.passed_s += seconds
            self._save()

    # Faults.

    @property
    def faults(self) -> Faults:
        return self._misfortune.faults

    def set(self, **changes: Any) -> None:
        """Change faults; the others stay as they are. Raises FaultError."""
        with self._lock:
            # What was due until now was so under the faults that were.
            self._advance()
            values = {name: getattr(self.faults, name) for name in Faults.__slots__}
            self._misfortune.set(Faults.from_values({**values, **changes}), self.now_s(), changes)

    def heal(self) -> None:
        """Have no faults any more; what is held goes on."""
        with self._lock:
            self._advance()
            self._misfortune.set(Faults(), self.now_s(), Faults.__slots__)

    def power_off_guest(self, server: str) -> None:
        """Type `poweroff` in the guest of a server."""
        with self._lock:
            life.power_off_guest(self._context(), self.world.servers[server])
            self._save()

    # What is there to see.

    def left(self) -> list[Leftover]:
        """Return every server, volume and IP that exists now."""
        with self._lock:
            self._advance()
            return leftovers(self.world)

    def meter(self) -> list[Charge]:
        """Return what each resource cost until now, in EUR without VAT."""
        with self._lock:
            self._advance()
            return meter(self.world, self.now_s())

    def spent_eur(self) -> float:
        return sum(charge.eur for charge in self.meter())

    # The way of a request.

    def answer(self, request: Request, is_alive: Callable[[], bool]) -> Answer:
        """Answer a request. Raises Dropped."""
        if request.path.startswith(control.PREFIX):
            return control.answer(self, request)
        recorded = self._record(request)
        try:
            answer = self._treat(request, recorded, is_alive)
            recorded.status = answer.status
        finally:
            self._keep(recorded)
        return answer

    def _record(self, request: Request) -> Recorded:
        _, _, query = request.target.partition("?")
        with self._lock:
            recorded = Recorded(
                number=self.requests[-1].number + 1 if self.requests else 1,
                at=self.now(),
                method=request.method,
                path=request.path,
                query=query,
                body=request.body.decode("latin-1"),
            )
            self.requests.append(recorded)
        return recorded

    def _treat(self, request: Request, recorded: Recorded, is_alive: Callable[[], bool]) -> Answer:
        if self.before is not None:
            self.before(recorded.number)
        self._hold("hold_before", recorded.number, is_alive)
        mishap: Mishap | None = None
        try:
            self._check_outage()
            with self._lock:
                mishap = self._misfortune.meet(request.method, request.path)
            if mishap is not None:
                befall_before(request, mishap, is_alive)
            answer = self._act(request, recorded, mishap)
        except Refusal as refusal:
            answer = refusal.answer
        sleep_while(is_alive, self.faults.slow_s)
        answer = befall_after(answer, mishap, is_alive)
        if self.after is not None:
            self.after(recorded.number)
        self._hold("hold_after", recorded.number, is_alive)
        return answer

    def _hold(self, switch: str, number: int, is_alive: Callable[[], bool]) -> None:
        """Wait while the switch names this request. Raises Dropped when its client goes meanwhile."""
        if getattr(self.faults, switch) != number:
            return
        self.held.add(number)
        try:
            while getattr(self.faults, switch) == number:
                sleep_while(is_alive, 0.02)
        finally:
            self.held.discard(number)

    def _check_outage(self) -> None:
        """Raise what every request meets that is not looked at."""
        with self._lock:
            is_down, is_too_much = self._misfortune.is_down(self.now_s()), self._is_too_much()
        if is_down and self.faults.down_how == "drop":
            raise Dropped
        if is_down:
            raise server_error(503)
        if is_too_much:
            raise too_many_requests()

    def _is_too_much(self) -> bool:
        if not self.faults.requests_per_s:
            return False
        now_s = self.now_s()
        while self._recent_s and now_s - self._recent_s[0] >= 1.0:
            self._recent_s.popleft()
        self._recent_s.append(now_s)
        return len(self._recent_s) > self.faults.requests_per_s

    def _act(self, request: Request, recorded: Recorded, mishap: Mishap | None) -> Answer:
        """Do what is asked. Raises Refusal."""
        with self._lock:
            recorded.acted = True
            self._advance()
            try:
                self._check_rights(request)
                endpoint, call = find_endpoint(request)
                half_created = mishap.status if mishap and mishap.kind == "half-created" else 0
                return endpoint(self._context(half_created), call)
            finally:
                # A refused one may have left something behind.
                if request.method != "GET":
                    self._save()

    def _check_rights(self, request: Request) -> None:
        token = request.headers.get("x-auth-token", "")
        if self.faults.key_expired:
            raise denied_authentication("expired")
        if not token:
            raise denied_authentication("invalid_argument")
        if token != self.secret_key:
            raise denied_authentication("not_found")
        rights = rights_of(request.path)
        if self.faults.denies(rights, request.method):
            raise permissions_denied("read" if request.method == "GET" else "write", rights)

    def _context(self, half_created: int = 0) -> Context:
        return Context(
            world=self.world,
            now_s=self.now_s(),
            faults=self.faults,
            timing=self._timing,
            machines=self.machines,
            project=self.project,
            half_created=half_created,
        )

    def _advance(self) -> None:
        if life.advance(self._context()):
            self._save()

    # What is kept.

    def _save(self) -> None:
        if self._state is not None:
            save_world(self.world, self._state / "world.json")

    def _keep(self, recorded: Recorded) -> None:
        """Add a request that is over to those on disk."""
        if self._state is not None:
            line = json.dumps(recorded.as_values())
            with self._lock, (self._state / "requests.jsonl").open("a", encoding="utf-8") as file:
                file.write(line + "\n")

    def _load(self) -> None:
        if self._state is None:
            return
        self._state.mkdir(parents=True, exist_ok=True)
        self.world = load_world(self._state / "world.json")
        requests = self._state / "requests.jsonl"
        if requests.exists():
            rows = map(json.loads, requests.read_text(encoding="utf-8").splitlines())
            self.requests = sorted(map(Recorded.from_values, rows), key=lambda row: row.number)


def befall_before(request: Request, mishap: Mishap, is_alive: Callable[[], bool]) -> None:
    """Raise what a mishap does to a request before it takes effect."""
    identity = request.path.rsplit("/", 1)[-1]
    refusals = {
        "too-many": too_many_requests(),
        "error-before": server_error(mishap.status),
        "denied": permissions_denied("read" if request.method == "GET" else "write", rights_of(request.path)),
        "not-found": not_found("instance_server", identity),
        "transient": transient_state("instance_server", identity, "updating"),
        "in-use": precondition_failed("resource_still_in_use", "the resource is still in use"),
        "locked": locked("instance_server", identity),
        "expired": resource_expired("instance_server", identity),
        "out-of-stock": out_of_stock("server"),
        "quota": quotas_exceeded("servers", 0, 0),
        "quota-old": quota_exceeded_of_old("servers"),
    }
    if mishap.kind == "drop-before":
        raise Dropped
    if mishap.kind == "hang-before":
        sleep_while(is_alive, FOR_EVER_S)
    if mishap.kind in refusals:
        raise refusals[mishap.kind]


def befall_after(answer: Answer, mishap: Mishap | None, is_alive: Callable[[], bool]) -> Answer:
    """Return what a client gets to see of an answer after a mishap."""
    kind = mishap.kind if mishap else ""
    if mishap is None or kind == "":
        return answer
    if kind == "drop-after":
        raise Dropped
    if kind == "hang-after":
        sleep_while(is_alive, FOR_EVER_S)
    if kind == "slow":
        sleep_while(is_alive, mishap.delay_s)
    if kind == "error-after":
        return server_error(mishap.status).answer
    if kind == "cut":
        return replace(answer, whole=False)
    if kind == "garbage":
        return Answer(body=b"<html><body>Welcome to the hotel</body></html>", content_type="text/html")
    return answer
