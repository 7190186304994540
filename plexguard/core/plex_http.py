"""A Plex server over HTTP. No redirect is followed: Plex sends none, and who does is not Plex."""

import http.client
import ipaddress
import socket
import time
from urllib.parse import quote, urlencode, urlsplit

from plexguard.core.listeners import find_listener_uids
from plexguard.core.plex import (
    Activity,
    Count,
    Identity,
    Item,
    Library,
    NewLibrary,
    PlexBroken,
    PlexRefused,
    PlexTimeout,
    PlexUnauthorized,
    PlexUnreachable,
    Session,
)
from plexguard.core.plex_answers import Node, interpret_answer, interpret_done
from plexguard.core.secret import Secret
from plexguard.core.wire import DeadlineSocket, TooMuch, connect, read_bounded, reason_of

# A library list is a few KiB; what is larger than this is no answer of Plex to a question of ours.
MAX_ANSWER_BYTES = 2 * 1024 * 1024
# What has files in a library of shows are episodes, in one of artists tracks, and in one of photos those inside albums.
_ITEM_KINDS = {"movie": "type=1&", "show": "type=4&", "artist": "type=10&", "photo": "type=13&"}
# What the trash of a library has.
_MISSING = "trash=1&"
# An item with its streams takes some KiB.
_PAGE = 100
_TOO_MUCH = f"an answer of more than {MAX_ANSWER_BYTES // 1024 // 1024} MiB"


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
                scanned_at=section.number("scannedAt"),
                agent=section.text("agent"),
                scanner=section.text("scanner"),
                language=section.text("language"),
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
                library=item.text("librarySectionID"),
            )
            for item in root.children("Metadata", "Video", "Track", "Photo")
        )

    def read_media(self, library: Library, *, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        items = self._ask(_page(library, "", size=1), timeout_s).children("Metadata", "Video", "Track", "Photo")
        medias = (media for item in items for media in item.children("Media"))
        part = next((part.text("key") for media in medias for part in media.children("Part")), "")
        if not part.startswith("/"):
            return False
        status, _, body = self._send("GET", part, deadline, with_token=True, first_byte=True)
        if status not in (200, 206) or not body:
            raise PlexBroken(f"{part}: {status}: the file is gone, or Plex may not read it")
        return True

    def activities(self, *, timeout_s: float) -> tuple[Activity, ...]:
        root = self._ask("/activities", timeout_s)
        return tuple(
            Activity(
                type=item.text("type"),
                title=item.text("title"),
                library=item.child_text("Context", "librarySectionID"),
                uuid=item.text("uuid"),
            )
            for item in root.children("Activity")
        )

    def preferences(self, *, timeout_s: float) -> dict[str, str]:
        root = self._ask("/:/prefs", timeout_s)
        return {item.text("id"): item.text("value") for item in root.children("Setting")}

    def set_preference(self, name: str, value: str, *, timeout_s: float) -> None:
        # Plex shows true and false, and stores 1 and 0.
        stored = {"true": "1", "false": "0"}.get(value, value)
        # One setting a call: a name that Plex does not know may spoil all others of the call.
        self._tell("PUT", f"/:/prefs?{quote(name, safe='')}={quote(stored, safe='')}", timeout_s)

    def cancel_activity(self, activity: Activity, *, timeout_s: float) -> None:
        self._tell("DELETE", f"/activities/{quote(activity.uuid, safe='')}", timeout_s)

    def cancel_scan(self, library: Library, *, timeout_s: float) -> None:
        self._tell("DELETE", f"/library/sections/{quote(library.key, safe='')}/refresh", timeout_s)

    def scan(self, library: Library, *, timeout_s: float, is_forced: bool = False) -> None:
        self._tell("GET", f"/library/sections/{quote(library.key, safe='')}/refresh{'?force=1' if is_forced else ''}", timeout_s)

    def add_library(self, library: NewLibrary, *, timeout_s: float) -> None:
        made = {"name": library.title, "type": library.type, "agent": library.agent}
        made |= {"scanner": library.scanner, "language": library.language}
        query = urlencode([*made.items(), *(("location", folder) for folder in library.folders)], quote_via=quote)
        self._tell("POST", f"/library/sections?{query}", timeout_s)

    def has_pass(self, *, timeout_s: float) -> bool:
        return self._ask("/", timeout_s).flag("myPlexSubscription")

    def sign_out(self, *, timeout_s: float) -> None:
        self._tell("DELETE", "/myplex/account", timeout_s)

    def analyze(self, library: Library, *, timeout_s: float) -> None:
        self._tell("PUT", f"/library/sections/{quote(library.key, safe='')}/analyze", timeout_s)

    def count_items(self, library: Library, *, timeout_s: float) -> Count:
        deadline = time.monotonic() + timeout_s
        return Count(items=self._count(library, "", deadline), missing=self._count(library, _MISSING, deadline))

    def list_missing(self, library: Library, *, limit: int, timeout_s: float) -> tuple[Item, ...]:
        deadline = time.monotonic() + timeout_s
        found: list[Item] = []
        while len(found) < limit:
            size = min(_PAGE, limit - len(found))
            root = self._ask(_page(library, _MISSING, start=len(found), size=size), max(deadline - time.monotonic(), 0.001))
            items = [_read_item(item) for item in root.children("Metadata", "Video", "Track", "Photo")]
            found += items
            if len(items) < size:
                break
        return tuple(found[:limit])

    def empty_trash(self, library: Library, *, timeout_s: float) -> None:
        self._tell("PUT", f"/library/sections/{quote(library.key, safe='')}/emptyTrash", timeout_s)

    def _count(self, library: Library, filters: str, deadline: float) -> int:
        path = _page(library, filters, size=0)
        total = self._ask(path, max(deadline - time.monotonic(), 0.001)).text("totalSize")
        if not (total.isascii() and total.isdigit()):
            raise PlexBroken(f"{path}: no totalSize")
        return int(total)

    def _tell(self, method: str, path: str, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        self._check_listener(path)
        status, _, body = self._send(method, path, deadline, with_token=True)
        interpret_done(path, status, body)

    def _ask(self, path: str, timeout_s: float, *, with_token: bool = True) -> Node:
        deadline = time.monotonic() + timeout_s
        if with_token:
            self._check_listener(path)
        status, kind, body = self._send("GET", path, deadline, with_token=with_token)
        return interpret_answer(path, status, kind, body)

    def _check_listener(self, path: str) -> None:
        if self._owners is None or not _is_loopback(self._url.hostname or ""):
            return
        strangers = find_listener_uids(self._url.port or 32400) - self._owners - {0}
        if strangers:
            raise PlexBroken(f"{path}: not asked: user {min(strangers)} listens there, who is not Plex's")

    def _send(
        self, method: str, target: str, deadline: float, *, with_token: bool, first_byte: bool = False
    ) -> tuple[int, str, bytes]:
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
            connection.request(method, target, headers=headers)
            response = connection.getresponse()
            # A server that does not heed the range would send a whole film.
            body = response.read(1) if first_byte else read_bounded(response, MAX_ANSWER_BYTES)
            return response.status, response.headers.get("Content-Type", ""), body
        except TimeoutError as error:
            raise PlexTimeout(f"{target}: no whole answer in time") from error
        except TooMuch as error:
            raise PlexBroken(_TOO_MUCH) from error
        except (http.client.HTTPException, ConnectionError, ValueError) as error:
            raise PlexBroken(f"{target}: the answer broke off or is not HTTP: {reason_of(error)}") from error
        except OSError as error:
            raise PlexUnreachable(f"{target}: {reason_of(error)}") from error
        finally:
            plain.close()


def _page(library: Library, filters: str, *, size: int, start: int = 0) -> str:
    """Return the path that asks for some of what in a library has files."""
    kind = _ITEM_KINDS.get(library.type, "")
    page = f"X-Plex-Container-Start={start}&X-Plex-Container-Size={size}"
    return f"/library/sections/{quote(library.key, safe='')}/all?{kind}{filters}{page}"


def _read_item(item: Node) -> Item:
    medias = item.children("Media")
    return Item(title=_show_title(item), files=tuple(part.text("file") for media in medias for part in media.children("Part")))


def _show_title(item: Node) -> str:
    return " - ".join(part for name in ("grandparentTitle", "parentTitle", "title") if (part := item.text(name)))


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
        plain = connect(host, port, deadline)
    except ConnectionRefusedError as error:
        raise PlexRefused(f"{host}:{port}: connection refused") from error
    except TimeoutError as error:
        raise PlexTimeout(f"{host}:{port}: no connection in time") from error
    except OSError as error:
        raise PlexUnreachable(f"{host}:{port}: {reason_of(error)}") from error
    return _wrap_tls(plain, host) if scheme == "https" else plain


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
        raise PlexUnreachable(f"{host}: no TLS: {reason_of(error)}") from error


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
