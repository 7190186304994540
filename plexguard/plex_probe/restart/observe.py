"""What the root side sees for itself, at the moment of acting."""

from plexguard.core.clock import Clock
from plexguard.core.found import FoundContainer, FoundPlex
from plexguard.core.manager import Manager
from plexguard.core.plex import Plex
from plexguard.core.processes import packages_are_changing
from plexguard.plex_probe.config import Config
from plexguard.plex_probe.observe import observe_server, take_look
from plexguard.plex_probe.restart.decide import RestartObservation

# The probe has just found it silent several times; this is to catch a Plex that came back meanwhile.
_LOOK_TIMEOUT_S = 3.0


def observe(
    plex: Plex, found: FoundPlex, *, manager: Manager, container: FoundContainer | None, clock: Clock, config: Config
) -> RestartObservation:
    """Look once at Plex, without a token, and at what runs it."""
    look = take_look(plex, clock, timeout_s=_LOOK_TIMEOUT_S, has_token=False)
    server, detail = observe_server(found, manager=manager, container=container, clock=clock, config=config)
    return RestartObservation(
        found=found, answer=look.answer, server=server, server_detail=detail, packages_changing=packages_are_changing()
    )
