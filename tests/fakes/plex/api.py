"""Which endpoint answers which request, and who may ask."""

from __future__ import annotations

import ipaddress
import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from . import library_endpoints as library
from . import server_endpoints as server
from . import settings_endpoints as settings
from .context import Context
from .messages import Reply, Request, html_error

Endpoint = Callable[..., Reply]


@dataclass(frozen=True, slots=True)
class Route:
    """Methods, the whole path as a pattern whose groups are handed to the endpoint, and the endpoint."""

    methods: tuple[str, ...]
    pattern: re.Pattern[str]
    endpoint: Endpoint


def route(methods: str, pattern: str, endpoint: Endpoint) -> Route:
    """Return a route; methods are divided by blanks."""
    return Route(tuple(methods.split()), re.compile(pattern), endpoint)


IDENTITY = "/identity"
ROUTES = (
    route("GET", IDENTITY, server.identity),
    route("GET", "/", server.root),
    route("DELETE", "/myplex/account", server.sign_out),
    route("GET", "/accounts", server.accounts),
    route("GET", "/status/sessions", server.sessions),
    route("GET POST", "/status/sessions/terminate", server.terminate),
    route("GET", "/transcode/sessions", server.transcode_sessions),
    route("GET POST", "/:/timeline", server.timeline),
    route("GET", "/activities", server.activities),
    route("DELETE", "/activities/([^/]+)", server.cancel_activity),
    route("PUT", "/activities/([^/]+)", server.report_progress),
    route("GET", "/butler", server.butler),
    route("POST", "/butler", server.start_butler),
    route("DELETE", "/butler", server.stop_butler),
    route("POST", "/butler/([^/]+)", server.start_task),
    route("DELETE", "/butler/([^/]+)", server.stop_task),
    route("GET", "/:/prefs", settings.settings),
    route("PUT", "/:/prefs", settings.put_settings),
    route("GET", "/:/prefs/get", settings.setting),
    route("GET", "/updater/status", settings.update_status),
    route("PUT", "/updater/check", settings.check_update),
    route("PUT", "/updater/apply", settings.apply_update),
    route("GET", "/library/sections(?:/all)?", library.sections),
    route("POST", "/library/sections(?:/all)?", library.add_section),
    route("GET", "/library/sections/all/refresh", library.refresh_all),
    route("GET", r"/library/sections/(\d+)/all", library.section_items),
    route("GET POST", r"/library/sections/(\d+)/refresh", library.refresh),
    route("DELETE", r"/library/sections/(\d+)/refresh", library.cancel_refresh),
    route("PUT", r"/library/sections/(\d+)/emptyTrash", library.empty_trash),
    route("PUT", r"/library/sections/(\d+)/analyze", library.analyze),
    route("GET", r"/library/metadata/(\d+)", library.metadata),
    route("GET", r"/library/metadata/(\d+)/thumb/\d+", library.thumb),
    route("GET", r"/library/parts/(\d+)/\d+/[^/]+", library.part),
)


def answer(context: Context, request: Request) -> Reply:
    """Return what a healthy server answers."""
    if request.path != IDENTITY and not is_admitted(context, request):
        return html_error(401)
    method = "GET" if request.method == "HEAD" else request.method
    for entry in ROUTES:
        match = entry.pattern.fullmatch(request.path)
        if match and method in entry.methods:
            return ask(context, request, entry.endpoint, match.groups())
    return html_error(404)


def ask(context: Context, request: Request, endpoint: Endpoint, groups: tuple[str, ...]) -> Reply:
    """Call an endpoint; a database that cannot be read is an error the log tells about."""
    try:
        return endpoint(context, request, *groups)
    except sqlite3.DatabaseError as error:
        context.logs.server.write("ERROR", f"Soci Exception handled: sqlite3_statement_backend::loadRS: {error}")
        return html_error(500)


def is_admitted(context: Context, request: Request) -> bool:
    """Tell whether a request has the owner's token, or comes from where none is needed."""
    token = context.preferences.token
    if token and request.token == token:
        return True
    client = ipaddress.ip_address(request.client)
    if not token and client.is_loopback:
        return True
    return any(client in network for network in allowed_networks(str(context.preferences.value("allowedNetworks"))))


def allowed_networks(text: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Return the networks of the setting; 0.0.0.0/0.0.0.0 does not work with Plex, so it is none."""
    networks = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        try:
            network = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            continue
        if network.prefixlen > 0:
            networks.append(network)
    return networks
