"""The port to the service manager: what state is a unit in, start it, stop it, hold off a shutdown."""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from plexguard.core.errors import PeerError
from plexguard.core.host import CommandFailed, Host

# A question to the manager; a job may take longer and says so itself.
_ASK_TIMEOUT_S = 10.0
# Results (systemd.service(5)) of a unit that nobody asked to stop.
_ENDED_BY_MANAGER = ("oom-kill", "watchdog", "start-limit-hit", "resources", "protocol")
# What the manager says of the whole system; "offline" and "unknown" are said where it does not answer.
_SYSTEM_STATES = ("initializing", "starting", "running", "degraded", "maintenance", "stopping")
_PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "UnitFileState",
    "UnitFilePreset",
    "User",
    "Group",
    "Environment",
    "MainPID",
    "ExecMainStatus",
    "InactiveExitTimestampMonotonic",
    "ActiveExitTimestampMonotonic",
    "ExecMainExitTimestampMonotonic",
    "ConditionResult",
    "ConditionTimestampMonotonic",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit as the manager sees it. Texts are those of systemctl(1); started_s: on CLOCK_MONOTONIC, 0 when never.
    exit_code: of its last main process, or the signal that ended it. left_active_s, ended_s: when it was last told to stop
    or found to have ended, and when its main process ended. preset: "enabled" or "disabled", where nobody has said otherwise.
    was_skipped: its last start came to nothing, since a condition of the unit was not met."""

    name: str
    load_state: str = "not-found"
    active_state: str = "inactive"
    sub_state: str = "dead"
    result: str = "success"
    file_state: str = ""
    preset: str = ""
    user: str = ""
    group: str = ""
    environment: str = ""
    main_pid: int = 0
    exit_code: int = 0
    left_active_s: float = 0.0
    ended_s: float = 0.0
    started_s: float = 0.0
    was_skipped: bool = False

    @property
    def exists(self) -> bool:
        return self.load_state in ("loaded", "masked")

    @property
    def was_told_to_stop(self) -> bool:
        """Whether its last end was asked for: the unit left "active" before its process ended, and not after it. What the
        manager itself ends, for want of memory or of a sign of life, looks the same, and was asked for by nobody. Nor was the end
        of a start that failed, after a crash."""
        has_begun_anew = self.started_s > self.left_active_s
        return 0.0 < self.left_active_s < self.ended_s and not has_begun_anew and self.result not in _ENDED_BY_MANAGER

    @property
    def runs(self) -> bool:
        return self.active_state in ("active", "reloading")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """When a timer last elapsed and will next, None when it did not or will not."""

    name: str
    last: datetime | None = None
    next: datetime | None = None


class Manager(Protocol):
    def unit(self, name: str) -> Unit: ...

    def look_up(self, names: Sequence[str]) -> tuple[Unit, ...]:
        """Return several units at once, in any order, those of templates among them. Raises CommandError."""
        ...

    def find_units(self, pattern: str) -> tuple[Unit, ...]:
        """Return every unit that is installed under such a name, templates left out, and what was made of one and is not enabled.
        Raises CommandError and PeerError."""
        ...

    def find_timers(self, pattern: str) -> tuple[Timer, ...]:
        """Return the timers of such a name that the manager knows. Raises CommandError and PeerError."""
        ...

    def start(self, name: str, *, timeout_s: float | None = None) -> None:
        """Start a unit and wait for it; with no timeout the job is only queued. Raises CommandError."""
        ...

    def stop(self, name: str, *, timeout_s: float | None = None) -> None:
        """Stop a unit and wait for it; with no timeout the job is only queued. Raises CommandError."""
        ...

    def kill(self, name: str) -> None:
        """Send SIGKILL to every process of a unit."""
        ...

    def reset_failed(self, name: str) -> None:
        """Forget a unit's failures, and with them its start limit."""
        ...

    def restart(self, name: str, *, timeout_s: float) -> None:
        """Stop and start a unit in one job, and wait for it. After a CommandTimeout the job goes on."""
        ...

    def try_restart(self, name: str, *, timeout_s: float | None = None) -> None:
        """Restart a unit if it runs, and wait for it; with no timeout the job is only queued."""
        ...

    def try_reload(self, name: str, *, timeout_s: float | None = None) -> None:
        """Have a unit that runs read its configuration anew, and wait for it; what cannot is restarted. With no timeout the job is
        only queued."""
        ...

    def reload(self) -> None:
        """Read all unit files again, generators first."""
        ...

    def is_stopping(self) -> bool:
        """Tell whether the whole machine is being shut down. Raises PeerError when that cannot be told."""
        ...

    def inhibit(self, *, what: str, why: str) -> contextlib.AbstractContextManager[None]:
        """Delay sleep or shutdown for as long as the context lasts (systemd-inhibit(1))."""
        ...


class SystemdManager:
    """systemd, asked through systemctl(1)."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def unit(self, name: str) -> Unit:
        done = self._host.run(["systemctl", "show", "--property=" + ",".join(_PROPERTIES), "--", name], timeout_s=_ASK_TIMEOUT_S)
        return parse_unit(name, done.stdout)

    def find_units(self, pattern: str) -> tuple[Unit, ...]:
        files = self._list("list-unit-files", "--", pattern)
        names = [name for file in files if "@." not in (name := str(file.get("unit_file", "")))]
        return self.look_up(names)

    def look_up(self, names: Sequence[str]) -> tuple[Unit, ...]:
        if not names:
            return ()
        properties = "--property=" + ",".join(("Id", *_PROPERTIES))
        done = self._host.run(["systemctl", "show", properties, "--", *names], timeout_s=_ASK_TIMEOUT_S)
        return parse_units(done.stdout)

    def find_timers(self, pattern: str) -> tuple[Timer, ...]:
        rows = self._list("list-timers", "--all", "--", pattern)
        return tuple(
            Timer(name=str(row.get("unit", "")), last=_read_time(row.get("last")), next=_read_time(row.get("next"))) for row in rows
        )

    def _list(self, *words: str) -> list[dict[str, Any]]:
        # Nothing of that name is an exit code too.
        done = self._host.run(["systemctl", "--output=json", *words], timeout_s=_ASK_TIMEOUT_S, check=False)
        try:
            rows = json.loads(done.stdout)
        except ValueError as error:
            raise PeerError(f"systemctl {words[0]}: {done.stderr.strip() or f'no JSON: {error}'}") from error
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []

    def start(self, name: str, *, timeout_s: float | None = None) -> None:
        self._systemctl("start", name, timeout_s=timeout_s)

    def restart(self, name: str, *, timeout_s: float) -> None:
        self._systemctl("restart", name, timeout_s=timeout_s)

    def try_restart(self, name: str, *, timeout_s: float | None = None) -> None:
        self._systemctl("try-restart", name, timeout_s=timeout_s)

    def try_reload(self, name: str, *, timeout_s: float | None = None) -> None:
        self._systemctl("try-reload-or-restart", name, timeout_s=timeout_s)

    def stop(self, name: str, *, timeout_s: float | None = None) -> None:
        self._systemctl("stop", name, timeout_s=timeout_s)

    def kill(self, name: str) -> None:
        self._systemctl("kill", "--signal=SIGKILL", name, timeout_s=_ASK_TIMEOUT_S)

    def reset_failed(self, name: str) -> None:
        # Nothing to forget is an exit code too.
        with contextlib.suppress(CommandFailed):
            self._systemctl("reset-failed", name, timeout_s=_ASK_TIMEOUT_S)

    def reload(self) -> None:
        self._systemctl("daemon-reload", timeout_s=60.0)

    def is_stopping(self) -> bool:
        # Every state but "running" is an exit code too.
        done = self._host.run(["systemctl", "is-system-running"], timeout_s=_ASK_TIMEOUT_S, check=False)
        state = done.stdout.strip()
        if state not in _SYSTEM_STATES:
            raise PeerError(f"systemctl is-system-running: {done.stderr.strip() or state or 'no answer'}")
        return state == "stopping"

    def inhibit(self, *, what: str, why: str) -> contextlib.AbstractContextManager[None]:
        # cat ends when its stdin is closed, and the lock goes with it, however this process ends.
        return self._host.hold(["systemd-inhibit", f"--what={what}", "--mode=delay", "--who=plexguard", f"--why={why}", "cat"])

    def _systemctl(self, *words: str, timeout_s: float | None) -> None:
        wait = ["--no-block"] if timeout_s is None else []
        self._host.run(["systemctl", "--no-ask-password", *wait, *words], timeout_s=timeout_s or _ASK_TIMEOUT_S)


def parse_unit(name: str, text: str) -> Unit:
    """Parse `systemctl show`. Properties that are not there (a unit that is not loaded) keep their defaults."""
    found = dict(line.partition("=")[::2] for line in text.splitlines())
    return Unit(
        name=name,
        load_state=found.get("LoadState", "not-found"),
        active_state=found.get("ActiveState", "inactive"),
        sub_state=found.get("SubState", "dead"),
        result=found.get("Result", "success"),
        file_state=found.get("UnitFileState", ""),
        preset=found.get("UnitFilePreset", ""),
        user=found.get("User", ""),
        group=found.get("Group", ""),
        environment=found.get("Environment", ""),
        main_pid=_number(found.get("MainPID", "")),
        exit_code=_number(found.get("ExecMainStatus", "")),
        started_s=_number(found.get("InactiveExitTimestampMonotonic", "")) / 1e6,
        left_active_s=_number(found.get("ActiveExitTimestampMonotonic", "")) / 1e6,
        ended_s=_number(found.get("ExecMainExitTimestampMonotonic", "")) / 1e6,
        # One that was never looked at has no time, and the same result.
        was_skipped=found.get("ConditionResult") == "no" and _number(found.get("ConditionTimestampMonotonic", "")) > 0,
    )


def parse_units(text: str) -> tuple[Unit, ...]:
    """Parse `systemctl show` of several units, with their Id."""
    blocks = [block for block in text.split("\n\n") if block.strip()]
    return tuple(parse_unit(block.partition("Id=")[2].partition("\n")[0], block) for block in blocks)


def _read_time(value: object) -> datetime | None:
    """Return the time of a number of microseconds; 0, or nothing, and what is beyond all time mean never."""
    if not isinstance(value, int) or not 0 < value < 1 << 57:
        return None
    return datetime.fromtimestamp(value / 1e6, UTC)


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def is_stopped(unit: Unit) -> bool:
    """Tell whether a unit exists and neither runs nor is about to."""
    return unit.exists and unit.active_state in ("inactive", "failed", "deactivating")
