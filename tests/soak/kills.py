"""A machine is rented and given back, and whoever does it is killed before and after every single call."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.integration.cloud_run.killing import TYPES, WHENS, find_calls, prove_killed


@dataclass(frozen=True)
class Kills:
    """What became of them: so many of a type of machine, after each of which nothing was left."""

    type: str
    renting: int
    returning: int


def kill_everywhere(type_name: str) -> Kills:
    """Kill at every call. Raises AssertionError where something is left."""
    with tempfile.TemporaryDirectory(prefix="plexguard-soak-") as folder:
        renting, returning = find_calls(type_name, Path(folder, "whole"), every=True)
        for what, numbers in (("rent", renting), ("reap", returning)):
            for when in WHENS:
                for call in numbers:
                    prove_killed(what, type_name, Path(folder, f"{what}-{when}-{call}"), call=call, when=when)
    return Kills(type=type_name, renting=len(WHENS) * len(renting), returning=len(WHENS) * len(returning))


def kill_all() -> Iterator[Kills]:
    for type_name in TYPES:
        yield kill_everywhere(type_name)


def describe(kills: Kills) -> Iterator[str]:
    yield f"\nA {kills.type} was rented, and killed at {kills.renting} points, and given back, and killed at {kills.returning}:"
    yield "after one run of the reaper there were 0 machines, 0 volumes and 0 addresses each time."
