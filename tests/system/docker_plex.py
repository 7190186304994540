"""Plex in a container called plex, on a test machine with a Docker engine: the simulator in an image of the official name."""

from tests.machine import Machine
from tests.system.native_plex import SIMULATOR, TOKEN, URL, ask_plex, curl

IMAGE = "plexinc/pms-docker:latest"
CONFIG = "/srv/plex/config"
PMS = "Library/Application Support/Plex Media Server"
FILMS = "/srv/films on host"
CONTROL = f"{CONFIG}/simulator.json"
# Under its own name, by which its process is known.
PROGRAM = "/usr/lib/plexmediaserver/Plex Media Server"
COMMAND = (
    PROGRAM,
    *("--data", f"/config/{PMS}", "--control", "/config/simulator.json"),
)
SIMULATOR_VOLUMES = (
    "/srv/simulator:/usr/lib/plexmediaserver/simulator:ro",
    f"/srv/simulator/plex-media-server:{PROGRAM}:ro",
)
# What a Python program needs of the machine's own files; Docker itself is left out.
_PARTS = (
    "bin",
    "lib",
    "lib64",
    "sbin",
    "usr/bin",
    "usr/lib64",
    "usr/lib/python3*",
    "usr/lib/x86_64-linux-gnu",
    "etc/passwd",
)
_LEFT_OUT = ("usr/bin/docker*", "usr/bin/containerd*", "usr/sbin/*")


def install_plex(machine: Machine, *, name: str = "plex") -> None:
    """Make the image, start the container as the image's documentation says, and give it a library of one film."""
    prepare_plex(machine)
    run_plex(machine, name=name)
    query = "name=Films&type=movie&agent=tv.plex.agents.movie&scanner=Plex%20Movie&language=en-US&location=/data/films"
    curl(machine, "-X", "POST", f"{URL}/library/sections?{query}")


def run_plex(machine: Machine, *, name: str) -> None:
    """Start a container as the image's documentation says, and wait until Plex answers."""
    machine.run(
        [
            *("docker", "run", "--detach", "--name", name, "--network", "host", "--user", "1500:1500"),
            *("--env", "PLEX_UID=1500", "--env", "PLEX_GID=1500", "--env", "PLEX_CLAIM=claim-abcdefghijklmnop"),
            *("--volume", f"{CONFIG}:/config", "--volume", f"{FILMS}:/data/films", *_simulator()),
            *(IMAGE, *COMMAND),
        ],
        timeout_s=60,
    )
    machine.wait_for(lambda: ask_plex(machine, "/identity") is not None, timeout_s=30, what="Plex answers in its container")


def run_updating_plex(machine: Machine) -> None:
    """Start a container as the image does that updates itself: its script runs for as many seconds as CONFIG/update_s says, and
    then Plex is started under its own name."""
    machine.write("/srv/cont-init.d/50-plex-update", '#!/bin/sh\nsleep "$(cat /config/update_s || echo 0)"\n', mode=0o755)
    start = '/etc/cont-init.d/50-plex-update; exec "$@"'
    machine.run(
        [
            *("docker", "run", "--detach", "--name", "plex", "--network", "host", "--user", "1500:1500"),
            *(
                "--volume",
                f"{CONFIG}:/config",
                "--volume",
                f"{FILMS}:/data/films",
                "--volume",
                "/srv/cont-init.d:/etc/cont-init.d:ro",
            ),
            *_simulator(),
            *(IMAGE, "/bin/sh", "-c", start, "start", *COMMAND),
        ],
        timeout_s=60,
    )


def prepare_plex(machine: Machine) -> None:
    """Make the image, and on the host all that the container mounts."""
    machine.push(SIMULATOR, "/srv/simulator")
    make_image(machine)
    machine.run(["mkdir", "-p", f"{CONFIG}/{PMS}", FILMS])
    machine.write(f"{FILMS}/Film 1.mkv", "film 1\n")
    machine.run(["chown", "-R", "1500:1500", CONFIG])
    set_plex(machine, claimed="true", token=TOKEN)


def set_plex(machine: Machine, **settings: str) -> None:
    """Switch the simulator's faults (tests/fakes/plex)."""
    words = [f"{name}={value}" for name, value in settings.items()]
    machine.run(["/usr/bin/python3", "/srv/simulator/server.py", "--control", CONTROL, "set", *words])
    machine.run(["chmod", "666", CONTROL])


def _simulator() -> list[str]:
    return [word for volume in SIMULATOR_VOLUMES for word in ("--volume", volume)]


def make_image(machine: Machine, *, own: str = "") -> None:
    """Make the image anew: another one has its name then, as after a pull.

    own: a folder of the machine with what the image has beside the machine's own files, and /init, which its containers run.
    """
    machine.run(["sh", "-c", image_script(own=own)], timeout_s=120)


def image_script(*, own: str = "") -> str:
    """Return what makes the image on a machine."""
    parts = " ".join(_PARTS)
    left_out = " ".join(f"--exclude={pattern}" for pattern in _LEFT_OUT)
    more, change = (f"-C {own} .", "--change 'ENTRYPOINT [\"/init\"]'") if own else ("", "")
    return f"cd / && tar {left_out} -c {parts} {more} | docker import {change} - {IMAGE}"
