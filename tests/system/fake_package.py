"""A package `plexmediaserver` for a test machine, with maintainer scripts that treat the unit as those of the real one do.

It holds no files: the simulator is installed already, and an update of it is another version that it says it has.
"""

from tests.machine import Machine
from tests.system.native_plex import CONTROL, UNIT

_SET = "/usr/bin/python3 /usr/lib/plexmediaserver/simulator/server.py --control '{control}' set"
# The real preinst stops Plex, whether or not it runs, and the real postinst starts it; that a Plex which was stopped before
# stays so is what a more careful postinst does.
_PREINST = """#!/bin/sh
set -e
systemctl is-active --quiet {unit} && touch /run/plex-ran || rm -f /run/plex-ran
systemctl stop {unit} || true
"""
_POSTINST = """#!/bin/sh
set -e
setpriv --reuid=plex --regid=plex --clear-groups -- {set} 'version="{version}"'
systemctl daemon-reload
sleep {work_s}
{end}
"""
STARTS = f"if [ -e /run/plex-ran ]; then systemctl start {UNIT}; fi"
LEAVES = "exit 0"


def build_package(machine: Machine, version: str, *, work_s: float = 0, end: str = STARTS) -> str:
    """Build it in the machine and return the file. work_s: how long its postinst takes before it does `end`."""
    folder = f"/root/plexmediaserver-{version}"
    control = f"Package: plexmediaserver\nVersion: {version}\nArchitecture: amd64\nMaintainer: Nobody <nobody@example.org>\nDescription: fake\n"
    machine.write(f"{folder}/DEBIAN/control", control)
    machine.write(f"{folder}/DEBIAN/preinst", _PREINST.format(unit=UNIT), mode=0o755)
    postinst = _POSTINST.format(set=_SET.format(control=CONTROL), version=version, work_s=work_s, end=end)
    machine.write(f"{folder}/DEBIAN/postinst", postinst, mode=0o755)
    machine.run(["dpkg-deb", "--build", "--root-owner-group", folder, f"{folder}.deb"])
    return f"{folder}.deb"


def install_package(machine: Machine, file: str, *, timeout_s: float = 120) -> None:
    machine.run(["dpkg", "-i", file], timeout_s=timeout_s)
