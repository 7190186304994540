"""Which of home's mounts a run uses, and what plexguard on the run's machine is told of it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plexguard.cloud_run.config import Config
from plexguard.cloud_run.life.run_file import RunFile
from plexguard.core import config, suite
from plexguard.core.config import Settings
from plexguard.core.errors import ConfigError
from plexguard.core.options import options, tables_of
from plexguard.core.units import DropIns, Site

# Whom Plex runs as in its container: a mount whose files belong to anybody else was once scanned as empty.
UID = GID = 1000
# What of home's mount is the storage's, wherever it is mounted. All else is the machine's, and as the profile says.
_OF_STORAGE = ("remote", "canary", "extra_flags")


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A mount for a run. remote: as rclone names it, "" for one that others make. point: where, on the run's machine; home: where
    on this one. options: what [rclone.NAME] there says."""

    name: str
    remote: str
    point: str
    home: str
    options: Mapping[str, object]


def choose_media(run: RunFile, settings: Settings, config: Config) -> Media | None:
    """Return the mount of a run: the one that its file names, or the only one there is; None where it wants none, or has its media
    on its machine anyway. settings: of this machine. config: of runs; one that works here has the mount as home has it.

    Raises ConfigError, also for one that is no mount of home's, or that rclone does not make, and where there is none for a machine
    that is rented, which has no media of its own.
    """
    is_local = config.provider == "local"
    if not run.media:
        return None
    mounts: Mapping[str, Any] = settings.take(suite.section_of("rclone")).mount
    settings.check()
    able = sorted(name for name, mount in mounts.items() if is_local or mount.is_ours)
    name = run.mount or (able[0] if len(able) == 1 else "")
    if not name and not config.is_rented:
        return None
    if not name:
        allowed = f'one of [rclone.NAME]: {", ".join(able) or "none"}; or media = "", and Plex sees none'
        raise ConfigError((f"mount: missing, allowed is {allowed}",))
    if name not in able:
        what = "which somebody else mounts" if name in mounts else "and there is no such mount"
        raise ConfigError((f'mount: found "{name}", {what}; allowed is one of [rclone.NAME]: {", ".join(able) or "none"}',))
    mount = mounts[name]
    given = {
        **{name: getattr(mount, name) for name in _OF_STORAGE},
        **{"mount_point": run.media, "profile": run.instance, "read_only": True, "uid": UID, "gid": GID},
        # Nobody watches there.
        "restart_container": True,
    }
    return Media(
        name=name, remote=mount.remote, point=mount.mount_point if is_local else run.media, home=mount.mount_point, options=given
    )


def render_config(media: Media) -> str:
    """Return the plexguard.toml of the run's machine."""
    known = options(tables_of(suite.section_of("rclone"))["mount"].kind)
    lines = [f"{name} = {known[name][0].kind.show(value)}" for name, value in media.options.items()]
    head = '# Made by plexguard-cloud-run, which removes it.\n[plex]\ncontainer = "plex"\n'
    return "\n".join((f"{head}\n[rclone.{media.name}]", *lines, ""))


def make_drop_ins(media: Media) -> DropIns:
    """Return the drop-ins that the configuration of the run's machine calls for there, by "unit.d/file", as its generator would."""
    made = suite.drop_ins(config.read_text(render_config(media), "plexguard.toml"), Site(folders=(), mounts=()))
    return {name: text for name, text in made.items() if name.startswith(units_of(media))}


def units_of(media: Media) -> tuple[str, str]:
    """Return the unit that mounts it, and the one that proves it."""
    return f"plexguard-rclone@{media.name}.service", f"plexguard-rclone-watchdog@{media.name}.service"


def read_point(text: str) -> str:
    """Return where a plexguard.toml of render_config() has its mount, "" where there is none."""
    try:
        settings = config.read_text(text, "plexguard.toml")
    except ValueError:
        return ""
    return next(iter(settings.texts_below("rclone", "mount_point").values()), "")
