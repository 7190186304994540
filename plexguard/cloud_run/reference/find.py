"""Which archive a run begins with, and that it is what was written."""

from dataclasses import dataclass
from typing import Any

from plexguard.cloud_run.life.run_file import NEWEST, NONE
from plexguard.cloud_run.reference.own import ask, verify
from plexguard.core.errors import DataError, MissingInput, PeerError
from plexguard.core.host import Commands
from plexguard.core.manager import Manager

_EXPORT = ["plexguard-db-export"]
_EXPORT_UNIT = "plexguard-db-export.service"
_LIST_S = 120.0
# As long as the unit itself may take.
_EXPORT_S = 24 * 3600.0


class NoReference(MissingInput):
    """There is no archive to begin with."""


class BadReference(DataError):
    """An archive is not what was written, or what was written was damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """made: when, and server: the id of whose it is, as its manifest says it, "" for one that has none."""

    path: str
    made: str
    server: str = ""


def find_reference(wanted: str, home: Commands, manager: Manager) -> Reference | None:
    """Return the archive that a run begins with, verified; None where it begins without one.

    wanted: "newest", "none", or the path of one. Where there is none of home's Plex yet, one is made. Raises NoReference,
    BadReference, Refused, and what starting a unit raises.
    """
    if wanted == NONE:
        return None
    return _verify(wanted if wanted != NEWEST else _find_newest(home, manager), home)


def _find_newest(home: Commands, manager: Manager) -> str:
    newest = read_newest(ask(home, [*_EXPORT, "list"], timeout_s=_LIST_S))
    if newest is None:
        manager.start(_EXPORT_UNIT, timeout_s=_EXPORT_S)
        newest = read_newest(ask(home, [*_EXPORT, "list"], timeout_s=_LIST_S))
    if newest is None:
        raise NoReference(
            "there is no good archive of Plex's database, and none could be made", hint=f"journalctl -u {_EXPORT_UNIT}"
        )
    return newest


def read_newest(listed: Any) -> str | None:
    """Return the newest good one of what `list` answers, None where there is none. Raises PeerError. Pure."""
    try:
        return next((str(one["path"]) for one in reversed(listed) if one["good"]), None)
    except (TypeError, KeyError) as error:
        raise PeerError(f"plexguard-db-export list: not as it writes it: {error}") from error


def _verify(path: str, home: Commands) -> Reference:
    """Return an archive that is what was written, of a database that was sound. Raises BadReference, Refused."""
    fault, said = verify(path, home)
    if fault:
        raise BadReference(
            f"{path}: {fault}",
            hint="name another archive in the run's file, see: plexguard-db-export list; or make one: "
            f"systemctl start {_EXPORT_UNIT}",
        )
    return Reference(path=path, made=said["made"], server=said["server"])
