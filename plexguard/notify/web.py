"""HTTP to one address: kept open between calls, every call over at its deadline, every answer bounded.

No redirect is followed and no proxy of the environment is used: what is sent goes where the configuration says or nowhere.
Certificates are checked. What an answer means is for its channel to say.
"""

import contextlib
import http.client
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from plexguard import __version__
from plexguard.core.secret import Secret, mask
from plexguard.core.wire import DeadlineSocket, TooMuch, connect, read_bounded, reason_of, seconds_left
from plexguard.notify.message import Away, Busy, Refused, Rejected, SendError

MAX_ANSWER_BYTES = 256 * 1024
_USER_AGENT = f"plexguard/{__version__}"
_MAX_WORDS = 200
# That something is wrong with who asks, or with what is asked for, whatever is sent: a setting must change.
_REFUSALS = frozenset({401, 402, 403, 404, 405, 406, 407, 410, 411, 415, 421, 426, 451})
# 409: the same message is just being worked on (draft-ietf-httpapi-idempotency-key-header); 425: too early.
_LATER = frozenset({408, 409, 423, 424, 425})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said. headers: names in lower case. is_whole: False for a body over the bound, which is cut there."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_whole: bool = True

    @property
    def words(self) -> str:
        """The beginning of the body, on one line, for people."""
        return mask(" ".join(self.body[:2000].decode("utf-8", "replace").split())[:_MAX_WORDS])


class _Stale(Exception):
    """The server closed what it had kept open, before it answered anything."""


class WebClient:
    """A server. url: a part of it may be a secret, so that no error names more than the host. Raises Refused."""

    def __init__(self, url: str) -> None:
        parts = split_url(url)
        self._scheme, self._host = parts.scheme, parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._connection: http.client.HTTPConnection | None = None
        self._plain: socket.socket | None = None

    @property
    def place(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{self._scheme}://{host}:{self._port}"

    def ask(self, method: str, target: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float) -> Answer:
        """Make a call. Raises Away when no whole answer came: the server may have done what it was asked or not."""
        deadline = time.monotonic() + timeout_s
        if self._connection is not None:
            # A server may close what it kept open at any time; what was sent then went nowhere, or at most once more.
            with contextlib.suppress(_Stale):
                return self._call(method, target, body, headers, deadline)
        return self._call(method, target, body, headers, deadline)

    def close(self) -> None:
        self._connection = None
        if self._plain is not None:
            self._plain.close()
            self._plain = None

    def _call(self, method: str, target: str, body: bytes, headers: Mapping[str, str], deadline: float) -> Answer:
        was_open = self._connection is not None
        keep = False
        try:
            connection = self._open(deadline)
            try:
                connection.request(method, target, body=body, headers={"User-Agent": _USER_AGENT, **headers})
                response = connection.getresponse()
            except ConnectionError as error:
                if was_open:
                    raise _Stale from error
                raise
            answer = _read_answer(response)
            keep = answer.is_whole and not response.will_close
            return answer
        except TimeoutError as error:
            raise Away(f"{self.place}: no whole answer in time") from error
        except (http.client.HTTPException, TooMuch, ValueError) as error:
            raise Away(f"{self.place}: the answer broke off or is not HTTP: {reason_of(error)}") from error
        except OSError as error:
            raise Away(f"{self.place}: {reason_of(error)}") from error
        finally:
            if not keep:
                self.close()

    def _open(self, deadline: float) -> http.client.HTTPConnection:
        if self._plain is None:
            self._plain = connect(self._host, self._port, deadline)
            self._plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._scheme == "https":
                self._plain = _wrap_tls(self._plain, self._host, deadline)
            self._connection = http.client.HTTPConnection(self._host, self._port)
            # It would open a connection of its own, without a deadline.
            self._connection.auto_open = 0
        assert self._connection is not None
        self._connection.sock = DeadlineSocket(self._plain, deadline, max_bytes=MAX_ANSWER_BYTES)
        return self._connection


def split_url(url: str) -> Any:
    """Return the parts of a web address. Raises Refused."""
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and parts.username is None
    except ValueError:
        is_good = False
    if not is_good or not url.isascii() or not url.isprintable() or " " in url:
        raise Refused("the address is none: it begins with http:// or https:// and holds no user and no blank")
    return parts


def target_of(url: str) -> str:
    """Return what of a web address is asked of its server."""
    parts = split_url(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def make_bearer(token: Secret) -> str:
    """Return the header with a token. Raises Refused for one that no header can hold."""
    text = token.reveal()
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise Refused("the token is wrong: it holds characters that no token has")
    return f"Bearer {text}"


def judge_status(answer: Answer, place: str, now: datetime) -> SendError | None:
    """Return what a status means in general, None when the messages were taken. Pure."""
    status, said = answer.status, f": {answer.words}" if answer.words else ""
    wait_s = read_retry_after(answer.headers.get("retry-after", ""), now)
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return Refused(f"{place}: sends us elsewhere ({status}), which is not followed", hint="configure the address it leads to")
    if status == 429 or (status == 503 and wait_s is not None):
        return Busy(f"{place}: {status}: too much at once{said}", retry_after_s=wait_s)
    if status in _LATER or status >= 500 or status < 200:
        return Away(f"{place}: {status}{said}")
    if status in _REFUSALS:
        return Refused(f"{place}: {status}{said}")
    return Rejected(f"{place}: {status}{said}")


def read_retry_after(text: str, now: datetime) -> float | None:
    """Return the seconds that a Retry-After asks for, as a number or as a date (RFC 9110, 10.2.3); None for none. Pure."""
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, (at - now).total_seconds()) if at.tzinfo else None


def _read_answer(response: http.client.HTTPResponse) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    try:
        return Answer(status=response.status, headers=headers, body=read_bounded(response, MAX_ANSWER_BYTES))
    except TooMuch:
        # The status has said it already.
        return Answer(status=response.status, headers=headers, is_whole=False)


def _wrap_tls(plain: socket.socket, host: str, deadline: float) -> socket.socket:
    import ssl  # what a plain server does not need

    try:
        plain.settimeout(seconds_left(deadline))
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        plain.close()
        raise OSError(f"its certificate is not trusted: {error.verify_message}") from error
    except OSError:
        plain.close()
        raise
