"""A status cannot end its assignment early."""

import pytest

from plexguard.core.notify import SystemdNotifier, one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [("well", "well"), ("a\nWATCHDOG=trigger", "a WATCHDOG=trigger"), (" a \t\r\n b\x0bc\u2028d ", "a b c d"), ("", "")],
    ids=ascii,
)
def test_status_is_one_line(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_nobody_is_told_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)

    # Anything sent would be refused here.
    SystemdNotifier().tell("READY=1")
