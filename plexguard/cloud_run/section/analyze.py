"""Have Plex analyse its libraries, one after the other: what it has found out is kept, and brought home, every few hours.

Music goes in three steps, since each is over by other signs, and none begins while the one before still works: its metadata, where
that is wanted; then Plex settles; then the sonic analysis, without --force, which would begin with the first for hours.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Protocol

from plexguard.cloud_run.choosing.profiles import MONITORING, Patience
from plexguard.cloud_run.section import idle
from plexguard.cloud_run.section.idle import Outcome, Rules, Watch
from plexguard.cloud_run.section.labour import CALL_S, Labour, LabourFailed
from plexguard.cloud_run.section.quiet import MUSIC, OFF, find_changes
from plexguard.cloud_run.section.signals import Step
from plexguard.cloud_run.section.told import Done, Packed
from plexguard.cloud_run.server.container import NAME
from plexguard.cloud_run.server.counting import Counted
from plexguard.core.clock import Moment
from plexguard.core.errors import PlexguardError
from plexguard.core.plex import Library, PlexDeclined
from plexguard.core.spans import show_span

_GRACE_S, _NEEDED = 60.0, 5
_SETTLE = Rules(grace_s=0.0, needed=3, idle_percent=20.0, stall_s=1800.0, limit_s=1800.0)
_SETTLE_EVERY_S = 60.0
_PASS_S, _PASS_EVERY_S = 120.0, 10.0
_REFRESH = MONITORING["metadata_refresh"]
# How often a step is begun again that a mount has broken off.
_MOST_BEGUN = 5


class AnalysisFailed(LabourFailed):
    """An analysis did not come to its end. What it has found out until then is kept."""


class AnalysisTools(Protocol):
    """What is done around an analysis on the machine. Each raises what its commands raise."""

    def warm(self, library: Library, tell: Callable[[str], object]) -> str:
        """Have the beginning of every file of a library in the cache, and return what could not be read, "" for nothing."""
        ...

    def checkpoint(self) -> Packed:
        """Keep the database as it is, while Plex is at work, for whoever leads the run to bring home."""
        ...

    def begin_sonic(self, library: Library) -> None:
        """Begin the sonic analysis of a library; one that works already is left alone."""
        ...


@dataclass(slots=True, kw_only=True)
class Analysis(Labour):
    around: AnalysisTools
    _kept_s: float | None = None

    @property
    def patience(self) -> Patience:
        return MONITORING[self.plan.monitoring]

    def run(self) -> None:
        """Analyse all that the plan names and that is not done yet. Raises AnalysisFailed, UnknownSection, and what Plex raises."""
        libraries = self.find_libraries()
        for number, library in enumerate(libraries):
            if library.key not in self.told.libraries:
                self.tell(f"{library.title}: beginning", done=number, total=len(libraries))
                self._analyse(library)

    def _analyse(self, library: Library) -> None:
        began_s = self.clock.monotonic_s()
        before = self.begin(library)
        self._kept_s = began_s if self._kept_s is None else self._kept_s
        if (now := self.count(library)).analysed < now.items:
            try:
                self._do_steps(library)
            except LabourFailed as error:
                # What was found out is worth days: it goes home first.
                self._checkpoint(f"{library.title}: {error}")
                raise
            self._checkpoint(f"{library.title} is analysed")
        after = self.count(library)
        done = Done(before=before, after=after, seconds=self.clock.monotonic_s() - began_s)
        self.told = replace(self.told, libraries={**self.told.libraries, library.key: done})
        span = show_span(timedelta(seconds=int(done.seconds)))
        self.note(
            "done", library, f"{after.analysed:,} of {after.items:,} analysed, {after.analysed - before.analysed:+,}, after {span}"
        )

    def _do_steps(self, library: Library) -> None:
        if library.type != "artist":
            self.await_media(library)
            missing = self.around.warm(library, lambda line: self.tell(f"{library.title}: {line}"))
            if missing:
                self.note("trouble", library, missing)
            self._step(library, "analysing", "--analyze", self.patience, self._begin_analysis)
            return
        if self.plan.refreshes:
            self._step(library, "fetching its metadata", "--refresh", _REFRESH, self._begin_refresh)
        self._settle(library)
        if not self.plan.sonic:
            return
        if not self._has_pass():
            self.note("trouble", library, "its sound is not analysed: that takes a Plex Pass, which the account has not")
            return
        self._set(MUSIC)
        try:
            self._step(library, "analysing its sound", "--analyze", self.patience, self.around.begin_sonic)
        finally:
            self._set(OFF)

    def _begin_analysis(self, library: Library) -> None:
        self.insist(lambda: self.plex.analyze(library, timeout_s=CALL_S))

    def _begin_refresh(self, library: Library) -> None:
        self.insist(lambda: self.plex.scan(library, timeout_s=CALL_S, is_forced=True))

    def _step(self, library: Library, words: str, word: str, patience: Patience, begin: Callable[[Library], None]) -> None:
        """Have a step begun and come to its end; one that loses its media is begun again. Raises AnalysisFailed."""
        for attempt in range(1, _MOST_BEGUN + 1):
            self.await_media(library)
            began = self.clock.moment()
            begin(library)
            fault, watch = self._watch(library, words, word, patience, began)
            if not fault:
                break
            self.note("trouble", library, f"{words} is broken off, and begun again: {fault}")
            if attempt == _MOST_BEGUN:
                raise AnalysisFailed(f"{library.title}: {words} was broken off {attempt} times: {fault}")
        if watch.outcome is not Outcome.DONE:
            raise AnalysisFailed(
                f"{library.title}: {words} did not end: {watch.why}", hint=f"docker logs {NAME}, there; {watch.outcome.value}"
            )

    def _watch(self, library: Library, words: str, word: str, patience: Patience, began: Moment) -> tuple[str, Watch]:
        """Watch a step until its end, and return why its media went away, "" when they did not, with how it stands."""
        step = Step(library=library, word=word, grows=lambda counted: counted.analysed)
        first, server = self._count(library), self.watch_server()
        rules = Rules(
            grace_s=_GRACE_S,
            needed=_NEEDED,
            target=first.items if first is not None else None,
            idle_percent=float(patience.idle_percent),
            stall_s=patience.stall.total_seconds(),
            limit_s=patience.limit.total_seconds(),
        )
        watch = idle.begin(self.clock.monotonic_s(), first.analysed if first is not None else None)
        why = noted = ""
        while watch.outcome is Outcome.GOING:
            if fault := self.rest(began, patience.interval.total_seconds()):
                return fault, watch
            if fault := self.find_restart(server):
                self.await_plex()
                return fault, watch
            if not server.is_there:
                self.tell(f"{library.title}: Plex is away")
                continue
            watch = idle.take(watch, self.signals.look(step), rules)
            if watch.outcome is Outcome.GOING and watch.why and watch.why == why != noted:
                self.note("trouble", library, watch.why)
                noted = why
            why = watch.why
            self.tell(f"{library.title}: {words}, {self._show(watch, first)}{f'; {why}' if why else ''}")
            self._keep_pace(library)
        return "", watch

    def _show(self, watch: Watch, first: Counted | None) -> str:
        """Return how far it is: "81,035 of 456,534, 1,204 an hour, 12d more"."""
        if watch.count is None or first is None:
            return "how far cannot be told"
        gained, hours = watch.count - first.analysed, (watch.seen_s - watch.began_s) / 3600
        parts = [f"{watch.count:,} of {first.items:,}"]
        if gained > 0 and hours > 0:
            rate, left = gained / hours, max(0, first.items - watch.count)
            parts += [f"{rate:,.0f} an hour", f"{show_span(timedelta(minutes=round(60 * left / rate)))} more"]
        return ", ".join(parts)

    def _settle(self, library: Library) -> None:
        """Wait until nothing works on it. After half an hour it is begun all the same: the analysis has signs of its own."""
        self.tell(f"{library.title}: waiting until Plex has settled")
        step = Step(library=library, word="--scan", grows=lambda counted: counted.items)
        watch = idle.begin(self.clock.monotonic_s(), None)
        while watch.outcome is Outcome.GOING:
            self.clock.sleep(_SETTLE_EVERY_S)
            watch = idle.take(watch, self.signals.look(step), _SETTLE)
        if watch.outcome is not Outcome.DONE:
            self.note("trouble", library, f"Plex has not settled within half an hour: {watch.why}")

    def _has_pass(self) -> bool:
        """Tell whether the account has what a sonic analysis takes; Plex learns of it some time after it was claimed."""
        until_s = self.clock.monotonic_s() + _PASS_S
        while not (has := self.insist(lambda: self.plex.has_pass(timeout_s=CALL_S))) and self.clock.monotonic_s() < until_s:
            self.clock.sleep(_PASS_EVERY_S)
        return has

    def _set(self, wanted: Mapping[str, str]) -> None:
        """Raises PlexDeclined when Plex does not obey."""
        seen = self.insist(lambda: self.plex.preferences(timeout_s=CALL_S))
        for name, value in find_changes(seen, wanted).items():
            self.insist(partial(self.plex.set_preference, name, value, timeout_s=CALL_S))
        if left := find_changes(self.insist(lambda: self.plex.preferences(timeout_s=CALL_S)), wanted):
            raise PlexDeclined(f"Plex does not hold what it was told to: {', '.join(left)}")

    def _count(self, library: Library) -> Counted | None:
        try:
            return self.signals.count(library)
        except PlexguardError:
            return None

    def _keep_pace(self, library: Library) -> None:
        """Keep what was found out, as often as the run wants it."""
        if self._kept_s is not None and self.clock.monotonic_s() - self._kept_s >= self.plan.checkpoint_s:
            self._checkpoint(f"{library.title}: so far")

    def _checkpoint(self, why: str) -> None:
        self.tell(f"keeping what was found out: {why}")
        try:
            self.told = replace(self.told, checkpoint=self.around.checkpoint())
            self.save(self.told)
        except PlexguardError as error:
            self.note("trouble", None, f"what was found out cannot be kept just now: {error}")
        self._kept_s = self.clock.monotonic_s()
