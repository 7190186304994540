"""A web hook's receiver in one file, for inside of a machine: keeps what it takes, one JSON line each, and does as told.

    inbox.py PORT FOLDER

FOLDER/taken.jsonl: what arrived and was taken. FOLDER/answer: the status to answer with, "hang" to never answer, read at each
request; 200 where it is missing.
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            # Who sent it was killed in the middle of it.
            self.close_connection = True
            return
        try:
            order = (FOLDER / "answer").read_text().strip()
        except FileNotFoundError:
            order = "200"
        if order == "hang":
            time.sleep(3600)
        if order == "200":
            with open(FOLDER / "taken.jsonl", "a") as file:
                file.write(json.dumps({"path": self.path, "taken": time.time(), "body": json.loads(body or b"null")}) + "\n")
        self.send_response(int(order))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format, *args) -> None:
        pass


if __name__ == "__main__":
    FOLDER = Path(sys.argv[2])
    ThreadingHTTPServer.request_queue_size = 64
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
