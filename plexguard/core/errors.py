"""The error tree: every expected failure with its exit code and a hint.

Code below the edge raises one of these; `core/program.py` catches once, sends one event and ends with the code.
A message reads "Failed to VERB OBJECT: reason" or "OBJECT: what is wrong with it"; a hint is one command or setting.
"""

import os


class PlexguardError(Exception):
    """Something expected went wrong; the subclass says what kind of thing."""

    exit_code = os.EX_SOFTWARE
    hint = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint or self.hint


class UsageError(PlexguardError):
    """The arguments make no sense."""

    exit_code = os.EX_USAGE


class DataError(PlexguardError):
    """A file or a value is there, but not what it should be."""

    exit_code = os.EX_DATAERR


class MissingInput(PlexguardError):
    """A file or folder that is needed is not there."""

    exit_code = os.EX_NOINPUT


class Unavailable(PlexguardError):
    """A service that is needed is away."""

    exit_code = os.EX_UNAVAILABLE


class SystemRefused(PlexguardError):
    """The operating system or the service manager refused."""

    exit_code = os.EX_OSERR


class IoFailed(PlexguardError):
    """Reading or writing failed half way."""

    exit_code = os.EX_IOERR


class TryAgain(PlexguardError):
    """Not now; the next run may do it."""

    exit_code = os.EX_TEMPFAIL


class PeerError(PlexguardError):
    """A peer's answer makes no sense."""

    exit_code = os.EX_PROTOCOL


class NoPermission(PlexguardError):
    """The rights are missing."""

    exit_code = os.EX_NOPERM


class ConfigError(PlexguardError):
    """The configuration has mistakes; all of them, one a line."""

    exit_code = os.EX_CONFIG
    hint = "plexguard-status check-config"

    def __init__(self, mistakes: tuple[str, ...]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes
