"""The endpoints for settings and updates."""

from __future__ import annotations

import time

from .context import Context
from .messages import Reply, Request, html_error, show
from .preferences import Definition, Setting, UnknownSetting
from .render import Dual, Node, Value, container


def settings(context: Context, request: Request) -> Reply:
    """All settings."""
    listed = context.preferences.listed(plex_pass=context.switches.plex_pass)
    return show(request, container(*(setting_node(entry, context.preferences.value(entry.id)) for entry in listed)))


def setting(context: Context, request: Request) -> Reply:
    """One setting."""
    listed = context.preferences.listed(plex_pass=context.switches.plex_pass)
    found = [entry for entry in listed if entry.id == request.parameter("id")]
    if not found:
        return html_error(404)
    return show(request, container(setting_node(found[0], context.preferences.value(found[0].id))))


def setting_node(entry: Definition, value: Setting) -> Node:
    """Return a setting; unlike other flags its bools are true and false in XML too."""
    attributes: dict[str, Value | Dual] = {
        "id": entry.id,
        "label": "",
        "summary": "",
        "type": entry.type,
        "default": spelled(entry.default),
        "value": spelled(value),
        "hidden": entry.hidden,
        "advanced": entry.advanced,
        "group": entry.group,
    }
    if entry.enum_values:
        attributes["enumValues"] = entry.enum_values
    return Node("Setting", attributes)


def spelled(value: Setting) -> Value | Dual:
    """Return a setting's value for both formats."""
    return Dual(str(value).lower(), value) if isinstance(value, bool) else value


def put_settings(context: Context, request: Request) -> Reply:
    """Change settings, all or none."""
    changes = {name: values[0] for name, values in request.query.items() if not name.startswith("X-Plex-")}
    try:
        context.preferences.put(changes, plex_pass=context.switches.plex_pass)
    except (UnknownSetting, ValueError):
        return html_error(400)
    return Reply()


def update_status(context: Context, request: Request) -> Reply:
    """Which update there is; a package can only be announced, not installed."""
    common: dict[str, Value] = {"canInstall": False, "checkedAt": int(time.time()), "status": 0}
    version = context.switches.update_version
    if not version:
        return show(request, container(**common, downloadURL=""))
    # The real address carries the token as well.
    url = f"https://plex.tv/downloads/latest/5?channel=16&build=linux-x86_64&distro=debian&X-Plex-Token={context.preferences.token}"
    release: dict[str, Value | Dual] = {
        "key": "https://plex.tv/updater/releases/9999",
        "version": version,
        "added": "",
        "fixed": "Summary of\nrelease notes",
        "downloadURL": url,
        "state": "notify",
    }
    return show(request, container(Node("Release", release), **common, downloadURL=url))


def check_update(context: Context, request: Request) -> Reply:
    """Look for an update."""
    return Reply()


def apply_update(context: Context, request: Request) -> Reply:
    """Refuse: no Linux package can update itself."""
    return html_error(400)
