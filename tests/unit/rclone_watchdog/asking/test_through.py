"""What is read through a mount, and what its errors mean; on a plain folder, and with processes that only seem to run."""

import errno
import os
from random import Random

import pytest

from plexguard.core.errors import MissingInput
from plexguard.rclone_watchdog.asking.samples import Sample
from plexguard.rclone_watchdog.asking.through import BLOCK_BYTES, Done, Read, ThroughReader, judge_error, read_any, read_sample
from plexguard.rclone_watchdog.observe import Outcome


class FakeChild:
    """A process that answers when it is told, and ends when the kernel would let it."""

    def __init__(self, pid):
        self.pid = pid
        self.answer = None
        self.ends = True

    def take(self):
        return self.answer

    def close(self):
        return self.ends


class Machine:
    def __init__(self):
        self.children = []
        self.reader = ThroughReader("/srv/media", start=self.start)

    def start(self, work):
        self.children.append(FakeChild(100 + len(self.children)))
        return self.children[-1]

    def begin(self, now_s=1.0):
        return self.reader.begin(Sample(path="a", size=9), now_s, rng=Random(1))


@pytest.fixture
def machine():
    return Machine()


def test_nothing_asked_is_no_answer(machine):
    assert machine.reader.take(1.0) is None


def test_a_reader_that_has_not_come_back_is_late_and_no_second_one_is_sent(machine):
    assert machine.begin()
    answer, _ = machine.reader.take(31.0)
    assert (answer.outcome, answer.is_pending, answer.latency_s) == (Outcome.LATE, True, 30.0)
    assert not machine.begin(32.0)
    assert (len(machine.children), machine.reader.stuck_pid) == (1, 100)


def test_what_was_read_is_the_answer_once(machine):
    machine.begin()
    machine.children[0].answer = Done(at_s=1.5, read=Read(path="a", offset=0, size=9))
    # Looked at later: what counts is when it ended.
    answer, read = machine.reader.take(4.0)
    assert (answer.outcome, answer.latency_s, answer.about, read.size) == (Outcome.GOOD, 0.5, "a", 9)
    assert machine.reader.take(5.0) is None
    assert machine.begin(6.0)


def test_one_that_cannot_be_killed_holds_up_the_next_and_is_named(machine):
    machine.begin()
    machine.children[0].ends = False
    machine.reader.give_up()
    assert machine.begin(5.0)
    answer, _ = machine.reader.take(9.0)
    assert (answer.outcome, answer.latency_s) == (Outcome.LATE, 4.0)
    assert (len(machine.children), machine.reader.stuck_pid) == (1, 100)

    machine.children[0].ends = True
    machine.reader.take(10.0)
    assert (len(machine.children), machine.reader.stuck_pid) == (2, 101)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (OSError(errno.ENOTCONN, "Transport endpoint is not connected"), Outcome.STALE),
        (OSError(errno.ECONNABORTED, "Software caused connection abort"), Outcome.STALE),
        (OSError(errno.ESTALE, "Stale file handle"), Outcome.STALE),
        (OSError(errno.EIO, "Input/output error"), Outcome.FAILED),
        (PermissionError(errno.EACCES, "Permission denied"), Outcome.FAILED),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), Outcome.MISSING),
        (MissingInput("no file"), Outcome.MISSING),
    ],
)
def test_an_error_of_a_read_says_what_is_the_matter(machine, error, outcome):
    machine.begin()
    machine.children[0].answer = Done(at_s=2.0, error=error)
    answer, read = machine.reader.take(2.0)
    assert (answer.outcome, answer.detail, read) == (outcome, getattr(error, "strerror", None) or str(error), None)
    if isinstance(error, OSError):
        assert judge_error(error) is outcome


def test_places_of_a_large_file_change(tmp_path):
    (tmp_path / "film.mkv").write_bytes(os.urandom(BLOCK_BYTES * 100 + 17))
    rng = Random(1)
    reads = [read_sample(os.fsencode(tmp_path), Sample(path="film.mkv", size=1), rng) for _ in range(20)]
    assert len({read.offset for read in reads}) > 10
    assert {read.size for read in reads} == {BLOCK_BYTES * 100 + 17}


@pytest.mark.parametrize("size", [1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1])
def test_small_files_are_read_too(tmp_path, size):
    (tmp_path / "a").write_bytes(b"x" * size)
    assert read_sample(os.fsencode(tmp_path), Sample(path="a", size=size), Random(1)).size == size


def test_files_are_found_below_folders_that_have_none(tmp_path):
    name = "d\udce9j\n"
    (tmp_path / "empty").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "no").write_bytes(b"no")
    (tmp_path / "a" / "b" / name).mkdir(parents=True)
    (tmp_path / "a" / "b" / name / "film.mkv").write_bytes(b"film")
    (tmp_path / "a" / "zero").write_bytes(b"")
    (tmp_path / "a" / "pipe").symlink_to("/dev/zero")

    for seed in range(5):
        found = read_any(os.fsencode(tmp_path), Random(seed))
        assert (found.path, found.found) == (f"a/b/{name}/film.mkv", (Sample(path=f"a/b/{name}/film.mkv", size=4),))


def test_no_file_at_all_is_told(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingInput):
        read_any(os.fsencode(tmp_path), Random(1))
