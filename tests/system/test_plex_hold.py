"""What takes root to keep Plex safe while a mount is not proven: the cover over its mount point, and the look through its container."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from plexguard.rclone_watchdog.protect.decide import SETTINGS
from tests.machine import Machine
from tests.system import docker_plex
from tests.system.conftest import await_event, configure, events
from tests.system.native_plex import FILMS, URL, add_library, ask_plex, curl
from tests.system.test_docker import await_container

pytestmark = [pytest.mark.machine]

POINT = "/mnt/media"
COVER_UNIT, INSIDE_UNIT = "plexguard-rclone-cover@media.service", "plexguard-rclone-inside@media.service"
ANSWER = "/run/plexguard/rclone-inside/media.json"
# A mount that is frozen: whoever asks it for anything waits for ever.
FROZEN = """
set -e
mkdir -p /srv/storage /run/frozen
echo film > /srv/storage/film.mkv
echo user_allow_other >> /etc/fuse.conf
systemd-run --unit=frozen --service-type=notify rclone mount /srv/storage /mnt/media --allow-other --vfs-cache-mode=off
cat /mnt/media/film.mkv
systemctl kill -s STOP frozen.service
"""


@contextmanager
def mounted(machine: Machine) -> Iterator[None]:
    """Freeze a mount, and thaw it in the end, so that nothing waits for it when the machine ends."""
    machine.run(["mkdir", "-p", POINT])
    machine.run(["sh", "-c", FROZEN])
    try:
        yield
    finally:
        machine.systemctl("kill", "-s", "CONT", "frozen.service")


def mount(machine: Machine, text: str) -> None:
    """Mount something at the point: a file system of its own, with a device of its own."""
    machine.run(["sh", "-c", f"mkdir -p {POINT} && mount -t tmpfs films {POINT} && echo {text} > '{POINT}/Film 1.mkv'"])


def configure_unwatched(machine: Machine, more: str = "") -> None:
    """Have a mount that nobody watches: what its watchdog would ask for is asked for here."""
    machine.systemctl("mask", "plexguard-rclone-watchdog@media.service")
    configure(machine, f'[rclone.media]\nmount_point = "{POINT}"\n{more}')


def wish(machine: Machine, cover: bool) -> None:
    """Say what the watchdog would."""
    folder = "/var/lib/plexguard/rclone-watchdog/media"
    machine.run(["install", "-d", "-o", "plexguard-media", folder])
    machine.write(f"{folder}/state.json", json.dumps({"schema": 1, "path": POINT, "verdict": "hung", "cover": cover}))


def look(machine: Machine) -> dict[str, object]:
    machine.systemctl("start", INSIDE_UNIT, timeout_s=240)
    return dict(json.loads(machine.read(ANSWER)))


def test_a_mount_that_hangs_is_covered_without_being_touched_and_uncovered_when_it_is_to_be_seen(plex_machine: Machine) -> None:
    machine = plex_machine
    configure_unwatched(machine, "cover = true\n")
    with mounted(machine):
        wish(machine, cover=True)
        machine.systemctl("start", COVER_UNIT)
        covered = machine.run(["findmnt", "--noheadings", "--output", "SOURCE,OPTIONS", POINT]).stdout.splitlines()
        assert any("plexguard-cover" in line and "ro" in line for line in covered)
        # No library lies there: it is closed, and who looks gets an error at once.
        assert "Permission denied" in machine.run(["ls", POINT], user="plex", check=False).stderr
        # Again is no change, and what is covered is covered once.
        machine.systemctl("start", COVER_UNIT)
        assert machine.run(["grep", "-c", "plexguard-cover", "/proc/self/mountinfo"]).stdout.strip() == "1"
        assert len(events(machine, "mount.covered")) == 1

        wish(machine, cover=False)
        machine.systemctl("start", COVER_UNIT)
        assert machine.run(["grep", "-c", "plexguard-cover", "/proc/self/mountinfo"], check=False).stdout.strip() == "0"
        machine.systemctl("kill", "-s", "CONT", "frozen.service")
        assert machine.run(["cat", f"{POINT}/film.mkv"], user="plex").stdout == "film\n"
    assert len(events(machine, "mount.uncovered")) == 1


def test_a_library_below_a_cover_is_left_alone_by_a_scan(plex_machine: Machine) -> None:
    machine = plex_machine
    machine.run(["sh", "-c", f"mkdir -p {POINT} && mount -t tmpfs films {POINT} && mkdir {POINT}/Films"])
    machine.run(["sh", "-c", f"for n in 1 2 3; do echo $n > {POINT}/Films/Film$n.mkv; done"])
    add_library(machine, "Cloud", f"{POINT}/Films")
    key = find_library(machine, "Cloud")
    scan(machine, key)
    assert count(machine, key) == 3
    machine.systemctl("start", "plexguard-discover.service")
    configure_unwatched(machine, "cover = true\n")
    wish(machine, cover=True)
    machine.systemctl("start", COVER_UNIT)
    scan(machine, key)
    assert count(machine, key) == 3
    # The same without a cover, below a mount that is gone.
    wish(machine, cover=False)
    machine.systemctl("start", COVER_UNIT)
    machine.run(["sh", "-c", f"rm {POINT}/Films/*"])
    scan(machine, key)
    assert count(machine, key) == 0


def find_library(machine: Machine, title: str) -> str:
    sections = ask_plex(machine, "/library/sections") or {}
    return next(str(entry["key"]) for entry in sections["Directory"] if entry["title"] == title)


def count(machine: Machine, key: str) -> int:
    found = ask_plex(machine, f"/library/sections/{key}/all?type=1&X-Plex-Container-Start=0&X-Plex-Container-Size=0")
    return int(found["totalSize"]) if found else -1


def scan(machine: Machine, key: str) -> None:
    """Scan a library, and wait for its end."""

    def scanned() -> int:
        sections = ask_plex(machine, "/library/sections") or {}
        return next(int(entry["scannedAt"]) for entry in sections["Directory"] if entry["key"] == key and not entry["refreshing"])

    before = scanned()
    machine.run(["sleep", "1.1"])
    curl(machine, f"{URL}/library/sections/{key}/refresh")
    machine.wait_for(lambda: ask_plex(machine, "/activities") == {"size": 0}, timeout_s=30, what="nothing is scanned")
    machine.wait_for(lambda: scanned() > before, timeout_s=30, what="the scan has ended")


@pytest.mark.xdist_group("docker")
def test_a_container_that_sees_the_dead_mount_is_restarted_and_one_that_follows_is_not(docker_machine: Machine) -> None:
    machine = docker_machine
    docker_plex.prepare_plex(machine)
    mount(machine, "first")
    configure_unwatched(machine)

    run_plex(machine, "/mnt:/data")
    await_container(machine, "plex")
    assert (answer := look(machine))["is_seen"], answer
    first = started(machine)

    # The mount goes, and is made anew: the container keeps the one that it began with.
    remount(machine, "second")
    docker_plex.set_plex(machine, sessions='[{"section": "7", "title": "Dune"}]')
    answer = look(machine)
    assert answer["is_seen"] is False
    assert "/mnt was given to it at /data without :rslave" in str(answer["detail"])
    # A Plex that is slow to answer is another reason to put it off.
    machine.wait_for(lambda: "somebody watches Dune" in str(look(machine)["detail"]), timeout_s=60, what="the viewer is told")
    assert started(machine) == first
    assert "rslave" in await_event(machine, "plex.blind", timeout_s=10)["PLEXGUARD_DETAIL"]

    docker_plex.set_plex(machine, sessions="[]")
    assert (answer := look(machine))["is_seen"], answer
    second = started(machine)
    assert second != first
    assert len(events(machine, "plex.sees")) == 1
    # It has been restarted a moment ago.
    remount(machine, "third")
    assert "again so soon" in str(look(machine)["detail"])
    assert started(machine) == second

    # With :rslave it follows by itself.
    machine.run(["docker", "rm", "--force", "plex"], timeout_s=60)
    run_plex(machine, "/mnt:/data:rslave")
    third = started(machine)
    remount(machine, "fourth")
    assert (answer := look(machine))["is_seen"], answer
    assert started(machine) == third
    assert machine.run(["docker", "exec", "plex", "cat", "/data/media/Film 1.mkv"]).stdout == "fourth\n"


def run_plex(machine: Machine, volume: str) -> None:
    machine.run(
        [
            *("docker", "run", "--detach", "--name", "plex", "--network", "host", "--user", "1500:1500"),
            *("--env", "PLEX_UID=1500", "--env", "PLEX_GID=1500"),
            *("--volume", f"{docker_plex.CONFIG}:/config", "--volume", volume),
            *(word for shown in docker_plex.SIMULATOR_VOLUMES for word in ("--volume", shown)),
            *(docker_plex.IMAGE, *docker_plex.COMMAND),
        ],
        timeout_s=60,
    )
    machine.wait_for(lambda: ask_plex(machine, "/identity") is not None, timeout_s=30, what="Plex answers in its container")


def remount(machine: Machine, text: str) -> None:
    machine.run(["umount", "--lazy", POINT])
    mount(machine, text)


def started(machine: Machine) -> str:
    return machine.run(["docker", "inspect", "-f", "{{.State.StartedAt}}", "plex"]).stdout


# A watchdog that does nothing but hold, as its unit would be allowed to.
HOLDING = """
import time
from plexguard.core.program import open_ports
from plexguard.rclone_watchdog.config import Mount
from plexguard.rclone_watchdog.protect.open import open_protector
protector = open_protector("media", Mount(mount_point="FILMS"), open_ports("rclone-watchdog"))
while True:
    print(protector.hold("hung"), protector.state, flush=True)
    time.sleep(0.3)
"""


def hold(machine: Machine) -> None:
    """Hold Plex by a service that is killed, until it is held by the next."""
    machine.write("/opt/holding.py", HOLDING.replace("FILMS", FILMS))
    unit = machine.read("/usr/lib/systemd/system/plexguard-rclone-watchdog@.service")
    lines = [line for line in unit.splitlines() if not line.startswith(("ExecStart=", "Type=", "WatchdogSec=", "OnFailure="))]
    unit = "\n".join(lines).replace("[Service]\n", "[Service]\nExecStart=/usr/bin/python3 /opt/holding.py\n")
    machine.write(
        "/etc/systemd/system/holding@.service", unit.replace("RestartSec=5s", "RestartSec=100ms\nStartLimitIntervalSec=0")
    )
    machine.systemctl("daemon-reload")
    machine.systemctl("start", "holding@media.service")


def settings(machine: Machine) -> dict[str, object]:
    found = ask_plex(machine, "/:/prefs") or {}
    return {entry["id"]: entry["value"] for entry in found["Setting"] if entry["id"] in SETTINGS}


def test_a_hold_outlives_every_end_of_its_watchdog_and_is_put_back_by_hand_and_with_the_package(plex_machine: Machine) -> None:
    machine = plex_machine
    curl(machine, "-X", "PUT", f"{URL}/:/prefs?ScheduledLibraryUpdatesEnabled=1")
    before = settings(machine)
    assert before["autoEmptyTrash"] is True
    hold(machine)
    for _ in range(5):
        machine.systemctl("kill", "-s", "KILL", "holding@media.service", check=False)
        machine.run(["sleep", "0.3"])
    machine.wait_for(lambda: not any(settings(machine).values()), timeout_s=30, what="Plex is held")
    await_event(machine, "plex.held", timeout_s=20)
    assert len(events(machine, "plex.held")) == 1
    # Who stops the watchdog leaves Plex held.
    machine.systemctl("stop", "holding@media.service")
    machine.systemctl("restart", "plexmediaserver.service")
    machine.wait_for(lambda: ask_plex(machine, "/library/sections"), timeout_s=30, what="Plex answers again")
    assert not any(settings(machine).values())

    assert "as they were" in machine.run(["plexguard-rclone-watchdog", "release"]).stdout
    assert settings(machine) == before
    # A watchdog that runs on respects that, until the mount is proven.
    machine.systemctl("start", "holding@media.service")
    machine.wait_for(
        lambda: "freed" in machine.journal_text("-u", "holding@media.service"), timeout_s=20, what="it is let go by hand"
    )
    assert settings(machine) == before

    machine.systemctl("stop", "holding@media.service")
    machine.run(["rm", "/var/lib/plexguard/plex-hold/state.json"])
    machine.systemctl("start", "holding@media.service")
    machine.wait_for(lambda: not any(settings(machine).values()), timeout_s=30, what="Plex is held again")
    machine.systemctl("stop", "holding@media.service")
    machine.run(["apt-get", "remove", "-y", "plexguard"], timeout_s=120)
    assert settings(machine) == before
