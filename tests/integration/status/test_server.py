"""The server on a real socket: who may ask, how, and what is answered when something is the matter."""

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from plexguard.core.errors import IoFailed
from plexguard.core.responses import Response
from plexguard.core.secret import Secret
from plexguard.status.overview import ProblemView, State, Thing
from plexguard.status.server.http import CSP, HEADERS, Limits
from plexguard.status.server.stream import MOST_CLIENTS
from tests.fakes.told import tell
from tests.integration.status.serving import WELL, Got, Running, Sources, serving
from tests.unit.status.server.samples import FULL, SPEED

PATHS = [
    "/api/v1/overview",
    "/api/v1/health",
    "/api/v1/health/plex",
    "/api/v1/events",
    "/api/v1/timeline",
    "/api/v1/series",
    "/metrics",
]
EVIL = "<script>alert(1)</script>"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    page = tmp_path / "web"
    page.mkdir()
    (page / "index.html").write_text("<!doctype html><title>page</title>", encoding="utf-8")
    (page / "app.js").write_text("1;\n", encoding="utf-8")
    (page / "secret.key").write_text("no page\n", encoding="utf-8")
    sources = Sources()
    sources.events.add(
        tell("plex.hung", now() - timedelta(hours=2), detail=EVIL),
        tell("plex.recovered", now() - timedelta(hours=1), downtime_s=3600.0),
    )
    with serving(tmp_path, sources, names=("media.lan",), page=page) as server:
        yield server


# -- what is answered -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_every_path_answers_and_head_says_the_same_without_it(running: Running, path: str) -> None:
    got, head = running.get(path), running.get(path, method="HEAD")
    assert (got.status, head.status, head.body) == (200, 200, b"")
    assert got.body
    assert head.headers["content-type"] == got.headers["content-type"]


@pytest.mark.parametrize("path", [*PATHS, "/", "/static/app.js", "/nothing", "/api/v1/events?limit=x", "/api/v1/stream"])
def test_every_answer_has_the_headers(running: Running, path: str) -> None:
    if path == "/api/v1/stream":
        listener = running.listen()
        headers = listener.headers
        listener.close()
    else:
        headers = running.get(path).headers
    assert headers["content-security-policy"] == CSP
    for name, value in HEADERS.items():
        if not (name == "Cache-Control" and path in ("/", "/static/app.js")):
            assert headers[name.lower()] == value
    assert "aiohttp" not in str(headers)


def test_events_tell_their_runbook_and_page_through(running: Running) -> None:
    first = running.get("/api/v1/events?limit=1").json
    second = running.get(f"/api/v1/events?limit=1&before={first['next']}").json
    assert [event["name"] for event in (*first["events"], *second["events"])] == ["plex.recovered", "plex.hung"]
    assert second["next"] is None
    event = second["events"][0]
    assert (event["severity"], event["fields"]["detail"]) == ("warning", EVIL)
    assert set(event["runbook"]) == {"meaning", "decided", "did", "action"} and event["runbook"]["action"]
    assert running.get("/api/v1/events?name=plex.re*&min_priority=notice").json["events"] == first["events"]


def test_timeline_has_the_incident_with_its_downtime(running: Running) -> None:
    timeline = running.get("/api/v1/timeline").json
    (incident,) = timeline["incidents"]
    assert (incident["name"], incident["area"], incident["downtime_s"], incident["count"]) == ("plex.hung", "plex", 3600.0, 1)
    assert incident["ended"] is not None and timeline["complete"] and timeline["left_off"] == 0


def test_series_have_points_and_tests(tmp_path: Path) -> None:
    at = int(now().timestamp())
    checks = tuple(Response(at=at - 30 * n, verdict="healthy", latencies={"database": 0.01}) for n in range(2000))
    with serving(
        tmp_path,
        Sources(
            responses=checks,
            speed=(replace(SPEED, time=now() - timedelta(hours=1)), SPEED.__class__(time=now(), day="", failure="no")),
        ),
    ) as server:
        series = server.get("/api/v1/series").json
    assert 100 < len(series["response"]) <= 300
    assert set(series["response"][0]) == {"at", "seconds", "slowest", "verdict"}
    assert [(test["download_bit_per_s"], test["failure"]) for test in series["speed"]] == [(1e8, ""), (None, "no")]


def test_files_of_the_page_and_no_others(running: Running) -> None:
    page, script = running.get("/"), running.get("/static/app.js")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert (script.body, script.headers["content-type"]) == (b"1;\n", "text/javascript; charset=utf-8")
    assert running.get("/static/app.js", headers={"If-None-Match": script.headers["etag"]}).status == 304
    for path in (
        "/static/secret.key",
        "/static/../index.sqlite",
        "/static/%2e%2e/index.sqlite",
        "/static/",
        "/app.js",
        "/static//etc/passwd",
    ):
        assert running.get(path).status == 404


# -- who may ask, and how ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:32480", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:32480", 200),
        ("LOCALHOST", 200),
        ("media.lan", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("192.168.1.5", 403),
        ("localhost:80:80", 400),
        ("localhost/", 400),
        ("a b", 400),
        ("", 400),
    ],
)
def test_only_known_names_are_answered(running: Running, host: str, status: int) -> None:
    for path in ("/api/v1/health", "/", "/nothing"):
        got = running.get(path, headers={"Host": host})
        assert got.status == (404 if (status, path) == (200, "/nothing") else status)
        assert status == 200 or host not in got.body.decode() or not host


@pytest.mark.parametrize("name", ["evil.example", "localhost"])
def test_it_is_no_proxy(running: Running, name: str) -> None:
    got = running.raw(f"GET http://{name}/api/v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert got.startswith(b"HTTP/1.1 400 ") and CSP.encode() in got


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "FOO"])
def test_nothing_but_get_and_head(running: Running, method: str) -> None:
    answer = running.raw(f"{method} /api/v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert b" 405 " in answer.partition(b"\r\n")[0] or b" 400 " in answer.partition(b"\r\n")[0]
    assert CSP.encode() in answer


@pytest.mark.parametrize(
    "request_",
    [
        b"\x00\xff\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 10_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    ],
)
def test_nonsense_is_answered_with_400_and_the_connection_is_over(running: Running, request_: bytes) -> None:
    answer = running.raw(request_)
    assert b" 400 " in answer.partition(b"\r\n")[0]
    assert CSP.encode() in answer and b'{"error":' in answer
    assert running.get("/api/v1/health").status == 200 and running.journal.names == []


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/events?limit=501",
        "/api/v1/events?x=1",
        "/api/v1/events?limit=1&limit=2",
        "/api/v1/timeline?range=1y",
        "/api/v1/health?a=b",
        "/api/v1/stream?a=b",
    ],
)
def test_bad_parameters_are_400_with_the_reason(running: Running, path: str) -> None:
    got = running.get(path)
    assert got.status == 400 and got.json["error"]


def test_a_client_that_takes_its_time_is_let_go_of(tmp_path: Path) -> None:
    with serving(tmp_path, limits=Limits(patience_s=0.4)) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as slow:
            slow.sendall(b"GET / HTTP/1.1\r\nHost: loc")
            assert slow.recv(100) == b""
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as silent:
            assert silent.recv(100) == b""
        assert server.get("/api/v1/health").status == 200


def test_no_more_than_so_many_connections(tmp_path: Path) -> None:
    with serving(tmp_path, limits=Limits(connections=3)) as server:
        held = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(3)]
        for one in held:
            one.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert one.recv(20).startswith(b"HTTP/1.1 200")
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as more:
            assert more.recv(100) == b""
        held.pop().close()
        for one in held:
            one.close()


# -- when something is the matter -------------------------------------------------------------------------------------


def test_health_is_503_with_the_reason(running: Running) -> None:
    running.get("/api/v1/events")  # the first day has been read: what comes now is news
    fall_ill(running)
    got = await_503(running)
    assert (got.status, got.json["reasons"]) == (503, ["Mount films gives no bytes"])
    assert running.get("/api/v1/health/plex").status == 200


def test_what_happens_while_the_first_day_is_read_is_seen_too(tmp_path: Path) -> None:
    sources = Sources()
    sources.events.gate.clear()
    with serving(tmp_path, sources) as server:
        assert server.get("/api/v1/health").status == 200
        fall_ill(server)
        sources.events.gate.set()
        assert await_503(server).status == 503


def fall_ill(running: Running) -> None:
    running.sources.overview = replace(FULL, at=now())
    running.sources.events.add(tell("plex.hung", now()))


def await_503(running: Running) -> Got:
    """Return what /health says, once it is no more 200: for less long than an overview is kept when nothing has changed."""
    deadline = threading.Event()
    for _ in range(100):
        if (got := running.get("/api/v1/health")).status == 503:
            break
        deadline.wait(0.1)
    return got


@pytest.mark.parametrize("error", [IoFailed("Failed to read a state: Input/output error"), OSError(5, "Input/output error")])
def test_what_cannot_be_taken_is_no_200_and_metrics_say_so(tmp_path: Path, error: Exception) -> None:
    with serving(tmp_path, Sources(overview=error)) as server:
        for path in ("/api/v1/health", "/api/v1/health/plex", "/api/v1/overview"):
            assert server.get(path).status == 503
        assert "cannot be told" in server.get("/api/v1/health").json["reasons"][0]
        assert b"plexguard_overview_up 0.0" in server.get("/metrics").body


def test_an_overview_that_hangs_is_503_and_the_rest_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plexguard.status.server.desk.DEADLINE_S", 0.5)
    sources = Sources()
    sources.gate.clear()
    with serving(tmp_path, sources) as server:
        got = server.get("/api/v1/health")
        assert (got.status, "too long" in got.json["reasons"][0]) == (503, True)
        assert server.get("/api/v1/timeline").status == 200
        # It is asked once, however many ask.
        assert sources.taken == 1
        sources.gate.set()


def test_a_bug_is_told_once_and_no_end(tmp_path: Path) -> None:
    with serving(tmp_path, Sources(overview=ZeroDivisionError("no such thing"))) as server:
        statuses = [server.get("/api/v1/overview").status for _ in range(3)]
        assert statuses == [503] * 3
        assert server.get("/api/v1/timeline").status == 200
        assert server.journal.names == ["program.bug"]


def test_an_overview_is_taken_again_only_when_something_has_changed(running: Running) -> None:
    running.get("/api/v1/overview")
    taken = running.sources.taken
    for _ in range(20):
        running.get("/api/v1/overview")
    assert running.sources.taken - taken <= 1


def test_no_secret_leaves_wherever_it_was_planted(tmp_path: Path) -> None:
    Secret("Zz9planted-secret")
    bad = "Zz9planted-secret http://x/?X-Plex-Token=Qq8hidden /etc/plexguard/credentials/Ww7path"
    thing = Thing(
        name="plex", title=bad, state=State.WELL, summary=bad, details=((bad, bad), ("X-Plex-Token", "Qq8hidden")), command=bad
    )
    sources = Sources(
        overview=replace(
            WELL,
            healthy=False,
            host=bad,
            things=(thing,),
            plex=replace(WELL.plex, detail=bad, version=bad),
            problems=(ProblemView(text=bad, command=bad),),
        )
    )
    sources.events.add(tell("plex.hung", now() - timedelta(minutes=5), detail=bad, processes=bad, server=bad))
    sources.speed = (replace(SPEED, time=now(), failure=bad),)
    with serving(tmp_path, sources) as server:
        bodies = [server.get(path).body for path in PATHS]
        listener = server.listen()
        messages = listener.messages()
        bodies.append(json.dumps(next(messages)).encode())
        sources.events.add(tell("plex.down", now(), detail=bad))
        bodies.append(json.dumps(next(messages)).encode())
        listener.close()
    for word in (b"Zz9planted", b"Qq8hidden", b"Ww7path", b"/etc/plexguard/credentials"):
        assert not [body for body in bodies if word in body]
    assert sum(b"***" in body for body in bodies) >= 6


# -- events as they come ----------------------------------------------------------------------------------------------


def test_who_listens_gets_the_overview_events_and_changes(running: Running) -> None:
    listener = running.listen()
    messages = listener.messages()
    assert (listener.status, listener.headers["content-type"]) == (200, "text/event-stream")
    assert next(messages) == ("overview", running.get("/api/v1/overview").json)
    running.sources.events.add(tell("plex.down", now(), detail=f"{EVIL}\n\nevent: fake\ndata: {{}}"))
    kind, told = next(messages)
    assert (kind, told["name"], "fake" in told["fields"]["detail"]) == ("told", "plex.down", True)
    assert told == running.get("/api/v1/events?limit=1").json["events"][0]
    running.sources.change(healthy=False)
    running.sources.events.add(tell("plex.hung", now()))
    kinds = [next(messages) for _ in range(2)]
    assert {kind for kind, _ in kinds} == {"told", "overview"}
    assert [data["healthy"] for kind, data in kinds if kind == "overview"] == [False]
    listener.close()


def test_no_more_than_so_many_listen(running: Running) -> None:
    listeners = [running.listen() for _ in range(MOST_CLIENTS)]
    one_more = running.listen()
    assert (one_more.status, one_more.headers["retry-after"]) == (503, "30")
    assert one_more.headers["connection"] == "close"
    listeners.pop().close()
    for _ in range(100):
        again = running.listen()
        if again.status == 200:
            break
        threading.Event().wait(0.1)
    assert again.status == 200
    for listener in (*listeners, again, one_more):
        listener.close()


def test_who_does_not_keep_up_is_let_go_of_and_others_are_not(running: Running) -> None:
    slow, quick = running.listen(), running.listen()
    messages = quick.messages()
    next(messages)
    heard = 0
    for batch in range(40):
        running.sources.events.add(*(tell("plex.down", now(), batch * 100 + n, detail="x" * 1900) for n in range(100)))
        for _ in range(100):
            while next(messages)[0] != "told":
                pass
            heard += 1
    assert heard == 4000
    # It took nothing: its connection is over before all of it was sent.
    received = sum(1 for kind, _ in slow.messages() if kind == "told")
    assert received < 4000
    slow.close()
    quick.close()


# -- its life ---------------------------------------------------------------------------------------------------------


def test_it_ends_when_nobody_asks_but_not_while_somebody_listens(tmp_path: Path) -> None:
    with serving(tmp_path, idle=timedelta(seconds=1)) as server:
        listener = server.listen()
        server.thread.join(4)
        assert not server.ended
        listener.close()
        server.thread.join(20)
        assert server.ended
    assert [told for told in server.notifier.told if "STOPPING=1" in told]


def test_who_came_before_its_end_is_answered(tmp_path: Path) -> None:
    with serving(tmp_path, idle=timedelta(seconds=1)) as server:
        newcomer = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        assert server.notifier.stopping.wait(20)
        newcomer.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert newcomer.recv(65536).startswith(b"HTTP/1.1 200")
        newcomer.close()
        server.thread.join(20)
        assert server.ended


def test_who_came_and_says_nothing_does_not_keep_it(tmp_path: Path) -> None:
    with serving(tmp_path, idle=timedelta(seconds=1)) as server:
        silent = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        server.thread.join(20)
        assert server.ended
        assert silent.recv(1) == b""
        silent.close()


def test_it_is_ready_with_a_word_and_feeds_the_watchdog_with_work(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.get("/api/v1/health")
        assert server.notifier.told[0][0] == "READY=1" and "all is well" in server.notifier.told[0][1]
        for _ in range(200):
            if sum("WATCHDOG=1" in told for told in server.notifier.told) >= 2:
                break
            threading.Event().wait(0.1)
        assert sum("WATCHDOG=1" in told for told in server.notifier.told) >= 2


def test_a_journal_that_cannot_be_read_is_no_end_of_it(tmp_path: Path) -> None:
    sources = Sources()
    sources.events.trouble = OSError(5, "Input/output error")
    with serving(tmp_path, sources) as server:
        timeline = server.get("/api/v1/timeline")
        assert (timeline.status, timeline.json["complete"]) == (200, False)


def test_counters_go_on_over_a_restart(tmp_path: Path) -> None:
    sources = Sources()
    for number in range(2):
        with serving(tmp_path, sources) as server:
            server.get("/api/v1/timeline")
            sources.events.add(tell("plex.restarting", now(), number))
            for _ in range(100):
                if f"plexguard_restarts_total {number + 1}.0".encode() in server.get("/metrics").body:
                    break
                threading.Event().wait(0.1)
            assert f"plexguard_restarts_total {number + 1}.0".encode() in server.get("/metrics").body
