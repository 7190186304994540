"""How a Plex on a rented machine comes to belong to an account: by a claim token, which lives four minutes.

It is asked of a person by root, since systemd-ask-password is for nobody else, and used by the service's user. Between both lies
a folder of the unit's, which a reboot forgets: the service says that a token is wanted, root lays down the answer, if any.
"""

import contextlib
import os
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from plexguard.core.clock import Clock
from plexguard.core.errors import IoFailed, TryAgain
from plexguard.core.host import Commands
from plexguard.core.secret import Secret
from plexguard.core.state import runtime_directory, write_atomic

# The file below /etc/plexguard/credentials, and the credential of that name.
ACCOUNT_CREDENTIAL = "plex.account-token"
CLAIM_PAGE = "https://plex.tv/claim"
_SHAPE = re.compile(r"claim-[A-Za-z0-9_-]{8,64}", re.ASCII)
_QUESTIONS = 3
# The question's own limit ends it before.
_GRACE_S = 10.0


class NotClaimed(TryAgain):
    """There is no claim token, or Plex did not take it."""


class Source(Enum):
    """Where the claim token of a run comes from."""

    NONE = "none"
    ACCOUNT = "account"
    PERSON = "person"


def choose_source(wanted: str, *, has_identity: bool, has_account: bool) -> Source:
    """Return where the token comes from. wanted: `claim` of the run's file. has_identity: the server belongs to an account already,
    and would not look at a token. Pure."""
    if wanted == "never" or has_identity:
        return Source.NONE
    return Source.ACCOUNT if has_account else Source.PERSON


def is_claim(text: str) -> bool:
    """Tell whether a text has the shape of a claim token."""
    return _SHAPE.fullmatch(text) is not None


def runtime_folder(run: str) -> Path:
    """Return where the phase keeps what a reboot is to forget, here and on the run's machine."""
    return runtime_directory(f"cloud-plex/{run}")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where the service says that a token is wanted, and finds it. folder: the service's own."""

    folder: Path

    @property
    def _wanted(self) -> Path:
        return self.folder / "claim-wanted"

    @property
    def _answer(self) -> Path:
        return self.folder / "claim-answer"

    def want(self) -> None:
        """Say that a person is to be asked. Raises IoFailed."""
        write_atomic(self._wanted, b"", mode=0o600)

    @property
    def is_wanted(self) -> bool:
        return os.path.lexists(self._wanted)

    def put(self, token: Secret) -> None:
        """Lay a token down for the folder's owner. Root does it in a folder of somebody else's: nothing that lies there is followed
        or written over. Raises IoFailed."""
        try:
            folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                owner = os.fstat(folder)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                with os.fdopen(os.open(self._answer.name, flags, 0o600, dir_fd=folder), "w", encoding="ascii") as file:
                    os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
                    file.write(token.reveal())
            finally:
                os.close(folder)
        except OSError as error:
            raise IoFailed(f"Failed to write {self._answer}: {error.strerror}") from error

    def take(self) -> Secret | None:
        """Return the token, None when nobody gave one. It stays until clear(): a line that is lost just then is no reason to ask
        again."""
        try:
            text = self._answer.read_text(encoding="ascii", errors="replace").strip()
        except FileNotFoundError:
            return None
        return Secret(text) if is_claim(text) else None

    def clear(self) -> None:
        for file in (self._wanted, self._answer):
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)


def ask_person(host: Commands, clock: Clock, *, run: str, limit_s: float) -> Secret | None:
    """Ask whoever sits before a terminal for a claim token, and return it, None when no right answer came in time.

    An answer of another shape is asked for again, twice at most, in the time that is left.
    """
    deadline_s = clock.monotonic_s() + limit_s
    before = ""
    for _ in range(_QUESTIONS):
        left_s = round(deadline_s - clock.monotonic_s())
        if left_s < 1:
            return None
        text = f"{before}Claim token for the Plex of run {run}, from {CLAIM_PAGE} (claim-..., lives 4 minutes):"
        argv = ["systemd-ask-password", "--no-tty", f"--timeout={left_s}", f"--id=plexguard-claim:{run}", text]
        # Its output is the answer: it is in no message of ours.
        done = host.run(argv, timeout_s=left_s + _GRACE_S, check=False)
        if done.code != 0:
            return None
        if is_claim(answer := done.stdout.strip()):
            return Secret(answer)
        before = "That is no claim token. "
    return None
