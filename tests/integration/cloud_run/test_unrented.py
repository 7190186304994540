"""Machines that are there anyway, asked for real: this one, and the same one by ssh."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from plexguard.cloud_run.config import Config
from plexguard.cloud_run.providers.local import Local
from plexguard.cloud_run.providers.ssh import Ssh
from plexguard.core.clock import SystemClock
from plexguard.core.host import LocalHost
from plexguard.core.ssh import HostKeyRefused
from tests.fakes.sshd import Sshd, running_sshd


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd") / "sshd") as server:
        yield server


@pytest.fixture
def home(sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Whose known_hosts and configuration say how "nas" is reached."""
    folder = tmp_path / ".ssh"
    folder.mkdir(mode=0o700)
    (folder / "config").write_text(f"Host nas\nHostName 127.0.0.1\nPort {sshd.port}\nUser root\nIdentityFile {sshd.folder}/user\n")
    (folder / "known_hosts").write_text(sshd.known_hosts.read_text())
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_machine_is_as_large_by_ssh_as_it_is_here(home: Path) -> None:
    (here,) = Local(SystemClock(), LocalHost()).find_offers("localhost").values()
    (there,) = Ssh(Config(provider="ssh", ssh="nas"), SystemClock()).find_offers("nas").values()

    assert here.cpus >= 1 and here.ram_bytes > 1 << 28
    assert (here.cpus, here.ram_bytes) == (there.cpus, there.ram_bytes)


def test_machine_that_is_not_known_is_not_asked(home: Path) -> None:
    (home / ".ssh/known_hosts").write_text("")

    with pytest.raises(HostKeyRefused):
        Ssh(Config(provider="ssh", ssh="nas"), SystemClock()).find_offers("nas")
