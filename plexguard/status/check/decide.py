"""What is wrong around a configuration, and what is worth a word. Pure."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from plexguard.core.endpoints import Endpoint, overlap
from plexguard.core.events import Mode, quote_for_shell, show_path
from plexguard.core.found import is_plexs
from plexguard.core.manager import Unit
from plexguard.core.suite import PROGRAMS, Around
from plexguard.status.check.observe import CredentialFile, Observation

_NOTHING = Around()
_OTHERS = 0o077
_OFF = ("disabled", "masked")
_FRONT = "plexguard-proxy.service"
# ip_unprivileged_port_start of ip-sysctl, as the kernel has it.
_FIRST_FREE_PORT = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """mistakes: in the files, over which programs do not run. faults: around them. notes: what may be meant."""

    mistakes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def decide(seen: Observation, around: Around = _NOTHING) -> Report:
    """Return what is found around a configuration that has no mistakes. around: what its programs have found themselves."""
    clashes = (*_find_clashes(seen), *around.faults)
    notes = (*_find_switched_off(seen), *_find_open_doors(seen), *around.notes)
    if seen.credentials is None:
        note = f"{seen.folder}: only root may look at the credentials: sudo plexguard-status check-config"
        return Report(faults=clashes, notes=(note, *notes))
    faults = [*clashes, *(fault for file in seen.credentials for fault in _judge_file(file))]
    there = {file.name for file in seen.credentials}
    faults += [f"{seen.folder}/{name}: missing; write the secret into it, mode 0600" for name in seen.needed if name not in there]
    return Report(faults=tuple(faults), notes=notes)


def _find_clashes(seen: Observation) -> Iterator[str]:
    """Yield where two would listen at one address: who is there first has it."""
    places = {place: endpoints for place, endpoints in seen.listen.items() if not _is_door(place) or not _is_shut(seen)}
    for place, endpoints in places.items():
        for endpoint in endpoints:
            if is_plexs(endpoint, seen.found):
                yield f"{place}: found {endpoint}, where Plex itself answers"
    for (one, ones), (other, others) in itertools.combinations(places.items(), 2):
        for endpoint, another in itertools.product(ones, others):
            if overlap(endpoint, another):
                yield f"{other}: found {another}, where {one} has {endpoint}"


def _find_open_doors(seen: Observation) -> Iterator[str]:
    """Yield what is worth a word about the addresses of the front door."""
    for place, endpoints in seen.listen.items():
        if not _is_door(place) or _is_shut(seen):
            continue
        for endpoint in endpoints:
            if not _is_loopback(endpoint) and not place.endswith("metrics_listen"):
                yield f"{place}: whoever reaches {endpoint} reaches Plex, who takes him for somebody of this machine"
            if endpoint.port < _FIRST_FREE_PORT:
                yield f"{place}: {endpoint}: the front door runs without root's rights, which a port below {_FIRST_FREE_PORT} needs"


def _is_loopback(endpoint: Endpoint) -> bool:
    return ip_address(endpoint.address).is_loopback


def _is_door(place: str) -> bool:
    return place.startswith("[proxy]")


def _is_shut(seen: Observation) -> bool:
    return any(unit.name == _FRONT and unit.file_state in _OFF for unit in seen.units)


def _judge_file(file: CredentialFile) -> Iterator[str]:
    shown, quoted = show_path(file.path), quote_for_shell(file.path)
    if not file.is_file:
        yield f"{shown}: is no regular file, so nothing is handed over from it"
    elif file.mode & _OTHERS:
        yield f"{shown}: found mode {Mode(file.mode)}, which others may read; allowed is 0600: chmod 0600 {quoted}"
    if file.uid != 0:
        yield f"{shown}: belongs to uid {file.uid}, who may change the secret; it must be root's: chown root: {quoted}"


def _find_switched_off(seen: Observation) -> Iterator[str]:
    for unit in seen.units:
        owner = _find_owner(unit)
        if unit.preset == "enabled" and unit.file_state in _OFF and owner in seen.configured:
            yield f"[{owner}] is configured, but {unit.name} is {unit.file_state}: systemctl enable --now {unit.name}"


def _find_owner(unit: Unit) -> str:
    stem = unit.name.rpartition(".")[0].removeprefix("plexguard-")
    fitting = [program.name for program in PROGRAMS if stem == program.name or stem.startswith(f"{program.name}-")]
    return max(fitting, key=len, default="")
