"""Empty the trash of Plex's libraries, one after the other. All that is done to Plex is done here.

What is about to be forgotten is on disk before Plex is told to forget it, and so is that it was told: a run that is killed at any
point leaves a list, and the next one finds out what became of it.
"""

import contextlib
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from plexguard.core.clock import Clock, Moment
from plexguard.core.events import Event, FilePath
from plexguard.core.journal import Journal
from plexguard.core.plex import Count, Item, Library, PlexControl, PlexError
from plexguard.core.state import StateFile, make_folder
from plexguard.rclone_watchdog.config import Config
from plexguard.rclone_watchdog.trash import events
from plexguard.rclone_watchdog.trash.decide import (
    Begun,
    LibraryState,
    State,
    Switch,
    compare,
    decide_switch,
    find_reasons,
    keep,
    name_items,
)
from plexguard.rclone_watchdog.trash.limits import Reason, Why
from plexguard.rclone_watchdog.trash.observe import SETTING, TIMEOUT_S, LibrarySeen, Observation

STATE_SCHEMA = 1
PLACES_SCHEMA = 1
LIST_SCHEMA = 1
_KEPT_LISTS = 200
# For how long Plex is asked whether it is done; what takes longer is found out by the next run. 45 minutes were seen.
_DONE_S = 600.0
_ASK_S = 5.0
_NAMED = 20
Look = Callable[[str], Observation]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A list on disk: what was missing from a library when its trash was emptied."""

    library: str
    title: str
    at: datetime
    total: int
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The mount point that each folder of a library was on when it was last looked at."""

    mounts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a library. seen: the last look at it. emptied: how many items were forgotten, None when none was to be.
    is_begun: Plex was told to, and had not done it yet. reasons: why it was kept."""

    seen: LibrarySeen
    reasons: tuple[Reason, ...] = ()
    emptied: int | None = None
    is_begun: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run found and did. fault: why nothing could be told, "" when it could."""

    results: tuple[Result, ...] = ()
    fault: str = ""
    held: str = ""
    setting: str = ""


class Emptier:
    """One run. look: at all libraries, or at the one with this key. pause_s: between two looks."""

    def __init__(
        self,
        look: Look,
        plex: PlexControl,
        *,
        config: Config,
        state: StateFile[State],
        journal: Journal,
        clock: Clock,
        pause_s: float,
        lists: Path,
        places: StateFile[Places],
    ) -> None:
        self._look = look
        self._plex = plex
        self._config = config
        self._file = state
        self._journal = journal
        self._clock = clock
        self._pause_s = pause_s
        self._lists = lists
        self._places = places
        self._state = state.load() or State()

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do, also nothing to put back."""
        return not self._config.trash and not self._state.before

    def preview(self) -> Run:
        """Look once, and change nothing."""
        seen = self._look("")
        results = tuple(Result(seen=one, reasons=_reasons_of(seen, one)) for one in seen.libraries)
        return Run(results=results, fault=seen.fault, held=seen.held, setting=seen.setting)

    def give_back(self) -> Run:
        """Have Plex empty its trash again as it did before."""
        seen = self._look("")
        self._switch(seen)
        return Run(fault=seen.fault, held=seen.held, setting=seen.setting)

    def run(self) -> Run:
        first = self._look("")
        self._save(dataclasses.replace(self._state, checked=first.now, fault=first.fault))
        self._switch(first)
        if first.fault and not first.libraries:
            return Run(fault=first.fault, held=first.held)
        self._forget_libraries(first)
        self._places.save(Places(mounts=first.lasts))
        for one in first.libraries:
            self._settle(one.library, one.count)
        results = {one.library.key: self._judge(first, one) for one in first.libraries}
        hopeful = [key for key, result in results.items() if not result.reasons and not result.seen.is_clean]
        if hopeful:
            self._clock.sleep(self._pause_s)
            second = self._look("")
            for key in hopeful:
                results[key] = self._empty(key, first, second)
        for result in results.values():
            self._remember(result)
        return Run(results=tuple(results.values()), fault=first.fault, held=first.held, setting=first.setting)

    # -- one library ------------------------------------------------------------------------------------------------------

    def _judge(self, seen: Observation, one: LibrarySeen) -> Result:
        return Result(seen=one, reasons=_reasons_of(seen, one))

    def _empty(self, key: str, first: Observation, second: Observation) -> Result:
        """Empty the trash of a library, if it looks as it did, and does so once more right before."""
        before = first.find(key)
        assert before is not None
        then = second.find(key) or before
        if reasons := (*find_reasons(second, then), *compare(first, second, key, is_later=True)):
            return Result(seen=then, reasons=reasons)
        last = self._look(key)
        now = last.find(key) or then
        if reasons := (*find_reasons(last, now), *compare(second, last, key, is_later=False)):
            return Result(seen=now, reasons=reasons)
        return self._forget_items(now, last.now)

    def _forget_items(self, one: LibrarySeen, now: Moment) -> Result:
        library, count = one.library, one.count
        assert count is not None
        listed = Listed(library=library.key, title=library.title, at=now.wall, total=count.items, items=one.missing)
        path = self._keep_list(listed)
        begun = Begun(list=str(path), missing=count.missing, total=count.items, at=now)
        self._change(library.key, dataclasses.replace(self._find(library), title=library.title, begun=begun))
        said = ""
        try:
            self._plex.empty_trash(library, timeout_s=TIMEOUT_S)
        except PlexError as error:
            # It may have been heard, and may be at work for long.
            said = str(error)
        after = self._await_done(library, count, has_time=not said)
        if after is not None and after.missing == 0:
            self._settle(library, after)
            return Result(seen=dataclasses.replace(one, count=after, missing=(), reasons=()), emptied=count.missing)
        if said and after is not None and after == count:
            self._change(library.key, dataclasses.replace(self._find(library), begun=None))
            path.unlink(missing_ok=True)
            return Result(seen=one, reasons=(Reason(why=Why.PLEX, text=f"Plex does not empty it: {said}"),))
        return Result(seen=one, is_begun=True)

    def _await_done(self, library: Library, before: Count, *, has_time: bool) -> Count | None:
        """Ask until nothing is missing any more, and return the last answer; None when there was none."""
        found = None
        until_s = self._clock.monotonic_s() + (_DONE_S if has_time else 2 * _ASK_S)
        while True:
            with contextlib.suppress(PlexError):
                found = self._plex.count_items(library, timeout_s=TIMEOUT_S)
            if (found is not None and not found.missing) or self._clock.monotonic_s() >= until_s:
                return found
            self._clock.sleep(_ASK_S)

    def _settle(self, library: Library, count: Count | None) -> None:
        """Tell what became of an emptying that was begun, by this run or by one that was ended."""
        past = self._find(library)
        begun = past.begun
        if begun is None or count is None:
            return
        if count.missing:
            if count.missing >= begun.missing:
                # It was never done, and is judged anew.
                self._change(library.key, dataclasses.replace(past, begun=None))
            return
        self._change(
            library.key,
            dataclasses.replace(
                past,
                begun=None,
                told="",
                kept="",
                kept_since=None,
                missing=0,
                total=count.items,
                emptied=begun.at.wall,
                emptied_items=begun.missing,
                emptied_total=past.emptied_total + begun.missing,
            ),
        )
        items = self._read_list(begun)
        named = name_items(items, most=_NAMED) or "what was missing"
        values = {"library": library.key, "title": library.title, "list": FilePath(begun.list)}
        self._journal.send(events.EMPTIED, **values, items=named, count=begun.missing, left=count.items)
        if (gone := begun.total - count.items) > begun.missing:
            self._journal.send(events.UNLISTED, **values, count=begun.missing, gone=gone)

    def _remember(self, result: Result) -> None:
        one = result.seen
        past = self._find(one.library)
        if result.is_begun or result.emptied is not None:
            return
        state = keep(past, one, result.reasons, self._clock.moment())
        self._change(one.library.key, state)
        if state.told and state.told != past.told:
            self._tell_kept(one, state)
        elif past.told and not state.told and one.is_clean:
            self._journal.send(events.CLEARED, library=one.library.key, title=one.library.title)

    def _tell_kept(self, one: LibrarySeen, state: LibraryState) -> None:
        counted = "how much of it is missing is not known"
        if one.count is not None:
            counted = f"{one.count.missing} of {one.count.items} items are missing, at most {one.limit} are emptied"
        self._journal.send(
            events.KEPT,
            library=one.library.key,
            title=one.library.title,
            reason=state.kept,
            counted=counted,
            items=name_items(one.missing, most=_NAMED) or "not known",
        )

    # -- Plex's own emptying ----------------------------------------------------------------------------------------------

    def _switch(self, seen: Observation) -> None:
        """Have either Plex empty its trash, as it did before, or plexguard. What was before is on disk first."""
        step = decide_switch(self._state, seen, wanted=self._config.trash)
        if step is Switch.NOTHING:
            if self._state.before and not self._state.is_off and not seen.fault and not seen.held:
                self._save(dataclasses.replace(self._state, is_off=True))
            return
        if step is Switch.FORGET:
            self._save(dataclasses.replace(self._state, before="", is_off=False))
            return
        if step is Switch.NOTE:
            self._save(dataclasses.replace(self._state, before=seen.setting, is_off=True))
            return
        if step is Switch.GIVE_BACK:
            if self._set(self._state.before):
                self._save(dataclasses.replace(self._state, before="", is_off=False))
                self._journal.send(events.GIVEN_BACK)
            return
        self._save(dataclasses.replace(self._state, before=self._state.before or seen.setting))
        if self._set("false"):
            self._save(dataclasses.replace(self._state, is_off=True))
            told: Event = events.SWITCHED_ON if step is Switch.TAKE_AGAIN else events.TAKEN_OVER
            self._journal.send(told)

    def _set(self, value: str) -> bool:
        """Change the setting, and return whether Plex has it so then."""
        with contextlib.suppress(PlexError):
            self._plex.set_preference(SETTING, value, timeout_s=TIMEOUT_S)
        with contextlib.suppress(PlexError):
            return self._plex.preferences(timeout_s=TIMEOUT_S).get(SETTING, "") == value
        return False

    # -- on disk ----------------------------------------------------------------------------------------------------------

    def _find(self, library: Library) -> LibraryState:
        return self._state.libraries.get(library.key) or LibraryState(title=library.title)

    def _forget_libraries(self, seen: Observation) -> None:
        """Forget the libraries that Plex does not have any more."""
        keys = {one.library.key for one in seen.libraries}
        kept = {key: one for key, one in self._state.libraries.items() if key in keys}
        self._save(dataclasses.replace(self._state, libraries=kept))

    def _change(self, key: str, library: LibraryState) -> None:
        self._save(self._state.with_library(key, library))

    def _save(self, state: State) -> None:
        if state != self._state:
            self._file.save(state)
            self._state = state

    def _keep_list(self, listed: Listed) -> Path:
        """Write down what is about to be forgotten, and drop the oldest lists. Raises IoFailed: then nothing is forgotten."""
        make_folder(self._lists)
        # The id is Plex's word, and becomes part of a name.
        key = "".join(c for c in listed.library if c.isascii() and c.isalnum())
        path = self._lists / f"{listed.at:%Y%m%dT%H%M%SZ}-{key}.json"
        _list_file(path, self._journal).save(listed)
        for old in sorted(self._lists.glob("*.json"))[:-_KEPT_LISTS]:
            with contextlib.suppress(OSError):
                old.unlink()
        return path

    def _read_list(self, begun: Begun) -> tuple[Item, ...]:
        listed = _list_file(Path(begun.list), self._journal).peek()
        return listed.items if listed is not None else ()


def read_lists(folder: Path, journal: Journal) -> tuple[Listed, ...]:
    """Return what was forgotten, oldest first."""
    files = (_list_file(path, journal) for path in sorted(folder.glob("*.json")))
    return tuple(listed for file in files if (listed := file.peek()) is not None)


def _list_file(path: Path, journal: Journal) -> StateFile[Listed]:
    return StateFile(path, Listed, schema=LIST_SCHEMA, journal=journal)


def _reasons_of(seen: Observation, one: LibrarySeen) -> tuple[Reason, ...]:
    """Return why the trash of a library is kept; none where nothing is missing."""
    return () if one.is_clean else find_reasons(seen, one)
