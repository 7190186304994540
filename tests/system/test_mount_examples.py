"""The example drop-ins for programs that need a mount, as systemd carries them out. The watchdog is a stand-in that is proven, gives
up and comes back when it is told: how long a real one takes for that is not what is tried here."""

from collections.abc import Iterator

import pytest

from tests.machine import Machine

pytestmark = pytest.mark.machine

EXAMPLES = "/usr/share/doc/plexguard/examples/mounts"
UNITS = "/etc/systemd/system"
WATCHDOG = "plexguard-rclone-watchdog@media.service"
SONARR, PLEX = "sonarr.service", "plexmediaserver.service"
# Ready when the mount is proven, and gone when it is not to be mended: as the real one.
_STAND_IN = """\
[Service]
ExecStart=
ExecStart=/bin/sh -c 'until [ -e /run/proven ]; do sleep 0.1; done; systemd-notify --ready; while [ -e /run/proven ]; do sleep 0.1; done; exit 1'
ExecStopPost=
NotifyAccess=all
User=root
Restart=on-failure
RestartSec=1s
WatchdogSec=0
[Unit]
OnFailure=
StartLimitIntervalSec=0
"""
_PROGRAM = "[Unit]\nDescription=Program of Tests\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"


@pytest.fixture
def stage(machine: Machine) -> Iterator[Machine]:
    """A machine with a stand-in for the watchdog, whose mount is not proven, and two programs."""
    machine.write(f"{UNITS}/{WATCHDOG}.d/99-stand-in.conf", _STAND_IN)
    for unit in (SONARR, PLEX):
        machine.write(f"{UNITS}/{unit}", _PROGRAM)
    machine.systemctl("daemon-reload")
    yield machine
    machine.run(["touch", "/run/proven"])


def install(machine: Machine, *files: str) -> None:
    for file in files:
        folder = file.rpartition("/")[0]
        machine.run(["install", "-Dm", "644", f"{EXAMPLES}/{file}", "-t", f"{UNITS}/{folder}".rstrip("/")])
    machine.systemctl("daemon-reload")


def prove(machine: Machine) -> None:
    machine.run(["touch", "/run/proven"])


def lose(machine: Machine) -> None:
    machine.run(["rm", "/run/proven"])


def is_active(machine: Machine, unit: str) -> bool:
    return machine.unit(unit)["ActiveState"] == "active"


def await_active(machine: Machine, unit: str, active: bool = True) -> None:
    machine.wait_for(
        lambda: is_active(machine, unit) is active, timeout_s=15, what=f"{unit} {'runs' if active else 'does not run'}"
    )


def start(machine: Machine, *units: str) -> None:
    machine.systemctl("start", "--no-block", *units)


def pid_of(machine: Machine, unit: str) -> str:
    return machine.unit(unit)["MainPID"]


def test_a_program_runs_with_its_mount_and_comes_back_with_it(stage: Machine) -> None:
    install(stage, "sonarr.service.d/60-mount.conf")

    # It waits for the proof, however long.
    start(stage, SONARR)
    stage.wait_for(
        lambda: stage.unit(WATCHDOG)["ActiveState"] == "activating", timeout_s=10, what="the watchdog is started with it"
    )
    assert not is_active(stage, SONARR)
    prove(stage)
    await_active(stage, SONARR)

    # It is stopped when the watchdog gives up, and comes back by itself.
    lose(stage)
    await_active(stage, SONARR, active=False)
    prove(stage)
    await_active(stage, SONARR)

    # It follows a restart, and a stop.
    before = pid_of(stage, SONARR)
    stage.systemctl("restart", WATCHDOG)
    await_active(stage, SONARR)
    assert pid_of(stage, SONARR) != before
    stage.systemctl("stop", WATCHDOG)
    await_active(stage, SONARR, active=False)


def test_with_binds_to_it_would_stay_stopped(stage: Machine) -> None:
    stage.write(f"{UNITS}/{SONARR}.d/60-mount.conf", f"[Unit]\nBindsTo={WATCHDOG}\nAfter={WATCHDOG}\n")
    stage.systemctl("daemon-reload")
    prove(stage)
    start(stage, SONARR)
    await_active(stage, SONARR)

    lose(stage)
    await_active(stage, SONARR, active=False)
    prove(stage)
    await_active(stage, WATCHDOG)

    assert not is_active(stage, SONARR)


def test_a_program_that_is_upheld_comes_back_whoever_stopped_it(stage: Machine) -> None:
    install(stage, "plexguard-rclone-watchdog@media.service.d/60-upholds.conf")
    prove(stage)
    start(stage, WATCHDOG)
    await_active(stage, SONARR)

    stage.systemctl("stop", SONARR)
    await_active(stage, SONARR)

    # Nothing is stopped with the mount.
    before = pid_of(stage, SONARR)
    lose(stage)
    await_active(stage, WATCHDOG, active=False)
    assert pid_of(stage, SONARR) == before


def test_plex_is_started_after_its_mount_and_is_not_ended_with_it(stage: Machine) -> None:
    install(stage, "mount-proven@.service", "plexmediaserver.service.d/60-mount.conf")
    start(stage, PLEX)
    stage.wait_for(
        lambda: stage.unit(WATCHDOG)["ActiveState"] == "activating", timeout_s=10, what="the watchdog is started with it"
    )
    assert not is_active(stage, PLEX)

    prove(stage)
    await_active(stage, PLEX)

    before = pid_of(stage, PLEX)
    lose(stage)
    await_active(stage, WATCHDOG, active=False)
    stage.systemctl("restart", "--no-block", WATCHDOG)
    assert pid_of(stage, PLEX) == before
    # Once in a boot: a restart of Plex does not wait.
    stage.systemctl("restart", PLEX, timeout_s=20)
    assert is_active(stage, PLEX)


def test_plex_is_started_without_its_mount_when_that_takes_too_long(stage: Machine) -> None:
    install(stage, "mount-proven@.service", "plexmediaserver.service.d/60-mount.conf")
    stage.run(["sed", "-i", "s/timeout 120/timeout 3/", f"{UNITS}/mount-proven@.service"])
    stage.systemctl("daemon-reload")

    start(stage, PLEX)

    await_active(stage, PLEX)
    assert not is_active(stage, WATCHDOG)
    assert stage.failed_units() == []


def test_the_example_of_a_mount_is_a_configuration(machine: Machine) -> None:
    machine.run(["cp", f"{EXAMPLES}/50-mount.toml", "/etc/plexguard/plexguard.toml.d/"])

    assert machine.run(["plexguard-rclone-watchdog"]).stdout == "media: s3:media at /mnt/media\n"
    assert machine.run(["rclone", "--config", f"{EXAMPLES}/rclone.conf", "listremotes"]).stdout == "s3:\n"
