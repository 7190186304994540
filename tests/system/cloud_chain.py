"""The chain of a run on a booted machine that is its own host, and what is proven of it when it is cut off in one of its phases."""

import json
from pathlib import Path
from typing import Any

from plexguard.cloud_run.life.chain import LASTING_PHASES, PHASES, phase_unit, run_unit
from tests.machine import READY, Machine, installed
from tests.system.conftest import configure, events

RUN = "delta"
UNIT = run_unit(RUN)
FILE = f"/etc/plexguard/cloud-run/{RUN}.toml"
UNITS = tuple(phase_unit(phase, RUN) for phase in PHASES)
# A run in which nobody is asked anything.
EMPTY = 'claim = "never"\nscan = false\nanalyze = false\n'
UPTIME_S = 600
# Drop-ins there are forgotten by a boot.
_DROP_INS = "/run/systemd/system"
# An engine whose containers are ready at once, so that a chain of phases with nothing to do can be looked at by itself; with the real
# one the phase with Plex is in test_cloud_plex.py.
_ENGINE = """\
#!/bin/sh
kept=/srv/engine/lease
case "$1 $2" in
    "container inspect")
        [ -s $kept ] || { echo "No such container: plex" >&2; exit 1; }
        echo "[\\"running\\", {\\"org.plexguard.lease\\": \\"$(cat $kept)\\"}, \\"image\\"]" ;;
    "run --detach")
        for word; do case $word in --label=*.lease=*) echo "${word##*=}" > $kept ;; esac; done ;;
    "run --rm") case $* in */bin/grep*) exit 1 ;; esac ;;
    "exec plexguard-run")
        case $3 in
            curl) printf '{"MediaContainer": {"machineIdentifier": "a", "claimed": true}}\\n200' ;;
            *) printf 'Plex Media Serv\\nPlex Script Hos\\nPlex Tuner Serv\\n' ;;
        esac ;;
    "container rm") : > $kept ;;
esac
"""
_STATE = f"/var/lib/plexguard/cloud-run/{RUN}"


def prepare(machine: Machine) -> None:
    """Have this machine be the one that runs work on, with one run."""
    configure(machine, '[cloud-run]\nprovider = "local"\nowner = "home"\n')
    machine.write(FILE, EMPTY)
    machine.write("/usr/local/bin/docker", _ENGINE, mode=0o755)
    machine.run(["install", "-d", "-o", "plexguard-cloud", "/srv/engine"])
    machine.write("/etc/systemd/system/plexguard-cloud-plex@.service.d/50-engine.conf", "[Service]\nReadWritePaths=/srv/engine\n")
    show_boots(machine)


def show_boots(machine: Machine) -> None:
    """Let the units of runs tell the boots of a test machine apart: the id of its boot is bound over that of the kernel, which these
    settings show again."""
    machine.write(
        "/etc/systemd/system/plexguard-cloud-.service.d/50-test.conf",
        "[Service]\nProtectControlGroups=no\nProtectKernelTunables=no\nProtectProc=default\n",
    )
    machine.systemctl("daemon-reload")


def boot(deb: Path, suite: str = "bookworm") -> Machine:
    """Return a machine to `prepare`. It says at each boot that it is up for as long: its boots are told apart by that too."""
    return Machine(installed(READY.on(suite), deb), uptime_s=UPTIME_S)


def start(machine: Machine, *, check: bool = True) -> None:
    """Start the run and wait until it has ended, and all of it is released."""
    machine.run(["systemctl", "start", UNIT], check=check, timeout_s=120)
    await_released(machine)


def await_released(machine: Machine) -> None:
    machine.wait_for(lambda: is_released(machine), timeout_s=120, what="every phase has ended")


def is_released(machine: Machine) -> bool:
    return set(machine.systemctl("is-active", *UNITS, UNIT, check=False).split()) <= {"inactive", "failed"}


def state(machine: Machine) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(machine.read(f"{_STATE}/state.json"))
    return found


def has_lease(machine: Machine) -> bool:
    return machine.run(["test", "-e", f"{_STATE}/lease.json"], check=False).returncode == 0


def done_phases(machine: Machine, *, since_cursor: str) -> list[str]:
    """Return the phases that have told their end, in that order."""
    return [found["PLEXGUARD_PHASE"] for found in events(machine, "cloud.phase-done", since_cursor=since_cursor)]


def stopped_phases(machine: Machine, *, since_cursor: str) -> list[str]:
    """Return the phases that the manager has stopped, in that order."""
    told = machine.journal(since_cursor=since_cursor, matches=["_PID=1"])
    ended = ("Deactivated successfully.", "Failed with result")
    rows = [(entry["UNIT"], entry["MESSAGE"]) for entry in told if entry.get("UNIT") in UNITS]
    return [PHASES[UNITS.index(unit)] for unit, message in rows if any(words in message for words in ended)]


def insert(machine: Machine, phase: str, line: str) -> None:
    """Give the unit of a phase a line more, until the machine boots or `restore`."""
    machine.write(f"{_DROP_INS}/plexguard-cloud-{phase}@.service.d/60-inserted.conf", f"[Service]\n{line}\n")
    machine.systemctl("daemon-reload")


def restore(machine: Machine, phase: str) -> None:
    machine.run(["rm", "-r", f"{_DROP_INS}/plexguard-cloud-{phase}@.service.d"])
    machine.systemctl("daemon-reload")


def start_until(machine: Machine, phase: str) -> None:
    """Start the run, and wait until it is in a phase, which lasts for ever."""
    insert(machine, phase, "ExecStartPost=/bin/sleep infinity")
    machine.systemctl("start", "--no-block", UNIT)
    # Its own process has ended well; the phase has not.
    machine.wait_for(
        lambda: machine.unit(phase_unit(phase, RUN))["SubState"] == "start-post", timeout_s=120, what=f"{phase} is under way"
    )


def prove_whole(machine: Machine) -> None:
    """It runs from its begin to its end, whatever was before, and leaves nothing."""
    cursor = machine.cursor()

    start(machine)

    assert done_phases(machine, since_cursor=cursor) == list(PHASES)
    assert stopped_phases(machine, since_cursor=cursor) == list(reversed(PHASES))
    assert [found["PLEXGUARD_RUN"] for found in events(machine, "cloud.run-done", since_cursor=cursor)] == [RUN]
    assert (state(machine)["phase"], state(machine)["resumed"]) == ("done", 0)
    assert_nothing_left(machine)


def prove_failure(machine: Machine, phase: str) -> None:
    """The process of a phase fails without a word: that is told once, and all before it is released."""
    insert(machine, phase, "ExecStartPre=/bin/false")
    cursor = machine.cursor()

    start(machine, check=False)

    (told,) = events(machine, "cloud.run-failed", since_cursor=cursor)
    assert (told["PLEXGUARD_PHASE"], told["PLEXGUARD_REASON"]) == (phase, "the service manager ended it: exit-code"), told
    assert (failed := events(machine, "unit.failed", since_cursor=cursor)) == [], failed
    assert stopped_phases(machine, since_cursor=cursor) == list(reversed(PHASES[: PHASES.index(phase) + 1]))
    assert (state(machine)["phase"], state(machine)["failure"]) == ("failed", f"{phase}: {told['PLEXGUARD_REASON']}")
    assert machine.failed_units() == [phase_unit(phase, RUN)]
    restore(machine, phase)
    machine.systemctl("reset-failed")
    assert_nothing_left(machine)


def prove_stop(machine: Machine, phase: str) -> None:
    """A stop ends the phase at once, and releases in reverse order; it is no failure."""
    start_until(machine, phase)
    cursor = machine.cursor()

    machine.systemctl("stop", UNIT)
    await_released(machine)

    assert stopped_phases(machine, since_cursor=cursor) == list(reversed(PHASES[: PHASES.index(phase) + 1]))
    assert state(machine)["phase"] == "stopped"
    assert [found["PLEXGUARD_PHASE"] for found in events(machine, "cloud.run-stopped", since_cursor=cursor)] == [phase]
    assert events(machine, "cloud.run-failed", since_cursor=cursor) == events(machine, "unit.failed", since_cursor=cursor) == []
    restore(machine, phase)
    assert_nothing_left(machine)


def prove_reboot(machine: Machine, phase: str) -> None:
    """A shutdown in a phase keeps the machine, and the run is taken up at the next boot."""
    cursor = machine.cursor()
    start_until(machine, phase)

    machine.reboot()

    assert len(events(machine, "cloud.instance-left", since_cursor=cursor)) == (PHASES.index(phase) >= PHASES.index("instance"))
    prove_taken_up(machine, phase, since_cursor=cursor)


def prove_power_cut(machine: Machine, phase: str) -> None:
    """So does a power cut."""
    cursor = machine.cursor()
    start_until(machine, phase)
    machine.run(["journalctl", "--sync"])

    machine.cut_power()
    machine.boot()

    prove_taken_up(machine, phase, since_cursor=cursor)


def prove_taken_up(machine: Machine, phase: str, *, since_cursor: str) -> None:
    """What was done before the boot lasts, what holds something is done anew, and the run comes to its end."""
    machine.wait_for(lambda: events(machine, "cloud.run-done", since_cursor=since_cursor), timeout_s=120, what="the run is done")
    await_released(machine)

    # Its own process had ended, and noted it.
    before = PHASES[: PHASES.index(phase) + 1]
    after = [one for one in PHASES if not (one in before and one in LASTING_PHASES)]
    assert done_phases(machine, since_cursor=since_cursor) == [*before, *after]
    assert [found["PLEXGUARD_PHASE"] for found in events(machine, "cloud.run-resumed", since_cursor=since_cursor)] == [phase]
    assert (state(machine)["phase"], state(machine)["resumed"]) == ("done", 1)
    assert_nothing_left(machine)


def assert_nothing_left(machine: Machine) -> None:
    """The machine is as before any run, but for what is on record."""
    assert is_released(machine) and not has_lease(machine)
    assert machine.failed_units() == []
