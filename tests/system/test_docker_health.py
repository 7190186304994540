"""The health check of Plex's container, as Compose and Docker read it from the shipped examples."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.machine import DOCKER, Machine, installed
from tests.static.tree import health_command
from tests.system import docker_plex

pytestmark = [pytest.mark.machine, pytest.mark.xdist_group("docker")]

EXAMPLE = "/usr/share/doc/plexguard/examples/docker"
FOLDER = "/run/plexguard/health"
FLAG = f"{FOLDER}/unreadable"
_SECOND = 1_000_000_000
# The simulator in place of Plex, and a check every second.
_OVERRIDE = {
    "user": "1500:1500",
    "command": list(docker_plex.COMMAND),
    "volumes": [f"{docker_plex.CONFIG}:/config", f"{docker_plex.FILMS}:/data:ro,rslave", *docker_plex.SIMULATOR_VOLUMES],
    "healthcheck": {"interval": "1s"},
}


@pytest.fixture
def host(deb: Path, request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine with Docker, Compose and the package, whose programs are stopped: the health check alone looks at Plex."""
    tree = DOCKER.with_packages("docker-compose").on(getattr(request, "param", "bookworm"))
    with Machine(installed(tree, deb)) as machine:
        machine.systemctl("stop", "plexguard.target")
        docker_plex.prepare_plex(machine)
        yield machine


def start_container(machine: Machine) -> None:
    machine.write("/srv/override.json", json.dumps({"services": {"plex": _OVERRIDE}}))
    files = ["--file", f"{EXAMPLE}/compose.yaml", "--file", "/srv/override.json"]
    machine.run(["docker-compose", "--project-name", "plex", *files, "up", "--detach"], timeout_s=120)


def inspect(machine: Machine, template: str, name: str = "plex") -> Any:
    return json.loads(machine.run(["docker", "inspect", "--format", f"{{{{json {template}}}}}", name]).stdout)


def health(machine: Machine) -> str:
    return str(inspect(machine, ".State.Health.Status"))


def await_health(machine: Machine, status: str) -> str:
    """Wait for a status and return what the last check printed."""
    machine.wait_for(lambda: health(machine) == status, timeout_s=60, what=f"container is {status}")
    return str(inspect(machine, ".State.Health.Log")[-1]["Output"])


# Compose 1 with Docker 20.10, and Compose 2 with Docker 26.
@pytest.mark.parametrize("host", ["bookworm", "trixie"], indirect=True)
def test_the_container_turns_unhealthy_and_back(host: Machine) -> None:
    """One story, since an engine takes its time: as the example says, the flag, Plex itself, a boot."""
    machine = host
    start_container(machine)
    check = inspect(machine, ".Config.Healthcheck")
    assert check["Test"] == ["CMD-SHELL", health_command()]
    assert [check[name] // _SECOND for name in ("Timeout", "StartPeriod")] == [5, 40]
    assert (check["Retries"], inspect(machine, ".Config.StopTimeout")) == (3, 60)
    assert inspect(machine, ".HostConfig.RestartPolicy.Name") == "unless-stopped"
    assert {mount["Propagation"] for mount in inspect(machine, ".Mounts") if mount["Destination"] == "/data"} == {"rslave"}
    assert await_health(machine, "healthy") == ""

    machine.write(FLAG, "Film 1.mkv stays unreadable\n")
    assert await_health(machine, "unhealthy") == "Film 1.mkv stays unreadable\n"
    machine.run(["rm", FLAG])
    await_health(machine, "healthy")

    docker_plex.set_plex(machine, mode="hung")
    await_health(machine, "unhealthy")
    docker_plex.set_plex(machine, mode="healthy")
    await_health(machine, "healthy")

    docker_plex.set_plex(machine, mode="maintenance")
    machine.wait_for(lambda: "error: 503" in await_health(machine, "healthy"), timeout_s=30, what="a check that meets maintenance")
    # Five checks in a row, as the engine keeps them.
    machine.wait_for(
        lambda: all("error: 503" in entry["Output"] for entry in inspect(machine, ".State.Health.Log")),
        timeout_s=30,
        what="checks that meet nothing but maintenance",
    )
    assert health(machine) == "healthy"
    docker_plex.set_plex(machine, mode="deadlock")
    await_health(machine, "unhealthy")

    # A restart cures the deadlock; the folder is there before Docker starts the container.
    machine.reboot()
    await_health(machine, "healthy")
    machine.write(FLAG, "Film 1.mkv stays unreadable\n")
    await_health(machine, "unhealthy")


def test_the_image_of_ones_own_has_the_same_check(host: Machine) -> None:
    machine = host
    machine.run(["docker", "build", "--tag", "own", EXAMPLE], timeout_s=120)

    check = inspect(machine, ".Config.Healthcheck", "own")

    kind, command = check["Test"]
    assert (kind, " ".join(command.split())) == ("CMD-SHELL", " ".join(health_command().split()))
    assert [check[name] // _SECOND for name in ("Interval", "Timeout", "StartPeriod")] == [30, 5, 40]
    assert check["Retries"] == 3


def test_a_container_that_is_older_than_plexguard_is_healthy_and_later_sees_the_flag(host: Machine, deb: Path) -> None:
    """Docker makes the folder that is missing, and the package takes it as it is."""
    machine = host
    machine.run(["apt-get", "purge", "-y", "plexguard"])
    machine.push(Path(__file__).parents[2] / "packaging/docker", EXAMPLE)
    start_container(machine)
    assert "plexguard is not there" in await_health(machine, "healthy")

    machine.install(deb)
    machine.systemctl("stop", "plexguard.target")
    machine.wait_for(lambda: await_health(machine, "healthy") == "", timeout_s=30, what="plexguard is there")
    machine.write(FLAG, "Film 1.mkv stays unreadable\n")
    await_health(machine, "unhealthy")

    machine.run(["apt-get", "remove", "-y", "plexguard"])
    await_health(machine, "healthy")


def test_the_folder_of_the_flag_stays_the_same_while_plexguard_is_installed(machine: Machine, deb: Path) -> None:
    """What a container sees is the folder that was there when it started: here a bind mount."""
    machine.run(["mkdir", "/mnt/seen"])
    machine.run(["mount", "--bind", FOLDER, "/mnt/seen"])
    machine.push(deb, "/tmp/same.deb")

    def replaced_after(*argv: str) -> bool:
        machine.run(list(argv), timeout_s=120)
        machine.run(["touch", FLAG])
        seen = machine.run(["test", "-e", "/mnt/seen/unreadable"], check=False).returncode == 0
        machine.run(["rm", FLAG])
        return not seen

    steps = [
        ("systemctl", "restart", "plexguard-discover.service"),
        ("systemctl", "start", "plexguard-perms-audit.service"),
        ("systemctl", "stop", "plexguard.target"),
        ("systemctl", "start", "plexguard.target"),
        ("systemd-tmpfiles", "--create", "--remove", "--clean", "plexguard.conf"),
        ("apt-get", "install", "-y", "--reinstall", "--no-install-recommends", "/tmp/same.deb"),
        ("apt-get", "remove", "-y", "plexguard"),
        ("apt-get", "install", "-y", "--no-install-recommends", "/tmp/same.deb"),
    ]
    assert [step for step in steps if replaced_after(*step)] == []
    assert machine.run(["stat", "-c", "%a %U", FOLDER]).stdout.strip() == "755 root"
