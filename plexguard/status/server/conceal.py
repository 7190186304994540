"""The last net before an answer leaves: no secret in it, and no path of one. Pure but for the secrets that are known."""

import re
from typing import Any

from plexguard.core.secret import ADMIN_CREDENTIALS, MASK, mask

# Where systemd hands credentials to units, and where administrators keep them.
_CREDENTIAL_PATH = re.compile(rf"(?:{re.escape(str(ADMIN_CREDENTIALS))}|/run/credentials)(?:/[^\s\"'<>,;:]*)*")
# What has rows of a label and what it is.
_ROWS = "details"
_MOST = 8000


def conceal_text(text: str) -> str:
    """Return a text without secrets, nor longer than anybody reads."""
    return _CREDENTIAL_PATH.sub(MASK, mask(text if len(text) <= _MOST else f"{text[:_MOST]}…"))


def conceal(value: Any) -> Any:
    """Return what is to be sent as JSON, every text in it gone through the net. A text is judged by the name it has, too."""
    if isinstance(value, str):
        return conceal_text(value)
    if isinstance(value, dict):
        return {conceal_text(key): _conceal_named(key, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [conceal(item) for item in value]
    return value


def _conceal_named(name: str, value: Any) -> Any:
    if name == _ROWS and isinstance(value, list):
        return [[conceal_text(row[0]), _conceal_named(row[0], row[1])] if _is_row(row) else conceal(row) for row in value]
    if isinstance(value, str) and value and mask(f"{name}=x") != f"{name}=x":
        return MASK
    return conceal(value)


def _is_row(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)
