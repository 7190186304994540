"""A mount by a real rclone, for the length of a `with` block, and unmounted whatever was done to it."""

import contextlib
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from plexguard.core.mounts import read_mounts
from tests.fakes.storage import ENVIRONMENT, RCLONE, Storage
from tests.loopback import free_port
from tests.waiting import await_true, freeze

# A read of a storage that is away fails within the patience of a test.
QUICK = ("--timeout=5s", "--contimeout=2s", "--low-level-retries=1")
USER, PASSWORD = "stand", "password-of-tests"
CONNECTIONS = Path("/sys/fs/fuse/connections")


@contextlib.contextmanager
def control_files(folder: Path) -> Iterator[Path]:
    """Give the kernel's control files of FUSE (fusectl), wherever the outer machine has them or not."""
    place = folder / "connections"
    place.mkdir()
    subprocess.run(["mount", "-t", "fusectl", "fusectl", str(place)], check=True, timeout=10)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True, timeout=10)


def give_control_files() -> None:
    """Mount the control files where systemd has them on every machine with FUSE: what boots without it has an empty folder there."""
    if not CONNECTIONS.is_mount():
        # Another worker may be quicker; the kernel refuses a second mount of the same in the same place.
        subprocess.run(["mount", "-t", "fusectl", "fusectl", str(CONNECTIONS)], check=False, capture_output=True, timeout=10)
    assert CONNECTIONS.is_mount(), "no control files of FUSE: is this root, and the module fuse loaded?"


def take_control_files() -> None:
    subprocess.run(["umount", "--lazy", str(CONNECTIONS)], check=False, capture_output=True, timeout=10)


class Mounted:
    """Mounts a storage. point: where. rc: the address of rclone's own control (host:port), with USER and PASSWORD."""

    def __init__(self, storage: Storage, *flags: str, rclone: str = RCLONE, quick: Sequence[str] = QUICK) -> None:
        self._storage = storage
        self._flags = (*quick, *flags)
        self._rclone = rclone

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as ends:
            folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="plexguard-mounted-", ignore_cleanup_errors=True)))
            self.point, self.rc, self.log = folder / "mount", f"127.0.0.1:{free_port()}", folder / "log"
            self.point.mkdir()
            self.connections = ends.enter_context(control_files(folder))
            (folder / "rclone.conf").write_text(self._storage.configuration(), encoding="utf-8")
            self._command = [
                *(self._rclone, "mount", self._storage.remote, str(self.point), "--read-only", "--allow-other"),
                *("--config", str(folder / "rclone.conf"), "--cache-dir", str(folder / "cache"), "--log-file", str(self.log)),
                *("--rc", "--rc-serve", f"--rc-addr={self.rc}", f"--rc-user={USER}", f"--rc-pass={PASSWORD}", *self._flags),
            ]
            ends.callback(self._end)
            self.start()
            self._ends = ends.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ends.close()

    def start(self) -> None:
        """Start rclone (again) and wait until it has mounted."""
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *self._command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
        await_true(lambda: self.is_mounted, what=lambda: self.log.read_text(errors="replace") if self.log.exists() else "no log")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_mounted(self) -> bool:
        return any(mount.path == str(self.point) for mount in read_mounts())

    def kill(self) -> None:
        """Kill rclone: the mount stays, and is stale."""
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        freeze(self._process)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def abort(self) -> None:
        """End the kernel's side: whoever waits for an answer gets an error."""
        (self._connection / "abort").write_text("1", encoding="ascii")

    @property
    def waiting(self) -> int:
        """How many requests wait for an answer of rclone's."""
        return int((self._connection / "waiting").read_text(encoding="ascii"))

    @property
    def _connection(self) -> Path:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        device = next(fields[2] for fields in map(str.split, lines) if fields[4] == str(self.point))
        return self.connections / device.partition(":")[2]

    def _end(self) -> None:
        # The program first: whoever hangs in the mount is free then.
        self._process.kill()
        self._process.wait()
        while self.is_mounted:
            subprocess.run(["umount", "--lazy", str(self.point)], check=True, timeout=10)
