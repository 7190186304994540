"""A native Plex for a test machine: the simulator, installed where Plex's own package puts Plex."""

import json
from pathlib import Path
from typing import Any

from tests.machine import Machine

SIMULATOR = Path(__file__).parent.parent / "fakes/plex"
DATA = "/var/lib/plexmediaserver/Library/Application Support/Plex Media Server"
PREFERENCES = f"{DATA}/Preferences.xml"
PROGRAM = "/usr/lib/plexmediaserver/Plex Media Server"
SUPPORT = DATA.rpartition("/")[0]
CONTROL = f"{SUPPORT}/simulator.json"
UNIT = "plexmediaserver.service"
URL = "http://127.0.0.1:32400"
DOOR = "http://127.0.0.1:32401"
TOKEN = "ABCDEFGHIJabcdefghij"
FILMS = "/data/media/Films"


def install_plex(machine: Machine, *, claimed: bool = True) -> None:
    """Install and start the simulator as plexmediaserver.service, with a library of films that is scanned."""
    machine.run(["useradd", "--system", "--home-dir", "/var/lib/plexmediaserver", "--create-home", "plex"])
    machine.push(SIMULATOR, "/usr/lib/plexmediaserver/simulator")
    machine.push(SIMULATOR / "plex-media-server", PROGRAM)
    machine.run(["chmod", "755", PROGRAM])
    machine.push(SIMULATOR / UNIT, f"/lib/systemd/system/{UNIT}")
    for number in range(1, 4):
        machine.run(["mkdir", "-p", f"{FILMS}/Film {number} (200{number})"])
        machine.write(f"{FILMS}/Film {number} (200{number})/Film {number}.mkv", f"film {number}\n" * 100)
    machine.run(["mkdir", "-p", SUPPORT], user="plex")
    set_plex(machine, claimed=str(claimed).lower(), token=TOKEN)
    machine.systemctl("daemon-reload")
    machine.systemctl("enable", "--now", UNIT)
    machine.wait_for(lambda: ask_plex(machine, "/identity") is not None, timeout_s=20, what="Plex answers")
    add_library(machine, "Films", FILMS)
    curl(machine, f"{URL}/library/sections/1/refresh")
    machine.wait_for(lambda: len(list_films(machine)) == 3, timeout_s=20, what="Plex scans its library")


def add_library(machine: Machine, name: str, folder: str, *, url: str = URL) -> None:
    """Add a library of films; folder as a URL has it."""
    query = f"name={name}&type=movie&agent=tv.plex.agents.movie&scanner=Plex%20Movie&language=en-US&location={folder}"
    curl(machine, "-X", "POST", f"{url}/library/sections?{query}")


def set_plex(machine: Machine, **settings: str) -> None:
    """Switch the simulator's faults (tests/fakes/plex)."""
    machine.run(
        ["/usr/bin/python3", "/usr/lib/plexmediaserver/simulator/server.py", "--control", CONTROL, "set"]
        + [f"{name}={value}" for name, value in settings.items()],
        user="plex",
    )


def curl(machine: Machine, *arguments: str, check: bool = True) -> str:
    headers = ["-H", f"X-Plex-Token: {TOKEN}", "-H", "Accept: application/json"]
    return machine.run(["curl", "-sS", "-f", "--max-time", "5", *headers, *arguments], check=check).stdout


def ask_plex(machine: Machine, path: str, *, url: str = URL) -> dict[str, object] | None:
    """Return an answer of Plex, or None when it gives none."""
    try:
        return dict(json.loads(curl(machine, url + path, check=False))["MediaContainer"])
    except ValueError:
        return None


def list_films(machine: Machine) -> dict[str, str]:
    """Return the address of each film's bytes by its file."""
    films: Any = ask_plex(machine, "/library/sections/1/all") or {}
    medias = (media for film in films.get("Metadata", []) for media in film["Media"])
    return {part["file"]: part["key"] for media in medias for part in media["Part"]}


def play_film(machine: Machine, file: str, where: str = URL) -> int:
    """Ask Plex for a film's bytes as a player does, and return the status: 200, or 404 for one it cannot read."""
    url = where + list_films(machine)[file]
    argv = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", f"X-Plex-Token: {TOKEN}", "--max-time", "5", url]
    return int(machine.run(argv).stdout)
