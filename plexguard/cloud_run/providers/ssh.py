"""A machine that is there already and is reached by ssh: an own computer, or one rented elsewhere."""

from plexguard.cloud_run.config import Config
from plexguard.cloud_run.keys import Keys
from plexguard.cloud_run.providers.unrented import SIZE_COMMANDS, SIZE_TIMEOUT_S, Unrented
from plexguard.cloud_run.resources import Key
from plexguard.core.clock import Clock
from plexguard.core.host import Completed
from plexguard.core.ssh import Login, connect, find_login


class Ssh(Unrented):
    def __init__(self, config: Config, clock: Clock) -> None:
        super().__init__(config.ssh, clock)

    def find_login(self, server: Key, keys: Keys) -> Login:
        return find_login(self._place)

    def ask_size(self) -> tuple[Completed, Completed]:
        with connect(find_login(self._place)) as host:
            processors, memory = (host.run(argv, timeout_s=SIZE_TIMEOUT_S) for argv in SIZE_COMMANDS)
            return processors, memory
