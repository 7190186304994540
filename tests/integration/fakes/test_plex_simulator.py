"""The Plex simulator keeps its promises: every endpoint and every fault, over real sockets."""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest

from tests.fakes.plex import PlexSimulator
from tests.loopback import free_port
from tests.waiting import await_true

PACKAGE = Path(__file__).resolve().parents[2] / "fakes" / "plex"
MIGRATING = '<Response code="503" title="Maintenance" status="Plex Media Server is currently running database migrations."/>'
NOBODY = 65534


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body as JSON, without the MediaContainer around it."""
        whole: dict[str, dict[str, Any]] = json.loads(self.body)
        return whole.get("MediaContainer", whole)

    @property
    def xml(self) -> ElementTree.Element:
        """The body as XML."""
        return ElementTree.fromstring(self.body)


def ask(
    plex: PlexSimulator,
    path: str,
    *,
    method: str = "GET",
    accept: str = "application/json",
    token: str | None = None,
    headers: dict[str, str] | None = None,
    timeout_s: float = 5.0,
) -> Answer:
    """Send one request with the owner's token, or with another."""
    secret = plex.token if token is None else token
    return ask_port(plex.port, path, method=method, accept=accept, token=secret, headers=headers, timeout_s=timeout_s)


def ask_port(
    port: int,
    path: str,
    *,
    method: str = "GET",
    accept: str = "application/json",
    token: str = "",
    headers: dict[str, str] | None = None,
    timeout_s: float = 5.0,
) -> Answer:
    """Send one request to a port of this machine."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    with contextlib.closing(connection):
        identity = {"X-Plex-Token": token} if token else {}
        connection.request(method, path, headers={"Accept": accept} | identity | (headers or {}))
        response = connection.getresponse()
        return Answer(status=response.status, headers=dict(response.getheaders()), body=response.read())


def write_media(folder: Path, *names: str) -> None:
    """Make files with some bytes in them."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 10)


@pytest.fixture
def movies(tmp_path: Path) -> Path:
    """A folder with three movies."""
    folder = tmp_path / "movies"
    write_media(folder, "Dune (2021)/Dune (2021).mkv", "Heat (1995)/Heat (1995).mkv", "Alien (1979)/Alien (1979).mkv")
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data folder, with a space in its name as the real one has."""
    return tmp_path / "Plex Media Server"


@pytest.fixture
def plex(data: Path) -> Iterator[PlexSimulator]:
    """A running simulator that scans as fast as it can."""
    with PlexSimulator(data) as simulator:
        simulator.set(scan_s=0.0, nameless_s=0.0)
        yield simulator


@pytest.fixture
def library(plex: PlexSimulator, movies: Path) -> int:
    """The key of a scanned library of three movies."""
    key = plex.add_library("Movies", "movie", movies)
    plex.scan(key)
    return key


def rows(plex: PlexSimulator, query: str) -> list[tuple[Any, ...]]:
    """Ask the database as anybody's SQLite would."""
    with contextlib.closing(sqlite3.connect(plex.database)) as connection:
        return connection.execute(query).fetchall()


# Answers in general


def test_identity_needs_no_token_and_has_flags_by_format(plex: PlexSimulator) -> None:
    as_xml = ask(plex, "/identity", token="", accept="*/*")
    as_json = ask(plex, "/identity", token="")

    assert as_xml.headers["Content-Type"] == "text/xml;charset=utf-8"
    assert as_xml.xml.attrib["claimed"] == "1"
    assert as_json.headers["Content-Type"] == "application/json"
    assert as_json.json["claimed"] is True and as_json.json["size"] == 0
    assert as_json.json["machineIdentifier"] == as_xml.xml.attrib["machineIdentifier"]


def test_answers_have_the_headers_of_plex(plex: PlexSimulator) -> None:
    headers = ask(plex, "/identity").headers

    assert headers["X-Plex-Protocol"] == "1.0"
    assert headers["Cache-Control"] == "no-cache"
    assert headers["Keep-Alive"] == "timeout=20"
    assert "Server" not in headers


def test_one_connection_serves_several_requests(plex: PlexSimulator) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", plex.port, timeout=5)
    with contextlib.closing(connection):
        for _ in range(3):
            connection.request("GET", "/identity")
            assert connection.getresponse().read()
        assert connection.sock is not None


@pytest.mark.parametrize("path", ["/", "/library/sections", "/status/sessions", "/activities", "/butler", "/:/prefs", "/accounts"])
@pytest.mark.parametrize("token", ["", "wrong"], ids=["none", "wrong"])
def test_without_the_token_everything_else_is_401_in_html(plex: PlexSimulator, path: str, token: str) -> None:
    answer = ask(plex, path, token=token)

    assert answer.status == 401
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.body == b"<html><head><title>Unauthorized</title></head><body><h1>401 Unauthorized</h1></body></html>"


def test_the_token_counts_in_the_query_too(plex: PlexSimulator) -> None:
    assert ask(plex, f"/library/sections?X-Plex-Token={plex.token}", token="").status == 200


def test_an_unclaimed_server_trusts_loopback(plex: PlexSimulator) -> None:
    plex.set(claimed=False)

    assert ask(plex, "/identity").json["claimed"] is False
    assert ask(plex, "/library/sections", token="").status == 200
    assert plex.token == ""


def test_allowed_networks_need_no_token(plex: PlexSimulator) -> None:
    ask(plex, "/:/prefs?allowedNetworks=" + quote("127.0.0.0/255.0.0.0"), method="PUT")
    assert ask(plex, "/library/sections", token="").status == 200

    ask(plex, "/:/prefs?allowedNetworks=" + quote("0.0.0.0/0.0.0.0"), method="PUT")
    assert ask(plex, "/library/sections", token="").status == 401


def test_an_unknown_path_is_404_in_html(plex: PlexSimulator) -> None:
    answer = ask(plex, "/no/such/thing")

    assert (answer.status, answer.headers["Content-Type"]) == (404, "text/html")
    assert b"404 Not Found" in answer.body


@pytest.mark.parametrize(
    ("path", "key"),
    [("/library/sections", "Directory"), ("/activities", "Activity"), ("/status/sessions", "Metadata")],
    ids=["sections", "activities", "sessions"],
)
def test_an_empty_list_is_an_absent_key(plex: PlexSimulator, path: str, key: str) -> None:
    assert ask(plex, path).json["size"] == 0
    assert key not in ask(plex, path).json


def test_requests_are_recorded(plex: PlexSimulator) -> None:
    ask(plex, "/library/sections?x=a%20b", method="GET", headers={"X-Test": "yes"})

    (seen,) = plex.requests
    assert (seen.method, seen.path, seen.query, seen.headers["x-test"]) == ("GET", "/library/sections", {"x": ["a b"]}, "yes")


def test_root_tells_about_the_pass(plex: PlexSimulator) -> None:
    assert ask(plex, "/").json["myPlexSubscription"] is True
    assert "session_kick" in ask(plex, "/").json["ownerFeatures"]

    plex.set(plex_pass=False)
    assert ask(plex, "/", accept="").xml.attrib["myPlexSubscription"] == "0"
    assert "session_kick" not in ask(plex, "/").json["ownerFeatures"]


def test_accounts_are_the_system_and_the_owner(plex: PlexSimulator) -> None:
    assert [(account["id"], account["name"]) for account in ask(plex, "/accounts").json["Account"]] == [(0, ""), (1, "owner")]


# Libraries


def test_a_library_is_created_over_the_api(plex: PlexSimulator, movies: Path) -> None:
    answer = ask(plex, f"/library/sections?name=Films&type=movie&language=en-US&location={quote(str(movies))}", method="POST")

    assert (answer.status, answer.headers["Location"]) == (201, "/library/sections/1")
    (section,) = ask(plex, "/library/sections").json["Directory"]
    assert (section["key"], section["type"], section["title"]) == ("1", "movie", "Films")
    assert (section["agent"], section["scanner"]) == ("tv.plex.agents.movie", "Plex Movie")
    assert section["Location"] == [{"id": 1, "path": str(movies)}]


def test_a_library_without_a_folder_is_refused(plex: PlexSimulator) -> None:
    assert ask(plex, "/library/sections?name=Films&type=movie", method="POST").status == 400
    assert ask(plex, "/library/sections").json["size"] == 0


def test_items_are_counted_without_listing_them(plex: PlexSimulator, library: int) -> None:
    by_parameter = ask(plex, f"/library/sections/{library}/all?X-Plex-Container-Start=0&X-Plex-Container-Size=0")
    by_header = ask(plex, f"/library/sections/{library}/all", headers={"X-Plex-Container-Start": "0", "X-Plex-Container-Size": "0"})

    for answer in (by_parameter, by_header):
        assert (answer.json["size"], answer.json["totalSize"], "Metadata" in answer.json) == (0, 3, False)
        assert answer.headers["X-Plex-Container-Total-Size"] == "3"


def test_items_come_in_pages(plex: PlexSimulator, library: int) -> None:
    page = ask(plex, f"/library/sections/{library}/all?X-Plex-Container-Start=1&X-Plex-Container-Size=1").json

    assert (page["size"], page["totalSize"], page["offset"]) == (1, 3, 1)
    assert [item["title"] for item in page["Metadata"]] == ["Dune (2021)"]
    assert ask(plex, f"/library/sections/{library}/all").json["size"] == 3


def test_items_are_video_elements_in_xml(plex: PlexSimulator, library: int, movies: Path) -> None:
    videos = ask(plex, f"/library/sections/{library}/all", accept="").xml.findall("Video")

    assert [video.attrib["title"] for video in videos] == ["Alien (1979)", "Dune (2021)", "Heat (1995)"]
    part = videos[0].find("Media/Part")
    assert part is not None and part.attrib["file"] == str(movies / "Alien (1979)" / "Alien (1979).mkv")


@pytest.mark.parametrize(
    ("kind", "name", "counts"),
    [
        ("show", "Dark/Season 01/Dark - S01E02.mkv", {2: 1, 3: 1, 4: 2}),
        ("artist", "Björk/Debut/01 - Human Behaviour.flac", {8: 1, 9: 1, 10: 2}),
    ],
    ids=["show", "artist"],
)
def test_levels_above_the_files_are_made(plex: PlexSimulator, tmp_path: Path, kind: str, name: str, counts: dict[int, int]) -> None:
    write_media(tmp_path / "media", name, name.replace("0", "1"))
    write_media(tmp_path / "media", name.replace("S01E02", "S01E03").replace("01 - ", "02 - "))
    (tmp_path / "media" / name.replace("0", "1")).unlink()
    key = plex.add_library("Library", kind, tmp_path / "media")
    plex.scan(key)

    seen = {
        number: ask(plex, f"/library/sections/{key}/all?type={number}&X-Plex-Container-Size=0").json["totalSize"]
        for number in counts
    }
    assert seen == counts


def test_check_files_only_stats(plex: PlexSimulator, library: int, movies: Path) -> None:
    file = movies / "Alien (1979)" / "Alien (1979).mkv"
    file.chmod(0)
    unreadable = ask(plex, "/library/metadata/1?checkFiles=1").json["Metadata"][0]["Media"][0]["Part"][0]
    file.unlink()
    gone = ask(plex, "/library/metadata/1?checkFiles=1").json["Metadata"][0]["Media"][0]["Part"][0]
    unchecked = ask(plex, "/library/metadata/1").json["Metadata"][0]["Media"][0]["Part"][0]

    assert (unreadable["accessible"], unreadable["exists"]) == (True, True)
    assert (gone["accessible"], gone["exists"]) == (False, False)
    assert "exists" not in unchecked
    assert ask(plex, "/library/metadata/99").status == 404


# Scans


def test_a_scan_answers_at_once_and_shows_itself_while_it_runs(plex: PlexSimulator, movies: Path) -> None:
    key = plex.add_library("Movies", "movie", movies)
    plex.set(scan_s=1.0, nameless_s=0.5)
    started = time.monotonic()
    answer = ask(plex, f"/library/sections/{key}/refresh", method="POST")
    assert (answer.status, answer.body, time.monotonic() - started < 1.0) == (200, b"", True)

    titles: list[str] = []

    def has_named_activity() -> bool:
        titles.extend(activity["title"] for activity in ask(plex, "/activities").json.get("Activity", []))
        return "Scanning Movies" in titles

    await_true(has_named_activity)
    (activity,) = ask(plex, "/activities").json["Activity"]
    assert titles[0] == "Scanning"
    assert (activity["type"], activity["cancellable"], activity["Context"]) == (
        "library.update.section",
        True,
        {"librarySectionID": str(key)},
    )
    assert ask(plex, "/library/sections").json["Directory"][0]["refreshing"] is True
    # It agrees, and goes on.
    assert ask(plex, f"/activities/{activity['uuid']}", method="DELETE").status == 200
    assert ask(plex, "/activities").json["Activity"][0]["uuid"] == activity["uuid"]

    plex.wait_for_scans()
    (section,) = ask(plex, "/library/sections").json["Directory"]
    assert section["refreshing"] is False and section["scannedAt"] > 0
    assert ask(plex, "/activities").json["size"] == 0


def test_counts_are_stale_while_a_scan_runs(plex: PlexSimulator, library: int, movies: Path) -> None:
    write_media(movies, "New.mkv")
    plex.set(scan_s=1.0)
    ask(plex, f"/library/sections/{library}/refresh?force=1")
    await_true(lambda: rows(plex, "SELECT count(*) FROM metadata_items") == [(4,)])
    count = f"/library/sections/{library}/all?X-Plex-Container-Size=0"

    assert ask(plex, count).json["totalSize"] == 3
    plex.wait_for_scans()
    assert ask(plex, count).json["totalSize"] == 4


@pytest.mark.parametrize("damage", ["gone", "unreadable"])
def test_a_scan_marks_what_is_gone_or_cannot_be_opened(data: Path, movies: Path, damage: str) -> None:
    broken = str(movies / "Dune (2021)" / "Dune (2021).mkv")
    refused: set[str] = set()

    def open_unless_refused(path: str) -> int:
        if path in refused:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return os.open(path, os.O_RDONLY)

    with PlexSimulator(data, opener=open_unless_refused) as plex:
        plex.set(scan_s=0.0, nameless_s=0.0)
        ask(plex, "/:/prefs?autoEmptyTrash=0", method="PUT")
        key = plex.add_library("Movies", "movie", movies)
        plex.scan(key)
        if damage == "gone":
            os.unlink(broken)
        else:
            refused.add(broken)
        plex.scan(key)

        assert rows(plex, "SELECT file FROM media_parts WHERE deleted_at IS NOT NULL") == [(broken,)]
        assert rows(plex, "SELECT title FROM metadata_items WHERE deleted_at IS NOT NULL") == [("Dune (2021)",)]
        trash = ask(plex, f"/library/sections/{key}/all?trash=1").json["Metadata"]
        assert [item["title"] for item in trash] == ["Dune (2021)"]


def test_a_file_that_is_back_is_taken_out_of_the_trash(plex: PlexSimulator, library: int, movies: Path) -> None:
    ask(plex, "/:/prefs?autoEmptyTrash=0", method="PUT")
    folder = movies / "Dune (2021)"
    folder.rename(movies.parent / "away")
    plex.scan(library)
    assert rows(plex, "SELECT count(*) FROM metadata_items WHERE deleted_at IS NOT NULL") == [(1,)]

    (movies.parent / "away").rename(folder)
    plex.scan(library)
    assert rows(plex, "SELECT count(*) FROM metadata_items WHERE deleted_at IS NOT NULL") == [(0,)]
    assert rows(plex, "SELECT count(*) FROM media_parts") == [(3,)]


def test_trash_is_emptied_at_the_end_of_a_scan_by_default(plex: PlexSimulator, library: int, movies: Path) -> None:
    shutil.rmtree(movies / "Dune (2021)")
    plex.scan(library)

    assert rows(plex, "SELECT title FROM metadata_items ORDER BY title") == [("Alien (1979)",), ("Heat (1995)",)]
    assert rows(plex, "SELECT count(*) FROM media_parts") == [(2,)]


def test_trash_is_emptied_on_request(plex: PlexSimulator, library: int, movies: Path) -> None:
    ask(plex, "/:/prefs?autoEmptyTrash=0", method="PUT")
    shutil.rmtree(movies / "Dune (2021)")
    plex.scan(library)
    assert rows(plex, "SELECT count(*) FROM metadata_items") == [(3,)]

    assert ask(plex, f"/library/sections/{library}/emptyTrash", method="PUT").status == 200
    assert rows(plex, "SELECT count(*) FROM metadata_items") == [(2,)]


def test_an_empty_location_loses_everything_and_a_missing_one_nothing(plex: PlexSimulator, library: int, movies: Path) -> None:
    movies.rename(movies.parent / "unplugged")
    plex.scan(library)
    assert rows(plex, "SELECT count(*) FROM metadata_items") == [(3,)]

    movies.mkdir()
    plex.scan(library)
    assert rows(plex, "SELECT count(*) FROM metadata_items") == [(0,)]


def test_a_scan_of_a_path_looks_nowhere_else(plex: PlexSimulator, library: int, movies: Path) -> None:
    shutil.rmtree(movies / "Dune (2021)")
    shutil.rmtree(movies / "Heat (1995)")
    ask(plex, f"/library/sections/{library}/refresh?path={quote(str(movies / 'Heat (1995)'))}")
    plex.wait_for_scans()
    assert rows(plex, "SELECT title FROM metadata_items ORDER BY title") == [("Alien (1979)",), ("Dune (2021)",)]

    outside = ask(plex, f"/library/sections/{library}/refresh?path=/somewhere/else")
    plex.wait_for_scans()
    assert outside.status == 200
    assert rows(plex, "SELECT count(*) FROM metadata_items") == [(2,)]


def test_cancelling_a_scan_is_answered_and_does_nothing(plex: PlexSimulator, library: int, movies: Path) -> None:
    write_media(movies, "New.mkv")
    plex.set(scan_s=0.3)
    ask(plex, f"/library/sections/{library}/refresh")

    assert ask(plex, f"/library/sections/{library}/refresh?cancel=1").status == 200
    assert ask(plex, f"/library/sections/{library}/refresh", method="DELETE").status == 200
    plex.wait_for_scans()
    assert rows(plex, "SELECT count(*) FROM metadata_items") == [(4,)]
    assert ask(plex, "/library/sections/77/refresh").status == 404


# Media


def test_a_part_is_sent_whole_and_in_ranges(plex: PlexSimulator, library: int, movies: Path) -> None:
    part = ask(plex, "/library/metadata/1").json["Metadata"][0]["Media"][0]["Part"][0]
    content = Path(part["file"]).read_bytes()
    whole = ask(plex, part["key"])
    middle = ask(plex, part["key"], headers={"Range": "bytes=2-5"})
    end = ask(plex, part["key"], headers={"Range": "bytes=-3"})

    assert (whole.status, whole.body) == (200, content)
    assert (middle.status, middle.body, middle.headers["Content-Range"]) == (206, content[2:6], f"bytes 2-5/{len(content)}")
    assert (end.status, end.body) == (206, content[-3:])
    assert ask(plex, part["key"], headers={"Range": "bytes=99999-"}).status == 416


def test_a_part_that_is_gone_is_404_and_a_log_line(plex: PlexSimulator, library: int) -> None:
    part = ask(plex, "/library/metadata/1").json["Metadata"][0]["Media"][0]["Part"][0]
    os.unlink(part["file"])

    assert ask(plex, part["key"]).status == 404
    assert f"Error opening file '\"{part['file']}\"' - No such file or directory (2)" in plex.log_file.read_text()


# Sessions, activities, butler


def test_sessions_are_video_track_and_photo(plex: PlexSimulator) -> None:
    for kind in ("movie", "episode", "track", "photo"):
        plex.add_session(type=kind, state="paused", user="Ana")

    xml, listed = ask(plex, "/status/sessions", accept="").xml, ask(plex, "/status/sessions").json
    assert [child.tag for child in xml] == ["Video", "Video", "Track", "Photo"]
    assert [entry["type"] for entry in listed["Metadata"]] == ["movie", "episode", "track", "photo"]
    assert listed["size"] == 4
    assert listed["Metadata"][0]["Player"]["state"] == "paused"
    assert listed["Metadata"][0]["User"] == {"id": "1", "title": "Ana"}
    assert listed["Metadata"][0]["Session"]["bandwidth"] == 7000
    assert "TranscodeSession" not in listed["Metadata"][0]


def test_sessions_change_and_end(plex: PlexSimulator) -> None:
    session = plex.add_session()
    plex.change_session(session, state="paused")
    assert ask(plex, "/status/sessions").json["Metadata"][0]["Player"]["state"] == "paused"

    plex.end_session(session)
    assert ask(plex, "/status/sessions").json["size"] == 0


def test_some_players_have_no_session_id(plex: PlexSimulator) -> None:
    plex.add_session(type="track", id="")
    assert "Session" not in ask(plex, "/status/sessions").json["Metadata"][0]


def test_conversions_are_listed(plex: PlexSimulator) -> None:
    assert ask(plex, "/transcode/sessions").json == {"size": 0}
    plex.add_session(transcoding=True, id="abc")
    assert ask(plex, "/transcode/sessions").json["TranscodeSession"][0]["key"] == "abc"
    assert ask(plex, "/status/sessions").json["Metadata"][0]["TranscodeSession"]["key"] == "/transcode/sessions/abc"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_session_is_terminated_and_its_player_told(plex: PlexSimulator, library: int, method: str) -> None:
    plex.add_session(id="abc", client="player-1")
    part = ask(plex, "/library/metadata/1").json["Metadata"][0]["Media"][0]["Part"][0]["key"]
    player = {"X-Plex-Client-Identifier": "player-1"}
    assert ask(plex, "/:/timeline", headers=player).json == {"size": 0}
    assert ask(plex, part, headers=player).status == 200

    assert ask(plex, "/status/sessions/terminate?sessionId=abc&reason=Maintenance", method=method).status == 200
    assert ask(plex, "/status/sessions").json["size"] == 0
    assert ask(plex, "/:/timeline", headers=player).json["terminationText"] == "Maintenance"
    assert ask(plex, part, headers=player).status == 503


def test_terminate_tells_what_is_wrong(plex: PlexSimulator) -> None:
    plex.add_session(id="abc")
    assert ask(plex, "/status/sessions/terminate?sessionId=", method="POST").status == 403
    assert ask(plex, "/status/sessions/terminate?sessionId=other", method="POST").status == 404
    plex.set(plex_pass=False)
    assert ask(plex, "/status/sessions/terminate?sessionId=abc", method="POST").status == 401
    assert ask(plex, "/status/sessions").json["size"] == 1


def test_activities_are_shown_and_cancelled(plex: PlexSimulator) -> None:
    activity = plex.add_activity(type="media.generate.credits", title="Detecting Credits", cancellable=True, section="1")
    (shown,) = ask(plex, "/activities").json["Activity"]

    assert (shown["uuid"], shown["progress"], shown["Context"]) == (activity.uuid, -1, {"librarySectionID": "1"})
    assert ask(plex, f"/activities/{activity.uuid}", method="DELETE").status == 200
    assert ask(plex, f"/activities/{activity.uuid}", method="DELETE").status == 404
    assert ask(plex, "/activities").json == {"size": 0}


def test_butler_lists_its_tasks_in_a_root_of_its_own(plex: PlexSimulator) -> None:
    tasks = json.loads(ask(plex, "/butler").body)["ButlerTasks"]["ButlerTask"]

    assert {"name", "interval", "enabled", "scheduleRandomized", "title", "description"} == tasks[0].keys()
    assert "OptimizeDatabase" in {task["name"] for task in tasks}
    assert ask(plex, "/butler", accept="").xml.tag == "ButlerTasks"


def test_a_butler_task_runs_once_and_can_be_stopped(plex: PlexSimulator) -> None:
    plex.set(butler_s=30)
    assert ask(plex, "/butler/NoSuchTask", method="POST").status == 404
    assert ask(plex, "/butler/DeepMediaAnalysis", method="DELETE").status == 404
    assert ask(plex, "/butler/DeepMediaAnalysis", method="POST").status == 200
    assert ask(plex, "/butler/DeepMediaAnalysis", method="POST").status == 202
    assert [activity["type"] for activity in ask(plex, "/activities").json["Activity"]] == ["butler"]
    assert ask(plex, "/butler/DeepMediaAnalysis", method="DELETE").status == 200
    assert ask(plex, "/butler/DeepMediaAnalysis", method="POST").status == 200
    assert ask(plex, "/butler", method="DELETE").status == 200
    assert ask(plex, "/activities").json == {"size": 0}


def test_all_enabled_butler_tasks_start_together(plex: PlexSimulator) -> None:
    plex.set(butler_s=30)
    assert ask(plex, "/butler", method="POST").status == 200

    enabled = {task["name"] for task in json.loads(ask(plex, "/butler").body)["ButlerTasks"]["ButlerTask"] if task["enabled"]}
    assert {activity["title"] for activity in ask(plex, "/activities").json["Activity"]} == enabled


# Settings and updates


def settings(plex: PlexSimulator) -> dict[str, object]:
    """Return the values of all settings."""
    return {setting["id"]: setting["value"] for setting in ask(plex, "/:/prefs").json["Setting"]}


def test_settings_change_and_reach_the_file(plex: PlexSimulator, data: Path) -> None:
    file = data / "Preferences.xml"
    before = file.stat().st_ino
    assert settings(plex)["autoEmptyTrash"] is True

    assert ask(plex, "/:/prefs?autoEmptyTrash=0&ButlerStartHour=3", method="PUT").status == 200
    assert (settings(plex)["autoEmptyTrash"], settings(plex)["ButlerStartHour"]) == (False, 3)
    attributes = ElementTree.parse(file).getroot().attrib
    assert (attributes["autoEmptyTrash"], attributes["ButlerStartHour"]) == ("0", "3")
    assert file.stat().st_ino != before
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    xml = ask(plex, "/:/prefs/get?id=autoEmptyTrash", accept="").xml
    assert [(entry.attrib["value"], entry.attrib["default"]) for entry in xml] == [("false", "true")]


@pytest.mark.parametrize("query", ["autoEmptyTrash=0&GenerateChapterBehavior=never", "autoEmptyTrash=0&ButlerStartHour=late"])
def test_one_bad_setting_refuses_all(plex: PlexSimulator, query: str) -> None:
    assert ask(plex, f"/:/prefs?{query}", method="PUT").status == 400
    assert settings(plex)["autoEmptyTrash"] is True


def test_settings_of_the_pass_exist_only_with_it(plex: PlexSimulator) -> None:
    assert ask(plex, "/:/prefs?GenerateIntroMarkerBehavior=never", method="PUT").status == 200
    assert settings(plex)["GenerateIntroMarkerBehavior"] == "never"

    plex.set(plex_pass=False)
    assert not {"GenerateIntroMarkerBehavior", "GenerateCreditsMarkerBehavior", "MusicAnalysisBehavior"} & settings(plex).keys()
    assert ask(plex, "/:/prefs?MusicAnalysisBehavior=never", method="PUT").status == 400


def test_settings_and_identity_survive_a_restart(plex: PlexSimulator) -> None:
    before = ask(plex, "/identity").json["machineIdentifier"]
    ask(plex, "/:/prefs?autoEmptyTrash=0", method="PUT")
    port = plex.port
    plex.restart()

    assert plex.port == port
    assert settings(plex)["autoEmptyTrash"] is False
    assert ask(plex, "/identity").json["machineIdentifier"] == before


def test_an_update_is_announced_and_never_applied(plex: PlexSimulator) -> None:
    assert "Release" not in ask(plex, "/updater/status").json

    plex.set(update_version="1.50.0.12345-abcdef012")
    status = ask(plex, "/updater/status").json
    assert status["canInstall"] is False
    assert (status["Release"][0]["version"], status["Release"][0]["state"]) == ("1.50.0.12345-abcdef012", "notify")
    assert plex.token in status["downloadURL"]
    assert ask(plex, "/updater/apply?tonight=1", method="PUT").status == 400


def test_a_token_that_is_switched_replaces_the_old_one(plex: PlexSimulator, data: Path) -> None:
    old = plex.token
    plex.set(token="another-token-000001")

    assert ask(plex, "/library/sections", token=old).status == 401
    assert ask(plex, "/library/sections", token="another-token-000001").status == 200
    assert ElementTree.parse(data / "Preferences.xml").getroot().attrib["PlexOnlineToken"] == "another-token-000001"


# Files


def test_the_database_is_complete_and_in_wal_mode(plex: PlexSimulator) -> None:
    kinds = dict(rows(plex, "SELECT type, count(*) FROM sqlite_master GROUP BY type"))

    assert rows(plex, "PRAGMA journal_mode") == [("wal",)]
    # 86 tables are counted in a real database; sqlite_stat1 appears only after ANALYZE.
    assert kinds == {"table": 85, "index": 164, "trigger": 8}
    assert plex.database.with_name("com.plexapp.plugins.library.blobs.db").exists()
    assert Path(f"{plex.database}-wal").exists()


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("PRAGMA quick_check", "icu_root"),
        ("REINDEX", "icu_root"),
        ("INSERT INTO metadata_items (title) VALUES ('x')", "icu_root|collating"),
        ("DELETE FROM tags", "unknown tokenizer: collating"),
        ("SELECT * FROM fts4_metadata_titles_icu WHERE title MATCH 'dune'", "unknown tokenizer: collating"),
        ("SELECT * FROM spellfix_tag_titles", "no such module: spellfix1"),
    ],
)
def test_stock_sqlite_fails_where_it_does_on_a_real_database(plex: PlexSimulator, statement: str, error: str) -> None:
    with pytest.raises(sqlite3.DatabaseError, match=error):
        rows(plex, statement)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE media_parts SET file = file", "UPDATE metadata_items SET summary = 'x'", "PRAGMA integrity_check('media_parts')"],
)
def test_stock_sqlite_may_do_what_it_may_on_a_real_database(plex: PlexSimulator, library: int, statement: str) -> None:
    rows(plex, statement)


def test_the_log_has_the_format_of_plex_and_no_token(plex: PlexSimulator) -> None:
    ask(plex, f"/library/sections?X-Plex-Token={plex.token}", token="")
    ask(plex, "/library/sections", token="wrong-token")
    # A line is written after its answer is sent, so neither needs to be there yet.
    await_true(lambda: {"] 200 GET", "] 401 GET"} <= set(re.findall(r"\] \d+ GET", plex.log_file.read_text())))
    text = plex.log_file.read_text()

    pattern = r"(?m)^[A-Z][a-z]{2} \d\d, \d{4} \d\d:\d\d:\d\d\.\d{3} \[\d{10,16}\] (DEBUG|INFO|WARN|ERROR) - .+$"
    assert all(re.fullmatch(pattern, line) for line in text.splitlines())
    assert "Plex Media Server v1.43.4.10903-e5521bd8c - " in text
    assert re.search(r"Request: \[127\.0\.0\.1:\d+ \(Loopback\)\] GET /library/sections\?X-Plex-Token=x{20} \(\d+ live\) #1 ", text)
    assert re.search(r"Completed: \[127\.0\.0\.1:\d+\] 200 GET /library/sections.* \d+ms \d+ bytes", text)
    assert plex.token not in text


def test_debug_lines_end_when_the_setting_is_off(plex: PlexSimulator) -> None:
    ask(plex, "/:/prefs?logDebug=0", method="PUT")
    await_true(lambda: not plex.logs.server.debug)
    before = plex.log_file.read_text()
    ask(plex, "/library/sections")
    assert plex.log_file.read_text() == before


def test_each_start_rotates_the_log_by_rename(plex: PlexSimulator) -> None:
    first = plex.log_file.stat().st_ino
    plex.restart()

    rotated = plex.log_file.with_name("Plex Media Server.1.log")
    assert rotated.stat().st_ino == first
    assert "Server stopped." in rotated.read_text()
    for _ in range(6):
        plex.restart()
    assert sorted(path.name for path in plex.log_file.parent.glob("Plex Media Server*")) == [
        *(f"Plex Media Server.{number}.log" for number in range(1, 6)),
        "Plex Media Server.log",
    ]


def test_nothing_is_written_outside_the_data_folder(plex: PlexSimulator, library: int, movies: Path, tmp_path: Path) -> None:
    plex.set(mode="slow", delay_s=0)
    plex.restart()
    assert {path.name for path in tmp_path.iterdir()} == {"Plex Media Server", movies.name}


def test_a_damaged_database_keeps_the_server_down(plex: PlexSimulator) -> None:
    plex.stop()
    plex.database.write_bytes(b"this is no database" * 100)
    plex.start()

    assert not plex.is_listening
    assert plex.console == [
        "Error: Unable to set up server: sqlite3_statement_backend::prepare: file is not a database"
        " for SQL: PRAGMA cache_size=2000 (N4soci10soci_errorE)"
    ]
    assert "SQLITE3:(nil), 26, file is not a database" in plex.log_file.read_text()


# Faults


def test_slow_delays_every_answer(plex: PlexSimulator) -> None:
    plex.set(mode="slow", delay_s=0.3)
    started = time.monotonic()
    assert ask(plex, "/identity").status == 200
    assert time.monotonic() - started >= 0.3


def test_pause_answers_late_and_is_over_by_itself(plex: PlexSimulator) -> None:
    plex.set(mode="pause", duration_s=1.0)
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        ask(plex, "/identity", timeout_s=0.1)
    assert ask(plex, "/identity").status == 200
    assert 0.9 <= time.monotonic() - started < 4
    assert plex.mode == "healthy"


def test_hung_accepts_and_never_answers(plex: PlexSimulator) -> None:
    plex.set(mode="hung")
    with pytest.raises(TimeoutError):
        ask(plex, "/identity", timeout_s=0.4)
    plex.wait_until_asked("/identity")


def test_what_was_asked_of_a_hung_server_is_never_answered(plex: PlexSimulator) -> None:
    plex.set(mode="hung")
    with socket.create_connection(("127.0.0.1", plex.port), timeout=3) as connection:
        connection.sendall(b"GET /identity HTTP/1.1\r\nHost: x\r\n\r\n")
        plex.wait_until_asked("/identity")
        plex.set(mode="healthy")
        assert connection.recv(1) == b""


def test_refusing_closes_the_port_and_opens_it_again(plex: PlexSimulator) -> None:
    plex.set(mode="refusing")
    with pytest.raises(ConnectionRefusedError):
        ask(plex, "/identity")
    plex.set(mode="healthy")
    assert ask(plex, "/identity").status == 200


def test_refusing_cuts_connections_that_exist(plex: PlexSimulator) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", plex.port, timeout=5)
    connection.request("GET", "/identity")
    connection.getresponse().read()
    plex.set(mode="refusing")
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        assert connection.sock is not None
        assert connection.sock.recv(1) == b""
        connection.request("GET", "/identity")
        connection.getresponse()


@pytest.mark.parametrize("path", ["/identity", "/library/sections", "/no/such/thing"])
def test_maintenance_is_503_in_xml_on_every_path(plex: PlexSimulator, path: str) -> None:
    plex.set(mode="maintenance")
    answer = ask(plex, path, token="")

    assert (answer.status, answer.headers["Content-Type"]) == (503, "text/xml;charset=utf-8")
    assert answer.body.decode() == MIGRATING


def test_maintenance_may_end_by_itself(plex: PlexSimulator) -> None:
    plex.set(mode="maintenance", duration_s=0.6)
    assert ask(plex, "/identity").status == 503
    await_true(lambda: ask(plex, "/identity").status == 200)


@pytest.mark.parametrize("migrating", [True, False], ids=["migrating", "stuck"])
def test_a_migration_moves_log_and_wal_and_a_stuck_one_does_not(plex: PlexSimulator, migrating: bool) -> None:
    plex.set(mode="maintenance", migrating=migrating)
    wal = Path(f"{plex.database}-wal")
    before = (wal.stat().st_size, plex.log_file.stat().st_size)
    for _ in range(4):
        ask(plex, "/identity")
        time.sleep(0.1)
    after = (wal.stat().st_size, plex.log_file.stat().st_size)

    assert (after > before and after[1] > before[1]) if migrating else after == before


def test_a_start_may_begin_with_maintenance(data: Path) -> None:
    plex = PlexSimulator(data)
    plex.set(startup_maintenance_s=0.8)
    with plex:
        assert ask(plex, "/identity").body.decode() == MIGRATING
        await_true(lambda: ask(plex, "/identity").status == 200)


def test_deadlock_is_503_without_the_words_of_a_migration(plex: PlexSimulator) -> None:
    plex.set(mode="deadlock")
    answer = ask(plex, "/identity")
    assert answer.status == 503
    assert b"Maintenance" not in answer.body and b"migrations" not in answer.body


def test_error_is_500_in_html(plex: PlexSimulator) -> None:
    plex.set(mode="error")
    answer = ask(plex, "/identity")
    assert (answer.status, answer.headers["Content-Type"]) == (500, "text/html")


def test_html_is_somebody_elses_welcome_page(plex: PlexSimulator) -> None:
    plex.set(mode="html")
    answer = ask(plex, "/identity")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html")
    assert b"MediaContainer" not in answer.body


def test_half_breaks_off_in_the_middle(plex: PlexSimulator) -> None:
    plex.set(mode="half")
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(plex, "/identity")
    assert len(caught.value.partial) > 0
    assert caught.value.expected is not None and caught.value.expected > 0


def test_redirect_leads_back_to_where_it_came_from(plex: PlexSimulator) -> None:
    plex.set(mode="redirect")
    answer = ask(plex, "/identity?x=1")
    assert (answer.status, answer.headers["Location"]) == (302, "/identity?x=1")


def test_huge_is_ten_megabytes_of_well_formed_xml(plex: PlexSimulator) -> None:
    plex.set(mode="huge")
    answer = ask(plex, "/library/sections")
    assert len(answer.body) > 10_000_000
    assert answer.xml.tag == "MediaContainer"


def test_drip_sends_a_byte_a_second(plex: PlexSimulator) -> None:
    plex.set(mode="drip")
    with socket.create_connection(("127.0.0.1", plex.port), timeout=3) as connection:
        connection.sendall(b"GET /identity HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(100) == b"H"
        started = time.monotonic()
        assert connection.recv(100) == b"T"
        assert 0.7 < time.monotonic() - started < 3


def test_garbage_is_not_http(plex: PlexSimulator) -> None:
    plex.set(mode="garbage")
    with pytest.raises(http.client.BadStatusLine):
        ask(plex, "/identity")


def test_a_blocked_database_leaves_identity_quick(plex: PlexSimulator, capfd: pytest.CaptureFixture[str]) -> None:
    plex.set(mode="database-blocked")
    started = time.monotonic()
    assert ask(plex, "/identity").status == 200
    assert time.monotonic() - started < 1.0
    with pytest.raises(TimeoutError):
        ask(plex, "/library/sections", timeout_s=0.4)
    with (
        pytest.raises(sqlite3.OperationalError, match="locked"),
        contextlib.closing(sqlite3.connect(plex.database, timeout=0)) as connection,
    ):
        connection.execute("BEGIN IMMEDIATE")
    assert "Sqlite3: Sleeping for 200ms to retry busy DB." in capfd.readouterr().out


def test_requests_that_waited_for_the_database_are_answered_in_the_end(plex: PlexSimulator) -> None:
    plex.set(mode="database-blocked")
    answers: list[Answer] = []
    asking = threading.Thread(target=lambda: answers.append(ask(plex, "/library/sections")))
    asking.start()
    plex.wait_until_asked("/library/sections")
    plex.set(mode="healthy")
    asking.join(5)
    assert [answer.status for answer in answers] == [200]


@pytest.mark.parametrize("mode", ["crash", "corrupt"])
def test_a_crash_closes_the_port(plex: PlexSimulator, mode: str) -> None:
    plex.set(mode=mode)
    with pytest.raises(ConnectionRefusedError):
        ask(plex, "/identity")
    assert plex.console[-1].startswith("Error: Unable to set up server: ")
    assert "Unable to set up server" not in plex.log_file.read_text()


CURED = ["hung", "pause", "refusing", "deadlock", "database-blocked", "error", "crash", "garbage", "drip"]


@pytest.mark.parametrize("mode", CURED)
def test_a_restart_cures(plex: PlexSimulator, mode: str) -> None:
    plex.set(mode=mode)
    plex.restart()
    assert ask(plex, "/library/sections").status == 200


@pytest.mark.parametrize("mode", ["maintenance", "slow", "html", "redirect", "huge", "half"])
def test_a_restart_does_not_cure(plex: PlexSimulator, mode: str) -> None:
    plex.set(mode=mode, delay_s=0)
    plex.restart()
    assert plex.mode == mode


def test_a_restart_does_not_cure_a_corrupt_database(plex: PlexSimulator) -> None:
    plex.set(mode="corrupt")
    plex.restart()
    with pytest.raises(ConnectionRefusedError):
        ask(plex, "/identity")
    plex.set(mode="healthy")
    plex.restart()
    assert ask(plex, "/identity").status == 200


@pytest.mark.parametrize(
    "switches",
    [{"mode": "sulking"}, {"delay": 3}, {"delay_s": "3"}, {"ignore_term": 1}, {"sessions": [{"colour": "red"}]}],
    ids=["mode", "name", "type", "bool", "session"],
)
def test_wrong_switches_are_refused(plex: PlexSimulator, switches: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        plex.set(**switches)
    assert plex.mode == "healthy"


def test_hung_connections_do_not_keep_it_from_stopping(data: Path) -> None:
    with PlexSimulator(data) as plex:
        plex.set(mode="hung")
        with socket.create_connection(("127.0.0.1", plex.port)) as connection:
            connection.sendall(b"GET /identity HTTP/1.1\r\n\r\n")
            plex.wait_until_asked("/identity")
            started = time.monotonic()
            plex.stop()
            assert time.monotonic() - started < 3


# The program


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A simulator in a process of its own."""

    process: subprocess.Popen[str]
    data: Path
    port: int

    @property
    def control(self) -> Path:
        """Where its switches are by default."""
        return self.data.parent / "simulator.json"

    def switch(self, *switches: str) -> None:
        """Set switches with the command, as a test machine does."""
        command = [sys.executable, str(PACKAGE / "server.py"), "--control", str(self.control), "set", *switches]
        subprocess.run(command, check=True)

    def ask(self, path: str, *, token: str = "simulatorToken-00001", timeout_s: float = 5.0, method: str = "GET") -> Answer:
        """Ask it something."""
        return ask_port(self.port, path, token=token, timeout_s=timeout_s, method=method)

    def end(self) -> int:
        """Send SIGTERM and return the exit status."""
        self.process.terminate()
        return self.process.wait(5)


StartProgram = Callable[..., Program]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartProgram]:
    """Start simulators that are killed when the test is over."""
    processes = []

    def start_program(command: Sequence[str] | None = None, *, folder: Path = tmp_path, user: int | None = None) -> Program:
        data, port = folder / "Plex Media Server", free_port()
        words = [*(command or [sys.executable, str(PACKAGE / "server.py")]), "--data", str(data), "--port", str(port)]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, user=user, cwd="/")
        processes.append(process)
        return Program(process=process, data=data, port=port)

    yield start_program
    for process in processes:
        process.kill()
        process.communicate()


def is_up(program: Program) -> bool:
    """Tell whether a program answers."""
    try:
        return program.ask("/identity").status == 200
    except OSError:
        return False


def test_the_program_runs_and_stops_cleanly(start: StartProgram) -> None:
    program = start()
    await_true(lambda: is_up(program))
    assert (program.data / "plexmediaserver.pid").read_text().strip() == str(program.process.pid)

    assert program.end() == 0
    log = (program.data / "Logs" / "Plex Media Server.log").read_text()
    lines = ["Shutting down with signal 15 (Terminated)", "Ordered to stop server.", "Stopping server...", "Server stopped."]
    assert [line for line in lines if f"DEBUG - {line}\n" in log] == lines
    assert not Path(f"{program.data}/Plug-in Support/Databases/com.plexapp.plugins.library.db-wal").exists()


def test_the_command_switches_a_running_program(start: StartProgram) -> None:
    program = start()
    await_true(lambda: is_up(program))

    program.switch("mode=hung", "plex_pass=false")
    with pytest.raises(TimeoutError):
        program.ask("/identity", timeout_s=0.3)
    program.switch("mode=refusing")
    await_true(lambda: not is_up(program))
    program.switch("mode=healthy", 'sessions=[{"type": "track", "user": "Ana"}]')
    await_true(lambda: is_up(program))
    assert program.ask("/status/sessions").json["Metadata"][0]["User"]["title"] == "Ana"
    assert json.loads(program.control.read_text())["plex_pass"] is False


def test_the_command_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    control = tmp_path / "simulator.json"
    command = [sys.executable, str(PACKAGE / "server.py"), "--control", str(control), "set", "mode=sulking"]
    result = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    assert result.returncode == os.EX_USAGE
    assert "'sulking' is none of" in result.stderr
    assert not control.exists()


def test_a_crash_ends_the_process_with_255_and_a_restart_cures_it(start: StartProgram) -> None:
    program = start()
    await_true(lambda: is_up(program))
    program.switch("mode=crash")
    assert program.process.wait(5) == 255
    assert program.process.stdout is not None
    assert program.process.stdout.read() == (
        "Error: Unable to set up server: sqlite3_statement_backend::loadOne: database disk image is malformed"
        " (N4soci10soci_errorE)\n"
    )

    again = start()
    await_true(lambda: is_up(again))
    assert json.loads(again.control.read_text())["mode"] == "healthy"


def test_corrupt_ends_every_start(start: StartProgram, tmp_path: Path) -> None:
    (tmp_path / "simulator.json").write_text('{"mode": "corrupt"}')
    for _ in range(2):
        assert start().process.wait(5) == 255


def test_a_kill_leaves_a_wal_the_next_start_takes_in(start: StartProgram, movies: Path) -> None:
    program = start()
    await_true(lambda: is_up(program))
    program.ask(f"/library/sections?name=Movies&type=movie&location={quote(str(movies))}", method="POST")
    program.process.kill()
    program.process.wait(5)

    again = start()
    await_true(lambda: is_up(again))
    log = (again.data / "Logs" / "Plex Media Server.log").read_text()
    assert re.search(r"INFO - SQLITE3:\(nil\), 283, recovered [1-9]\d* frames from WAL file /.*library\.db-wal\n", log)
    assert again.ask("/library/sections").json["size"] == 1


def test_term_ends_a_hung_program_cleanly(start: StartProgram) -> None:
    program = start()
    await_true(lambda: is_up(program))
    program.switch("mode=hung")
    with socket.create_connection(("127.0.0.1", program.port)) as connection:
        connection.sendall(b"GET /identity HTTP/1.1\r\n\r\n")
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        started = time.monotonic()
        assert program.end() == 0
        assert time.monotonic() - started < 2


def test_what_ends_by_itself_is_written_back(data: Path, tmp_path: Path) -> None:
    control = tmp_path / "control.json"
    control.write_text('{"mode": "pause", "duration_s": 0.5, "plex_pass": false}')
    with PlexSimulator(data, control=control) as plex:
        assert plex.mode == "healthy", "a start cures a pause"
        control.write_text('{"mode": "pause", "duration_s": 0.5, "plex_pass": false}')
        assert plex.mode == "pause"
        await_true(lambda: plex.mode == "healthy")
    assert json.loads(control.read_text()) == {"mode": "healthy", "duration_s": 0.5, "plex_pass": False}


def test_a_control_file_that_makes_no_sense_changes_nothing(data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    control = tmp_path / "control.json"
    with PlexSimulator(data, control=control) as plex:
        plex.set(mode="deadlock")
        control.write_text('{"mode": ')
        assert ask(plex, "/identity").status == 503
    assert "the last good switches stay" in capfd.readouterr().err


def test_a_cancelled_scan_has_marked_and_not_emptied(plex: PlexSimulator, library: int, movies: Path) -> None:
    shutil.rmtree(movies / "Dune (2021)")
    plex.set(scan_s=20)
    ask(plex, f"/library/sections/{library}/refresh")
    marked = "SELECT title FROM metadata_items WHERE deleted_at IS NOT NULL"
    await_true(lambda: rows(plex, marked))
    plex.restart()

    assert f"Scanner: scanning in {movies} was cancelled" in (plex.log_file.parent / "Plex Media Scanner.log").read_text()
    assert rows(plex, marked) == [("Dune (2021)",)]


def test_the_unit_is_that_of_the_package() -> None:
    lines = (PACKAGE / "plexmediaserver.service").read_text().splitlines()
    expected = {
        "Type=simple",
        "User=plex",
        "Group=plex",
        'Environment="PLEX_MEDIA_SERVER_APPLICATION_SUPPORT_DIR=/var/lib/plexmediaserver/Library/Application Support"',
        "Restart=on-failure",
        "RestartSec=5",
        "StartLimitIntervalSec=60s",
        "StartLimitBurst=3",
    }
    assert expected <= set(lines)
    # systemd ignores a limit outside the first section.
    assert lines.index("StartLimitIntervalSec=60s") < lines.index("[Service]")


def test_term_can_be_ignored(start: StartProgram) -> None:
    program = start()
    await_true(lambda: is_up(program))
    program.switch("ignore_term=true")
    program.process.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        program.process.wait(0.4)
    program.process.kill()
    assert program.process.wait(5) == -signal.SIGKILL


def test_stopping_can_take_a_while(start: StartProgram) -> None:
    program = start()
    await_true(lambda: is_up(program))
    program.switch("stop_delay_s=0.5")
    started = time.monotonic()
    assert program.end() == 0
    assert time.monotonic() - started >= 0.5


def test_a_copy_alone_runs_under_the_name_of_plex(start: StartProgram, tmp_path: Path) -> None:
    installed = tmp_path / "usr" / "lib" / "plexmediaserver"
    shutil.copytree(PACKAGE, installed / "simulator", ignore=shutil.ignore_patterns("__pycache__"))
    executable = installed / "Plex Media Server"
    shutil.copy2(PACKAGE / "plex-media-server", executable)
    program = start([str(executable)])

    await_true(lambda: is_up(program))
    assert Path(f"/proc/{program.process.pid}/comm").read_text() == "Plex Media Serv\n"
    assert not list(installed.rglob("__pycache__"))
    assert program.end() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start it as somebody who may not read a file")
def test_a_process_that_may_not_read_a_file_loses_it(start: StartProgram) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        home = folder / "home"
        home.mkdir()
        os.chown(home, NOBODY, NOBODY)
        package = folder / "simulator"
        shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
        write_media(folder / "movies", "Dune.mkv", "Heat.mkv")
        program = start([sys.executable, "-B", str(package / "server.py")], folder=home, user=NOBODY)
        await_true(lambda: is_up(program))
        program.ask(f"/library/sections?name=Movies&type=movie&location={folder / 'movies'}", method="POST")

        def scan() -> int:
            before = program.ask("/library/sections").json["Directory"][0]["contentChangedAt"]
            program.ask("/library/sections/1/refresh")
            await_true(lambda: program.ask("/library/sections").json["Directory"][0]["contentChangedAt"] > before)
            await_true(lambda: not program.ask("/library/sections").json["Directory"][0]["refreshing"])
            total: int = program.ask("/library/sections/1/all?X-Plex-Container-Size=0").json["totalSize"]
            return total

        assert scan() == 2
        part = program.ask("/library/metadata/1").json["Metadata"][0]["Media"][0]["Part"][0]
        Path(part["file"]).chmod(0)
        assert program.ask(part["key"]).status == 404
        log = (program.data / "Logs" / "Plex Media Server.log").read_text()
        assert f"ERROR - Error opening file '\"{part['file']}\"' - Permission denied (13)" in log
        checked = program.ask("/library/metadata/1?checkFiles=1").json["Metadata"][0]["Media"][0]["Part"][0]
        assert checked["accessible"] is True
        assert scan() == 1
