"""What providers of machines that are there anyway have in common: nothing is made, nothing is paid, nothing is given back."""

from collections.abc import Mapping, Sequence

from plexguard.cloud_run.choosing.estimate import Prices
from plexguard.cloud_run.providers.provider import Note, Offer, Order
from plexguard.cloud_run.rent.keys import Keys
from plexguard.cloud_run.rent.labels import Label
from plexguard.cloud_run.rent.resources import Key, Kind, Listing, Resource
from plexguard.core.clock import Clock
from plexguard.core.errors import PeerError
from plexguard.core.host import Completed
from plexguard.core.ssh import Login

# What tells how large a machine is; both are on every Debian.
SIZE_COMMANDS = (("nproc",), ("cat", "/proc/meminfo"))
SIZE_TIMEOUT_S = 20.0


class Unrented:
    """A machine that is there. place: its only zone, and the name of its only type."""

    is_rented = False

    def __init__(self, place: str, clock: Clock) -> None:
        self._place = place
        self._clock = clock

    @property
    def zones(self) -> tuple[str, ...]:
        return (self._place,)

    def find_offers(self, zone: str) -> Mapping[str, Offer]:
        return {self._place: read_size(self._place, *self.ask_size())}

    def ask_size(self) -> tuple[Completed, Completed]:
        """Return the answers to SIZE_COMMANDS."""
        raise NotImplementedError

    def price(self, offer: Offer, *, is_local_disk: bool) -> Prices:
        return Prices(machine=0.0, disk_gb=0.0, address=0.0)

    def check(self, zone: str, type_name: str, *, is_local_disk: bool) -> None:
        """Nothing is made, and it has told how large it is: it is there."""

    def list(self, zone: str) -> Listing:
        return Listing(zone=zone, at=self._clock.now())

    def rent(self, order: Order, note: Note) -> Resource:
        key = Key(kind=Kind.SERVER, id=self._place, zone=order.zone)
        note(key)
        return Resource(key=key, name=self._place, label=order.label, addresses=(self._place,))

    def find_login(self, server: Key, keys: Keys) -> Login | None:
        """Return how it is entered: with the login of whoever runs this."""
        raise NotImplementedError

    def forget_user_data(self, server: Key) -> None:
        """Do nothing: it was told nothing."""

    def destroy(self, resources: Sequence[Resource], label: Label, note: Note) -> None:
        """Do nothing: it was there before, and stays."""


def read_size(place: str, processors: Completed, memory: Completed) -> Offer:
    """Return a machine from what nproc(1) and /proc/meminfo say. Raises PeerError. Pure."""
    rows = dict(line.partition(":")[::2] for line in memory.stdout.splitlines())
    cpus, total = processors.stdout.strip(), rows.get("MemTotal", "").split()
    if not cpus.isdecimal() or len(total) != 2 or not total[0].isdecimal() or total[1] != "kB":
        raise PeerError(f"{place}: does not tell how large it is")
    return Offer(type=place, cpus=int(cpus), ram_bytes=int(total[0]) << 10)
