"""Plex's settings that name paths. They are told, and left: Plex writes that file itself, and has a page for them. Pure."""

import re
import xml.etree.ElementTree as ET

from plexguard.db_export.remap.decide import Mover


def find_settings(text: bytes, mover: Mover) -> tuple[tuple[str, str, str], ...]:
    """Return the settings of Preferences.xml that a mapping would change: name, old value, new one."""
    try:
        root = ET.fromstring(text)
    except ET.ParseError:
        return ()
    found = []
    for name, value in root.attrib.items():
        whole = mover.move(value)
        new = whole[0] if whole is not None else "".join(_move(part, mover) for part in re.split(r"([,;])", value))
        if new != value:
            found.append((name, value, new))
    return tuple(found)


def _move(part: str, mover: Mover) -> str:
    moved = mover.move(part.strip())
    return part if moved is None else part.replace(part.strip(), moved[0], 1)
