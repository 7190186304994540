"""The machines behind the servers: what really boots and ends them, if anything does."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

Hook = Callable[["Machine"], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A server, as what boots it sees it."""

    id: str
    zone: str
    name: str
    commercial_type: str
    image_label: str
    tags: tuple[str, ...]
    user_data: Mapping[str, bytes] = field(default_factory=dict)

    def as_json(self) -> str:
        values = asdict(self)
        values["user_data"] = {name: base64.b64encode(value).decode() for name, value in self.user_data.items()}
        return json.dumps(values)


class Machines:
    """Runs the hooks, each in a thread, one at a time for a server. A hook that failed leaves its server where it is for ever."""

    def __init__(self, hooks: Mapping[str, Hook | None], now_s: Callable[[], float]) -> None:
        self._hooks = hooks
        self._now_s = now_s
        self._lock = threading.Lock()
        self._threads: dict[str, threading.Thread] = {}
        self._failed: set[str] = set()
        self.addresses: dict[str, str] = {}
        # When the newest hook of a server had returned.
        self.done_s: dict[str, float] = {}
        self.errors: list[str] = []

    def begin(self, verb: str, machine: Machine) -> None:
        """Start what the verb (poweron, poweroff, reboot, terminate) stands for; at once over where there is no hook."""
        hook = self._hooks.get(verb)
        if hook is None:
            return
        with self._lock:
            before = self._threads.get(machine.id)
            thread = threading.Thread(
                target=self._run, args=(hook, verb, machine, before), name=f"{verb} {machine.id}", daemon=True
            )
            self._threads[machine.id] = thread
            thread.start()

    def is_done(self, server: str) -> bool:
        """Tell whether all that was begun for a server has ended well."""
        with self._lock:
            thread = self._threads.get(server)
            return server not in self._failed and (thread is None or not thread.is_alive())

    def wait(self) -> None:
        """Wait until nothing is under way."""
        for thread in list(self._threads.values()):
            thread.join()

    def _run(self, hook: Hook, verb: str, machine: Machine, before: threading.Thread | None) -> None:
        if before is not None:
            before.join()
        try:
            answer = hook(machine)
        except Exception:
            self._failed.add(machine.id)
            self.errors.append(f"{verb} {machine.id}: {traceback.format_exc()}")
            print(self.errors[-1], file=sys.stderr, flush=True)
            return
        if verb == "poweron":
            self.addresses[machine.id] = str(answer)
        self.done_s[machine.id] = self._now_s()


def run_command(command: str, verb: str) -> Hook:
    """Return a hook that is a command: `COMMAND VERB ID`, with the Machine on its input; its output is the answer."""

    def run(machine: Machine) -> str:
        done = subprocess.run(
            [command, verb, machine.id], input=machine.as_json(), stdout=subprocess.PIPE, text=True, check=True, timeout=600
        )
        return done.stdout.strip()

    return run
