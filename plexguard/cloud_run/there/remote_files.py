"""Small files on the run's machine, whether that is this one or another."""

from pathlib import Path
from typing import Protocol, runtime_checkable

from plexguard.core.host import Commands
from plexguard.core.state import write_atomic


@runtime_checkable
class TakesFiles(Protocol):
    """Another machine, which takes small files (core.ssh.SshHost)."""

    def put(self, content: bytes, path: str) -> None: ...


def put(machine: Commands, content: bytes, path: str) -> None:
    """Write a small file there, mode 0600; one that is there is replaced. Raises IoFailed, and what the connection raises."""
    if not isinstance(machine, TakesFiles):
        write_atomic(Path(path), content, mode=0o600)
        return
    machine.run(["rm", "-f", "--", path], timeout_s=20.0)
    machine.put(content, path)
