"""The storage asked by an rclone of its own."""

import pytest

from plexguard.core.host import CommandMissing, CommandTimeout, Completed
from plexguard.core.secret import Secret
from plexguard.rclone_watchdog.asking.backend import Backend, join, last_error
from plexguard.rclone_watchdog.asking.rc import RcAddress
from plexguard.rclone_watchdog.asking.samples import Sample
from plexguard.rclone_watchdog.observe import Outcome

ADDRESS = RcAddress(
    url="unix:///x", user="u", password=Secret("very-secret"), remote="s3:media", config="/run/x/rclone.conf", program="/opt/rclone"
)
FILE = Sample(path="Films/a b.mkv", size=9)


class FakeHost:
    def __init__(self, result):
        self.result = result
        self.argv = []

    def run(self, argv, *, timeout_s, check=True):
        self.argv = list(argv)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def ask(result, sample=FILE):
    host = FakeHost(result)
    return Backend(host).read(ADDRESS, sample, timeout_s=3.0), host.argv


def test_bytes_are_read_with_the_configuration_of_the_mount_and_no_patience():
    reply, argv = ask(Completed(code=0, stdout="bytes", stderr=""))
    assert reply.outcome is Outcome.GOOD
    assert argv[0] == "/opt/rclone"
    assert {"cat", "s3:media/Films/a b.mkv", "--config=/run/x/rclone.conf", "--low-level-retries=1", "--retries=1"} <= set(argv)
    assert not [word for word in argv if "very-secret" in word]


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (Completed(code=0, stdout="", stderr=""), Outcome.FAILED),
        (Completed(code=1, stdout="", stderr="x Failed to cat: 403 Forbidden\n"), Outcome.REFUSED),
        (Completed(code=3, stdout="", stderr="2026/11/22 02:11:04 NOTICE: Failed to cat: directory not found\n"), Outcome.MISSING),
        (Completed(code=1, stdout="", stderr=""), Outcome.FAILED),
        (CommandTimeout("no end"), Outcome.LATE),
        (CommandMissing("Failed to run /opt/rclone"), Outcome.FAILED),
    ],
)
def test_what_became_of_it_is_known_from_its_end_and_its_words(result, outcome):
    assert ask(result)[0].outcome is outcome


def test_without_a_known_file_the_top_is_listed():
    reply, argv = ask(Completed(code=0, stdout="", stderr=""), sample=None)
    assert (reply.outcome, argv[-2:]) == (Outcome.GOOD, ["lsf", "s3:media"])


def test_the_last_error_is_told_with_its_further_lines():
    said = "2026/11/22 ERROR : a: x\n2026/11/22 Failed to cat with 2 errors: last error was: X: said X\n\tstatus code: 403, id: \n"
    assert last_error(said) == "Failed to cat with 2 errors: last error was: X: said X \tstatus code: 403, id:"
    assert last_error("\nsomething else\n") == "something else"
    assert last_error("") == ""


@pytest.mark.parametrize(("remote", "joined"), [("s3:", "s3:a"), ("s3:m", "s3:m/a"), ("s3:m/", "s3:m/a")])
def test_files_are_named_below_their_remote(remote, joined):
    assert join(remote, "a") == joined
