"""A whole run on a machine that is really rented, and booted: to its end, over a shutdown and a power cut of home, and stopped."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from plexguard.cloud_run.life.chain import PHASES
from tests.machine import Layer, Machine
from tests.machine.rented import IMAGE
from tests.system import cloud_chain, docker_plex
from tests.system.conftest import events
from tests.system.house import House, house
from tests.system.native_plex import SIMULATOR
from tests.system.test_cloud_plex import INIT

pytestmark = [pytest.mark.machine, pytest.mark.xdist_group("cloud-rented")]

# An engine in a machine in a machine cannot limit a container.
RUN = 'instance = "lite"\nclaim = "never"\nlimited = false\nmedia = ""\n'
OWN = "/opt/image"
# There is no registry here: the image is made at boot, before the machine is ready.
MAKE_IMAGE = """\
[Unit]
Description=Image of Plex, for Tests
After=docker.service
Before=cloud-final.service

[Service]
Type=oneshot
ExecStart=/bin/sh /opt/make-image

[Install]
WantedBy=cloud-init.target
"""


def _prepare(machine: Machine) -> None:
    machine.push(SIMULATOR, f"{OWN}/usr/lib/plexmediaserver/simulator")
    machine.run(["cp", f"{OWN}/usr/lib/plexmediaserver/simulator/plex-media-server", f"{OWN}{docker_plex.PROGRAM}"])
    machine.write(f"{OWN}/init", INIT, mode=0o755)
    machine.write("/opt/make-image", docker_plex.image_script(own=OWN))
    machine.write("/etc/systemd/system/make-image.service", MAKE_IMAGE)
    machine.systemctl("enable", "make-image.service")


WITH_PLEX = Layer(IMAGE, key=f"with Plex {INIT}{MAKE_IMAGE}{docker_plex.image_script(own=OWN)}", prepare=_prepare)


@pytest.fixture
def home(deb: Path) -> Iterator[House]:
    with house(deb, run=RUN, uptime_s=cloud_chain.UPTIME_S) as home:
        home.rented.use(WITH_PLEX)
        cloud_chain.show_boots(home.machine)
        yield home


def test_run_on_a_rented_machine_comes_to_its_end_whatever_becomes_of_home(home: House) -> None:
    """One story, since each machine takes its time."""
    machine = home.machine
    cursor = machine.cursor()
    cloud_chain.start(machine, check=False)
    assert cloud_chain.done_phases(machine, since_cursor=cursor) == list(PHASES), machine.journal_text("-n", "60")
    assert home.cloud.left() == []
    (brought,) = events(machine, "cloud.exported")
    assert machine.run(["plexguard-db-export", "verify", brought["PLEXGUARD_PATH"]]).returncode == 0
    # Nobody is told of an orphan that is none, and nothing has failed on the way.
    assert events(machine, "cloud.orphan-found") == [] and machine.failed_units() == []
    assert cloud_chain.state(machine)["phase"] == "done"

    # A shutdown of home keeps what is paid for, and the run goes on with the very same machine.
    cursor = machine.cursor()
    cloud_chain.start_until(machine, "scan")
    (before,) = home.servers
    machine.reboot()
    machine.wait_for(lambda: events(machine, "cloud.run-done", since_cursor=cursor), timeout_s=120, what="the run is done")
    cloud_chain.await_released(machine)
    assert events(machine, "cloud.instance-left", since_cursor=cursor)
    assert [found["PLEXGUARD_SERVER"] for found in events(machine, "cloud.instance-created", since_cursor=cursor)] == [before]
    assert home.cloud.left() == []

    # A stop in the midst ends it at once, and leaves nothing.
    cloud_chain.start_until(machine, "analyze")
    assert len(home.servers) == 1
    machine.systemctl("stop", cloud_chain.UNIT)
    cloud_chain.await_released(machine)
    assert home.cloud.left() == []
    assert cloud_chain.state(machine)["phase"] == "stopped"
    assert home.cloud.spent_eur() < 1.0
