"""Commands on another machine, which is this one behind a real sshd: the suite is carried there and runs on Debian's Python."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from plexguard.core import program
from plexguard.db_export.__main__ import cli
from tests.fakes.libraries import make_plex
from tests.fakes.sshd import Sshd, running_sshd

# Each looks whether anything was left, and would see what another is at.
pytestmark = pytest.mark.xdist_group("remote")


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """A machine that the one who runs this calls "other"."""
    with running_sshd(tmp_path / "sshd") as sshd:
        home = tmp_path / "home"
        (home / ".ssh").mkdir(parents=True)
        (home / ".ssh" / "config").write_text(
            f"Host other\n HostName 127.0.0.1\n Port {sshd.port}\n User root\n IdentityFile {sshd.folder / 'user'}\n"
        )
        (home / ".ssh" / "known_hosts").write_text(sshd.known_hosts.read_text())
        monkeypatch.setenv("HOME", str(home))
        yield sshd


def left_there() -> list[Path]:
    return list(Path("/var/tmp").glob(f"plexguard-{'[0-9a-f]' * 16}"))


def test_a_command_runs_there_and_says_there_what_it_would_say_here(other: Sshd, capfd: pytest.CaptureFixture[str]) -> None:
    before = left_there()

    here = program.run("db-export", cli, ["list", "--format", "json"]), capfd.readouterr().out
    there = program.run("db-export", cli, ["--host", "other", "list", "--format", "json"]), capfd.readouterr().out

    assert there == here
    assert left_there() == before


def test_an_archive_is_made_there_and_brought_here_and_carried_there_again(
    other: Sshd, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = make_plex(tmp_path / "Plex Media Server")
    here = tmp_path / "archives of the other"

    assert program.run("db-export", cli, ["--host", "other", "export", "--data", str(data.folder), "--to", str(here)]) == 0
    (archive,) = here.iterdir()
    out, err = capfd.readouterr()
    assert out == f"{archive}\n"
    assert f"brought here, and verified: {archive}" in err
    assert f"Plex's database is in {archive}" in err
    assert "/var/tmp/plexguard-" not in out + err

    moved = archive.rename(tmp_path / "it's moved.tar.zst")
    assert program.run("db-export", cli, ["--host", "other", "verify", str(moved)]) == 0
    assert str(moved) in capfd.readouterr().out
    moved.write_bytes(moved.read_bytes()[:-40])
    assert program.run("db-export", cli, ["--host", "other", "verify", str(moved)]) == 1
    assert program.run("db-export", cli, ["--host", "other", "check", f":{data.library}"]) == 0
    assert left_there() == []


def test_a_mistake_in_the_command_is_told_before_anybody_is_called(capfd: pytest.CaptureFixture[str]) -> None:
    assert program.run("db-export", cli, ["--host", "no.such.host.invalid", "list", "--no-such"]) == 64
    assert "no.such.host" not in capfd.readouterr().err


def test_a_host_that_is_not_there_is_unavailable(capfd: pytest.CaptureFixture[str]) -> None:
    assert program.run("db-export", cli, ["--host", "127.0.0.1:1", "list"]) == 69
    assert "127.0.0.1 port 1" in capfd.readouterr().err
