#!/usr/bin/python3
"""The HTTP API of plexguard-status as the page sees it, in one program of the standard library, for a browser to be driven against.

It serves the real files of plexguard/status/web with the real headers, and answers that tests write: `overview`, `told`,
`timelines` and `series` are plain data and may be as wrong as a test likes. What is pushed comes to every open stream.
To look at the page while working on it: `python3 -m tests.fakes.status_api 8000 [SCENE]`.

Modes: "well"; "busy" (503); "slow" (answers after a second); "cut" (half an answer); "foreign" (an HTML page with 200).
"""

import json
import queue
import socket
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

WEB = Path(__file__).parent.parent.parent / "plexguard/status/web"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_PRIORITIES = ["critical", "error", "warning", "notice", "info"]
_LEAST = {"err": 1, "warning": 2, "notice": 3, "": 4}
_SLOW_S = 1.0

Json = dict[str, Any]


class StatusApi:
    """Listens on a port of the loopback; may go away and come back on the same one."""

    def __init__(self, port: int = 0) -> None:
        self.mode = "well"
        self.overview: Any = well()
        self.told: list[Any] = []
        self.timelines: dict[str, Any] = {span: timeline(span) for span in SPANS}
        self.series: dict[str, Any] = {span: series(span) for span in SPANS}
        self.asked: list[str] = []
        self._port = port
        self._server: ThreadingHTTPServer | None = None
        self._streams: list[queue.Queue[bytes | None]] = []
        self._sockets: set[socket.socket] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/"

    @property
    def streams(self) -> int:
        return len(self._streams)

    def start(self) -> "StatusApi":
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                outer._sockets.add(self.connection)

            def do_GET(self) -> None:
                outer._answer(self)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            allow_reuse_address = True
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                # A browser that leaves breaks its connections off.
                if not isinstance(sys.exc_info()[1], OSError):
                    super().handle_error(request, client_address)

        self._server = Server(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def stop(self) -> None:
        """Go away as a machine does that is switched off: what is open breaks, and nobody listens."""
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()
        self.end_streams()
        for connection in list(self._sockets):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self._sockets.clear()

    def __enter__(self) -> "StatusApi":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def push(self, kind: str, data: Any) -> None:
        text = data if isinstance(data, str) else json.dumps(data)
        for stream in list(self._streams):
            stream.put(f"event: {kind}\ndata: {text}\n\n".encode())

    def tell(self, one: Json) -> None:
        self.told.insert(0, one)
        self.push("told", one)

    def end_streams(self) -> None:
        for stream in list(self._streams):
            stream.put(None)

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        url = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.asked.append(request.path)
        if url.path == "/" or url.path.startswith("/static/"):
            self._send_file(request, url.path.removeprefix("/static/").strip("/") or "index.html")
            return
        if self.mode == "slow":
            time.sleep(_SLOW_S)
        if self.mode == "busy":
            self._send(request, 503, "application/json", b'{"error": "busy"}')
        elif self.mode == "foreign":
            self._send(request, 200, "text/html", b"<h1>Please log in to this network</h1>")
        elif url.path == "/api/v1/stream":
            self._stream(request)
        else:
            self._send_json(request, url.path.removeprefix("/api/v1/"), query)

    def _send_json(self, request: BaseHTTPRequestHandler, name: str, query: dict[str, str]) -> None:
        span = query.get("range", "24h")
        answers = {
            "overview": self.overview,
            "timeline": self.timelines[span],
            "series": self.series[span],
            "events": self._page(query),
        }
        if name not in answers:
            self._send(request, 404, "application/json", b"{}")
            return
        body = json.dumps(answers[name]).encode()
        self._send(request, 200, "application/json", body[: len(body) // 2] if self.mode == "cut" else body)

    def _page(self, query: dict[str, str]) -> Any:
        limit = int(query.get("limit", "100"))
        least = _LEAST[query.get("min_priority", "")]
        wanted = [one for one in self.told if not isinstance(one, dict) or one.get("severity") not in _PRIORITIES[least + 1 :]]
        begin = int(query.get("before", "0"))
        end = begin + limit
        return {"events": wanted[begin:end], "next": str(end) if end < len(wanted) else None}

    def _stream(self, request: BaseHTTPRequestHandler) -> None:
        waiting: queue.Queue[bytes | None] = queue.Queue()
        self._headers(request, 200, "text/event-stream")
        request.send_header("Connection", "close")
        request.end_headers()
        self._streams.append(waiting)
        try:
            request.wfile.write(b": hello\n\n")
            while (message := waiting.get()) is not None:
                request.wfile.write(message)
        finally:
            self._streams.remove(waiting)
            request.close_connection = True

    def _send_file(self, request: BaseHTTPRequestHandler, name: str) -> None:
        file = WEB / name
        if "/" in name or not file.is_file():
            self._send(request, 404, "text/plain", b"")
        else:
            self._send(request, 200, _KINDS[file.suffix], file.read_bytes())

    def _send(self, request: BaseHTTPRequestHandler, code: int, kind: str, body: bytes) -> None:
        self._headers(request, code, kind)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def _headers(self, request: BaseHTTPRequestHandler, code: int, kind: str) -> None:
        request.send_response(code)
        request.send_header("Content-Type", f"{kind}; charset=utf-8")
        request.send_header("Content-Security-Policy", CSP)
        request.send_header("X-Content-Type-Options", "nosniff")
        request.send_header("Referrer-Policy", "no-referrer")
        request.send_header("Cache-Control", "no-store")


# -- what it knows ----------------------------------------------------------------------------------------------------

SPANS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}


def ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).isoformat()


def thing(name: str, title: str, state: str, summary: str, **more: Any) -> Json:
    known = {"since": None, "details": [], "command": f"plexguard-status --about {name}"}
    return {"name": name, "title": title, "state": state, "summary": summary} | known | more


def well() -> Json:
    """A house where nothing is wrong."""
    return {
        "at": ago(seconds=1),
        "host": "media",
        "healthy": True,
        "things": [
            thing(
                "plex",
                "Plex",
                "well",
                "answers in 4 ms, and so does its database",
                since=ago(days=11),
                details=[["answer", "4 ms"], ["database", "11 ms"]],
                command="plexguard-plex-probe --explain",
            ),
            thing("streams", "Streams", "well", "3 people are watching", command="plexguard-plex-probe --format json"),
            thing(
                "permissions",
                "Permissions",
                "well",
                "37 files looked at, none wrong",
                since=ago(minutes=12),
                command="plexguard-perms-audit list",
            ),
            thing(
                "network",
                "Network",
                "well",
                "gateway, internet and names",
                since=ago(days=3),
                command="plexguard-net-recover --explain",
            ),
            thing(
                "speed",
                "Speed",
                "well",
                "938 Mbit/s down, 41 Mbit/s up",
                since=ago(hours=14),
                command="plexguard-speed-test --history",
            ),
            thing("notifications", "Notifications", "well", "everything is delivered", command="plexguard-notify queue list"),
        ],
        "plex": {
            "verdict": "healthy",
            "detail": "",
            "level": "",
            "checked": ago(seconds=14),
            "version": "1.41.3.9314",
            "latencies": {"port": 0.0004, "identity": 0.004, "database": 0.011},
            "viewers": 3,
            "consecutive_failures": 0,
            "breaker": None,
        },
        "timers": [
            {"unit": "plexguard-plex-probe.timer", "last": ago(seconds=14), "next": ago(seconds=-16), "result": "success"},
            {"unit": "plexguard-perms-audit.timer", "last": ago(minutes=12), "next": ago(minutes=-18), "result": "success"},
            {"unit": "plexguard-perms-audit-full.timer", "last": ago(hours=15), "next": ago(hours=-9), "result": "success"},
            {"unit": "plexguard-net-recover.timer", "last": ago(seconds=41), "next": ago(seconds=-19), "result": "success"},
            {"unit": "plexguard-speed-test.timer", "last": ago(hours=14), "next": ago(hours=-10), "result": "success"},
        ],
        "budgets": [
            {"name": "Restarts of Plex", "used": 1, "limit": 6, "period": "24 h", "left": 5},
            {"name": "Reboots", "used": 0, "limit": 1, "period": "24 h", "left": 1},
        ],
        "channels": [
            {"name": "phone", "kind": "apprise", "waiting": 0, "oldest": None, "dropped": 0, "state": "well", "reason": ""},
            {"name": "log", "kind": "airtable", "waiting": 0, "oldest": None, "dropped": 0, "state": "well", "reason": ""},
        ],
        "problems": [],
        "mounts": [],
        "hold": None,
        "trash": [],
        "backups": [],
        "cloud_runs": [],
    }


def ill() -> Json:
    """A house where much is wrong, and everything is in use."""
    overview = well()
    overview["healthy"] = False
    overview["things"][0] |= {
        "state": "problem",
        "summary": "hung: it takes connections and does not answer",
        "since": ago(minutes=12),
    }
    overview["things"][1] |= {"state": "unknown", "summary": "Plex does not say who watches"}
    overview["things"][5] |= {"state": "warning", "summary": "4 events are waiting for airtable"}
    overview["things"].insert(
        3, thing("mount:/srv/media", "Mount /srv/media", "warning", "degraded: files open after 9 s", since=ago(minutes=40))
    )
    overview["things"].append(thing("backups", "Database backups", "well", "the last one is verified", since=ago(hours=7)))
    overview["things"].append(
        thing("proxy", "Proxy", "off", "is not switched on", command="systemctl enable --now plexguard-proxy")
    )
    overview["plex"] |= {"verdict": "hung", "level": "identity", "viewers": None, "consecutive_failures": 24}
    overview["problems"] = [
        {
            "text": "Plex hangs: it takes connections and does not answer",
            "since": ago(minutes=12),
            "command": "plexguard-plex-probe --explain",
        },
        {
            "text": "Mount /srv/media is slow",
            "since": ago(minutes=40),
            "command": "systemctl status plexguard-rclone-watchdog@srv-media",
        },
    ]
    overview["channels"][1] |= {
        "waiting": 4,
        "oldest": ago(minutes=11),
        "dropped": 2,
        "state": "warning",
        "reason": "no answer within 10 s",
    }
    overview["budgets"][0] |= {"used": 6, "left": 0}
    overview["mounts"] = [
        {
            "name": "media",
            "path": "/srv/media",
            "state": "warning",
            "verdict": "degraded",
            "detail": "files open after 9 s",
            "checked": ago(seconds=9),
            "proven": ago(minutes=40),
            "latency_s": 9.2,
            "limit_s": 3.0,
            "cache_bytes": 31_000_000_000,
            "cache_limit_bytes": 50_000_000_000,
            "waiting": 4,
            "probes": {"data": 600, "through": 60},
            "remounts": 2,
            "remounts_total": 7,
            "fault": "hung: no bytes for 40 s",
            "fault_at": ago(hours=3),
            "held_since": ago(minutes=39),
        },
    ]
    overview["trash"] = [
        {
            "library": "1",
            "title": "Films",
            "state": "warning",
            "missing": 60,
            "total": 900,
            "limit": 50,
            "kept": "60 of 900 are missing, more than 50",
            "kept_since": ago(days=2),
            "emptied": ago(days=9),
            "emptied_items": 3,
            "emptied_total": 12,
        },
    ]
    overview["hold"] = {"held": True, "since": ago(minutes=39), "mounts": ["media"], "failed": ""}
    overview["things"].append(
        {
            "name": "hold",
            "title": "Plex's libraries",
            "state": "warning",
            "summary": "held for mount media: scans are cancelled, automatic ones and emptying the trash are off",
            "since": ago(minutes=39),
            "details": [],
            "command": "plexguard-status",
        }
    )
    overview["backups"] = [
        {
            "name": "library",
            "database": "com.plexapp.plugins.library.db",
            "state": "well",
            "path": "/var/lib/plexguard/db-export/library-20261121.db.zst",
            "made": ago(hours=7),
            "size_bytes": 253_000_000,
            "kept": 7,
            "detail": "verified",
        },
    ]
    overview["cloud_runs"] = [
        {
            "name": "delta",
            "phase": "analyze",
            "began": ago(hours=31),
            "done": 83_211,
            "total": 118_020,
            "line": "Music: 83211 of 118020 tracks",
            "eta": ago(hours=-13),
            "cost_euros": 5.62,
            "state": "well",
            "failure": "",
        },
    ]
    return overview


def event(
    name: str, message: str, severity: str = "notice", *, at: str | None = None, fields: Json | None = None, **runbook: str
) -> Json:
    event.count += 1  # type: ignore[attr-defined]
    return {
        "id": f"{event.count:032x}",  # type: ignore[attr-defined]
        "at": at or ago(),
        "name": name,
        "priority": _PRIORITIES.index(severity) + 2,
        "severity": severity,
        "unit": f"plexguard-{name.partition('.')[0]}.service",
        "host": "media",
        "message": message,
        "subject": message,
        "fields": fields or {},
        "runbook": {"meaning": "", "decided": "", "did": "", "action": ""} | runbook,
    }


event.count = 0  # type: ignore[attr-defined]

RUNBOOK = {
    "meaning": "Plex takes connections and does not answer. Who watches sees a spinner.",
    "decided": "Asked for /identity three times in a row with 5 s each. Its log stands still, no scan is at work, and its database\nis not being written to.",
    "did": "It was restarted, once, by plexguard-plex-restart.service.",
    "action": "If it comes again, see what it waits for:\n  plexguard-plex-probe --explain\n  journalctl -u plexmediaserver --since -1h\nA library on a mount that hangs does this too:\n  findmnt -T /srv/media",
}


def told() -> list[Json]:
    """A day of events, newest first."""
    return [
        event(
            "perms.audited",
            "Examined 37 files and 2914 folders in 0.3 s: 0 wrong, 0 repaired, 0 failed",
            "info",
            at=ago(minutes=12),
        ),
        event("plex.recovered", "Plex answers again after 48 s", "notice", at=ago(hours=5), fields={"downtime_s": 48.2}),
        event("plex.restarted", "Restarted plexmediaserver.service", "notice", at=ago(hours=5, minutes=0.4)),
        event(
            "plex.hung",
            "Plex hangs: no answer within 5 s, three times",
            "error",
            at=ago(hours=5, minutes=0.8),
            fields={"silent_s": 15.4},
            **RUNBOOK,
        ),
        event(
            "perms.repaired",
            "/srv/media/films/Alien (1979)/Alien.mkv: mode 0600 is now 0644: no r for others (it is anna:anna, 0600)",
            "notice",
            at=ago(hours=9),
            fields={"path": "/srv/media/films/Alien (1979)/Alien.mkv", "old_mode": "0600"},
        ),
        event(
            "speed.result",
            "938 Mbit/s down, 41 Mbit/s up, ping 9 ms",
            "info",
            at=ago(hours=14),
            fields={"download_bit_per_s": 938e6, "ping_ms": 9.0},
        ),
        event("net.recovered", "The network is back after 190 s", "notice", at=ago(hours=19)),
        event(
            "net.lost",
            "No internet: the gateway answers, nothing behind it does",
            "warning",
            at=ago(hours=19, minutes=3.2),
            **RUNBOOK,
        ),
    ]


def incident(name: str, title: str, severity: str, began: str, ended: str | None, **more: Any) -> Json:
    incident.count += 1  # type: ignore[attr-defined]
    lasted = (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds() if ended else None
    return {
        "id": f"{incident.count:032x}",  # type: ignore[attr-defined]
        "name": name,
        "area": name.partition(".")[0],
        "about": "",
        "title": title,
        "severity": severity,
        "began": began,
        "ended": ended,
        "downtime_s": lasted,
        "count": 1,
        "message": title,
    } | more


incident.count = 0  # type: ignore[attr-defined]


def incidents() -> list[Json]:
    """A day with a network that went, a Plex that hung twice, and a mount that is still slow."""
    return [
        incident("net.lost", "No internet behind the gateway", "warning", ago(hours=19, minutes=3.2), ago(hours=19)),
        incident("plex.hung", "Plex hung", "error", ago(hours=7), ago(hours=5, minutes=40), count=3),
        incident("plex.down", "Plex was down", "error", ago(hours=3, minutes=10), ago(hours=3)),
        incident("perms.not-repaired", "Alien.mkv could not be repaired", "error", (when := ago(hours=9)), when, downtime_s=None),
        incident("mount.degraded", "Mount /srv/media is slow", "warning", ago(minutes=40), None, about="/srv/media"),
        incident("plex.hung", "Plex hangs", "error", ago(minutes=12), None),
    ]


def timeline(span: str, found: list[Json] | None = None) -> Json:
    return {"from": (datetime.now(UTC) - SPANS[span]).isoformat(), "to": ago(), "complete": True, "incidents": found or []}


def series(span: str) -> Json:
    end = datetime.now(UTC)
    begin = end - SPANS[span]
    step = (end - begin) / 288
    response = []
    for number in range(288):
        wave = 0.0035 + 0.002 * (number * 37 % 17) / 17 + (0.09 if number % 71 == 0 else 0.0)
        is_away = 204 <= number < 220
        response.append(
            {
                "at": (begin + step * number).isoformat(),
                "seconds": None if is_away else wave,
                "slowest": None if is_away else wave * (2 + number * 13 % 11),
                "verdict": "hung" if is_away else "healthy",
            }
        )
    days = max(1, SPANS[span].days)
    speed = [
        {
            "at": (end - timedelta(hours=14, days=day)).isoformat(),
            "download_bit_per_s": None if day == 4 else 938e6 - 37e6 * (day * 7 % 5),
            "upload_bit_per_s": None if day == 4 else 41e6 + 1e6 * (day % 3),
            "ping_ms": None if day == 4 else 9.0 + day % 4,
            "failure": "no server could be reached" if day == 4 else "",
        }
        for day in reversed(range(days))
    ]
    return {"from": begin.isoformat(), "to": end.isoformat(), "response": response, "speed": speed}


def make_ill(api: StatusApi) -> None:
    api.overview = ill()
    api.told = told()
    for span in SPANS:
        api.timelines[span] = timeline(span, incidents())


if __name__ == "__main__":
    with StatusApi(int(sys.argv[1])) as served:
        served.told = told()
        if sys.argv[2:] == ["ill"]:
            make_ill(served)
        print(served.url)
        threading.Event().wait()
