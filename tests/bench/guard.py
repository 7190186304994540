"""The live guard while 500 files arrive a second: how soon a closed one is open to Plex again, and what the guard takes.

The reference is the least that can be done: a loop that reads the same events, waits as long for a file to settle, and adds
the bits, without asking who may read, keeping a way back, or telling anybody. Both run as root, over the same folder.
"""

import contextlib
import os
import signal
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from plexguard.perms_audit.guard.decide import SETTLE_S
from plexguard.perms_audit.guard.fanotify import ATTRIB, CLOSE_WRITE, CREATE, MOVED_TO, ONDIR, Group, Handle, open_handle
from tests.bench.measure import PYTHON, ROOT, Row, at_most, row

_RATE = 500
_SECONDS = 20
# One in so many comes closed; the others are what a download client writes all day.
_CLOSED = 10
_FOLDERS = 20
_PATIENCE_S = 10.0
_NOBODY = 65534


def measure(folder: Path) -> Iterator[Row]:
    """Measure on a tmpfs, so that what else this machine writes just now is no part of it. Yields nothing without root."""
    if os.geteuid() != 0:
        print("guard: not measured, fanotify on whole file systems needs root", file=sys.stderr)
        return
    (folder / "media").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "plexguard-bench", str(folder / "media")], check=True)
    try:
        yield from _measure(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder / "media")], check=False)


def _measure(folder: Path) -> Iterator[Row]:
    config = folder / "plexguard.toml"
    config.write_text(f'[perms-audit]\nroots = ["{folder}/media"]\nas_uid = {_NOBODY}\nas_gid = {_NOBODY}\n', encoding="utf-8")
    ours, memory_mb, idle_s = _run([PYTHON, "-m", "plexguard.perms_audit", "guard", "--config", str(config)], folder)
    theirs, _, _ = _run([PYTHON, "-m", "tests.bench.guard", str(folder / "media")], folder)
    note = f"from close() to repaired while {_RATE} files a second arrive; reference: a bare loop that waits {SETTLE_S * 1000:.0f} ms too"
    for name, part, limit_ms in (("p50", 50, 50), ("p99", 99, 1000)):
        latencies = [_percentile_ms(ours, part)], [_percentile_ms(theirs, part)]
        yield row(f"guard.latency-{name}", *latencies, unit="ms", note=note, target=at_most(limit_ms))
    yield row("guard.memory", [memory_mb], None, unit="MB", note="highest resident memory meanwhile", target=at_most(25))
    note = "processor time in 5 s of idleness after it"
    yield row("guard.idle-cpu", [idle_s * 1000], None, unit="ms", note=note, target=at_most(20))


def _percentile_ms(seconds: Sequence[float], part: int) -> float:
    return statistics.quantiles(seconds, n=100)[part - 1] * 1000


def _run(command: Sequence[str], folder: Path) -> tuple[list[float], float, float]:
    """Return how long each closed file stayed so, the highest memory in MB, and the processor time of 5 idle seconds."""
    media = folder / "media"
    subprocess.run(["find", str(media), "-mindepth", "1", "-delete"], check=True)
    for number in range(_FOLDERS):
        (media / str(number)).mkdir(parents=True)
    state = folder / "state"
    state.mkdir(exist_ok=True)
    # In a session of its own, and with its words where they disturb nobody.
    with (folder / "told").open("wb") as told:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "STATE_DIRECTORY": str(state)},
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
            start_new_session=True,
        )
    try:
        _await_watch(media)
        took_s = _write_files(media)
        memory_mb = _memory_mb(process.pid)
        before_s = _cpu_s(process.pid)
        time.sleep(5)
        return took_s, memory_mb, _cpu_s(process.pid) - before_s
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
        process.kill()
        process.wait()


def _await_watch(media: Path) -> None:
    """Wait until a closed file is repaired; before that nobody watches."""
    deadline_s = time.monotonic() + _PATIENCE_S
    number = 0
    while time.monotonic() < deadline_s:
        probe = media / f"probe {number}"
        os.close(os.open(probe, os.O_CREAT | os.O_WRONLY, 0))
        time.sleep(0.2)
        if _is_open(probe):
            return
        number += 1
    raise AssertionError(f"{media}: nobody watches it; see {media.parent}/told")


def _write_files(media: Path) -> list[float]:
    began_s, number, took_s = time.monotonic(), 0, list[float]()
    waiting: dict[Path, float] = {}
    total = _RATE * _SECONDS
    while number < total or waiting:
        now_s = time.monotonic()
        assert now_s - began_s < _SECONDS + _PATIENCE_S, f"{len(waiting)} files stay closed, such as {next(iter(waiting))}"
        while number < total and now_s - began_s >= number / _RATE:
            path = media / str(number % _FOLDERS) / f"film {number}.mkv"
            closed = not number % _CLOSED
            fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0 if closed else 0o644)
            os.write(fd, b"film")
            os.close(fd)
            if closed:
                waiting[path] = time.monotonic()
            number += 1
        for path, since_s in list(waiting.items()):
            if _is_open(path):
                took_s.append(time.monotonic() - since_s)
                del waiting[path]
        time.sleep(0.0005)
    return took_s


def _is_open(path: Path) -> bool:
    return os.stat(path).st_mode & 0o444 == 0o444


def _memory_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _repair_barely(media: str) -> None:
    """The reference: read, wait until it has settled, add the bits."""
    group = Group()
    root_fd = os.open(media, os.O_RDONLY)
    group.mark(root_fd, ATTRIB | CLOSE_WRITE | CREATE | MOVED_TO | ONDIR)
    waiting: deque[tuple[float, Handle, str]] = deque()
    while True:
        for event in group.read():
            if event.pid != os.getpid() and event.folder is not None:
                waiting.append((time.monotonic() + SETTLE_S, event.folder, event.name))
        while waiting and waiting[0][0] <= time.monotonic():
            _, folder, name = waiting.popleft()
            with contextlib.suppress(OSError):
                _open_barely(root_fd, folder, name)
        time.sleep(0.0005)


def _open_barely(root_fd: int, folder: Handle, name: str) -> None:
    folder_fd = open_handle(root_fd, folder)
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=folder_fd)
    if os.fstat(fd).st_mode & 0o444 != 0o444:
        os.chmod(f"/proc/self/fd/{fd}", 0o644)
    os.close(fd)
    os.close(folder_fd)


if __name__ == "__main__":
    _repair_barely(sys.argv[1])
