"""What is wrong around a configuration, and what is worth a word. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from plexguard.core.events import Mode, quote_for_shell, show_path
from plexguard.core.manager import Unit
from plexguard.core.suite import PROGRAMS
from plexguard.status.check.observe import CredentialFile, Observation

_OTHERS = 0o077


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """mistakes: in the files, over which programs do not run. faults: around them. notes: what may be meant."""

    mistakes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def decide(seen: Observation) -> Report:
    """Return what is found around a configuration that has no mistakes."""
    if seen.credentials is None:
        note = f"{seen.folder}: only root may look at the credentials: sudo plexguard-status check-config"
        return Report(notes=(note, *_find_switched_off(seen)))
    faults = [fault for file in seen.credentials for fault in _judge_file(file)]
    there = {file.name for file in seen.credentials}
    faults += [f"{seen.folder}/{name}: missing; write the secret into it, mode 0600" for name in seen.needed if name not in there]
    return Report(faults=tuple(faults), notes=tuple(_find_switched_off(seen)))


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
        if unit.preset == "enabled" and unit.file_state in ("disabled", "masked") and owner in seen.configured:
            yield f"[{owner}] is configured, but {unit.name} is {unit.file_state}: systemctl enable --now {unit.name}"


def _find_owner(unit: Unit) -> str:
    stem = unit.name.rpartition(".")[0].removeprefix("plexguard-")
    fitting = [program.name for program in PROGRAMS if stem == program.name or stem.startswith(f"{program.name}-")]
    return max(fitting, key=len, default="")
