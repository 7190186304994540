"""A Plex that scans in no time: its clock is ours, and what it has on its shelves, in its database and in its trash are numbers."""

from dataclasses import dataclass, field, replace

from plexguard.cloud_run.section.idle import Look
from plexguard.cloud_run.section.scan import Scan
from plexguard.cloud_run.section.signals import Step
from plexguard.cloud_run.section.told import Plan, Told
from plexguard.cloud_run.server.counting import Counted
from plexguard.core.clock import Moment
from plexguard.core.errors import Unavailable
from plexguard.core.plex import Activity, Library, PlexBroken
from tests.fakes.ports import FakeClock

PLAN = Plan(data="/data", export=("plexguard-db-export",))


@dataclass
class Shelf:
    """A library. there: how many of its files are in the storage; items, trashed: in the database."""

    library: Library
    there: int
    items: int
    trashed: int = 0
    scanned_at: int = 1_000
    scan_ends_s: float = 0.0


@dataclass
class World:
    """takes_s: a scan; per_s: how many items it comes to in a second. A fault is a set of spans of seconds since the beginning: of what cannot be asked
    ("api", "database", "cpu"), and of the media ("gone": nothing is there, and said to be so; "lying": nothing is there, and
    nobody says so), and of Plex ("down": it is away; "killed": from the beginning of it on, until somebody starts it)."""

    shelves: dict[str, Shelf]
    clock: FakeClock = field(default_factory=FakeClock)
    takes_s: float = 300.0
    faults: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    can_cancel: bool = True
    done: list[tuple[str, str]] = field(default_factory=list)
    saved: list[Told] = field(default_factory=list)
    kept: dict[str, Shelf] = field(default_factory=dict)
    origin_s: float = 0.0
    running: str = ""
    began_s: float = 0.0
    seen_s: float = 0.0

    def __post_init__(self) -> None:
        self.origin_s = self.clock.monotonic_s()

    def make(self, plan: Plan = PLAN, told: Told | None = None) -> Scan:
        return Scan(plan=plan, plex=self, signals=self, tools=self, clock=self.clock, told=told or Told(), save=self.saved.append)  # type: ignore[arg-type]

    def has(self, fault: str) -> bool:
        return self._had(fault, self.clock.monotonic_s())

    def _had(self, fault: str, at_s: float) -> bool:
        return any(begin <= at_s - self.origin_s < end for begin, end in self.faults.get(fault, ()))

    def live(self) -> None:
        """Let happen what has happened since somebody looked last: second by second, as the storage is in each."""
        now_s = self.clock.monotonic_s()
        while self.running and self.seen_s < now_s:
            self.seen_s = min(now_s, self.seen_s + 1.0)
            shelf = self.shelves[self.running]
            is_empty = self._had("gone", self.seen_s) or self._had("lying", self.seen_s)
            there = 0 if is_empty else shelf.there
            known = shelf.items + shelf.trashed
            step = max(1, int(max(known, there) / self.takes_s))
            if shelf.items > there:
                lost = min(step, shelf.items - there)
                shelf.items, shelf.trashed = shelf.items - lost, shelf.trashed + lost
            elif shelf.items < there:
                found = min(step, there - shelf.items)
                shelf.items, shelf.trashed = shelf.items + found, max(0, shelf.trashed - found)
            if self.seen_s - self.began_s >= self.takes_s:
                shelf.scanned_at, self.running = 2_000 + int(self.seen_s), ""
        self.seen_s = now_s

    # -- what a Scan asks of Plex

    def libraries(self, *, timeout_s: float) -> tuple[Library, ...]:
        self._answer()
        return tuple(
            replace(shelf.library, scanning=self.running == key, scanned_at=shelf.scanned_at) for key, shelf in self.shelves.items()
        )

    def activities(self, *, timeout_s: float) -> tuple[Activity, ...]:
        self._answer()
        return (Activity(type="library.update.section", title="Scanning", library=self.running, uuid="1"),) if self.running else ()

    def scan(self, library: Library, *, timeout_s: float, is_forced: bool = False) -> None:
        self._answer()
        self.done.append(("scanned", library.title))
        self.running, self.began_s, self.seen_s = library.key, self.clock.monotonic_s(), self.clock.monotonic_s()

    def cancel_activity(self, activity: Activity, *, timeout_s: float) -> None:
        self._answer()

    def cancel_scan(self, library: Library, *, timeout_s: float) -> None:
        self._answer()
        self.done.append(("cancelled", library.title))
        if self.can_cancel:
            self.running = ""

    def empty_trash(self, library: Library, *, timeout_s: float) -> None:
        self._answer()
        self.done.append(("emptied", library.title))
        self.shelves[library.key].trashed = 0

    def _answer(self) -> None:
        self.live()
        self.clock.pass_time(0.01)
        if self.has("api") or self.has("down") or self.has("killed"):
            raise PlexBroken("500")

    # -- what it asks of the machine

    def count(self, library: Library) -> Counted:
        self.live()
        if self.has("database"):
            raise Unavailable("the database is locked")
        shelf = self.shelves[library.key]
        return Counted(
            section=int(library.key), title=library.title, kind=library.type, items=shelf.items, trashed=shelf.trashed, analysed=0
        )

    def look(self, step: Step) -> Look:
        self.live()
        is_busy = self.running == step.library.key
        api = None if self.has("api") else is_busy
        shelf = self.shelves[step.library.key]
        return Look(
            at_s=self.clock.monotonic_s(),
            activities=None if api is None else int(api),
            processes=None if self.has("cpu") else int(is_busy),
            count=None if self.has("database") else step.grows(self.count(step.library)),
            cpu_percent=None if self.has("cpu") else 150.0 if is_busy else 1.0,
            ended=None if api is None else not api and shelf.scanned_at > (step.scanned_at or 0),
        )

    def started(self) -> float | None:
        """A crash takes what runs with it, and a fault "down" is the time until Plex is there again."""
        self.live()
        if self.has("down") or self.has("killed"):
            self.running = ""
            return None
        now_s = self.clock.monotonic_s() - self.origin_s
        return float(sum(end <= now_s for fault in ("down", "killed") for _, end in self.faults.get(fault, ())))

    def start_plex(self) -> None:
        self.done.append(("started", "Plex"))
        now_s = self.clock.monotonic_s() - self.origin_s
        self.faults["killed"] = [(begin, min(end, now_s)) for begin, end in self.faults.get("killed", ())]

    def find_fault(self, since: Moment | None = None) -> str:
        self.live()
        now_s = self.clock.monotonic_s()
        since_s = now_s - self.clock.moment().seconds_since(since) if since is not None else now_s
        was_gone = any(
            begin <= now_s - self.origin_s and end > since_s - self.origin_s for begin, end in self.faults.get("gone", ())
        )
        return "gone" if was_gone else ""

    def keep(self, library: Library) -> None:
        self.kept.setdefault(library.key, replace(self.shelves[library.key]))

    def put_back(self, library: Library) -> None:
        self.done.append(("put back", library.title))
        self.running = ""
        self.shelves[library.key] = replace(self.kept[library.key])

    def forget(self, library: Library) -> None:
        self.kept.pop(library.key)
