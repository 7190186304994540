"""What the fake is told to do wrong: the switches, and the mishaps that meet single requests."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

KINDS = {
    # Nothing is done.
    "too-many": "429 with an empty body",
    "error-before": "an error of the server (status), before anything was done",
    "drop-before": "the connection ends before anything is done",
    "hang-before": "no answer ever, and nothing done",
    "denied": "403, the key lacks the right",
    "not-found": "404, whatever is asked for",
    "transient": "409, the resource is in a transient state",
    "in-use": "412, the resource is still in use",
    "locked": "423, the resource is locked",
    "expired": "410, the resource has expired",
    "out-of-stock": "out_of_stock",
    "quota": "quotas_exceeded",
    "quota-old": "the older shape of the same",
    # All is done.
    "slow": "the answer comes delay_s later",
    "error-after": "an error of the server (status), after all was done",
    "drop-after": "the connection ends after all was done, before the answer",
    "hang-after": "no answer ever, and all was done",
    "cut": "half of the body, and the connection ends",
    "garbage": "200 with a page of HTML",
    # For POST servers alone: the volumes are made, the server is not.
    "half-created": "the volumes are made, then an error of the server (status)",
}
OUTAGES = frozenset({"503", "drop"})
ENDS = frozenset({"running", "stopped", "locked"})
STOCK = frozenset({"create", "poweron"})


class FaultError(ValueError):
    """A switch that does not exist, or a value it cannot have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishap:
    """Something that befalls requests: those of a method ("" is any) to a path (a regular expression that is searched for)."""

    kind: str
    method: str = ""
    path: str = ""
    # How many of them: 0 is all. So many pass unharmed first.
    times: int = 0
    skip: int = 0
    status: int = 500
    # slow: real seconds.
    delay_s: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise FaultError(f"kind: {self.kind!r} is none of {', '.join(KINDS)}")
        re.compile(self.path)

    def meets(self, method: str, path: str) -> bool:
        return self.method in {"", method} and re.search(self.path, path) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Everything that can be switched. Seconds are of the fake's clock, where nothing else is said."""

    mishaps: tuple[Mishap, ...] = ()
    # Real seconds before every answer; what was asked is done by then.
    slow_s: float = 0.0
    # From the moment it is set, for so long, all is answered with 503, or all connections end (down_how: "503" or "drop").
    down_s: float = 0.0
    down_how: str = "503"
    # More requests within a second are answered 429; 0 is no limit. The real one is about 100.
    requests_per_s: int = 0

    # Eventual consistency: what was created is missing from lists, and unknown by its id, for so long.
    listed_late_s: float = 0.0
    found_late_s: float = 0.0
    # What was deleted is still in lists for so long.
    listed_after_end_s: float = 0.0
    # After an action was accepted, a server is shown as it was before for so long; what is allowed goes by what it is.
    shown_late_s: float = 0.0

    # "GP1-S", "GP1-S@fr-par-1", "*@fr-par-1". shown: the availability says shortage.
    out_of_stock: tuple[str, ...] = ()
    out_of_stock_shown: bool = True
    # Whether it is told on create or only on poweron.
    out_of_stock_at: str = "create"
    # How many there may be: by type, and of "volumes", "ips", "security_groups", "ssh_keys". quota_old: the older shape.
    quotas: Mapping[str, int] = field(default_factory=dict)
    quota_old: bool = False
    # Sets of rights the key lacks: "instance", "block", "marketplace", "iam"; "write:instance" alone all but GET.
    denied: tuple[str, ...] = ()
    key_expired: bool = False

    # Tags that were sent with a create are not there afterwards.
    tags_lost: bool = False
    # Terminate leaves local volumes; the dynamic address stays as a reserved one, and bills.
    volumes_stay: bool = False
    dynamic_ip_stays: bool = False
    # A running server never gets its address.
    no_address: bool = False
    # States that servers never leave: "starting", "stopping".
    stuck: tuple[str, ...] = ()
    # Terminate is accepted, and the server is back to running when it is over.
    terminate_ignored: bool = False
    # What becomes of poweron: "running", "stopped" again, or "locked".
    start_ends: str = "running"

    # The request of this number is held, before or after it takes effect, until this is changed or its client has gone.
    hold_before: int = 0
    hold_after: int = 0

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Faults:
        """Check names and values, as they come from JSON; raises FaultError."""
        known = {entry.name for entry in fields(cls)}
        for name in values:
            if name not in known:
                raise FaultError(f"{name}: unknown switch; there are {', '.join(sorted(known))}")
        given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        try:
            mishaps = tuple(entry if isinstance(entry, Mishap) else Mishap(**entry) for entry in given.get("mishaps", ()))
        except TypeError as error:
            raise FaultError(f"mishaps: {error}") from error
        faults = cls(**{**given, "mishaps": mishaps})
        for name, allowed in (("down_how", OUTAGES), ("start_ends", ENDS), ("out_of_stock_at", STOCK)):
            if getattr(faults, name) not in allowed:
                raise FaultError(f"{name}: {getattr(faults, name)!r} is none of {', '.join(sorted(allowed))}")
        if unknown := set(faults.stuck) - {"starting", "stopping"}:
            raise FaultError(f"stuck: {', '.join(sorted(unknown))} cannot be")
        return faults

    def is_out_of_stock(self, commercial_type: str, zone: str) -> bool:
        return bool({commercial_type, f"{commercial_type}@{zone}", f"*@{zone}"} & set(self.out_of_stock))

    def denies(self, rights: str, method: str) -> bool:
        return rights in self.denied or (method != "GET" and f"write:{rights}" in self.denied)

    def as_values(self) -> dict[str, Any]:
        """Return them for JSON."""
        return asdict(self)


class Misfortune:
    """The faults of this moment, how often each mishap came, and since when."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.since_s = 0.0
        self._met: dict[Mishap, int] = {}

    def set(self, faults: Faults, now_s: float, changed: Collection[str]) -> None:
        """Change the faults. What is among those changed begins anew, even if it is as it was: mishaps count, an outage lasts."""
        if "down_s" in changed:
            self.since_s = now_s
        if "mishaps" in changed:
            self._met.clear()
        self.faults = faults

    def is_down(self, now_s: float) -> bool:
        return now_s - self.since_s < self.faults.down_s

    def meet(self, method: str, path: str) -> Mishap | None:
        """Return what befalls this request; of several the first."""
        chosen = None
        for mishap in self.faults.mishaps:
            if not mishap.meets(method, path):
                continue
            met = self._met[mishap] = self._met.get(mishap, 0) + 1
            is_due = met > mishap.skip and (mishap.times == 0 or met <= mishap.skip + mishap.times)
            if is_due and chosen is None:
                chosen = mishap
        return chosen
