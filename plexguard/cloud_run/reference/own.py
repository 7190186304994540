"""Ask another program of the suite, in words: by its command, and what it prints as JSON."""

import json
import re
from collections.abc import Sequence
from typing import Any

from plexguard.core.errors import PeerError, PlexguardError
from plexguard.core.host import Commands
from plexguard.core.program import FOUND_PROBLEMS
from plexguard.core.secret import mask

_LAST_LINES = 3
_PREFIX = re.compile(r"^(?:<[0-7]>)?(?:plexguard-[a-z-]+ stopped: )?", re.ASCII)
# Of the seeds' reference 5.4 GB are read and hashed in a minute or two; a slow disk takes ten times as long.
_VERIFY_S = 3600.0


class Refused(PlexguardError):
    """Another program of the suite did not do what it was asked."""

    exit_code = FOUND_PROBLEMS


def in_words(lines: Sequence[str]) -> str:
    """Return what a command of the suite has said last, as a person reads it: without the priority before each line, and
    the name of who says it. Pure."""
    return mask(" / ".join(_PREFIX.sub("", line) for line in [line for line in lines if line.strip()][-_LAST_LINES:]))


def ask(machine: Commands, argv: list[str], *, timeout_s: float) -> Any:
    """Return what a command of the suite answers; that it found problems is an answer.

    Raises Refused with its own words, PeerError for an answer that is no JSON, and what the machine raises.
    """
    done = machine.run([*argv, "--format=json"], timeout_s=timeout_s, check=False)
    if done.code not in (0, FOUND_PROBLEMS):
        raise Refused(in_words(done.stderr.splitlines()) or f"{argv[0]}: exit code {done.code}")
    try:
        return json.loads(done.stdout)
    except (ValueError, RecursionError) as error:
        raise PeerError(f"{' '.join(argv[:2])}: its answer is no JSON: {error}") from error


def verify(path: str, home: Commands) -> tuple[str, dict[str, str]]:
    """Return what is wrong with an archive, "" when it is what was written of a database that was sound, and of its manifest when
    it was `made`, and the id of the `server`, both "" where it has none. Raises Refused and PeerError."""
    found = ask(home, ["plexguard-db-export", "verify", path], timeout_s=_VERIFY_S)
    try:
        manifest = found["manifest"] or {}
        fault = "" if found["good"] else str(found["fault"] or "; ".join(manifest.get("damage", ())) or "it is damaged")
        return fault, {"made": str(manifest.get("made", "")), "server": str(manifest.get("machine_identifier", ""))}
    except (TypeError, KeyError, AttributeError) as error:
        raise PeerError(f"plexguard-db-export verify: not as it writes it: {error}") from error
