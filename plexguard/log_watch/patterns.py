"""From lines of text to complaints: which lines of Plex's logs, or of a proxy's, say that media could not be played. Pure.

What the lines look like and mean is of public logs of Plex 1.1 to 1.43. Whatever is read here was written by somebody else,
down to the names of files: it leads to a question to the audit and to nothing else.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from plexguard.core.recent import Recent

# A path has 4096 bytes at most (PATH_MAX, limits.h); the words around it are few.
_MAX_OPEN_BYTES = 8192
# Requests and sessions that are remembered, for complaints that name nothing else.
_MAX_REMEMBERED = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a line is about, by its number in Plex's database: a part is one file, an item has one or several. 0: unknown."""

    part: int = 0
    item: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """pattern: the name of what was recognised. is_strong: it is about the permissions of a file, not just of a playback that
    did not succeed. path: as Plex names it, "" when only the subject is known. mount_fault: what is wrong with the mount below
    the path, "" when it is a matter of permissions."""

    pattern: str
    is_strong: bool = False
    path: str = ""
    subject: Subject = Subject()
    mount_fault: str = ""


# -- the words --------------------------------------------------------------------------------------------------------

# In files, and as the web interface shows them when they are copied from there.
_WHEN = rb"[A-Z][a-z]{2} [ \d]\d, \d{4} \d\d:\d\d:\d\d\.\d{3} \[(?:0x)?[0-9a-f]+\] "
_HEAD = re.compile(
    _WHEN + rb"(?:DEBUG|INFO|WARN|ERROR|VERBOSE) - |(?:" + _WHEN + rb")?(?:Debug|Info|Warning|Error|Verbose) \xe2\x80\x94 "
)
_COMPONENTS = re.compile(rb"(?:\[([^\]\n]{1,100})\] )*")
_REQUEST_NUMBER = re.compile(rb"\[Req#([0-9a-f]{1,16})[\]/]")

_DENIED, _DEAD = "denied", "dead"
# By errno and by text, since older builds give only the text. Anything else, such as "No such file", is another matter.
_CAUSES: Mapping[bytes, str] = {
    b"13": _DENIED,
    b"Permission denied": _DENIED,
    **dict.fromkeys((b"107", b"5", b"116"), _DEAD),
    **dict.fromkeys((b"Socket not connected", b"Transport endpoint is not connected"), _DEAD),
    **dict.fromkeys((b"Input/output error", b"Stale file handle", b"Stale NFS file handle"), _DEAD),
}
_BOOST = rb"boost::filesystem::\w+: (?P<why>[^\[\"\n]+?)(?: \[\w+:(?P<code>\d+)\])?"
# What a message begins with, the name of its pattern, and the whole of it. A name may hold quotes and line ends.
_STRONG = (
    *(
        (
            b"Error opening file " + begin,
            "open-denied",
            re.compile(
                rb"Error opening file " + begin + rb"(?P<path>.+)" + end + rb" - (?P<why>[^()\"'\n]+) \((?P<code>\d+)\)\s*\Z",
                re.DOTALL,
            ),
        )
        for begin, end in ((b"'\"", b"\"'"), (b'"', b'"'), (b"'", b"'"))
    ),
    (
        b"Couldn't check for the existence of file ",
        "exists-denied",
        re.compile(rb"Couldn't check for the existence of file \"(?P<path>.+)\": " + _BOOST + rb"(?:: \".*\")?\s*\Z", re.DOTALL),
    ),
    (
        b"Couldn't get size of file ",
        "size-denied",
        re.compile(rb"Couldn't get size of file \"(?P<path>.+)\": " + _BOOST + rb"(?:: \".*\")?\s*\Z", re.DOTALL),
    ),
    (
        b"IsDirectory failed ",
        "folder-denied",
        re.compile(rb"IsDirectory failed " + _BOOST + rb": \"(?P<path>.+)\"\s*\Z", re.DOTALL),
    ),
)
_NOT_SERVED = re.compile(rb"Completed: (?:\[[^\]\n]*\] )?40[34] (?:GET|HEAD) /library/parts/(\d{1,18})(?![^/?\s])")
# "Denying access to transcode" in the logs of 2018, "Denying access due to …" since.
_REFUSED = re.compile(rb"denying access|failed to obtain a streaming resource for transcode", re.IGNORECASE)
_TERMINATED = re.compile(rb"terminated session|session 0x[0-9a-f]+ terminated", re.IGNORECASE)
# The server ends what has been paused for long; nothing is wrong with the file.
_NORMAL_END = b"paused for too long"

_SLASH = rb"(?:/|%(?:25)*2f)"
_SUBJECT = re.compile(_SLASH + rb"library" + _SLASH + rb"(parts|metadata)" + _SLASH + rb"(\d{1,18})(?!\d)", re.IGNORECASE)
_REQUEST = re.compile(rb"Request: \[[^\]\n]*\] [A-Z]+ (\S+) .*?#([0-9a-f]{1,16})(?!\S)")
_URL_SESSION = re.compile(rb"[?&](?:session|X-Plex-Session-Identifier)=([\w-]{4,64})")
_SESSION = re.compile(rb"session (0x[0-9a-f]+)(?::([\w-]{4,64}))?", re.IGNORECASE)
# Looked for first, since most lines hold none of them: a server at its busiest writes thousands a second.
_TRACES = (b"/library/", b"library%2", b"ession 0x", b"erminated", b"enying access", b"Error opening", b"Couldn't", b"IsDirectory")


class LogParser:
    """Reads the lines of Plex's logs in the order they were written, and remembers what a later line may refer to.

    source: a name for the file and its rotations. A line that does not begin as Plex's lines do continues the one before:
    the name of a file may hold line ends.
    """

    def __init__(self, unfinished: Mapping[str, bytes] | None = None) -> None:
        self._requests: Recent[bytes, Subject] = Recent(_MAX_REMEMBERED)
        self._sessions: Recent[bytes, Subject] = Recent(_MAX_REMEMBERED)
        self.unfinished: dict[str, bytes] = dict(unfinished or {})

    def feed(self, source: str, line: bytes) -> Complaint | None:
        """Return the complaint that this line is, or ends."""
        begun = self.unfinished.pop(source, None)
        if begun is None and not any(trace in line for trace in _TRACES):
            return None
        head = _HEAD.match(line)
        if head is not None:
            return self._read(source, line[head.end() :])
        if begun is None or len(begun) + len(line) > _MAX_OPEN_BYTES:
            return None
        text = begun + b"\n" + line
        if b'"' in line or b"'" in line:
            return self._read_strong(source, text)
        # The name goes on: no quote ends it here.
        self.unfinished[source] = text
        return None

    def _read(self, source: str, message: bytes) -> Complaint | None:
        components = _COMPONENTS.match(message)
        text = message[components.end() :] if components is not None else message
        if any(text.startswith(beginning) for beginning, _, _ in _STRONG):
            return self._read_strong(source, text)
        if text.startswith(b"Request: "):
            self._remember_request(text)
            return None
        if (served := _NOT_SERVED.match(text)) is not None:
            return Complaint(pattern="part-not-served", subject=Subject(part=int(served[1])))
        self._remember_session(text)
        return self._read_weak(message, text)

    def _read_strong(self, source: str, text: bytes) -> Complaint | None:
        for beginning, name, whole in _STRONG:
            if not text.startswith(beginning):
                continue
            found = whole.match(text)
            if found is None:
                # The rest of the name is on the lines to come.
                if len(text) <= _MAX_OPEN_BYTES:
                    self.unfinished[source] = text
                return None
            cause = _CAUSES.get(found["code"] or b"") or _CAUSES.get(found["why"])
            path, why = found["path"].decode("utf-8", "surrogateescape"), found["why"].decode("utf-8", "replace")
            if cause is None:
                return None
            return Complaint(pattern=name, is_strong=True, path=path, mount_fault=why if cause == _DEAD else "")
        return None

    def _read_weak(self, message: bytes, text: bytes) -> Complaint | None:
        if _REFUSED.search(text) is not None:
            pattern = "access-refused"
        elif _TERMINATED.search(text) is not None:
            pattern = "session-terminated"
        else:
            return None
        subject = _find_subject(text) or self._recall(message, text)
        if subject is None or _NORMAL_END in text:
            return None
        return Complaint(pattern=pattern, subject=subject)

    def _recall(self, message: bytes, text: bytes) -> Subject | None:
        """Return what the request, or the session, was about in which a line was written."""
        request, session = _REQUEST_NUMBER.match(message), _SESSION.search(text)
        found = self._requests.find(request[1]) if request is not None else None
        if found is not None or session is None:
            return found
        return self._sessions.find(session[2] or b"") or self._sessions.find(session[1])

    def _remember_request(self, text: bytes) -> None:
        request = _REQUEST.match(text)
        subject = _find_subject(request[1]) if request is not None else None
        if request is None or subject is None:
            return
        self._requests.remember(request[2], subject)
        session = _URL_SESSION.search(request[1])
        if session is not None:
            self._sessions.remember(session[1], subject)

    def _remember_session(self, text: bytes) -> None:
        """A session has a name and an address, and its last line may have the address alone."""
        session = _SESSION.search(text)
        if session is not None and session[2]:
            subject = self._sessions.find(session[2])
            if subject is not None:
                self._sessions.remember(session[1], subject)


def _find_subject(text: bytes) -> Subject | None:
    found = _SUBJECT.search(text)
    if found is None:
        return None
    number = int(found[2])
    return Subject(part=number) if found[1].lower() == b"parts" else Subject(item=number)


# -- a reverse proxy --------------------------------------------------------------------------------------------------

_PROXY_REQUEST = re.compile(rb"\"(?:GET|HEAD) (?:https?://[^/\s\"]+)?/library/parts/(\d{1,18})(?![^/?\s])[^\s\"]* HTTP/[\d.]+\"")
# The common and combined formats have the status right after the request, HAProxy's has it after the timers.
_STATUS_AFTER = re.compile(rb"\s40[34]\s")
_STATUS_BEFORE = re.compile(rb"\] \S+ \S+/\S+ [-+\d/]+ 40[34] ")


def parse_proxy_line(line: bytes) -> Complaint | None:
    """Return the complaint that a line of an access log is: of nginx, Apache or Caddy in the common format, or HAProxy's."""
    request = _PROXY_REQUEST.search(line)
    if request is None:
        return None
    if _STATUS_AFTER.match(line, request.end()) is None and _STATUS_BEFORE.search(line, 0, request.start()) is None:
        return None
    return Complaint(pattern="proxy-part-not-served", subject=Subject(part=int(request[1])))
