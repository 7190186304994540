"""What goes over the wire in each faulty mode."""

from __future__ import annotations

import functools
from collections.abc import Callable

from .messages import XML_TYPE, Reply, Request, html_error, maintenance

HUGE_BYTES = 10 * 1024 * 1024
WELCOME = (
    b"<!DOCTYPE html>\n<html>\n<head>\n<title>Welcome to nginx!</title>\n</head>\n<body>\n<h1>Welcome to nginx!</h1>\n"
    b"<p>If you see this page, the nginx web server is successfully installed and working.</p>\n</body>\n</html>\n"
)
GARBAGE = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n" + bytes(range(256))


def redirect(request: Request) -> Reply:
    """Send the client to where it just was."""
    return Reply(status=302, headers={"Location": request.target})


@functools.cache
def huge_document() -> bytes:
    """Return a well-formed document far larger than any real answer of the same kind."""
    entry = b'<Directory key="1" title="Movies" type="movie" />\n'
    count = HUGE_BYTES // len(entry) + 1
    return b'<?xml version="1.0" encoding="UTF-8"?>\n<MediaContainer size="%d">\n%s</MediaContainer>\n' % (count, entry * count)


# Modes that only replace the answer. All of them concern every path, /identity too.
REPLIES: dict[str, Callable[[Request], Reply]] = {
    "maintenance": lambda request: maintenance(),
    "deadlock": lambda request: html_error(503),
    "error": lambda request: html_error(500),
    "html": lambda request: Reply(body=WELCOME, content_type="text/html"),
    "redirect": redirect,
    "huge": lambda request: Reply(body=huge_document(), content_type=XML_TYPE),
}
# Modes in which a request is taken and nothing comes back while they last.
SILENT = frozenset({"hung", "pause"})
