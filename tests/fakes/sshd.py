"""A real sshd on the loopback, with keys of its own: another machine, as far as a client can tell."""

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plexguard.core.ssh import Login
from tests.loopback import free_port
from tests.waiting import await_true


class Sshd:
    """A server that lets root in with one key. login: how it is reached by who knows its host key."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.port = free_port()
        for name in ("host", "user", "other"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)], check=True, timeout=20
            )
        (folder / "authorized").write_bytes((folder / "user.pub").read_bytes())
        # SHLVL: bash, called by sshd for the first time, would read what the machine's own root has in .bashrc.
        (folder / "config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\n"
            "PermitRootLogin prohibit-password\nPasswordAuthentication no\nUsePAM no\nStrictModes no\nPidFile none\n"
            "Subsystem sftp internal-sftp\nSetEnv SHLVL=1\n"
        )
        self.known_hosts = folder / "known_hosts"
        self.know("host")
        self.process = self._start()

    def know(self, key: str) -> None:
        """Have the clients take one of the keys for the server's."""
        kind, text, *_ = (self.folder / f"{key}.pub").read_text().split()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {kind} {text}\n")

    @property
    def login(self) -> Login:
        return Login(
            name="other-machine",
            address="127.0.0.1",
            user="root",
            port=self.port,
            keys=(str(self.folder / "user"),),
            known_hosts=(str(self.known_hosts),),
        )

    def _start(self) -> "subprocess.Popen[bytes]":
        # Where it puts itself before it knows who calls; the package's own unit makes it.
        Path("/run/sshd").mkdir(exist_ok=True)
        process = subprocess.Popen(
            ["/usr/sbin/sshd", "-D", "-e", "-f", str(self.folder / "config")],
            stderr=(self.folder / "log").open("wb"),
            start_new_session=True,
        )
        await_true(self._listens)
        return process

    def start(self) -> None:
        """Start it again, once it was killed."""
        self.process = self._start()

    def _listens(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        """End it with every connection at once, as a power cut would, but for the silence."""
        for pid in [*_children(self.process.pid), self.process.pid]:
            # Some end by themselves when those below them are gone.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)


def _children(pid: int) -> list[int]:
    """Return the processes below one, the lowest first."""
    try:
        found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [below for child in found for below in (*_children(child), child)]


@contextmanager
def running_sshd(folder: Path) -> Iterator[Sshd]:
    sshd = Sshd(folder)
    try:
        yield sshd
    finally:
        sshd.close()
