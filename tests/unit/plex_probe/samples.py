"""Observations for the tests of the probe."""

from collections.abc import Mapping

from plexguard.plex_probe.look import Answer, Level, Look
from plexguard.plex_probe.observe import Observation
from plexguard.plex_probe.server import SeenServer, ServerState


def see(
    *answers: Answer,
    server: ServerState = ServerState.RUNNING,
    looks: int = 3,
    update: str = "",
    version: str = "",
    latencies: Mapping[str, float] | None = None,
) -> Observation:
    """Return what a check sees whose looks end like that: as many of them as it makes when one answer is given."""
    given = answers if len(answers) > 1 or answers[0].is_conclusive else answers * looks
    made = tuple(Look(answer=answer, level=Level.IDENTITY, version=version, latencies=latencies or {}) for answer in given)
    return Observation(looks=made, server=SeenServer(state=server, update=update))
