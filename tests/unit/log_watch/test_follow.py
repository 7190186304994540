"""Following real files: no line is lost and none comes twice, whatever is done to them."""

import itertools
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from plexguard.core.records import decode, encode
from plexguard.log_watch.follow import MAX_LINE_BYTES, Follower, Place, cut_lines, list_logs

KEPT = 5
NAME = "Plex Media Server"
_times = itertools.count(1_700_000_000)


class Log:
    """A log file as its writer sees it."""

    def __init__(self, folder: Path, name: str = NAME) -> None:
        self.folder = folder
        self.name = name

    def path(self, number: int = 0) -> Path:
        return self.folder / (f"{self.name}.{number}.log" if number else f"{self.name}.log")

    def write(self, text: str, number: int = 0) -> None:
        with self.path(number).open("a", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        self._touch(number)

    def rotate(self) -> None:
        for number in range(KEPT - 1, -1, -1):
            if self.path(number).exists():
                self.path(number).replace(self.path(number + 1))

    def truncate(self) -> None:
        if self.path().exists():
            os.truncate(self.path(), 0)
            self._touch(0)

    def _touch(self, number: int) -> None:
        # A tick of the file system's clock is some milliseconds long, and a test is quicker.
        now = next(_times)
        os.utime(self.path(number), (now, now))


def drain(follower: Follower, folder: Path) -> list[str]:
    """Return all lines that are new."""
    found: list[str] = []
    while (read := follower.read(folder)) is not None:
        found += [line.decode("utf-8", "surrogateescape") for line in read.lines]
    return found


def restart(follower: Follower) -> Follower:
    """Return a follower that goes on from what the other kept on disk."""
    places = follower.places
    return Follower(None if places is None else [decode(Place, json.loads(json.dumps(encode(place)))) for place in places])


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def begin(log: Log) -> Follower:
    """Return a follower that has read what there was when it began."""
    follower = Follower(None)
    log.write("before\n")
    assert drain(follower, log.folder) == []
    return follower


def test_the_first_start_ever_begins_at_the_end(log: Log) -> None:
    for number in (2, 1, 0):
        log.write("old\n" * 1000, number)
    follower = Follower(None)

    assert drain(follower, log.folder) == []
    log.write("new\n")
    assert drain(follower, log.folder) == ["new"]


def test_the_first_start_in_the_middle_of_a_line_waits_for_the_next(log: Log) -> None:
    log.write("the beginning of a li")
    follower = Follower(None)
    assert drain(follower, log.folder) == []

    log.write("ne\nwhole\n")

    assert drain(follower, log.folder) == ["whole"]


def test_a_log_that_appears_later_is_read_whole(log: Log) -> None:
    follower = begin(log)
    scanner = Log(log.folder, "Plex Media Scanner Deep Analysis")
    scanner.write("first\n")

    read = follower.read(log.folder)

    assert read is not None
    assert (read.family, read.lines) == ("Plex Media Scanner Deep Analysis", (b"first",))


def test_an_unfinished_line_waits_for_its_end(log: Log) -> None:
    follower = begin(log)
    log.write("one\ntw")
    assert drain(follower, log.folder) == ["one"]
    log.write("o")
    assert drain(follower, log.folder) == []
    log.write("\n")

    assert drain(follower, log.folder) == ["two"]


def test_a_renamed_file_is_read_to_its_end_before_the_new_one(log: Log) -> None:
    follower = begin(log)
    log.write("one\ntwo without an end")
    log.rotate()
    log.write("three\n")

    assert drain(follower, log.folder) == ["one", "two without an end", "three"]


def test_a_late_line_in_a_renamed_file_is_read(log: Log) -> None:
    # given: two scanners write to one log, and the second has renamed it
    follower = begin(log)
    log.write("one\n")
    log.rotate()
    log.write("two\n")
    assert drain(follower, log.folder) == ["one", "two"]

    log.write("late\n", 1)

    assert drain(follower, log.folder) == ["late"]


def test_a_truncated_file_is_read_from_its_beginning(log: Log) -> None:
    follower = begin(log)
    log.write("one\n")
    drain(follower, log.folder)
    log.truncate()
    log.write("two\n")

    assert drain(follower, log.folder) == ["two"]


def test_a_file_that_was_truncated_and_has_grown_beyond_is_noticed(log: Log) -> None:
    follower = begin(log)
    log.write("one\n")
    drain(follower, log.folder)
    log.truncate()
    log.write("a much longer line than all that was there before\nand another\n")

    assert drain(follower, log.folder) == ["a much longer line than all that was there before", "and another"]


def test_an_inode_that_is_used_again_is_a_new_file(log: Log) -> None:
    follower = begin(log)
    log.write("one\n")
    drain(follower, log.folder)
    places = follower.places
    log.path().unlink()
    log.write("two\n" + "x" * 100 + "\n")

    # Whether the file system used the same number or not.
    assert places is not None
    same = [Place(inode=log.path().stat().st_ino, offset=p.offset, tail_bytes=p.tail_bytes, tail=p.tail) for p in places]
    assert drain(Follower(same), log.folder) == ["two", "x" * 100]


def test_downtime_over_several_rotations_loses_nothing(log: Log) -> None:
    follower = begin(log)
    log.write("one\n")
    for number in range(4):
        log.rotate()
        log.write(f"while off {number}\n")

    assert drain(restart(follower), log.folder) == ["one", *(f"while off {number}" for number in range(4))]


def test_a_copy_goes_on_where_the_original_was(log: Log, tmp_path: Path) -> None:
    # given: all is moved to another disk, where everything has another inode
    follower = begin(log)
    log.write("".join(f"line {number}\n" for number in range(200)))
    drain(follower, log.folder)
    moved = Log(tmp_path / "moved")
    moved.folder.mkdir()
    moved.path().write_bytes(log.path().read_bytes())
    moved.write("new\n")

    assert drain(restart(follower), moved.folder) == ["new"]


def test_copy_and_truncate_loses_and_repeats_nothing(log: Log) -> None:
    follower = begin(log)
    log.write("".join(f"line {number}\n" for number in range(200)))
    drain(follower, log.folder)
    log.write("not read yet\n")
    log.path(1).write_bytes(log.path().read_bytes())
    log.truncate()
    log.write("after\n")

    assert drain(follower, log.folder) == ["not read yet", "after"]


def test_a_line_that_is_too_long_is_cut_and_the_next_is_whole(log: Log) -> None:
    follower = begin(log)
    log.write("x" * (MAX_LINE_BYTES * 9))
    first = drain(follower, log.folder)
    follower = restart(follower)
    log.write("the rest of it\nnext\n")

    assert [len(line) for line in first] == [MAX_LINE_BYTES]
    assert drain(follower, log.folder) == ["next"]


def test_what_is_read_at_once_is_bounded(log: Log) -> None:
    follower = begin(log)
    log.write("x" * 99 + "\n")
    log.write(("y" * 99 + "\n") * 100_000)

    read = follower.read(log.folder)

    assert read is not None
    assert len(read.lines) < 5000


def test_an_empty_folder_makes_nothing_unknown(log: Log, tmp_path: Path) -> None:
    follower = begin(log)
    empty = tmp_path / "empty"
    empty.mkdir()

    assert drain(follower, empty) == []
    assert follower.followed == 0
    assert drain(follower, log.folder) == []


def test_a_folder_that_is_not_there_is_an_error_and_forgets_nothing(log: Log) -> None:
    follower = begin(log)

    with pytest.raises(FileNotFoundError):
        follower.read(log.folder / "gone")

    log.write("new\n")
    assert drain(follower, log.folder) == ["new"]


def test_only_logs_of_the_server_and_its_scanners_are_followed(tmp_path: Path) -> None:
    names = ["Plex Media Server.log", "Plex Media Server.5.log", "Plex Media Scanner.log", "Plex Media Scanner Analysis.1.log"]
    others = [
        "Plex DLNA Server.log",
        "Plex Media Server.log.1",
        "Plex Transcoder Statistics.log",
        "x.log",
        "Plex Media Server.log.gz",
    ]
    for name in (*names, *others):
        (tmp_path / name).write_text("")
    (tmp_path / "Plex Media Server.1.log").mkdir()
    (tmp_path / "Plex Media Server.2.log").symlink_to("/etc/shadow")
    os.mkfifo(tmp_path / "Plex Media Server.3.log")

    assert {file.name for file in list_logs(tmp_path)} == set(names)
    assert Follower([]).read(tmp_path) is None


@given(st.binary(max_size=400), st.booleans(), st.booleans())
def test_cut_lines_takes_each_byte_once(data: bytes, is_in_line: bool, takes_rest: bool) -> None:
    lines, used, goes_on = cut_lines(data, is_in_line=is_in_line, takes_rest=takes_rest)

    assert 0 <= used <= len(data)
    taken = data[:used] if not is_in_line else data[:used].partition(b"\n")[2]
    assert b"\n".join(lines) == taken.removesuffix(b"\n")
    assert not (takes_rest and goes_on)


# -- anything that can be done to a log, in any order -----------------------------------------------------------------

DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("lines"), st.integers(1, 40)),
        st.tuples(st.just("part"), st.integers(1, 30)),
        st.tuples(st.just("end"), st.just(0)),
        st.tuples(st.just("rotate"), st.just(0)),
        st.tuples(st.just("truncate"), st.just(0)),
        st.tuples(st.just("look"), st.integers(1, 3)),
        st.tuples(st.just("restart"), st.just(0)),
    ),
    max_size=40,
)


class Story:
    """What was written, where it is, and what a follower made of it."""

    def __init__(self, folder: Path) -> None:
        self.log = Log(folder)
        self.follower = Follower([])
        # The lines in each file, the last of them perhaps unfinished, the newest file first.
        self.files: list[list[str]] = [[]]
        self.unfinished = False
        self.expected: list[str] = []
        self.seen: list[str] = []
        self._numbers = itertools.count()

    def do(self, deed: str, amount: int) -> None:
        deeds: dict[str, Callable[[int], None]] = {
            "lines": self.write_lines,
            "part": self.write_part,
            "end": lambda _: self.end_line(),
            "rotate": lambda _: self.rotate(),
            "truncate": lambda _: self.truncate(),
            "look": self.look,
            "restart": lambda _: self.restart(),
        }
        deeds[deed](amount)

    def write_lines(self, amount: int) -> None:
        self.end_line()
        for _ in range(amount):
            text = f"line {next(self._numbers)} of a log, as long as such lines are: some dozens of letters"
            self.files[0].append(text)
            self.log.write(text + "\n")

    def write_part(self, amount: int) -> None:
        text = f"<{next(self._numbers)}{'-' * amount}"
        if self.unfinished:
            self.files[0][-1] += text
        else:
            self.files[0].append(text)
        self.unfinished = True
        self.log.write(text)

    def end_line(self) -> None:
        if self.unfinished:
            self.log.write("\n")
            self.unfinished = False

    def rotate(self) -> None:
        if not self.log.path().exists():
            return
        self.log.rotate()
        # Who has renamed it writes no more to it: its last line ends there.
        self.unfinished = False
        self.files.insert(0, [])
        for lines in self.files[KEPT + 1 :]:
            self._settle(lines)
        del self.files[KEPT + 1 :]

    def truncate(self) -> None:
        self._settle(self.files[0])
        self.files[0] = []
        self.unfinished = False
        self.log.truncate()

    def look(self, amount: int) -> None:
        for _ in range(amount):
            read = self.follower.read(self.log.folder)
            self.seen += [line.decode() for line in read.lines] if read is not None else []

    def restart(self) -> None:
        self.follower = restart(self.follower)

    def finish(self) -> None:
        self.end_line()
        self.seen += drain(self.follower, self.log.folder)
        for lines in reversed(self.files):
            self.expected += lines

    def _settle(self, lines: list[str]) -> None:
        """A file goes: of its lines, those count that were read while it was there."""
        self.expected += [text for text in lines if text in self.seen]


@given(DEEDS)
@settings(max_examples=300)
@example([("lines", 3), ("look", 3), ("truncate", 0), ("lines", 3), ("rotate", 0), ("lines", 1), ("restart", 0), ("look", 1)])
@example([("lines", 30), ("rotate", 0)] * 7)
@example([("part", 3), ("look", 1), ("rotate", 0), ("look", 1), ("restart", 0), ("part", 5), ("end", 0)])
def test_no_line_is_lost_and_none_comes_twice(deeds: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder))
        for deed, amount in deeds:
            story.do(deed, amount)
        story.finish()

        # A part of a line that is long enough to be seen before it is truncated, or a file that goes, is the only doubt.
        assert sorted(story.seen) == sorted(story.expected)
        assert len(set(story.seen)) == len(story.seen)
