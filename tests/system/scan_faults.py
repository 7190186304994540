"""What can happen in the midst of a library's scan on the run's machine, each alone, and that nothing is lost by it.

Every fault has a library of its own, named after it, over the same films; one run scans them all.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from plexguard.cloud_run.server.container import NAME, URL
from tests.machine import Machine
from tests.system import cloud_chain
from tests.system.conftest import events
from tests.system.mounting import Stand
from tests.system.native_plex import add_library, ask_plex, curl
from tests.system.test_cloud_mount import Pair, kill_mount, start_plex, told

SCAN = "plexguard-cloud-scan@delta.service"
# Of make_library.
FILMS = 24
# How long the scan of a film takes, in which something is to happen, and where it takes a while to be seen.
_FILM_S, _LONG_FILM_S = 0.5, 3.0
# How long a Plex is strange that answers again after it.
_STRANGE_S = 40.0
_LIBRARY_S = 600
_LOST, _RESTARTED, _UNTOLD = "nothing is lost", "Plex was started anew in its midst", "cannot tell: Plex's activities"
FULL = "Disk is full"
_LOCK = """
import sqlite3, sys, time
with sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None) as connection:
    connection.execute("BEGIN EXCLUSIVE")
    time.sleep(float(sys.argv[2]))
    connection.execute("ROLLBACK")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """strike: makes it, once Plex scans the library. told: what the operator is told meanwhile, "" for what is borne in silence;
    without a word it lasts for lasts_s. events: beside that, of the run alone. mend: ends it. film_s: how long the scan of a film takes until then."""

    strike: Callable[[Pair], object]
    told: str = ""
    lasts_s: float = 0.0
    events: tuple[str, ...] = ()
    mend: Callable[[Pair], object] = lambda _: None
    film_s: float = _FILM_S


def answer_badly(mode: str, **switches: object) -> Fault:
    """Plex's API in a mode of the simulator."""
    return Fault(
        strike=lambda pair: set_plex(pair.guest, mode=mode, **switches),
        told=_UNTOLD,
        mend=lambda pair: set_plex(pair.guest, mode="healthy"),
        film_s=_LONG_FILM_S,
    )


def fail_storage(strike: Callable[[Stand], object]) -> Fault:
    return Fault(
        strike=lambda pair: strike(Stand(pair.guest)),
        told=_LOST,
        mend=lambda pair: Stand(pair.guest).mend(),
        film_s=_LONG_FILM_S,
    )


def kill_plex(pair: Pair) -> None:
    pair.guest.run(["kill", "-KILL", pair.guest.run(["docker", "inspect", "-f", "{{.State.Pid}}", NAME]).stdout.strip()])


def cut_line(pair: Pair, *, seconds: int) -> None:
    """Have the run's machine be out of reach for so long."""
    pair.guest.run(["systemd-run", "--quiet", f"--on-active={seconds}", "ip", "link", "set", "host0", "up"])
    pair.guest.run(["ip", "link", "set", "host0", "down"])


def lock_database(pair: Pair, *, seconds: float) -> None:
    found = "/var/lib/plexguard-run/*/config/Library/*/*/*/Databases/com.plexapp.plugins.library.db"
    (database,) = pair.guest.run(["sh", "-c", f"ls {found}"]).stdout.splitlines()
    pair.guest.run(["systemd-run", "--quiet", "/usr/bin/python3", "-c", _LOCK, database, str(seconds)])


def be_strange(pair: Pair) -> None:
    """A line that is lost, a Plex that crashes meanwhile, and somebody who holds its database as long as Plex can wait."""
    cut_line(pair, seconds=60)
    kill_plex(pair)
    pair.guest.wait_for(lambda: ask_plex(pair.guest, "/identity", url=URL), timeout_s=60, what="the engine has started Plex again")
    lock_database(pair, seconds=5)


def start_butler(pair: Pair) -> None:
    """Have Plex do all that it does at night."""
    set_plex(pair.guest, butler_s=_STRANGE_S)
    curl(pair.guest, "-X", "POST", f"{URL}/butler")


MOUNT_KILLED = Fault(strike=lambda pair: kill_mount(pair.guest), told=_LOST)
ALL_AT_ONCE = Fault(strike=be_strange, told=_RESTARTED, film_s=1.0)
FAULTS: Mapping[str, Fault] = {
    "Mount killed": MOUNT_KILLED,
    "Storage refuses": fail_storage(lambda stand: stand.faults.set("all", "answer", status=403)),
    "Storage is silent": fail_storage(lambda stand: stand.faults.set("all", "hang")),
    "Storage is empty": fail_storage(Stand.empty),
    "Plex crashes": Fault(strike=kill_plex, told=_RESTARTED),
    "Container is killed": Fault(strike=lambda pair: pair.guest.run(["docker", "kill", NAME]), told=_RESTARTED),
    "Database is locked": Fault(strike=lambda pair: lock_database(pair, seconds=_STRANGE_S), lasts_s=_STRANGE_S),
    "API is slow": answer_badly("slow", delay_s=25.0),
    "API fails": answer_badly("error"),
    "API is silent": answer_badly("hung"),
    "API is stale": Fault(strike=lambda pair: set_plex(pair.guest, scans_shown=False), lasts_s=_STRANGE_S, film_s=_LONG_FILM_S),
    "Butler works": Fault(strike=start_butler, lasts_s=_STRANGE_S),
    "All at once": ALL_AT_ONCE,
    # The last one: what is scanned meanwhile, nobody here sees.
    "Line is lost": Fault(
        strike=lambda pair: cut_line(pair, seconds=600), lasts_s=630.0, events=("cloud.line-lost", "cloud.line-back")
    ),
}


def begin(pair: Pair, *names: str) -> None:
    """Have Plex there know the films in a library of each name, and the run begin to scan them, where there is no sqlite3."""
    house, guest = pair.house, pair.guest
    guest.run(["rm", "-f", "/usr/bin/sqlite3"])
    start_plex(pair, f"sections = {json.dumps(names)}\n")
    for name in names:
        add_library(guest, name.replace(" ", "%20"), "/Media/Films", url=URL)
    for key in keys(guest).values():
        curl(guest, f"{URL}/library/sections/{key}/refresh")
    guest.wait_for(lambda: {count(guest, name) for name in names} == {FILMS}, timeout_s=120, what="Plex has scanned its films")
    if FULL in names:
        kept = _kept(guest, FULL)
        guest.run(["mkdir", "-p", kept])
        guest.run(["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", kept])
    set_plex(guest, file_s=_LONG_FILM_S, cancel="works")
    house.systemctl("start", "--no-block", SCAN)


def meet_full_disk(pair: Pair) -> str:
    """Have the disk there take nothing of what is kept of a library before its scan, until that is seen in the run's status."""
    house = pair.house
    house.wait_for(lambda: "free are" in cloud_chain.state(house)["line"], timeout_s=_LIBRARY_S, what="a full disk is told")
    pair.guest.run(["umount", _kept(pair.guest, FULL)])
    return _await_done(pair, FULL)


def _kept(guest: Machine, name: str) -> str:
    """Return where the run keeps what a library was before its scan."""
    (folder,) = guest.run(["sh", "-c", "ls -d /var/lib/plexguard-run/*/config"]).stdout.split()
    return f"{folder.removesuffix('config')}scan/kept/{keys(guest)[name]}"


def meet(pair: Pair, name: str, fault: Fault) -> str:
    """Have it happen to the library of its name, and return what is told when that is scanned after all."""
    house, guest = pair.house, pair.guest
    guest.wait_for(lambda: is_scanning(guest, name), timeout_s=180, what=f"Plex scans {name}")
    set_plex(guest, file_s=fault.film_s)
    fault.strike(pair)
    if fault.told:
        house.wait_for(
            lambda: any(fault.told in trouble for trouble in troubles(house, name)) or has_failed(house),
            timeout_s=_LIBRARY_S,
            what=f"{name} is told",
        )
        assert not has_failed(house), told(pair)
    time.sleep(fault.lasts_s)
    fault.mend(pair)
    found = _await_done(pair, name)
    assert all(events(house, event) for event in fault.events), told(pair)
    return found


def _await_done(pair: Pair, name: str) -> str:
    house, guest = pair.house, pair.guest
    # Its scan alone: that of the next library may begin before we hear of this one's end.
    set_plex(guest, file_s=_LONG_FILM_S, quick_library=name, scans_shown=True)
    house.wait_for(lambda: done(house, name) or has_failed(house), timeout_s=_LIBRARY_S, what=f"{name} is scanned")
    assert done(house, name), told(pair)
    assert not is_scanning(guest, name)
    assert count(guest, name) == FILMS, told(pair)
    (found,) = done(house, name)
    assert f"{FILMS} items, +0" in found, found
    return found


def has_failed(house: Machine) -> bool:
    return bool(events(house, "cloud.run-failed"))


def troubles(house: Machine, name: str) -> list[str]:
    return [found["PLEXGUARD_DETAIL"] for found in events(house, "cloud.library-trouble") if found["PLEXGUARD_LIBRARY"] == name]


def done(house: Machine, name: str) -> list[str]:
    return [found["PLEXGUARD_DETAIL"] for found in events(house, "cloud.library-scanned") if found["PLEXGUARD_LIBRARY"] == name]


def sections(guest: Machine) -> list[dict[str, object]]:
    listed = (ask_plex(guest, "/library/sections", url=URL) or {}).get("Directory", [])
    return list(listed) if isinstance(listed, list) else []


def keys(guest: Machine) -> dict[str, str]:
    """Return the key of each library by its title."""
    return {str(one["title"]): str(one["key"]) for one in sections(guest)}


def is_scanning(guest: Machine, name: str) -> bool:
    return any(one["refreshing"] for one in sections(guest) if one["title"] == name)


def count(guest: Machine, name: str) -> int:
    """Return how many films a library shows, -1 when Plex does not say."""
    page = f"/library/sections/{keys(guest).get(name, 0)}/all?type=1&X-Plex-Container-Start=0&X-Plex-Container-Size=0"
    return int(str((ask_plex(guest, page, url=URL) or {}).get("totalSize", -1)))


def set_plex(guest: Machine, **switches: object) -> None:
    """Switch the simulator in the container."""
    (path,) = guest.run(["sh", "-c", "ls /var/lib/plexguard-run/*/config/simulator.json"]).stdout.split()
    guest.write(path, json.dumps({**json.loads(guest.read(path)), **switches}), mode=0o666)


def cut_off_archive(guest: Machine) -> None:
    """Have the first transfer of what was packed there end before its end, and say that it was whole."""
    guest.write(
        "/usr/local/bin/rsync",
        """\
#!/bin/sh
packed=$(echo /var/lib/plexguard-run/*/export/packed)
archive=$(ls -S "$packed"/*.tar.zst 2>/dev/null | head -n 1)
case $* in *--sender*) ;; *) archive= ;; esac
if [ -n "$archive" ] && mkdir /run/was-cut-off; then
    cp -a "$archive" "$archive.whole"
    truncate -s -1000 "$archive"
    /usr/bin/rsync "$@"
    code=$?
    mv "$archive.whole" "$archive"
    exit $code
fi
exec /usr/bin/rsync "$@"
""",
        mode=0o755,
    )
