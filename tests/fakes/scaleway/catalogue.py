"""What can be rented: zones, types with their prices, images. Figures are of SCALEWAY.md, part 4, the newer column."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

# Shaped as the real ones are; the official client checks that.
SECRET_KEY = "5ca1e3a7-0000-4000-8000-00000000f4ce"
ACCESS_KEY = "SCWFAKE0000000000000"
ORGANIZATION = "0f0f0f0f-0000-4000-8000-00000000000f"
PROJECT = "1e57c0de-0000-4000-8000-000000000001"

ZONES = (
    *("fr-par-1", "fr-par-2", "fr-par-3", "nl-ams-1", "nl-ams-2", "nl-ams-3"),
    *("pl-waw-1", "pl-waw-2", "pl-waw-3", "it-mil-1"),
)
GB = 10**9
GIB = 2**30
MIN_SYSTEM_BYTES = 10 * GB
LOCAL_EUR_PER_GB_H = 0.000044
BLOCK_EUR_PER_GB_H = 0.000118
# Of a reserved address; a dynamic one bills while there is one, and the facts have no figure of its own.
IP_EUR_PER_H = 0.004


@dataclass(frozen=True, slots=True)
class ServerType:
    """local_bytes: the most of local disk, 0 for types with block storage alone. absent: zones that do not offer it."""

    name: str
    ncpus: int
    ram: int
    local_bytes: int
    bandwidth: int
    eur_per_h: float
    absent: tuple[str, ...] = ()
    scarce: bool = False
    arch: str = "x86_64"
    end_of_service: bool = False


_DEV1_ABSENT = ("fr-par-3", "it-mil-1")
_NAMED = (
    ServerType("DEV1-S", 2, 2 * GIB, 20 * GB, 200_000_000, 0.008976, _DEV1_ABSENT),
    ServerType("DEV1-M", 3, 4 * GIB, 40 * GB, 300_000_000, 0.020196, _DEV1_ABSENT),
    ServerType("DEV1-L", 4, 8 * GIB, 80 * GB, 400_000_000, 0.04284, _DEV1_ABSENT),
    ServerType("GP1-XS", 4, 16 * GIB, 150 * GB, 500_000_000, 0.09282, ("it-mil-1",)),
    ServerType("GP1-S", 8, 32 * GIB, 300 * GB, 800_000_000, 0.19074, ("it-mil-1",)),
    ServerType("GP1-M", 16, 64 * GIB, 600 * GB, 1_500_000_000, 0.38352, ("it-mil-1",)),
    ServerType("BASIC3-X8C-32G", 8, 32 * GIB, 0, 800_000_000, 0.2368),
    ServerType("BASIC3-X16C-64G", 16, 64 * GIB, 0, 1_600_000_000, 0.4733),
    ServerType("PRO2-S", 8, 32 * GIB, 0, 1_500_000_000, 0.2234),
    ServerType("PRO2-M", 16, 64 * GIB, 0, 3_000_000_000, 0.4468, (), True),
    ServerType("POP2-8C-32G", 8, 32 * GIB, 0, 1_600_000_000, 0.29),
    ServerType("COPARM1-8C-32G", 8, 32 * GIB, 0, 800_000_000, 0.1724, arch="arm64"),
    # Still listed, and no longer to be had.
    ServerType("START1-L", 8, 8 * GIB, 200 * GB, 400_000_000, 0.0368, end_of_service=True),
)
# There are more than a page of them, and no order that could be relied on: the named ones lie on both pages.
_OTHERS = tuple(ServerType(f"OTHER{n:03}-4C", 4, 8 * GIB, 0, 400_000_000, 0.1 + n / 1000) for n in range(100))
TYPES = {entry.name: entry for entry in (*_OTHERS[:40], *_NAMED[:4], *_OTHERS[40:], *_NAMED[4:])}


@dataclass(frozen=True, slots=True)
class Image:
    id: str
    label: str
    name: str
    kind: str
    zone: str
    arch: str

    @property
    def volume_type(self) -> str:
        return "l_ssd" if self.kind == "instance_local" else "sbs_volume"


_LABELS = {
    "debian_bookworm": "Debian Bookworm",
    "debian_trixie": "Debian Trixie",
    "ubuntu_focal": "Ubuntu 20.04 Focal Fossa",
    "ubuntu_jammy": "Ubuntu 22.04 Jammy Jellyfish",
    "ubuntu_noble": "Ubuntu 24.04 Noble Numbat",
}
_SEED = uuid.UUID("0f0f0f0f-0000-4000-8000-0000000000aa")
# For another architecture there is a row of the same label, and it comes first.
_ROWS = (("instance_local", "x86_64"), ("instance_sbs", "arm64"), ("instance_sbs", "x86_64"))
IMAGES = {
    image.id: image
    for label, name in _LABELS.items()
    for zone in ZONES
    for kind, arch in _ROWS
    for image in [Image(str(uuid.uuid5(_SEED, f"{label}/{zone}/{kind}/{arch}")), label, name, kind, zone, arch)]
}


def types_in(zone: str) -> dict[str, ServerType]:
    return {name: entry for name, entry in TYPES.items() if zone not in entry.absent}


def compatible_types(image: Image) -> list[str]:
    """Return the types an image is for: one with local disk needs a type that has some."""
    needed = MIN_SYSTEM_BYTES if image.kind == "instance_local" else 0
    return [name for name, entry in types_in(image.zone).items() if entry.arch == image.arch and entry.local_bytes >= needed]
