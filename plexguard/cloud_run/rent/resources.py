"""Things that are rented and paid for, as a provider tells of them. Pure."""

import enum
from dataclasses import dataclass, field
from datetime import datetime

from plexguard.cloud_run.rent.labels import Label


class Kind(enum.Enum):
    """What is paid for."""

    SERVER = "server"
    LOCAL_VOLUME = "local volume"
    BLOCK_VOLUME = "block volume"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """By what a thing is asked for: ids are unique in a zone, and each kind is asked for at another place."""

    kind: Kind
    id: str
    zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A thing that is there.

    label: what is written on it, None when it is none of ours. state: in the provider's own words. parts: of a server, its volumes,
    and the address that should go with it. holder: the id of the server that a volume or address belongs to, "" when to none.
    addresses: of a server, from where it is reached, once it runs.
    """

    key: Key
    name: str
    label: Label | None = None
    state: str = ""
    type: str = ""
    size_bytes: int = 0
    created: datetime | None = None
    parts: tuple[Key, ...] = ()
    holder: str = ""
    addresses: tuple[str, ...] = ()

    @property
    def volumes(self) -> tuple[Key, ...]:
        return tuple(key for key in self.parts if key.kind in (Kind.LOCAL_VOLUME, Kind.BLOCK_VOLUME))


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All that is in a zone. at: when, by the provider's own clock."""

    zone: str
    at: datetime
    resources: tuple[Resource, ...] = field(default=())

    def find(self, key: Key) -> Resource | None:
        return next((resource for resource in self.resources if resource.key == key), None)


def describe(resources: tuple[Resource, ...]) -> str:
    """Return what there is, for people: "1 server, 2 block volumes"."""
    counted = [(kind.value, sum(resource.key.kind is kind for resource in resources)) for kind in Kind]
    return ", ".join(
        f"{number} {word}{'' if number == 1 else 'es' if word[-1] == 's' else 's'}" for word, number in counted if number
    )
