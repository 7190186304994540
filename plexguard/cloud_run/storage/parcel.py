"""What goes to a run's machine so that plexguard mounts and proves the storage there: its code, the units, and what these need.

All of it but the secret, which is never on a disk there. The same package and the same run make the same bytes.
"""

import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from plexguard.cloud_run.storage.choose import Media, make_drop_ins, render_config, units_of
from plexguard.core.errors import MissingInput

FOLDER = "/usr/local/lib/plexguard"
SUITE = f"{FOLDER}/plexguard.pyz"
SYSUSERS, TMPFILES = f"{FOLDER}/sysusers.conf", f"{FOLDER}/folders.conf"
# Where systemd looks for units that no package brings.
UNITS = "/usr/local/lib/systemd/system"
_POLKIT = "/etc/polkit-1/rules.d/50-plexguard.rules"
# What the units call.
PROGRAM = "/usr/bin/plexguard-rclone-watchdog"
CONFIG = "/etc/plexguard/plexguard.toml"
# In memory, for root alone; the units are handed what is in it.
SECRETS = "/run/plexguard-run"
STORAGES = f"{SECRETS}/rclone.conf"
_TEMPLATES = tuple(f"plexguard-rclone{part}@.service" for part in ("", "-watchdog", "-cover", "-inside"))
# Of what was made there, for a machine that stays.
MADE = (
    *(FOLDER, _POLKIT, PROGRAM, CONFIG, *(f"{UNITS}/{name}" for name in _TEMPLATES)),
    *("/var/lib/plexguard", "/var/cache/plexguard", "/run/plexguard", "/run/plexguard-rclone"),
)
_MADE_AT = 315_532_800  # 1980; tar warns of anything much older
_HEADER = "# Made by plexguard-cloud-run for the mount of a run.\n"
_PROGRAM = f"""\
#!/bin/sh
{_HEADER}exec /usr/bin/python3 {SUITE} rclone-watchdog "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A file there, of root's."""

    path: str
    content: bytes
    mode: int = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """Where this machine has what the package brings."""

    units: Path = Path("/usr/lib/systemd/system")
    sysusers: Path = Path("/usr/lib/sysusers.d/plexguard.conf")
    tmpfiles: Path = Path("/usr/lib/tmpfiles.d/plexguard.conf")
    # Not in /usr/share/polkit-1, which is for polkitd alone.
    polkit: Path = Path("/usr/share/plexguard/50-plexguard.rules")


def make_items(media: Media, suite: bytes, installed: Installed) -> tuple[Item, ...]:
    """Return the files. suite: the zipapp. Raises MissingInput where this machine lacks a file of the package."""
    return (
        Item(path=SUITE, content=suite),
        Item(path=PROGRAM, content=_PROGRAM.encode("ascii"), mode=0o755),
        Item(path=CONFIG, content=render_config(media).encode()),
        Item(path=SYSUSERS, content=_read(installed.sysusers)),
        Item(path=TMPFILES, content=_read(installed.tmpfiles)),
        Item(path=_POLKIT, content=_read(installed.polkit)),
        *(Item(path=f"{UNITS}/{name}", content=_read(installed.units / name)) for name in _TEMPLATES),
        *(Item(path=f"{UNITS}/{name}", content=text.encode()) for name, text in _drop_ins(media).items()),
    )


def _drop_ins(media: Media) -> dict[str, str]:
    """Return what the configuration calls for, and what is other there than at home, by "unit.d/file"."""
    # Nobody is there to be told; who is at home asks.
    mount, watchdog = (f"{unit}.d/60-run.conf" for unit in units_of(media))
    base = f"{_HEADER}[Unit]\nOnFailure=\n[Service]\nLoadCredential=rclone.conf:{STORAGES}\n"
    inside = f"plexguard-rclone-inside@{media.name}.service.d/60-run.conf"
    own = {mount: base, watchdog: f"{base}ExecStopPost=\n", inside: f"{_HEADER}[Unit]\nOnFailure=\n"}
    return {**{name: _HEADER + text for name, text in make_drop_ins(media).items()}, **own}


def pack(items: Iterable[Item]) -> bytes:
    """Return a tar of them, with paths from the root."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for item in items:
            entry = tarfile.TarInfo(item.path.lstrip("/"))
            entry.size, entry.mode, entry.mtime, entry.uname, entry.gname = len(item.content), item.mode, _MADE_AT, "root", "root"
            archive.addfile(entry, io.BytesIO(item.content))
    return content.getvalue()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MissingInput(
            f"{path}: {error.strerror}; a run's machine gets what the package has there",
            hint="apt-get install --reinstall plexguard",
        ) from error
