"""Plex's token: from the administrator's credential, else from the server's own Preferences.xml."""

import re
from html import unescape
from pathlib import Path

from plexguard.core.found import PREFERENCES_LINK
from plexguard.core.secret import Secret, read_credential

# Names of LoadCredential= in the units of who asks Plex; both are paired with SetCredential=…:none.
ADMIN_TOKEN = "plex.token"  # noqa: S105
PREFERENCES = "plex.preferences"
_TOKEN = re.compile(r'\sPlexOnlineToken="([^"]*)"')


def read_token() -> Secret | None:
    """Return the token, or None when none is known. Raises NoPermission."""
    given = read_credential(ADMIN_TOKEN)
    if given:
        return Secret(given)
    preferences = read_credential(PREFERENCES) or _read_by_hand(PREFERENCES_LINK)
    return find_token(preferences)


def find_token(preferences: str) -> Secret | None:
    """Return the token of a Preferences.xml, or None when the server is not claimed."""
    found = _TOKEN.search(preferences)
    return Secret(unescape(found[1])) if found and found[1] else None


def _read_by_hand(file: Path) -> str:
    """Commands run by hand as root have no credential of a unit; for anybody else the file is closed, and that is meant."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
