"""What each unit cannot do though the program in it were another one: it is, an intruder takes the place of each."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import intruder
from tests.machine import Machine
from tests.static.tree import UnitFile, services
from tests.system.conftest import await_found, with_native_plex
from tests.system.native_plex import DATA, FILMS

pytestmark = pytest.mark.machine

_PROGRAM = "/opt/intruder.py"
_MARK = ".intruder"
_CREDENTIALS = "/etc/plexguard/credentials/"
# Root's, the administrator's, Plex's, and the suite's own. What anybody may write to (/tmp, /dev/shm) says nothing.
_FOLDERS = (
    *(
        "/",
        "/boot",
        "/dev",
        "/home",
        "/home/anna",
        "/mnt",
        "/opt",
        "/root",
        "/run",
        "/run/plexguard",
        "/run/plexguard/health",
        "/run/systemd/system",
    ),
    *(
        "/etc",
        "/etc/plexguard",
        "/etc/plexguard/cloud-run",
        "/etc/systemd/system",
        "/usr",
        "/usr/bin",
        "/usr/lib/python3/dist-packages/plexguard",
    ),
    *("/var", "/var/cache", "/var/cache/plexguard", "/var/lib", "/var/lib/plexguard", "/var/log", "/var/log/journal"),
    *(FILMS, f"{FILMS}/Film 1 (2001)", DATA, f"{DATA}/Plug-in Support/Databases"),
)
_IN_PLACE = """\
[Unit]
ConditionPathExists=
OnFailure=
[Service]
Type=oneshot
ExecStartPre=
ExecStart=
ExecStart=/usr/bin/python3 {program} {mark} {folders}
ExecStop=
ExecStopPost=
RemainAfterExit=no
Restart=no
RestartForceExitStatus=
StandardInput=null
StandardOutput=journal
WatchdogSec=0
"""

# Who reaches nothing beyond this machine's sockets.
OFFLINE = {"alert@", "container-watch", "db-export-finish", "log-watch", "rclone-cover@", "status"}
OFFLINE |= {"perms-audit", "perms-audit-full", "perms-audit@", "perms-guard", "perms-request"}
# Who may look into what is closed to all but its owner: media, Plex's folder, and the folders above.
LOOKS_EVERYWHERE = {"cloud-apply@", "db-export", "db-export-finish", "discover", "rclone-cover@", "trash"}
LOOKS_EVERYWHERE |= {"perms-audit", "perms-audit-full", "perms-audit@", "perms-guard", "perms-request"}
# What only one kind of unit is for, or what its work cannot be done without.
MAY = {"mount": {"rclone-cover@"}, "make a namespace": {"mail@", "rclone@"}}
# Who may change media, by a drop-in that names the roots.
CHANGES_MEDIA = {"perms-audit", "perms-audit-full", "perms-guard", "perms-request"}
# Of whom no setting can know beforehand which folder it is about. Even they change neither the system, its configuration nor others' state.
CHANGES_A_FOLDER_ANYWHERE = {"cloud-apply@", "db-export-finish", "perms-audit@"}
NEVER = ("/boot", "/dev", "/etc", "/run/plexguard/", "/run/systemd", "/usr")
# Who keeps what is published below /run/plexguard, the flag of health included.
PUBLISHES = {"container-watch", "discover"}


def short(unit: UnitFile) -> str:
    return unit.path.stem.removeprefix("plexguard-")


def instance(unit: UnitFile) -> str:
    return unit.name.replace("@.", "@x.")


def own_credentials(unit: UnitFile) -> set[str]:
    """Return the names of the files among the administrator's credentials that are given to the unit."""
    paths = (value.partition(":")[2].replace("%i", "x") for value in unit.values("Service", "LoadCredential"))
    return {path.removeprefix(_CREDENTIALS) for path in paths if path.startswith(_CREDENTIALS)}


def own_folders(unit: UnitFile) -> set[str]:
    """Return the folders that are the unit's to write to by its own file."""
    places = {"StateDirectory": "/var/lib", "RuntimeDirectory": "/run", "CacheDirectory": "/var/cache"}
    own = {
        f"{base}/{name}" for key, base in places.items() for name in (unit.value("Service", key) or "").replace("%i", "x").split()
    }
    return own | {path.removeprefix("-") for value in unit.values("Service", "ReadWritePaths") for path in value.split()}


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def seen(request: pytest.FixtureRequest, deb: Path) -> Iterator[dict[str, dict[str, Any]]]:
    """What an intruder could do in each unit, by its short name."""
    with Machine(with_native_plex(deb, request.param)) as machine:
        await_found(machine)
        plant(machine)
        # What the units have made for themselves is tried too.
        listed = machine.run(["find", "/var/lib/plexguard", "/run/plexguard", "-mindepth", "1", "-type", "d"]).stdout.splitlines()
        machine.systemctl("stop", "plexguard.target")
        for unit in services():
            folders = " ".join(f'"{folder}"' for folder in (*_FOLDERS, *listed))
            text = _IN_PLACE.format(program=_PROGRAM, mark=_MARK, folders=folders)
            machine.write(f"/run/systemd/system/{instance(unit)}.d/zz-intruder.conf", text)
        machine.systemctl("daemon-reload")
        yield {short(unit): intrude(machine, unit) for unit in services()}


def plant(machine: Machine) -> None:
    machine.push(intruder.__file__, _PROGRAM)
    machine.run(["useradd", "--create-home", "anna"])
    for file in ("/home/anna/private", "/root/private"):
        machine.write(file, "private\n", mode=0o600)
    for name in {name for unit in services() for name in own_credentials(unit)}:
        machine.write(f"{_CREDENTIALS}{name}", f"planted-in-{name}-{secrets.token_hex(16)}\n", mode=0o600)
    listener = f"import socket; s = socket.create_server(('127.0.0.1', {intruder.PORT})); [s.accept() for _ in iter(int, 1)]"
    machine.run(["systemd-run", "--quiet", "--unit=listener", "/usr/bin/python3", "-c", listener])


def intrude(machine: Machine, unit: UnitFile) -> dict[str, Any]:
    """Start a unit with the intruder in it, and return what it says, with the folders that have its mark."""
    name, cursor = instance(unit), machine.cursor()
    machine.systemctl("start", "--job-mode=ignore-dependencies", name)
    told = [entry["MESSAGE"] for entry in machine.journal(matches=[f"_SYSTEMD_UNIT={name}"], since_cursor=cursor)]
    said = next((json.loads(text) for text in told if text.startswith("{")), None)
    assert said is not None, f"{name}: nothing was tried: {told}"
    find = ["find", "/", "/boot", "/dev", "/run", "-xdev", "-name", _MARK, "-printf", "%h\\n", "-delete"]
    written = machine.run(find, check=False).stdout.splitlines()
    user = unit.value("Service", "User") or "root"
    return {**said, "writes": set(written), "is its user": int(machine.run(["id", "-u", user]).stdout) == said["user"]}


def names(seen: dict[str, dict[str, Any]], what: str) -> set[str]:
    return {unit for unit, said in seen.items() if what in said["does"]}


def test_only_those_reach_the_network_that_are_to(seen: dict[str, dict[str, Any]]) -> None:
    assert set(seen) - names(seen, "reach the network") == OFFLINE


def test_nobody_rises(seen: dict[str, dict[str, Any]]) -> None:
    assert [unit for unit, said in seen.items() if not said["is its user"]] == []
    others = {what for said in seen.values() for what in said["does"]} - {"reach the network"}
    assert {what: names(seen, what) for what in others} == MAY
    assert {path for said in seen.values() for path in said["opens"]} == set()


def test_each_has_its_own_credentials_and_no_other(seen: dict[str, dict[str, Any]]) -> None:
    """With rclone-cover@ alone left out: in a mount namespace nobody would see what it mounts."""
    expected = {short(unit): own_credentials(unit) for unit in services() if short(unit) != "rclone-cover@"}
    assert {unit: set(seen[unit]["secrets"]) for unit in expected} == expected


def test_private_files_are_closed_to_all_that_need_not_look_everywhere(seen: dict[str, dict[str, Any]]) -> None:
    # Its own root may always read; what root cannot, but by a capability, is in a home.
    assert {unit for unit, said in seen.items() if set(said["reads"]) - {"/etc/shadow"}} == LOOKS_EVERYWHERE
    assert {unit for unit, said in seen.items() if said["user"] != 0 and said["reads"]} <= LOOKS_EVERYWHERE


@pytest.mark.parametrize("unit", services(), ids=short)
def test_each_writes_to_its_own_folders_only(seen: dict[str, dict[str, Any]], unit: UnitFile) -> None:
    name = short(unit)
    own = own_folders(unit)
    more = {path for path in seen[name]["writes"] if not any(path == folder or path.startswith(f"{folder}/") for folder in own)}
    if name in CHANGES_A_FOLDER_ANYWHERE:
        assert not [path for path in more if path.startswith(NEVER) or path.startswith("/var/lib/plexguard/")]
    elif name in CHANGES_MEDIA:
        assert more == {FILMS, f"{FILMS}/Film 1 (2001)"}
    else:
        assert more == set()
