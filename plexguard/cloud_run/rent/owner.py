"""Whose machines these are: the name that is written on them, so that two homes in one project leave each other's alone."""

import hashlib
import hmac
from pathlib import Path

from plexguard.core.errors import MissingInput

_MACHINE_ID = Path("/etc/machine-id")
_ID_BYTES = 16
# machine-id(5): the id itself is not to be given away; what is derived from it tells nobody anything.
_PURPOSE = b"plexguard cloud-run owner"


def find_owner(configured: str, *, file: Path = _MACHINE_ID) -> str:
    """Return the owner's name: the one that is configured, else one that only this machine has. Raises MissingInput."""
    if configured:
        return configured
    try:
        machine_id = bytes.fromhex(file.read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        machine_id = b""
    if len(machine_id) != _ID_BYTES:
        raise MissingInput(f"{file}: is no machine's id", hint="name an owner in [cloud-run]")
    return "m" + hmac.new(machine_id, _PURPOSE, hashlib.sha256).hexdigest()[:12]
