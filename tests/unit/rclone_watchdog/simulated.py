"""A mount, its storage and systemd in simulated time, watched by the real judge, schedule and decision.

What each question meets is a `Way`: an outcome after some seconds, or never. It can be changed while a question is waited for, as
a storage changes under a request.
"""

import dataclasses
from collections.abc import Callable, Collection
from dataclasses import dataclass

from plexguard.core.clock import Moment
from plexguard.core.events import Tell
from plexguard.core.manager import Unit
from plexguard.rclone_watchdog.config import Config, Mount
from plexguard.rclone_watchdog.decide import Hold, Plan, Release, decide, resume, take_up
from plexguard.rclone_watchdog.judging.judge import judge
from plexguard.rclone_watchdog.ladder import Abort, Kill, Start
from plexguard.rclone_watchdog.observe import Answer, Cache, Kernel, Listing, Observation, Outcome, Question
from plexguard.rclone_watchdog.schedule import Past, find_due
from tests.fakes.ports import FakeClock

NEVER = float("inf")
NAME = "films"
UNIT = f"plexguard-rclone@{NAME}.service"
MOUNT = Mount(remote="s3:media", mount_point="/mnt/films")
STORAGE = (Question.CONTROL, Question.DATA, Question.LISTING)
# What needs the storage, whoever asks.
REMOTE = (*STORAGE, Question.DIRECT, Question.THROUGH)
OF_RCLONE = (Question.PROCESS, Question.CACHE, *STORAGE, Question.THROUGH)


@dataclass(frozen=True)
class Way:
    outcome: Outcome = Outcome.GOOD
    after_s: float = 0.02
    detail: str = ""


WELL = Way()
HANGS = Way(after_s=NEVER)


@dataclass
class Waiting:
    asked_s: float
    answer: Answer | None = None


class Simulated:
    """One that is watched. restart_s: how long systemd and rclone take to mount anew; None: they do not manage."""

    def __init__(self, mount: Mount = MOUNT, config: Config | None = None, *, starts_proven: bool = True) -> None:
        self.clock = FakeClock()
        self.mount, self.config = mount, config or Config()
        self.ways: dict[Question, Way] = dict.fromkeys(Question, WELL)
        if not mount.is_ours:
            self.ways = {Question.THROUGH: WELL}
        self.kernel = Kernel(
            is_mounted=True,
            is_expected=True,
            type="fuse.rclone",
            source=mount.remote,
            device="0:40",
            since_s=self.now_s,
            waiting=0,
            rclone_pid=400 if mount.is_ours else 0,
            rclone_state="S" if mount.is_ours else "",
        )
        self.unit = Unit(name=UNIT, load_state="loaded", active_state="active", main_pid=400, started_s=1.0)
        self.entries = 12
        self.cache = self.told_cache = Cache(used_bytes=0, limit_bytes=1 << 30, free_bytes=1 << 40)
        self.transferred: int | None = 0
        self.busy = False
        self.restart_s: float | None = 3.0
        self.reader_is_stuck = False
        self.after: list[tuple[float, Callable[[], None]]] = []
        self.asked: dict[Question, Waiting] = {}
        self.last: dict[Question, Answer] = {}
        self.times: dict[Question, list[float]] = {question: [] for question in Question}
        self.plans: list[tuple[float, Plan]] = []
        self.verdicts: list[tuple[float, str]] = []
        self.state = take_up(None, mount, self.moment())
        self.judged = resume(self.state, self.moment(), self.now_s)
        self.held_s: float | None = None
        if starts_proven:
            self.run_until(lambda: self.state.verdict.is_proven and not self.state.is_held)
            self.forget()

    # -- the world ------------------------------------------------------------------------------------------------------

    @property
    def now_s(self) -> float:
        return self.clock.monotonic_s()

    def forget(self) -> None:
        """Begin to note anew."""
        self.plans.clear()
        self.verdicts = self.verdicts[-1:]
        for times in self.times.values():
            times.clear()

    def set(self, way: Way, *questions: Question) -> None:
        for question in questions:
            self.ways[question] = way

    def kill(self, *, result: str = "signal") -> None:
        """rclone ends, and systemd starts it afresh, if it does."""
        self.set(HANGS, *OF_RCLONE)
        self._drop_waiting()
        self.kernel = dataclasses.replace(self.kernel, rclone_pid=0, rclone_state="", waiting=None)
        will = self.restart_s is not None
        self.unit = dataclasses.replace(
            self.unit, active_state="activating" if will else "failed", result=result, main_pid=0, exit_code=9
        )
        if self.restart_s is not None:
            self.at(self.restart_s, self.mount_anew)

    def _drop_waiting(self) -> None:
        # Who waited gets an error: ENOTCONN through the mount, a connection that ends everywhere else.
        for question in OF_RCLONE:
            if question in self.asked:
                outcome = Outcome.STALE if question is Question.THROUGH else Outcome.FAILED
                self._answer(question, outcome, "connection reset")

    def mount_anew(self) -> None:
        minor, pid = int(self.kernel.device.partition(":")[2] or 40), self.kernel.rclone_pid or 400
        number = max(minor, 40) + 1
        self.kernel = dataclasses.replace(
            self.kernel,
            is_mounted=True,
            is_expected=True,
            type="fuse.rclone",
            source=self.mount.remote,
            device=f"0:{number}",
            since_s=self.now_s,
            rclone_pid=pid + number,
            rclone_state="S",
            waiting=0,
            waiting_since_s=None,
        )
        self.unit = dataclasses.replace(self.unit, active_state="active", result="success", main_pid=pid + number)
        way = dict.fromkeys((*STORAGE, Question.THROUGH), self.ways[Question.DIRECT])
        self.ways |= {Question.PROCESS: WELL, Question.CACHE: WELL, **way}

    def unmount(self) -> None:
        self.kernel = dataclasses.replace(self.kernel, is_mounted=False, is_expected=False, type="", source="")

    def at(self, in_s: float, do: Callable[[], None]) -> None:
        self.after.append((self.now_s + in_s, do))

    # -- the loop -------------------------------------------------------------------------------------------------------

    def look(self) -> Observation:
        self._happen()
        for question in list(self.asked):
            way, waiting = self.ways.get(question, HANGS), self.asked[question]
            if self.now_s - waiting.asked_s >= way.after_s:
                self._answer(question, way.outcome, way.detail)
        if self.busy and self.transferred is not None:
            self.transferred += 1 << 20
        answers = {question: self._newest(question) for question in Question}
        listing = answers[Question.LISTING]
        is_listed = listing is not None and listing.outcome is Outcome.GOOD and not listing.is_pending
        return Observation(
            now_s=self.now_s,
            kernel=self.kernel,
            process=answers[Question.PROCESS],
            control=answers[Question.CONTROL],
            data=answers[Question.DATA],
            through=answers[Question.THROUGH],
            direct=answers[Question.DIRECT],
            listing_answer=listing,
            listing=Listing(entries=self.entries, baseline=0) if is_listed else None,
            cache=self.told_cache,
            transferred_bytes=self.transferred,
        )

    def _happen(self) -> None:
        for due in sorted(self.after, key=lambda item: item[0]):
            if due[0] <= self.now_s:
                self.after.remove(due)
                due[1]()

    def _answer(self, question: Question, outcome: Outcome, detail: str) -> None:
        waiting = self.asked.pop(question)
        took_s = min(self.ways[question].after_s, self.now_s - waiting.asked_s)
        if question is Question.CACHE:
            self.told_cache = self.cache
        self.last[question] = Answer(outcome=outcome, asked_s=waiting.asked_s, latency_s=took_s, detail=detail)

    def _newest(self, question: Question) -> Answer | None:
        waiting = self.asked.get(question)
        if waiting is None:
            return self.last.get(question)
        waited_s = self.now_s - waiting.asked_s
        return Answer(outcome=Outcome.LATE, asked_s=waiting.asked_s, latency_s=waited_s, is_pending=True)

    def step(self) -> None:
        seen = self.look()
        self.judged = judge(seen, self.judged, self.mount, self.config, self.unit)
        plan = self.decide(seen)
        self.state = plan.state
        self.carry_out(plan)
        times = {question: times[-1] for question, times in self.all_times().items() if times}
        gave_up_s = None
        if self.state.problem is not None and self.state.problem.gave_up_at is not None:
            gave_up_s = self.moment().seconds_since(self.state.problem.gave_up_at)
        due = find_due(
            seen, self.judged, Past(asked_s=times, gave_up_s=gave_up_s, data_requests=self.data_requests), self.mount, self.config
        )
        self._last_asked.update(dict.fromkeys(due.ask | due.renew, self.now_s))
        self.ask(due.ask, renew=due.renew)
        if not self.verdicts or self.verdicts[-1][1] != self.state.verdict.value:
            self.verdicts.append((self.now_s, self.state.verdict.value))
        self.clock.pass_time(due.next_look_s)

    # As a Prober, for what is watched by the real loop.
    data_requests = 1

    def close(self) -> None:
        self.asked.clear()

    def ask(self, questions: Collection[Question], *, renew: Collection[Question] = ()) -> None:
        for question in renew:
            self.asked.pop(question, None)
        for question in {*questions, *renew}:
            if question not in self.asked and question in self.ways:
                self.asked[question] = Waiting(asked_s=self.now_s)
                self.times[question].append(self.now_s)

    @property
    def _last_asked(self) -> dict[Question, float]:
        return self.__dict__.setdefault("last_asked", {})

    def all_times(self) -> dict[Question, list[float]]:
        return {question: [at] for question, at in self._last_asked.items()}

    def decide(self, seen: Observation) -> Plan:
        return decide(
            seen,
            self.judged,
            self.state,
            self.moment(),
            name=NAME,
            mount=self.mount,
            config=self.config,
            unit=self.unit if self.mount.is_ours else None,
        )

    def carry_out(self, plan: Plan) -> None:
        if plan.steps:
            self.plans.append((self.now_s, plan))
        for step in plan.steps:
            match step:
                case Release():
                    self.state = dataclasses.replace(self.state, is_held=False)
                case Abort():
                    self.abort()
                case Kill():
                    self.kill()
                case Start():
                    self.start()

    def abort(self) -> None:
        if Question.THROUGH in self.asked:
            self._answer(Question.THROUGH, Outcome.STALE, "Transport endpoint is not connected")

    def start(self) -> None:
        if self.restart_s is not None:
            self.unit = dataclasses.replace(self.unit, active_state="activating")
            self.at(self.restart_s, self.mount_anew)

    def moment(self) -> Moment:
        return self.clock.moment()

    def run(self, seconds: float) -> None:
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.step()

    def run_until(self, condition: Callable[[], bool], *, within_s: float = 120.0) -> float:
        """Return how long it took."""
        began_s = self.now_s
        while not condition():
            assert self.now_s - began_s < within_s, f"{self.state.verdict}: {self.state.detail} after {within_s} s; {self.verdicts}"
            self.step()
        return self.now_s - began_s

    def restart_watchdog(self) -> None:
        """The watchdog ends between two looks, and another takes it up from what is on disk."""
        self.state = take_up(self.state, self.mount, self.moment())
        self.judged = resume(self.state, self.moment(), self.now_s)
        self.asked.clear()
        self.last.clear()
        self._last_asked.clear()

    # -- what came of it --------------------------------------------------------------------------------------------------

    @property
    def told(self) -> list[str]:
        return [step.event.name for _, plan in self.plans for step in plan.steps if isinstance(step, Tell)]

    @property
    def remounts(self) -> list[float]:
        return [at for at, plan in self.plans if plan.is_remount]

    @property
    def done(self) -> list[str]:
        return [type(step).__name__ for _, plan in self.plans for step in plan.steps if not isinstance(step, Tell | Hold | Release)]

    def held_after(self, began_s: float) -> float:
        return next(at for at, plan in self.plans if any(isinstance(step, Hold) for step in plan.steps)) - began_s
