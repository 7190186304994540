"""A home with a Plex of its own and a mount, in front of a cloud whose machines mount the same storage: for whole runs."""

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from plexguard.cloud_run.life.chain import PHASES
from tests.fakes import storage
from tests.fakes.storage import BUCKET, find_newest_rclone, make_library, remote_of
from tests.machine import DeadlineMissed, Layer, Machine
from tests.machine.network_keeper import PLAYER
from tests.system import cloud_chain
from tests.system.conftest import await_found, configure, events, with_native_plex
from tests.system.house import CONFIG, House, house
from tests.system.native_plex import FILMS as FILMS_FOLDER
from tests.system.native_plex import URL, ask_plex, curl
from tests.system.test_cloud_rented import WITH_PLEX

RCLONE, SERVED, ADDRESS = "/opt/storage/rclone", "/var/lib/storage", f"{PLAYER}:9000"
POINT = FILMS_FOLDER.rpartition("/")[0]
# Where the storage has its files.
HELD = f"{SERVED}/{BUCKET}"
# What a machine in a machine cannot do, or has no account for. All else is as it is shipped.
DROP_IN = 'instance = "lite"\nlimited = false\nclaim = "never"\nmonitoring = "local_quick"\nimage = "plexinc/pms-docker:latest"\n'
CONFIGURATION = f'{CONFIG}[rclone.media]\nremote = "{remote_of("s3")}"\nmount_point = "{POINT}"\ndir_cache = "1s"\n'
# Of make_library.
FILMS, EPISODES = 24, 24


def _prepare(machine: Machine) -> None:
    machine.push(find_newest_rclone(), RCLONE)
    machine.run(["sed", "-i", "s/^#user_allow_other/user_allow_other/", "/etc/fuse.conf"])


@contextlib.contextmanager
def full_house(deb: Path, **more: str) -> Iterator[House]:
    """Give a home whose Plex has scanned the storage. more: what the shipped runs of these names have beside DROP_IN."""
    digest = hashlib.sha256(find_newest_rclone().read_bytes()).hexdigest()
    source = Layer(with_native_plex(deb), key=f"home with a storage {digest}", prepare=_prepare)
    with house(deb, run="", source=source, uptime_s=cloud_chain.UPTIME_S) as home:
        home.rented.use(WITH_PLEX)
        machine = home.machine
        await_found(machine)
        with tempfile.TemporaryDirectory(prefix="plexguard-library-") as folder:
            make_library(Path(folder))
            machine.push(Path(folder), HELD)
        serve = storage.serve_command("s3", SERVED, "0.0.0.0:9000", rclone=RCLONE)
        machine.run(["systemd-run", "--unit=storage-server", "--quiet", *serve])
        # What the native Plex had there until now was on a disk.
        machine.run(["rm", "-r", POINT])
        machine.write("/etc/plexguard/credentials/rclone.conf", storage.configure("s3", ADDRESS), mode=0o600)
        for run, text in more.items():
            drop_in(machine, run, DROP_IN + text)
        configure(machine, CONFIGURATION)
        watchdog = "plexguard-rclone-watchdog@media.service"
        machine.wait_for(lambda: machine.unit(watchdog)["ActiveState"] == "active", timeout_s=60, what="the mount is proven")
        query = "name=Shows&type=show&agent=tv.plex.agents.series&scanner=Plex%20TV%20Series&language=en-US"
        curl(machine, "-X", "POST", f"{URL}/library/sections?{query}&location={POINT}/Shows")
        scan(machine, {"Films": FILMS, "Shows": EPISODES})
        yield home


def drop_in(machine: Machine, run: str, text: str, *, name: str = "50-test.toml") -> None:
    machine.run(["mkdir", "-p", f"/etc/plexguard/cloud-run/{run}.toml.d"])
    machine.write(f"/etc/plexguard/cloud-run/{run}.toml.d/{name}", text)


def change_media(machine: Machine) -> int:
    """Have two films come, one go, and one move to another folder; return how many there are then."""
    for name in ("Film 25 (2005)", "Film 26 (2006)"):
        machine.run(["mkdir", f"{HELD}/Films/{name}"])
        machine.write(f"{HELD}/Films/{name}/{name}.mkv", f"{name}\n" * 1000)
    machine.run(["rm", "-r", f"{HELD}/Films/Film 7 (1987)"])
    machine.run(["mv", f"{HELD}/Films/Film 9 (1989)", f"{HELD}/Films/Film 9 - The Return (1989)"])
    return FILMS + 2 - 1


def libraries(machine: Machine) -> dict[str, str]:
    """Return the key of each library of home's Plex by its title."""
    found = (ask_plex(machine, "/library/sections") or {}).get("Directory", [])
    return {entry["title"]: entry["key"] for entry in found}  # type: ignore[union-attr]


def count(machine: Machine, title: str) -> int:
    kind = 4 if title == "Shows" else 1
    page = f"/library/sections/{libraries(machine)[title]}/all?type={kind}&X-Plex-Container-Start=0&X-Plex-Container-Size=0"
    return int(str((ask_plex(machine, page) or {}).get("totalSize", -1)))


def scan(machine: Machine, wanted: dict[str, int]) -> None:
    for key in libraries(machine).values():
        curl(machine, f"{URL}/library/sections/{key}/refresh")
    machine.wait_for(
        lambda: {title: count(machine, title) for title in wanted} == wanted, timeout_s=60, what=f"Plex at home has {wanted}"
    )


def do_run(home: House, name: str) -> dict[str, str]:
    """Do a run, and return what its last event tells."""
    machine, cursor = home.machine, home.machine.cursor()
    machine.systemctl("start", "--no-block", f"plexguard-cloud-run@{name}")
    with contextlib.suppress(DeadlineMissed):  # the journal tells more
        machine.wait_for(
            lambda: [one for end in ("done", "failed") for one in events(machine, f"cloud.run-{end}", since_cursor=cursor)],
            timeout_s=480,
            what="the run is over",
        )
    told = events(machine, "cloud.run-done", since_cursor=cursor)
    assert told, "".join(
        one.journal_text("-n", "60", "-u", "plexguard-*") for one in (machine, *map(home.rented.machine, home.servers))
    )
    instance = f"plexguard-cloud-instance@{name}.service"
    # That it is given back is looked at more than once.
    machine.wait_for(lambda: machine.unit(instance)["ActiveState"] == "inactive", timeout_s=120, what="all is released")
    assert home.cloud.left() == []
    assert cloud_chain.done_phases(machine, since_cursor=cursor) == list(PHASES)
    return told[-1]
