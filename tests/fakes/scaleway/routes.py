"""Which path is which endpoint, and which set of rights it needs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from . import network, products, servers, storage
from .catalogue import ZONES
from .context import Context
from .messages import Answer, Call, Refusal, Request, invalid_argument, unknown_resource

Endpoint = Callable[[Context, Call], Answer]
_INSTANCE = "/instance/v1/zones/{zone}"
# v1alpha1 is still answered beside v1.
_BLOCK = "/block/{version}/zones/{zone}"
_TABLE: tuple[tuple[str, str, Endpoint], ...] = (
    ("GET", f"{_INSTANCE}/products/servers", products.list_types),
    ("GET", f"{_INSTANCE}/products/servers/availability", products.list_stock),
    ("GET", f"{_INSTANCE}/images/{{id}}", products.get_image),
    ("POST", f"{_INSTANCE}/servers", servers.create_server),
    ("GET", f"{_INSTANCE}/servers", servers.list_servers),
    ("GET", f"{_INSTANCE}/servers/{{id}}", servers.get_server),
    ("PATCH", f"{_INSTANCE}/servers/{{id}}", servers.change_server),
    ("DELETE", f"{_INSTANCE}/servers/{{id}}", servers.delete_server),
    ("GET", f"{_INSTANCE}/servers/{{id}}/action", servers.list_actions),
    ("POST", f"{_INSTANCE}/servers/{{id}}/action", servers.do_action),
    ("GET", f"{_INSTANCE}/servers/{{id}}/compatible-types", servers.list_compatible_types),
    ("GET", f"{_INSTANCE}/servers/{{id}}/user_data", servers.list_user_data),
    ("GET", f"{_INSTANCE}/servers/{{id}}/user_data/{{key}}", servers.get_user_data),
    ("PATCH", f"{_INSTANCE}/servers/{{id}}/user_data/{{key}}", servers.set_user_data),
    ("DELETE", f"{_INSTANCE}/servers/{{id}}/user_data/{{key}}", servers.delete_user_data),
    ("GET", f"{_INSTANCE}/volumes", storage.list_local),
    ("POST", f"{_INSTANCE}/volumes", storage.create_local),
    ("GET", f"{_INSTANCE}/volumes/{{id}}", storage.get_local),
    ("PATCH", f"{_INSTANCE}/volumes/{{id}}", storage.change_local),
    ("DELETE", f"{_INSTANCE}/volumes/{{id}}", storage.delete_local),
    ("GET", f"{_INSTANCE}/ips", network.list_ips),
    ("POST", f"{_INSTANCE}/ips", network.create_ip),
    ("GET", f"{_INSTANCE}/ips/{{id}}", network.get_ip),
    ("PATCH", f"{_INSTANCE}/ips/{{id}}", network.change_ip),
    ("DELETE", f"{_INSTANCE}/ips/{{id}}", network.delete_ip),
    ("GET", f"{_INSTANCE}/security_groups", network.list_groups),
    ("POST", f"{_INSTANCE}/security_groups", network.create_group),
    ("GET", f"{_INSTANCE}/security_groups/{{id}}", network.get_group),
    ("PATCH", f"{_INSTANCE}/security_groups/{{id}}", network.change_group),
    ("DELETE", f"{_INSTANCE}/security_groups/{{id}}", network.delete_group),
    ("GET", f"{_INSTANCE}/security_groups/{{id}}/rules", network.list_rules),
    ("POST", f"{_INSTANCE}/security_groups/{{id}}/rules", network.add_rule),
    ("PUT", f"{_INSTANCE}/security_groups/{{id}}/rules", network.set_rules),
    ("GET", f"{_BLOCK}/volumes", storage.list_block),
    ("POST", f"{_BLOCK}/volumes", storage.create_block),
    ("GET", f"{_BLOCK}/volumes/{{id}}", storage.get_block),
    ("PATCH", f"{_BLOCK}/volumes/{{id}}", storage.change_block),
    ("DELETE", f"{_BLOCK}/volumes/{{id}}", storage.delete_block),
    ("GET", "/marketplace/v2/local-images", products.list_local_images),
    ("GET", "/marketplace/v2/local-images/{id}", products.get_local_image),
    ("GET", "/iam/v1alpha1/ssh-keys", products.list_keys),
    ("POST", "/iam/v1alpha1/ssh-keys", products.create_key),
    ("GET", "/iam/v1alpha1/ssh-keys/{id}", products.get_key),
    ("PATCH", "/iam/v1alpha1/ssh-keys/{id}", products.change_key),
    ("DELETE", "/iam/v1alpha1/ssh-keys/{id}", products.delete_key),
)


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    pattern: re.Pattern[str]
    endpoint: Endpoint


def _compile(path: str) -> re.Pattern[str]:
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)
    return re.compile(pattern.replace("(?P<version>[^/]+)", "(?P<version>v1|v1alpha1)"))


ROUTES = tuple(Route(method, _compile(path), endpoint) for method, path, endpoint in _TABLE)


def rights_of(path: str) -> str:
    """Return the set of rights a path belongs to: instance, block, marketplace or iam."""
    return path.split("/")[1] if path.count("/") else ""


def find_endpoint(request: Request) -> tuple[Endpoint, Call]:
    """Return what a request asks for. Raises Refusal."""
    found = [(route, match) for route in ROUTES if (match := route.pattern.fullmatch(request.path))]
    if not found:
        raise unknown_resource(request.path)
    for route, match in found:
        if route.method == request.method:
            call = Call(request=request, parts={name: unquote(value) for name, value in match.groupdict().items()})
            if call.parts.get("zone", ZONES[0]) not in ZONES:
                raise invalid_argument("zone", "unknown", f"{call.zone} is not a zone")
            return route.endpoint, call
    raise Refusal(405, {"type": "method_not_allowed", "message": f"{request.method} is not allowed here"})
