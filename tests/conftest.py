"""What all tests share: where machines cannot be booted, that is said once and loudly."""

from _pytest.terminal import TerminalReporter

from tests.machine import can_run


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    reason = can_run()
    if reason:
        terminalreporter.write_sep("!", f"NO MACHINE TEST WAS RUN: {reason}", red=True, bold=True)
