"""From the package of before to the one of today, with everything at work: what goes on, what is new, what is kept."""

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine import Machine
from tests.static.tree import ROOT
from tests.system.conftest import events, install_again
from tests.system.mounting import CONFIGURATION, FILMS, MOUNT_UNIT, WATCHDOG_UNIT, with_storage

pytestmark = [pytest.mark.machine, pytest.mark.xdist_group("rclone-mount")]

PHASE = "plexguard-cloud-preflight@delta.service"
# What a phase is to the service manager and to needrestart: a program in Python, at work for hours.
_PHASE_AT_WORK = """\
[Unit]
StopWhenUnneeded=no
[Service]
ExecStart=
ExecStart=/usr/bin/python3 -c "import time; time.sleep(86400)"
ExecStopPost=
"""
_MINE = '[plex-probe]\ninterval = "45s"\n'
# What carries a film, or what days of work have gone into.
GOES_ON = (MOUNT_UNIT, PHASE, "plexguard-proxy.service", "plexguard-proxy-pictures.service")
STAYS = ("plexguard-log-watch.service", "plexguard-perms-guard.service", WATCHDOG_UNIT)


# The tree before the changelog began with 1.0.0; where its history was not cloned, today's with what the changelog had before.
_SOURCE_OF_BEFORE = """
    set -eu
    rm -rf "$1" && mkdir -p "$1/build"
    if first=$(git -C "$2" log -1 --format=%H -S"plexguard (1.0.0)" -- debian/changelog) && [ -n "$first" ] &&
        git -C "$2" cat-file -e "$first^" 2>/dev/null; then
        git -C "$2" archive "$first^" | tar -x -C "$1"
    else
        tar -c -C "$2" --exclude=./build --exclude=./.git . | tar -x -C "$1"
        sed -i '0,/^plexguard (0.1.0)/{/^plexguard (0.1.0)/!d}' "$1/debian/changelog"
    fi
    touch "$1/build/installed"
    make -C "$1" deb
    mv "$(readlink -f "$1/build/deb/plexguard_all.deb")" "$3"
    rm -rf "$1"
    """


@pytest.fixture(scope="session")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as it was, built from the history."""
    folder = tmp_path_factory.mktemp("before")
    package = folder / "plexguard.deb"
    argv = ["sh", "-c", _SOURCE_OF_BEFORE, "sh", str(folder / "source"), str(ROOT), str(package)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return package


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def at_work(request: pytest.FixtureRequest, before: Path) -> Iterator[Machine]:
    """A machine with the package of before, all of it at work: a mount that is proven, a phase of a run, the front door."""
    with Machine(with_storage(before, suite=request.param, packages=("needrestart",))) as machine:
        machine.write("/etc/plexguard/plexguard.toml", CONFIGURATION)
        machine.write("/etc/plexguard/plexguard.toml.d/50-mine.toml", _MINE)
        machine.write(f"/etc/systemd/system/{PHASE}.d/at-work.conf", _PHASE_AT_WORK)
        machine.run(["plexguard-status", "apply"])
        machine.systemctl("disable", "--now", "plexguard-perms-audit-full.timer")
        machine.systemctl("start", WATCHDOG_UNIT, timeout_s=120)
        machine.systemctl("start", "--no-block", PHASE)
        for unit in (*GOES_ON, *STAYS):
            machine.wait_for(lambda unit=unit: pid_of(machine, unit) > 0, timeout_s=60, what=f"{unit} runs")
        yield machine


def pid_of(machine: Machine, unit: str) -> int:
    return int(machine.unit(unit)["MainPID"])


def processes(machine: Machine, units: tuple[str, ...]) -> dict[str, int]:
    return {unit: pid_of(machine, unit) for unit in units}


def test_an_upgrade_restarts_neither_mounts_nor_runs_and_loses_no_service(at_work: Machine, deb: Path) -> None:
    """In the order of an administrator's day: the upgrade, then what needrestart makes of a new python3 and a new rclone."""
    machine = at_work
    going_on, staying, cursor = processes(machine, GOES_ON), processes(machine, STAYS), machine.cursor()

    # No answer is at hand: who asks a question fails. What is changed is kept without one, since Debian's choice is to keep it.
    printed = upgrade(machine, deb)

    assert "Setting up plexguard (1.0.0)" in printed
    assert processes(machine, GOES_ON) == going_on
    machine.wait_for(
        lambda: all(pid_of(machine, unit) not in (0, old) for unit, old in staying.items()), timeout_s=60, what="the rest is new"
    )
    assert machine.read("/etc/plexguard/plexguard.toml") == CONFIGURATION
    assert machine.read("/etc/plexguard/plexguard.toml.d/50-mine.toml") == _MINE
    assert machine.systemctl("is-enabled", "plexguard-perms-audit-full.timer", check=False).strip() == "disabled"
    assert machine.run(["plexguard-status", "check-config"]).returncode == 0
    assert machine.failed_units() == []

    machine.wait_for(lambda: pid_of(machine, WATCHDOG_UNIT) > 0, timeout_s=60, what="the mount's proof goes on")
    staying = processes(machine, STAYS)
    # As an upgrade of both does it: the programs that run have a file that is no more.
    for program in ("/usr/bin/rclone", "$(readlink -f /usr/bin/python3)"):
        machine.run(["sh", "-ec", f'f={program}; cp -p "$f" "$f.new"; mv "$f.new" "$f"'])
    told = machine.run(["needrestart", "-r", "a"], timeout_s=180, env={"DEBIAN_FRONTEND": "noninteractive"}).stdout

    assert processes(machine, GOES_ON) == going_on
    assert pid_of(machine, "plexguard-log-watch.service") != staying["plexguard-log-watch.service"], told
    # Its start is the proof, which may take as long as an outage.
    assert pid_of(machine, WATCHDOG_UNIT) == staying[WATCHDOG_UNIT]
    assert machine.run(["sh", "-c", f"cat {FILMS}/*/*.mkv | head -c 4096 | wc -c"], user="plex").stdout.strip() == "4096"
    assert events(machine, "mount.gone", since_cursor=cursor) == []
    assert machine.failed_units() == []


def test_a_removal_ends_all_of_it_and_a_purge_leaves_nothing(at_work: Machine, deb: Path) -> None:
    install_again(at_work, deb)
    at_work.run(["apt-get", "remove", "-y", "plexguard"], timeout_s=180)
    running = at_work.systemctl("list-units", "plexguard*", "--plain", "--no-legend", "--state=active,activating,deactivating")
    assert running.strip() == ""
    assert at_work.run(["findmnt", "-rn", "-t", "fuse.rclone"], check=False).stdout == ""
    assert at_work.read("/etc/plexguard/plexguard.toml") == CONFIGURATION

    at_work.run(["apt-get", "purge", "-y", "plexguard"], timeout_s=180)

    at_work.run(["rm", "-r", f"/etc/systemd/system/{PHASE}.d"])
    left = at_work.run(
        ["sh", "-c", "find / -xdev -name '*plexguard*' -not -path '/proc/*' -not -path '/tmp/*' -not -path '/etc/apt/*'"]
    )
    assert left.stdout.strip() == ""
    assert at_work.failed_units() == []


def upgrade(machine: Machine, deb: Path) -> str:
    """Upgrade as unattended-upgrades does: nobody is asked, and what apt asks for all the same ends it."""
    machine.push(deb, f"/tmp/{deb.name}")
    argv = ["apt-get", "install", "-y", "--no-install-recommends", f"/tmp/{deb.name}"]
    return machine.run(argv, timeout_s=300, env={"NEEDRESTART_SUSPEND": "1"}, input="").stdout


def test_the_package_is_the_same_whoever_builds_it(deb: Path, tmp_path: Path) -> None:
    """Another folder, user's mask, time zone and time: not a byte differs."""
    script = """
        set -eu
        umask 027
        mkdir -p "$1/elsewhere/build"
        tar -c -C "$2" --exclude=./build --exclude=./.git . | tar -x -C "$1/elsewhere"
        touch "$1/elsewhere/build/installed"
        TZ=Pacific/Kiritimati make -C "$1/elsewhere" deb
        """
    subprocess.run(["sh", "-c", script, "sh", str(tmp_path), str(ROOT)], check=True, capture_output=True, timeout=300)
    again = tmp_path / "elsewhere/build/deb/plexguard_all.deb"
    assert hashlib.sha256(again.read_bytes()).hexdigest() == hashlib.sha256(deb.read_bytes()).hexdigest()
