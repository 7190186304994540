"""Follow Docker and publish. One cycle waits for an event or half a minute, looks, and writes the state file."""

import dataclasses

from plexguard.container_watch import events
from plexguard.container_watch.decide import date_start, remember_stop, stays_stopped
from plexguard.container_watch.observe import EVENT_FORMAT, EVENTS, inspect, parse_inspect
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


class Watcher:
    """Keeps the state file of one container true. `close` ends what it follows."""

    def __init__(self, name: str, file: StateFile[FoundContainer], ports: Ports) -> None:
        self._name = name
        self._file = file
        self._ports = ports
        self._stream: Stream | None = None
        self._stop_seen = False
        self._last: FoundContainer | None = None
        self._lost_since: Moment | None = None

    def cycle(self) -> str:
        """Wait for something to happen, look, publish; return what there is to see in one line."""
        # Asking its socket would start an engine that an administrator has stopped.
        if is_stopped(self._ports.manager.unit(DOCKER_UNIT)):
            return self._lose(f"{DOCKER_UNIT} does not run")
        try:
            self._follow()
            found = self._look()
        except (CommandError, PeerError) as error:
            return self._lose(str(error))
        if self._lost_since is not None:
            downtime_s = self._ports.clock.moment().seconds_since(self._lost_since)
            self._ports.journal.send(events.DOCKER_FOUND, downtime_s=downtime_s)
            self._lost_since = None
        self._publish(found)
        return f"container {found.name} is {found.status}"

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _follow(self) -> None:
        if self._stream is None:
            # The first look must not miss what happens between it and the first event: follow first, then look.
            self._stream = self._ports.host.follow(self._events_command())
            return
        line = self._stream.read_line(_WAIT_S)
        while line is not None:
            self._stop_seen = remember_stop(line, self._stop_seen)
            line = self._stream.read_line(0.0)

    def _events_command(self) -> list[str]:
        filters = [f"--filter=event={event}" for event in EVENTS]
        return ["docker", "events", EVENT_FORMAT, "--filter=type=container", f"--filter=container={self._name}", *filters]

    def _look(self) -> FoundContainer:
        now = self._ports.clock.moment()
        told = inspect(self._ports.host, self._name)
        last = self._last or self._file.load()
        found = date_start(parse_inspect(self._name, told, stop_seen=self._stop_seen, seen_s=now.uptime_s), last, now)
        return dataclasses.replace(found, stopped_on_purpose=True) if stays_stopped(found, last) else found

    def _publish(self, found: FoundContainer) -> None:
        self._file.save(found)
        is_new = self._last is None or (self._last.status, self._last.started) != (found.status, found.started)
        if is_new:
            self._ports.manager.start(DISCOVER)
        if is_new and self._last is not None:
            how = ", stopped on purpose" if found.status == "exited" and found.stopped_on_purpose else ""
            self._ports.journal.send(events.CHANGED, container=found.name, status=found.status, how=how)
        self._last = found

    def _lose(self, reason: str) -> str:
        """Docker cannot be asked. The file is left to grow old, by which its readers know."""
        self.close()
        # A start may be missed meanwhile.
        self._stop_seen = False
        if self._lost_since is None:
            self._lost_since = self._ports.clock.moment()
            self._ports.journal.send(events.DOCKER_LOST, container=self._name, reason=reason)
        self._ports.clock.sleep(_RETRY_S)
        return f"Docker cannot be asked: {reason}"
