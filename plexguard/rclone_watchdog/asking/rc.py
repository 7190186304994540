"""Questions to the rclone that runs, by its remote control: HTTP with a password, over the loopback or a socket of its folder.

Every question ends by its deadline and has a bounded answer, or raises an RcError. What rclone writes about a storage's error is
passed on as it is (RcFailed); answers.py knows what it means.
"""

import base64
import contextlib
import http.client
import json
import os
import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from plexguard.core.errors import DataError, Unavailable
from plexguard.core.secret import Secret
from plexguard.core.wire import DeadlineSocket, TooMuch, connect, read_bounded, reason_of, seconds_left

# A listing of ten thousand names of a hundred characters is some 2 MB.
MAX_ANSWER_BYTES = 8 * 1024 * 1024
_MAX_ERROR_BYTES = 64 * 1024
ADDRESS_FILE = "rc.json"


class RcError(Unavailable):
    """rclone was asked by its remote control, in vain."""


class RcGone(RcError):
    """Nobody listens there: rclone does not run, or has only begun."""


class RcLate(RcError):
    """It did not answer in time."""


class RcClosed(RcError):
    """The connection ended before the answer: rclone ended, or the question was given up."""


class RcStranger(RcError):
    """What answers is not the rclone that belongs to this password."""


class RcFailed(RcError):
    """rclone answers that it failed. text: its words, "" where it gives none. status: of HTTP."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text or f"HTTP {status} without a reason")
        self.status = status
        self.text = text


@dataclass(frozen=True, slots=True, kw_only=True)
class RcAddress:
    """What rclone's unit writes of it, in a file that only its user may read. url: "http://127.0.0.1:PORT" or "unix:///PATH". pid:
    rclone's own. remote: as rclone was given it. config, program: of the rclone that runs, for another one that asks the same.
    cache: where its cache on disk is, "" without one. signs: whether it may be asked for signed addresses."""

    url: str
    user: str
    password: Secret
    pid: int = 0
    remote: str = ""
    config: str = ""
    program: str = "rclone"
    cache: str = ""
    version: str = ""
    signs: bool = False

    @classmethod
    def from_json(cls, text: str) -> "RcAddress":
        """Raises DataError."""
        try:
            data = json.loads(text)
            return cls(
                url=str(data["url"]),
                user=str(data["user"]),
                password=Secret(str(data["password"])),
                pid=int(data.get("pid", 0)),
                remote=str(data.get("remote", "")),
                config=str(data.get("config", "")),
                program=str(data.get("rclone", "rclone")),
                cache=str(data.get("cache", "")),
                version=str(data.get("version", "")),
                signs=data.get("signs") is True,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"not what rclone's unit writes: {error!r}") from error


class AddressFile:
    """The file with the address, which is read again whenever it has changed: rclone gets a new password with each start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mark: tuple[int, int, int] | None = None
        self._address: RcAddress | None = None
        self._last: RcAddress | None = None

    @property
    def last(self) -> RcAddress | None:
        """Return the newest address that there was, for who asks without that rclone."""
        return self._last

    def read(self) -> RcAddress | None:
        """Return the address; None while there is none that can be read."""
        try:
            status = os.stat(self._path)
            mark = (status.st_ino, status.st_mtime_ns, status.st_size)
            if mark != self._mark:
                self._address = RcAddress.from_json(self._path.read_text(encoding="utf-8", errors="replace"))
                self._last, self._mark = self._address, mark
        except (OSError, DataError):
            self._mark = self._address = None
        return self._address


class Line:
    """A connection that another thread may end: the question that waits on it then fails at once, and rclone gives it up too."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self.is_cut = False

    def hold(self, plain: socket.socket) -> None:
        self._socket = plain
        if self.is_cut:
            self.cut()

    def cut(self) -> None:
        self.is_cut = True
        held = self._socket
        if held is not None:
            with contextlib.suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)


def to_number(value: object) -> int:
    """Return a number of an answer, 0 for whatever is none."""
    return int(value) if isinstance(value, int | float) else 0


class Rc(Protocol):
    @property
    def signs(self) -> bool:
        """Whether it may be asked for addresses of files that it signs (operations/publiclink)."""
        ...

    def call(self, command: str, values: dict[str, Any], *, timeout_s: float, line: Line | None = None) -> dict[str, Any]:
        """Call "operations/stat" or another and return its answer. Raises RcError."""
        ...

    def read(self, remote: str, path: str, *, offset: int, count: int, timeout_s: float, line: Line | None = None) -> bytes:
        """Return bytes of a file of a remote, straight from the storage. Raises RcError; RcFailed without a text for an object that
        is listed and cannot be opened."""
        ...


class HttpRc:
    """The real one."""

    def __init__(self, address: RcAddress) -> None:
        self._address = address

    @property
    def signs(self) -> bool:
        return self._address.signs

    def call(self, command: str, values: dict[str, Any], *, timeout_s: float, line: Line | None = None) -> dict[str, Any]:
        # Escaped to ASCII: a name that is not UTF-8 becomes one that no storage has, and nothing that cannot be sent.
        body = json.dumps(values).encode("ascii")
        headers = {"Content-Type": "application/json"}
        status, answer = self._ask(
            "POST", f"/{command}", body, headers, timeout_s=timeout_s, line=line, most=MAX_ANSWER_BYTES, is_whole=True
        )
        if status != http.HTTPStatus.OK:
            raise RcFailed(status, _read_error(answer))
        return _parse_object(answer)

    def read(self, remote: str, path: str, *, offset: int, count: int, timeout_s: float, line: Line | None = None) -> bytes:
        target = "/" + quote(f"[{remote}]/{path}".encode("utf-8", "surrogateescape"))
        headers = {"Range": f"bytes={offset}-{offset + count - 1}"}
        status, answer = self._ask("GET", target, None, headers, timeout_s=timeout_s, line=line, most=count, is_whole=False)
        if status not in (http.HTTPStatus.OK, http.HTTPStatus.PARTIAL_CONTENT):
            raise RcFailed(status, _read_error(answer))
        return answer

    def _ask(
        self,
        method: str,
        target: str,
        body: bytes | None,
        headers: dict[str, str],
        *,
        timeout_s: float,
        line: Line | None,
        most: int,
        is_whole: bool,
    ) -> tuple[int, bytes]:
        """Return status and body: of a good answer all, or its first bytes; of an error what there is."""
        deadline = time.monotonic() + timeout_s
        credentials = f"{self._address.user}:{self._address.password.reveal()}".encode()
        headers = {**headers, "Authorization": f"Basic {base64.b64encode(credentials).decode('ascii')}", "Connection": "close"}
        plain = None
        try:
            plain = _connect(self._address.url, deadline)
            if line is not None:
                line.hold(plain)
            connection = http.client.HTTPConnection("localhost")
            connection.sock = DeadlineSocket(plain, deadline, max_bytes=most + _MAX_ERROR_BYTES)
            connection.request(method, target, body=body, headers=headers)
            response = connection.getresponse()
            if response.status in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
                # Of the remote control itself: a storage's refusal comes as 500 with its text.
                raise RcStranger("the remote control refuses its own password: another rclone has its address")
            if response.status >= http.HTTPStatus.MULTIPLE_CHOICES:
                return response.status, _read_some(response, _MAX_ERROR_BYTES)
            return response.status, read_bounded(response, most) if is_whole else _read_first(response, most)
        except TimeoutError as error:
            raise RcLate(f"no answer within {timeout_s:g} s") from error
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise RcGone(f"nobody listens: {reason_of(error)}") from error
        except (OSError, http.client.IncompleteRead, http.client.RemoteDisconnected) as error:
            raise RcClosed(f"the connection ended: {reason_of(error)}") from error
        except (http.client.HTTPException, TooMuch, ValueError) as error:
            raise RcStranger(f"no answer of rclone's: {reason_of(error)}") from error
        finally:
            if plain is not None:
                plain.close()


def _connect(url: str, deadline: float) -> socket.socket:
    if url.startswith("unix:"):
        plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            plain.settimeout(seconds_left(deadline))
            plain.connect(url.removeprefix("unix:").removeprefix("//"))
        except OSError:
            plain.close()
            raise
        return plain
    parts = urlsplit(url)
    return connect(parts.hostname or "127.0.0.1", parts.port or 5572, deadline)


def _read_some(response: http.client.HTTPResponse, most: int) -> bytes:
    """Return the body of an error, also one that is cut: rclone 1.60.1 promises the length of the file and sends "Not Found"."""
    try:
        return response.read(most)
    except http.client.IncompleteRead as error:
        return error.partial


def _read_first(response: http.client.HTTPResponse, count: int) -> bytes:
    """Return the first bytes of a body: a server that knows no ranges sends it whole."""
    body = response.read(count)
    if len(body) < count and response.length:
        raise http.client.IncompleteRead(body, response.length)
    return body


def _read_error(body: bytes) -> str:
    """Return rclone's words of an error, "" where it has none."""
    with contextlib.suppress(RcStranger):
        return str(_parse_object(body).get("error", ""))
    return ""


def _parse_object(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RcStranger(f"no answer of rclone's: {error}") from error
    if not isinstance(data, dict):
        raise RcStranger("no answer of rclone's: no object")
    return data


# Whatever ends the name and the options of a remote: the first colon outside of quotes that is not the first character.
_VALUE = r"""(?:"(?:[^"]|"")*"|'(?:[^']|'')*'|[^:,]*)"""
_REMOTE = re.compile(rf"""(:?[^:,'"]*)(?:,[^:,'"=]*(?:={_VALUE})?)*:""")


def with_option(remote: str, option: str) -> str:
    """Return a remote ("s3:media", "s3,region=x:media", ":s3,provider=Other:media") with one option more."""
    found = _REMOTE.match(remote)
    return remote if found is None else f"{found[0][:-1]},{option}:{remote[found.end() :]}"


def name_of(remote: str) -> str:
    """Return the name of a remote, or of its type with a colon before it (":s3") where it has no name."""
    found = _REMOTE.match(remote)
    return found[1] if found is not None else remote.partition(":")[0]
