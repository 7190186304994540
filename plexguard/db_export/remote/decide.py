"""Which files go there, which come back, and what the command is called there. Pure."""

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
