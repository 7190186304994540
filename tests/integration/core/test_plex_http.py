"""The client of Plex against servers that refuse, hang, drip, lie and break off; and against recorded answers."""

import contextlib
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plexguard.core.plex import (
    Activity,
    Identity,
    Library,
    PlexBroken,
    PlexError,
    PlexFailing,
    PlexMaintenance,
    PlexRefused,
    PlexTimeout,
    PlexUnauthorized,
    PlexUnreachable,
    Session,
)
from plexguard.core.plex_http import MAX_ANSWER_BYTES, HttpPlex
from plexguard.core.secret import Secret
from tests.integration.core.conftest import Run
from tests.waiting import await_true

Answer = Callable[[socket.socket], None]


class Server:
    """Reads one request a connection and lets the test answer it, byte for byte."""

    def __init__(self, listener: socket.socket, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.port: int = listener.getsockname()[1]
        self.requests: list[str] = []
        self._listener = listener
        self._answer = answer
        self._tls = tls
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer_one, args=(connection,), daemon=True).start()

    def _answer_one(self, connection: socket.socket) -> None:
        # The client may be gone in the middle of anything: that is what these tests are about.
        with connection, contextlib.suppress(OSError):
            talk = self._tls.wrap_socket(connection, server_side=True) if self._tls else connection
            with talk:
                request = b""
                while b"\r\n\r\n" not in request:
                    request += talk.recv(65536)
                self.requests.append(request.decode("latin-1"))
                self._answer(talk)


@contextlib.contextmanager
def serving(answer: Answer, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        yield Server(listener, answer, tls)


def says(*parts: bytes, pause_s: float = 0.0) -> Answer:
    def answer(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause_s)

    return answer


def reply(body: bytes, kind: str = "application/json", status: str = "200 OK", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{more}\r\n"
    return head.encode() + body


def ask(server: Server) -> HttpPlex:
    return HttpPlex(f"http://127.0.0.1:{server.port}", Secret("the-token-of-the-test"))


# -- recorded answers -------------------------------------------------------------------------------------------------

IDENTITY_JSON = b"""{
 "MediaContainer": {
  "size": 0,
  "apiVersion": "1.2.3",
  "claimed": false,
  "machineIdentifier": "e004a7de01c19d82ea3a7fe4bfaa19e23a8344af",
  "version": "1.43.4.10903-e5521bd8c"
 }
}"""
IDENTITY_XML = b"""<?xml version="1.0" encoding="UTF-8"?>
<MediaContainer size="0" apiVersion="1.2.3" claimed="0" machineIdentifier="e004a7de01c19d82ea3a7fe4bfaa19e23a8344af" \
version="1.43.4.10903-e5521bd8c">
</MediaContainer>"""
IDENTITY = Identity(machine_identifier="e004a7de01c19d82ea3a7fe4bfaa19e23a8344af", version="1.43.4.10903-e5521bd8c", claimed=False)
SECTIONS_JSON = b"""{
 "MediaContainer": {
  "size": 2, "allowSync": false, "title1": "Plex Library",
  "Directory": [
   {"allowSync": false, "filters": true, "refreshing": true, "key": "2", "type": "show", "title": "TV Shows",
    "agent": "tv.plex.agents.series", "scanner": "Plex TV Series", "language": "de-DE", "updatedAt": 1790299551, "hidden": 0,
    "Location": [{"id": 2, "path": "/data/tv"}, {"id": 3, "path": "/data/tv-kids"}]},
   {"allowSync": false, "filters": true, "refreshing": false, "key": "1", "type": "movie", "title": "Movies",
    "Location": [{"id": 1, "path": "/data/movies"}]}
  ]
 }
}"""
SECTIONS_XML = b"""<?xml version="1.0" encoding="UTF-8"?>
<MediaContainer size="2" allowSync="0" title1="Plex Library">
<Directory allowSync="1" filters="1" refreshing="1" key="2" type="show" title="TV Shows" \
agent="tv.plex.agents.series" scanner="Plex TV Series" language="de-DE" hidden="0">
<Location id="2" path="/data/tv" />
<Location id="3" path="/data/tv-kids" />
</Directory>
<Directory allowSync="1" filters="1" refreshing="0" key="1" type="movie" title="Movies" hidden="0">
<Location id="1" path="/data/movies" />
</Directory>
</MediaContainer>"""
SECTIONS = (
    Library(
        key="2",
        title="TV Shows",
        type="show",
        folders=("/data/tv", "/data/tv-kids"),
        scanning=True,
        agent="tv.plex.agents.series",
        scanner="Plex TV Series",
        language="de-DE",
    ),
    Library(key="1", title="Movies", type="movie", folders=("/data/movies",), scanning=False),
)
SESSIONS_JSON = b"""{
 "MediaContainer": {
  "size": 1,
  "Metadata": [
   {"key": "/library/metadata/1", "librarySectionID": "1", "sessionKey": "115", "title": "Movie 1", "type": "movie",
    "Media": [{"id": "2637", "Part": [{"id": "4631", "decision": "transcode", "Stream": [{"id": "21428"}]}]}],
    "User": {"id": "1", "title": "owner"},
    "Player": {"address": "192.168.1.11", "machineIdentifier": "shield-1", "state": "playing", "title": "SHIELD Android TV", "local": true},
    "Session": {"id": "p42rhi76u4ii2b1mbx5fck54", "bandwidth": 7000, "location": "lan"}}
  ]
 }
}"""
SESSIONS_XML = b"""<?xml version="1.0" encoding="UTF-8"?>
<MediaContainer size="1">
<Video key="/library/metadata/1" librarySectionID="1" sessionKey="115" title="Movie 1" type="movie">
<Media id="2637"><Part id="4631" decision="transcode"><Stream id="21428" /></Part></Media>
<User id="1" title="owner" />
<Player address="192.168.1.11" machineIdentifier="shield-1" state="playing" title="SHIELD Android TV" local="1" />
<Session id="p42rhi76u4ii2b1mbx5fck54" bandwidth="7000" location="lan" />
</Video>
</MediaContainer>"""
SESSIONS = (Session(kind="movie", title="Movie 1", user="owner", state="playing", key="115", player="shield-1", library="1"),)
MUSIC_XML = b"""<MediaContainer size="2">
<Track title="Song" type="track"><User title="a"/><Player state="paused"/></Track>
<Photo title="Picture" type="photo"/>
</MediaContainer>"""
MUSIC = (Session(kind="track", title="Song", user="a", state="paused"), Session(kind="photo", title="Picture", user="", state=""))
ACTIVITIES_JSON = b"""{
 "MediaContainer": {
  "size": 2,
  "Activity": [
   {"uuid": "d6c021c1-4bb8-424c-b9aa-7141a57196ae", "type": "library.update.section", "cancellable": false, "userID": 1,
    "title": "Scanning Movies", "progress": 42, "Context": {"librarySectionID": "1"}},
   {"uuid": "45463242-929b-1234-8e6b-4355dbe53400", "type": "media.generate.credits", "title": "Detecting Credits", "progress": -1}
  ]
 }
}"""
ACTIVITIES_XML = b"""<?xml version="1.0" encoding="UTF-8"?>
<MediaContainer size="2">
<Activity uuid="d6c021c1-4bb8-424c-b9aa-7141a57196ae" type="library.update.section" title="Scanning Movies" progress="42">
<Context librarySectionID="1" />
</Activity>
<Activity uuid="45463242-929b-1234-8e6b-4355dbe53400" type="media.generate.credits" title="Detecting Credits" progress="-1" />
</MediaContainer>"""
ACTIVITIES = (
    Activity(type="library.update.section", title="Scanning Movies", library="1", uuid="d6c021c1-4bb8-424c-b9aa-7141a57196ae"),
    Activity(type="media.generate.credits", title="Detecting Credits", library="", uuid="45463242-929b-1234-8e6b-4355dbe53400"),
)
PREFS_JSON = b"""{"MediaContainer": {"size": 3, "Setting": [
   {"id": "FriendlyName", "type": "text", "default": "", "value": "", "hidden": false},
   {"id": "autoEmptyTrash", "type": "bool", "default": true, "value": true},
   {"id": "ScheduledLibraryUpdateInterval", "type": "int", "default": 3600, "value": 3600}]}}"""
PREFS_XML = b"""<MediaContainer size="3">
<Setting id="FriendlyName" type="text" default="" value="" hidden="0" />
<Setting id="autoEmptyTrash" type="bool" default="true" value="true" />
<Setting id="ScheduledLibraryUpdateInterval" type="int" default="3600" value="3600" />
</MediaContainer>"""
PREFS = {"FriendlyName": "", "autoEmptyTrash": "true", "ScheduledLibraryUpdateInterval": "3600"}
EMPTY_JSON = b'{"MediaContainer": {"size": 0}}'
EMPTY_XML = b'<?xml version="1.0" encoding="UTF-8"?>\n<MediaContainer size="0">\n</MediaContainer>'
MAINTENANCE = (
    b"HTTP/1.1 503 Service Unavailable\r\nX-Plex-Protocol: 1.0\r\nContent-Type: text/xml;charset=utf-8\r\nConnection: close\r\n"
    b"Cache-Control: no-cache\r\n\r\n"
    b'<Response code="503" title="Maintenance" status="Plex Media Server is currently running database migrations."/>\n'
)
UNAUTHORIZED = (
    b"HTTP/1.1 401 Unauthorized\r\nX-Plex-Protocol: 1.0\r\nContent-Length: 91\r\nContent-Type: text/html\r\n"
    b"Connection: Keep-Alive\r\nKeep-Alive: timeout=20\r\nCache-Control: no-cache\r\n\r\n"
    b"<html><head><title>Unauthorized</title></head><body><h1>401 Unauthorized</h1></body></html>"
)
NOT_FOUND = (
    b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
    b"<html><head><title>Not Found</title></head><body><h1>404 Not Found</h1></body></html>"
)
XML = "text/xml;charset=utf-8"


@pytest.mark.parametrize(
    ("call", "path", "kind", "body", "meant"),
    [
        ("identity", "/identity", "application/json", IDENTITY_JSON, IDENTITY),
        ("identity", "/identity", XML, IDENTITY_XML, IDENTITY),
        ("libraries", "/library/sections", "application/json", SECTIONS_JSON, SECTIONS),
        ("libraries", "/library/sections", XML, SECTIONS_XML, SECTIONS),
        ("libraries", "/library/sections", "application/json", EMPTY_JSON, ()),
        ("sessions", "/status/sessions", "application/json", SESSIONS_JSON, SESSIONS),
        ("sessions", "/status/sessions", XML, SESSIONS_XML, SESSIONS),
        ("sessions", "/status/sessions", XML, MUSIC_XML, MUSIC),
        ("sessions", "/status/sessions", XML, EMPTY_XML, ()),
        ("activities", "/activities", "application/json", ACTIVITIES_JSON, ACTIVITIES),
        ("activities", "/activities", XML, ACTIVITIES_XML, ACTIVITIES),
        ("activities", "/activities", "application/json", EMPTY_JSON, ()),
        ("preferences", "/:/prefs", "application/json", PREFS_JSON, PREFS),
        ("preferences", "/:/prefs", XML, PREFS_XML, PREFS),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_recorded_answer_is_understood_in_both_its_forms(call: str, path: str, kind: str, body: bytes, meant: object) -> None:
    with serving(says(reply(body, kind))) as server:
        assert getattr(ask(server), call)(timeout_s=10.0) == meant

    (request,) = server.requests
    assert request.startswith(f"GET {path} HTTP/1.1\r\n")
    # Who it is can be asked without the token, and so it is: whoever answers may not be Plex.
    assert ("\r\nX-Plex-Token: the-token-of-the-test\r\n" in request) is (call != "identity")
    assert "\r\nAccept: application/json\r\n" in request


def test_nothing_is_said_of_a_token_where_there_is_none() -> None:
    with serving(says(reply(IDENTITY_JSON))) as server:
        HttpPlex(f"http://127.0.0.1:{server.port}", None).identity(timeout_s=10.0)

    assert "token" not in server.requests[0].lower()


@pytest.mark.parametrize("form", ["length", "chunked", "until close"])
def test_answer_that_is_large_and_comes_in_pieces_is_read_whole(form: str) -> None:
    directories = b", ".join(b'{"key": "%d", "title": "%s"}' % (n, b"t" * 500) for n in range(1000))
    body = b'{"MediaContainer": {"Directory": [' + directories + b"]}}"
    pieces = [body[at : at + 50_000] for at in range(0, len(body), 50_000)]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
    answers = {
        "length": [head + b"Content-Length: %d\r\n\r\n" % len(body), *pieces],
        "chunked": [head + b"Transfer-Encoding: chunked\r\n\r\n", *(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces), b"0\r\n\r\n"],
        "until close": [head + b"\r\n", *pieces],
    }

    with serving(says(*answers[form], pause_s=0.01)) as server:
        libraries = ask(server).libraries(timeout_s=10.0)

    assert [library.key for library in libraries] == [str(n) for n in range(1000)]


# -- faults -----------------------------------------------------------------------------------------------------------

_JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_XML_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"


def endless(head: bytes, piece: bytes) -> Answer:
    def answer(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(piece)

    return answer


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (says(UNAUTHORIZED), PlexUnauthorized),
        (says(NOT_FOUND), PlexBroken),
        (says(MAINTENANCE), PlexMaintenance),
        (says(reply(b"<h1>503 Service Unavailable</h1>", "text/html", "503 Service Unavailable")), PlexFailing),
        (says(reply(b"oops", "text/html", "500 Internal Server Error")), PlexFailing),
        (says(reply(b"", "text/html", "302 Found", "Location: /identity\r\n")), PlexBroken),
        (says(reply(b"<html><body>Router login</body></html>", "text/html")), PlexBroken),
        (says(reply(b'{"MediaContainer": {"size": 0}}')), PlexBroken),
        (says(reply(b'{"MediaContainer": []}')), PlexBroken),
        (says(), PlexBroken),
        (says(b"\0\1\2 this is no HTTP\r\n\r\n"), PlexBroken),
        (says(b"SSH-2.0-OpenSSH_9.2\r\n"), PlexBroken),
        (says(b"HTTP/1.1 2"), PlexBroken),
        (says(b"HTTP/1.1 abc OK\r\n\r\n"), PlexBroken),
        (says(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n"), PlexBroken),
        (says(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"), PlexBroken),
        (endless(b"HTTP/1.1 200 OK\r\n", b"y" * 65536), PlexBroken),
        (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000), PlexBroken),
        (says(_JSON_HEAD + b"Content-Length: 1000\r\n\r\n" + IDENTITY_JSON), PlexBroken),
        (says(_JSON_HEAD + b"Content-Length: 1000\r\n\r\n"), PlexBroken),
        (says(_JSON_HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{"), PlexBroken),
        (says(_JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n20\r\n" + IDENTITY_JSON[:10]), PlexBroken),
        (says(_JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{    \r\n"), PlexBroken),
        (says(_JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\nno number\r\n{}\r\n"), PlexBroken),
        (says(_JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n"), PlexBroken),
        (endless(_JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", b"x" * 65536), PlexBroken),
        (endless(_JSON_HEAD + b"\r\n", b" " * 65536), PlexBroken),
        (says(reply(b"<MediaContainer>" + b"<Directory/>" * 900_000 + b"</MediaContainer>", "text/xml")), PlexBroken),
        (says(_JSON_HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00"), PlexBroken),
    ],
    ids=[
        "401", "404", "maintenance", "503", "500", "redirect", "html", "no identifier", "list", "closed at once", "garbage", "ssh",
        "cut status", "bad status", "many headers", "long header", "endless header", "endless continue", "half body", "no body",
        "endless length", "cut chunk", "no last chunk", "bad chunk", "negative chunk", "endless chunk", "endless body",
        "10 MB of xml", "gzip",
    ],
)  # fmt: skip
def test_every_odd_answer_is_a_fault_of_its_kind(answer: Answer, fault: type[PlexError]) -> None:
    with serving(answer) as server, pytest.raises(PlexError) as told:
        ask(server).identity(timeout_s=20.0)

    assert type(told.value) is fault, told.value
    assert "the-token-of-the-test" not in str(told.value)
    # A redirect is not followed, and nothing is asked twice.
    assert len(server.requests) == 1


def test_maintenance_says_what_plex_does() -> None:
    with serving(says(MAINTENANCE)) as server, pytest.raises(PlexMaintenance, match="currently running database migrations"):
        ask(server).libraries(timeout_s=10.0)


def test_answer_just_within_the_bound_is_taken_and_one_byte_more_is_not() -> None:
    frame = b'{"MediaContainer": {"machineIdentifier": "x", "pad": ""}}'
    fits = frame.replace(b'""', b'"' + b"p" * (MAX_ANSWER_BYTES - len(frame)) + b'"')

    with serving(says(reply(fits))) as server:
        assert ask(server).identity(timeout_s=10.0).machine_identifier == "x"
    with serving(says(reply(fits + b" "))) as server, pytest.raises(PlexBroken, match="more than 2 MiB"):
        ask(server).identity(timeout_s=10.0)


def test_port_at_which_nobody_listens_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with pytest.raises(PlexRefused, match=f"127.0.0.1:{port}: connection refused"):
        HttpPlex(f"http://127.0.0.1:{port}", None).identity(timeout_s=10.0)


def test_name_that_leads_nowhere_is_unreachable() -> None:
    for host in ("no-such-host.invalid", "a..b", "x" * 70):
        with pytest.raises(PlexUnreachable):
            HttpPlex(f"http://{host}:32400", None).identity(timeout_s=10.0)


def drips(head: bytes, *, every_s: float = 0.05) -> Answer:
    def answer(connection: socket.socket) -> None:
        for byte in head + b" " * 100_000:
            connection.sendall(bytes([byte]))
            time.sleep(every_s)

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        lambda connection: time.sleep(30),
        drips(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"),
        drips(_XML_HEAD + b"Content-Length: 100000\r\n\r\n", every_s=0.001),
        says(_JSON_HEAD + b"Content-Length: 100\r\n\r\n{", pause_s=30),
    ],
    ids=["hung", "drips its head", "drips its body", "stops in its body"],
)
def test_deadline_is_kept_in_total_however_the_bytes_come(answer: Answer) -> None:
    began = time.monotonic()

    with serving(answer) as server, pytest.raises(PlexTimeout, match="no whole answer in time"):
        ask(server).identity(timeout_s=0.4)

    # Each byte came well within the limit; the sum did not. Without a deadline this would take far longer.
    assert 0.4 <= time.monotonic() - began < 15


def test_server_that_accepts_no_more_connections_times_out() -> None:
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(full.getsockname())

        with pytest.raises(PlexTimeout):
            HttpPlex(f"http://127.0.0.1:{full.getsockname()[1]}", None).identity(timeout_s=0.4)


def test_no_time_at_all_is_a_timeout_and_no_traceback() -> None:
    with serving(says(reply(IDENTITY_JSON))) as server, pytest.raises(PlexTimeout):
        ask(server).identity(timeout_s=0.0)


def test_client_is_good_for_many_calls_and_leaves_no_descriptor_open() -> None:
    with serving(says(reply(IDENTITY_JSON))) as server:
        plex = ask(server)
        plex.identity(timeout_s=10.0)
        before = count_descriptors()
        for _ in range(30):
            assert plex.identity(timeout_s=10.0) == IDENTITY
        # Those of the server's side are closed by its threads, each in its own time.
        await_true(lambda: count_descriptors() <= before, what=count_descriptors)


def count_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


# -- other ways to get there ------------------------------------------------------------------------------------------


def test_server_at_an_ipv6_address_is_asked() -> None:
    with serving(says(reply(IDENTITY_JSON)), host="::1") as server:
        assert HttpPlex(f"http://[::1]:{server.port}", None).identity(timeout_s=10.0) == IDENTITY

    assert f"\r\nHost: [::1]:{server.port}\r\n" in server.requests[0]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """Return the server's side of TLS with a certificate that nobody vouches for, as a Plex of one's own has it."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=*.0123456789abcdef.plex.direct", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        capture_output=True, check=True, timeout=30,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_own_certificate_is_taken_on_this_very_machine(certificate: ssl.SSLContext, host: str) -> None:
    with serving(says(reply(SECTIONS_JSON)), tls=certificate) as server:
        assert HttpPlex(f"https://{host}:{server.port}", None).libraries(timeout_s=10.0) == SECTIONS


def test_certificate_that_nobody_vouches_for_is_refused_for_any_other_name(certificate: ssl.SSLContext) -> None:
    # 0.0.0.0 leads to this machine too, but says nothing of it.
    with serving(says(reply(IDENTITY_JSON)), tls=certificate) as server, pytest.raises(PlexUnreachable, match="no TLS"):
        HttpPlex(f"https://0.0.0.0:{server.port}", None).identity(timeout_s=10.0)

    assert server.requests == []


def test_deadline_is_kept_over_tls(certificate: ssl.SSLContext) -> None:
    with serving(drips(_JSON_HEAD), tls=certificate) as server, pytest.raises(PlexTimeout):
        HttpPlex(f"https://127.0.0.1:{server.port}", None).identity(timeout_s=0.5)


def test_plain_server_that_is_asked_for_tls_is_unreachable() -> None:
    def answer_at_once() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.recv(65536)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer_at_once, daemon=True).start()
        with pytest.raises(PlexUnreachable, match="no TLS"):
            HttpPlex(f"https://127.0.0.1:{listener.getsockname()[1]}", None).identity(timeout_s=10.0)


def test_server_that_hangs_in_the_handshake_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(PlexTimeout, match="no TLS handshake in time"):
        HttpPlex(f"https://127.0.0.1:{listener.getsockname()[1]}", None).identity(timeout_s=0.4)


@pytest.mark.parametrize("owners", [None, frozenset({os.getuid()})], ids=["unknown", "ours"])
def test_a_listener_of_the_expected_user_is_asked(owners: frozenset[int] | None) -> None:
    with serving(says(reply(SECTIONS_JSON, "application/json"))) as server:
        plex = HttpPlex(f"http://127.0.0.1:{server.port}", Secret("the-token-of-the-test"), owners=owners)

        assert plex.libraries(timeout_s=10.0) == SECTIONS


_STRANGER = """
import os, socket, sys
os.setuid(65534)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
listener.settimeout(20)
print(listener.accept()[0].recv(1 << 16).decode(), flush=True)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="needs another user")
@pytest.mark.parametrize(
    "call",
    [lambda plex: plex.libraries(timeout_s=5.0), lambda plex: plex.set_preference("autoEmptyTrash", "false", timeout_s=5.0)],
    ids=["asked", "told"],
)
def test_a_stranger_on_plexs_port_gets_no_token_and_is_not_believed(call: Callable[[HttpPlex], object]) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", _STRANGER], stdout=subprocess.PIPE, text=True)
    try:
        assert stranger.stdout is not None
        port = int(stranger.stdout.readline())
        with pytest.raises(PlexBroken, match="user 65534 listens there"):
            call(HttpPlex(f"http://127.0.0.1:{port}", Secret("the-token-of-the-test"), owners=frozenset({995})))
    finally:
        stranger.kill()
        assert "the-token" not in (stranger.communicate()[0] or "")


# -- names ------------------------------------------------------------------------------------------------------------

# A network of its own, in which the only server of names takes every question and answers none, and a file knows two names.
NAMES = """
    import ctypes, os, socket, subprocess, tempfile
    from pathlib import Path
    from plexguard.core.plex import PlexError
    from plexguard.core.plex_http import HttpPlex
    assert ctypes.CDLL(None, use_errno=True).unshare(0x40000000) == 0
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "route", "add", "192.0.2.0/24", "dev", "lo"], check=True)
    folder = Path(tempfile.mkdtemp())
    files = {
        "resolv.conf": "nameserver 127.0.0.1\\noptions timeout:30 attempts:5\\n",
        "hosts": "127.0.0.1 here.example\\n192.0.2.9 away.example\\n192.0.2.8 away.example\\n",
        "nsswitch.conf": "hosts: files dns\\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
        subprocess.run(["mount", "--bind", str(folder / name), os.path.realpath(f"/etc/{name}")], check=True)
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind(("127.0.0.1", 53))
    plex = socket.create_server(("127.0.0.1", 32400))

    def connect(url):
        try:
            HttpPlex(url, None).connect(timeout_s=1.0)
            print("connected")
        except PlexError as error:
            print(type(error).__name__, error)
"""


def test_a_name_that_nobody_answers_for_is_given_up_in_time_and_is_no_silence_of_plex(run_mounted: Run) -> None:
    # The resolver alone would take longer than the test is given.
    done = run_mounted(
        NAMES
        + """
    connect("http://plex.example:32400")
    names.settimeout(5)
    print(b"plex" in names.recv(512))
    """
    )

    assert done.stdout.splitlines() == ["PlexUnreachable plex.example:32400: its name does not resolve in time", "True"], (
        done.stderr
    )


def test_a_name_that_is_known_leads_to_plex_and_its_addresses_share_the_time_of_one(run_mounted: Run) -> None:
    done = run_mounted(
        NAMES
        + """
    connect("http://here.example:32400")
    create, given = socket.create_connection, []
    socket.create_connection = lambda address, timeout: given.append(timeout) or create(address, timeout)
    connect("http://away.example:32400")
    print(len(given), given[0] <= 0.5)
    connect("http://" + 80 * "x" + ".example:32400")
    """
    )

    connected, silent, shares, no_name = done.stdout.splitlines()
    assert (connected, silent) == ("connected", "PlexTimeout away.example:32400: no connection in time"), done.stderr
    assert shares == "2 True"
    assert no_name.startswith("PlexUnreachable")
