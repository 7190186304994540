"""The guard as a process of its own over real file systems, with a checker that just adds read bits."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from plexguard.perms_audit.guard.fanotify import CREATE, FanotifyError, Group
from tests.waiting import await_true

REPOSITORY = Path(__file__).parents[4]
PROGRAM = REPOSITORY / "tests/fakes/chmod_guard.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.geteuid() != 0:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="fanotify on whole file systems needs root"))


def run(*command: str) -> None:
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=True)


class Mounter:
    """Mounts that are gone after the test, however it ends."""

    def __init__(self) -> None:
        self._mounted: list[Path] = []

    def mount(self, path: Path, *arguments: str) -> Path:
        path.mkdir(parents=True, exist_ok=True)
        run("mount", *(arguments or ("-t", "tmpfs", "tmpfs")), str(path))
        self._mounted.append(path)
        return path

    def close(self) -> None:
        for path in reversed(self._mounted):
            # The same path may have been mounted several times, or not be any more.
            subprocess.run(["umount", "--lazy", str(path)], stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)


@pytest.fixture
def mounter() -> Iterator[Mounter]:
    made = Mounter()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(params=["tmpfs", "disk"])
def media(request: pytest.FixtureRequest, tmp_path: Path, mounter: Mounter) -> Iterator[Path]:
    """A folder in a file system that can be watched: memory, or the outer machine's own disk."""
    if request.param == "tmpfs":
        folder = mounter.mount(tmp_path / "disk") / "media"
        folder.mkdir()
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="plexguard-guard-", dir="/var/tmp") as disk:
        if not can_watch(disk):
            pytest.skip("the file system of /var/tmp cannot be watched (overlayfs)")
        yield Path(disk).resolve()
        # What a test has mounted in it must go first.
        mounter.close()


def can_watch(folder: str) -> bool:
    group = Group()
    fd = os.open(folder, os.O_RDONLY)
    try:
        group.mark(fd, CREATE)
    except FanotifyError:
        return False
    finally:
        os.close(fd)
        group.close()
    return True


class RunningGuard:
    """The guard, with what it told its manager and what it checked."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._manager.bind(str(folder / "notify"))
        self._manager.settimeout(0.1)
        self._out = (folder / "checked").open("w+", encoding="utf-8")
        self._err = (folder / "told").open("w+", encoding="utf-8")
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "NOTIFY_SOCKET": str(folder / "notify")}
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=self._out, stderr=self._err)
        self.told_manager: list[str] = []

    def await_ready(self) -> None:
        self.await_status("READY=1")

    def await_status(self, text: str, *, timeout_s: float = 10.0) -> None:
        def has_told() -> bool:
            with contextlib.suppress(TimeoutError):
                self.told_manager.append(self._manager.recv(4096).decode("utf-8"))
            return any(text in told for told in self.told_manager)

        await_true(has_told, timeout_s=timeout_s, what=lambda: f"{text}: {self.told_manager} {self.told}")

    @property
    def told(self) -> str:
        """The events, as lines on stderr."""
        return Path(self._err.name).read_text(encoding="utf-8")

    @property
    def checked(self) -> list[str]:
        return [line.partition(":")[2] for line in Path(self._out.name).read_text(encoding="utf-8").splitlines()]

    def wakeups(self) -> int:
        """How often it has gone to sleep of its own accord, and so been woken."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches:"))

    def resident_mb(self) -> float:
        lines = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Rss:")) / 1024

    def open_files(self) -> list[str]:
        links = []
        for fd in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                links.append(os.readlink(fd))
        return links

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(timeout=10)
        for stream in (self._out, self._err, self._manager):
            stream.close()


Starter = Callable[..., RunningGuard]


@pytest.fixture
def start_guard() -> Iterator[Starter]:
    """Start a guard over folders and wait until it is ready. before: a command that execs what follows it."""
    running: list[RunningGuard] = []
    with contextlib.ExitStack() as stack:

        def start(*roots: Path, before: Sequence[str] = ()) -> RunningGuard:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="plexguard-notify-", dir="/run")))
            guard = RunningGuard([*before, sys.executable, str(PROGRAM), *map(str, roots)], folder)
            stack.callback(guard.close)
            running.append(guard)
            guard.await_ready()
            return guard

        yield start
