"""The watch's cycles over real files, with an audit, a library and a proxy that do what they are told."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import pytest

from plexguard.core.errors import PeerError, PlexguardError, SystemRefused, TryAgain, Unavailable
from plexguard.core.found import FoundPlex, Mount, Server
from plexguard.core.guarded import NONE_GUARDED, Guarded, Unproven
from plexguard.core.journal import StderrJournal
from plexguard.core.mounts import MountPoint
from plexguard.core.perms_request import Answer, Verdict
from plexguard.core.state import StateFile
from plexguard.log_watch.act import POLL_S, STATE_SCHEMA, Blind, State, Watcher, World
from plexguard.log_watch.config import Config
from plexguard.log_watch.decide import MAX_WEAK_WAITING
from plexguard.log_watch.desk import Desk
from plexguard.log_watch.observe import Sources
from plexguard.log_watch.patterns import Subject
from tests.fakes.ports import FakeClock, FakeJournal, fake_ports
from tests.unit.log_watch.lines import completed, denied, line, request

FILM = "/srv/media/film.mkv"
REPAIRED = Answer(verdict=Verdict.REPAIRED, detail="mode 0000 is now 0644")
DEAD = 'Couldn\'t get size of file "{}": boost::filesystem::file_size: Socket not connected [system:107]'


class FakeLibrary:
    """Plex's database, as a table."""

    def __init__(self) -> None:
        self.files: dict[Subject, tuple[str, ...]] = {}
        self.fault: PlexguardError | None = None
        self.asked: list[Subject] = []
        self.opened = 0

    def __call__(self, path: Path) -> "FakeLibrary":
        return self

    def __enter__(self) -> "FakeLibrary":
        self.opened += 1
        if self.fault is not None:
            raise self.fault
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return

    def find_files(self, subject: Subject) -> tuple[str, ...]:
        self.asked.append(subject)
        return self.files.get(subject, ())


class FakeAudit:
    """Answers from a script, the last answer for ever."""

    def __init__(self) -> None:
        self.script: list[Answer | PlexguardError] = [REPAIRED]
        self.asked: list[str] = []

    def __call__(self, path: str, timeout_s: float) -> Answer:
        self.asked.append(path)
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, PlexguardError):
            raise answer
        return answer


class FakeProxy:
    """A journal of lines; its cursor is how many were read."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.cursor = ""
        self.fault: PlexguardError | None = None

    def __call__(self, cursor: str) -> "FakeProxy":
        self.cursor = cursor
        return self

    def read(self, limit: int) -> Iterator[bytes]:
        if self.fault is not None:
            raise self.fault
        for number, text in enumerate(self.lines[int(self.cursor or 0) :][:limit], start=int(self.cursor or 0) + 1):
            self.cursor = str(number)
            yield text


class Scene:
    """A machine with Plex's logs, and a watch that has begun to follow them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "Logs"
        self.folder.mkdir()
        self.log = self.folder / "Plex Media Server.log"
        self.log.write_bytes(denied("/srv/media/long ago.mkv") + b"\n")
        self.sources = Sources(folder=str(self.folder), logs=self.folder, database=folder / "library.db")
        self.clock, self.journal = FakeClock(), FakeJournal()
        self.audit, self.library, self.proxy = FakeAudit(), FakeLibrary(), FakeProxy()
        self.file = StateFile(folder / "state.json", State, schema=STATE_SCHEMA, journal=self.journal)
        self.config = Config()
        self.guarded, self.hints = NONE_GUARDED, list[str]()
        self.start()

    def start(self, **ports: object) -> None:
        """Start the watch, after its end or a crash."""
        world = World(
            find_sources=lambda: self.sources,
            read_mounts=lambda: (MountPoint(path="/mnt/cloud", type="fuse.rclone"), MountPoint(path="/mnt/nas", type="nfs4")),
            open_library=self.library,
            open_proxy=self.proxy,
            ask=self.audit,
            read_guarded=lambda: self.guarded,
            hint=self.hints.append,
        )
        given = fake_ports(**{"clock": self.clock, "journal": self.journal, **ports})
        self.watcher = Watcher(self.config, given, world, self.file)
        self.watcher.cycle()

    def write(self, *lines: bytes) -> None:
        with self.log.open("ab") as file:
            file.write(b"".join(text + b"\n" for text in lines))

    def cycle(self, *lines: bytes) -> str:
        self.write(*lines)
        return self.watcher.cycle()

    def told(self, name: str) -> list[dict[str, object]]:
        return [values for event, values in self.journal.sent if event.name == name]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_what_was_logged_before_the_first_start_is_no_news(scene: Scene) -> None:
    assert scene.audit.asked == []
    assert scene.journal.names == []


def test_a_complaint_is_handed_on_at_the_next_look_and_its_outcome_told(scene: Scene) -> None:
    begun_s = scene.clock.monotonic_s()

    status = scene.cycle(denied(FILM))

    assert scene.audit.asked == [FILM]
    assert scene.journal.values("logs.complaint") == {
        "path": FILM,
        "pattern": "open-denied",
        "verdict": "repaired",
        "detail": " (mode 0000 is now 0644)",
    }
    assert scene.clock.monotonic_s() - begun_s == POLL_S
    assert status.endswith(f"last complaint: {FILM}: repaired")


def test_a_storm_about_one_path_is_one_question_and_one_event(scene: Scene) -> None:
    for _ in range(5):
        scene.cycle(*[denied(FILM)] * 20_000)

    assert scene.audit.asked == [FILM]
    assert scene.journal.names == ["logs.complaint"]


def test_a_path_is_looked_at_again_after_a_while(scene: Scene) -> None:
    scene.cycle(denied(FILM))
    scene.clock.pass_time(scene.config.repeat_after.total_seconds())
    scene.cycle(denied(FILM))

    assert scene.audit.asked == [FILM, FILM]


def test_a_part_is_resolved_to_its_file_and_asked_once_with_the_line_that_named_it(scene: Scene) -> None:
    scene.library.files[Subject(part=12)] = (FILM,)

    scene.cycle(denied(FILM), completed(404, "/library/parts/12/1/file.mkv"))

    assert scene.library.asked == [Subject(part=12)]
    assert scene.audit.asked == [FILM]


def test_an_item_is_resolved_to_all_of_its_files(scene: Scene) -> None:
    scene.library.files[Subject(item=551)] = (FILM, "/srv/media/film 4k.mkv")
    refused = line("WARN", "[Req#a] Denying access due to session lacking permission to direct play")

    scene.cycle(request("/video/:/transcode/universal/start.m3u8?path=%2Flibrary%2Fmetadata%2F551", "a"), refused)

    assert scene.audit.asked == [FILM, "/srv/media/film 4k.mkv"]


def test_a_storm_of_refusals_of_one_part_asks_the_database_once(scene: Scene) -> None:
    for _ in range(3):
        scene.cycle(*[completed(404, "/library/parts/12/1/file.mkv")] * 5000)

    assert scene.library.asked == [Subject(part=12)]
    assert scene.journal.names == []


def test_a_storm_of_many_parts_is_bounded_counted_and_told_once(scene: Scene) -> None:
    numbers = iter(range(1, 10**6))
    for _ in range(60):
        scene.cycle(*[completed(404, f"/library/parts/{next(numbers)}/1/file.mkv") for _ in range(1000)])

    assert scene.library.opened <= 61
    assert len(scene.watcher._desk.agenda.waiting) <= MAX_WEAK_WAITING
    (told,) = scene.told("logs.overflow")
    assert int(str(told["count"])) > 10_000


def test_paths_of_a_container_are_asked_by_the_hosts_name(scene: Scene) -> None:
    scene.sources = dataclasses.replace(scene.sources, mounts=(Mount(source="/srv/films", destination="/data"),))
    for _ in range(3):
        scene.cycle(denied("/data/a.mkv"), denied("/other/b.mkv"))

    assert scene.audit.asked == ["/srv/films/a.mkv"]
    assert scene.journal.values("logs.unsettled")["what"] == "/other/b.mkv"
    assert "no mount of Plex's container" in str(scene.journal.values("logs.unsettled")["reason"])


@pytest.mark.parametrize("path", ["/srv/media/../../etc/shadow", "etc/shadow", "/" + "\n" * 4096, "-rf"])
def test_what_is_no_path_is_told_and_never_asked(scene: Scene, path: str) -> None:
    scene.cycle(*denied(path).split(b"\n"))
    scene.cycle(*denied(path).split(b"\n"))

    assert scene.audit.asked == []
    assert len(scene.told("logs.unsettled")) == 1


@pytest.mark.parametrize("name", ["-rf", "a\nb", "\udcff\udcfe", "x" * 255, 'it\'s 100% "new"'])
def test_odd_names_reach_the_audit_unharmed(scene: Scene, name: str) -> None:
    scene.cycle(*denied(f"/srv/media/{name}").split(b"\n"))

    assert scene.audit.asked == [f"/srv/media/{name}"]


def test_a_dead_mount_is_told_once_for_all_its_files_and_nobody_is_asked(scene: Scene) -> None:
    for mount in ("/mnt/cloud", "/mnt/nas"):
        scene.cycle(*(line("ERROR", DEAD.format(f"{mount}/{number}.mkv")) for number in range(3000)))

    assert scene.audit.asked == []
    assert [told["path"] for told in scene.told("logs.mount-dead")] == ["/mnt/cloud/0.mkv", "/mnt/nas/0.mkv"]


def guard(scene: Scene, *, verdict: str = "") -> None:
    dead = Unproven(name="cloud", mount_point="/mnt/cloud", verdict=verdict, why=verdict)
    scene.guarded = Guarded(mount_points={"cloud": "/mnt/cloud", "more": "/mnt/more"}, unproven=(dead,) if verdict else ())
    scene.watcher.cycle()


def test_who_proves_a_mount_is_told_to_look_when_plex_meets_it_dead_and_not_at_every_line(scene: Scene) -> None:
    guard(scene)

    scene.cycle(*(line("ERROR", DEAD.format(f"/mnt/cloud/{number}.mkv")) for number in range(3000)))
    assert scene.hints == ["cloud"]
    scene.clock.pass_time(30)
    scene.cycle(line("ERROR", DEAD.format("/mnt/cloud/again.mkv")), line("ERROR", DEAD.format("/mnt/nas/other.mkv")))

    assert scene.hints == ["cloud", "cloud"]
    assert [told["path"] for told in scene.told("logs.mount-dead")] == ["/mnt/cloud/0.mkv", "/mnt/nas/other.mkv"]


def test_a_refusal_on_a_mount_that_is_not_proven_is_a_dead_mount_and_no_matter_of_modes(scene: Scene) -> None:
    guard(scene, verdict="absent")

    scene.cycle(*(denied(f"/mnt/cloud/{number}.mkv") for number in range(100)))

    assert (scene.audit.asked, scene.hints) == ([], ["cloud"])
    assert [told["fault"] for told in scene.told("logs.mount-dead")] == ["Permission denied"]


@pytest.mark.parametrize("complaint", [denied, lambda path: line("ERROR", DEAD.format(path))], ids=["refused", "dead"])
def test_a_mount_is_known_by_where_a_link_to_it_leads(scene: Scene, complaint: Callable[[str], str]) -> None:
    linked = FoundPlex(server=Server.UNIT, links={"/srv/films": "/mnt/cloud/Films"})
    scene.sources = dataclasses.replace(scene.sources, found=linked)
    guard(scene, verdict="absent")

    scene.cycle(complaint("/srv/films/film.mkv"))

    assert (scene.audit.asked, scene.hints) == ([], ["cloud"])
    assert [told["path"] for told in scene.told("logs.mount-dead")] == ["/srv/films/film.mkv"]


def test_a_refusal_on_a_mount_that_is_proven_is_handed_on(scene: Scene) -> None:
    guard(scene)

    scene.cycle(denied("/mnt/cloud/film.mkv"))

    assert (scene.audit.asked, scene.hints) == (["/mnt/cloud/film.mkv"], [])


# -- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", [Verdict.READABLE, Verdict.UNREADABLE, Verdict.MISSING])
def test_what_was_found_is_told(scene: Scene, verdict: Verdict) -> None:
    scene.audit.script = [Answer(verdict=verdict)]
    scene.cycle(denied(FILM))

    assert scene.journal.values("logs.complaint")["verdict"] == verdict.value


@pytest.mark.parametrize("verdict", [Verdict.OUTSIDE, Verdict.UNKNOWN])
def test_what_cannot_be_told_is_told_as_that(scene: Scene, verdict: Verdict) -> None:
    scene.audit.script = [Answer(verdict=verdict, detail="the mount is not proven alive")]
    scene.cycle(denied(FILM))

    assert scene.journal.values("logs.unsettled")["reason"] == "the mount is not proven alive"


def test_later_is_asked_again_when_it_says(scene: Scene) -> None:
    scene.audit.script = [Answer(verdict=Verdict.LATER, retry_s=30.0), REPAIRED]
    scene.cycle(denied(FILM))
    first_s = scene.clock.monotonic_s()
    while len(scene.audit.asked) < 2:
        scene.cycle()

    assert 30.0 <= scene.clock.monotonic_s() - first_s < 31.0
    assert scene.journal.names == ["logs.complaint"]


def test_later_for_ever_ends(scene: Scene) -> None:
    scene.audit.script = [Answer(verdict=Verdict.LATER, retry_s=2.0, detail="tried a while ago")]
    scene.cycle(denied(FILM))
    for _ in range(20):
        scene.cycle()

    assert len(scene.audit.asked) == 6
    assert scene.journal.values("logs.unsettled")["reason"] == "tried a while ago"


def test_an_audit_that_is_away_is_told_once_and_asked_ever_more_rarely(scene: Scene) -> None:
    scene.audit.script = [Unavailable("Failed to ask: Connection refused")]
    scene.cycle(denied(FILM), denied("/srv/media/other.mkv"))
    begun_s = scene.clock.monotonic_s()
    while scene.clock.monotonic_s() - begun_s < 600:
        scene.cycle()

    assert scene.journal.names == ["logs.audit-lost"]
    assert len(scene.audit.asked) < 20


def test_an_audit_that_comes_back_gets_what_waited(scene: Scene) -> None:
    scene.audit.script = [Unavailable("away")] * 5 + [REPAIRED]  # type: ignore[list-item]
    scene.cycle(denied(FILM), denied("/srv/media/other.mkv"))
    for _ in range(10):
        scene.cycle()

    assert scene.audit.asked[-2:] == ["/srv/media/other.mkv", FILM] or scene.audit.asked[-2:] == [FILM, "/srv/media/other.mkv"]
    assert scene.journal.names == ["logs.audit-lost", "logs.complaint", "logs.audit-found", "logs.complaint"]
    assert scene.journal.values("logs.audit-found")["waiting"] == 1


def test_an_audit_that_never_comes_back_is_given_up_after_an_hour(scene: Scene) -> None:
    scene.audit.script = [Unavailable("away")]
    scene.cycle(denied(FILM))
    for _ in range(500):
        scene.cycle()

    assert scene.journal.names == ["logs.audit-lost", "logs.unsettled"]
    assert scene.watcher._desk.agenda.waiting == ()


@pytest.mark.parametrize("fault", [TryAgain("no answer within 15 s"), PeerError("no JSON")], ids=["slow", "garbled"])
def test_one_path_that_gets_no_answer_does_not_hold_up_the_others(scene: Scene, fault: PlexguardError) -> None:
    scene.audit.script = [fault, REPAIRED]
    scene.cycle(denied(FILM), denied("/srv/media/other.mkv"))

    assert scene.audit.asked[:2] == [FILM, "/srv/media/other.mkv"]
    for _ in range(3):
        scene.cycle()
    assert scene.audit.asked[2:] == [FILM]


# -- what cannot be read ----------------------------------------------------------------------------------------------


def test_a_database_that_cannot_be_read_is_told_and_tried_again(scene: Scene) -> None:
    scene.library.files[Subject(part=12)] = (FILM,)
    scene.library.fault = Unavailable("Failed to read: unable to open database file")
    scene.cycle(completed(404, "/library/parts/12/1/file.mkv"))
    scene.library.fault = None
    for _ in range(3):
        scene.cycle()

    assert scene.journal.names == ["logs.unreadable", "logs.readable", "logs.complaint"]
    assert scene.audit.asked == [FILM]


def test_a_database_that_stays_unreadable_is_no_clean_bill(scene: Scene) -> None:
    scene.library.fault = Unavailable("Failed to read: unable to open database file")
    scene.cycle(completed(404, "/library/parts/12/1/file.mkv"))
    for _ in range(10):
        scene.cycle()

    assert scene.journal.names == ["logs.unreadable", "logs.unsettled"]
    assert scene.journal.values("logs.unsettled")["what"] == "part 12"
    assert scene.library.opened == 6


def test_logs_that_cannot_be_read_are_told_once_and_read_on_later(scene: Scene, tmp_path: Path) -> None:
    scene.folder.rename(tmp_path / "away")
    for _ in range(3):
        scene.watcher.cycle()
    (tmp_path / "away").rename(scene.folder)
    scene.cycle(denied(FILM))

    assert scene.journal.names[:1] == ["logs.unreadable"]
    assert sorted(scene.journal.names[1:]) == ["logs.complaint", "logs.readable"]
    assert scene.audit.asked == [FILM]


def test_no_plex_is_nothing_to_tell(scene: Scene) -> None:
    scene.sources = Sources(why="there is no Plex on this machine to follow", is_expected=False)
    scene.start()

    assert scene.cycle() == "there is no Plex on this machine to follow"
    assert scene.journal.names == []


def test_who_sees_no_logs_for_minutes_wants_another_start_and_tells_it_once(scene: Scene, tmp_path: Path) -> None:
    (scene.folder / "Plex Media Server.log").rename(tmp_path / "away.log")
    for _ in range(2):
        with pytest.raises(Blind):
            for _ in range(100):
                scene.watcher.cycle()
        scene.watcher.close()
        scene.start()

    assert scene.journal.names == ["logs.unreadable"]


def test_logs_that_must_not_be_touched_are_told_once_and_need_no_other_start(scene: Scene) -> None:
    scene.sources = dataclasses.replace(scene.sources, folder="/mnt/nas/Logs", why="it lies on a network or FUSE mount (nfs4)")
    scene.start()
    for _ in range(100):
        scene.watcher.cycle()

    assert scene.journal.names == ["logs.unreadable"]


def test_a_container_that_is_made_anew_is_followed_on(scene: Scene) -> None:
    found = scene.sources
    scene.sources = Sources(why="there is no Plex on this machine to follow", is_expected=False)
    scene.cycle(denied(FILM))
    scene.watcher.close()
    assert scene.audit.asked == []
    scene.sources = found
    scene.cycle()

    assert scene.audit.asked == [FILM]


def test_a_database_on_a_network_is_not_touched(scene: Scene) -> None:
    scene.sources = dataclasses.replace(scene.sources, database_fault="it lies on a network or FUSE mount (nfs4)")
    scene.watcher.cycle()
    scene.cycle(completed(404, "/library/parts/12/1/file.mkv"))

    assert scene.library.opened == 0
    assert scene.journal.names == ["logs.unreadable"]


def test_junk_does_not_fill_the_journal_nor_push_out_what_was_settled(scene: Scene) -> None:
    scene.cycle(denied(FILM))
    numbers = iter(range(10**6))
    for _ in range(20):
        scene.cycle(*(denied(f"junk {next(numbers)}") for _ in range(1000)), denied(FILM))

    assert scene.audit.asked == [FILM]
    assert len(scene.told("logs.unsettled")) < 250
    assert len(scene.told("logs.overflow")) <= 1


def test_who_runs_by_hand_looks_on(scene: Scene, tmp_path: Path) -> None:
    (scene.folder / "Plex Media Server.log").rename(tmp_path / "away.log")
    scene.start(journal=StderrJournal())

    for _ in range(100):
        scene.watcher.cycle()


def test_another_plex_is_followed_from_the_end_of_its_logs(scene: Scene, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "Plex Media Server.log").write_bytes(denied("/srv/media/history.mkv") + b"\n")
    scene.sources = dataclasses.replace(scene.sources, folder=str(other), logs=other)
    scene.watcher.cycle()
    scene.log = other / "Plex Media Server.log"
    scene.cycle(denied(FILM))

    assert scene.audit.asked == [FILM]


# -- restarts ---------------------------------------------------------------------------------------------------------


def test_lines_of_a_downtime_are_read_after_it_and_none_twice(scene: Scene) -> None:
    scene.cycle(denied(FILM))
    scene.watcher.close()
    scene.write(denied("/srv/media/while off.mkv"))
    scene.log.rename(scene.folder / "Plex Media Server.1.log")
    scene.write(denied("/srv/media/new file.mkv"))
    scene.start()

    assert scene.audit.asked == [FILM, "/srv/media/while off.mkv", "/srv/media/new file.mkv"]


def test_a_crash_repeats_no_question_that_was_answered(scene: Scene) -> None:
    scene.cycle(denied(FILM))
    scene.start()

    assert scene.audit.asked == [FILM]


def test_what_waited_is_handed_on_after_a_restart(scene: Scene) -> None:
    scene.audit.script = [Unavailable("away"), REPAIRED]
    scene.cycle(denied("/srv/media/\udcff.mkv"))
    scene.start()

    assert scene.audit.asked == ["/srv/media/\udcff.mkv"] * 2


def test_what_waited_is_handed_on_at_once_after_a_reboot(scene: Scene) -> None:
    scene.clock.pass_time(10**6)
    scene.audit.script = [Answer(verdict=Verdict.LATER, retry_s=900.0), REPAIRED]
    scene.cycle(denied(FILM))
    scene.clock.reboot()
    scene.start()

    assert scene.audit.asked == [FILM] * 2


def test_a_stop_amid_the_reading_loses_no_complaint(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    # given: the lines are read, and the stop comes before they are understood
    class Stop(BaseException):
        pass

    def stop(*_: object) -> bool:
        raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(Desk, "take", stop)
        with pytest.raises(Stop):
            scene.cycle(denied(FILM))
    scene.watcher.close()

    scene.start()

    assert scene.audit.asked == [FILM]


def test_a_name_over_two_lines_is_known_after_a_restart_between_them(scene: Scene) -> None:
    first, second = denied("/srv/media/a\nb.mkv").split(b"\n")
    scene.cycle(first)
    scene.watcher.close()
    scene.start()
    scene.cycle(second)

    assert scene.audit.asked == ["/srv/media/a\nb.mkv"]


def test_a_log_that_only_grows_is_not_written_down_at_every_look(scene: Scene) -> None:
    writes = []
    scene.watcher._file.save = lambda record: writes.append(record)  # type: ignore[union-attr,method-assign,assignment]
    begun_s = scene.clock.monotonic_s()
    while scene.clock.monotonic_s() - begun_s < 300:
        scene.cycle(line("DEBUG", "Scanning section 4"))

    assert len(writes) <= 5


# -- a proxy ----------------------------------------------------------------------------------------------------------


def test_a_proxy_that_is_configured_is_followed_from_its_cursor(scene: Scene) -> None:
    scene.config = Config(proxy_unit="haproxy.service")
    scene.library.files |= {Subject(part=12): (FILM,), Subject(part=13): ("/srv/media/13.mkv",)}
    line_of = '203.0.113.9 - - [21/Nov/2026:10:00:00 +0000] "GET /library/parts/{}/1/file.mkv HTTP/1.1" 404 190 "-" "-"'
    scene.start()
    scene.proxy.lines.append(line_of.format(12).encode())
    scene.cycle()
    scene.watcher.close()
    scene.proxy.cursor = ""
    scene.proxy.lines.append(line_of.format(13).encode())
    scene.start()

    assert scene.audit.asked == [FILM, "/srv/media/13.mkv"]


def test_a_journal_that_cannot_be_read_is_told_once_and_opened_again(scene: Scene) -> None:
    scene.config = Config(proxy_unit="haproxy.service")
    scene.proxy.fault = SystemRefused("Failed to open the journal: Permission denied")
    scene.start()
    scene.cycle()
    scene.proxy.fault = None
    scene.cycle()

    assert scene.journal.names == ["logs.unreadable", "logs.readable"]


def test_without_a_proxy_no_journal_is_opened(scene: Scene) -> None:
    scene.config = Config(proxy_unit="")
    scene.proxy.fault = SystemRefused("never")
    scene.start()

    assert scene.journal.names == []
