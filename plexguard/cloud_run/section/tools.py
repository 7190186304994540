"""What is done around the work on a library, on the run's machine: its media are proven, and its database has a way back."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from plexguard.cloud_run.reference.own import ask
from plexguard.cloud_run.section.told import Plan
from plexguard.cloud_run.server.container import NAME
from plexguard.core import guarded
from plexguard.core.clock import Clock, Moment
from plexguard.core.errors import IoFailed
from plexguard.core.host import Commands
from plexguard.core.plex import Library, Plex, PlexError
from plexguard.core.state import STATE_ROOT

_EXPORT_S, _RESTORE_S = 4 * 3600.0, 6 * 3600.0
_STOP_S = 60
_ASK_S = 30.0
# Its database may be brought up to date first.
_READY_S = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineTools:
    """machine: this one. kept: the folder for databases as they were. root: of what is published here."""

    plan: Plan
    machine: Commands
    plex: Plex
    clock: Clock
    kept: Path
    root: Path = STATE_ROOT

    def find_fault(self, since: Moment | None = None) -> str:
        if not self.plan.mount:
            return ""
        now = self.clock.moment()
        seen = guarded.look({self.plan.mount: self.plan.point}, now, self.root)
        return next((unproven.why for unproven in seen.unproven), "") or guarded.find_fault_since(
            self.plan.mount, since or now, self.root
        )

    def keep(self, library: Library) -> None:
        folder = self._folder(library)
        if self._find_archive(folder) is None:
            ask(self.machine, [*self.plan.export, "export", f"--data={self.plan.data}", f"--to={folder}"], timeout_s=_EXPORT_S)

    def put_back(self, library: Library) -> None:
        archive = self._find_archive(self._folder(library))
        if archive is None:
            raise IoFailed(f"{self._folder(library)}: what was kept of {library.title} is not there")
        self.machine.run(["docker", "stop", "-t", str(_STOP_S), NAME], timeout_s=_STOP_S + _ASK_S)
        try:
            ask(self.machine, [*self.plan.export, "restore", f"--data={self.plan.data}", str(archive)], timeout_s=_RESTORE_S)
        finally:
            self.machine.run(["docker", "start", NAME], timeout_s=_ASK_S)
        self._await_plex()

    def forget(self, library: Library) -> None:
        shutil.rmtree(self._folder(library), ignore_errors=True)

    def _folder(self, library: Library) -> Path:
        return self.kept / library.key

    def _find_archive(self, folder: Path) -> Path | None:
        # Hidden is what an export that was cut off has left.
        return next(iter(sorted(folder.glob("[!.]*.tar.zst"))), None)

    def _await_plex(self) -> None:
        until_s = self.clock.monotonic_s() + _READY_S
        while True:
            try:
                self.plex.libraries(timeout_s=_ASK_S)
                return
            except PlexError:
                if self.clock.monotonic_s() >= until_s:
                    raise
                self.clock.sleep(5.0)
