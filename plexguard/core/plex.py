"""The port to Plex: its HTTP API, read only, every call bounded in time and size, every failure of a named kind.

Facts and their sources: the answers are XML unless JSON is asked for, and error answers ignore what was asked for; an
empty list is an absent key. No redirect is followed: Plex sends none, and who does is not Plex.
"""

import http.client
import ipaddress
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from plexguard.core.errors import Unavailable
from plexguard.core.listeners import find_listener_uids
from plexguard.core.secret import Secret
from plexguard.core.wire import DeadlineSocket, TooMuch, read_bounded, seconds_left

# A library list is a few KiB; what is larger than this is no answer of Plex to a question of ours.
MAX_ANSWER_BYTES = 2 * 1024 * 1024
# What has files in a library of shows are episodes, in one of artists tracks, and in one of photos those inside albums.
_ITEM_KINDS = {"movie": "type=1&", "show": "type=4&", "artist": "type=10&", "photo": "type=13&"}
_TOO_MUCH = f"an answer of more than {MAX_ANSWER_BYTES // 1024 // 1024} MiB"


class PlexError(Unavailable):
    """Plex did not give what was asked; the subclass says how."""


class PlexRefused(PlexError):
    """Nobody listens: the connection was refused."""


class PlexTimeout(PlexError):
    """The connection stands, or is being made, and no whole answer came in time."""


class PlexUnauthorized(PlexError):
    """401 or 403: the token is wrong or missing."""


class PlexMaintenance(PlexError):
    """503 with Plex's own maintenance text: it is starting or migrating its database. Not an outage."""


class PlexBroken(PlexError):
    """An answer that Plex does not give: wrong status, no Plex content, half a body, too much of it, a redirect."""


class PlexFailing(PlexError):
    """Plex itself says that it fails: a 5xx that is no maintenance."""


class PlexUnreachable(PlexError):
    """The address leads nowhere: unknown name, no route, TLS that does not stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    machine_identifier: str
    version: str
    claimed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """A library section. folders: as the server sees them, so inside its container if it has one."""

    key: str
    title: str
    type: str
    folders: tuple[str, ...]
    scanning: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Something being played. state: playing, paused or buffering. key: of the session, anew each time. player: what the device
    that plays it calls itself, "" when it does not tell."""

    kind: str
    title: str
    user: str
    state: str
    key: str = ""
    player: str = ""

    @property
    def is_paused(self) -> bool:
        return self.state == "paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Something Plex is busy with. library: its section's id, "" for none."""

    type: str
    title: str
    library: str


class Plex(Protocol):
    """A Plex server. Every call raises PlexError."""

    def connect(self, *, timeout_s: float) -> None:
        """Open a connection and close it: somebody listens."""
        ...

    def identity(self, *, timeout_s: float) -> Identity:
        """Ask who it is. Answered from memory and without a token: a sign of life, no more."""
        ...

    def libraries(self, *, timeout_s: float) -> tuple[Library, ...]:
        """Ask for the libraries: the cheapest question that needs the database."""
        ...

    def sessions(self, *, timeout_s: float) -> tuple[Session, ...]:
        """Ask what is being played: the cheapest question that needs the token, answered from memory."""
        ...

    def read_media(self, library: Library, *, timeout_s: float) -> bool:
        """Read the first byte of a media file of a library; False when it has none. A file that Plex may not read, or that is
        gone, is PlexBroken (Plex answers 404 for both)."""
        ...

    def activities(self, *, timeout_s: float) -> tuple[Activity, ...]: ...

    def preferences(self, *, timeout_s: float) -> dict[str, str]:
        """Ask for the server's settings by id, values as text."""
        ...


class HttpPlex:
    """A Plex server over HTTP.

    url: scheme, host and port only. owners: whose socket may listen there when it is this machine, beside root's; None when
    that is not known. While Plex is away anybody may take its port, who must get neither the token nor be believed.
    """

    def __init__(self, url: str, token: Secret | None, *, owners: frozenset[int] | None = None) -> None:
        self._url = urlsplit(url)
        self._token = token
        self._owners = owners

    def connect(self, *, timeout_s: float) -> None:
        host, port = self._url.hostname or "", self._url.port or 32400
        _connect(self._url.scheme, host, port, time.monotonic() + timeout_s).close()

    def identity(self, *, timeout_s: float) -> Identity:
        root = self._ask("/identity", timeout_s, with_token=False)
        identifier = root.text("machineIdentifier")
        if not identifier:
            raise PlexBroken("/identity: no machineIdentifier: something else than Plex answers there")
        return Identity(machine_identifier=identifier, version=_show_version(root.text("version")), claimed=root.flag("claimed"))

    def libraries(self, *, timeout_s: float) -> tuple[Library, ...]:
        root = self._ask("/library/sections", timeout_s)
        return tuple(
            Library(
                key=section.text("key"),
                title=section.text("title"),
                type=section.text("type"),
                folders=tuple(location.text("path") for location in section.children("Location")),
                scanning=section.flag("refreshing"),
            )
            for section in root.children("Directory")
        )

    def sessions(self, *, timeout_s: float) -> tuple[Session, ...]:
        root = self._ask("/status/sessions", timeout_s)
        return tuple(
            Session(
                kind=item.text("type"),
                title=item.text("title"),
                user=item.child_text("User", "title"),
                state=item.child_text("Player", "state"),
                key=item.text("sessionKey"),
                player=item.child_text("Player", "machineIdentifier"),
            )
            for item in root.children("Metadata", "Video", "Track", "Photo")
        )

    def read_media(self, library: Library, *, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        kind = _ITEM_KINDS.get(library.type, "")
        first = f"/library/sections/{library.key}/all?{kind}X-Plex-Container-Start=0&X-Plex-Container-Size=1"
        items = self._ask(first, timeout_s).children("Metadata", "Video", "Track", "Photo")
        medias = (media for item in items for media in item.children("Media"))
        part = next((part.text("key") for media in medias for part in media.children("Part")), "")
        if not part.startswith("/"):
            return False
        status, _, body = self._get(part, deadline, with_token=True, first_byte=True)
        if status not in (200, 206) or not body:
            raise PlexBroken(f"{part}: {status}: the file is gone, or Plex may not read it")
        return True

    def activities(self, *, timeout_s: float) -> tuple[Activity, ...]:
        root = self._ask("/activities", timeout_s)
        return tuple(
            Activity(type=item.text("type"), title=item.text("title"), library=item.child_text("Context", "librarySectionID"))
            for item in root.children("Activity")
        )

    def preferences(self, *, timeout_s: float) -> dict[str, str]:
        root = self._ask("/:/prefs", timeout_s)
        return {item.text("id"): item.text("value") for item in root.children("Setting")}

    def _ask(self, path: str, timeout_s: float, *, with_token: bool = True) -> "Node":
        deadline = time.monotonic() + timeout_s
        if with_token:
            self._check_listener(path)
        status, kind, body = self._get(path, deadline, with_token=with_token)
        return interpret_answer(path, status, kind, body)

    def _check_listener(self, path: str) -> None:
        if self._owners is None or not _is_loopback(self._url.hostname or ""):
            return
        strangers = find_listener_uids(self._url.port or 32400) - self._owners - {0}
        if strangers:
            raise PlexBroken(f"{path}: not asked: user {min(strangers)} listens there, who is not Plex's")

    def _get(self, target: str, deadline: float, *, with_token: bool, first_byte: bool = False) -> tuple[int, str, bytes]:
        headers = {"Accept": "application/json", "User-Agent": "plexguard", "Connection": "close"}
        if first_byte:
            headers["Range"] = "bytes=0-0"
        if with_token and self._token is not None:
            headers["X-Plex-Token"] = _check_token(self._token.reveal())
        host, port = self._url.hostname or "", self._url.port or 32400
        plain = _connect(self._url.scheme, host, port, deadline)
        try:
            connection = http.client.HTTPConnection(host, port)
            connection.sock = DeadlineSocket(plain, deadline, max_bytes=MAX_ANSWER_BYTES)
            connection.request("GET", target, headers=headers)
            response = connection.getresponse()
            # A server that does not heed the range would send a whole film.
            body = response.read(1) if first_byte else read_bounded(response, MAX_ANSWER_BYTES)
            return response.status, response.headers.get("Content-Type", ""), body
        except TimeoutError as error:
            raise PlexTimeout(f"{target}: no whole answer in time") from error
        except TooMuch as error:
            raise PlexBroken(_TOO_MUCH) from error
        except (http.client.HTTPException, ConnectionError, ValueError) as error:
            raise PlexBroken(f"{target}: the answer broke off or is not HTTP: {_reason(error)}") from error
        except OSError as error:
            raise PlexUnreachable(f"{target}: {_reason(error)}") from error
        finally:
            plain.close()


def _show_version(text: str) -> str:
    """Return a version as it may be told: whoever took Plex's port may send anything."""
    return "".join(character for character in text if character.isascii() and character.isprintable())[:64]


def _check_token(token: str) -> str:
    if not (token.isascii() and token.isprintable()):
        raise PlexUnauthorized("the token is wrong: it holds characters that no token has")
    return token


# -- connection -------------------------------------------------------------------------------------------------------


def _connect(scheme: str, host: str, port: int, deadline: float) -> socket.socket:
    try:
        plain = _open_socket(_find_addresses(host, port, deadline), port, deadline)
    except ConnectionRefusedError as error:
        raise PlexRefused(f"{host}:{port}: connection refused") from error
    except TimeoutError as error:
        raise PlexTimeout(f"{host}:{port}: no connection in time") from error
    except (OSError, UnicodeError) as error:
        raise PlexUnreachable(f"{host}:{port}: {_reason(error)}") from error
    return _wrap_tls(plain, host) if scheme == "https" else plain


def _open_socket(addresses: list[str], port: int, deadline: float) -> socket.socket:
    """Connect to the first address that answers; each of those that are left has an equal share of the time."""
    failure: OSError = TimeoutError()
    for number, address in enumerate(addresses):
        share_s = seconds_left(deadline) / (len(addresses) - number)
        try:
            # As bytes: of a text Python would first ask for its IDNA form, whose tables cost a healthy check 3 ms.
            return socket.create_connection((address.encode("ascii"), port), timeout=share_s)  # type: ignore[arg-type]
        except OSError as error:
            failure = error
    raise failure


def _find_addresses(host: str, port: int, deadline: float) -> list[str]:
    """Return the addresses of a host. The resolver knows only limits of its own, of half a minute and more.

    So it is asked by a thread that nobody waits for longer than to the deadline; it ends with the resolver's patience or with
    this process. No answer is no fault of Plex: PlexUnreachable, and no PlexTimeout.
    """
    if _is_address(host) or host == "localhost":
        return [host]
    import queue  # what a Plex on this machine does not need
    import threading

    answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(str(address[0]) for *_, address in found)))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=seconds_left(deadline))
    except queue.Empty as error:
        raise PlexUnreachable(f"{host}:{port}: its name does not resolve in time") from error
    if isinstance(answer, Exception):
        raise answer
    return answer


def _wrap_tls(plain: socket.socket, host: str) -> socket.socket:
    import ssl  # 10 ms of CPU that a plain local Plex does not need

    context = ssl.create_default_context()
    if _is_loopback(host):
        # Plex's own certificate is for a name under plex.direct; on this very machine there is nobody in the middle.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except TimeoutError as error:
        raise PlexTimeout(f"{host}: no TLS handshake in time") from error
    except OSError as error:
        raise PlexUnreachable(f"{host}: no TLS: {_reason(error)}") from error


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


# -- answers ----------------------------------------------------------------------------------------------------------


class Node:
    """A part of an answer, XML or JSON alike: named values and child parts."""

    __slots__ = ("_children", "_values")

    def __init__(self, values: dict[str, Any], children: list[tuple[str, "Node"]]) -> None:
        self._values = values
        self._children = children

    def text(self, name: str) -> str:
        value = self._values.get(name)
        text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        # JSON can hold halves of surrogate pairs, which nothing that is written down or sent can.
        return text.encode("utf-8", "replace").decode("utf-8")

    def flag(self, name: str) -> bool:
        return self.text(name) in ("1", "true")

    def children(self, *names: str) -> Iterator["Node"]:
        return (node for name, node in self._children if name in names)

    def child_text(self, child: str, name: str) -> str:
        return next((node.text(name) for node in self.children(child)), "")


def interpret_answer(path: str, status: int, kind: str, body: bytes) -> Node:
    """Return the root part of an answer, or raise the PlexError that it stands for. Pure."""
    if status in (200, 201, 204):
        return _parse_body(path, kind, body)
    if status in (401, 403):
        raise PlexUnauthorized(f"{path}: {status}: the token is wrong or missing")
    if status == 503 and b"aintenance" in body:
        raise PlexMaintenance(_maintenance_text(body))
    if status >= 500:
        raise PlexFailing(f"{path}: {status} {_first_words(body)}")
    if 300 <= status < 400:
        raise PlexBroken(f"{path}: a redirect ({status}), which Plex never sends")
    raise PlexBroken(f"{path}: status {status} {_first_words(body)}")


def _parse_body(path: str, kind: str, body: bytes) -> Node:
    if "json" in kind:
        return _parse_json(path, body)
    if "xml" in kind:
        return _parse_xml(path, body)
    raise PlexBroken(f"{path}: {kind.partition(';')[0] or 'content without a type'} instead of XML or JSON")


def _parse_json(path: str, body: bytes) -> Node:
    try:
        container = json.loads(body)["MediaContainer"]
        if not isinstance(container, dict):
            raise TypeError("MediaContainer is no object")
        return _node_from_json(container)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PlexBroken(f"{path}: JSON that is not Plex's: {error}") from error


def _node_from_json(data: dict[str, Any]) -> Node:
    children: list[tuple[str, Node]] = []
    for name, value in data.items():
        items = value if isinstance(value, list) else [value]
        children += [(name, _node_from_json(item)) for item in items if isinstance(item, dict)]
    return Node({name: value for name, value in data.items() if not isinstance(value, dict | list)}, children)


def _parse_xml(path: str, body: bytes) -> Node:
    from xml.etree import ElementTree  # JSON is what a healthy Plex sends

    try:
        root = ElementTree.fromstring(body)
        if root.tag != "MediaContainer":
            raise PlexBroken(f"{path}: XML that is not Plex's: <{root.tag[:40]}>")
        return _node_from_xml(root)
    except (ElementTree.ParseError, LookupError, ValueError, RecursionError) as error:  # LookupError: an unknown encoding
        raise PlexBroken(f"{path}: XML that does not parse: {error}") from error


def _node_from_xml(element: Any) -> Node:
    return Node(dict(element.attrib), [(child.tag, _node_from_xml(child)) for child in element])


def _maintenance_text(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    _, found, rest = text.partition('status="')
    return rest.partition('"')[0][:200] if found else "maintenance"


def _first_words(body: bytes) -> str:
    text = body[:2000].decode("utf-8", "replace")
    plain = " ".join(part.partition(">")[2] if n else part for n, part in enumerate(text.split("<")))
    return " ".join(plain.split())[:80]
