"""Plex's settings after a restore: the archive's, and the identity of the server that goes on. Pure."""

from xml.etree import ElementTree

from plexguard.db_export.archive.preferences import is_own, read_preferences


def combine(archived: bytes, present: bytes | None, *, with_identity: bool) -> bytes:
    """Return Preferences.xml. present: what the target has, None for nothing. with_identity: the target becomes the server that the
    archive is from. Raises DataError where one is no XML."""
    theirs = read_preferences(archived)
    if with_identity:
        return _render(theirs)
    ours = read_preferences(present) if present is not None else {}
    settings = {name: value for name, value in theirs.items() if not is_own(name)}
    return _render({name: value for name, value in ours.items() if is_own(name)} | settings)


def _render(preferences: dict[str, str]) -> bytes:
    made: bytes = ElementTree.tostring(ElementTree.Element("Preferences", preferences), encoding="utf-8", xml_declaration=True)
    return made + b"\n"
