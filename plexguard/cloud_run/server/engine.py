"""What is asked of the Docker engine on the run's machine."""

from dataclasses import dataclass

from plexguard.cloud_run.rent.labels import Label
from plexguard.cloud_run.server import container
from plexguard.cloud_run.server.container import Found, Look, Wanted
from plexguard.core.clock import Clock
from plexguard.core.errors import SystemRefused
from plexguard.core.host import CommandMissing, Commands, CommandTimeout, Completed
from plexguard.core.secret import mask

_ASK_S = 20.0
_START_S = 120.0
# Whatever the network gives: the image has half a gigabyte.
_PULL_S = 1200.0
_PULL_PAUSES_S = (10.0, 30.0)
# It closes its database, and is then ended by the engine.
_STOP_S = 60
_CLEAN_S = 600.0
_LOG_LINES = 20


@dataclass(frozen=True, slots=True)
class Engine:
    """machine: whose engine it is."""

    machine: Commands

    def has_image(self, image: str) -> bool:
        """Raises EngineRefused when that cannot be told."""
        done = self._run(["docker", "image", "inspect", "--format={{.Id}}", "--", image], _ASK_S)
        if done.code != 0 and "no such image" not in done.stderr.lower():
            raise container.interpret_refusal(f"Failed to look for the image {image}", done.stderr)
        return done.code == 0

    def pull(self, image: str, clock: Clock) -> None:
        """Raises EngineRefused after the last attempt, and at once where another would not help."""
        for pause_s in (*_PULL_PAUSES_S, 0.0):
            done = self._run(["docker", "pull", "--quiet", "--", image], _PULL_S)
            if done.code == 0:
                return
            refusal = container.interpret_refusal(f"Failed to pull {image}", done.stderr)
            if refusal.hint or not pause_s:
                raise refusal
            clock.sleep(pause_s)

    def find(self) -> Found | None:
        """Return the container of Plex's name, whosever it is. Raises EngineRefused, PeerError."""
        done = self._run(container.INSPECT, _ASK_S)
        if done.code == 0:
            return container.parse_found(done.stdout)
        if "no such container" in done.stderr.lower():
            return None
        raise container.interpret_refusal("Failed to look for Plex's container", done.stderr)

    def make_folders(self, image: str, label: Label) -> None:
        """Make the folders of a lease, and remove those of earlier runs of its name. Raises EngineRefused."""
        for argv in (container.tidy_argv(image, label), container.folders_argv(image, label)):
            self._must(argv, _CLEAN_S, "Failed to make the folders of Plex")

    def has_identity(self, image: str, label: Label) -> bool:
        """Tell whether the server of a lease belongs to an account already. Raises EngineRefused."""
        done = self._run(container.identity_argv(image, label), _START_S)
        return container.interpret_identity(done.code, done.stderr)

    def start(self, wanted: Wanted) -> None:
        self._must(container.start_argv(wanted), _START_S, "Failed to start Plex's container")

    def look(self) -> Look:
        found = self.find()
        if found is None or found.status != "running":
            return Look(status=found.status if found is not None else "gone")
        answer = self._run(container.IDENTITY, _ASK_S)
        identity, why = container.read_identity(answer.code, answer.stdout)
        return Look(
            status=found.status,
            identity=identity,
            why=why,
            processes=container.count_processes(self._run(container.PROCESSES, _ASK_S).stdout),
        )

    def read_log(self) -> str:
        """Return the last lines of the container's log, masked; it says of itself why there are none."""
        try:
            done = self._run(["docker", "logs", f"--tail={_LOG_LINES}", container.NAME], _ASK_S)
        except SystemRefused as error:
            return str(error)
        return mask("\n".join((done.stdout + done.stderr).splitlines()[-_LOG_LINES:])) or "its log is empty"

    def stop(self, *, and_remove: bool) -> None:
        """Raises EngineRefused."""
        self._must(["docker", "stop", "-t", str(_STOP_S), container.NAME], _STOP_S + _ASK_S, "Failed to stop Plex's container")
        if and_remove:
            self.remove()

    def remove(self) -> None:
        """Remove the container, which has ended or never began; what it has written stays. Raises EngineRefused."""
        argv = ["docker", "container", "rm", "--force", "--volumes", container.NAME]
        self._must(argv, _STOP_S + _ASK_S, "Failed to remove Plex's container")

    def _must(self, argv: list[str], timeout_s: float, what: str) -> None:
        done = self._run(argv, timeout_s)
        if done.code != 0:
            raise container.interpret_refusal(what, done.stderr)

    def _run(self, argv: list[str] | tuple[str, ...], timeout_s: float) -> Completed:
        try:
            return self.machine.run(argv, timeout_s=timeout_s, check=False)
        except CommandMissing as error:
            raise container.NoEngine(f"There is no Docker there: {error}") from error
        except CommandTimeout as error:
            raise container.EngineRefused(str(error), hint="systemctl status docker") from error
