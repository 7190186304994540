"""Plex's Preferences.xml: what of it names the server or opens doors, and stays out of archives. Pure."""

import hashlib
import re

from plexguard.core.errors import DataError

# Who the server is to plex.tv and to its clients: two servers with the same fight over one registration.
IDENTITY = frozenset(
    {
        *("MachineIdentifier", "ProcessedMachineIdentifier", "AnonymousMachineIdentifier", "CertificateUUID", "CertificateVersion"),
        *("PlexOnlineToken", "PlexOnlineUsername", "PlexOnlineMail", "PlexOnlineHome", "PubSubServer", "PubSubServerRegion"),
        *("PubSubServerPing", "LastAutomaticMappedPort", "CloudSyncNeedsUpdate", "DlnaReportTimeline", "customCertificateKey"),
    }
)
# Whatever else Plex may come to keep there, or plugins do.
_SECRET = re.compile(r"token|secret|passw|certificate|mail|api_?key|PlexOnline|Identifier", re.IGNORECASE)


def is_own(name: str) -> bool:
    """Tell whether an attribute belongs to one server alone: a secret of it, or its identity."""
    return name in IDENTITY or _SECRET.search(name) is not None


def without_identity(text: bytes) -> bytes:
    """Return Preferences.xml without secrets and identity. Raises DataError where it is no XML."""
    from xml.etree import ElementTree

    kept = {name: value for name, value in read_preferences(text).items() if not is_own(name)}
    made: bytes = ElementTree.tostring(ElementTree.Element("Preferences", kept), encoding="utf-8", xml_declaration=True)
    return made + b"\n"


def read_preferences(text: bytes) -> dict[str, str]:
    """Return the preferences by name. Raises DataError."""
    from xml.etree import ElementTree  # only for who has the file

    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise DataError(f"Preferences.xml: is no XML: {error}") from error
    if root.tag != "Preferences":
        raise DataError("Preferences.xml: has no preferences in it")
    return dict(root.attrib)


def machine_identifier(preferences: dict[str, str]) -> str:
    """Return what the server calls itself over HTTP, "" when it has no name yet: the SHA-1 of what it keeps to itself."""
    if own := preferences.get("MachineIdentifier", ""):
        return hashlib.sha1(f"{own}- Plex Media Server".encode(), usedforsecurity=False).hexdigest()
    return preferences.get("ProcessedMachineIdentifier", "")
