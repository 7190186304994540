"""A server that repeats, in an error's text, all that it was asked with: plain, escaped for a URL once and twice, and in base64.

echo.py PORT
"""

import base64
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        heard = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode("utf-8", "replace")
        asked = f"{self.path} {self.headers} {heard}"
        forms = (asked, quote(asked), quote(quote(asked)), base64.b64encode(asked.encode()).decode())
        body = f'{{"message": "no such thing: {" and ".join(forms)!a}"}}'.encode()
        self.send_response(500)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = answer  # noqa: N815  # as http.server calls them

    def log_message(self, format: str, *args: object) -> None:
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
