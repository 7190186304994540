"""Which files go there, which come back, what the command is called there, and what it says of them here. Pure."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import click

from plexguard.core.errors import UsageError
from plexguard.db_export.remote.carried import Brought, Carried


@dataclass(frozen=True, slots=True)
class Transfer:
    """A file here, and where it lies there."""

    here: str
    there: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A command for the other machine. sent: before it. fetched: after it, a folder with all that is in it."""

    arguments: tuple[str, ...]
    sent: tuple[Transfer, ...] = ()
    fetched: tuple[Transfer, ...] = ()

    def translate(self, line: bytes) -> bytes:
        """Return a line that the command printed, with files called what they are called here."""
        as_written = _escape if line.startswith(b"{") else os.fsencode
        for transfer in (*self.sent, *self.fetched):
            line = line.replace(as_written(transfer.there.rstrip("/")), as_written(transfer.here.rstrip("/")))
        return line


def _escape(path: str) -> bytes:
    """Return a path as it stands within a JSON text."""
    return json.dumps(path)[1:-1].encode("ascii")


def plan_errand(group: click.Group, arguments: tuple[str, ...], folder: str) -> Errand:
    """Return what is to be done for a command line. folder: an empty one there. Raises click.UsageError as the command itself
    would, so that nothing is carried for a mistake."""
    if not arguments:
        raise UsageError("--host: no command is named")
    name, *rest = arguments
    command = group.commands.get(name)
    if command is None:
        raise click.UsageError(f"No such command {name!r}.")
    values: Mapping[str, object] = command.make_context(name, list(rest), resilient_parsing=False).params
    sent: list[Transfer] = []
    fetched: list[Transfer] = []
    words = list(rest)
    for parameter in command.params:
        value = values.get(parameter.name or "")
        if value is None or not isinstance(parameter.type, (Carried, Brought)):
            continue
        path = str(value)
        if path.startswith(":"):
            words = _replace(words, path, path[1:])
            continue
        there = f"{folder}/{parameter.name}/{PurePosixPath(path).name}"
        # As rsync has it: of a folder, what is in it.
        slash = "" if parameter.type.file_okay else "/"
        (sent if isinstance(parameter.type, Carried) else fetched).append(Transfer(f"{path}{slash}", f"{there}{slash}"))
        words = _replace(words, path, there)
    return Errand(arguments=(name, *words), sent=tuple(sent), fetched=tuple(fetched))


def _replace(words: list[str], old: str, new: str) -> list[str]:
    """Put another value for one that was given, as an argument or behind an option's equals sign."""
    for place, word in enumerate(words):
        if word == old:
            return [*words[:place], new, *words[place + 1 :]]
        option, equals, value = word.partition("=")
        if equals and value == old and option.startswith("--"):
            return [*words[:place], f"{option}={new}", *words[place + 1 :]]
    return words
