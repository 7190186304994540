"""Plex's container as a run starts it, on a booted machine with a real engine: who is asked for a claim token, and how."""

import json

import pytest

from plexguard.cloud_run.server.container import NAME, URL
from tests.machine import Machine
from tests.system import cloud_chain, docker_plex
from tests.system.conftest import configure, events
from tests.system.native_plex import SIMULATOR, ask_plex

pytestmark = [pytest.mark.machine, pytest.mark.xdist_group("docker")]

RUN = "plexguard-cloud-run@delta.service"
PLEX = "plexguard-cloud-plex@delta.service"
TOKEN = "claim-AbCdEfGhIjKlMnOp1234"
OWN = "/srv/image"
TYPED = "/srv/typescript"
GO_ON = "/srv/go-on"
# What the official image does in its first run, as far as it matters here; and three processes by the names of Plex's.
INIT = f"""\
#!/bin/sh
set -eu
mkdir -p '/config/{docker_plex.PMS}'
if [ -f "${{PLEX_CLAIM_FILE:-}}" ]; then
    cp "$PLEX_CLAIM_FILE" /config/exchanged
    echo '{{"claimed": true, "token": "token-of-the-server"}}' > /config/simulator.json
else
    [ -e /config/simulator.json ] || echo '{{"claimed": false}}' > /config/simulator.json
fi
preferences='/config/{docker_plex.PMS}/Preferences.xml'
if [ -n "${{ALLOWED_NETWORKS:-}}" ]; then
    [ -e "$preferences" ] || echo '<Preferences />' > "$preferences"
    grep -q allowedNetworks "$preferences" || sed -i "s|<Preferences |<Preferences allowedNetworks=\\"$ALLOWED_NETWORKS\\" |" "$preferences"
fi
for name in 'Plex Script Host' 'Plex Tuner Service'; do
    ln -sf /bin/sleep "/$name"
    "/$name" infinity &
done
exec '{docker_plex.PROGRAM}' --address 0.0.0.0 --data '/config/{docker_plex.PMS}' --control /config/simulator.json
"""


@pytest.fixture
def machine(docker_machine: Machine) -> Machine:
    prepare(docker_machine)
    return docker_machine


def prepare(machine: Machine) -> None:
    """Have runs work on a machine, with the image there, and their scans wait for us."""
    machine.push(SIMULATOR, f"{OWN}/usr/lib/plexmediaserver/simulator")
    machine.run(["cp", f"{OWN}/usr/lib/plexmediaserver/simulator/plex-media-server", f"{OWN}{docker_plex.PROGRAM}"])
    machine.write(f"{OWN}/init", INIT, mode=0o755)
    docker_plex.make_image(machine, own=OWN)
    machine.run(["mkdir", "/Media"])
    machine.write(
        "/etc/systemd/system/plexguard-cloud-scan@.service.d/test.conf",
        f"[Service]\nExecStartPre=/bin/sh -c 'until test -e {GO_ON}; do sleep 0.2; done'\n",
    )
    configure(machine, '[cloud-run]\nprovider = "local"\nowner = "home"\n')
    machine.run(["plexguard-status", "apply"])


def write_run(machine: Machine, text: str) -> None:
    machine.write("/etc/plexguard/cloud-run/delta.toml", text)


def last_failure(machine: Machine) -> dict[str, str]:
    return events(machine, "cloud.run-failed")[-1]


def data_of(machine: Machine) -> str:
    """Return the folder with the data of the last run."""
    return machine.run(["sh", "-c", "ls -d /var/lib/plexguard-run/plexguard.home.delta.*"]).stdout.split()[-1]


def test_claim_token_is_asked_for_on_the_terminal_that_started_the_run_and_leaves_no_trace(machine: Machine) -> None:
    """One story, since an engine takes its time: limits refused, nobody there, then somebody who types."""
    # An engine in a machine in a machine cannot limit a container.
    write_run(machine, 'instance = "lite"\nclaim = "never"\n')
    assert machine.run(["systemctl", "start", RUN], check=False, timeout_s=120).returncode != 0
    assert "cannot limit a container" in last_failure(machine)["PLEXGUARD_REASON"]
    assert "limited = false" in last_failure(machine)["PLEXGUARD_HINT"]
    await_released(machine)

    # Without a terminal nobody is asked whom one could see.
    write_run(machine, 'limited = false\nclaim_timeout = "5s"\n')
    assert machine.run(["systemctl", "start", RUN], check=False, timeout_s=120).returncode != 0
    assert "Nobody gave a claim token within 5s" in last_failure(machine)["PLEXGUARD_REASON"]
    assert "systemctl start" in last_failure(machine)["PLEXGUARD_HINT"]
    await_released(machine)

    # On a terminal: a wrong answer first.
    write_run(machine, 'limited = false\nclaim_timeout = "1min"\n')
    terminal = machine.spawn(["script", "--quiet", "--flush", "--command", f"systemctl start {RUN}", TYPED])
    assert terminal.stdin is not None
    for answer, prompt in (("hello", "Claim token for the Plex of run delta"), (TOKEN, "That is no claim token")):
        machine.wait_for(lambda prompt=prompt: prompt in typed(machine), timeout_s=60, what=f"it is asked: {prompt}")
        terminal.stdin.write(f"{answer}\n")
        terminal.stdin.flush()
    machine.wait_for(
        lambda: machine.systemctl("is-active", PLEX, check=False).strip() == "active", timeout_s=60, what="Plex is ready"
    )

    assert machine.read(f"{data_of(machine)}/config/exchanged") == TOKEN
    state = json.loads(machine.read("/var/lib/plexguard/cloud-run/delta/state.json"))
    assert state["image"] == docker_plex.IMAGE
    assert '"claimed":true' in identity(machine).replace(" ", "")
    assert machine.run(["stat", "-c", "%u", f"{data_of(machine)}/config"]).stdout.strip() == "1000"
    assert_no_trace(machine)

    machine.write(GO_ON, "")
    assert terminal.wait(timeout=60) == 0
    await_released(machine)
    assert events(machine, "cloud.run-done"), last_failure(machine)
    (brought,) = events(machine, "cloud.exported")
    assert machine.run(["plexguard-db-export", "verify", brought["PLEXGUARD_PATH"]]).returncode == 0
    assert not [line for line in machine.run(["find", "/run/plexguard/cloud-plex"]).stdout.splitlines() if "delta" in line]


def test_plex_at_home_goes_on_beside_the_run_that_is_tried_on_its_machine(docker_machine: Machine) -> None:
    machine = docker_machine
    docker_plex.install_plex(machine)
    prepare(machine)
    cloud_chain.show_boots(machine)
    machine.wait_for(lambda: followed(machine) == ("plex", "running"), timeout_s=60, what="home's container is followed")
    home = ask_plex(machine, "/identity")
    began = started(machine)
    machine.run(["mkdir", "-p", "/etc/plexguard/cloud-run/localtest.toml.d"])
    machine.write(
        "/etc/plexguard/cloud-run/localtest.toml.d/50-test.toml",
        f'limited = false\nmedia = ""\nimage = "{docker_plex.IMAGE}"\nscan = false\nanalyze = false\n',
    )
    machine.systemctl("start", "--no-block", "plexguard-cloud-run@localtest")
    unit = "plexguard-cloud-plex@localtest.service"
    machine.wait_for(
        lambda: machine.systemctl("is-active", unit, check=False).strip() == "active" or events(machine, "cloud.run-failed"),
        timeout_s=120,
        what="the run's Plex is ready",
    )
    assert not events(machine, "cloud.run-failed"), last_failure(machine)

    other = ask_plex(machine, "/identity", url=URL)
    assert home is not None and other is not None and home["machineIdentifier"] != other["machineIdentifier"]
    # What watches home's container does not take the run's for one that might be it.
    machine.systemctl("restart", "plexguard-container-watch.service")
    machine.wait_for(lambda: followed(machine) == ("plex", "running"), timeout_s=60, what="home's container is followed")

    machine.write(GO_ON, "")
    machine.wait_for(lambda: events(machine, "cloud.run-done"), timeout_s=120, what="the run is over")
    names = ["docker", "ps", "--all", "--format={{.Names}}"]
    machine.wait_for(lambda: machine.run(names).stdout.split() == ["plex"], timeout_s=60, what="the run's container is gone")
    assert ask_plex(machine, "/identity") == home and started(machine) == began
    assert not events(machine, "container.ambiguous") and not events(machine, "cloud.run-failed")


def followed(machine: Machine) -> tuple[str, str]:
    found = json.loads(machine.run(["cat", "/run/plexguard/container.json"], check=False).stdout or "{}")
    return found.get("name", ""), found.get("status", "")


def started(machine: Machine) -> str:
    return machine.run(["docker", "inspect", "-f", "{{.State.StartedAt}}", "plex"]).stdout


def await_released(machine: Machine) -> None:
    """Wait until all phases have ended, which their run does not wait for, and no container is left."""
    cloud_chain.await_released(machine)
    assert machine.run(["docker", "ps", "--all", "--quiet"]).stdout == ""


def typed(machine: Machine) -> str:
    return machine.run(["cat", TYPED], check=False).stdout


def identity(machine: Machine) -> str:
    return machine.run(
        ["docker", "exec", NAME, "curl", "-s", "-H", "Accept: application/json", "http://127.0.0.1:32400/identity"]
    ).stdout


def assert_no_trace(machine: Machine) -> None:
    """Assert that the token is nowhere but where Plex itself has put it."""
    # From a file, so that it does not find itself.
    machine.write("/srv/pattern", f"{TOKEN}\n", mode=0o600)
    search = "grep -alsF -f /srv/pattern /proc/[0-9]*/cmdline /proc/[0-9]*/environ; "
    search += "grep -rlsF -f /srv/pattern /var/lib/plexguard /run/plexguard /run/systemd /run/credentials /tmp /var/tmp; true"
    assert machine.run(["sh", "-c", search]).stdout == ""
    assert TOKEN not in machine.run(["docker", "inspect", NAME]).stdout
    assert TOKEN not in machine.run(["docker", "logs", NAME]).stdout
    assert TOKEN not in machine.run(["journalctl", "--no-pager", "-o", "export"]).stdout
    assert TOKEN not in typed(machine)
