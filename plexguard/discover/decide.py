"""From what was seen to the one server that is guarded. Pure."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from plexguard.core.found import DEFAULT_URL, FoundContainer, FoundPlex, Server, host_path
from plexguard.core.plex_config import PlexConfig
from plexguard.discover.observe import Observation

NOWHERE: Mapping[str, str] = MappingProxyType({})


def choose_server(seen: Observation, config: PlexConfig) -> FoundPlex:
    """Return the server, without its folders.

    With both a unit and a container the one that runs is taken, the unit first: an unused installation of the other kind
    often stays behind after a move.
    """
    url = config.url or DEFAULT_URL
    unit_there = seen.unit is not None and seen.unit.exists
    container_there = seen.container is not None and seen.container.exists
    if config.server == "remote" or (config.server == "auto" and config.url and not unit_there and not container_there):
        if not config.url:
            return FoundPlex(server=Server.NONE, missing='server = "remote" in [plex] needs an url')
        return FoundPlex(server=Server.REMOTE, name=config.url, url=url)
    if unit_there and container_there and seen.container is not None and seen.unit is not None:
        unit_there = seen.unit.runs or seen.container.status != "running"
    if unit_there and seen.unit is not None:
        return FoundPlex(
            server=Server.UNIT, name=seen.unit.name, url=url, uid=seen.uid, gids=seen.gids, preferences=seen.unit_preferences
        )
    if container_there and seen.container is not None:
        return _from_container(seen.container, url, seen)
    return FoundPlex(server=Server.NONE, missing=_describe_missing(config, seen.container))


def _from_container(container: FoundContainer, url: str, seen: Observation) -> FoundPlex:
    """Return the server in a container. Whom it runs as is said by PLEX_UID and PLEX_GID, else by whose its settings are."""
    uid = container.uid if container.uid >= 0 else seen.container_owner[0]
    gid = container.gid if container.gid >= 0 else seen.container_owner[1]
    return FoundPlex(
        server=Server.CONTAINER,
        name=container.name,
        url=url,
        uid=uid,
        gids=(gid,) if gid >= 0 else (),
        preferences=seen.container_preferences,
    )


def _describe_missing(config: PlexConfig, container: FoundContainer | None) -> str:
    called = f"Docker container called {config.container}" + (" or of a Plex image" if config.takes_any_container else "")
    sought = {
        "auto": f"there is neither {config.unit} nor a {called}",
        "unit": f"there is no {config.unit}",
        "container": f"there is no {called}",
    }[config.server]
    if container is not None and container.candidates:
        sought = f"several Docker containers could be Plex's ({', '.join(container.candidates)})"
    return f"{sought}; name yours in [plex] of /etc/plexguard/plexguard.toml"


def add_folders(
    server: FoundPlex,
    folders: tuple[str, ...] | None,
    container: FoundContainer | None,
    past: FoundPlex | None,
    places: Mapping[str, str] = NOWHERE,
) -> FoundPlex:
    """Return the server with its library folders as paths of the host. When it could not be asked, what it last told holds.

    places: where folders lie on the host, by the server's names.
    """
    if folders is None:
        if past is None or (past.server, past.name) != (server.server, server.name):
            return server
        return dataclasses.replace(server, folders=past.folders, links=past.links, unmapped=past.unmapped)
    if server.server is Server.REMOTE:
        # Its paths are another machine's.
        return server
    if server.server is not Server.CONTAINER or container is None:
        return dataclasses.replace(server, folders=folders, links=_find_links({folder: folder for folder in folders}, places))
    mapped = {folder: host_path(folder, container.mounts) for folder in folders}
    return dataclasses.replace(
        server,
        folders=tuple(path for path in mapped.values() if path is not None),
        links=_find_links(mapped, places),
        unmapped=tuple(folder for folder, path in mapped.items() if path is None),
    )


def _find_links(paths: Mapping[str, str | None], places: Mapping[str, str]) -> dict[str, str]:
    """Return where folders lie whose paths say otherwise."""
    plain = {path.rstrip("/") or "/": places.get(folder, "") for folder, path in paths.items() if path is not None}
    return {path: place for path, place in plain.items() if place not in ("", path)}
