"""Where an archive is applied: on this machine, or on another by ssh, as a job there that goes on when the line is lost."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from plexguard.cloud_run.config import SSH_CREDENTIAL, Apply
from plexguard.cloud_run.reference.own import in_words
from plexguard.cloud_run.there.jobs import Job, JobFailed, read_answer
from plexguard.cloud_run.there.remote_files import put
from plexguard.core import rsync
from plexguard.core.clock import Clock
from plexguard.core.errors import ConfigError, PlexguardError, TryAgain, Unavailable
from plexguard.core.host import Host
from plexguard.core.program import FOUND_PROBLEMS
from plexguard.core.secret import find_credential
from plexguard.core.ssh import Login, Reconnecting, find_login
from plexguard.core.zipped import zip_suite

# An archive with Metadata and Media, unpacked twice on a slow disk, and two starts of Plex.
_LIMIT_S = 24 * 3600.0
_CALL_S = 60.0
# For how long a line may be lost.
_AWAY_S = 12 * 3600.0
_PAUSE_S = 30.0


class ApplyFailed(PlexguardError):
    """plexguard-db-export has not applied it, and says why."""

    exit_code = FOUND_PROBLEMS


class Target(Protocol):
    """name: of the machine."""

    @property
    def name(self) -> str: ...

    def apply(self, archive: Path, mappings: str, arguments: Sequence[str]) -> Any:
        """Return what `plexguard-db-export apply` answers. Raises ApplyFailed, TryAgain while somebody is watching there, and what
        reaching it raises."""
        ...


def open_target(section: Apply, run: str, *, host: Host, clock: Clock, tell: Callable[[str], object]) -> Target:
    """Raises ConfigError for one that is not said where it is."""
    if section.target == "local":
        return Here(host=host, data=section.data)
    if lacking := section.find_lacking():
        raise ConfigError(tuple(f"[{Apply.SECTION}] {name}: missing, and it has no default" for name in lacking))
    return There(section=section, run=run, host=host, clock=clock, tell=tell)


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """data: Plex's folder, "" for that of the Plex that was found."""

    host: Host
    data: str

    @property
    def name(self) -> str:
        return "this machine"

    def apply(self, archive: Path, mappings: str, arguments: Sequence[str]) -> Any:
        given = [*([f"--mappings={mappings}"] if mappings else []), *([f"--data={self.data}"] if self.data else [])]
        done = self.host.run(
            ["plexguard-db-export", "apply", "--format=json", *arguments, *given, "--", str(archive)],
            timeout_s=_LIMIT_S,
            check=False,
        )
        if done.code != 0:
            _refuse(done.code, done.stderr.splitlines())
        return read_answer("plexguard-db-export apply", done.stdout.splitlines())


@dataclass(frozen=True, slots=True, kw_only=True)
class There:
    """A machine that is reached by ssh, and needs no plexguard."""

    section: Apply
    run: str
    host: Host
    clock: Clock
    tell: Callable[[str], object]

    @property
    def name(self) -> str:
        return self.section.remote_host

    @property
    def _folder(self) -> str:
        return f"/var/tmp/plexguard-apply-{self.run}"  # noqa: S108  # made there for root alone, or refused

    def apply(self, archive: Path, mappings: str, arguments: Sequence[str]) -> Any:
        with self._machine() as machine:
            machine.run(["install", "-d", "-m", "0700", self._folder], timeout_s=_CALL_S)
            job = Job(host=machine, name=f"apply-{self.run}")
            if not job.look().is_there:
                self._carry(archive)
                put(machine, zip_suite(), f"{self._folder}/plexguard.pyz")
                given = [f"--data={self.section.remote_path}"]
                if mappings:
                    put(machine, Path(mappings).read_bytes(), f"{self._folder}/mappings.json")
                    given.append(f"--mappings={self._folder}/mappings.json")
                program = ("/usr/bin/python3", f"{self._folder}/plexguard.pyz", "db-export", "apply", "--format=json")
                self.tell(f"applying it on {self.name}")
                job.begin([*program, *arguments, *given, "--", f"{self._folder}/{archive.name}"], limit_s=_LIMIT_S)
            try:
                job.wait(self.clock, away_s=_AWAY_S)
                answer = job.await_answer(self.clock)
                # What was carried stays where it was not applied: the next attempt needs it.
                machine.run(["rm", "-rf", "--", self._folder], timeout_s=_CALL_S)
                return answer
            except JobFailed as error:
                _refuse(job.look().code, job.read_lines(), error)
            finally:
                with contextlib.suppress(PlexguardError):  # of one that cannot be reached it stays
                    job.forget()
            raise AssertionError  # _refuse() has raised

    @contextlib.contextmanager
    def _machine(self) -> Iterator[Reconnecting]:
        with contextlib.closing(Reconnecting(self._find_login, clock=self.clock, patience_s=_CALL_S)) as machine:
            yield machine

    def _find_login(self) -> Login:
        login, key = find_login(self.section.remote_host), find_credential(SSH_CREDENTIAL)
        return login if key is None else replace(login, keys=(str(key),))

    def _carry(self, archive: Path) -> None:
        """Bring the archive there. What was carried is not carried again."""
        until_s = self.clock.monotonic_s() + _AWAY_S
        told_s = 0.0

        def tell(progress: rsync.Progress) -> None:
            nonlocal told_s
            if self.clock.monotonic_s() - told_s >= 1.0:
                told_s = self.clock.monotonic_s()
                self.tell(f"bringing {archive.name} to {self.name}: {progress.percent} %")

        while True:
            try:
                rsync.send(self.host, self._find_login(), str(archive), f"{self._folder}/", tell=tell)
                return
            except (rsync.TransferBroken, Unavailable) as error:
                if self.clock.monotonic_s() >= until_s:
                    raise
                self.tell(f"trying again: {error}")
                self.clock.sleep(_PAUSE_S)


def _refuse(code: int, lines: Sequence[str], cause: Exception | None = None) -> None:
    """Raise what the command has ended with, in its own words."""
    said = in_words(lines) or f"exit code {code}"
    if code == TryAgain.exit_code:
        raise TryAgain(said) from cause
    raise ApplyFailed(said) from cause
