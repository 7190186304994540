"""Plex's token, out of the server's own settings or the administrator's file."""

from pathlib import Path

import pytest

from plexguard.core.token import find_token, read_token

PREFERENCES = (
    '<?xml version="1.0" encoding="utf-8"?>\n<Preferences OldestPreviousVersion="1.43.3" FriendlyName="vault" '
    'PublishServerOnPlexOnlineKey="0"{} PlexOnlineUsername="owner" autoEmptyTrash="0"/>\n'
)


def claimed(token: str) -> str:
    return PREFERENCES.format(f' PlexOnlineToken="{token}"')


@pytest.mark.parametrize(
    ("preferences", "token"),
    [
        (claimed("abcDEF-123_xyz"), "abcDEF-123_xyz"),
        (claimed("a&amp;b&quot;c"), 'a&b"c'),
        (claimed("abc").replace(" Plex", "\nPlex"), "abc"),
        (claimed(""), None),
        (PREFERENCES.format(""), None),
        (PREFERENCES.format(' XPlexOnlineToken="no"'), None),
        ("", None),
        ("garbage", None),
        ('<Preferences PlexOnlineToken="cut', None),
    ],
    ids=["claimed", "entities", "lines", "empty", "unclaimed", "other name", "no file", "garbage", "cut"],
)
def test_token_of_preferences(preferences: str, token: str | None) -> None:
    found = find_token(preferences)

    assert (found.reveal() if found else None) == token


def test_token_does_not_show_itself() -> None:
    assert str(find_token(claimed("abcdefgh"))) == "***"


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    return tmp_path


def test_administrators_token_wins_over_the_servers(credentials: Path) -> None:
    (credentials / "plex.token").write_text("from-admin\n")
    (credentials / "plex.preferences").write_text(claimed("from-server"))

    token = read_token()

    assert token is not None
    assert token.reveal() == "from-admin"


def test_servers_token_counts_where_the_administrator_gave_none(credentials: Path) -> None:
    (credentials / "plex.token").write_text("none")
    (credentials / "plex.preferences").write_text(claimed("from-server"))

    token = read_token()

    assert token is not None
    assert token.reveal() == "from-server"
