"""Bytes of files straight from the storage: past the mount, and past rclone's cache.

What it costs there, counted at a proxy before it (1.60.1 and 1.75.2 alike):

    S3: one request. rclone signs an address for the file (operations/publiclink asks nobody), and the bytes are asked for here. It
        tells the storage's own status, at once: rclone first repeats what failed, and then says "Not Found" of all.
    others, and S3 where that does not work: two. rclone reads the file's metadata, and then the bytes (--rc-serve).

operations/stat is one request (two where the file is missing: it might be a folder), operations/list one for each thousand names.
"""

import http.client
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import urlsplit

from plexguard.core.wire import DeadlineSocket, NoAddress, TooMuch, connect, reason_of
from plexguard.rclone_watchdog.asking.answers import judge_status, judge_text
from plexguard.rclone_watchdog.asking.rc import Line, Rc, RcClosed, RcError, RcFailed, RcGone, RcLate, with_option
from plexguard.rclone_watchdog.asking.samples import Sample
from plexguard.rclone_watchdog.observe import Outcome

COUNT_BYTES = 4096
_EXPIRE_S, _RENEW_S = 3600, 2700
_MAX_ERROR_BYTES = 64 * 1024
_LIMIT_S = 10.0
# So many failures in a row, and rclone is asked to read it in its own way: is it the storage, or only the signed address? It tries
# again by itself, for minutes; what the storage has said is not kept back for it.
_DOUBT_AT, _DOUBT_EVERY, _DOUBT_S = 3, 10, 2.0
# The first time: rclone may have a proxy or a network of its own, and from here the storage cannot be reached.
_UNTRIED_S = 5.0
_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,64})</Code>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What became of a read. size: of the file, where it is told. detail: in words; never the signed address."""

    outcome: Outcome
    detail: str = ""
    size: int = 0


class NotUsable(Exception):
    """The way by signed addresses does not work here."""


class StorageReader:
    """Reads from one remote. One thread at a time asks."""

    def __init__(
        self,
        remote: str,
        *,
        rng: Random,
        now: Callable[[], float],
        explain: Callable[[Sample, float], str] | None = None,
    ) -> None:
        """now: the monotonic clock. explain: asks in another way why a file that is listed is not given, and returns the words."""
        self._remote = remote
        self._rng = rng
        self._now = now
        self._explain = explain
        self._links: dict[str, tuple[str, float]] = {}
        self._are_links_usable = True
        self._is_tried = False
        self._failures = 0

    @property
    def requests(self) -> int:
        """How many requests to the storage a read costs."""
        return 1 if self._are_links_usable and self._is_tried else 2

    def read(self, rc: Rc | None, sample: Sample, *, timeout_s: float, line: Line) -> Reply:
        """Read some bytes at a random place of a file. rc: None when rclone does not run; a signed address serves all the same."""
        deadline = time.monotonic() + timeout_s
        offset = self._rng.randrange(max(1, sample.size // COUNT_BYTES)) * COUNT_BYTES
        count = min(COUNT_BYTES, max(1, sample.size - offset))
        try:
            link = self._find_link(rc, sample)
        except RcError as error:
            return judge_rc(error)
        if link is None:
            if rc is None:
                return Reply(outcome=Outcome.FAILED, detail="rclone does not run")
            return self._read_by_rclone(rc, sample, offset, count, deadline, line)
        return self._read_by_link(rc, link, sample, offset, count, deadline, line)

    # -- by a signed address --

    def _find_link(self, rc: Rc | None, sample: Sample) -> str | None:
        if not self._are_links_usable:
            return None
        link, until_s = self._links.get(sample.path, ("", 0.0))
        if link and self._now() < until_s:
            return link
        if rc is None or not rc.signs:
            return None
        # Without the option rclone would first ask whether there is such a file.
        values = {"fs": with_option(self._remote, "no_head_object=true"), "remote": sample.path, "expire": f"{_EXPIRE_S}s"}
        try:
            link = str(rc.call("operations/publiclink", values, timeout_s=_LIMIT_S).get("url", ""))
        except RcFailed:
            self._are_links_usable = False
            return None
        if len(self._links) > 100:
            self._links.clear()
        self._links[sample.path] = (link, self._now() + _RENEW_S)
        return link

    def _read_by_link(
        self, rc: Rc | None, link: str, sample: Sample, offset: int, count: int, deadline: float, line: Line
    ) -> Reply:
        until = min(deadline, time.monotonic() + _UNTRIED_S) if rc is not None and not self._is_tried else deadline
        reply = _try_link(link, offset=offset, count=count, deadline=until, line=line)
        if reply is not None and reply.outcome is Outcome.GOOD:
            self._is_tried, self._failures = True, 0
            return reply
        # The address may be what has become old: of keys for an hour, or changed ones.
        self._links.pop(sample.path, None)
        self._failures += 1
        is_doubtful = not self._is_tried or self._failures % _DOUBT_EVERY == _DOUBT_AT
        # None: that way may be none from here.
        said = None if reply is None or (reply.outcome is Outcome.LATE and not self._is_tried) else reply
        if rc is None or (said is not None and not (is_doubtful and said.outcome in (Outcome.REFUSED, Outcome.FAILED))):
            return reply or Reply(outcome=Outcome.FAILED, detail="rclone does not run")
        until = min(deadline, time.monotonic() + _DOUBT_S) if self._is_tried and said is not None else deadline
        other = self._read_by_rclone(rc, sample, offset, count, until, line)
        if other.outcome is not Outcome.GOOD:
            return said or other
        if said is None:
            self._are_links_usable = False
            return other
        # The storage may have come back in between.
        link = self._find_link(rc, sample) or link
        again = _try_link(link, offset=offset, count=count, deadline=deadline, line=line)
        self._are_links_usable = again is not None and again.outcome is Outcome.GOOD
        return other

    # -- by rclone --

    def _read_by_rclone(self, rc: Rc, sample: Sample, offset: int, count: int, deadline: float, line: Line) -> Reply:
        left_s = max(0.001, deadline - time.monotonic())
        try:
            got = rc.read(self._remote, sample.path, offset=offset, count=count, timeout_s=left_s, line=line)
        except RcFailed as error:
            if error.text or self._explain is None:
                return judge_rc(error)
            # The file is there, and its bytes are not given: rclone tells nobody why.
            words = self._explain(sample, min(_LIMIT_S, max(0.001, deadline - time.monotonic())))
            return Reply(outcome=judge_text(words), detail=words) if words else judge_rc(error)
        except RcError as error:
            return judge_rc(error)
        if len(got) < count:
            return Reply(outcome=Outcome.FAILED, detail=f"{len(got)} bytes came of {count}")
        return Reply(outcome=Outcome.GOOD)


def judge_rc(error: RcError) -> Reply:
    """Return what an error of the remote control means for the storage behind it."""
    if isinstance(error, RcLate):
        return Reply(outcome=Outcome.LATE, detail=str(error))
    if isinstance(error, RcFailed):
        if not error.text:
            return Reply(outcome=Outcome.FAILED, detail="the storage has the file and does not give its bytes")
        return Reply(outcome=judge_text(error.text), detail=error.text)
    reason = "rclone does not run" if isinstance(error, RcGone) else f"rclone: {error}"
    return Reply(outcome=Outcome.FAILED, detail="its bytes end early" if isinstance(error, RcClosed) else reason)


def _try_link(link: str, *, offset: int, count: int, deadline: float, line: Line) -> Reply | None:
    """Return None where that way cannot be gone."""
    try:
        return fetch(link, offset=offset, count=count, deadline=deadline, line=line)
    except NotUsable:
        return None


def fetch(link: str, *, offset: int, count: int, deadline: float, line: Line) -> Reply:
    """Ask for bytes of a file by its signed address. Raises NotUsable where nothing can be known that way."""
    parts = urlsplit(link)
    plain: Any = None
    try:
        plain = connect(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80), deadline)
        line.hold(plain)
        if parts.scheme == "https":
            plain = _wrap_tls(plain, parts.hostname or "", deadline)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
        connection.sock = DeadlineSocket(plain, deadline, max_bytes=count + _MAX_ERROR_BYTES)
        headers = {"Range": f"bytes={offset}-{offset + count - 1}", "Connection": "close"}
        connection.request("GET", f"{parts.path}?{parts.query}", headers=headers)
        return _interpret(connection.getresponse(), count)
    except TimeoutError:
        return Reply(outcome=Outcome.LATE, detail="no answer of the storage")
    except NoAddress as error:
        return Reply(outcome=Outcome.FAILED, detail=f"the storage's {error}")
    except (http.client.HTTPException, TooMuch) as error:
        return Reply(outcome=Outcome.FAILED, detail=f"half an answer: {reason_of(error)}")
    except OSError as error:
        return Reply(outcome=Outcome.FAILED, detail=reason_of(error))
    except ValueError as error:
        raise NotUsable(reason_of(error)) from error
    finally:
        if plain is not None:
            plain.close()


def _interpret(response: http.client.HTTPResponse, count: int) -> Reply:
    if 300 <= response.status < 400:
        # Of another region: rclone would go there by another way than ours.
        raise NotUsable(f"HTTP {response.status}")
    if response.status not in (200, 206):
        body = response.read(_MAX_ERROR_BYTES).decode("utf-8", "replace")
        code = _CODE.search(body)
        words = f"HTTP {response.status} {response.reason}" + (f": {code[1]}" if code else "")
        if response.status == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return Reply(outcome=Outcome.MISSING, detail="it is smaller than it was")
        return Reply(outcome=judge_status(response.status, code[1] if code else ""), detail=words)
    got = response.read(count)
    if len(got) < count:
        return Reply(outcome=Outcome.FAILED, detail=f"{len(got)} bytes came of {count}")
    size = (response.getheader("Content-Range") or "").rpartition("/")[2]
    return Reply(outcome=Outcome.GOOD, size=int(size) if size.isascii() and size.isdecimal() else 0)


def _wrap_tls(plain: socket.socket, host: str, deadline: float) -> socket.socket:
    import ssl  # what a storage of the house may not need

    plain.settimeout(max(0.001, deadline - time.monotonic()))
    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        # rclone may have been told to trust it.
        raise NotUsable(error.reason) from error
