"""The whole watch but its unit: Plex's own lines to the question, and the answer to the journal."""

import json
import os
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from plexguard.core.perms_request import Answer, Verdict, to_packet
from tests.fakes.ports import FakeClock
from tests.integration.log_watch.conftest import Site
from tests.unit.log_watch.lines import completed, denied, line
from tests.waiting import await_true


class QuickClock(FakeClock):
    """Half a second is a twentieth."""

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / 10)
        super().sleep(seconds)


def play(site: Site, film: Path) -> int:
    """Ask Plex for a film as a player does, and return the status."""
    with site.plex._running.library.reading() as database:
        (part,) = database.execute("SELECT id FROM media_parts WHERE file = ?", (str(film),)).fetchone()
    asked = urllib.request.Request(f"{site.plex.url}/library/parts/{part}/1/file.mkv", headers={"X-Plex-Token": site.plex.token})
    try:
        with urllib.request.urlopen(asked, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_film_that_does_not_play_is_readable_within_two_seconds_of_the_line(site: Site) -> None:
    film = site.films / "Film 1.mkv"
    watcher = site.watch()
    film.chmod(0o000)

    assert play(site, film) == 404
    begun = time.monotonic()
    while film.stat().st_mode & 0o444 != 0o444 and time.monotonic() - begun < 5:
        watcher.cycle()

    # The promise itself is a time.
    assert time.monotonic() - begun < 2.0
    assert play(site, film) == 200
    assert site.audit.asked == [str(film)]
    assert site.journal.values("logs.complaint")["verdict"] == "repaired"


def test_the_line_and_the_404_of_one_playback_are_one_question(site: Site) -> None:
    film = site.films / "Film 1.mkv"
    watcher = site.watch(clock=FakeClock())
    film.chmod(0o000)
    play(site, film)
    # The request ends a moment after its answer.
    await_true(lambda: "404 GET /library/parts/" in site.plex.log_file.read_text(), what=site.plex.log_file.read_text)
    assert "Error opening file" in site.plex.log_file.read_text()

    for _ in range(3):
        watcher.cycle()

    assert site.audit.asked == [str(film)]
    assert site.journal.names == ["logs.complaint"]


def test_a_404_alone_is_traced_through_the_live_database(site: Site) -> None:
    with site.plex._running.library.reading() as database:
        parts = dict(database.execute("SELECT file, id FROM media_parts").fetchall())
    film = site.films / "Film 2.mkv"
    watcher = site.watch(clock=FakeClock())

    append(site.plex.log_file, completed(404, f"/library/parts/{parts[str(film)]}/1/file.mkv"))
    watcher.cycle()

    assert site.audit.asked == [str(film)]
    assert site.journal.values("logs.complaint")["verdict"] == "readable"


def test_rotation_at_a_restart_of_plex_loses_nothing(site: Site) -> None:
    watcher = site.watch(clock=FakeClock())
    append(site.plex.log_file, denied(str(site.films / "Film 1.mkv")))
    site.plex.restart()
    append(site.plex.log_file, denied(str(site.films / "Film 2.mkv")))
    site.plex.restart()
    append(site.plex.log_file, denied(str(site.films / "Film 3.mkv")))
    watcher.cycle()

    assert site.audit.asked == [str(site.films / f"Film {number}.mkv") for number in (1, 2, 3)]


def test_names_of_any_bytes_reach_the_root_side_unharmed(site: Site) -> None:
    names = [b"-rf", b"a\nb", b"\xff\xfe\x80", b"x" * 255, b'it\'s "new" 100%', "日本".encode()]
    paths = [os.fsencode(site.films) + b"/" + name for name in names]
    for path in paths:
        Path(os.fsdecode(path)).write_bytes(b"film")
        os.chmod(path, 0o000)
    watcher = site.watch(clock=FakeClock())

    append(site.plex.log_file, *(denied(os.fsdecode(path)) for path in paths))
    watcher.cycle()

    assert [os.fsencode(path) for path in site.audit.asked] == paths
    assert {os.stat(path).st_mode & 0o777 for path in paths} == {0o644}


@pytest.mark.parametrize("hostile", ["/etc/shadow", "/srv/../etc/shadow", "\n" * 4096, "/" + "\n" * 4094, "/x\nx", "../x"])
def test_hostile_text_is_a_question_at_most(site: Site, hostile: str) -> None:
    site.audit.answers = [to_packet(Answer(verdict=Verdict.OUTSIDE, detail="not below a root"))]
    watcher = site.watch(clock=FakeClock())
    append(site.plex.log_file, denied(hostile))

    for _ in range(3):
        watcher.cycle()

    assert set(site.audit.asked) <= {hostile}
    assert len(site.journal.names) == 1
    assert site.journal.names == ["logs.unsettled"]


def test_the_root_side_away_slow_and_garbled(site: Site) -> None:
    clock = FakeClock()
    watcher = site.watch(clock=clock)
    site.audit.answers = [b"\xff no JSON", b'{"verdict": "fine"}', to_packet(Answer(verdict=Verdict.LATER, retry_s=3.0))]
    append(site.plex.log_file, denied(str(site.films / "Film 1.mkv")))
    for _ in range(5):
        watcher.cycle()
    site.address.rename(site.folder / "away")
    append(site.plex.log_file, denied(str(site.films / "Film 2.mkv")))
    watcher.cycle()
    (site.folder / "away").rename(site.address)
    watcher.cycle()

    # Twice garbled, once put off, then answered; the second film when somebody listens again.
    assert site.audit.asked == [str(site.films / "Film 1.mkv")] * 4 + [str(site.films / "Film 2.mkv")]
    assert site.journal.names == [
        "logs.audit-lost",
        "logs.audit-found",
        "logs.complaint",
        "logs.audit-lost",
        "logs.complaint",
        "logs.audit-found",
    ]


def test_a_storm_of_lines_is_one_event_a_path_and_read_as_it_comes(site: Site) -> None:
    # 10,000 lines a second for three seconds, half of them complaints about three paths, and a rotation in the middle.
    watcher = site.watch(clock=QuickClock())
    films = [str(site.films / f"Film {number}.mkv") for number in (1, 2, 3)]
    second = b"".join(
        (denied(films[number % 3]) if number % 2 else line("DEBUG", f"Request: something else altogether, number {number}")) + b"\n"
        for number in range(10_000)
    )
    written = 0

    def write() -> None:
        nonlocal written
        for number in range(3):
            begun = time.monotonic()
            append(site.plex.log_file, second[:-1])
            written += 10_000
            if number == 1:
                site.plex.logs.rotate()
            time.sleep(max(0.0, 1.0 - (time.monotonic() - begun)))

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        watcher.cycle()
    watcher.cycle()

    assert written == 30_000
    assert sorted(site.audit.asked) == films
    assert site.journal.names == ["logs.complaint"] * 3
    sizes = {file.stat().st_ino: file.stat().st_size for file in site.logs.glob("Plex Media Server*.log")}
    watcher.close()
    places = json.loads((site.folder / "state.json").read_text())["places"]
    assert {place["inode"]: place["offset"] for place in places if place["inode"] in sizes} == sizes


def append(file: Path, *lines: bytes) -> None:
    with file.open("ab") as opened:
        opened.write(b"".join(text + b"\n" for text in lines))
