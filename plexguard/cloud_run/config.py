"""The section [cloud-run]: whose machines, where, and for how much."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from plexguard.core.options import BOOLEAN, FOLDER, TEXT, THING_NAME, URL, Kind, choice, count, option, quote, show_list, span

# The files below /etc/plexguard/credentials, and the credentials of these names.
KEY_CREDENTIAL = "scaleway.secret-key"
SSH_CREDENTIAL = "ssh.private-key"
# As Scaleway names its zones; which of them exist is for it to say.
_ZONE = re.compile(r"[a-z]{2}-[a-z]{2,5}-[1-9]", re.ASCII)
_PROJECT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_MAX_EUROS = 10_000.0


def _euros(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MAX_EUROS:
        raise ValueError
    return float(value)


def _zones(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(zone, str) and _ZONE.fullmatch(zone) for zone in value):
        raise ValueError
    return tuple(dict.fromkeys(value))


def _project(value: object) -> str:
    text = TEXT.parse(value)
    if text and not _PROJECT.fullmatch(text):
        raise ValueError
    return text


def _owner(value: object) -> str:
    text = TEXT.parse(value)
    if text and not THING_NAME.fullmatch(text):
        raise ValueError
    return text


EUROS: Kind[float] = Kind("an amount of euros from 0 to 10000, such as 12.5", _euros, lambda v: f"{v:g}")
# Less than a cent: written out, since 4.4e-05 is read by nobody.
PRICE: Kind[float] = Kind(EUROS.allowed, _euros, lambda v: f"{v:.9f}".rstrip("0").rstrip("."))
ZONES: Kind[tuple[str, ...]] = Kind('a list of zones, such as ["fr-par-1", "nl-ams-1"]', _zones, show_list)
ZONE: Kind[str] = Kind('a zone, such as "fr-par-1"; "" means: those of [cloud-run]', lambda v: _zones([v])[0] if v else "", quote)
PROJECT: Kind[str] = Kind('the id of a project, such as "11111111-2222-3333-4444-555555555555"', _project, quote)
OWNER: Kind[str] = Kind('a name of a-z, 0-9 and -, such as "home"', _owner, quote)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    SECTION: ClassVar[str] = "cloud-run"

    provider: str = option(
        choice("none", "scaleway", "ssh", "local"),
        "none",
        "Where the machine of a run comes from: rented at Scaleway, one that is reached by ssh, or this one.",
    )
    project: str = option(PROJECT, "", "The project at Scaleway that all of it belongs to. Best one that holds nothing else.")
    zones: tuple[str, ...] = option(
        ZONES, ("fr-par-1",), "Where machines may be rented, the first that has one free; and looked for."
    )
    owner: str = option(
        OWNER, "", "Whose machines these are, as written on them; others' are left alone. Empty: made from this machine's id."
    )
    own_project: bool = option(
        BOOLEAN,
        False,
        "Whether the project holds nothing else: then volumes and addresses that bear no label and belong to no machine go too.",
    )
    image: str = option(TEXT, "debian_bookworm", "The image that a rented machine starts from, by its label.")
    ssh: str = option(TEXT, "", "The machine of provider ssh, as [USER@]HOST[:PORT].")
    max_cost: float = option(EUROS, 20.0, "The most that a run may cost, in euros without tax, where its own file says nothing.")
    local_disk_price: float = option(
        PRICE, 0.000044, "What a gigabyte of local disk costs in an hour: Scaleway tells the price of machines only."
    )
    block_disk_price: float = option(PRICE, 0.000118, "The same of block storage.")
    address_price: float = option(PRICE, 0.004, "What an address costs in an hour.")
    api: str = option(URL, "https://api.scaleway.com", "Where Scaleway's interface is.")

    def find_mistakes(self) -> tuple[str, ...]:
        return tuple(self._find_mistakes())

    def _find_mistakes(self) -> Iterator[str]:
        if self.provider == "scaleway" and not self.project:
            yield f"project: missing, allowed is {PROJECT.allowed}"
        if self.provider == "ssh" and not self.ssh:
            yield "ssh: missing, allowed is [USER@]HOST[:PORT]"
        if not self.api:
            yield 'api: missing, allowed is an address such as "https://api.scaleway.com"'
        # The key would go through the network as it is.
        if self.api.startswith("http://") and not re.match(r"http://(?:127\.0\.0\.1|localhost|\[::1\])(?::|$)", self.api):
            yield f'api: found "{self.api}", and the key only goes out by https'

    @property
    def is_rented(self) -> bool:
        """Whether the machine of a run is paid for, and new: nothing is on it."""
        return self.provider not in ("none", "ssh", "local")

    def needed_credentials(self) -> tuple[str, ...]:
        return {"scaleway": (KEY_CREDENTIAL,), "ssh": (SSH_CREDENTIAL,)}.get(self.provider, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Apply:
    """Where what a run has brought home is applied, and what must be so."""

    SECTION: ClassVar[str] = "cloud-apply"

    target: str = option(choice("local", "remote"), "local", "Whose Plex it is for: this machine's, or that of another, by ssh.")
    remote_host: str = option(TEXT, "", "The other machine, as [USER@]HOST[:PORT]; root there.", environment="PLEX_REMOTE_HOST")
    remote_path: str = option(FOLDER, "", 'The folder "Plex Media Server" there.', environment="PLEX_REMOTE_PATH")
    remote_url: str = option(URL, "", "Where that Plex answers, seen from there. Empty: http://127.0.0.1:32400.")
    data: str = option(FOLDER, "", "The folder of Plex's data here. Empty: that of the Plex that was found.")
    merge_watch_state: bool = option(BOOLEAN, True, "Whether what users have watched and rated since is carried over.")
    mappings: str = option(FOLDER, "", "The file of mappings from the paths that the run has to those that this Plex has.")
    min_present: int = option(count(0, 100), 90, "How much of each library has to be where the archive has it, in per cent.")
    most_loss: int = option(count(0, 100), 5, "How much smaller than here a library may be in it, in per cent.")
    wait: timedelta = option(span("0s", "7d"), timedelta(hours=12), "For how long it waits until nobody is watching.")

    def find_lacking(self) -> tuple[str, ...]:
        """Return the options that have to be given and are not: the environment of the unit may, which nobody else sees."""
        wanted = {"remote_host": self.remote_host, "remote_path": self.remote_path} if self.target == "remote" else {}
        return tuple(name for name, value in wanted.items() if not value)


FURTHER = (Apply,)
