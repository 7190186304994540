"""The end of Plex's work on the run's machine: it is set as it was, stopped, counted and packed, and so are its logs.

It may be done again from the beginning: a Plex that is stopped is set no more, and what was packed is packed anew.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from plexguard.cloud_run.reference.own import Refused, ask
from plexguard.cloud_run.section.quiet import find_changes
from plexguard.cloud_run.section.told import Former, Packed, Plan
from plexguard.cloud_run.server.container import NAME
from plexguard.cloud_run.server.counting import Counted, read_counts
from plexguard.core.errors import IoFailed, PeerError, PlexguardError
from plexguard.core.host import Commands
from plexguard.core.plex import PlexControl, PlexDeclined
from plexguard.core.secret import mask

_ASK_S, _STOP_S = 30.0, 60
_COUNT_S = 600.0
_EXPORT_S, _REPAIR_S = 12 * 3600.0, 6 * 3600.0
_TAR_S = 3600.0
# Of each log the end; a scanner writes gigabytes.
_LOG_BYTES = 20 << 20
_JOURNAL_LINES = "50000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """machine: this one. folder: for what is packed. tell: how far it is. note: something that is to be told as trouble."""

    plan: Plan
    machine: Commands
    folder: Path
    tell: Callable[[str], object]
    note: Callable[[str], object]

    @property
    def is_running(self) -> bool:
        """Whether Plex is. Raises what the engine's command raises."""
        shown = self.machine.run(["docker", "container", "inspect", "--format={{.State.Running}}", "--", NAME], timeout_s=_ASK_S)
        return shown.stdout.strip() == "true"

    def set_back(self, plex: PlexControl, former: Former) -> None:
        """Set what was set before the work. One that does not obey keeps nothing from being brought home: it is only told."""
        self.tell("setting Plex as it was")
        try:
            for name, value in former.settings.items():
                plex.set_preference(name, value, timeout_s=_ASK_S)
            if left := find_changes(plex.preferences(timeout_s=_ASK_S), former.settings):
                raise PlexDeclined(f"it does not take back: {', '.join(left)}")
        except PlexguardError as error:
            self.note(f"Plex is not set as it was before: {error}")

    def stop(self) -> None:
        self.tell("stopping Plex")
        self.machine.run(["docker", "stop", "-t", str(_STOP_S), NAME], timeout_s=_STOP_S + _ASK_S)

    def count(self) -> tuple[Counted, ...]:
        """Return what its libraries hold. Raises Refused and PeerError; what cannot be read is never empty."""
        library = f"{self.plan.data}/Plug-in Support/Databases/com.plexapp.plugins.library.db"
        return read_counts(ask(self.machine, [*self.plan.export, "count", library], timeout_s=_COUNT_S))

    def pack(self) -> tuple[Packed, ...]:
        """Return what is to be brought home: an archive that was verified, and the logs. Raises Refused, PeerError and IoFailed."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700)
        self.tell("packing Plex's database")
        archive, is_good = self._export()
        if not is_good:
            self.note("the database is damaged: what can be mended without a loss is mended")
            try:
                ask(self.machine, [*self.plan.export, "repair", f"--data={self.plan.data}"], timeout_s=_REPAIR_S)
                archive, is_good = self._export()
            except Refused as error:
                # Days of work are in it: it is brought home as it is, and said to be so there.
                self.note(f"it cannot be mended, and is brought home as it is: {error}")
        self.tell("packing the logs")
        return tuple(describe(path) for path in (archive, self._pack_logs()))

    def _export(self) -> tuple[Path, bool]:
        trees = (f"--with={tree}" for tree in self.plan.trees)
        made = ask(
            self.machine,
            [*self.plan.export, "export", f"--data={self.plan.data}", f"--to={self.folder}", *trees],
            timeout_s=_EXPORT_S,
        )
        try:
            return Path(str(made["path"])), bool(made["good"])
        except (TypeError, KeyError) as error:
            raise PeerError(f"plexguard-db-export export: not as it writes it: {error}") from error

    def _pack_logs(self) -> Path:
        logs, packed = self.folder / "logs", self.folder / "logs.tar.zst"
        logs.mkdir()
        for name, lines in self._read_logs():
            with (logs / name).open("w", encoding="utf-8", errors="replace") as file:
                # A line at a time: what looks like a secret is in none of them.
                file.writelines(mask(line) for line in lines)
        self.machine.run(["tar", "--create", "--zstd", f"--file={packed}", f"--directory={self.folder}", "logs"], timeout_s=_TAR_S)
        shutil.rmtree(logs)
        return packed

    def _read_logs(self) -> Iterator[tuple[str, list[str]]]:
        """Yield the logs, each with its name: Plex's own, the container's, and what the units there told, rclone's among them."""
        for path in sorted((Path(self.plan.data) / "Logs").rglob("*.log")):
            if path.is_file() and not path.is_symlink():
                yield f"plex-{path.name.replace(' ', '-')}", _read_end(path)
        container = self.machine.run(
            ["docker", "logs", "--timestamps", f"--tail={_JOURNAL_LINES}", NAME], timeout_s=_TAR_S, check=False
        )
        yield "container.log", (container.stdout + container.stderr).splitlines(keepends=True)
        told = ["journalctl", "--unit=plexguard-*", "--unit=docker.service", "--output=short-iso", "--no-pager", "--quiet"]
        units = self.machine.run([*told, f"--lines={_JOURNAL_LINES}"], timeout_s=_TAR_S, check=False)
        yield "units.log", units.stdout.splitlines(keepends=True)


def _read_end(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LOG_BYTES))
            return file.read(_LOG_BYTES).decode("utf-8", "replace").splitlines(keepends=True)
    except OSError as error:
        return [f"{path.name}: {error.strerror}\n"]


def describe(path: Path) -> Packed:
    """Raises IoFailed."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Packed(path=str(path), size_bytes=path.stat().st_size, sha256=digest)
    except OSError as error:
        raise IoFailed(f"Failed to read {path}: {error.strerror}") from error
