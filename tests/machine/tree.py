"""File trees of Debian machines: built once with mmdebstrap, kept, and never written to again.

A tree lives in the cache folder under a name that says all that went into it, so a changed package list makes a new one
and nothing has to be invalidated. What a machine writes goes to its own overlay; see machine.py.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.machine.errors import MachineError

# Part of every tree's name: raise it when `_finish` or the way mmdebstrap is called changes.
RECIPE = "2"

_BUILD_TIMEOUT_S = 1200
# nspawn's /sys lacks the folder that every kernel with FUSE has, and where Debian's own unit then mounts its control files.
_FUSE_FOLDER_UNIT = """\
[Unit]
Description=Folder of the FUSE Control File System
DefaultDependencies=no
Before=sys-fs-fuse-connections.mount
ConditionPathExists=!/sys/fs/fuse/connections

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'mount -o remount,rw /sys && mkdir -p /sys/fs/fuse/connections && mount -o remount,ro /sys'

[Install]
WantedBy=sysinit.target
"""
# What a package of the same name no longer brings along: since trixie the docker command has its own.
_ALSO = {("trixie", "docker.io"): ("docker-cli",)}
# The suites of Debian itself, as the outer machine may name them; backports and proposed updates are left out.
_SUITE = re.compile(r"(bookworm|trixie|oldstable|stable|testing)(-updates|-security)?$")


def cache_folder() -> Path:
    """Return where trees and layers are kept: $PLEXGUARD_TESTBED, or the system's cache."""
    folder = Path(os.environ.get("PLEXGUARD_TESTBED") or "/var/cache/plexguard-testbed").absolute()
    if folder.is_relative_to("/run"):
        raise MachineError(f"PLEXGUARD_TESTBED={folder}: not below /run, machines have their own")
    if set(":,\\") & set(str(folder)):
        raise MachineError(f"PLEXGUARD_TESTBED={folder}: overlays can't be told of folders with :, comma or backslash")
    return folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A Debian of one suite with some packages; equal trees are the same folder on disk."""

    suite: str = "bookworm"
    packages: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        recipe = "\n".join((RECIPE, self.suite, *self._all_packages))
        return f"{self.suite}-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"

    @property
    def needs_disk(self) -> tuple[str, ...]:
        """Folders that must not be on the machine's overlay: Docker's layers are overlays themselves."""
        return ("/var/lib/docker",) if "docker.io" in self.packages else ()

    @property
    def _all_packages(self) -> list[str]:
        names = {*self.packages, *(also for name in self.packages for also in _ALSO.get((self.suite, name), ()))}
        return sorted(names)

    def with_packages(self, *names: str) -> "Tree":
        return replace(self, packages=(*self.packages, *names))

    def on(self, suite: str) -> "Tree":
        return replace(self, suite=suite)

    def path(self) -> Path:
        """Return the root folder, building it first if it isn't there (about 15 s to a minute)."""
        path = cache_folder() / "trees" / self.key
        if path.is_dir():
            return path
        with locked(path.with_name(f"{self.key}.lock")):
            if not path.is_dir():
                self._build(path)
        return path

    def lowers(self) -> tuple[Path, ...]:
        """Return the folders to stack, topmost first."""
        return (self.path(),)

    @contextlib.contextmanager
    def held(self) -> Iterator[tuple[int, ...]]:
        """Give the file descriptors that keep what is below from being removed: none, trees stay."""
        yield ()

    def _build(self, path: Path) -> None:
        # We hold the lock, so a folder of this name belongs to a builder that was killed.
        site = path.with_name(f"{self.key}.building")
        shutil.rmtree(site, ignore_errors=True)
        (site / "tmp").mkdir(parents=True)
        try:
            root = site / "root"
            _mmdebstrap(self.suite, self._all_packages, root=root, temporary=site / "tmp")
            _finish(root)
            root.rename(path)
        finally:
            shutil.rmtree(site, ignore_errors=True)


BASE = Tree(packages=("systemd-sysv", "dbus", "polkitd", "ca-certificates", "tzdata"))
READY = BASE.with_packages(
    "fuse3",
    "haproxy",
    "iproute2",
    "openssh-client",
    "python3",
    "python3-aiohttp",
    "python3-click",
    "python3-paramiko",
    "python3-prometheus-client",
    "python3-systemd",
    "python3-psutil",
    "python3-requests",
    "python3-rich",
    "rclone",
    "rsync",
    "zstd",
    "man-db",
    "bash-completion",
    "curl",
    "acl",
)
DOCKER = READY.with_packages("docker.io", "iptables")
# What a cloud's image of Debian has, with what a rented machine is told to install: there is no mirror to have it from.
CLOUD = DOCKER.with_packages("cloud-init", "openssh-server", "python3-sdnotify", "sqlite3")
NAMED = {"base": BASE, "ready": READY, "docker": DOCKER, "cloud": CLOUD}


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file; the kernel gives it back however we end. Its holder may remove the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if is_still_at(file.fileno(), path):
                yield
                return


def is_still_at(descriptor: int, path: Path) -> bool:
    """Tell whether an open file or folder is the one of that name, and not one that was removed or replaced since."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _mmdebstrap(suite: str, packages: Iterable[str], *, root: Path, temporary: Path) -> None:
    argv = [
        # Own namespaces, so that neither processes nor mounts of a build outlive us, even after SIGKILL.
        *("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
        *("mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory"),
        # The lists stay, so that apt can work out the dependencies of a local package without a network.
        "--skip=cleanup/apt/lists",
        *(f"--aptopt={option}" for option in outer_apt_options()),
        f"--include={','.join(packages)}",
        *(suite, str(root), "-"),
    ]
    done = subprocess.run(
        argv,
        input="\n".join(debian_sources(suite)),
        env={**os.environ, "TMPDIR": str(temporary), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=_BUILD_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise MachineError(f"Failed to build {root}: exit code {done.returncode}\n{done.stderr[-4000:]}")


def _finish(root: Path) -> None:
    """Make a fresh tree one that any number of machines can start from."""
    # Empty, not "uninitialized": each machine draws its own id, but doesn't apply presets as on a first boot.
    (root / "etc/machine-id").write_text("", encoding="ascii")
    # Else every machine would have the outer machine's name; nspawn gives each its own.
    (root / "etc/hostname").unlink(missing_ok=True)
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n", encoding="ascii")
    # journald writes to disk only where this folder is; then entries outlive a reboot.
    (root / "var/log/journal").mkdir(parents=True, exist_ok=True)
    _want_fuse_folder(root / "etc/systemd/system")
    resolver = Path("/etc/resolv.conf")
    if resolver.exists():
        (root / "etc/resolv.conf").unlink(missing_ok=True)
        (root / "etc/resolv.conf").write_bytes(resolver.read_bytes())


def _want_fuse_folder(units: Path) -> None:
    unit = units / "testbed-fuse-folder.service"
    unit.write_text(_FUSE_FOLDER_UNIT, encoding="ascii")
    wanted = units / "sysinit.target.wants" / unit.name
    wanted.parent.mkdir(exist_ok=True)
    wanted.symlink_to(f"/etc/systemd/system/{unit.name}")


def outer_apt_options() -> list[str]:
    """Return how the outer machine's apt downloads (proxy, date checks), as lines of an apt.conf."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, timeout=30, check=True).stdout
    wanted = re.compile(r"Acquire::(https?|Retries|Check-|Force|Max-|AllowInsecure|AllowWeak)")
    return [line for line in dump.splitlines() if wanted.match(line) and not line.endswith(' "";')]


def debian_sources(suite: str) -> list[str]:
    """Return the outer machine's Debian sources as deb822 paragraphs, for another suite.

    Other archives that the outer machine knows are left out: a machine under test is plain Debian.
    """
    folder = Path("/etc/apt/sources.list.d")
    paragraphs = [
        paragraph
        for file in sorted(folder.glob("*.sources"))
        for paragraph in re.split(r"\n\s*\n", file.read_text(encoding="utf-8"))
    ]
    lines = [
        line
        for file in (Path("/etc/apt/sources.list"), *sorted(folder.glob("*.list")))
        if file.is_file()
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    found = [
        translated
        for fields in (*map(_fields_of_paragraph, paragraphs), *map(_fields_of_line, lines))
        if (translated := _for_suite(fields, suite))
    ]
    if not found:
        raise MachineError("Failed to find a Debian mirror: the outer machine's apt sources name none")
    return found


def _fields_of_paragraph(text: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line[0] in " \t":
            fields[name] += "\n" + line
            continue
        name, _, value = line.partition(":")
        fields[name] = value.strip()
    return fields


def _fields_of_line(line: str) -> dict[str, str]:
    match = re.match(r"deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s+(.+)", line.strip())
    if match is None:
        return {}
    options, address, suite, components = match.groups()
    fields = {"Types": "deb", "URIs": address, "Suites": suite, "Components": components.partition("#")[0].strip()}
    names = {"signed-by": "Signed-By", "trusted": "Trusted"}
    for option in (options or "").split():
        name, _, value = option.partition("=")
        if name in names:
            fields[names[name]] = value
    return fields


def _for_suite(fields: dict[str, str], suite: str) -> str:
    """Return a paragraph with the suite's name exchanged, empty if it isn't Debian's or is switched off."""
    suites = [match for name in fields.get("Suites", "").split() if (match := _SUITE.match(name))]
    is_debian = suites and "main" in fields.get("Components", "").split() and "deb" in fields.get("Types", "").split()
    if not is_debian or fields.get("Enabled", "yes").lower() in {"no", "false"}:
        return ""
    names = dict.fromkeys(suite + (match[2] or "") for match in suites)
    changed = {**fields, "Types": "deb", "Suites": " ".join(names)}
    return "".join(f"{name}: {value}\n" for name, value in changed.items())
