"""The storage asked by an rclone of its own, a short one, for when the mount's does not run or does not answer."""

import os
from pathlib import Path

from plexguard.core.host import CommandError, CommandTimeout, Host
from plexguard.core.secret import ADMIN_CREDENTIALS, Secret, read_credential
from plexguard.rclone_watchdog.asking.answers import judge_text
from plexguard.rclone_watchdog.asking.rc import RcAddress
from plexguard.rclone_watchdog.asking.samples import Sample
from plexguard.rclone_watchdog.asking.storage import COUNT_BYTES, Reply
from plexguard.rclone_watchdog.config import Config, Mount
from plexguard.rclone_watchdog.observe import Outcome

# Credentials: the mount's own wins.
_CONFIGS = ("rclone.mount.conf", "rclone.conf")
# It begins a connection of its own each time, and looks for the file before it reads.
_LEAST_S = 2.0


class Backend:
    """Asks by a command of its own."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def read(self, address: RcAddress, sample: Sample | None, *, timeout_s: float) -> Reply:
        """Read some bytes of a file; without one list the top, which proves the way there and no bytes."""
        timeout_s = max(_LEAST_S, timeout_s)
        words = ["cat", f"--count={COUNT_BYTES}", join(address.remote, sample.path)] if sample else ["lsf", address.remote]
        try:
            done = self._host.run(self._command(address, timeout_s) + words, timeout_s=timeout_s, check=False)
        except CommandTimeout:
            return Reply(outcome=Outcome.LATE, detail=f"no answer of the storage within {timeout_s:g} s")
        except CommandError as error:
            return Reply(outcome=Outcome.FAILED, detail=str(error))
        if done.code == 0 and (done.stdout or sample is None):
            return Reply(outcome=Outcome.GOOD)
        words_of_it = last_error(done.stderr) or f"rclone ended with {done.code} and without bytes"
        return Reply(outcome=judge_text(words_of_it), detail=words_of_it)

    def _command(self, address: RcAddress, timeout_s: float) -> list[str]:
        own = ["--low-level-retries=1", "--retries=1", f"--timeout={timeout_s:g}s", f"--contimeout={timeout_s:g}s"]
        # What it runs with is gone with it.
        path = address.config if Path(address.config).is_file() else find_config() or address.config
        return [address.program, *([f"--config={path}"] if Path(path).is_absolute() else []), *own]


def make_address(mount: Mount, config: Config) -> RcAddress:
    """Return all that is known of an rclone that was never seen running."""
    return RcAddress(url="", user="", password=Secret(""), remote=mount.remote, program=config.rclone)


def find_config() -> str:
    """Return the file of the storages that this unit was given, as the mount's own unit is; "" where there is none."""
    folder = Path(os.environ.get("CREDENTIALS_DIRECTORY", "") or ADMIN_CREDENTIALS)
    return next((str(folder / name) for name in _CONFIGS if read_credential(name, folder)), "")


def join(remote: str, path: str) -> str:
    """Return a file of a remote, as rclone names it."""
    return f"{remote}{path}" if remote.endswith((":", "/")) else f"{remote}/{path}"


def last_error(stderr: str) -> str:
    """Return the words of rclone's last line about an error, without time and level, and what belongs to it on further lines."""
    text = stderr.strip()
    for mark in ("Failed to ", "ERROR : "):
        if mark in text:
            return text[text.rindex(mark) :].replace("\n", " ")[:400]
    return text.splitlines()[-1][:400] if text else ""
