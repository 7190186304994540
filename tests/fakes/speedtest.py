#!/usr/bin/python3
"""A Speedtest Mini page of our own, and the part of speedtest.net that speedtest-cli asks first, in one program.

speedtest-cli reads its configuration from www.speedtest.net even for `--mini URL`; with `http_proxy=` set to this server that
comes here too. Sizes and times are small: a whole test takes about a second. Only the standard library, so that it runs in
a test machine as well: `speedtest.py PORT [MODE_FILE]`.

Modes: "well"; "forbidden" (the configuration is refused with 403); "forbidden-once"; "no-data" (every download and upload is
refused); "no-latency"; "hang" (no answer at all). The mode is read anew at each request.
"""

import contextlib
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

_CONFIG = """<?xml version="1.0" encoding="UTF-8"?>
<settings>
<client ip="192.0.2.1" lat="40.7" lon="-74.0" isp="Example ISP" country="US"/>
<server-config threadcount="1" ignoreids=""/>
<download testlength="1" threadsperurl="1"/>
<upload testlength="1" ratio="5" threads="2" maxchunkcount="3"/>
</settings>
"""
_SERVERS = """<?xml version="1.0" encoding="UTF-8"?>
<settings><servers>
<server url="{url}/speedtest/upload.php" lat="40.7" lon="-74.0" name="New York, NY" country="US" cc="US"
 sponsor="Example Networks" id="1" host="{host}"/>
</servers></settings>
"""
_PAGE = '<html><script>var config = { uploadExtension: "php" };</script></html>'
_IMAGE = b"\0" * 200_000


class SpeedtestServer:
    """Listens on a port of the loopback, and keeps what was asked of it."""

    def __init__(self, port: int = 0, mode_file: Path | None = None) -> None:
        self.mode = "well"
        self.asked: list[str] = []
        self._mode_file = mode_file
        self._refused = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.answer(self)

            def do_POST(self) -> None:
                outer.answer(self)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(("127.0.0.1", port), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "SpeedtestServer":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve(self) -> None:
        self._server.serve_forever()

    def count(self, word: str) -> int:
        """Return how many requests had that word in their path."""
        return sum(word in path for path in self.asked)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = urlsplit(request.path).path
        self.asked.append(path)
        length = int(request.headers.get("Content-Length", 0))
        with contextlib.suppress(OSError):
            while length > 0:
                length -= len(request.rfile.read(min(length, 65536))) or length
            code, body = self._answer(path, self._read_mode())
            request.send_response(code)
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            request.wfile.write(body)

    def _read_mode(self) -> str:
        if self._mode_file is not None and self._mode_file.exists():
            return self._mode_file.read_text(encoding="ascii").strip()
        return self.mode

    def _answer(self, path: str, mode: str) -> tuple[int, bytes]:
        if mode == "hang":
            time.sleep(3600)
        if path.endswith("/speedtest-config.php"):
            refused = mode == "forbidden" or (mode == "forbidden-once" and not self._refused)
            self._refused = self._refused or refused
            return (403, b"Forbidden") if refused else (200, _CONFIG.encode())
        if "/speedtest-servers" in path:
            return 200, _SERVERS.format(url=self.url, host=self.url.removeprefix("http://")).encode()
        if path.endswith("/latency.txt"):
            return (404, b"") if mode == "no-latency" else (200, b"test=test\n")
        if path.endswith(".jpg"):
            return (403, b"") if mode == "no-data" else (200, _IMAGE)
        if path.endswith("/upload.php"):
            return (403, b"") if mode == "no-data" else (200, b"size=500")
        return 200, _PAGE.encode()


if __name__ == "__main__":
    SpeedtestServer(int(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None).serve()
