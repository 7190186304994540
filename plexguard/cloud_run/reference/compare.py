"""Whether what a database knows is in the storage: by its listing, in minutes, before a machine is rented."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plexguard.cloud_run.reference.own import ask
from plexguard.core.clock import Clock
from plexguard.core.errors import PeerError, PlexguardError, Unavailable
from plexguard.core.host import CommandEnded, Commands, Host
from plexguard.core.program import FOUND_PROBLEMS

_EXPORT = ["plexguard-db-export"]
# A listing takes a call for each thousand files; a storage that answers none for so long does not answer.
_LIST_S, _QUIET_S = 2 * 3600.0, 300.0
# The database is unpacked for it.
_LOOK_S = 2 * 3600.0


class TooFewThere(PlexguardError):
    """Too many of the files that the database knows are not in the storage: Plex would take them for deleted."""

    exit_code = FOUND_PROBLEMS


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What of a library is there. there: of its files; what cannot be told is not."""

    library: str
    files: int
    there: int

    @property
    def percent(self) -> float:
        return 100.0 * self.there / self.files if self.files else 100.0

    def __str__(self) -> str:
        return f"{self.library}: {self.there:,} of {self.files:,} files ({self.percent:.1f} %)"


def list_storage(home: Host, remote: str, storages: Path, target: Path, clock: Clock) -> int:
    """Write the listing of a storage to a file, and return how many files it has.

    storages: a rclone.conf with that remote. Raises Unavailable for one that does not answer to its end.
    """
    argv = [
        "rclone",
        "lsjson",
        "--recursive",
        "--files-only",
        "--no-modtime",
        "--no-mimetype",
        f"--config={storages}",
        "--",
        remote,
    ]
    stream, deadline_s, heard_s, count, last = home.follow(argv), clock.monotonic_s() + _LIST_S, clock.monotonic_s(), 0, ""
    try:
        with target.open("w", encoding="utf-8") as file:
            while clock.monotonic_s() < deadline_s and clock.monotonic_s() - heard_s < _QUIET_S:
                line = stream.read_line(5.0)
                if line is None:
                    continue
                heard_s = clock.monotonic_s()
                if line.startswith(("[", "{", "]")):
                    file.write(line + "\n")
                    count += line.startswith("{")
                else:
                    last = line  # rclone's own word
    except CommandEnded as error:
        if error.code == 0:
            return count
        raise Unavailable(f"the storage cannot be listed: {last or error}", hint=f"rclone lsf {remote}") from error
    finally:
        stream.close()
    raise Unavailable(f"the storage was not listed to its end: {count:,} files, then nothing more", hint=f"rclone lsf {remote}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What an archive is held against. listing: of list_storage(). below: where the storage is in the database's paths. mappings:
    the file of those that are applied first, "" for none."""

    archive: str
    listing: Path
    below: str
    mappings: str = ""


def find_shares(home: Commands, held: Held) -> tuple[Share, ...]:
    """Return what of each library is there. Raises Refused, PeerError."""
    mappings = [f"--mappings={held.mappings}"] if held.mappings else []
    listed = [f"--listing={held.listing}", f"--below={held.below}"]
    return read_shares(ask(home, [*_EXPORT, "paths", *listed, *mappings, held.archive], timeout_s=_LOOK_S))


def read_shares(answer: Any) -> tuple[Share, ...]:
    """Return the shares in what `paths` answers, in its order. Raises PeerError. Pure."""
    counts: dict[tuple[int, str], list[int]] = {}
    try:
        for place in answer["places"]:
            count = counts.setdefault((place["section"], place["library"]), [0, 0])
            count[0] += place["files"]
            count[1] += place["checked"] - place["missing"]
        return tuple(Share(library=title, files=files, there=there) for (_, title), (files, there) in counts.items())
    except (TypeError, KeyError) as error:
        raise PeerError(f"plexguard-db-export paths: not as it writes it: {error}") from error


def find_lacking(shares: Iterable[Share], *, least_percent: int) -> tuple[Share, ...]:
    """Return the libraries of which less is there than should be. Pure."""
    return tuple(share for share in shares if share.percent < least_percent)


def refuse_lacking(shares: Iterable[Share], *, least_percent: int, mappings: str) -> None:
    """Raise TooFewThere when less of a library is there than it should be. mappings: where a suggestion was written, "" where none
    was. Pure."""
    if lacking := find_lacking(shares, least_percent=least_percent):
        suggested = f"; mappings are suggested in {mappings}" if mappings else ""
        raise TooFewThere(
            f"less than {least_percent} % of what the database knows is in the storage: {'; '.join(map(str, lacking))}{suggested}",
            hint="look through these mappings, and name them in the run's file" if mappings else "plexguard-db-export paths",
        )


def suggest(home: Commands, held: Held, target: Path) -> str:
    """Write mappings for what is missing, and return where, "" where nothing was found. Raises Refused, PeerError."""
    target.unlink(missing_ok=True)
    listed = [f"--listing={held.listing}", f"--below={held.below}"]
    ask(home, [*_EXPORT, "suggest", f"--output={target}", *listed, held.archive], timeout_s=_LOOK_S)
    if not target.exists():
        return ""
    os.chmod(target, 0o644)
    return str(target) if json.loads(target.read_bytes()).get("mappings") else ""
