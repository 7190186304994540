"""The process that keeps one machine: mounts its file system, runs systemd-nspawn, and takes all of it down.

It is started by machine.py with `unshare --mount --pid --fork --kill-child`, and that is the clean-up: it is PID 1 of
its own PID namespace and everything it mounts is in its own mount namespace, so when it ends, even by SIGKILL, the
kernel ends every process of the machine and drops every mount. It ends when its owner says so, closes the control pipe,
or dies (a pidfd of the owner tells). The only trace in the system are two empty cgroups; the next keeper removes what a
killed one left.

Standard input is the control pipe; a line is one command: "boot", "cut" (power loss) or "stop".
"""

import contextlib
import json
import os
import select
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

# All of a machine's mounts are below here, in our mount namespace only. Being on /run also hides the outer machine's
# /run/systemd, where nspawn would leave locks and folders.
RUN = Path("/run")
ROOT = RUN / "machine/root"
FUSE = RUN / "machine/fuse"
CGROUPS = Path("/sys/fs/cgroup")
CGROUP_PREFIX = "plexguard-testbed-"
# nspawn ends with this code when the machine asked for a reboot (--keep-unit leaves the restart to us).
_REBOOT = 133
_END_TIMEOUT_S = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to keep, as it comes in argv.

    lowers: read-only folders, topmost first. upper: a folder that is kept afterwards, or None for memory.
    volumes: folders of the machine that get a tmpfs of their own, which outlives its reboots.
    owner_fd: a pidfd of the process that wants the machine. uptime_s: for how long it is to say that it has been up when it
    boots; None for as long as the outer machine.
    """

    cgroup: str
    lowers: list[str]
    upper: str | None
    volumes: list[str]
    nspawn: list[str]
    owner_fd: int
    uptime_s: int | None


def prepare(order: Order) -> None:
    """Set up the mounts of our namespace and the machine's cgroup."""
    # One view for every outer machine, whether it has cgroups v1, v2, both, or runs in a container itself.
    _mount("-t", "cgroup2", "cgroup2", str(CGROUPS))
    # Before /proc is exchanged: it still shows the outer machine's processes.
    remove_stale_cgroups()
    (CGROUPS / order.cgroup).mkdir()
    _mount("-t", "proc", "proc", "/proc")
    _mount("-t", "tmpfs", "-o", "mode=755", "plexguard", str(RUN))
    ROOT.mkdir(parents=True)
    _mount_root(order)
    _make_fuse()
    for index, _ in enumerate(order.volumes):
        volume = volume_path(index)
        volume.mkdir(parents=True)
        _mount("-t", "tmpfs", "-o", "mode=755", "plexguard-volume", str(volume))


def volume_path(index: int) -> Path:
    return RUN / "machine" / f"volume{index}"


def _make_fuse() -> None:
    """Make a FUSE device that every user may open, as udev does on Debian: the outer machine's may be root's alone."""
    os.mknod(FUSE, stat.S_IFCHR, os.makedev(10, 229))
    FUSE.chmod(0o666)


def _mount_root(order: Order) -> None:
    # A tmpfs of its own, so that a machine that fills its disk doesn't fill /run too.
    disk = RUN / "machine/disk"
    disk.mkdir()
    if order.upper is None:
        _mount("-t", "tmpfs", "plexguard-disk", str(disk))
    else:
        _mount("--bind", order.upper, str(disk))
    for name in ("upper", "work"):
        (disk / name).mkdir(exist_ok=True)
    lowers = ":".join(order.lowers)
    options = f"lowerdir={lowers},upperdir={disk}/upper,workdir={disk}/work"
    _mount("-t", "overlay", "-o", options, "plexguard-root", str(ROOT))


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], stdin=subprocess.DEVNULL, check=True, timeout=30)


def start_time(pid: int) -> str:
    """Return when a process started, in clock ticks since boot, or an empty text if there is none.

    With it a pid names one process for ever. The second field of the line may hold spaces and parentheses: proc(5).
    """
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return line.rpartition(")")[2].split()[19]


def remove_stale_cgroups() -> None:
    """Remove the cgroups of machines whose owner is gone: the name ends with its pid, start time and a number."""
    for folder in CGROUPS.glob(f"{CGROUP_PREFIX}*"):
        pid, _, rest = folder.name.removeprefix(CGROUP_PREFIX).partition("-")
        if not pid.isdigit() or start_time(int(pid)) != rest.partition("-")[0]:
            remove_cgroup(folder)


def remove_cgroup(folder: Path, *, itself: bool = True) -> None:
    """Kill what is left in a cgroup and remove it with all below, or only what is below; what is still busy stays for the next time.

    Linux counts how often each was killed, and ends at once what is started from one into another of another count, as the systemd
    of trixie starts everything: none of an earlier boot may stay.
    """
    with contextlib.suppress(OSError):
        (folder / "cgroup.kill").write_text("1", encoding="ascii")
    deadline = time.monotonic() + _END_TIMEOUT_S
    while time.monotonic() < deadline:
        found = [Path(path) for path, _, _ in os.walk(folder, topdown=False) if itself or Path(path) != folder]
        if not found:
            return
        for path in found:
            with contextlib.suppress(OSError):
                path.rmdir()
        time.sleep(0.02)


@dataclass(slots=True)
class Keeper:
    """The running side: one nspawn at a time, ended with the machine."""

    order: Order
    nspawn: int = 0
    unread: bytes = field(default=b"")

    def serve(self, wakeup: int) -> None:
        poll = select.poll()
        for descriptor in (0, wakeup, self.order.owner_fd):
            poll.register(descriptor, select.POLLIN)
        self.boot()
        while True:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if wakeup in ready:
                os.read(wakeup, 4096)
                self.reap()
            if self.order.owner_fd in ready or (0 in ready and not self.obey()):
                return

    def obey(self) -> bool:
        """Carry out what came through the control pipe; False when it is time to end."""
        chunk = os.read(0, 4096)
        *lines, self.unread = (self.unread + chunk).split(b"\n")
        for line in lines:
            if line == b"boot" and not self.nspawn:
                self.boot()
            if line == b"cut":
                self.end()
            if line == b"stop":
                return False
        return bool(chunk)

    def boot(self) -> None:
        joined = CGROUPS / self.order.cgroup / "cgroup.procs"
        argv = [*enter_time(self.order.uptime_s), *self.order.nspawn]
        self.nspawn = os.fork()
        if self.nspawn:
            return
        try:
            joined.write_text("0", encoding="ascii")
            os.setsid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.execvp(argv[0], argv)
        except OSError as error:
            print(f"Failed to start {argv[0]}: {error}", file=sys.stderr, flush=True)
        os._exit(os.EX_OSERR)

    def reap(self) -> None:
        """Collect ended processes; as PID 1 we inherit orphans too. A machine that asked for a reboot gets it."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self.nspawn:
                    self.nspawn = 0
                    if os.waitstatus_to_exitcode(status) == _REBOOT:
                        self.boot()

    def end(self) -> None:
        """Kill the machine as a power cut would, and wait until it is gone."""
        cgroup = CGROUPS / self.order.cgroup
        with contextlib.suppress(OSError):
            (cgroup / "cgroup.kill").write_text("1", encoding="ascii")
        if self.nspawn:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.nspawn, signal.SIGKILL)
            os.waitpid(self.nspawn, 0)
            self.nspawn = 0
        remove_cgroup(cgroup, itself=False)


def enter_time(uptime_s: int | None) -> list[str]:
    """Return what starts a command in a time namespace of its own, in which the machine has been up for this long."""
    if uptime_s is None:
        return []
    return ["unshare", "--time", f"--boottime={uptime_s - int(time.clock_gettime(time.CLOCK_BOOTTIME))}", "--"]


def _order_from_json(text: str) -> Order:
    return Order(**json.loads(text))


def _keep_to_ourselves() -> None:
    """Let no child inherit what we hold: a lock on a layer, the pidfd of the owner."""
    for descriptor in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        with contextlib.suppress(OSError):
            os.set_inheritable(descriptor, descriptor <= 2)


def _catch_child_signals() -> int:
    """Return a file descriptor that becomes readable when a child ends."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return reader


def main(argv: Sequence[str]) -> int:
    order = _order_from_json(argv[1])
    _keep_to_ourselves()
    prepare(order)
    keeper = Keeper(order=order)
    try:
        keeper.serve(_catch_child_signals())
    finally:
        keeper.end()
        remove_cgroup(CGROUPS / order.cgroup)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
