"""Preferences.xml and the settings of /:/prefs, which are the same values seen from two sides.

Plex keeps only what differs from the default, rewrites the whole file atomically, and never reads it again while it runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

FACTS: dict[str, Any] = json.loads(Path(__file__).with_name("facts.json").read_text(encoding="utf-8"))
DEFAULT_TOKEN = "simulatorToken-00001"
Setting = str | int | bool


class UnknownSetting(KeyError):
    """A setting this server does not list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a setting is: its type (bool, int or text), default and place."""

    id: str
    type: str
    default: Setting
    hidden: bool
    advanced: bool
    group: str
    enum_values: str = ""
    needs_pass: bool = False


DEFINITIONS = {entry["id"]: Definition(**entry) for entry in FACTS["settings"]}


class Preferences:
    """The attributes of Preferences.xml, loaded at start and saved at every change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.attributes = load(path) if path.exists() else fresh_attributes()
        self._give_identity()
        self._save()

    @property
    def token(self) -> str:
        """The owner's token, or '' on an unclaimed server."""
        return self.attributes.get("PlexOnlineToken", "")

    @property
    def machine_identifier(self) -> str:
        """The identifier clients know the server by."""
        return self.attributes["ProcessedMachineIdentifier"]

    def claim(self, token: str) -> None:
        """Sign the server in."""
        owner = {"PlexOnlineUsername": "owner", "PlexOnlineMail": "owner@example.com", "PlexOnlineHome": "1"}
        self._change(owner | {"PlexOnlineToken": token})

    def sign_out(self) -> None:
        """Make the server unclaimed."""
        self._change(dict.fromkeys(("PlexOnlineToken", "PlexOnlineUsername", "PlexOnlineMail", "PlexOnlineHome"), ""))

    def value(self, name: str) -> Setting:
        """Return a setting's value, typed; the default if it was never set."""
        definition = DEFINITIONS[name]
        text = self.attributes.get(name)
        return definition.default if text is None else parse(definition, text)

    def listed(self, *, plex_pass: bool) -> list[Definition]:
        """Return the settings the server has; some exist only with a Plex Pass."""
        return [definition for definition in DEFINITIONS.values() if plex_pass or not definition.needs_pass]

    def put(self, changes: Mapping[str, str], *, plex_pass: bool) -> None:
        """Change settings, all of them or none. Raises UnknownSetting, or ValueError for a value of the wrong type."""
        known = {definition.id: definition for definition in self.listed(plex_pass=plex_pass)}
        texts = {}
        for name, text in changes.items():
            if name not in known:
                raise UnknownSetting(name)
            texts[name] = as_text(parse(known[name], text))
        self._change(texts)

    def _change(self, texts: Mapping[str, str]) -> None:
        with self._lock:
            for name, text in texts.items():
                self.attributes[name] = text
                if text == "":
                    del self.attributes[name]
            self._save()

    def _give_identity(self) -> None:
        machine = self.attributes.setdefault("MachineIdentifier", str(uuid.uuid4()))
        processed = hashlib.sha1(f"{machine}- Plex Media Server".encode()).hexdigest()
        self.attributes.setdefault("ProcessedMachineIdentifier", processed)
        self.attributes.setdefault("AnonymousMachineIdentifier", str(uuid.uuid4()))

    def _save(self) -> None:
        element = ElementTree.Element("Preferences", self.attributes)
        text = '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(element, encoding="unicode") + "\n"
        temporary = self._path.with_name(f".{self._path.name}.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(self._path)


def load(path: Path) -> dict[str, str]:
    """Return the attributes of an existing file."""
    return dict(ElementTree.parse(path).getroot().attrib)


def fresh_attributes() -> dict[str, str]:
    """Return the attributes of a server that has just been set up and claimed."""
    return {
        "MetricsEpoch": "1",
        "AcceptedEULA": "1",
        "FriendlyName": "simulator",
        "PublishServerOnPlexOnlineKey": "0",
        "PlexOnlineToken": DEFAULT_TOKEN,
        "PlexOnlineUsername": "owner",
        "PlexOnlineMail": "owner@example.com",
        "PlexOnlineHome": "1",
        "CertificateUUID": uuid.uuid4().hex,
    }


def parse(definition: Definition, text: str) -> Setting:
    """Return a setting's text as its type. Raises ValueError."""
    if definition.type == "int":
        return int(text)
    if definition.type != "bool":
        return text
    if text.lower() not in ("0", "1", "true", "false"):
        raise ValueError(f"{definition.id}: {text!r} is no bool")
    return text.lower() in ("1", "true")


def as_text(value: Setting) -> str:
    """Return a value as Preferences.xml has it."""
    return str(int(value)) if isinstance(value, bool) else str(value)
