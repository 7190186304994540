"""How to get at a machine from outside: command lines, processes with a deadline, and what journalctl prints."""

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.machine.errors import DeadlineMissed

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Where commands of a test run, so that the journal says _SYSTEMD_UNIT=test.scope and nothing of ours is in init.scope.
_SCOPE = "test.scope"
# nsenter needs milliseconds to get inside; with this it is given up.
_START_TIMEOUT_S = 2.0
_AS_USER = (
    'HOME="$(getent passwd "$0" | cut -d: -f6)"; export HOME USER="$0" LOGNAME="$0"; cd / && '
    'exec setpriv --reuid="$0" --regid="$(id -g "$0")" --init-groups -- "$@"'
)


def nsenter(pid: int) -> list[str]:
    return [shutil.which("nsenter") or "nsenter", "-t", str(pid), "-m", "-u", "-i", "-n", "-p", "-C", "-T", "--"]


def enter(pid: int, argv: Sequence[str], *, user: str | None = None) -> list[str]:
    """Return the command that runs argv in the machine whose PID 1 is pid, in the cgroup of tests."""
    as_user = ["/bin/sh", "-c", _AS_USER, user] if user else []
    return [*_join_scope(pid), *nsenter(pid), *as_user, *argv]


def _join_scope(pid: int) -> list[str]:
    payload = payload_cgroup(pid)
    if payload is None:
        return []
    with contextlib.suppress(OSError):
        (payload / _SCOPE).mkdir(exist_ok=True)
    return ["/bin/sh", "-c", 'echo 0 > "$0" && exec "$@"', str(payload / _SCOPE / "cgroup.procs")]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what a command in a machine sees: nothing of the outer machine's."""
    return {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "SYSTEMD_PAGER": "", **(extra or {})}


def find_init(keeper_pid: int, *, depth: int = 4) -> int:
    """Return the pid, as seen here, of the machine's PID 1 below a keeper, or 0 if it isn't (yet) there.

    nspawn has other children for a moment; the one we want is the first process of its PID namespace and runs systemd.
    """
    for child in children(keeper_pid):
        if _is_init(child):
            return child
        if depth and (found := find_init(child, depth=depth - 1)):
            return found
    return 0


def children(pid: int) -> list[int]:
    """Return the pids of a process's children, started by its main thread."""
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    return []


def pid_within(pid: int) -> int:
    """Return the pid that a process has in its own namespace, 0 when it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("NSpid:"):
                return int(line.split()[-1])
    return 0


def _is_init(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/exe").readlink().name == "systemd" and pid_within(pid) == 1
    return False


def payload_cgroup(pid: int) -> Path | None:
    """Return the folder of the machine's cgroup as this process sees it, from the path of its PID 1."""
    mount = _cgroup2_mount()
    if mount is None:
        return None
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines():
            if line.startswith("0::/"):
                return mount / Path(line.removeprefix("0::/")).parent
    return None


def _cgroup2_mount() -> Path | None:
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            return Path(before.split()[4])
    return None


class Spawned(subprocess.Popen[str]):
    """A command in a machine. What we see of it is the nsenter that waits for it; signals go to the command itself."""

    def send_signal(self, sig: int) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while self.poll() is None and not (commands := children(self.pid)) and time.monotonic() < deadline:
            time.sleep(0.01)
        if self.poll() is None:
            for command in commands:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(command, sig)


def run_bounded(
    argv: Sequence[str], *, shown: Sequence[str], timeout_s: float, input_bytes: bytes | None, env: Mapping[str, str]
) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end or to its deadline, when it is killed with all its children.

    shown: the command as people know it, for messages. Raises DeadlineMissed.
    """
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL if input_bytes is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(env),
        start_new_session=True,
    ) as process:
        try:
            stdout, stderr = process.communicate(input_bytes, timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            _kill_all(process)
            text = b"\n".join(output for output in (error.stdout, error.stderr) if output).decode("utf-8", "replace")
            raise DeadlineMissed(f"{shlex.join(shown)}: no end within {timeout_s:g} s\n{text}") from error
        except BaseException:
            _kill_all(process)
            raise
    return subprocess.CompletedProcess(list(shown), process.returncode, stdout, stderr)


def _kill_all(process: subprocess.Popen[bytes]) -> None:
    """Kill a command in a machine with its children, and the nsenter that waits for it last.

    The other way round the command would be left to the outer machine's PID 1; where that one collects nobody, it stays
    a zombie and holds up the machine's shutdown.
    """
    for pid in _descendants(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=_START_TIMEOUT_S)
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    return [found for child in children(pid) for found in (*_descendants(child), child)]


def entries_from_json(text: str) -> list[dict[str, str]]:
    """Read what `journalctl -o json` prints, every value as text.

    Bytes that aren't UTF-8 come as a list of numbers, a field given twice as a list, an empty one as null.
    """
    return [{name: _text(value) for name, value in json.loads(line).items()} for line in text.splitlines() if line.strip()]


def _text(value: object) -> str:
    if isinstance(value, list) and value and all(isinstance(item, int) for item in value):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, list):
        return "\n".join(map(_text, value))
    return "" if value is None else str(value)


def properties_from_show(text: str) -> dict[str, str]:
    """Read what `systemctl show` prints; a property given several times (ExecStart=) has one line each."""
    properties: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        properties[name] = f"{properties[name]}\n{value}" if name in properties else value
    return properties
