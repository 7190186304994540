"""Run sendmail for who may not: one message from the socket that the service was given, one line about what became of it.

What sendmail may leave behind, a process that delivers or waits for a better time, is not waited for.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator

from plexguard.core.wire import seconds_left
from plexguard.notify.channels.mail import MAX_MESSAGE_BYTES

READ_TIMEOUT_S = 30.0
RUN_TIMEOUT_S = 60.0
_MAX_REASON = 500


def serve(connection: socket.socket, sendmail: str) -> None:
    """Read a message, hand it to sendmail, tell how that ended: who asked makes of it what is to be made."""
    try:
        mail = read_message(connection, time.monotonic() + READ_TIMEOUT_S)
        code, reason = run_sendmail(sendmail, mail)
    except TimeoutError:
        code, reason = os.EX_TEMPFAIL, "the message did not come in time"
    except ValueError as error:
        code, reason = os.EX_DATAERR, str(error)
    reply = json.dumps({"code": code, "reason": reason}) + "\n"
    # Who asked may have given up; the mail is on its way all the same.
    with contextlib.suppress(OSError):
        connection.settimeout(READ_TIMEOUT_S)
        connection.sendall(reply.encode())


def read_message(connection: socket.socket, deadline: float) -> bytes:
    """Return what comes until the other side has said all. Raises TimeoutError, ValueError for nothing or too much."""
    found = bytearray()
    while True:
        connection.settimeout(seconds_left(deadline))
        chunk = connection.recv(65536)
        if not chunk:
            break
        found += chunk
        if len(found) > MAX_MESSAGE_BYTES:
            raise ValueError(f"a message of more than {MAX_MESSAGE_BYTES} bytes")
    if not found:
        raise ValueError("an empty message")
    return bytes(found)


def run_sendmail(sendmail: str, mail: bytes) -> tuple[int, str]:
    """Return how sendmail ended and the last line that it wrote. -i: a line with a dot alone is no end; -t: the recipients are in
    the message. Files and no pipes: what goes on in the background would hold these open."""
    with _memory(mail) as given, _memory(b"") as said:
        try:
            process = subprocess.Popen(
                [sendmail, "-i", "-t"],
                stdin=given,
                stdout=said,
                stderr=said,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
                start_new_session=True,
            )
        except OSError as error:
            return os.EX_OSFILE, f"Failed to run {sendmail}: {error.strerror}"
        try:
            code = process.wait(timeout=RUN_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return os.EX_TEMPFAIL, f"{sendmail} did not end within {RUN_TIMEOUT_S:g} s"
        lines = os.pread(said, 65536, 0).decode("utf-8", "replace").strip().splitlines()
    reason = lines[-1][:_MAX_REASON] if lines else ""
    return (code, reason) if code >= 0 else (os.EX_TEMPFAIL, f"{sendmail} was ended by signal {-code}")


@contextlib.contextmanager
def _memory(content: bytes) -> Iterator[int]:
    """A file without a name, rewound."""
    fd = os.memfd_create("mail", os.MFD_CLOEXEC)
    try:
        with open(os.dup(fd), "wb") as file:
            file.write(content)
        os.lseek(fd, 0, os.SEEK_SET)
        yield fd
    finally:
        os.close(fd)
