"""What of [log-watch] only a unit can hold: which folders of Plex it is shown, and which groups it has. Pure."""

import posixpath

from plexguard.core.mounts import mount_of
from plexguard.core.state import RUNTIME_ROOT
from plexguard.core.units import DropIns, Site, quote_path
from plexguard.log_watch.config import Config

_SERVICE = "plexguard-log-watch.service"
# Below Plex's own folder, which holds Preferences.xml.
LOGS = "Logs"
DATABASES = "Plug-in Support/Databases"
# Where the unit is shown them: the folders above may be closed to it, as a home is.
BOUND_LOGS = f"{RUNTIME_ROOT}/log-watch/logs"
BOUND_DATABASES = f"{RUNTIME_ROOT}/log-watch/databases"
# Groups whose members can become root. Some run Plex in such a one; its logs are not worth that.
_POWERFUL = frozenset({"docker", "incus", "lxd", "libvirt", "podman"})
# Below, the groups of the system itself: root, adm, disk, shadow and their kind (base-passwd, users-and-groups).
_FIRST_OWN_GID = 100


def drop_ins(config: Config, site: Site) -> DropIns:
    """Return the drop-ins of the watch's unit, by "unit/file"."""
    lines = [*_binds(site), *(f"SupplementaryGroups={group}" for group in _groups(config, site))]
    return {f"{_SERVICE}.d/50-plex.conf": "[Service]\n" + "\n".join(lines) + "\n"} if lines else {}


def _binds(site: Site) -> list[str]:
    """systemd binds them as root. "-": a folder that is missing is told by the watch itself. A colon in quotes separates nothing.

    Never from FUSE or a network: with a dead mount that would fail the unit, with a frozen one hang it.
    """
    support = posixpath.dirname(site.preferences)
    folders = {f"{support}/{LOGS}": BOUND_LOGS, f"{support}/{DATABASES}": BOUND_DATABASES} if support else {}
    local = {path: place for path, place in folders.items() if not mount_of(path, site.mounts).is_remote}
    return [f"BindReadOnlyPaths=-{quote_path(path)}:{place}" for path, place in local.items()]


def _groups(config: Config, site: Site) -> list[str]:
    """Plex's own group, for logs that only it may read, by number. Who has no proxy has no use for the journal, and "" takes away
    what the unit gives."""
    gid, name = next(iter(site.groups.items()), (0, ""))
    own = [str(gid)] if gid >= _FIRST_OWN_GID and name not in _POWERFUL and site.preferences else []
    return own if config.proxy_unit else ["", *own]
