"""What perms-audit, its live guard and its requests do about a mount that plexguard-rclone-watchdog guards: with a real rclone that
is killed and frozen, and a mount point that is bare, in a machine where a guard watches all of it."""

import itertools

import pytest

from tests.machine import Machine
from tests.system.conftest import await_event, configure, events, mode_of

pytestmark = pytest.mark.machine

NAME = "cloud"
MEDIA = "/srv/media"
POINT = f"{MEDIA}/{NAME}"
FILM = f"{MEDIA}/local/film.mkv"
FAR_FILM = f"{POINT}/far.mkv"
GUARD = "plexguard-perms-guard.service"
AUDIT = "plexguard-perms-audit-full.service"
MOUNT = "test-mount.service"
CLOSED = 0o700
_numbers = itertools.count()
CONFIGURATION = f"""\
[perms-audit]
roots = ["{MEDIA}"]
stall_timeout = "5s"
[rclone.{NAME}]
mount_point = "{POINT}"
"""
# What the watchdog publishes, written by hand: it is not what is tried here.
_PUBLISH = f"""
import sys
from pathlib import Path
from plexguard.core.clock import SystemClock
from plexguard.core.journal import StderrJournal
from plexguard.core.published import MOUNTS, MountSeen
from plexguard.core.state import STATE_ROOT, StateFile
file = STATE_ROOT / MOUNTS.file.replace("*", "{NAME}")
file.parent.mkdir(parents=True, exist_ok=True)
now = SystemClock().moment()
seen = MountSeen(path="{POINT}", verdict=sys.argv[1], checked=now, since=now)
StateFile(file, MountSeen, schema=MOUNTS.schema, journal=StderrJournal()).save(seen)
"""
_ASK = "import sys; from plexguard.core.perms_request import ask; print(ask(sys.argv[1], timeout_s=15).verdict.value)"


@pytest.fixture
def bare(machine: Machine) -> Machine:
    """A machine whose guard watches a root with a bare mount point in it, which is closed as its unit leaves it."""
    machine.systemctl("mask", f"plexguard-rclone@{NAME}.service", f"plexguard-rclone-watchdog@{NAME}.service")
    machine.write(FILM, "film")
    machine.write("/srv/remote/far.mkv", "far", mode=0o600)
    machine.run(["install", "-d", "-o", "plexguard-media", "-g", "plexguard-media", "-m", "0700", POINT])
    configure(machine, CONFIGURATION)
    machine.wait_for(
        lambda: f"{POINT} (not mounted)" in machine.unit(GUARD).get("StatusText", ""), timeout_s=15, what="the guard has its roots"
    )
    return machine


def publish(machine: Machine, verdict: str) -> None:
    machine.run(["/usr/bin/python3", "-c", _PUBLISH, verdict])


def mount(machine: Machine) -> None:
    command = [
        # A stop must not end the fusermount by which rclone unmounts, which would leave a dead mount.
        *("systemd-run", "--quiet", f"--unit={MOUNT}", "-p", "Type=notify", "-p", "KillMode=mixed"),
        *("-p", "CacheDirectory=rclone-test"),
        *("rclone", "mount", "/srv/remote", POINT, "--config=/dev/null", "--cache-dir=/var/cache/rclone-test"),
        *("--allow-other", "--allow-non-empty", "--attr-timeout=1s", "--dir-cache-time=1s"),
    ]
    machine.run(command)


def signal(machine: Machine, name: str) -> None:
    machine.systemctl("kill", "-s", name, MOUNT)


def audit(machine: Machine) -> str:
    """Audit everything; return what was told of roots."""
    cursor = machine.cursor()
    machine.systemctl("start", AUDIT, check=False, timeout_s=90)
    told = [e for name in ("perms.root-fault", "perms.root-left-out") for e in events(machine, name, since_cursor=cursor)]
    return " ".join(event["MESSAGE"] for event in told)


def assert_repairs(machine: Machine) -> None:
    """The guard and the audit do for the rest what they always do."""
    # One that comes anew: what was repaired a while ago is left.
    film = f"{MEDIA}/local/{next(_numbers)}.mkv"
    machine.write(film, "film", mode=0o000)
    machine.wait_for(lambda: mode_of(machine, film) == 0o644, timeout_s=5, what="the guard repairs what it watches")


def ask(machine: Machine, path: str) -> str:
    return machine.run(["/usr/bin/python3", "-c", _ASK, path]).stdout.strip()


@pytest.mark.parametrize("published", [None, "absent", "proven"], ids=["nobody watches", "absent", "said to be proven"])
def test_a_bare_mount_point_stays_closed_whatever_touches_it(bare: Machine, published: str | None) -> None:
    if published is not None:
        publish(bare, published)

    bare.run(["chmod", "0755", POINT])
    bare.run(["chmod", "0700", POINT])
    bare.run(["touch", f"{POINT}/stray.mkv"])
    bare.run(["chmod", "000", f"{POINT}/stray.mkv"])
    told = audit(bare)

    assert f"{POINT}{' is left out: its mount is not proven' if published == 'absent' else ': not mounted'}" in told
    assert ask(bare, FAR_FILM) == "unknown"
    assert_repairs(bare)
    assert mode_of(bare, POINT) == CLOSED
    assert mode_of(bare, f"{POINT}/stray.mkv") == 0


def test_a_mount_that_was_audited_and_goes_leaves_its_folder_closed(bare: Machine) -> None:
    mount(bare)
    publish(bare, "proven")
    assert audit(bare) == ""
    assert await_event(bare, "perms.audited", timeout_s=10)["PLEXGUARD_FILES"] == "2"

    # when: the last word of its watchdog is still that all is well
    bare.systemctl("stop", MOUNT)

    assert f"{POINT}: not mounted" in audit(bare)
    assert_repairs(bare)
    assert mode_of(bare, POINT) == CLOSED


def test_a_cover_stays_closed(bare: Machine) -> None:
    bare.run(["mount", "-t", "tmpfs", "-o", "mode=0700,uid=plexguard-media", "plexguard-cover", POINT])
    publish(bare, "hung")

    assert f"{POINT} is left out: its mount is not proven" in audit(bare)
    assert_repairs(bare)
    assert mode_of(bare, POINT) == CLOSED


@pytest.mark.parametrize("published", ["hung", "proven"])
def test_a_frozen_rclone_holds_up_nobody(bare: Machine, published: str) -> None:
    mount(bare)
    signal(bare, "STOP")
    publish(bare, published)

    told = audit(bare)

    assert ("not proven to be alive" if published == "hung" else "no answer, its file system hangs") in told
    assert ask(bare, FAR_FILM) == "unknown"
    assert_repairs(bare)
    if published == "hung":
        explained = bare.run(["plexguard-perms-audit", "explain", FAR_FILM], check=False, timeout_s=20)
        assert f"its mount {POINT} is not proven to be alive (hung)" in explained.stderr
    bare.systemctl("restart", GUARD)
    assert_repairs(bare)
    signal(bare, "CONT")


def test_an_rclone_that_is_gone_is_no_question_of_modes(bare: Machine) -> None:
    mount(bare)
    signal(bare, "KILL")
    publish(bare, "stale")

    assert "not proven to be alive" in audit(bare)
    # Who is to be woken for it has been, by the watchdog.
    assert bare.unit(AUDIT)["Result"] == "success"
    assert ask(bare, FAR_FILM) == "unknown"
    assert_repairs(bare)
    bare.run(["umount", "-l", POINT])
    assert mode_of(bare, POINT) == CLOSED
