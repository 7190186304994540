"""Follow Docker and publish. One cycle waits for an event or half a minute, looks, and writes the state file."""

import dataclasses
from typing import Any

from plexguard.container_watch import events
from plexguard.container_watch.decide import Heard, choose, date_start, find_plex, judge_end, remember
from plexguard.container_watch.observe import FOLLOW, Listed, inspect, list_containers, parse_event, parse_inspect
from plexguard.core.clock import Moment
from plexguard.core.errors import PeerError
from plexguard.core.found import DISCOVER, DOCKER_UNIT, FoundContainer
from plexguard.core.host import CommandError, Stream
from plexguard.core.manager import is_stopped
from plexguard.core.program import Ports
from plexguard.core.state import StateFile

_WAIT_S = 30.0
# After an engine that cannot be asked: not so often that it fills the journal of Docker, soon enough to see it come back.
_RETRY_S = 10.0
# While the discovery is at work and has to run once more.
_DISCOVER_WAIT_S = 1.0


class Watcher:
    """Keeps the state file of one container true. `close` ends what it follows.

    any_name: where none is called by the name, the only container of a Plex image is taken.
    """

    def __init__(self, name: str, file: StateFile[FoundContainer], ports: Ports, *, any_name: bool) -> None:
        self._name = name
        self._any_name = any_name
        self._file = file
        self._ports = ports
        self._stream: Stream | None = None
        # By the id of the container: each that is there may come to be Plex's.
        self._heard: dict[str, Heard] = {}
        self._several_since: Moment | None = None
        self._last: FoundContainer | None = None
        self._discover_due = False
        self._lost_since: Moment | None = None

    def cycle(self) -> str:
        """Wait for something to happen, look, publish; return what there is to see in one line."""
        # Asking its socket would start an engine that an administrator has stopped.
        if is_stopped(self._ports.manager.unit(DOCKER_UNIT)):
            return self._lose(f"{DOCKER_UNIT} does not run")
        last = self._last or self._file.load()
        try:
            self._follow()
            found = self._look(last)
        except (CommandError, PeerError) as error:
            return self._lose(str(error))
        if self._lost_since is not None:
            downtime_s = self._ports.clock.moment().seconds_since(self._lost_since)
            self._ports.journal.send(events.DOCKER_FOUND, downtime_s=downtime_s)
            self._lost_since = None
        self._publish(found, last)
        self._start_discover()
        return f"container {found.name} is {found.status}"

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _follow(self) -> None:
        if self._stream is None:
            # The first look must not miss what happens between it and the first event: follow first, then look.
            self._stream = self._ports.host.follow(FOLLOW)
            return
        wait_s = _DISCOVER_WAIT_S if self._discover_due else _WAIT_S
        deadline_s = self._ports.clock.monotonic_s() + wait_s
        while (line := self._stream.read_line(wait_s)) is not None:
            if self._hear(line):
                # What came together with it is read too, and nothing is waited for any more.
                deadline_s = 0.0
            wait_s = max(0.0, deadline_s - self._ports.clock.monotonic_s())

    def _hear(self, line: str) -> bool:
        """Remember an event; tell whether it may change what is published."""
        event = parse_event(line)
        if event is None:
            return False
        if event.action == "destroy":
            self._heard.pop(event.id, None)
        else:
            self._heard[event.id] = remember(event, self._heard.get(event.id, Heard()))
        is_followed = self._last is not None and event.id == self._last.id
        return is_followed or event.action in ("create", "rename", "destroy")

    def _look(self, last: FoundContainer | None) -> FoundContainer:
        now = self._ports.clock.moment()
        told, candidates = self._find(last.id if last is not None else "")
        found = date_start(parse_inspect(self._name, told, seen_s=now.uptime_s), last, now)
        found = dataclasses.replace(found, candidates=candidates)
        return judge_end(found, self._heard.get(found.id, Heard()), last)

    def _find(self, followed: str) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
        """Return what Docker tells of the container; where none could be chosen, the names of those that it might be."""
        told = inspect(self._ports.host, self._name)
        if told is not None or not self._any_name:
            self._several_since = None
            return told, ()
        candidates = find_plex(list_containers(self._ports.host))
        chosen = choose(candidates, followed=followed, several_s=self._time_several(candidates))
        if chosen is not None:
            return inspect(self._ports.host, chosen.id), ()
        return None, tuple(c.name for c in candidates)

    def _time_several(self, candidates: tuple[Listed, ...]) -> float:
        now = self._ports.clock.moment()
        self._several_since = (self._several_since or now) if len(candidates) > 1 else None
        return now.seconds_since(self._several_since) if self._several_since is not None else 0.0

    def _publish(self, found: FoundContainer, last: FoundContainer | None) -> None:
        self._file.save(found)
        is_new = self._last is None or _told(self._last) != _told(found)
        self._discover_due = self._discover_due or is_new
        if found.candidates:
            if last is None or found.candidates != last.candidates:
                self._ports.journal.send(events.AMBIGUOUS, containers=", ".join(found.candidates))
        elif last is not None and last.candidates:
            how = "" if found.exists else ", which is not there"
            self._ports.journal.send(events.SETTLED, container=found.name, how=how)
        elif is_new and self._last is not None:
            how = ", stopped on purpose" if found.status == "exited" and found.stopped_on_purpose else ""
            self._ports.journal.send(events.CHANGED, container=found.name, status=found.status, how=how)
        self._last = found

    def _start_discover(self) -> None:
        """Have what is published read. A run that is at work may have read it before the change: then one more follows."""
        if self._discover_due and self._ports.manager.unit(DISCOVER).active_state != "activating":
            self._ports.manager.start(DISCOVER)
            self._discover_due = False

    def _lose(self, reason: str) -> str:
        """Docker cannot be asked. The file is left to grow old, by which its readers know."""
        self.close()
        # A start may be missed meanwhile.
        self._heard.clear()
        if self._lost_since is None:
            self._lost_since = self._ports.clock.moment()
            self._ports.journal.send(events.DOCKER_LOST, container=self._name, reason=reason)
        self._ports.clock.sleep(_RETRY_S)
        return f"Docker cannot be asked: {reason}"


def _told(found: FoundContainer) -> tuple[object, ...]:
    return found.name, found.id, found.status, found.started, found.stopped_on_purpose, found.candidates
