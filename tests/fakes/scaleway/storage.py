"""The endpoints of volumes: local ones (instance API) and block ones (block API)."""

from __future__ import annotations

from typing import Any

from .catalogue import BLOCK_EUR_PER_GB_H, GB, LOCAL_EUR_PER_GB_H
from .context import Context, check_tags, has_tags, in_project
from .messages import Answer, Call, invalid_argument, invalid_fields, not_found, precondition_failed
from .records import Volume, new_id
from .shapes import show_block_volume, show_local_volume

LOCAL, BLOCK = "l_ssd", "sbs_volume"
_ORDERS = {"created_at": lambda row: row.created_s, "name": lambda row: row.name}


def check_size(size: object, name: str) -> int:
    if not isinstance(size, int) or isinstance(size, bool) or not GB <= size <= 10_000 * GB:
        raise invalid_argument(name, "constraint", f"must be between {GB} and {10_000 * GB}")
    return size


def add_volume(context: Context, volume: Volume) -> None:
    """Have a volume exist, and bill. Raises Refusal where the quota is reached."""
    alive = [row for row in context.world.volumes.values() if row.ended_s is None]
    context.check_quota("volumes", len(alive))
    context.world.volumes[volume.id] = volume
    rate = (LOCAL_EUR_PER_GB_H if volume.kind == LOCAL else BLOCK_EUR_PER_GB_H) * volume.size / GB
    context.world.begin_billing("volume", volume, rate, context.now_s)


def end_volume(context: Context, volume: Volume) -> Answer:
    if volume.server is not None or volume.detaching_from is not None:
        raise precondition_failed("resource_still_in_use", "the volume is attached to a server")
    volume.ended_s = context.now_s
    context.world.end_billing(volume.id, context.now_s)
    return Answer(status=204)


def find_volume(context: Context, call: Call, kind: str) -> Volume:
    """Return a volume, if the API asked is that of its kind: to the other it does not exist."""
    resource = {LOCAL: "instance_volume", BLOCK: "volume"}[kind]
    volume = context.find(context.world.volumes, resource, call.id, call.zone)
    if volume.kind != kind:
        raise not_found(resource, call.id)
    return volume


def rows_of(context: Context, call: Call, kind: str, project: str) -> list[Volume]:
    return [
        row
        for row in context.listed(context.world.volumes.values())
        if row.zone == call.zone and row.kind == kind and in_project(row, call, project) and (call.text("name") or "") in row.name
    ]


# The instance API.


def list_local(context: Context, call: Call) -> Answer:
    call.allow("project", "name", "tags", "volume_type")
    rows = [
        row
        for row in rows_of(context, call, LOCAL, "project")
        if has_tags(row, call.texts("tags")) and call.text("volume_type") in {None, row.kind}
    ]
    return call.page_of_instance("volumes", rows, lambda row: _show_local(context, row))


def create_local(context: Context, call: Call) -> Answer:
    fields = call.fields(("volume_type", "size"), ("name", "project", "organization", "tags"))
    project = context.check_project(fields)
    if fields["volume_type"] != LOCAL:
        raise invalid_fields(volume_type="not a valid value for dictionary value")
    volume = _make(context, call, fields, LOCAL, project)
    return Answer(status=201, body={"volume": _show_local(context, volume)})


def get_local(context: Context, call: Call) -> Answer:
    return Answer(body={"volume": _show_local(context, find_volume(context, call, LOCAL))})


def change_local(context: Context, call: Call) -> Answer:
    volume = find_volume(context, call, LOCAL)
    _change(context, volume, call.fields((), ("name", "tags", "size")))
    return Answer(body={"volume": _show_local(context, volume)})


def delete_local(context: Context, call: Call) -> Answer:
    return end_volume(context, find_volume(context, call, LOCAL))


def _show_local(context: Context, volume: Volume) -> dict[str, Any]:
    return show_local_volume(volume, context.world.servers[volume.server] if volume.server else None)


# The block API.


def list_block(context: Context, call: Call) -> Answer:
    """List block volumes; of the tags asked for one is enough, unlike everywhere else."""
    call.allow("project_id", "name", "tags", "order_by", "product_resource_id", "volume_ids", "volume_type", "include_deleted")
    tags, holder, ids = call.texts("tags"), call.text("product_resource_id"), call.texts("volume_ids")
    rows = [
        row
        for row in rows_of(context, call, BLOCK, "project_id")
        if (not tags or set(tags) & set(row.tags))
        and (holder is None or holder in {row.server, row.detaching_from})
        and (not ids or row.id in ids)
    ]
    key, _, direction = (call.text("order_by") or "created_at_asc").rpartition("_")
    if key not in _ORDERS or direction not in {"asc", "desc"}:
        raise invalid_argument("order_by", "constraint", "unknown order")
    rows.sort(key=_ORDERS[key], reverse=direction == "desc")
    return call.page_of_others("volumes", rows, show_block_volume)


def create_block(context: Context, call: Call) -> Answer:
    fields = call.fields(("name", "from_empty"), ("project_id", "organization_id", "tags", "perf_iops"))
    project = context.check_project(fields, "project_id")
    volume = _make(context, call, {**fields, "size": fields["from_empty"].get("size")}, BLOCK, project)
    volume.iops = fields.get("perf_iops", volume.iops)
    return Answer(body=show_block_volume(volume))


def get_block(context: Context, call: Call) -> Answer:
    return Answer(body=show_block_volume(find_volume(context, call, BLOCK)))


def change_block(context: Context, call: Call) -> Answer:
    volume = find_volume(context, call, BLOCK)
    _change(context, volume, call.fields((), ("name", "tags", "size", "perf_iops")))
    return Answer(body=show_block_volume(volume))


def delete_block(context: Context, call: Call) -> Answer:
    return end_volume(context, find_volume(context, call, BLOCK))


def _make(context: Context, call: Call, fields: dict[str, Any], kind: str, project: str) -> Volume:
    volume = Volume(
        id=new_id(),
        zone=call.zone,
        kind=kind,
        name=fields.get("name", "vol"),
        size=check_size(fields["size"], "size"),
        project=project,
        tags=context.keep_tags(fields),
        created_s=context.now_s,
        modified_s=context.now_s,
    )
    add_volume(context, volume)
    return volume


def _change(context: Context, volume: Volume, fields: dict[str, Any]) -> None:
    if "size" in fields and check_size(fields["size"], "size") < volume.size:
        raise invalid_argument("size", "constraint", "a volume cannot shrink")
    volume.name = fields.get("name", volume.name)
    volume.tags = check_tags(fields) if "tags" in fields else volume.tags
    volume.iops = fields.get("perf_iops", volume.iops)
    volume.modified_s = context.now_s
