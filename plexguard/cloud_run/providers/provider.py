"""The interface of what machines come from, and what passes through it. A new kind of provider is one module that keeps it, and a
line in open.py."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from plexguard.cloud_run.choosing.estimate import Prices
from plexguard.cloud_run.rent.keys import Keys
from plexguard.cloud_run.rent.labels import Label
from plexguard.cloud_run.rent.resources import Key, Listing, Resource
from plexguard.core.errors import Unavailable
from plexguard.core.ssh import Login

# Is told the key of a thing as soon as it is known, before anything else is asked for.
Note = Callable[[Key], None]


class OutOfStock(Unavailable):
    """There is no machine of that type free in that zone just now."""


class QuotaExceeded(Unavailable):
    """The account may have no more of it."""


class NotGone(Unavailable):
    """Something that was to be given back is still there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A type of machine in a zone. hourly_euros: of the machine alone. local_disk_bytes: the largest disk of its own that it may
    have, 0 for none: then its disk is a thing of its own. is_free: one can be had now. is_ending: it is about to be no longer."""

    type: str
    cpus: int
    ram_bytes: int
    hourly_euros: float = 0.0
    local_disk_bytes: int = 0
    is_free: bool = True
    is_ending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A machine to be had. is_made: it was made before, and what it has done is on it: no other stands in for it. user_data:
    what the machine is told for its first boot, empty for nothing. client_key: the public key of who may come in, where the
    provider can say so to the machine by itself."""

    label: Label
    zone: str
    type: str
    image: str
    disk_bytes: int
    is_local_disk: bool
    user_data: bytes = b""
    client_key: str = ""
    is_made: bool = False


class Provider(Protocol):
    """zones: where it looks for machines. is_rented: what it gives is paid for, and given back."""

    @property
    def zones(self) -> tuple[str, ...]: ...

    @property
    def is_rented(self) -> bool: ...

    def find_offers(self, zone: str) -> Mapping[str, Offer]:
        """Return the types of a zone by their names. Raises Unavailable, NoPermission and PeerError, as every method does."""
        ...

    def price(self, offer: Offer, *, is_local_disk: bool) -> Prices: ...

    def check(self, zone: str, type_name: str, *, is_local_disk: bool) -> datetime | None:
        """Return what time it is by the clock of whoever bills it, None where nobody does.

        Raises what would keep a machine from being had, as far as that can be known before: MissingInput when its image is not
        there, NoPermission when the key may not look at what is to be rented.
        """
        ...

    def list(self, zone: str) -> Listing:
        """Return all that is in a zone, whosever it is. Raises when it can't be told: nothing is never told for unknown."""
        ...

    def rent(self, order: Order, note: Note) -> Resource:
        """Return a machine that runs and has an address: the one that an attempt before this one has made, or a new one.

        note: is told every key that is known, each before the next step. Raises OutOfStock and QuotaExceeded too; whatever it
        raises, something may have been made.
        """
        ...

    def find_login(self, server: Key, keys: Keys) -> Login | None:
        """Return how a machine is entered, None for this very one. Raises TryAgain when it has no address."""
        ...

    def forget_user_data(self, server: Key) -> None:
        """Remove what a machine was told for its first boot, which has its private key in it."""
        ...

    def destroy(self, resources: Sequence[Resource], label: Label, note: Note) -> None:
        """Give things back with all that belongs to them, and wait for it. What is not there is done already.

        label: is written on what would else outlive its machine without a name; note: is told of it. Raises NotGone too.
        """
        ...
