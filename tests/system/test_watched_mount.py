"""A mount that plexguard watches in a booted machine, through what administrators do beside it: empty Plex's trash, upgrade the package,
take the mount out of the configuration."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.storage import BUCKET
from tests.machine import Machine
from tests.system.conftest import await_event, configure, events, install_again
from tests.system.mounting import CONFIGURATION, MOUNT_UNIT, POINT, SERVED, WATCHDOG_UNIT, Stand, with_storage
from tests.system.native_plex import ask_plex

pytestmark = [pytest.mark.machine, pytest.mark.xdist_group("watched-mount")]

STATES = "/var/lib/plexguard"
TRASH = "plexguard-trash.service"
# Nothing hides what becomes of the storage.
UNCACHED = CONFIGURATION + 'cache_mode = "off"\ndir_cache = "1s"\n'


@pytest.fixture(scope="module")
def stand(deb: Path) -> Iterator[Stand]:
    with Machine(with_storage(deb)) as machine:
        stand = Stand(machine)
        configure(machine, UNCACHED)
        machine.systemctl("start", WATCHDOG_UNIT, timeout_s=120)
        stand.add_libraries()
        yield stand


def hold(stand: Stand) -> str:
    """Have the storage refuse, and wait until Plex is held for it; return since when."""
    since = stand.machine.cursor()
    stand.faults.set("all", "answer", status=403)
    await_event(stand.machine, "plex.held", timeout_s=60, since_cursor=since)
    return since


def read_state(stand: Stand, name: str) -> dict[str, Any]:
    return dict(json.loads(stand.machine.read(f"{STATES}/{name}/state.json")))


def missing(stand: Stand) -> int:
    found: Any = ask_plex(stand.machine, "/library/sections/2/all?type=1&trash=1&X-Plex-Container-Start=0&X-Plex-Container-Size=0")
    return int(found["totalSize"])


def lose(stand: Stand, *numbers: int) -> None:
    """Take films out of the storage, and have rclone, and then Plex, miss them."""
    before, names = missing(stand), [f"Film {number} ({1980 + number})" for number in numbers]
    for name in names:
        stand.machine.run(["rm", "-r", f"{SERVED}/{BUCKET}/Films/{name}"])

    def is_seen() -> bool:
        return not set(names) & set(stand.machine.run(["ls", f"{POINT}/Films"]).stdout.splitlines())

    stand.machine.wait_for(is_seen, timeout_s=30, what="rclone lists them no more")
    stand.scan()
    stand.machine.wait_for(lambda: missing(stand) == before + len(numbers), timeout_s=60, what="Plex misses the films")
    stand.await_scans()


def empty(stand: Stand, event: str) -> dict[str, str]:
    """Have the trash emptied where it may be, and return what is told of it."""
    since = stand.machine.cursor()
    stand.machine.systemctl("start", TRASH, timeout_s=180)
    return await_event(stand.machine, event, timeout_s=10, since_cursor=since)


def test_each_has_its_state_where_the_other_does_not_write(stand: Stand) -> None:
    since = hold(stand)
    assert list(read_state(stand, "plex-hold")["holders"]) == ["media"]
    seen = read_state(stand, "rclone-watchdog/media")
    assert (seen["path"], seen["verdict"]) == (POINT, "refusing")

    stand.mend()
    await_event(stand.machine, "plex.released", timeout_s=60, since_cursor=since)
    assert read_state(stand, "plex-hold")["holders"] == {}
    assert read_state(stand, "rclone-watchdog/media")["verdict"] == "proven"


def test_trash_is_emptied_only_while_the_mount_is_proven_and_little_is_missing(stand: Stand) -> None:
    configure(stand.machine, '[rclone-watchdog]\ntrash = true\ntrash_pause = "5s"\n' + UNCACHED)
    assert "until plexguard has looked at it" in stand.machine.run(["plexguard-status", "check-config"]).stdout
    stand.machine.systemctl("start", WATCHDOG_UNIT, timeout_s=60)
    stand.machine.systemctl("start", TRASH, timeout_s=60)
    assert "note: " not in stand.machine.run(["plexguard-status", "check-config"]).stdout
    assert stand.settings()["autoEmptyTrash"] == "False"
    had = stand.items().known
    lose(stand, 1, 2)

    since = hold(stand)
    kept = empty(stand, "trash.kept")
    assert f"{POINT} is not proven: it is refusing" in kept["PLEXGUARD_REASON"] and missing(stand) == 2
    stand.mend()
    await_event(stand.machine, "plex.released", timeout_s=60, since_cursor=since)

    told = empty(stand, "trash.emptied")
    assert (told["PLEXGUARD_COUNT"], missing(stand), stand.items().known) == ("2", 0, had - 2)
    assert f"{POINT}/Films/Film 1 (1981)" in stand.machine.run(["plexguard-rclone-watchdog", "trash", "--history"]).stdout

    # when: more than half of the films that are left
    lose(stand, *range(3, 15))
    kept = empty(stand, "trash.kept")
    assert "12 of 22 are missing, more than 11" in kept["PLEXGUARD_REASON"] and missing(stand) == 12
    listed = stand.machine.run(["plexguard-rclone-watchdog", "trash", "--dry-run"], check=False).stdout
    assert all(f"Film {number} " in listed for number in range(3, 15))


def test_upgrade_restarts_who_watches_and_not_the_mount(stand: Stand, deb: Path) -> None:
    rclone, watcher = stand.rclone_pid, stand.machine.unit(WATCHDOG_UNIT)["MainPID"]

    install_again(stand.machine, deb)

    def is_ready() -> bool:
        unit = stand.machine.unit(WATCHDOG_UNIT)
        return unit["ActiveState"] == "active" and unit["MainPID"] != watcher

    stand.machine.wait_for(is_ready, timeout_s=60, what="another watchdog has proven the mount")
    assert stand.rclone_pid == rclone


def test_mount_that_is_taken_out_of_the_configuration_goes_on_unwatched_and_plex_is_let_go(stand: Stand) -> None:
    configure(stand.machine, UNCACHED)
    stand.machine.systemctl("start", WATCHDOG_UNIT, timeout_s=60)
    settings, rclone = stand.settings(), stand.rclone_pid
    since = hold(stand)

    stand.machine.write("/etc/plexguard/plexguard.toml.d/50-test.toml", "")
    told = stand.machine.run(["plexguard-status", "apply"]).stdout

    assert f"{WATCHDOG_UNIT}: stopped" in told and f"systemctl stop {MOUNT_UNIT}" in told and "release" not in told, told
    assert stand.machine.unit(WATCHDOG_UNIT)["ActiveState"] == "inactive"
    assert len(events(stand.machine, "plex.released", since_cursor=since)) == 1
    assert stand.settings() == settings
    assert (stand.rclone_pid, stand.machine.unit(MOUNT_UNIT)["ActiveState"]) == (rclone, "active")
    # Nor does a start of everything.
    stand.machine.systemctl("start", "plexguard.target")
    assert stand.machine.unit(WATCHDOG_UNIT)["ActiveState"] == "inactive"
    stand.machine.systemctl("stop", MOUNT_UNIT)
