"""Plex's token: from the administrator's credential, else from the server's own Preferences.xml."""

import os
import re
import stat
from html import unescape
from pathlib import Path

from plexguard.core.found import PREFERENCES_LINK
from plexguard.core.secret import Secret, read_credential

# Names of LoadCredential= in the units of who asks Plex; both are paired with SetCredential=…:none.
ADMIN_TOKEN = "plex.token"  # noqa: S105  # a file's name, no secret
PREFERENCES = "plex.preferences"
_MAX_PREFERENCES_BYTES = 1024 * 1024
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
        # Plex's user may put anything in its place: a pipe must not hang us, nor a huge file fill the memory.
        fd = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as opened:
            return opened.read(_MAX_PREFERENCES_BYTES).decode("utf-8", "replace") if stat.S_ISREG(os.fstat(fd).st_mode) else ""
    except OSError:
        return ""
