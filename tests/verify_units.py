"""Have systemd itself read the units, on a machine that has no plexguard: `python3 -m tests.verify_units`.

The units, those of the distribution and an empty program for each command are put into a folder that stands for the root.
They are verified as shipped, and once more with the drop-ins that the generator makes from a configuration.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import time, timedelta
from pathlib import Path

from plexguard.cloud_run.config import Config as CloudConfig
from plexguard.core import suite
from plexguard.core.config import Settings
from plexguard.core.mounts import MountPoint
from plexguard.core.suite import PROGRAMS
from plexguard.core.units import Site
from plexguard.log_watch.config import Config as WatchConfig
from plexguard.net_recover.config import Config as NetConfig
from plexguard.notify.config import Channel
from plexguard.notify.config import Config as NotifyConfig
from plexguard.perms_audit.config import Config as AuditConfig
from plexguard.plex_probe.config import Config as ProbeConfig
from plexguard.rclone_watchdog.config import Mount, Rclone
from plexguard.speed_test.config import Config as SpeedConfig

ROOT = Path(__file__).parent.parent
UNITS = ROOT / "units"
DISTRIBUTION_UNITS = Path("/lib/systemd/system")
# Templates are verified as an instance.
INSTANCE = "srv-media"


def make_root(root: Path, drop_ins: Mapping[str, str]) -> None:
    """Fill a folder with what the units need to be read: themselves, the distribution's, and their programs."""
    folder = root / "usr/lib/systemd/system"
    folder.mkdir(parents=True)
    (root / "lib").symlink_to("usr/lib")
    shutil.copytree(DISTRIBUTION_UNITS, folder, symlinks=True, dirs_exist_ok=True)
    for unit in UNITS.iterdir():
        shutil.copy(unit, folder)
    for name, content in drop_ins.items():
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(content, encoding="utf-8")
    (root / "usr/bin").mkdir()
    for command in (f"usr/bin/{program.command}" for program in PROGRAMS):
        stub = root / command
        stub.write_text("#!/bin/sh\n", encoding="ascii")
        stub.chmod(0o755)


def make_drop_ins() -> dict[str, str]:
    """Return the drop-ins of a configuration in which everything that reaches a unit differs from its default."""
    configs = {
        AuditConfig: AuditConfig(
            roots=("/srv/media/Träume & more", '/srv/100 % "quoted"', "/mnt/cloud"),
            interval=timedelta(minutes=10),
            full_calendar="Mon..Fri 02:00 America/New_York",
        ),
        WatchConfig: WatchConfig(proxy_unit=""),
        ProbeConfig: ProbeConfig(interval=timedelta(seconds=45)),
        SpeedConfig: SpeedConfig(at=time(23, 30), time_zone="Europe/Berlin"),
        CloudConfig: CloudConfig(provider="local"),
        NetConfig: NetConfig(interval=timedelta(seconds=90)),
        Rclone: Rclone(mount={INSTANCE: Mount(remote="s3:media", mount_point='/mnt/100 % "mine"/media')}),
        NotifyConfig: NotifyConfig(channel={"log": Channel(kind="webhook"), "me": Channel(kind="apprise")}),
    }

    class Given(Settings):
        def take(self, section):  # type: ignore[no-untyped-def]
            return configs.get(section) or section()

    preferences = '/srv/plex: 100% "x"/Library/Application Support/Plex Media Server/Preferences.xml'
    mounts = (MountPoint(path="/mnt/cloud", type="fuse.rclone"),)
    site = Site(folders=(), mounts=mounts, preferences=preferences, groups={997: "plex"}, plex_unit="plex-at-home.service")
    return dict(suite.drop_ins(Given({}, [], {}), site))


def unit_names() -> list[str]:
    return sorted(file.name.replace("@.", f"@{INSTANCE}.") for file in UNITS.iterdir())


def verify(drop_ins: Mapping[str, str]) -> list[str]:
    """Return what systemd-analyze has to say about our units, a line each; nothing when all is well."""
    with tempfile.TemporaryDirectory(prefix="plexguard-units-") as folder:
        make_root(Path(folder), drop_ins)
        # The pages are not installed here; that they exist is a test of its own.
        command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", f"--root={folder}", *unit_names()]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        lines = [line.replace(folder, "") for line in done.stderr.splitlines() if "plexguard" in line.replace(folder, "")]
        return lines or ([f"systemd-analyze verify: exit code {done.returncode}: {done.stderr}"] if done.returncode else [])


def main() -> int:
    found = [*verify({}), *(f"with drop-ins: {line}" for line in verify(make_drop_ins()))]
    for line in found:
        print(line, file=sys.stderr)
    print(f"{len(unit_names())} units verified, {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
