"""The command by which files are carried: what keeps a transfer alive, what takes it up again, and who is talked to."""

import pytest

from plexguard.core import rsync
from plexguard.core.host import Completed
from plexguard.core.ssh import Login
from tests.fakes.ports import FakeHost

LOGIN = Login(
    name="there", address="2001:db8::1", user="root", port=2222, keys=("/k/client",), known_hosts=("/k/known hosts", "/etc/known")
)


def carry(limit_bytes_per_s: int = 0) -> list[str]:
    host = FakeHost(answers={"rsync": Completed(code=0, stdout="", stderr="")})
    rsync.send(host, LOGIN, "/here", "/there", limit_bytes_per_s=limit_bytes_per_s)
    (argv,) = host.ran
    return argv


def test_connection_is_kept_alive_like_that_for_commands_and_a_stall_has_an_end() -> None:
    (shell,) = [word for word in carry() if word.startswith("--rsh=")]

    assert "ServerAliveInterval=30" in shell and "ServerAliveCountMax=5" in shell
    assert "--timeout=150" in carry()


def test_machine_must_be_the_one_that_is_known_and_nobody_is_asked() -> None:
    (shell,) = [word for word in carry() if word.startswith("--rsh=")]

    assert "StrictHostKeyChecking=yes" in shell and "BatchMode=yes" in shell
    assert """'UserKnownHostsFile="/k/known hosts" "/etc/known"'""" in shell
    assert "-p 2222" in shell and "-i /k/client" in shell


def test_paths_are_no_options_and_an_address_with_colons_is_one_word() -> None:
    assert carry()[-3:] == ["--", "/here", "root@[2001:db8::1]:/there"]


def test_what_was_carried_is_kept_for_the_next_attempt() -> None:
    assert "--partial" in carry()


@pytest.mark.parametrize(("limit_bytes_per_s", "options"), [(0, []), (2_000_000, ["--bwlimit=1953"]), (1, ["--bwlimit=1"])])
def test_limit_is_in_units_of_1024_and_the_smallest_is_not_none(limit_bytes_per_s: int, options: list[str]) -> None:
    assert [word for word in carry(limit_bytes_per_s) if word.startswith("--bwlimit")] == options


@pytest.mark.parametrize(
    ("line", "progress"),
    [
        ("  1238099968  57%   95.21MB/s    0:00:09", rsync.Progress(done_bytes=1238099968, percent=57)),
        ("              0   0%    0.00kB/s    0:00:00", rsync.Progress(done_bytes=0, percent=0)),
        ("rsync: connection unexpectedly closed", None),
        ("", None),
    ],
)
def test_progress_is_read_from_its_lines_alone(line: str, progress: rsync.Progress | None) -> None:
    assert rsync.read_progress(line) == progress
