"""A Plex that analyses in no time: its clock is ours, and what is analysed is a number that grows."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from plexguard.cloud_run.section.analyze import Analysis
from plexguard.cloud_run.section.idle import Look
from plexguard.cloud_run.section.signals import Step
from plexguard.cloud_run.section.told import Packed, Plan, Told
from plexguard.cloud_run.server.counting import Counted
from plexguard.core.clock import Moment
from plexguard.core.errors import Unavailable
from plexguard.core.plex import Library, PlexBroken
from tests.fakes.ports import FakeClock

PLAN = Plan(data="/data", export=("plexguard-db-export",), former="/x/settings.json")
_STEP_S = 10.0


@dataclass
class Shelf:
    """A library. per_s: how many of its items an analysis comes to in a second."""

    library: Library
    items: int
    analysed: int = 0
    per_s: float = 2.0


@dataclass
class World:
    """A fault is a set of spans of seconds since the beginning: of what cannot be asked ("api", "database", "cpu"), of the media
    ("gone"), of an analysis that stands still ("stalled": idle; "butler": busy with something else), of a disk that takes no
    checkpoint ("full"). kept: when a checkpoint was made, and how many items were analysed in all."""

    shelves: dict[str, Shelf]
    clock: FakeClock = field(default_factory=FakeClock)
    faults: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    settings: dict[str, str] = field(
        default_factory=lambda: {"MusicAnalysisBehavior": "never", "LoudnessAnalysisBehavior": "never"}
    )
    begun: list[tuple[str, str]] = field(default_factory=list)
    kept: list[tuple[float, float]] = field(default_factory=list)
    during: list[str] = field(default_factory=list)
    running: str = ""
    pays: bool = True
    origin_s: float = 0.0
    seen_s: float = 0.0
    partial: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.origin_s = self.seen_s = self.clock.monotonic_s()

    def make(self, plan: Plan = PLAN, told: Told | None = None, save: Callable[[Told], None] = lambda _: None) -> Analysis:
        return Analysis(
            plan=plan,
            plex=self,  # type: ignore[arg-type]
            signals=self,  # type: ignore[arg-type]
            tools=self,  # type: ignore[arg-type]
            around=self,
            clock=self.clock,
            told=told or Told(),
            save=save,
        )

    @property
    def now_s(self) -> float:
        return self.clock.monotonic_s() - self.origin_s

    def has(self, fault: str, at_s: float | None = None) -> bool:
        at = self.now_s if at_s is None else at_s
        return any(begin <= at < end for begin, end in self.faults.get(fault, ()))

    def live(self) -> None:
        now_s = self.clock.monotonic_s()
        while self.running and self.seen_s < now_s:
            span_s = min(_STEP_S, now_s - self.seen_s)
            self.seen_s += span_s
            at_s = self.seen_s - self.origin_s
            shelf = self.shelves[self.running]
            if not any(self.has(fault, at_s) for fault in ("gone", "stalled", "butler")):
                grown = self.partial.get(self.running, float(shelf.analysed)) + span_s * shelf.per_s
                self.partial[self.running] = grown
                shelf.analysed = min(shelf.items, int(grown))
            if shelf.analysed >= shelf.items:
                self.running = ""
        self.seen_s = now_s

    # -- Plex

    def libraries(self, *, timeout_s: float) -> tuple[Library, ...]:
        self._answer()
        return tuple(shelf.library for shelf in self.shelves.values())

    def analyze(self, library: Library, *, timeout_s: float) -> None:
        self._answer()
        self._begin("analysis", library)

    def scan(self, library: Library, *, timeout_s: float, is_forced: bool = False) -> None:
        self._answer()
        self.begun.append(("refresh" if is_forced else "scan", library.title))

    def has_pass(self, *, timeout_s: float) -> bool:
        self._answer()
        return self.pays

    def preferences(self, *, timeout_s: float) -> dict[str, str]:
        self._answer()
        return dict(self.settings)

    def set_preference(self, name: str, value: str, *, timeout_s: float) -> None:
        self._answer()
        self.settings[name] = value

    def _answer(self) -> None:
        self.live()
        if self.has("api") or self.has("down"):
            raise PlexBroken("500")

    def _begin(self, what: str, library: Library) -> None:
        self.begun.append((what, library.title))
        self.during.append(self.settings["MusicAnalysisBehavior"])
        self.live()
        self.running = library.key

    # -- the machine

    def count(self, library: Library) -> Counted:
        self.live()
        if self.has("database"):
            raise Unavailable("the database is locked")
        shelf = self.shelves[library.key]
        return Counted(
            section=int(library.key), title=library.title, kind=library.type, items=shelf.items, trashed=0, analysed=shelf.analysed
        )

    def look(self, step: Step) -> Look:
        self.live()
        is_busy = self.running == step.library.key
        stands = self.has("stalled")
        return Look(
            at_s=self.clock.monotonic_s(),
            # Nothing shows between two items.
            activities=None if self.has("api") else 0,
            processes=None if self.has("cpu") else int(is_busy),
            count=None if self.has("database") else step.grows(self.count(step.library)),
            cpu_percent=None if self.has("cpu") else 150.0 if is_busy and not stands else 1.0,
            ended=True,
        )

    def started(self) -> float | None:
        """A crash takes what runs with it, and a fault "down" is the time until Plex is there again."""
        self.live()
        if self.has("down"):
            self.running = ""
            return None
        return float(sum(end <= self.clock.monotonic_s() - self.origin_s for _, end in self.faults.get("down", ())))

    def find_fault(self, since: Moment | None = None) -> str:
        self.live()
        since_s = self.now_s if since is None else self.now_s - self.clock.moment().seconds_since(since)
        return "gone" if any(begin <= self.now_s and end > since_s for begin, end in self.faults.get("gone", ())) else ""

    def warm(self, library: Library, tell: Callable[[str], object]) -> str:
        self.begun.append(("warm", library.title))
        return ""

    def checkpoint(self) -> Packed:
        self.live()
        if self.has("full"):
            raise Unavailable("the disk is full")
        self.kept.append((self.now_s, float(sum(shelf.analysed for shelf in self.shelves.values()))))
        return Packed(path=f"/kept/{len(self.kept)}", size_bytes=1, sha256="")

    def begin_sonic(self, library: Library) -> None:
        self._begin("sonic", library)

    def keep(self, library: Library) -> None:
        raise AssertionError("nothing is put back after an analysis")

    put_back = forget = keep

    def start_plex(self) -> None:
        """It does not come back by that."""


def shelf(key: str, title: str, kind: str = "movie", **given: float) -> Shelf:
    library = Library(key=key, title=title, type=kind, folders=(f"/Media/{title}",), scanning=False)
    return replace(Shelf(library=library, items=0), **given)  # type: ignore[arg-type]
