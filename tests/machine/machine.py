"""A real systemd machine for tests: boots from a tree in half a second, and leaves nothing behind.

    with Machine(READY) as machine:
        machine.run(["systemctl", "start", "example.service"])
        assert machine.journal("example.service")

Every machine has its own file system (an overlay in memory over the tree), processes, host name, cgroups and, unless
asked otherwise, its own network with nothing but a loopback. `keeper.py` holds it and takes it down however we end.

`run` enters through nsenter, past the limits that nspawn sets on the machine: what a service may do, a unit proves.
"""

import contextlib
import functools
import itertools
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self, TypeVar

from tests.machine import inside, keeper
from tests.machine.errors import CommandFailed, DeadlineMissed, MachineError
from tests.machine.network import Cable
from tests.machine.tree import READY

_BOOT_TIMEOUT_S = 60.0
_END_TIMEOUT_S = 15.0
_POLL_S = 0.1
_SYSTEM_CALLS = "add_key keyctl bpf @keyring fanotify_init fanotify_mark open_by_handle_at"
_numbers = itertools.count(1)

Found = TypeVar("Found")
Network = Literal["private", "shared"]


class Source(Protocol):
    """What a machine can start from: a Tree or a Layer."""

    @property
    def needs_disk(self) -> tuple[str, ...]: ...

    def lowers(self) -> tuple[Path, ...]: ...

    def held(self) -> contextlib.AbstractContextManager[tuple[int, ...]]: ...


class Machine:
    def __init__(
        self,
        source: Source = READY,
        *,
        network: Network | Cable = "private",
        name: str = "plexguard",
        volumes: Sequence[str] = ("/srv",),
        binds: Mapping[Path, str] | None = None,
        upper: Path | None = None,
        uptime_s: int | None = None,
        allow_degraded: bool = False,
        is_awaited: bool = True,
    ) -> None:
        """Describe a machine; it boots when entered as a context.

        network: "private" has a loopback alone, so any number of machines may have the same port; "shared" is the outer
        machine's, for apt; a Lan is a real interface with a router and an internet, and others are joined to its switch.
        name: its host name, need not be unique. volumes: folders on a tmpfs of their own, which outlives reboots, for what
        an overlay refuses (fanotify on a whole file system). binds: outer folders and where they are inside. upper: where
        its changes are kept; None for memory, forgotten at the end. uptime_s: for how long it says that it has been up at
        each boot; None: for as long as the outer machine, whatever that is. is_awaited: a boot is over when all is
        started; else as soon as there is a PID 1, as for one who switches on a machine elsewhere.
        """
        self.name = name
        self._source = source
        self._network = network
        self._volumes = tuple(dict.fromkeys((*volumes, *source.needs_disk)))
        self._binds = dict(binds or {})
        self._upper = upper
        self._uptime_s = uptime_s
        self._allow_degraded = allow_degraded
        self._is_awaited = is_awaited
        self._cleanup = contextlib.ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0

    # Its life

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._console = stack.enter_context(tempfile.TemporaryFile())
            self._process = self._start_keeper(stack)
            stack.callback(self._end)
            self._await_boot(_BOOT_TIMEOUT_S)
            self._cleanup = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._cleanup.close()

    @property
    def pid(self) -> int:
        """The machine's PID 1 as seen from outside; 0 when it is off."""
        return self._pid

    @property
    def is_on(self) -> bool:
        """Whether it runs, also when it has shut down or rebooted by itself meanwhile."""
        if not _is_alive(self._pid):
            self._pid = inside.find_init(self._keeper().pid)
        return bool(self._pid)

    def reboot(self, *, timeout_s: float = _BOOT_TIMEOUT_S) -> None:
        """Reboot as an administrator does and wait until it runs again."""
        before = self._pid
        # Unchecked: the shutdown may end the command before it is done.
        self.run(["systemctl", "--no-block", "reboot"], check=False)
        self.await_reboot(before, timeout_s=timeout_s)

    def await_reboot(self, before: int, *, timeout_s: float = _BOOT_TIMEOUT_S) -> None:
        """Wait until the machine, whose PID 1 was `before`, has rebooted by itself and runs again."""
        self._await(lambda: not _is_alive(before), timeout_s=timeout_s, what=f"shutdown of {self.name}")
        self._await_boot(timeout_s)

    def poweroff(self, *, timeout_s: float = _BOOT_TIMEOUT_S) -> None:
        """Shut down and wait until it is off; its journal can still be read, and boot() starts it again."""
        before = self._pid
        # Unchecked: the shutdown may end the command before it is done.
        self.run(["systemctl", "--no-block", "poweroff"], check=False)
        self._await(lambda: not _is_alive(before), timeout_s=timeout_s, what=f"shutdown of {self.name}")
        self._await(lambda: not self._has_nspawn(), timeout_s=timeout_s, what=f"end of {self.name}")
        self._pid = 0

    def cut_power(self) -> None:
        """Kill everything at once, as a power cut does; boot() starts it again with the disk as it was."""
        self._send("cut")
        self._await(lambda: not self._has_nspawn(), timeout_s=_END_TIMEOUT_S, what=f"end of {self.name}")
        self._pid = 0

    def boot(self, *, timeout_s: float = _BOOT_TIMEOUT_S) -> None:
        """Start a machine that is off and wait until it runs."""
        self._send("boot")
        self._await_boot(timeout_s)

    # Commands and files

    def run(
        self,
        argv: Sequence[str],
        *,
        check: bool = True,
        timeout_s: float = 60,
        input: str | None = None,
        user: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the machine to its end.

        check: a code other than 0 raises CommandFailed. user: a name in the machine, root if None; no login session.
        Raises DeadlineMissed when it doesn't end in time; it is then killed.
        """
        done = self._run(argv, timeout_s=timeout_s, data=None if input is None else input.encode(), user=user, env=env)
        text = subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        )
        if check and text.returncode != 0:
            raise CommandFailed(text)
        return text

    def spawn(self, argv: Sequence[str], *, user: str | None = None, env: Mapping[str, str] | None = None) -> inside.Spawned:
        """Start a command in the machine with pipes for its three streams; it ends with the machine at the latest.

        Signals (`terminate()`, `kill()`) reach the command itself; its `pid` is of the process here that waits for it.
        """
        return inside.Spawned(
            self._enter(argv, user=user),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=inside.environment(env),
            text=True,
            start_new_session=True,
        )

    def shell(self, argv: Sequence[str] = ()) -> int:
        """Give the terminal to a shell, or another command, in the machine until it ends; return its code."""
        terminal = os.environ.get("TERM", "dumb")
        env = inside.environment({"TERM": terminal})
        del env["SYSTEMD_PAGER"]
        return subprocess.call(self._enter(argv or ["/bin/bash", "-l"]), env=env, cwd="/")

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file of root's, with the folders above it; it has never more rights than mode."""
        self._write(path, text.encode(), mode)

    def read(self, path: str) -> str:
        return self.run(["cat", "--", path]).stdout

    def push(self, source: Path | str, destination: str) -> None:
        """Copy an outer file or folder; destination is its full new name. It belongs to root and keeps its modes."""
        origin = Path(source)
        if not origin.is_dir():
            self._write(destination, origin.read_bytes(), origin.stat().st_mode & 0o7777)
            return
        archive = subprocess.run(
            ["tar", "-C", str(origin), "--owner=0", "--group=0", "-c", "."],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=300,
            check=True,
        )
        script = 'mkdir -p -- "$0" && tar -C "$0" -x'
        self._check(self._run(["sh", "-c", script, destination], timeout_s=300, data=archive.stdout))

    def install(self, deb: Path | str, *, timeout_s: float = 300) -> str:
        """Install a package file with apt and return what was printed.

        Recommended packages are left out, since a machine without a network could not get them.
        """
        inner = f"/tmp/{Path(deb).name}"
        self.push(deb, inner)
        argv = ["apt-get", "install", "-y", "--no-install-recommends", inner]
        return self.run(argv, timeout_s=timeout_s, env={"DEBIAN_FRONTEND": "noninteractive"}).stdout

    # systemd

    def systemctl(self, *arguments: str, check: bool = True, timeout_s: float = 60) -> str:
        return self.run(["systemctl", *arguments], check=check, timeout_s=timeout_s).stdout

    def unit(self, name: str) -> dict[str, str]:
        """Return all properties of a unit, as `systemctl show` names them."""
        return inside.properties_from_show(self.systemctl("show", "--", name))

    def failed_units(self) -> list[str]:
        text = self.systemctl("list-units", "--failed", "--plain", "--no-legend", check=False)
        return [line.split()[0] for line in text.splitlines() if line.strip()]

    def journal(
        self, unit: str | None = None, *, since_cursor: str | None = None, matches: Sequence[str] = ()
    ) -> list[dict[str, str]]:
        """Return entries, oldest first, all boots, every field as text.

        unit: what systemd counts to it, its manager's messages too. matches: FIELD=value, as journalctl takes them.
        Works when the machine is off as well.
        """
        arguments = ["-o", "json", "-a", *matches]
        arguments += ["-u", unit] if unit else []
        # Not --after-cursor: together with a filter it swallows the first entry if the cursor's own one doesn't match.
        arguments += [f"--cursor={since_cursor}"] if since_cursor else []
        entries = inside.entries_from_json(self._journalctl(arguments))
        return [entry for entry in entries if entry["__CURSOR"] != since_cursor]

    def cursor(self) -> str:
        """Return the place of the newest entry, for `journal(since_cursor=…)`; empty if there is none."""
        entries = inside.entries_from_json(self._journalctl(["-o", "json", "-n", "1"]))
        return entries[0]["__CURSOR"] if entries else ""

    def journal_text(self, *arguments: str) -> str:
        """Return the journal as people read it."""
        return self._journalctl(["-o", "short-precise", *arguments])

    def wait_for(self, predicate: Callable[[], Found], *, timeout_s: float, what: str) -> Found:
        """Ask ten times a second until the answer is true, and return it.

        Raises DeadlineMissed with `what` and the journal's tail.
        """
        return self._await(predicate, timeout_s=timeout_s, what=what)

    def console(self) -> str:
        """Return what nspawn and the machine's console printed so far."""
        self._console.seek(0)
        return self._console.read().decode("utf-8", "replace")

    # Inner workings

    def _start_keeper(self, stack: contextlib.ExitStack) -> subprocess.Popen[bytes]:
        held = stack.enter_context(self._source.held())
        lowers = [str(path) for path in self._source.lowers()]
        cgroup = f"{keeper.CGROUP_PREFIX}{os.getpid()}-{keeper.start_time(os.getpid())}-{next(_numbers)}"
        owner = os.pidfd_open(os.getpid())
        order = {
            "cgroup": cgroup,
            "lowers": lowers,
            "upper": None if self._upper is None else str(self._upper),
            "volumes": list(self._volumes),
            "nspawn": self._nspawn(),
            "owner_fd": owner,
            "uptime_s": self._uptime_s,
        }
        try:
            return subprocess.Popen(
                [
                    *(self._network.enter() if not isinstance(self._network, str) else ()),
                    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "--"),
                    *(sys.executable, "-I", str(Path(keeper.__file__)), json.dumps(order)),
                ],
                stdin=subprocess.PIPE,
                stdout=self._console,
                stderr=subprocess.STDOUT,
                env={"PATH": inside.PATH, "LANG": "C.UTF-8", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                cwd="/",
                # Ctrl-C is for the tests; the machine ends when they are done with it.
                start_new_session=True,
                pass_fds=(owner, *held),
            )
        finally:
            os.close(owner)

    def _nspawn(self) -> list[str]:
        binds = {str(outer): inner for outer, inner in self._binds.items()}
        binds |= {str(keeper.volume_path(index)): inner for index, inner in enumerate(self._volumes)}
        binds |= {str(keeper.FUSE): "/dev/fuse"}
        return [
            *("systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--console=read-only"),
            *(f"--directory={keeper.ROOT}", f"--machine={self.name}", "--resolv-conf=off", "--timezone=off"),
            # Without the right to load modules systemd 257 leaves alone the service that would try and fail.
            *("--capability=all", "--drop-capability=CAP_SYS_MODULE", f"--system-call-filter={_SYSTEM_CALLS}"),
            *self._network_options(),
            *(f"--bind={outer}:{inner}" for outer, inner in binds.items()),
        ]

    def _network_options(self) -> list[str]:
        if not isinstance(self._network, str):
            return self._network.nspawn_options()
        return ["--private-network"] if self._network == "private" else []

    def _await_boot(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        state = "no systemd"
        while state not in {"running", "degraded"}:
            if self._process is not None and self._process.poll() is not None:
                raise MachineError(f"Failed to start {self.name}:\n{self.console()[-4000:]}")
            if time.monotonic() > deadline:
                raise DeadlineMissed(f"boot of {self.name}: {state} after {timeout_s:g} s\n{self.console()[-4000:]}")
            time.sleep(0.05)
            state = self._state() or state
            if self._pid and not self._is_awaited:
                return
        if state == "degraded" and not self._allow_degraded:
            raise MachineError(f"{self.name}: failed units: {' '.join(self.failed_units())}\n{self._tail()}")

    def _state(self) -> str:
        self._pid = inside.find_init(self._keeper().pid)
        if not self._pid:
            return ""
        with contextlib.suppress(DeadlineMissed):
            return self.run(["systemctl", "is-system-running"], check=False, timeout_s=5).stdout.strip()
        return ""

    def _await(self, predicate: Callable[[], Found], *, timeout_s: float, what: str) -> Found:
        deadline = time.monotonic() + timeout_s
        while True:
            found = predicate()
            if found:
                return found
            if time.monotonic() > deadline:
                raise DeadlineMissed(f"{what}: not within {timeout_s:g} s\n{self._tail()}")
            time.sleep(_POLL_S)

    def _tail(self) -> str:
        with contextlib.suppress(MachineError):
            return self.journal_text("-n", "40")
        return self.console()[-4000:]

    def _keeper(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise MachineError(f"{self.name}: not started; use it as a context")
        return self._process

    def _send(self, command: str) -> None:
        pipe = self._keeper().stdin
        assert pipe is not None
        with contextlib.suppress(BrokenPipeError):
            pipe.write(command.encode() + b"\n")
            pipe.flush()

    def _has_nspawn(self) -> bool:
        return any(inside.children(child) for child in inside.children(self._keeper().pid))

    def _end(self) -> None:
        process = self._keeper()
        self._send("stop")
        try:
            process.wait(timeout=_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            # unshare takes the keeper with it, and the kernel all the rest.
            process.kill()
            process.wait(timeout=_END_TIMEOUT_S)
        finally:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            self._process = None
            self._pid = 0

    def _enter(self, argv: Sequence[str], *, user: str | None = None) -> list[str]:
        if not self._pid:
            raise MachineError(f"{shlex.join(argv)}: {self.name} is off")
        return inside.enter(self._pid, argv, user=user)

    def _run(
        self,
        argv: Sequence[str],
        *,
        timeout_s: float,
        data: bytes | None = None,
        user: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        command = self._enter(argv, user=user)
        return inside.run_bounded(command, shown=argv, timeout_s=timeout_s, input_bytes=data, env=inside.environment(env))

    def _check(self, done: subprocess.CompletedProcess[bytes]) -> None:
        if done.returncode != 0:
            text = done.stderr.decode("utf-8", "replace")
            raise CommandFailed(subprocess.CompletedProcess(done.args, done.returncode, "", text))

    def _write(self, path: str, data: bytes, mode: int) -> None:
        # Its mode is set before it is closed: what is told of closed files may change the mode at once, and keeps it.
        script = 'umask 077 && mkdir -p -m 755 -- "$(dirname -- "$0")" && { chmod "$1" -- "$0" && cat; } > "$0"'
        self._check(self._run(["sh", "-c", script, path, f"{mode:o}"], timeout_s=300, data=data))

    def _journalctl(self, arguments: Sequence[str]) -> str:
        argv = ["journalctl", "--no-pager", "-q", *arguments]
        if self._pid and _is_alive(self._pid):
            self.run(["journalctl", "--sync"], check=False, timeout_s=20)
            return self.run(argv, check=False).stdout
        folder = keeper.ROOT / "var/log/journal"
        holders = inside.children(self._keeper().pid)
        if not holders:
            raise MachineError(f"{self.name}: no journal, its keeper is gone\n{self.console()[-4000:]}")
        entered = ["nsenter", "-t", str(holders[0]), "-m", "--", *argv, "-D", str(folder)]
        done = inside.run_bounded(entered, shown=argv, timeout_s=60, input_bytes=None, env=inside.environment())
        return done.stdout.decode("utf-8", "replace")


def _is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that ended but wasn't collected does not."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return line.rpartition(")")[2].split()[0] != "Z"


@functools.cache
def can_run() -> str | None:
    """Return why machines can't run here, or None when they can."""
    if os.geteuid() != 0:
        return "test machines need root"
    programs = ("systemd-nspawn", "mmdebstrap", "unshare", "nsenter", "setpriv", "mount", "tar", "apt-config")
    missing = [program for program in programs if shutil.which(program, path=inside.PATH) is None]
    if missing:
        return f"test machines need {', '.join(missing)} (apt-get install systemd-container mmdebstrap)"
    return _try_mounts()


def _try_mounts() -> str | None:
    """Do once what a keeper does, and return the reason if it is refused."""
    script = (
        "mount -t cgroup2 cgroup2 /sys/fs/cgroup && mount -t tmpfs tmpfs /run && cd /run && mkdir upper work root && "
        "mount -t overlay -o lowerdir=/etc,upperdir=upper,workdir=work overlay root && "
        "mkdir /sys/fs/cgroup/plexguard-trial-$0 && rmdir /sys/fs/cgroup/plexguard-trial-$0"
    )
    unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "--"]
    argv = [*unshare, "sh", "-c", script, str(os.getpid())]
    env = {"PATH": inside.PATH, "LANG": "C.UTF-8"}
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False, env=env)
    return None if done.returncode == 0 else f"test machines need mounts and cgroups: {done.stderr.strip()}"
