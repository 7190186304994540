"""The storage on a run's machine, which is a real one that is reached by ssh: mounted and proven there, told, and taken away."""

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from plexguard.cloud_run.server.container import NAME, URL
from tests.fakes import fault_proxy, storage
from tests.fakes.storage import BUCKET, SECRET_KEY, find_newest_rclone, remote_of
from tests.machine import READY, Layer, Machine, installed
from tests.machine.network import AtSwitch, InSwitch, Lan
from tests.machine.tree import CLOUD
from tests.system import cloud_chain, docker_plex, mounting
from tests.system.conftest import await_event, configure, events
from tests.system.mounting import PORT, SERVED, SERVER, Stand, install_storage
from tests.system.native_plex import SIMULATOR, TOKEN, add_library, ask_plex
from tests.system.test_cloud_plex import INIT

pytestmark = [pytest.mark.machine, pytest.mark.xdist_group("cloud-mount")]

ADDRESS = "10.77.0.20"
CONF = "/etc/plexguard/credentials/rclone.conf"
RUN = "/etc/plexguard/cloud-run/delta.toml"
UNIT = "plexguard-cloud-mount@delta.service"
PLEX_UNIT = "plexguard-cloud-plex@delta.service"
WATCHDOG = "plexguard-rclone-watchdog@media.service"
CONFIG = f"""\
[cloud-run]
provider = "ssh"
ssh = "root@{ADDRESS}"
owner = "home"
[rclone.media]
remote = "{remote_of("s3")}"
mount_point = "/mnt/media"
"""
FILM = "Films/Film 1 (1981)/Film 1 (1981).mkv"
# Nobody needs it but tests: whoever holds a phase holds those before it.
HOLDER = "[Unit]\nRequires={unit}\nAfter={unit}\n[Service]\nExecStart=/bin/sleep infinity\n"
# A server that has its account already, in an engine that cannot limit it.
PLEX = 'claim = "never"\nlimited = false\nmonitoring = "local_quick"\n'
CLAIMED = INIT.replace('"claimed": false', f'"claimed": true, "token": "{TOKEN}"')


def _prepare_guest(machine: Machine) -> None:
    machine.write("/etc/cloud/cloud-init.disabled", "")
    install_storage(machine)
    # It brings up what home has; here it is the storage alone.
    machine.run(["rm", "-r", "/etc/plexguard"])


def guest_source() -> Layer:
    parts = [Path(__file__), Path(mounting.__file__), Path(fault_proxy.__file__), Path(storage.__file__), find_newest_rclone()]
    digest = hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()
    return Layer(CLOUD, key=f"machine of a run {digest}", prepare=_prepare_guest)


@dataclass(frozen=True, slots=True)
class Pair:
    """house: where the run is started. guest: its machine, with the storage in its network."""

    house: Machine
    guest: Machine

    def start(self, run: str = "", *, unit: str = UNIT) -> int:
        """Start a phase, as systemd does for the one after it, and return how that ended."""
        self.house.write("/etc/systemd/system/holder.service", HOLDER.format(unit=unit))
        self.house.systemctl("daemon-reload")
        self.house.write(RUN, f'instance = "lite"\nmount = "media"\n{run}')
        return self.house.run(["systemctl", "start", "holder.service"], timeout_s=240, check=False).returncode

    def end(self) -> None:
        self.house.systemctl("stop", "holder.service", timeout_s=120)
        cloud_chain.await_released(self.house)

    def is_mounted(self) -> bool:
        return "fuse.rclone" in self.guest.run(["cat", "/proc/self/mountinfo"]).stdout

    def left(self) -> list[str]:
        """Return what there is on the guest of what was brought."""
        places = ("/run/plexguard-run", "/run/plexguard-rclone", "/run/credentials/plexguard-rclone@media.service")
        brought = ("/usr/bin/plexguard-rclone-watchdog", "/usr/local/lib/plexguard", "/etc/plexguard/plexguard.toml")
        units = "/usr/local/lib/systemd/system"
        listed = self.guest.run(["ls", "-d", "--", *places, *brought], check=False).stdout.splitlines()
        return [*listed, *self.guest.run(["ls", units], check=False).stdout.split()]


@pytest.fixture
def pair(deb: Path) -> Iterator[Pair]:
    with open_pair(deb) as opened:
        yield opened


@contextlib.contextmanager
def open_pair(deb: Path) -> Iterator[Pair]:
    with (
        Lan() as lan,
        Machine(guest_source(), network=AtSwitch(lan), name="guest", allow_degraded=True) as guest,
        Machine(installed(READY, deb), network=InSwitch(lan), name="house") as house,
    ):
        guest.run(["ip", "address", "add", f"{ADDRESS}/24", "dev", "host0"])
        guest.run(["ip", "link", "set", "host0", "up"])
        let_in(house, guest)
        house.write(
            CONF, storage.configure("s3", f"{SERVER}:{PORT}") + "[other]\ntype = s3\nsecret_access_key = not-for-it\n", 0o600
        )
        # Home's own mount has no way to that storage, and is none of this.
        house.systemctl("mask", "plexguard-rclone@media.service", WATCHDOG)
        configure(house, CONFIG)
        yield Pair(house, guest)


def let_in(house: Machine, guest: Machine) -> None:
    """Have the runs be let in as root, and know who they meet."""
    key = "/etc/plexguard/credentials/ssh.private-key"
    house.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key])
    guest.write("/root/.ssh/authorized_keys", house.read(f"{key}.pub"), 0o600)
    kind, key = guest.read("/etc/ssh/ssh_host_ed25519_key.pub").split()[:2]
    house.write("/etc/ssh/ssh_known_hosts", f"{ADDRESS} {kind} {key}\n")
    guest.systemctl("start", "ssh.service")


def told(pair: Pair) -> str:
    return pair.house.journal_text("-n", "40", "-u", "plexguard-cloud-*") + pair.guest.journal_text("-n", "40", "-u", "plexguard-*")


def test_storage_is_mounted_and_proven_for_the_container_and_nothing_stays(pair: Pair) -> None:
    stand = Stand(pair.guest)
    assert pair.start() == 0, told(pair)

    # Plex's user in a container reads what is served.
    libraries = (
        "/bin/cksum",
        "/lib/x86_64-linux-gnu/libc.so.6",
        "/lib64/ld-linux-x86-64.so.2",
        "/lib/x86_64-linux-gnu/libcrypto.so.3",
    )
    pair.guest.run(["sh", "-ec", f"tar -ch {' '.join(libraries)} 2>/dev/null | docker import - reader:latest"], timeout_s=120)
    run = ["docker", "run", "--rm", "--network=none", "--user=1000:1000", "-v", "/Media:/Media:ro,rslave", "reader:latest"]
    read = pair.guest.run([*run, "/bin/cksum", f"/Media/{FILM}"], timeout_s=60)
    assert read.stdout.split()[:2] == pair.guest.run(["cksum", f"{SERVED}/{BUCKET}/{FILM}"]).stdout.split()[:2]
    assert "read-only" in pair.guest.run(["touch", "/Media/x"], check=False).stderr.lower()
    # The secret is in memory alone, and only that of the remote.
    kept = pair.guest.run(["cat", "/run/plexguard-run/rclone.conf"]).stdout
    assert SECRET_KEY in kept and "not-for-it" not in kept
    assert (
        pair.guest.run(["stat", "-c", "%a %U", "/run/plexguard-run/rclone.conf", "/run/plexguard-run"]).stdout
        == "600 root\n700 root\n"
    )
    search = ["grep", "-rls", "--exclude-dir=journal", SECRET_KEY, "/etc", "/usr/local", "/var", "/root", "/tmp"]
    # But for the server of the storage, which is there too.
    assert pair.guest.run(search, check=False).stdout.split() == ["/etc/systemd/system/storage-server.service"]
    told_there = [entry for entry in pair.guest.journal() if any(SECRET_KEY in value for value in entry.values())]
    assert {entry.get("_SYSTEMD_UNIT") for entry in told_there} <= {"storage-server.service"}
    assert SECRET_KEY not in pair.house.run(["journalctl", "--no-pager", "-o", "export"]).stdout
    # A storage that fails is told by the watchdog there, and proven again when it is back.
    since = pair.guest.cursor()
    stand.faults.set("all", "answer", status=403)
    await_event(pair.guest, "mount.refusing", timeout_s=60, since_cursor=since)
    stand.faults.clear()
    await_event(pair.guest, "mount.proven", timeout_s=60, since_cursor=since)
    # A run that is begun anew has it brought there again, and proven anew.
    pair.end()
    assert pair.start() == 0, told(pair)

    pair.end()

    assert not pair.is_mounted()
    assert pair.left() == [], told(pair)
    assert not events(pair.house, "cloud.mount-left")


def start_plex(pair: Pair, run: str = "") -> None:
    """Have Plex run there. run: what its file has beside."""
    guest = pair.guest
    guest.push(SIMULATOR, "/opt/image/usr/lib/plexmediaserver/simulator")
    guest.run(["cp", "/opt/image/usr/lib/plexmediaserver/simulator/plex-media-server", f"/opt/image{docker_plex.PROGRAM}"])
    guest.write("/opt/image/init", CLAIMED, mode=0o755)
    docker_plex.make_image(guest, own="/opt/image")
    assert pair.start(PLEX + run, unit=PLEX_UNIT) == 0, told(pair)


def test_plex_there_is_held_while_its_storage_is_sick_and_sees_the_mount_that_is_made_anew(pair: Pair) -> None:
    stand, guest = Stand(pair.guest), pair.guest
    start_plex(pair)
    add_library(guest, "Films", "/Media/Films", url=URL)
    assert empties_trash(guest)
    assert guest.run(["docker", "exec", NAME, "cat", f"/Media/{FILM}"]).stdout

    stand.faults.set("all", "answer", status=403)
    await_event(guest, "plex.held", timeout_s=60)
    assert not empties_trash(guest)
    stand.faults.clear()
    await_event(guest, "plex.released", timeout_s=60)
    assert empties_trash(guest)

    # A mount that is made anew is another one, which the container was not given.
    kill_mount(guest)
    guest.wait_for(
        lambda: guest.run(["docker", "exec", NAME, "cat", f"/Media/{FILM}"], check=False).returncode == 0,
        timeout_s=120,
        what="the container sees the mount that lives",
    )

    pair.end()
    assert pair.left() == [], told(pair)


def kill_mount(guest: Machine) -> None:
    guest.systemctl("kill", "--kill-whom=main", "-s", "KILL", "plexguard-rclone@media.service")


def empties_trash(machine: Machine) -> bool:
    found = ask_plex(machine, "/:/prefs", url=URL) or {}
    return next(bool(entry["value"]) for entry in found["Setting"] if entry["id"] == "autoEmptyTrash")


def test_storage_that_does_not_answer_ends_the_run_in_the_words_of_who_asked_it(pair: Pair) -> None:
    Stand(pair.guest).faults.set("all", "answer", status=403)

    assert pair.start('mount_timeout = "20s"\n') != 0

    (failed,) = events(pair.house, "cloud.run-failed")
    assert failed["PLEXGUARD_PHASE"] == "mount" and "is not proven" in failed["PLEXGUARD_REASON"], told(pair)
    assert "403" in failed["PLEXGUARD_REASON"]
    pair.end()
    assert not pair.is_mounted() and pair.left() == []


def test_machine_that_is_out_of_reach_at_the_end_is_told_and_ends_nothing(pair: Pair) -> None:
    assert pair.start() == 0, told(pair)
    pair.guest.cut_power()

    pair.end()

    (left,) = events(pair.house, "cloud.mount-left")
    assert left["PLEXGUARD_RUN"] == "delta"
    assert pair.house.unit(UNIT)["Result"] == "success"
