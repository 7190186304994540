"""Scaleway's answers as typed values. Pure; what is not understood raises PeerError."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

from plexguard.cloud_run.providers.provider import Offer
from plexguard.cloud_run.rent.labels import read_label
from plexguard.cloud_run.rent.resources import Key, Kind, Resource
from plexguard.core.errors import PeerError

T = TypeVar("T")
# The state of a machine that was shut down from inside: as it is sent, and as the official Python client calls it.
STANDBY = frozenset({"stopped in place", "stopped_in_place"})


def _take(row: Any, key: str, kind: type[T]) -> T:
    value = row.get(key) if isinstance(row, dict) else None
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise PeerError(f"Scaleway: {key} is {'missing' if value is None else 'of the wrong kind'} in an answer")
    return value


def _number(row: Any, key: str) -> float:
    value = row.get(key) if isinstance(row, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e18:
        raise PeerError(f"Scaleway: {key} is no number in an answer")
    return float(value)


def _time(row: Mapping[str, Any], key: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(row.get(key, "")))
    except ValueError:
        return None
    return time if time.tzinfo is not None else None


def _id(row: Any) -> str:
    found = _take(row, "id", str)
    # It becomes part of an address.
    if not found or not all(character.isalnum() or character == "-" for character in found):
        raise PeerError(f"Scaleway: {found[:40]!r} is no id")
    return found


def _tags(row: Mapping[str, Any]) -> list[str]:
    return [tag for tag in row.get("tags") or [] if isinstance(tag, str)]


def parse_server(row: Any, zone: str) -> Resource:
    name, volumes = _take(row, "name", str), row.get("volumes") or {}
    return Resource(
        key=Key(kind=Kind.SERVER, id=_id(row), zone=zone),
        name=name,
        label=read_label(_tags(row), name),
        state=_take(row, "state", str),
        type=_take(row, "commercial_type", str),
        created=_time(row, "creation_date"),
        parts=(*(_volume_key(volume, zone) for volume in volumes.values()), *_dynamic_keys(row.get("public_ips") or [], zone)),
        addresses=tuple(_addresses(row.get("public_ips") or [])),
    )


def _volume_key(row: Any, zone: str) -> Key:
    kind = Kind.BLOCK_VOLUME if _take(row, "volume_type", str) == "sbs_volume" else Kind.LOCAL_VOLUME
    return Key(kind=kind, id=_id(row), zone=zone)


def _dynamic_keys(rows: Any, zone: str) -> Iterator[Key]:
    """Yield the addresses that a machine was given with it. One that was reserved is somebody's, and stays."""
    for row in rows:
        if isinstance(row, dict) and row.get("dynamic") is True:
            yield Key(kind=Kind.ADDRESS, id=_id(row), zone=zone)


def _addresses(rows: Any) -> Iterator[str]:
    for row in rows:
        if isinstance(row, dict) and row.get("family", "inet") == "inet" and isinstance(row.get("address"), str):
            yield row["address"]


def parse_local_volume(row: Any, zone: str) -> Resource:
    """A volume of the Instance API. Its root volume bears the image's name until it is given one."""
    name = _take(row, "name", str)
    return Resource(
        key=Key(kind=Kind.LOCAL_VOLUME, id=_id(row), zone=zone),
        name=name,
        label=read_label(_tags(row), name),
        state=str(row.get("state", "")),
        type=str(row.get("volume_type", "")),
        size_bytes=int(_number(row, "size")),
        created=_time(row, "creation_date"),
        holder=_id(row["server"]) if row.get("server") else "",
    )


def parse_block_volume(row: Any, zone: str) -> Resource:
    name, references = _take(row, "name", str), row.get("references") or []
    return Resource(
        key=Key(kind=Kind.BLOCK_VOLUME, id=_id(row), zone=zone),
        name=name,
        label=read_label(_tags(row), name),
        state=str(row.get("status", "")),
        type="sbs_volume",
        size_bytes=int(_number(row, "size")),
        created=_time(row, "created_at"),
        holder=next((str(reference.get("product_resource_id", "")) for reference in references if isinstance(reference, dict)), ""),
    )


def parse_address(row: Any, zone: str) -> Resource:
    return Resource(
        key=Key(kind=Kind.ADDRESS, id=_id(row), zone=zone),
        name=str(row.get("address", "")),
        label=read_label(_tags(row), ""),
        state=str(row.get("state", "")),
        type=str(row.get("type", "")),
        holder=_id(row["server"]) if row.get("server") else "",
    )


def parse_offer(name: str, row: Any, availability: str) -> Offer:
    """availability: "available", "scarce" or "shortage"; "" when it was not told, which is not for having none."""
    constraint = row.get("volumes_constraint") if isinstance(row, dict) else None
    return Offer(
        type=name,
        cpus=int(_number(row, "ncpus")),
        ram_bytes=int(_number(row, "ram")),
        hourly_euros=_number(row, "hourly_price"),
        local_disk_bytes=int(_number(constraint, "max_size")) if isinstance(constraint, dict) and constraint.get("max_size") else 0,
        is_free=availability != "shortage",
        is_ending=row.get("end_of_service") is True,
    )


def find_image(rows: list[Any], type_name: str) -> str:
    """Return the id of the image that a type can start from, "" when there is none."""
    return next((_id(row) for row in rows if type_name in (row.get("compatible_commercial_types") or [])), "")
