"""A storage in a test machine, over a line of its own, that fails as it is told; a Plex with a library on it; and what became of both."""

import hashlib
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plexguard.rclone_watchdog.asking.kernel import find_lines
from plexguard.rclone_watchdog.mounting.cover import is_cover
from tests.fakes import fault_proxy, storage
from tests.fakes.storage import BUCKET, Faults, Kind, find_newest_rclone, make_library
from tests.machine import Layer, Machine, inside
from tests.system.conftest import configure, with_native_plex
from tests.system.native_plex import DATA, URL, add_library, ask_plex, curl, set_plex

NAME = "media"
POINT = f"/mnt/{NAME}"
MOUNT_UNIT = f"plexguard-rclone@{NAME}.service"
WATCHDOG_UNIT = f"plexguard-rclone-watchdog@{NAME}.service"
# Of a network that is in the machine alone.
HOST, SERVER, PORT = "10.9.0.1", "10.9.0.2", 9000
SERVED = "/var/lib/storage"
_ASIDE = "/var/lib/storage-aside"
_PROXY = "/opt/storage/fault_proxy.py"
_CONTROL = "/run/storage-control"
# The server behind the proxy is a real one, which Debian's rclone is too old to be.
_RCLONE = "/opt/storage/rclone"
_LINE = f"""\
[Unit]
Description=Line to the Storage of Tests
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -ec 'ip netns add storage; ip link add storage0 type veth peer name line netns storage; \\
 ip address add {HOST}/24 dev storage0; ip link set storage0 up; ip -n storage address add {SERVER}/24 dev line; \\
 ip -n storage link set line up; ip -n storage link set lo up'
[Install]
WantedBy=multi-user.target
"""
_BEHIND_LINE = """\
[Unit]
Description=Storage of Tests
Requires=storage-line.service
After=storage-line.service
[Service]
NetworkNamespacePath=/run/netns/storage
ExecStart={command}
[Install]
WantedBy=multi-user.target
"""
CACHE = f"/var/cache/plexguard/rclone/{NAME}"
# Films and episodes, of make_library.
ON_MOUNT = 48
BY_HAND = "mount-by-hand.service"
_BY_HAND_UNIT = f"""\
[Service]
Type=notify
ExecStart=/usr/bin/rclone mount {storage.remote_of("s3")} {POINT} --config /root/rclone.conf --allow-other --dir-cache-time=1h \\
 --timeout=5s --contimeout=3s --low-level-retries=1
ExecStartPre=-/bin/fusermount3 -uz {POINT}
SuccessExitStatus=143
Restart=always
RestartSec=5
"""
FILMS, SHOWS = f"{POINT}/Films", f"{POINT}/Shows"
# A cache that keeps hardly anything, as one that is small beside its library: what Plex reads is read of the storage each time.
_FORGETFUL = 'cache_size = "1M"\nextra_flags = ["--vfs-cache-poll-interval=1s"]\n'
_DATABASE = f"{DATA}/Plug-in Support/Databases/com.plexapp.plugins.library.db"
# Rows of films and episodes, and how many of them are not in the trash.
_COUNT = """
import json, sqlite3, sys
with sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True) as database:
    found = database.execute(
        "SELECT COUNT(*), COUNT(CASE WHEN metadata_items.deleted_at IS NULL THEN 1 END) FROM metadata_items"
        " JOIN section_locations ON section_locations.library_section_id = metadata_items.library_section_id"
        " WHERE metadata_type IN (1, 4) AND section_locations.root_path LIKE ?", (sys.argv[2] + "%",)
    ).fetchone()
print(json.dumps(found))
"""
# Every process that waits for what cannot be interrupted, or has ended and was not collected.
_STUCK = """
import glob, json, time

def look():
    found = {}
    for place in glob.glob("/proc/[0-9]*"):
        try:
            name, _, rest = open(f"{place}/stat").read().rpartition(")")
            where = open(f"{place}/wchan").read()
        except OSError:
            continue
        if rest.split()[0] in "DZ" or where == "request_wait_answer":
            found[place] = f"{name}) {rest.split()[0]} {where}"
    return found

# A process that writes to a disk is in D for a moment too.
before = look()
time.sleep(0.5)
print(json.dumps([line for place, line in look().items() if place in before]))
"""


@dataclass(frozen=True, slots=True)
class Items:
    """Films and episodes of Plex on the mount: all that are in its database, and those that are not in the trash."""

    known: int
    present: int


class Stand:
    """A booted machine with that storage, and what tests do to it and see of it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.mount_unit = MOUNT_UNIT
        self.faults = Faults(lambda order: machine.run(["/usr/bin/python3", _PROXY, "tell", _CONTROL, order]).stdout)

    # The storage

    def freeze(self) -> None:
        """Stop the server as SIGSTOP does: the kernel takes connections, and nobody answers."""
        self.machine.systemctl("kill", "-s", "STOP", "storage-proxy.service", "storage-server.service")

    def thaw(self) -> None:
        self.machine.systemctl("kill", "-s", "CONT", "storage-server.service", "storage-proxy.service")

    def cut_line(self) -> None:
        """Pull the plug at the other end: what is sent vanishes, and nothing says so."""
        self.machine.run(["ip", "-n", "storage", "link", "set", "line", "down"])

    def mend_line(self) -> None:
        self.machine.run(["ip", "-n", "storage", "link", "set", "line", "up"])

    def empty(self) -> None:
        """Take everything out of the bucket, which stays."""
        self._sh(f"mkdir {_ASIDE} && mv {SERVED}/{BUCKET}/* {_ASIDE}")

    def fill(self) -> None:
        self._sh(f"mv {_ASIDE}/* {SERVED}/{BUCKET} && rmdir {_ASIDE}")

    def mend(self) -> None:
        """Undo whatever was done to the storage."""
        self.thaw()
        self.mend_line()
        self.faults.clear()
        if self.machine.run(["test", "-d", _ASIDE], check=False).returncode == 0:
            self.fill()

    # The mount

    @property
    def rclone_pid(self) -> int:
        """The pid of the mount's rclone in the machine, 0 when it does not run."""
        return int(self.machine.unit(self.mount_unit).get("MainPID", "0"))

    def outer_pid(self, pid: int) -> int:
        """Return the pid outside of a child of the machine's PID 1."""
        return next(child for child in inside.children(self.machine.pid) if inside.pid_within(child) == pid)

    def signal_rclone(self, name: str) -> None:
        self.machine.systemctl("kill", "--kill-who=main", "-s", name, self.mount_unit)

    def remounts(self, since_cursor: str) -> int:
        """How often the mount's rclone was started since."""
        started = self.machine.journal(
            since_cursor=since_cursor, matches=[f"UNIT={self.mount_unit}", "JOB_TYPE=start", "JOB_RESULT=done"]
        )
        return len(started)

    def is_covered(self) -> bool:
        lines = find_lines(self.machine.run(["cat", "/proc/self/mountinfo"]).stdout, POINT)
        return bool(lines) and is_cover(lines[-1])

    def stuck(self) -> list[str]:
        """Return the processes that wait for a mount, or that nobody collects."""
        return list(json.loads(self.machine.run(["/usr/bin/python3", "-c", _STUCK]).stdout))

    def proven_for_s(self) -> float:
        """How long the mount is proven without a break, 0 when it is not."""
        seen = json.loads(self.machine.run(["cat", f"/var/lib/plexguard/rclone-watchdog/{NAME}/state.json"]).stdout)
        return time.clock_gettime(time.CLOCK_BOOTTIME) - seen["since"]["uptime_s"] if seen["verdict"] == "proven" else 0.0

    def status(self) -> str:
        """What `systemctl status` shows in the line of the watchdog's state."""
        return self.machine.unit(WATCHDOG_UNIT)["StatusText"]

    # Plex

    def add_libraries(self) -> None:
        """Give Plex a library of films and one of shows on the mount, and have them scanned."""
        add_library(self.machine, "Far%20films", FILMS)
        query = f"name=Far%20shows&type=show&agent=tv.plex.agents.series&scanner=Plex%20TV%20Series&language=en-US&location={SHOWS}"
        curl(self.machine, "-X", "POST", f"{URL}/library/sections?{query}")
        self.await_items(Items(ON_MOUNT, ON_MOUNT))

    def await_items(self, wanted: Items) -> None:
        """Have Plex scan until it has what it is to have."""

        def look() -> bool:
            self.scan()
            self.await_scans()
            return self.items() == wanted

        self.machine.wait_for(look, timeout_s=90, what=f"Plex has {wanted.known} items of the mount (it has {self.items()})")

    def scan(self, *, folder: str = "") -> None:
        """Ask for a scan of both libraries, or of a folder of the first."""
        for key in (2,) if folder else (2, 3):
            path = f"?path={folder.replace(' ', '%20')}" if folder else ""
            curl(self.machine, f"{URL}/library/sections/{key}/refresh{path}")

    def is_scanning(self) -> bool:
        activities: Any = ask_plex(self.machine, "/activities") or {}
        return any(activity["type"].startswith("library.update") for activity in activities.get("Activity", []))

    def await_scans(self, *, timeout_s: float = 90) -> None:
        """Wait until Plex scans nothing. It is idle for a moment between two scans that were asked for."""
        self.machine.wait_for(
            lambda: not self.is_scanning() and not (time.sleep(0.5) or self.is_scanning()),
            timeout_s=timeout_s,
            what="Plex scans nothing",
        )

    def items(self) -> Items:
        return Items(*json.loads(self.machine.run(["/usr/bin/python3", "-c", _COUNT, _DATABASE, POINT]).stdout))

    def settings(self) -> dict[str, str]:
        """Return Plex's settings as they are."""
        found: Any = ask_plex(self.machine, "/:/prefs") or {}
        return {setting["id"]: str(setting["value"]) for setting in found.get("Setting", [])}

    def scan_takes(self, seconds: float) -> None:
        """How long a scan takes at least; the trash is emptied at its end."""
        set_plex(self.machine, scan_s=str(seconds))

    def told(self, since_cursor: str) -> list[str]:
        """Return the names of all events since, oldest first."""
        entries = self.machine.journal(since_cursor=since_cursor)
        return [entry["PLEXGUARD_EVENT"] for entry in entries if "PLEXGUARD_EVENT" in entry]

    def _sh(self, script: str) -> None:
        self.machine.run(["sh", "-ec", script])


def _make_units(kind: Kind) -> dict[str, str]:
    commands = {
        "storage-server.service": " ".join(storage.serve_command(kind, SERVED, "127.0.0.1:9001", rclone=_RCLONE)),
        "storage-proxy.service": f"/usr/bin/python3 {_PROXY} serve {SERVER}:{PORT} 127.0.0.1:9001 {_CONTROL}",
    }
    behind = {name: _BEHIND_LINE.format(command=command) for name, command in commands.items()}
    return {"storage-line.service": _LINE, **behind}


def configure_mount(kind: Kind) -> str:
    """Return what plexguard is told of the mount."""
    return f'[rclone.{NAME}]\nremote = "{storage.remote_of(kind)}"\nmount_point = "{POINT}"\n'


CONFIGURATION = configure_mount("s3")


def with_storage(deb: Path, kind: Kind = "s3", *, suite: str = "bookworm", packages: tuple[str, ...] = ()) -> Layer:
    """A machine with the package, a native Plex, and the storage with its library; nothing is mounted yet."""
    parts = [Path(__file__), Path(fault_proxy.__file__), Path(storage.__file__), find_newest_rclone()]
    digest = hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()
    return Layer(
        with_native_plex(deb, suite, *packages),
        key=f"storage {kind} {digest}",
        prepare=lambda machine: install_storage(machine, kind),
    )


def install_storage(machine: Machine, kind: Kind = "s3") -> None:
    """Install the storage with its library, its line and its faults, and let rclone at it; its units are started at the next boot."""
    machine.push(find_newest_rclone(), _RCLONE)
    machine.push(Path(fault_proxy.__file__), _PROXY)
    with tempfile.TemporaryDirectory(prefix="plexguard-library-") as folder:
        make_library(Path(folder))
        machine.push(Path(folder), f"{SERVED}/{BUCKET}")
    units = _make_units(kind)
    for name, text in units.items():
        machine.write(f"/etc/systemd/system/{name}", text)
    machine.systemctl("daemon-reload")
    machine.systemctl("enable", *units)
    machine.run(["sed", "-i", "s/^#user_allow_other/user_allow_other/", "/etc/fuse.conf"])
    conf = storage.configure(kind, f"{SERVER}:{PORT}")
    machine.write("/etc/plexguard/credentials/rclone.conf", conf, mode=0o600)


def mount_by_hand(stand: Stand) -> None:
    """Mount the storage as people do without plexguard: by a unit that starts rclone anew when it ends."""
    stand.machine.run(["mkdir", "-p", POINT])
    stand.machine.run(["cp", "/etc/plexguard/credentials/rclone.conf", "/root/rclone.conf"])
    stand.machine.write(f"/etc/systemd/system/{BY_HAND}", _BY_HAND_UNIT)
    stand.machine.systemctl("daemon-reload")
    stand.machine.systemctl("start", BY_HAND)
    stand.mount_unit = BY_HAND


def watch(stand: Stand, *, kind: Kind = "s3", cache_mb: int = 0, options: str = "") -> Stand:
    """Have plexguard mount the storage and prove it, and give Plex its libraries. cache_mb: rclone's cache has a disk of its own, so
    large, that can be filled; 0: nothing is cached, and so nothing hides a storage that fails from Plex. options: of the mount."""
    machine = stand.machine
    if cache_mb:
        machine.run(["mkdir", "-p", CACHE])
        machine.run(["mount", "-t", "tmpfs", "-o", f"size={cache_mb}M,mode=700", "cache", CACHE])
    configure(machine, configure_mount(kind) + (_FORGETFUL if cache_mb else 'cache_mode = "off"\n') + options)
    machine.systemctl("start", WATCHDOG_UNIT, timeout_s=120)
    stand.add_libraries()
    return stand
