"""The endpoints of reserved IPs and of security groups."""

from __future__ import annotations

from typing import Any

from .catalogue import IP_EUR_PER_H
from .context import Context, check_tags, has_tags, in_project
from .life import next_address
from .messages import Answer, Call, conflict, invalid_fields, not_found
from .records import Group, Ip, new_id
from .shapes import NO_TASK, show_group, show_ip

_GROUP = ("description", "stateful", "inbound_default_policy", "outbound_default_policy", "enable_default_security", "tags")
_OWNERS = ("project", "organization", "project_default", "organization_default")
_POLICIES = {"accept", "drop"}
_RULE = {
    *("id", "protocol", "direction", "action", "ip_range", "dest_port_from", "dest_port_to", "position", "editable", "zone"),
}
# Mail cannot be sent, and these rules cannot be taken away.
_SMTP_PORTS = (25, 465, 587)


def create_ip(context: Context, call: Call) -> Answer:
    fields = call.fields((), ("project", "organization", "type", "tags", "server"))
    project = context.check_project(fields)
    kind = fields.get("type", "routed_ipv4")
    if kind not in {"routed_ipv4", "routed_ipv6"}:
        raise invalid_fields(type="not a valid value for dictionary value")
    context.check_quota("ips", len(_reserved(context)))
    server = None
    if "server" in fields:
        server = context.find(context.world.servers, "instance_server", fields["server"], call.zone)
    ip = Ip(
        id=new_id(),
        zone=call.zone,
        address=next_address(context),
        project=project,
        tags=context.keep_tags(fields),
        kind=kind,
        server=server.id if server else None,
        created_s=context.now_s,
    )
    context.world.ips[ip.id] = ip
    context.world.begin_billing("ip", ip, IP_EUR_PER_H, context.now_s)
    return Answer(status=201, body={"ip": show_ip(context, ip)})


def _reserved(context: Context) -> list[Ip]:
    return [row for row in context.world.ips.values() if row.ended_s is None and not row.dynamic]


def list_ips(context: Context, call: Call) -> Answer:
    call.allow("project", "tags", "name", "type")
    rows = [
        row
        for row in context.listed(context.world.ips.values())
        if row.zone == call.zone
        and not row.dynamic
        and in_project(row, call)
        and has_tags(row, call.texts("tags"))
        and call.text("type") in {None, row.kind}
        and (call.text("name") or "") in (row.reverse or "")
    ]
    return call.page_of_instance("ips", rows, lambda row: show_ip(context, row))


def find_ip(context: Context, call: Call) -> Ip:
    """Return a reserved IP, by its id or its address."""
    by_address = [row.id for row in _reserved(context) if row.address == call.id]
    ip = context.find(context.world.ips, "instance_ip", by_address[0] if by_address else call.id, call.zone)
    if ip.dynamic:
        raise not_found("instance_ip", call.id)
    return ip


def get_ip(context: Context, call: Call) -> Answer:
    return Answer(body={"ip": show_ip(context, find_ip(context, call))})


def change_ip(context: Context, call: Call) -> Answer:
    ip = find_ip(context, call)
    fields = call.fields((), ("tags", "server", "reverse", "type"))
    ip.tags = check_tags(fields) if "tags" in fields else ip.tags
    ip.reverse = fields.get("reverse", ip.reverse)
    if "server" in fields:
        ip.server = context.find(context.world.servers, "instance_server", fields["server"], call.zone).id
    elif b'"server"' in call.request.body:
        ip.server = None
    return Answer(body={"ip": show_ip(context, ip)})


def delete_ip(context: Context, call: Call) -> Answer:
    ip = find_ip(context, call)
    ip.ended_s, ip.server = context.now_s, None
    context.world.end_billing(ip.id, context.now_s)
    return Answer(status=204)


def default_group(context: Context, zone: str) -> Group:
    """Return the group that servers are in which name none; a project has it from the beginning."""
    for group in context.world.groups.values():
        if group.is_default and group.zone == zone:
            return group
    group = Group(
        id=new_id(),
        zone=zone,
        name="Default security group",
        project=context.project,
        tags=[],
        description="Auto generated security group.",
        is_default=True,
        created_s=context.now_s - 86_400,
        modified_s=context.now_s - 86_400,
    )
    context.world.groups[group.id] = group
    return group


def create_group(context: Context, call: Call) -> Answer:
    fields = call.fields(("name",), (*_GROUP, *_OWNERS))
    project = context.check_project(fields)
    alive = [row for row in context.world.groups.values() if row.ended_s is None and not row.is_default]
    context.check_quota("security_groups", len(alive))
    group = Group(
        id=new_id(),
        zone=call.zone,
        name=fields["name"],
        project=project,
        tags=context.keep_tags(fields),
        created_s=context.now_s,
        modified_s=context.now_s,
    )
    _change_group(context, group, {name: value for name, value in fields.items() if name != "tags"})
    context.world.groups[group.id] = group
    return Answer(status=201, body={"security_group": show_group(context, group)})


def _change_group(context: Context, group: Group, fields: dict[str, Any]) -> None:
    for name in ("inbound_default_policy", "outbound_default_policy"):
        if fields.get(name, "accept") not in _POLICIES:
            raise invalid_fields(**{name: "not a valid value for dictionary value"})
    group.name = fields.get("name", group.name)
    group.description = fields.get("description", group.description)
    group.stateful = fields.get("stateful", group.stateful)
    group.inbound = fields.get("inbound_default_policy", group.inbound)
    group.outbound = fields.get("outbound_default_policy", group.outbound)
    group.default_security = fields.get("enable_default_security", group.default_security)
    group.tags = check_tags(fields) if "tags" in fields else group.tags
    group.modified_s = context.now_s


def list_groups(context: Context, call: Call) -> Answer:
    call.allow("project", "name", "tags", "project_default")
    default_group(context, call.zone)
    is_default = {None: None, "true": True, "false": False}[(call.text("project_default") or "").lower() or None]
    rows = [
        row
        for row in context.listed(context.world.groups.values())
        if row.zone == call.zone
        and in_project(row, call)
        and has_tags(row, call.texts("tags"))
        and is_default in {None, row.is_default}
        and (call.text("name") or "") in row.name
    ]
    return call.page_of_instance("security_groups", rows, lambda row: show_group(context, row))


def find_group(context: Context, call: Call) -> Group:
    return context.find(context.world.groups, "instance_security_group", call.id, call.zone)


def get_group(context: Context, call: Call) -> Answer:
    return Answer(body={"security_group": show_group(context, find_group(context, call))})


def change_group(context: Context, call: Call) -> Answer:
    group = find_group(context, call)
    _change_group(context, group, call.fields((), ("name", *_GROUP, *_OWNERS)))
    return Answer(body={"security_group": show_group(context, group)})


def delete_group(context: Context, call: Call) -> Answer:
    group = find_group(context, call)
    if group.is_default or show_group(context, group)["servers"]:
        raise conflict("Group is in use. You cannot delete it.")
    group.ended_s = context.now_s
    return Answer(status=204)


def list_rules(context: Context, call: Call) -> Answer:
    rules = [*_fixed_rules(call.zone), *find_group(context, call).rules]
    return call.page_of_instance("rules", rules, lambda row: row)


def set_rules(context: Context, call: Call) -> Answer:
    """Replace all rules that can be edited."""
    group = find_group(context, call)
    given = call.fields((), ("rules",)).get("rules", [])
    if not isinstance(given, list) or not all(isinstance(rule, dict) for rule in given):
        raise invalid_fields(rules="expected a list")
    group.rules = [_check_rule(rule, call.zone) for rule in given if rule.get("editable", True) or "id" not in rule]
    return Answer(body={"rules": [*_fixed_rules(call.zone), *group.rules]})


def add_rule(context: Context, call: Call) -> Answer:
    group = find_group(context, call)
    rule = _check_rule(call.fields((), tuple(_RULE)), call.zone)
    group.rules.append(rule)
    return Answer(status=201, body={"rule": rule})


def _check_rule(rule: dict[str, Any], zone: str) -> dict[str, Any]:
    for name in rule:
        if name not in _RULE:
            raise invalid_fields(**{f"rules.{name}": "extra keys not allowed"})
    for name, allowed in (
        ("protocol", {"TCP", "UDP", "ICMP", "ANY"}),
        ("direction", {"inbound", "outbound"}),
        ("action", _POLICIES),
    ):
        said = str(rule.get(name, ""))
        if (said.upper() if name == "protocol" else said) not in allowed:
            raise invalid_fields(**{f"rules.{name}": "not a valid value for dictionary value"})
    return {
        "id": new_id(),
        "protocol": rule["protocol"].upper(),
        "direction": rule["direction"],
        "action": rule["action"],
        "ip_range": rule.get("ip_range", "0.0.0.0/0"),
        "dest_port_from": rule.get("dest_port_from") or None,
        "dest_port_to": rule.get("dest_port_to") or None,
        "position": rule.get("position", 1),
        "editable": True,
        "zone": zone,
    }


def _fixed_rules(zone: str) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{NO_TASK[:-3]}{port:03}",
            "protocol": "TCP",
            "direction": "outbound",
            "action": "drop",
            "ip_range": "0.0.0.0/0",
            "dest_port_from": port,
            "dest_port_to": None,
            "position": position,
            "editable": False,
            "zone": zone,
        }
        for position, port in enumerate(_SMTP_PORTS, 1)
    ]
