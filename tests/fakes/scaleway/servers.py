"""The endpoints of servers: create, find, change, act, delete, and their user data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .catalogue import IMAGES, MIN_SYSTEM_BYTES, Image, compatible_types, types_in
from .context import Context, check_tags, has_tags, in_project, iso
from .life import act, addresses_of, end_server
from .messages import (
    Answer,
    Call,
    Refusal,
    invalid_argument,
    invalid_fields,
    invalid_request,
    not_found,
    out_of_stock,
    precondition_failed,
    server_error,
)
from .network import default_group
from .records import Server, Volume, new_id
from .shapes import NO_TASK, show_server
from .storage import add_volume, check_size, end_volume

_NAME = re.compile(r"[A-Za-z0-9. -]+")
_CREATE = (
    *("name", "project", "organization", "image", "volumes", "dynamic_ip_required", "boot_type", "tags", "security_group"),
    *("protected", "routed_ip_enabled", "enable_ipv6", "public_ip", "public_ips"),
)
_CHANGE = ("name", "tags", "protected", "dynamic_ip_required", "boot_type", "security_group", "routed_ip_enabled")
_FILTERS = (
    *("name", "project", "tags", "state", "commercial_type", "order", "servers", "with_ip", "without_ip"),
    *("private_ip", "private_network", "private_networks", "private_nic_mac_address"),
)
_ACTIONS = ("poweron", "poweroff", "stop_in_place", "reboot", "terminate", "backup", "enable_routed_ip")
_FREE_KEY = re.compile(r"[A-Za-z0-9._-]+")


def create_server(context: Context, call: Call) -> Answer:
    fields = call.fields(("commercial_type",), _CREATE)
    project = context.check_project(fields)
    check_fields(fields)
    tags = context.keep_tags(fields)
    image = find_image(fields, call.zone)
    templates = check_volumes(context, fields, image, call.zone)
    _check_room(context, fields["commercial_type"], call.zone)
    group = _find_group(context, fields, call.zone)
    ips = [context.find(context.world.ips, "instance_ip", identity, call.zone) for identity in _ips_of(fields)]
    if any(ip.server is not None for ip in ips):
        raise precondition_failed("resource_still_in_use", "the IP is attached to another server")
    server = Server(
        id=new_id(),
        zone=call.zone,
        name=fields.get("name", f"scw-{new_id()[:8]}"),
        project=project,
        commercial_type=fields["commercial_type"],
        image=image.id,
        security_group=group,
        tags=tags,
        dynamic_ip_required=fields.get("dynamic_ip_required", True),
        protected=fields.get("protected", False),
        boot_type=fields.get("boot_type", "local"),
        created_s=context.now_s,
        modified_s=context.now_s,
    )
    _take_volumes(context, server, templates, image)
    if context.half_created:
        for identity in server.volumes.values():
            context.world.volumes[identity].server = None
        raise server_error(context.half_created)
    for ip in ips:
        ip.server = server.id
    context.world.servers[server.id] = server
    return Answer(status=201, body={"server": show_server(context, server)})


def check_fields(fields: Mapping[str, Any]) -> None:
    """Check the types of what a server is made or changed with. Raises Refusal."""
    for name in ("dynamic_ip_required", "protected", "routed_ip_enabled", "enable_ipv6"):
        if not isinstance(fields.get(name, True), bool):
            raise invalid_fields(**{name: "expected bool"})
    name = fields.get("name", "name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise invalid_argument("name", "constraint", "only letters, digits, dots, spaces and dashes")
    if fields.get("boot_type", "local") not in {"local", "rescue", "bootscript"}:
        raise invalid_fields(boot_type="not a valid value for dictionary value")
    if fields.get("routed_ip_enabled") is False or fields.get("enable_ipv6"):
        raise invalid_request("routed IPs cannot be left")


def find_image(fields: Mapping[str, Any], zone: str) -> Image:
    """Return the image of a server; labels are refused, since nobody knows that they work."""
    if "image" not in fields:
        raise invalid_argument("image", "required", "required key not provided")
    image = IMAGES.get(fields["image"])
    if image is None or image.zone != zone:
        raise not_found("instance_image", str(fields["image"]))
    return image


def check_volumes(context: Context, fields: Mapping[str, Any], image: Image, zone: str) -> dict[str, dict[str, Any]]:
    """Return what each volume is to be, filled up. Raises Refusal."""
    kind = types_in(zone).get(fields["commercial_type"])
    if kind is None:
        raise invalid_argument("commercial_type", "unknown", f"{fields['commercial_type']} is not offered in {zone}")
    if kind.end_of_service:
        raise invalid_argument("commercial_type", "constraint", f"{kind.name} is at its end of service")
    if kind.arch != image.arch:
        raise invalid_request(f"the image is for {image.arch}, {kind.name} is {kind.arch}")
    given = fields.get("volumes", {})
    if not isinstance(given, dict) or not all(key.isdigit() and isinstance(value, dict) for key, value in given.items()):
        raise invalid_fields(volumes="expected a dictionary")
    templates = {"0": {}, **given}
    for key, template in templates.items():
        allowed = {"volume_type", "size", "boot"} if key == "0" else {"id", "name", "volume_type", "size", "boot", "project"}
        for name in template:
            if name not in allowed:
                raise invalid_fields(**{f"volumes.{key}.{name}": "extra keys not allowed"})
        if "id" in template:
            continue
        template = templates[key] = {"volume_type": image.volume_type, **template}
        # The official client sends 0 where nothing is said.
        template["size"] = check_size(template.get("size") or MIN_SYSTEM_BYTES, f"volumes.{key}.size")
        if template["volume_type"] not in {"l_ssd", "sbs_volume"}:
            raise invalid_fields(**{f"volumes.{key}.volume_type": "not a valid value for dictionary value"})
    if templates["0"]["volume_type"] != image.volume_type:
        raise invalid_request(f"the image is for {image.volume_type}, the volume is {templates['0']['volume_type']}")
    if templates["0"]["size"] < MIN_SYSTEM_BYTES:
        raise invalid_argument("volumes.0.size", "constraint", f"must be at least {MIN_SYSTEM_BYTES}")
    local = sum(template["size"] for template in templates.values() if template.get("volume_type") == "l_ssd")
    if local > kind.local_bytes:
        raise invalid_argument("volumes", "constraint", f"The total size of local-volume(s) must be at most {kind.local_bytes}")
    return templates


def _check_room(context: Context, commercial_type: str, zone: str) -> None:
    faults = context.faults
    alive = [row for row in context.world.servers.values() if row.ended_s is None and row.commercial_type == commercial_type]
    context.check_quota(commercial_type, len(alive))
    if faults.out_of_stock_at == "create" and faults.is_out_of_stock(commercial_type, zone):
        raise out_of_stock(commercial_type)


def _find_group(context: Context, fields: Mapping[str, Any], zone: str) -> str:
    if "security_group" not in fields:
        return default_group(context, zone).id
    return context.find(context.world.groups, "instance_security_group", fields["security_group"], zone).id


def _ips_of(fields: Mapping[str, Any]) -> list[str]:
    listed = fields.get("public_ips", [])
    if not isinstance(listed, list):
        raise invalid_fields(public_ips="expected a list")
    return [*listed, *([fields["public_ip"]] if fields.get("public_ip") else [])]


def _take_volumes(context: Context, server: Server, templates: Mapping[str, Mapping[str, Any]], image: Image) -> None:
    """Give a server its volumes: all of them, or none."""
    try:
        for key, template in sorted(templates.items()):
            server.volumes[key] = _take_volume(context, server, template, image if key == "0" else None)
    except Refusal:
        for key, identity in server.volumes.items():
            volume = context.world.volumes[identity]
            volume.server = None
            if "id" not in templates[key]:
                end_volume(context, volume)
        raise


def _take_volume(context: Context, server: Server, template: Mapping[str, Any], image: Image | None) -> str:
    """Make a volume, or take one that is there, and return its id."""
    if "id" in template:
        volume = context.find(context.world.volumes, "instance_volume", template["id"], server.zone)
        if volume.server is not None:
            raise precondition_failed("resource_still_in_use", "the volume is attached to another server")
        volume.server = server.id
        return volume.id
    kind = template["volume_type"]
    name = template.get("name", "")
    if image is not None:
        name = image.name if kind == "l_ssd" else f"{image.name}_sbs_volume_0"
    volume = Volume(
        id=new_id(),
        zone=server.zone,
        kind=kind,
        name=name or f"{server.name}-vol",
        size=template["size"],
        project=server.project,
        tags=[],
        server=server.id,
        created_s=context.now_s,
        modified_s=context.now_s,
    )
    add_volume(context, volume)
    return volume.id


def list_servers(context: Context, call: Call) -> Answer:
    call.allow(*_FILTERS)
    order = call.text("order") or "creation_date_desc"
    key, _, direction = order.rpartition("_")
    if key not in {"creation_date", "modification_date"} or direction not in {"asc", "desc"}:
        raise invalid_argument("order", "constraint", "unknown order")
    rows = [
        row for row in context.listed(context.world.servers.values()) if row.zone == call.zone and _is_asked_for(context, call, row)
    ]
    rows.sort(key=lambda row: row.created_s if key == "creation_date" else row.modified_s, reverse=direction == "desc")
    return call.page_of_instance("servers", rows, lambda row: show_server(context, row))


def _is_asked_for(context: Context, call: Call, server: Server) -> bool:
    addresses = [ip.address for ip in addresses_of(context, server)]
    return (
        in_project(server, call)
        and (call.text("name") or "") in server.name
        and has_tags(server, call.texts("tags"))
        and call.text("state") in {None, server.state}
        and call.text("commercial_type") in {None, server.commercial_type}
        and (not call.texts("servers") or server.id in call.texts("servers"))
        and (call.text("with_ip") is None or call.text("with_ip") in addresses)
        and ((call.text("without_ip") or "").lower() != "true" or not addresses)
    )


def find_server(context: Context, call: Call) -> Server:
    return context.find(context.world.servers, "instance_server", call.id, call.zone)


def get_server(context: Context, call: Call) -> Answer:
    return Answer(body={"server": show_server(context, find_server(context, call))})


def change_server(context: Context, call: Call) -> Answer:
    server = find_server(context, call)
    fields = call.fields((), _CHANGE)
    check_fields(fields)
    server.name = fields.get("name", server.name)
    server.tags = check_tags(fields) if "tags" in fields else server.tags
    server.protected = fields.get("protected", server.protected)
    server.boot_type = fields.get("boot_type", server.boot_type)
    server.dynamic_ip_required = fields.get("dynamic_ip_required", server.dynamic_ip_required)
    if "security_group" in fields:
        if not isinstance(fields["security_group"], dict):
            raise invalid_fields(security_group="expected a dictionary")
        server.security_group = _find_group(context, {"security_group": fields["security_group"].get("id")}, call.zone)
    server.modified_s = context.now_s
    return Answer(body={"server": show_server(context, server)})


def delete_server(context: Context, call: Call) -> Answer:
    """Delete a server that is stopped; its local volumes stay, and bill."""
    server = find_server(context, call)
    if server.state != "stopped":
        raise invalid_request("server should be stopped")
    if server.protected:
        raise precondition_failed("attribute_must_be_set", "protected must be false")
    end_server(context, server, context.now_s, ends_local=False)
    context.begin("terminate", server)
    return Answer(status=204)


def do_action(context: Context, call: Call) -> Answer:
    server = find_server(context, call)
    fields = call.fields(("action",), ("name", "volumes", "disable_ipv6"))
    if fields["action"] not in _ACTIONS:
        raise invalid_fields(action="not a valid value for dictionary value")
    act(context, server, fields["action"])
    place = f"/zones/{server.zone}/servers/{server.id}"
    task = {
        # Nobody can ask for it again.
        "id": NO_TASK,
        "description": f"server_batch_{fields['action']}",
        "status": "pending",
        "progress": 0,
        "started_at": iso(context.now_s),
        "terminated_at": None,
        "href_from": f"{place}/action",
        "href_result": place,
        "zone": server.zone,
    }
    return Answer(status=202, body={"task": task})


def list_actions(context: Context, call: Call) -> Answer:
    return Answer(body={"actions": show_server(context, find_server(context, call))["allowed_actions"]})


def list_user_data(context: Context, call: Call) -> Answer:
    return Answer(body={"user_data": sorted(find_server(context, call).user_data)})


def get_user_data(context: Context, call: Call) -> Answer:
    server = find_server(context, call)
    if call.parts["key"] not in server.user_data:
        return Answer(status=404)
    text = server.user_data[call.parts["key"]]
    return Answer(body=text.encode("latin-1"), content_type="text/plain; charset=utf-8")


def set_user_data(context: Context, call: Call) -> Answer:
    server = find_server(context, call)
    key = call.parts["key"]
    if not _FREE_KEY.fullmatch(key):
        raise invalid_request("invalid key")
    if not call.request.headers.get("content-type", "").startswith("text/plain"):
        raise invalid_request("the content type must be text/plain")
    server.user_data[key] = call.request.body.decode("latin-1")
    return Answer(status=204)


def delete_user_data(context: Context, call: Call) -> Answer:
    server = find_server(context, call)
    if server.user_data.pop(call.parts["key"], None) is None:
        return Answer(status=404)
    return Answer(status=204)


def list_compatible_types(context: Context, call: Call) -> Answer:
    server = find_server(context, call)
    return Answer(body={"compatible_types": compatible_types(IMAGES[server.image])})
