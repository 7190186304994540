"""The keys of a run's machine: who it is, which is known before it is made, and who may come in.

Both pairs are made here for one lease, and go with it. Private halves are open to nobody but who rents: that of the machine goes
into what it is told for its first boot, and is removed here once it is ready.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from plexguard.core.errors import IoFailed
from plexguard.core.host import Host
from plexguard.core.ssh import Login
from plexguard.core.state import write_atomic

_MAKE_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Keys:
    """folder: where they are, of this run alone."""

    folder: Path

    @property
    def host(self) -> Path:
        """The private key by which the machine shows who it is."""
        return self.folder / "host"

    @property
    def client(self) -> Path:
        """The private key by which it is entered."""
        return self.folder / "client"

    def make(self, host: Host, *, run: str) -> None:
        """Make both pairs, where they are not there. Raises IoFailed and CommandError."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise IoFailed(f"Failed to make {self.folder}: {error.strerror}") from error
        for file in (self.host, self.client):
            if not file.with_suffix(".pub").exists():
                file.unlink(missing_ok=True)
                argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"plexguard-{run}", "-f", str(file)]
                host.run(argv, timeout_s=_MAKE_TIMEOUT_S)

    def login(self, name: str, address: str) -> Login:
        """Return how the machine at an address is entered, as nobody but the one with our key. Raises IoFailed."""
        known = self.folder / "known_hosts"
        kind, key = self.host_public.split()[:2]
        write_atomic(known, f"{address} {kind} {key}\n".encode("ascii"), mode=0o600)
        return Login(name=name, address=address, user="root", keys=(str(self.client),), known_hosts=(str(known),))

    @property
    def client_public(self) -> str:
        """Raises IoFailed."""
        return _read(self.client.with_suffix(".pub"))

    @property
    def host_public(self) -> str:
        """Raises IoFailed."""
        return _read(self.host.with_suffix(".pub"))

    def read_host(self) -> str:
        """Return the machine's private key, "" when it was handed over before. Raises IoFailed."""
        return _read(self.host) if self.host.exists() else ""

    def hand_over(self) -> None:
        """Remove the machine's private key: it has it by now, and nobody else needs it. Raises IoFailed."""
        try:
            self.host.unlink(missing_ok=True)
        except OSError as error:
            raise IoFailed(f"Failed to remove {self.host}: {error.strerror}") from error

    def forget(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        raise IoFailed(f"Failed to read {file}: {error}") from error
