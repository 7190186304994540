"""How the API shows what exists, field by field, as its official models have it."""

from __future__ import annotations

import hashlib
from typing import Any

from .catalogue import IMAGES, ORGANIZATION, Image, ServerType
from .context import Context, iso
from .life import addresses_of, allowed_actions, shown_state
from .records import Group, Ip, Key, Server, Volume

NO_TASK = "00000000-0000-0000-0000-000000000000"


def show_server(context: Context, server: Server) -> dict[str, Any]:
    ips = [
        show_server_ip(context, server, ip) for ip in addresses_of(context, server) if not ip.dynamic or server.state != "starting"
    ]
    group = context.world.groups[server.security_group]
    state, detail = shown_state(context, server)
    volumes = {key: context.world.volumes[identity] for key, identity in server.volumes.items()}
    return {
        "id": server.id,
        "name": server.name,
        "hostname": server.name.lower().replace(" ", "-"),
        "organization": ORGANIZATION,
        "project": server.project,
        "zone": server.zone,
        "arch": IMAGES[server.image].arch,
        "dns": f"{server.id}.pub.instances.scw.cloud",
        "commercial_type": server.commercial_type,
        "boot_type": server.boot_type,
        "bootscript": None,
        "state": state,
        "state_detail": detail,
        "allowed_actions": allowed_actions(server),
        "tags": server.tags,
        "protected": server.protected,
        "dynamic_ip_required": server.dynamic_ip_required,
        "routed_ip_enabled": True,
        "enable_ipv6": False,
        "ipv6": None,
        "private_ip": None,
        "public_ip": ips[0] if ips else None,
        "public_ips": ips,
        "mac_address": "de:00:00:" + ":".join(server.id[n : n + 2] for n in (0, 2, 4)),
        "private_nics": [],
        "extra_networks": [],
        "filesystems": [],
        "maintenances": [],
        "placement_group": None,
        "end_of_service": False,
        "admin_password_encryption_ssh_key_id": None,
        "admin_password_encrypted_value": None,
        "creation_date": iso(server.created_s),
        "modification_date": iso(server.modified_s),
        "image": show_image(IMAGES[server.image]),
        "security_group": {"id": group.id, "name": group.name},
        "volumes": {key: show_server_volume(volume, server) for key, volume in volumes.items()},
        "location": show_location(server),
    }


def show_location(server: Server) -> dict[str, str] | None:
    if server.state in {"stopped", "starting"}:
        return None
    return {"cluster_id": "1", "hypervisor_id": "101", "node_id": "1", "platform_id": "14", "zone_id": server.zone}


def show_server_ip(context: Context, server: Server, ip: Ip) -> dict[str, Any]:
    is_pending = server.state == "running" and context.now_s - ip.attached_s < context.timing.address_s
    return {
        "id": ip.id,
        "address": ip.address,
        "gateway": "62.210.0.1",
        "netmask": "32",
        "family": "inet",
        "dynamic": ip.dynamic,
        "provisioning_mode": "dhcp",
        "tags": ip.tags,
        "state": "pending" if is_pending else "attached",
        "ipam_id": NO_TASK,
    }


def show_image(image: Image) -> dict[str, Any]:
    root = {"id": image.id, "name": "", "size": 0}
    return {
        "id": image.id,
        "name": image.name,
        "arch": image.arch,
        "organization": NO_TASK,
        "project": NO_TASK,
        "zone": image.zone,
        "public": True,
        "state": "available",
        "tags": [],
        "from_server": "",
        "default_bootscript": None,
        "extra_volumes": {},
        "root_volume": {**root, "volume_type": "unified" if image.kind == "instance_local" else "sbs_snapshot"},
        "creation_date": "2026-06-01T08:00:00.000000+00:00",
        "modification_date": "2026-06-01T08:00:00.000000+00:00",
    }


def show_server_volume(volume: Volume, server: Server) -> dict[str, Any]:
    """Return a volume as its server shows it: of a block volume little more than its id."""
    if volume.kind == "sbs_volume":
        return {"boot": False, "volume_type": volume.kind, "id": volume.id, "state": "available", "zone": volume.zone}
    shown = show_local_volume(volume, server)
    del shown["tags"]
    return {**shown, "boot": False}


def show_local_volume(volume: Volume, server: Server | None) -> dict[str, Any]:
    return {
        "id": volume.id,
        "name": volume.name,
        "size": volume.size,
        "volume_type": volume.kind,
        "organization": ORGANIZATION,
        "project": volume.project,
        "zone": volume.zone,
        "tags": volume.tags,
        "state": "available",
        "export_uri": None,
        "server": None if server is None else {"id": server.id, "name": server.name},
        "creation_date": iso(volume.created_s),
        "modification_date": iso(volume.modified_s),
    }


def show_block_volume(volume: Volume) -> dict[str, Any]:
    holder = volume.server or volume.detaching_from
    return {
        "id": volume.id,
        "name": volume.name,
        "type": "sbs_5k" if volume.iops == 5000 else "sbs_15k",
        "size": volume.size,
        "project_id": volume.project,
        "zone": volume.zone,
        "tags": volume.tags,
        "parent_snapshot_id": None,
        "kms_key_id": None,
        "specs": {"perf_iops": volume.iops, "class": "sbs"},
        "status": "available" if holder is None else "in_use",
        "references": [] if holder is None else [show_reference(volume, holder)],
        "created_at": iso(volume.created_s, zulu=True),
        "updated_at": iso(volume.modified_s, zulu=True),
        "last_detached_at": None if volume.detached_s is None or holder else iso(volume.detached_s, zulu=True),
    }


def show_reference(volume: Volume, holder: str) -> dict[str, Any]:
    return {
        # Of its own, and the same whenever it is shown.
        "id": f"{volume.id[:24]}{holder[24:]}",
        "product_resource_type": "instance_server",
        "product_resource_id": holder,
        "type": "exclusive",
        "status": "attached" if volume.server else "detaching",
        "created_at": iso(volume.created_s, zulu=True),
    }


def show_ip(context: Context, ip: Ip) -> dict[str, Any]:
    server = context.world.servers[ip.server] if ip.server else None
    return {
        "id": ip.id,
        "address": ip.address,
        "prefix": None,
        "reverse": ip.reverse,
        "server": None if server is None else {"id": server.id, "name": server.name},
        "organization": ORGANIZATION,
        "project": ip.project,
        "zone": ip.zone,
        "type": ip.kind,
        "state": "detached" if server is None else "attached",
        "tags": ip.tags,
        "ipam_id": NO_TASK,
    }


def show_group(context: Context, group: Group) -> dict[str, Any]:
    users = [row for row in context.world.servers.values() if row.security_group == group.id and row.ended_s is None]
    return {
        "id": group.id,
        "name": group.name,
        "description": group.description,
        "organization": ORGANIZATION,
        "project": group.project,
        "zone": group.zone,
        "tags": group.tags,
        "state": "available",
        "stateful": group.stateful,
        "inbound_default_policy": group.inbound,
        "outbound_default_policy": group.outbound,
        "enable_default_security": group.default_security,
        "organization_default": group.is_default,
        "project_default": group.is_default,
        "servers": [{"id": row.id, "name": row.name} for row in users],
        "creation_date": iso(group.created_s),
        "modification_date": iso(group.modified_s),
    }


def show_type(entry: ServerType) -> dict[str, Any]:
    local = {"min_size": 0, "max_size": entry.local_bytes}
    interface = {"internal_bandwidth": entry.bandwidth, "internet_bandwidth": entry.bandwidth}
    return {
        "alt_names": [],
        "arch": entry.arch,
        "ncpus": entry.ncpus,
        "ram": entry.ram,
        "gpu": 0,
        "gpu_info": None,
        "hourly_price": entry.eur_per_h,
        "monthly_price": round(entry.eur_per_h * 730, 2),
        "volumes_constraint": local,
        "per_volume_constraint": {"l_ssd": {"min_size": 0, "max_size": entry.local_bytes}},
        "network": {
            "interfaces": [interface],
            "sum_internal_bandwidth": entry.bandwidth,
            "sum_internet_bandwidth": entry.bandwidth,
            "ipv6_support": True,
        },
        "capabilities": {"block_storage": True, "boot_types": ["local", "rescue"], "max_file_systems": 0},
        "scratch_storage_max_size": 0,
        "scratch_storage_max_volumes_count": 0,
        "block_bandwidth": entry.bandwidth,
        "end_of_service": entry.end_of_service,
    }


def show_key(key: Key) -> dict[str, Any]:
    digest = hashlib.md5(key.public_key.encode(), usedforsecurity=False).hexdigest()
    pairs = ":".join(digest[n : n + 2] for n in range(0, 32, 2))
    return {
        "id": key.id,
        "name": key.name,
        "public_key": key.public_key,
        "fingerprint": f"256 MD5:{pairs} {key.name} (ssh-ed25519)",
        "organization_id": ORGANIZATION,
        "project_id": key.project,
        "disabled": key.disabled,
        "created_at": iso(key.created_s, zulu=True),
        "updated_at": iso(key.modified_s, zulu=True),
    }
