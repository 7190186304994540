"""A machine that is there already and is reached by ssh: an own computer, or one rented elsewhere."""

from dataclasses import replace

from plexguard.cloud_run.config import SSH_CREDENTIAL, Config
from plexguard.cloud_run.providers.unrented import SIZE_COMMANDS, SIZE_TIMEOUT_S, Unrented
from plexguard.cloud_run.rent.keys import Keys
from plexguard.cloud_run.rent.resources import Key
from plexguard.core.clock import Clock
from plexguard.core.host import Completed
from plexguard.core.secret import find_credential
from plexguard.core.ssh import Login, connect, find_login


class Ssh(Unrented):
    def __init__(self, config: Config, clock: Clock) -> None:
        super().__init__(config.ssh, clock)

    def find_login(self, server: Key, keys: Keys) -> Login:
        return self._find_login()

    def ask_size(self) -> tuple[Completed, Completed]:
        with connect(self._find_login()) as host:
            processors, memory = (host.run(argv, timeout_s=SIZE_TIMEOUT_S) for argv in SIZE_COMMANDS)
            return processors, memory

    def _find_login(self) -> Login:
        """Return the login with the key that is a credential; by hand, and without one, with those of whoever runs this."""
        login, key = find_login(self._place), find_credential(SSH_CREDENTIAL)
        return login if key is None else replace(login, keys=(str(key),))
