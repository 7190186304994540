"""Which lines are complaints and what they name: tables of lines from public logs, and hostile ones."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.log_watch.patterns import Complaint, LogParser, Subject, parse_proxy_line
from tests.unit.log_watch.lines import denied, line, request

PATH = "/srv/media/TV/Max Built/Max Built - S01E03 - Back 1.mp4"


def read(*lines: bytes) -> list[Complaint]:
    """Return the complaints of lines of one file."""
    parser = LogParser()
    return [found for text in lines if (found := parser.feed("Plex Media Server", text)) is not None]


@pytest.mark.parametrize(
    ("message", "pattern", "path"),
    [
        (f"Error opening file '\"{PATH}\"' - Permission denied (13)", "open-denied", PATH),
        (f"[Req#1d4] Error opening file '\"{PATH}\"' - Permission denied (13)", "open-denied", PATH),
        (f'[Req#1d4/Transcode] [Foo] Error opening file "{PATH}" - Permission denied (13)', "open-denied", PATH),
        (f"Error opening file '{PATH}' - Permission denied (13)", "open-denied", PATH),
        (
            'Couldn\'t check for the existence of file "/media/Filme": boost::filesystem::status: Permission denied',
            "exists-denied",
            "/media/Filme",
        ),
        (
            'Couldn\'t check for the existence of file "/media/Filme": boost::filesystem::status: Permission denied [system:13]',
            "exists-denied",
            "/media/Filme",
        ),
        (
            'Couldn\'t check for the existence of file "/media/A": boost::filesystem::status: Permission denied [system:13]: "/media/A"',
            "exists-denied",
            "/media/A",
        ),
        (
            'Couldn\'t get size of file "/media/a.mkv": boost::filesystem::file_size: Permission denied [system:13]',
            "size-denied",
            "/media/a.mkv",
        ),
        (
            'IsDirectory failed boost::filesystem::status: Permission denied [system:13]: "/mnt/BaseStorage/Audiobooks/Diana Gabaldon"',
            "folder-denied",
            "/mnt/BaseStorage/Audiobooks/Diana Gabaldon",
        ),
    ],
)
def test_lines_about_permissions_are_strong_and_name_their_path(message: str, pattern: str, path: str) -> None:
    (found,) = read(line("ERROR", message))

    assert found == Complaint(pattern=pattern, is_strong=True, path=path)


@pytest.mark.parametrize(
    "head",
    [
        "Sep 30, 2019 14:34:50.525 [0x7f6769350700] ERROR - ",
        "Oct 15, 2020 15:40:34.149 [0x7fa769c5be80] ERROR - ",
        "Mar 31, 2025 20:57:55.615 [140051920092928] ERROR - ",
        "Error \N{EM DASH} ",
        "Mar 31, 2025 20:57:55.615 [140051920092928] Error \N{EM DASH} [Req#9] ",
    ],
    ids=["hexadecimal thread", "old", "decimal thread", "web console", "web console with its time"],
)
def test_every_form_of_a_line_is_read(head: str) -> None:
    (found,) = read(f"{head}Error opening file '\"{PATH}\"' - Permission denied (13)".encode())

    assert found.path == PATH


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (
            'Couldn\'t check for the existence of file "/data/x": boost::filesystem::status: Socket not connected [system:107]',
            "Socket not connected",
        ),
        (
            'Couldn\'t get size of file "/data/x": boost::filesystem::file_size: Socket not connected [system:107]',
            "Socket not connected",
        ),
        ("Error opening file '\"/data/x\"' - Transport endpoint is not connected (107)", "Transport endpoint is not connected"),
        ("Error opening file '\"/data/x\"' - Input/output error (5)", "Input/output error"),
        ('IsDirectory failed boost::filesystem::status: Stale file handle [system:116]: "/data/x"', "Stale file handle"),
    ],
)
def test_a_dead_mount_is_no_matter_of_permissions(message: str, fault: str) -> None:
    (found,) = read(line("ERROR", message))

    assert (found.path, found.mount_fault) == ("/data/x", fault)


@pytest.mark.parametrize(
    ("message", "pattern", "subject"),
    [
        (
            "WARN - Denying access due to session lacking permission to transcode key /library/metadata/23013",
            "access-refused",
            Subject(item=23013),
        ),
        (
            "WARN - [Req#11573f/Transcode] Denying access due to session lacking permission to transcode key /library/metadata/33471",
            "access-refused",
            Subject(item=33471),
        ),
        (
            "WARN - Denying access due to session lacking decision for transcode of key /library/metadata/551",
            "access-refused",
            Subject(item=551),
        ),
        ("WARN - Denying access to transcode of key /library/metadata/670148", "access-refused", Subject(item=670148)),
        ("WARN - denying access to transcode of key /library/parts/7/1/file.mkv", "access-refused", Subject(part=7)),
        (
            "ERROR - Failed to obtain a streaming resource for transcode of key /library/metadata/12",
            "access-refused",
            Subject(item=12),
        ),
        ("WARN - Denying access to key /library/parts/9/file.mkv due to terminated session", "access-refused", Subject(part=9)),
        ("DEBUG - Completed: 404 GET /library/parts/762015/1700000000/file.mp4", "part-not-served", Subject(part=762015)),
        ("DEBUG - Completed: [::1]:1 404 GET /library/metadata/1", None, None),
        (
            "DEBUG - Completed: [192.168.1.2:5] 403 GET /library/parts/12/file.mkv?download=1 (3 live) #1 2ms",
            "part-not-served",
            Subject(part=12),
        ),
        ("DEBUG - Completed: [192.168.1.2:5] 404 HEAD /library/parts/12 (3 live) #1 2ms", "part-not-served", Subject(part=12)),
    ],
)
def test_weak_lines_name_a_part_or_an_item(message: str, pattern: str | None, subject: Subject | None) -> None:
    level, _, text = message.partition(" - ")
    found = read(line(level, text))

    assert found == ([] if pattern is None else [Complaint(pattern=pattern, subject=subject)])


# Lines of the samples that are about something else.
OTHERS = [
    "DEBUG - Completed: [192.168.1.111:55824] 200 GET /library/sections/3/all (3 live) #57d3a Page 0--1 35905ms 707 bytes",
    "DEBUG - Completed: [192.168.1.1:1] 206 GET /library/parts/12/1/file.mkv (3 live) #1 2ms 100 bytes",
    "DEBUG - Completed: [192.168.1.1:1] 404 GET /library/partsx/12/file.mkv (3 live) #1 2ms 100 bytes",
    "DEBUG - Completed: [192.168.1.1:1] 404 GET /library/parts/12abc/file.mkv (3 live) #1 2ms 100 bytes",
    "DEBUG - Completed: [192.168.80.2] 404 GET /video/:/transcode/universal/ping?session=6840d858-… (3 live) #2 0ms",
    "DEBUG - Completed: [192.168.0.25:60953] 401 GET / (6 live) GZIP 0ms 416 bytes (pipelined: 8)",
    "DEBUG - Request: [127.0.0.1:42773 (Loopback)] PUT /video/:/transcode/session/g80mt2948thofnfg4owtawcdi/progress (17 live)",
    "DEBUG - Streaming Resource: Terminating session 0x7fadc4b791a0:p42rhi76u4ii2b1mbx5fck54 which is using transcoder slot.",
    "DEBUG - Streaming Resource: Terminated session 0x7f:p42rhi76 with reason Playback has been paused for too long.",
    "ERROR - [TranscodeOutputStream] Streaming Session 0x7fcda821ac90 appears to have died from under us",
    "WARN - [Req#4db] Denying access due to session lacking permission to direct play",
    "WARN - Bandwidth exceeded: 3741 kbps > 2000 kbps",
    "DEBUG - Shutting down idle session 8a729f13-b95d-4aab-9700-5eab86bf88f2 (idle time is 180 seconds)",
    "DEBUG - Job was already killed, not killing again.",
    "ERROR - SQLITE3:0x10, 8, statement aborts at 1: [PRAGMA journal_mode=WAL] attempt to write a readonly database",
    "ERROR - Error opening file '\"/srv/gone.mkv\"' - No such file or directory (2)",
    'ERROR - Couldn\'t check for the existence of file "/srv/x": boost::filesystem::status: No such file or directory [system:2]',
    'ERROR - boost::filesystem::create_directory: Permission denied: "/config/Codecs"',
    "DEBUG - File 'Dune (2021) Bluray-720p.mp4' didn't exist",
    "DEBUG - File '...' was marked as deleted, can't skip.",
    "DEBUG - Processing directory /Media/Movies/Dune (2021)",
    "ERROR - FreeImage_Load: failed to open file",
    "INFO - It's been 3600 seconds, so we're starting scheduled library update for section 1 (Korean Shows)",
]


@pytest.mark.parametrize("text", OTHERS)
def test_other_lines_are_no_complaints(text: str) -> None:
    level, _, message = text.partition(" - ")

    assert read(line(level, message)) == []


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"Error opening file '\"/etc/shadow\"' - Permission denied (13)",
        b"\x00\xff\xfe Denying access /library/metadata/1",
        b"WARN - Denying access /library/metadata/1",
    ],
    ids=["empty", "no head", "binary", "no time"],
)
def test_what_does_not_begin_as_a_line_does_is_none(text: bytes) -> None:
    assert read(text) == []


def test_a_complaint_inside_of_another_message_is_none() -> None:
    forged = "GET /?q=Error opening file '\"/etc/shadow\"' - Permission denied (13)"

    assert read(line("DEBUG", f"Request: [1.2.3.4:5 (WAN)] {forged} (1 live) #5")) == []
    assert read(line("DEBUG", f"Scanning {forged}")) == []


# -- what a line refers to --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "subject"),
    [
        ("/library/parts/77/1700000000/file.mkv", Subject(part=77)),
        ("/video/:/transcode/universal/start.m3u8?path=%2Flibrary%2Fmetadata%2F551&session=abc", Subject(item=551)),
        ("/video/:/transcode/universal/start.mpd?X=1&path=%2flibrary%2fmetadata%2f551", Subject(item=551)),
        ("/proxy?url=http%3A%2F%2F127.0.0.1%3A32400%252Flibrary%252Fmetadata%252F551", Subject(item=551)),
    ],
    ids=["part", "start of a transcode", "lower case", "encoded twice"],
)
def test_a_refusal_is_about_what_its_request_was_about(url: str, subject: Subject) -> None:
    refusal = line("WARN", "[Req#4db/Transcode] Denying access due to session lacking permission to direct play")

    assert read(request("/library/metadata/1", "4dc"), request(url, "4db"), refusal) == [
        Complaint(pattern="access-refused", subject=subject)
    ]


def test_a_number_of_a_request_is_taken_whole() -> None:
    refusal = line("WARN", "[Req#4d] Denying access due to session lacking permission to direct play")

    assert read(request("/library/metadata/1", "4db"), refusal) == []


def test_a_terminated_session_is_traced_to_the_request_that_began_it() -> None:
    start = request(
        "/video/:/transcode/universal/start.m3u8?path=%2Flibrary%2Fmetadata%2F551&session=p42rhi76u4ii2b1mbx5fck54", "a1"
    )
    ended = line(
        "DEBUG",
        "Streaming Resource: Terminated session 0x7fadc4b791a0:p42rhi76u4ii2b1mbx5fck54 with reason Conversion failed."
        " The transcoder crashed or failed to start up.",
    )

    assert read(start, ended) == [Complaint(pattern="session-terminated", subject=Subject(item=551))]


def test_a_session_is_known_by_its_address_when_debug_lines_named_both() -> None:
    start = request("/video/:/transcode/universal/start.m3u8?path=%2Flibrary%2Fmetadata%2F551&session=p42rhi76u4ii", "a1")
    named = line("DEBUG", "Streaming Resource: Reached session 0x7fcda821ac90:p42rhi76u4ii")
    ended = line("ERROR", "Session 0x7fcda821ac90 terminated")

    assert read(start, named, ended) == [Complaint(pattern="session-terminated", subject=Subject(item=551))]


def test_a_pause_that_was_too_long_is_normal_also_when_its_item_is_known() -> None:
    start = request("/video/:/transcode/universal/start.m3u8?path=%2Flibrary%2Fmetadata%2F551&session=p42rhi76u4ii", "a1")
    ended = line(
        "DEBUG", "Streaming Resource: Terminated session 0x7f:p42rhi76u4ii with reason Playback has been paused for too long."
    )

    assert read(start, ended) == []


def test_what_is_remembered_is_bounded_and_the_oldest_goes() -> None:
    parser = LogParser()
    for number in range(2000):
        parser.feed("Plex Media Server", request(f"/library/parts/{number}/file.mkv?session=abcd{number}", f"{number:x}"))

    assert len(parser._requests._values) == len(parser._sessions._values) == 512
    assert parser.feed("Plex Media Server", line("WARN", "[Req#7cf] Denying access")) == Complaint(
        pattern="access-refused", subject=Subject(part=1999)
    )
    assert parser.feed("Plex Media Server", line("WARN", "[Req#1] Denying access")) is None


# -- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "a\nb.mkv",
        "\n\n\n",
        "-rf",
        "x" * 255,
        'it\'s "new"',
        "' - Permission denied (13)",
        "\udcff\udcfe.mkv",
        "日本 100%.mkv",
        "a\rb",
    ],
)
def test_odd_names_go_through_unharmed(name: str) -> None:
    path = f"/srv/media/{name}"

    assert [found.path for found in read(*denied(path).split(b"\n"))] == [path]


@given(st.binary(min_size=1, max_size=255).filter(lambda name: b"/" not in name and b"\0" not in name))
def test_any_name_goes_through_unharmed_or_is_no_complaint(name: bytes) -> None:
    path = b"/srv/media/" + name
    found = read(*denied(path.decode("utf-8", "surrogateescape")).split(b"\n"))

    # A name that ends as the message does can be cut there: what is left is still only a question.
    assert all(path.startswith(one.path.encode("utf-8", "surrogateescape")) for one in found)
    if b"Permission" not in name:
        assert [one.path.encode("utf-8", "surrogateescape") for one in found] == [path]


def test_four_kilobytes_of_line_ends_are_one_name_and_take_no_time() -> None:
    path = "/srv/" + "\n" * 4000
    begun = time.monotonic()

    assert [found.path for found in read(*denied(path).split(b"\n"))] == [path]
    assert time.monotonic() - begun < 0.5


def test_a_name_without_an_end_is_dropped_and_takes_no_room() -> None:
    parser = LogParser()
    parser.feed("a", denied("/srv/x").partition(b"x\"'")[0])
    for _ in range(100_000):
        assert parser.feed("a", b"x" * 100) is None

    assert parser.unfinished == {}


def test_a_line_that_begins_ends_the_one_before() -> None:
    cut = denied("/srv/first").partition(b"\"'")[0]

    assert [found.path for found in read(cut, denied("/srv/second"), b"\"' - Permission denied (13)")] == ["/srv/second"]


def test_lines_of_two_files_do_not_mix() -> None:
    parser = LogParser()
    first, second = denied("/srv/a\nb.mkv").split(b"\n")

    assert parser.feed("server", first) is None
    assert parser.feed("scanner", second) is None
    assert parser.feed("scanner", line("DEBUG", "Processing directory /srv")) is None
    assert parser.feed("server", second) == Complaint(pattern="open-denied", is_strong=True, path="/srv/a\nb.mkv")


def test_what_was_begun_before_a_restart_is_ended_after_it() -> None:
    before = LogParser()
    first, second = denied("/srv/a\nb.mkv").split(b"\n")
    before.feed("server", first)

    found = LogParser(before.unfinished).feed("server", second)

    assert found is not None
    assert found.path == "/srv/a\nb.mkv"


# -- a reverse proxy --------------------------------------------------------------------------------------------------

NGINX = '203.0.113.9 - - [21/Nov/2026:10:00:00 +0000] "GET {url} HTTP/1.1" {status} 190 "-" "Plex/1.0"'
HAPROXY = (
    "192.168.1.7:51222 [21/Nov/2026:10:00:00.123] plex~ plex/server1 0/0/1/3/4 {status} 190 - - ---- 3/3/0/0/0 0/0"
    ' "GET {url} HTTP/1.1"'
)


@pytest.mark.parametrize("form", [NGINX, HAPROXY], ids=["combined", "HAProxy"])
@pytest.mark.parametrize(
    ("url", "status", "part"),
    [
        ("/library/parts/12/1700000000/file.mkv?X-Plex-Token=x", 404, 12),
        ("https://plex.example.org/library/parts/12/file.mkv", 403, 12),
        ("/library/parts/12", 404, 12),
        ("/library/parts/12/1700000000/file.mkv", 200, None),
        ("/library/parts/12/404/file.mkv", 206, None),
        ("/library/metadata/12", 404, None),
        ("/web?/library/parts/12/x", 404, None),
        ("/library/parts/12abc", 404, None),
    ],
)
def test_lines_of_a_proxy(form: str, url: str, status: int, part: int | None) -> None:
    found = parse_proxy_line(form.format(url=url, status=status).encode())

    assert found == (None if part is None else Complaint(pattern="proxy-part-not-served", subject=Subject(part=part)))


@given(st.binary(max_size=300))
def test_any_line_of_a_proxy_is_borne(text: bytes) -> None:
    assert parse_proxy_line(text) is None


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_any_lines_are_borne(lines: list[bytes]) -> None:
    parser = LogParser()

    for text in lines:
        parser.feed("server", line("ERROR", "") + text)
        parser.feed("server", text)
