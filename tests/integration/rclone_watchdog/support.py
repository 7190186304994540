"""A real rclone, as plexguard's unit would run it, with its remote control; and what ends it whatever happens."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from plexguard.core.mounts import parse_mountinfo
from plexguard.core.rclone_conf import read_kinds
from plexguard.core.secret import Secret
from plexguard.rclone_watchdog.asking.rc import ADDRESS_FILE, HttpRc, RcAddress, RcError, name_of
from plexguard.rclone_watchdog.config import Mount
from plexguard.rclone_watchdog.mounting.prepare import may_sign
from tests.fakes.storage import ENVIRONMENT, RCLONE, Storage, find_newest_rclone
from tests.loopback import free_port
from tests.waiting import await_true, freeze

VERSIONS = ("debian", "newest")
PASSWORD = "a-password-of-tests"
QUICK = ("--low-level-retries=1", "--timeout=20s", "--contimeout=5s")


def program_of(version: str) -> str:
    return RCLONE if version == "debian" else str(find_newest_rclone())


@dataclass
class Running:
    """An rclone that runs. runtime: where its address file is."""

    process: "subprocess.Popen[bytes]"
    address: RcAddress
    runtime: Path
    mount_point: Path
    remote: str

    @property
    def rc(self) -> HttpRc:
        return HttpRc(self.address)

    @property
    def mount(self) -> Mount:
        return Mount(remote=self.remote, mount_point=str(self.mount_point))

    def freeze(self) -> None:
        freeze(self.process)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def run_rclone(
    storage: Storage,
    folder: Path,
    *words: str,
    version: str = "debian",
    remote: str = "",
    is_mounted: bool = True,
    socket: bool = False,
) -> Iterator[Running]:
    """Mount a storage, or with is_mounted=False only listen for questions about it, for the length of a `with` block."""
    runtime, mount_point = folder / "run", folder / "mnt"
    runtime.mkdir(exist_ok=True)
    mount_point.mkdir(exist_ok=True)
    remote = remote or storage.remote
    level = "DEBUG" if "-vv" in words else "INFO"
    signs = may_sign(Mount(remote=remote, log_level=level), read_kinds(storage.configuration()).get(name_of(remote), ""))
    config = runtime / "rclone.conf"
    config.write_text(storage.configuration(), encoding="utf-8")
    address = f"unix://{runtime}/rc.sock" if socket else f"127.0.0.1:{free_port()}"
    url = address if socket else f"http://{address}"
    what = ["mount", remote, str(mount_point), "--rc", "--devname", remote] if is_mounted else ["rcd"]
    rc = [f"--rc-addr={address}", "--rc-user=tests", f"--rc-pass={PASSWORD}", "--rc-serve"]
    command = [program_of(version), *what, f"--config={config}", f"--cache-dir={folder}/cache", *rc, *QUICK, *words]
    with (folder / "rclone.log").open("ab") as said:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env=ENVIRONMENT,
            cwd="/",
        )
    written = {
        "url": url,
        "user": "tests",
        "password": PASSWORD,
        "pid": process.pid,
        "remote": remote,
        "config": str(config),
        "rclone": program_of(version),
        "signs": signs,
    }
    (runtime / ADDRESS_FILE).write_text(json.dumps(written), encoding="utf-8")
    given = RcAddress(
        url=url,
        user="tests",
        password=Secret(PASSWORD),
        pid=process.pid,
        remote=remote,
        config=str(config),
        program=program_of(version),
        signs=signs,
    )
    running = Running(process=process, address=given, runtime=runtime, mount_point=mount_point, remote=remote)
    try:
        await_true(lambda: _answers(running), what=lambda: (folder / "rclone.log").read_text(errors="replace"))
        await_true(
            lambda: not is_mounted or is_mount(mount_point), what=lambda: (folder / "rclone.log").read_text(errors="replace")
        )
        yield running
    finally:
        process.kill()
        process.wait()
        unmount(mount_point)


def unmount(path: Path) -> None:
    while is_mount(path):
        subprocess.run(["umount", "-l", str(path)], check=False, capture_output=True, timeout=10)


def is_mount(path: Path) -> bool:
    text = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    return any(mount.path == str(path) for mount in parse_mountinfo(text))


def abort(device: str) -> None:
    """Free whoever waits for a mount."""
    place = Path("/sys/fs/fuse/connections", device.partition(":")[2], "abort")
    with contextlib.suppress(FileNotFoundError):
        fd = os.open(place, os.O_WRONLY)
        try:
            os.write(fd, b"1")
        finally:
            os.close(fd)


def _answers(running: Running) -> bool:
    try:
        return bool(running.rc.call("rc/noop", {"asked": True}, timeout_s=2.0).get("asked"))
    except RcError:
        return False
