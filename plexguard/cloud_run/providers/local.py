"""This machine, as one that a run may work on."""

from plexguard.cloud_run.providers.unrented import SIZE_COMMANDS, SIZE_TIMEOUT_S, Unrented
from plexguard.cloud_run.rent.keys import Keys
from plexguard.cloud_run.rent.resources import Key
from plexguard.core.clock import Clock
from plexguard.core.host import Completed, Host


class Local(Unrented):
    def __init__(self, clock: Clock, host: Host) -> None:
        super().__init__("localhost", clock)
        self._host = host

    def find_login(self, server: Key, keys: Keys) -> None:
        return None

    def ask_size(self) -> tuple[Completed, Completed]:
        processors, memory = (self._host.run(argv, timeout_s=SIZE_TIMEOUT_S) for argv in SIZE_COMMANDS)
        return processors, memory
