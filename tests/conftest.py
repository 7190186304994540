"""What all tests share: Ctrl-C is heard, secrets are forgotten, what several workers use is taken away by the last, and where
machines cannot be booted, that is said once and loudly."""

import signal
from collections.abc import Iterator

import pytest
from _pytest.terminal import TerminalReporter

from plexguard.core import secret
from tests.fakes.mounted import CONNECTIONS, take_control_files
from tests.machine import can_run

# A shell that starts a command in the background has it ignore Ctrl-C, and so whatever that starts: some tests send just that.
signal.signal(signal.SIGINT, signal.default_int_handler)


_HAD_CONTROL_FILES = CONNECTIONS.is_mount()


def pytest_unconfigure(config: pytest.Config) -> None:
    is_worker = hasattr(config, "workerinput")
    if not is_worker and not _HAD_CONTROL_FILES:
        take_control_files()


@pytest.fixture(autouse=True)
def forget_secrets() -> Iterator[None]:
    """Have no word masked only because an earlier test in this process used it as a password."""
    before = set(secret._known)
    yield
    secret._known &= before


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    reason = can_run()
    if reason:
        terminalreporter.write_sep("!", f"NO MACHINE TEST WAS RUN: {reason}", red=True, bold=True)
