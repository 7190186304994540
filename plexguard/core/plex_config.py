"""The section [plex]: what all programs share about the Plex server at hand."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from plexguard.core.options import CONTAINER, UNIT, URL, choice, option, span

DEFAULT_CONTAINER = "plex"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlexConfig:
    SECTION: ClassVar[str] = "plex"

    server: str = option(
        choice("auto", "unit", "container", "remote"),
        "auto",
        'What runs Plex: a systemd unit, a Docker container, or another machine ("remote": watched, never restarted). '
        '"auto" takes the unit if there is one, else the container.',
    )
    url: str = option(URL, "", "Where Plex answers. Empty: http://127.0.0.1:32400.")
    unit: str = option(UNIT, "plexmediaserver.service", "The unit of a native Plex.")
    container: str = option(
        CONTAINER,
        DEFAULT_CONTAINER,
        "The name of Plex's container. Where none has the default name, the only container of a Plex image is taken.",
        environment="PLEX_CONTAINER",
    )
    paused_limit: timedelta = option(
        span("5min", "7d"), timedelta(hours=2), "A player that is paused for longer than this is no viewer any more."
    )

    @property
    def takes_any_container(self) -> bool:
        """Whether the container is sought by its image too: one that somebody has named is never replaced by another."""
        return self.container == DEFAULT_CONTAINER
