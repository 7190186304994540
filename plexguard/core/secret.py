"""Secrets: values that print as ***, and the net that keeps them out of logs.

`Secret` values are the first line: they never reach a message. `mask` is the second: the journal helper runs every text
through it, so that a token inside an error message or a URL does not reach a log either.
"""

import os
import re
from pathlib import Path
from urllib.parse import quote

from plexguard.core.errors import NoPermission

MASK = "***"

# The names under which tokens travel, plain or percent-encoded any number of times (%3D, %253D), in URLs, headers, XML and JSON.
_NAMED_TOKEN = re.compile(
    r"(?P<name>X-Plex-Token|PlexOnlineToken|access_?token|auth(?:entication)?[_-]?token|claim_?token|X-Auth-Token|Authorization|password|secret_?key)"
    r"(?P<join>\\*[\"']?\s*(?:=|:|>|%(?:25)*3D|%(?:25)*3A)\s*(?:\\*[\"']|%(?:25)*22)?)"
    # An escape belongs to the value unless it stands for one of the characters that end it: " & ' , ; < > and the blank.
    r"(?P<value>(?:Bearer\s+|Basic\s+|Token\s+)?(?:[^\s\"'&;,<>%\\]|%(?:25)*(?!2[0267C5]|3[BCE])[0-9A-F]{2})+)",
    re.IGNORECASE,
)
# One of them is in each of these names: most texts have none, and are spared the search.
_WORDS = ("token", "authorization", "password", "secret")
# A capital or a digit tells a token from words: "claim-to-fame-season-one" is a name.
_CLAIM = re.compile(r"\bclaim-(?=[a-z_-]*[A-Z0-9])[A-Za-z0-9_-]{16,}")
# Who asks, in an address: "https://name:password@host/".
_URL_PASSWORD = re.compile(r"(?P<before>://[^\s:/@?#\"'<>]*:)[^\s/@\"'<>]+(?=@)")
_known: set[str] = set()


class Secret:
    """A value that is only shown to who asks for it by `reveal()`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        if len(value) >= 6:
            for _ in range(4):  # plain, and encoded once to three times
                _known.add(value)
                value = quote(value, safe="")

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__


def mask(text: str) -> str:
    """Return the text with everything that is, or looks like, a secret replaced by ***."""
    for value in sorted(_known, key=len, reverse=True):
        text = text.replace(value, MASK)
    folded = text.casefold()
    if any(word in folded for word in _WORDS):
        text = _NAMED_TOKEN.sub(rf"\g<name>\g<join>{MASK}", text)
    if "://" in text:
        text = _URL_PASSWORD.sub(rf"\g<before>{MASK}", text)
    return _CLAIM.sub(MASK, text)


ADMIN_CREDENTIALS = Path("/etc/plexguard/credentials")
# What SetCredential= of a unit gives when the file behind LoadCredential= does not exist: systemd 252 fails a unit whose
# credential is empty.
NO_CREDENTIAL = "none"


def read_credential(name: str, directory: Path | None = None) -> str | None:
    """Return a credential's text, or None where there is none.

    Looked for in $PLEXGUARD_CREDENTIALS (where a unit has them for what runs at its end too), $CREDENTIALS_DIRECTORY
    (LoadCredential= of the unit), else, for commands run by hand, among the files that the units load. Raises NoPermission
    when it is there and may not be read.
    """
    try:
        text = ((directory or _find_folder()) / name).read_text(encoding="utf-8", errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise NoPermission(f"Failed to read credential {name}: {error.strerror}", hint="run it as root") from error
    return None if text in ("", NO_CREDENTIAL) else text


def find_credential(name: str) -> Path | None:
    """Return the file of a credential, for who takes nothing but a file; None where there is none. Raises NoPermission."""
    return None if read_credential(name) is None else _find_folder() / name


def _find_folder() -> Path:
    places = (os.environ.get(name) for name in ("PLEXGUARD_CREDENTIALS", "CREDENTIALS_DIRECTORY"))
    return next((Path(place) for place in places if place), ADMIN_CREDENTIALS)
