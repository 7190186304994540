"""What is done around the work on a library, on the run's machine: its media are proven, and its database has a way back."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from plexguard.cloud_run.reference.own import ask
from plexguard.cloud_run.section.inside import Inside
from plexguard.cloud_run.section.leave import describe
from plexguard.cloud_run.section.told import Packed, Plan
from plexguard.cloud_run.section.warm import warm
from plexguard.cloud_run.server.container import GID, MEDIA, NAME, UID
from plexguard.core import guarded
from plexguard.core.clock import Clock, Moment
from plexguard.core.errors import IoFailed, PeerError
from plexguard.core.host import Commands
from plexguard.core.mounts import is_below
from plexguard.core.plex import Library, Plex, PlexError
from plexguard.core.state import STATE_ROOT

_EXPORT_S, _RESTORE_S = 4 * 3600.0, 6 * 3600.0
_LIST_S = 600.0
_STOP_S = 60
_ASK_S = 30.0
# Its database may be brought up to date first.
_READY_S = 900.0


# As the server itself starts it; by another user it would make files that Plex cannot read.
_SCANNER = "/usr/lib/plexmediaserver/Plex Media Scanner"
_SCANNER_ENVIRONMENT = {
    "PLEX_MEDIA_SERVER_APPLICATION_SUPPORT_DIR": "/config/Library/Application Support",
    "LD_LIBRARY_PATH": "/usr/lib/plexmediaserver/lib",
    "LC_ALL": "en_US.UTF-8",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineTools:
    """machine: this one. inside: of Plex's container. kept: the folder for databases as they were. root: of what is published
    here."""

    plan: Plan
    machine: Commands
    plex: Plex
    inside: Inside
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
            self.start_plex()
        self._await_plex()

    def warm(self, library: Library, tell: Callable[[str], object]) -> str:
        if not self.plan.point:
            return ""
        database = f"{self.plan.data}/Plug-in Support/Databases/com.plexapp.plugins.library.db"
        answer = ask(self.machine, [*self.plan.export, "files", library.key, database], timeout_s=_LIST_S)
        try:
            known = [str(file) for file in answer["files"]]
        except (TypeError, KeyError) as error:
            raise PeerError(f"plexguard-db-export files: not as it writes it: {error}") from error
        files = [self.plan.point + file.removeprefix(MEDIA) for file in known if is_below(file, MEDIA)]
        return warm(
            files,
            self.clock,
            most=self.plan.most_at_once,
            tell=lambda now: tell(f"reading the beginning of its files, {now.done:,} of {len(files):,}"),
        ).faults

    def checkpoint(self) -> Packed:
        folder = self.kept.parent / "checkpoints"
        earlier = sorted(folder.glob("*.tar.zst"))
        made = ask(self.machine, [*self.plan.export, "export", f"--data={self.plan.data}", f"--to={folder}"], timeout_s=_EXPORT_S)
        # The one before may just be fetched.
        for path in earlier[:-1]:
            path.unlink(missing_ok=True)
        try:
            return describe(Path(str(made["path"])))
        except (TypeError, KeyError) as error:
            raise PeerError(f"plexguard-db-export export: not as it writes it: {error}") from error

    def begin_sonic(self, library: Library) -> None:
        section = ("--section", library.key)
        if any("sonic" in process.command and library.key in process.command for process in self.inside.scanners()):
            return
        given = (f"--env={name}={value}" for name, value in _SCANNER_ENVIRONMENT.items())
        words = ("--analyze", *section, "--server-action", "sonic")
        self.machine.run(["docker", "exec", "--detach", f"--user={UID}:{GID}", *given, NAME, _SCANNER, *words], timeout_s=_ASK_S)

    def forget(self, library: Library) -> None:
        shutil.rmtree(self._folder(library), ignore_errors=True)

    def start_plex(self) -> None:
        self.machine.run(["docker", "start", NAME], timeout_s=_ASK_S)

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
