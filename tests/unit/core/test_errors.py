"""The error tree: each kind with its code of sysexits(3)."""

import os

import pytest

from plexguard.core import errors


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.PlexguardError, 70),
        (errors.UsageError, 64),
        (errors.DataError, 65),
        (errors.MissingInput, 66),
        (errors.Unavailable, 69),
        (errors.SystemRefused, 71),
        (errors.IoFailed, 74),
        (errors.TryAgain, 75),
        (errors.PeerError, 76),
        (errors.NoPermission, 77),
    ],
)
def test_kind_has_its_exit_code(kind: type[errors.PlexguardError], code: int) -> None:
    error = kind("it is wrong", hint="do this")

    assert (error.exit_code, str(error), error.hint) == (code, "it is wrong", "do this")
    assert kind("x").hint == ""


def test_mistakes_of_a_configuration_are_one_a_line() -> None:
    error = errors.ConfigError(("one", "two"))

    assert (error.exit_code, str(error), error.mistakes) == (os.EX_CONFIG, "one\ntwo", ("one", "two"))
    assert error.hint == "plexguard-status check-config"
