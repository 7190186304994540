"""The port for commands on a machine. The local one runs them as subprocesses.

A command is a list, never a shell string. Its stdin is closed, its language is fixed, its output bounded, and its whole
process group is ended when its time is up.
"""

import contextlib
import os
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Protocol

from plexguard.core.errors import SystemRefused

MAX_OUTPUT_BYTES = 4 * 1024 * 1024
# A process that does not end after SIGTERM gets this long before SIGKILL.
_GRACE_S = 2.0


class CommandError(SystemRefused):
    """A command did not do what it was asked."""


class CommandFailed(CommandError):
    """A command ended with an exit code other than 0."""


class CommandEnded(CommandFailed):
    """A command whose output was followed has ended. code: with which exit code, 0 too."""

    def __init__(self, message: str, *, code: int) -> None:
        super().__init__(message)
        self.code = code


class CommandTimeout(CommandError):
    """A command did not end in time and was killed with all its children."""


class CommandMissing(CommandError):
    """There is no such command, or it may not be run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """How a command ended: its exit code (negative: ended by that signal) and what it printed."""

    code: int
    stdout: str
    stderr: str


class Stream(Protocol):
    """The output of a command that goes on, line by line."""

    def read_line(self, timeout_s: float) -> str | None:
        """Return the next line, or None when none came in time. Raises CommandEnded when the command did."""
        ...

    def close(self) -> None: ...


class Commands(Protocol):
    """Where commands run to their end: this machine, or another."""

    def run(self, argv: Sequence[str], *, timeout_s: float, check: bool = True) -> Completed:
        """Run a command to its end.

        check: an exit code other than 0 raises CommandFailed. Raises CommandTimeout and CommandMissing in any case.
        """
        ...


class Host(Commands, Protocol):
    def follow(self, argv: Sequence[str], *, rewrites: bool = False) -> Stream:
        """Start a command whose output is read as it comes. rewrites: it writes a line over and over, each of which is one: a
        carriage return ends it. Raises CommandMissing."""
        ...

    def hold(self, argv: Sequence[str]) -> contextlib.AbstractContextManager[None]:
        """Keep a command running that ends when its stdin closes, for as long as the context lasts."""
        ...


class LocalHost:
    """This machine."""

    def run(self, argv: Sequence[str], *, timeout_s: float, check: bool = True) -> Completed:
        process = _start(argv, stdin=subprocess.DEVNULL)
        try:
            stdout, stderr, timed_out = _collect(process, time.monotonic() + timeout_s)
        finally:
            # Also when this program is asked to stop: in a session of its own the command would not hear of it.
            if process.returncode is None:
                _end_group(process)
        if timed_out:
            raise CommandTimeout(f"{shlex.join(argv)}: no end within {timeout_s:g} s")
        done = Completed(code=process.returncode, stdout=stdout, stderr=stderr)
        if check and done.code != 0:
            raise CommandFailed(f"{shlex.join(argv)}: exit code {done.code}: {_last_lines(done.stderr or done.stdout)}")
        return done

    def follow(self, argv: Sequence[str], *, rewrites: bool = False) -> "LocalStream":
        return LocalStream(argv, rewrites=rewrites)

    @contextlib.contextmanager
    def hold(self, argv: Sequence[str]) -> Iterator[None]:
        process = _start(argv, stdin=subprocess.PIPE)
        try:
            yield
        finally:
            _close(process.stdin)
            _end_group(process)


class LocalStream:
    """A command on this machine whose lines are read as they come."""

    def __init__(self, argv: Sequence[str], *, rewrites: bool = False) -> None:
        self._argv = argv
        self._rewrites = rewrites
        self._process = _start(argv, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._process.stdout, selectors.EVENT_READ)
        self._rest = b""

    def read_line(self, timeout_s: float) -> str | None:
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._rest:
            if not self._selector.select(max(0.0, deadline - time.monotonic())):
                return None
            assert self._process.stdout is not None
            chunk = os.read(self._process.stdout.fileno(), 65536)
            if not chunk:
                _wait(self._process, time.monotonic() + _GRACE_S)
                code = self._process.returncode
                text = f"{shlex.join(self._argv)}: ended with code {code}: {_last_lines(_text(self._rest))}"
                raise CommandEnded(text, code=code if code is not None else -1)
            if self._rewrites:
                chunk = chunk.replace(b"\r", b"\n")
            self._rest = (self._rest + chunk)[-MAX_OUTPUT_BYTES:]
            if b"\n" not in chunk and time.monotonic() >= deadline:
                return None
        line, _, self._rest = self._rest.partition(b"\n")
        return _text(line)

    def close(self) -> None:
        self._selector.close()
        _end_group(self._process)
        _close(self._process.stdout)


def _start(argv: Sequence[str], *, stdin: int, stderr: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(argv),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=_environment(os.environ),
            start_new_session=True,
        )
    except OSError as error:
        raise CommandMissing(f"Failed to run {argv[0]}: {error.strerror}") from error


def _environment(outer: Mapping[str, str]) -> dict[str, str]:
    # Only what a command needs: nothing of ours leaks into it, and its messages are in one language.
    kept = {name: outer[name] for name in ("PATH", "HOME", "TMPDIR", "DOCKER_HOST", "SYSTEMD_BUS_TIMEOUT") if name in outer}
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **kept, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}


def _collect(process: subprocess.Popen[bytes], deadline: float) -> tuple[str, str, bool]:
    """Read both outputs to their ends or to the deadline; what is over the bound is read and dropped."""
    kept: dict[int, bytearray] = {}
    timed_out = False
    with selectors.DefaultSelector() as selector:
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            kept[pipe.fileno()] = bytearray()
            selector.register(pipe, selectors.EVENT_READ)
        fds = list(kept)
        while selector.get_map() and not timed_out:
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            # A command that never stops printing is always ready.
            timed_out = time.monotonic() >= deadline
            for key, _ in ready:
                chunk = os.read(key.fd, 65536)
                if not chunk:
                    selector.unregister(key.fileobj)
                elif len(kept[key.fd]) < MAX_OUTPUT_BYTES:
                    kept[key.fd] += chunk
    timed_out = timed_out or _wait(process, deadline)
    _close(process.stdout)
    _close(process.stderr)
    return _text(kept[fds[0]]), _text(kept[fds[1]]), timed_out


def _wait(process: subprocess.Popen[bytes], deadline: float) -> bool:
    """Wait for a process that closed its outputs; tell whether it overran the deadline."""
    try:
        process.wait(timeout=max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return True
    return False


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process with its children; one stuck in the kernel is left behind rather than waited for."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_GRACE_S)
            if sign is signal.SIGKILL:
                return


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        with contextlib.suppress(OSError):
            pipe.close()


def _text(output: bytes | bytearray) -> str:
    return output.decode("utf-8", "replace")


def _last_lines(text: str) -> str:
    return " / ".join(text.strip().splitlines()[-3:]) or "no output"
