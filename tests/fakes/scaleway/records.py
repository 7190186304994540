"""What exists and what existed, and how it is kept. Times are seconds since 1970 on the fake's clock."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How many seconds each step takes; the medians of SCALEWAY.md, part 5."""

    start_local_s: float = 16.0
    start_block_s: float = 5.0
    poweroff_s: float = 10.0
    standby_s: float = 5.0
    reboot_s: float = 5.0
    terminate_s: float = 5.0
    # From the end of a server to that of the reference its block volumes keep to it.
    detach_s: float = 5.0
    # From running to an address that is attached.
    address_s: float = 2.0
    # From poweroff in the guest to standby; not known of the real one.
    guest_s: float = 10.0

    def scaled(self, factor: float) -> Timing:
        return Timing(**{name: seconds * factor for name, seconds in asdict(self).items()})

    @classmethod
    def none(cls) -> Timing:
        """Every step is over at once, at the next request."""
        return cls().scaled(0.0)


@dataclass(slots=True, kw_only=True)
class Server:
    """step: what it is going through ("" nothing): start, poweroff, standby, guest, reboot, terminate."""

    id: str
    zone: str
    name: str
    project: str
    commercial_type: str
    image: str
    security_group: str
    tags: list[str]
    volumes: dict[str, str] = field(default_factory=dict)
    dynamic_ip_required: bool = True
    protected: bool = False
    boot_type: str = "local"
    created_s: float
    modified_s: float
    state: str = "stopped"
    detail: str = ""
    step: str = ""
    # State and detail before the step.
    before: list[str] = field(default_factory=list)
    since_s: float = 0.0
    due_s: float = 0.0
    user_data: dict[str, str] = field(default_factory=dict)
    # The address its machine has, if there is a real one.
    machine: str = ""
    ended_s: float | None = None


@dataclass(slots=True, kw_only=True)
class Volume:
    """kind: l_ssd, of the instance API, or sbs_volume, of the block API."""

    id: str
    zone: str
    kind: str
    name: str
    size: int
    project: str
    tags: list[str]
    iops: int = 5000
    server: str | None = None
    created_s: float
    modified_s: float
    # A block volume still has its reference until then.
    detaching_from: str | None = None
    detached_s: float | None = None
    ended_s: float | None = None


@dataclass(slots=True, kw_only=True)
class Ip:
    """dynamic: comes and goes with a running server, and is not among the IPs that are listed."""

    id: str
    zone: str
    address: str
    project: str
    tags: list[str]
    dynamic: bool = False
    kind: str = "routed_ipv4"
    reverse: str | None = None
    server: str | None = None
    created_s: float
    attached_s: float = 0.0
    ended_s: float | None = None


@dataclass(slots=True, kw_only=True)
class Group:
    """rules: as they are shown, those that cannot be edited left out."""

    id: str
    zone: str
    name: str
    project: str
    tags: list[str]
    description: str = ""
    stateful: bool = True
    inbound: str = "accept"
    outbound: str = "accept"
    is_default: bool = False
    default_security: bool = True
    rules: list[dict[str, Any]] = field(default_factory=list)
    created_s: float
    modified_s: float
    ended_s: float | None = None


@dataclass(slots=True, kw_only=True)
class Key:
    id: str
    name: str
    public_key: str
    project: str
    created_s: float
    modified_s: float
    disabled: bool = False
    ended_s: float | None = None


@dataclass(slots=True, kw_only=True)
class Period:
    """An uninterrupted time for which something bills. hourly: by started hours."""

    kind: str
    resource: str
    name: str
    zone: str
    eur_per_h: float
    hourly: bool
    begin_s: float
    end_s: float | None = None


@dataclass(slots=True, kw_only=True)
class World:
    servers: dict[str, Server] = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)
    ips: dict[str, Ip] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    periods: list[Period] = field(default_factory=list)
    # What pass_time() added to the clock.
    passed_s: float = 0.0

    def begin_billing(self, kind: str, of: Server | Volume | Ip, eur_per_h: float, now_s: float, *, hourly: bool = False) -> None:
        name = of.address if isinstance(of, Ip) else of.name
        self.periods.append(
            Period(kind=kind, resource=of.id, name=name, zone=of.zone, eur_per_h=eur_per_h, hourly=hourly, begin_s=now_s)
        )

    def end_billing(self, resource: str, now_s: float) -> None:
        for period in self.periods:
            if period.resource == resource and period.end_s is None:
                period.end_s = now_s


_KEPT = {"servers": Server, "volumes": Volume, "ips": Ip, "groups": Group, "keys": Key}


def new_id() -> str:
    return str(uuid.uuid4())


def save_world(world: World, path: Path) -> None:
    """Write all of it, so that either the old or the new is there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(asdict(world)), encoding="utf-8")
    temporary.replace(path)


def load_world(path: Path) -> World:
    """Read it; where there is no file, nothing exists."""
    if not path.exists():
        return World()
    values = json.loads(path.read_text(encoding="utf-8"))
    assert set(values) == {entry.name for entry in fields(World)}, path
    tables = {name: {key: kind(**row) for key, row in values[name].items()} for name, kind in _KEPT.items()}
    return World(**tables, periods=[Period(**row) for row in values["periods"]], passed_s=values["passed_s"])
