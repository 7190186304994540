"""What was spent: each resource at least an hour for each uninterrupted time it was there, instances by started hours, storage
and addresses for as long as they are (SCALEWAY.md, part 4)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .records import Period, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """kind: server, volume or ip. is_open: it bills on."""

    kind: str
    id: str
    name: str
    zone: str
    hours: float
    eur: float
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """Something that exists. kind: server, l_ssd, sbs_volume or ip (a dynamic one of a running server too)."""

    kind: str
    id: str
    name: str
    zone: str
    state: str
    tags: tuple[str, ...]


def charge(period: Period, now_s: float) -> Charge:
    is_open = period.end_s is None or period.end_s > now_s
    lasted_h = ((now_s if period.end_s is None else min(period.end_s, now_s)) - period.begin_s) / 3600
    hours = max(1.0, math.ceil(lasted_h - 1e-9) if period.hourly else lasted_h)
    return Charge(
        kind=period.kind,
        id=period.resource,
        name=period.name,
        zone=period.zone,
        hours=hours,
        eur=hours * period.eur_per_h,
        is_open=is_open,
    )


def meter(world: World, now_s: float) -> list[Charge]:
    return [charge(period, now_s) for period in world.periods]


def leftovers(world: World) -> list[Leftover]:
    """Return every server, volume and IP there is."""
    servers = [
        Leftover(kind="server", id=row.id, name=row.name, zone=row.zone, state=row.state, tags=tuple(row.tags))
        for row in world.servers.values()
        if row.ended_s is None
    ]
    volumes = [
        Leftover(kind=row.kind, id=row.id, name=row.name, zone=row.zone, state=attached(row.server), tags=tuple(row.tags))
        for row in world.volumes.values()
        if row.ended_s is None
    ]
    ips = [
        Leftover(kind="ip", id=row.id, name=row.address, zone=row.zone, state=attached(row.server), tags=tuple(row.tags))
        for row in world.ips.values()
        if row.ended_s is None
    ]
    return [*servers, *volumes, *ips]


def attached(server: str | None) -> str:
    return "detached" if server is None else f"attached to {server}"
