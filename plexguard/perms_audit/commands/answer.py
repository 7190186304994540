"""`answer`: the service that answers requests which come through the socket."""

from collections.abc import Callable

from plexguard.core.clock import Moment
from plexguard.core.daemon import run_cycles
from plexguard.core.guarded import Guarded
from plexguard.core.notify import take_socket
from plexguard.core.program import Ports
from plexguard.perms_audit.config import Config
from plexguard.perms_audit.request.act import Server
from plexguard.perms_audit.state import find_state_folder


def run(config: Config, ports: Ports, *, read_guarded: Callable[[Moment], Guarded]) -> int:
    with take_socket() as listening:
        server = Server(listening, config, ports, folder=find_state_folder(), read_guarded=read_guarded)
        run_cycles(server.cycle, ports.notifier)
    return 0
