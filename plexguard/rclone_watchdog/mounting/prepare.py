"""Become rclone: what it needs is looked at and written where its user alone reads it, and then this process is it.

Nothing secret is in arguments, environment or the journal: rclone.conf, and the password of the remote control, are files of mode
0600 in a folder of mode 0700 that goes with the unit.
"""

import base64
import hashlib
import json
import os
import pwd
import secrets
import signal
import socket
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from plexguard.core.errors import PlexguardError
from plexguard.core.events import show_path
from plexguard.core.found import FoundContainer, FoundPlex
from plexguard.core.host import CommandError, Host
from plexguard.core.rclone_conf import is_encrypted, name_of_remote, read_kinds
from plexguard.core.secret import ADMIN_CREDENTIALS, Secret, read_credential
from plexguard.core.state import write_atomic
from plexguard.rclone_watchdog.asking.kernel import MountLine
from plexguard.rclone_watchdog.asking.rc import ADDRESS_FILE, name_of
from plexguard.rclone_watchdog.config import Mount
from plexguard.rclone_watchdog.mounting.flags import OLDEST, SOCKETS, Version, parse_version, show_version
from plexguard.rclone_watchdog.mounting.render import logs_for_systemd, render

FUSE_CONF = Path("/etc/fuse.conf")
_FUSE = Path("/dev/fuse")
_FUSERMOUNTS = ("/usr/bin/fusermount3", "/bin/fusermount3", "/usr/bin/fusermount", "/bin/fusermount")
# RuntimeDirectory= and CacheDirectory= of its unit, by mount.
RUNTIME_FOLDER = Path("/run/plexguard-rclone")
CACHE_FOLDER = Path("/var/cache/plexguard/rclone")
_VERSION_TIMEOUT_S = 15.0
_PRIVATE = 0o600
USER = "watchdog"
# Whom Plex runs as in most containers, where nobody knows better.
_USUAL_UID = 1000
# What rclone may have of our environment: the manager's, the machine's way to the network, and its certificates. Not
# AWS_CA_BUNDLE, with which 1.60 cannot reach any S3, nor anything that would be a secret or a flag (RCLONE_*).
_KEPT = (
    *("NOTIFY_SOCKET", "JOURNAL_STREAM", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "GOGC", "GOMEMLIMIT", "GOMAXPROCS"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
)


class NotReady(PlexguardError):
    """A mount cannot be made before somebody has changed something on this machine: no new start can mend that."""

    exit_code = os.EX_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """runtime: of the unit, gone with it. cache: on disk."""

    runtime: Path
    cache: Path

    @property
    def config(self) -> Path:
        return self.runtime / "rclone.conf"

    @property
    def passwords(self) -> Path:
        return self.runtime / "htpasswd"

    @property
    def address(self) -> Path:
        return self.runtime / ADDRESS_FILE


# -- what must be there -----------------------------------------------------------------------------------------------


def read_version(program: str, host: Host) -> Version:
    """Ask rclone for its version. Raises NotReady where there is none that can be used."""
    try:
        done = host.run([program, "version"], timeout_s=_VERSION_TIMEOUT_S, check=False)
    except CommandError as error:
        raise NotReady(f"{program} does not run: {error}", hint="apt-get install rclone fuse3") from error
    version = parse_version(done.stdout)
    if version is None:
        raise NotReady(f"{program}: it does not say which version of rclone it is", hint=f"{program} version")
    if version < OLDEST:
        raise NotReady(
            f"{program}: it is rclone {show_version(version)}, and {show_version(OLDEST)} is the oldest that can be used",
            hint="apt-get install rclone",
        )
    return version


def check_flags(program: str, mount: Mount, host: Host) -> None:
    """Have rclone read the extra flags. Raises NotReady where it does not take one: mounting with it, it would fill the journal
    with its whole manual."""
    if not mount.extra_flags:
        return
    done = host.run([program, "mount", *mount.extra_flags, "--help"], timeout_s=_VERSION_TIMEOUT_S, check=False)
    if done.code != 0:
        reason = next((line[7:] for line in done.stderr.splitlines() if line.startswith("Error: ")), "no reason given")
        raise NotReady(f"extra_flags: rclone does not take them: {show_path(reason)}", hint=f"{program} mount --help")


def check_fuse(uid: int, *, conf: Path = FUSE_CONF, device: Path | None = _FUSE, helpers: tuple[str, ...] = _FUSERMOUNTS) -> None:
    """Raises NotReady where this user could not mount for all to see. device: None where somebody else asks."""
    if not any(os.access(helper, os.X_OK) for helper in helpers):
        raise NotReady("fusermount3 is missing, with which rclone mounts", hint="apt-get install fuse3")
    if device is not None and not os.access(device, os.R_OK | os.W_OK):
        raise NotReady(f"{device}: this machine has no FUSE, or keeps it from the user of the mounts", hint="modprobe fuse")
    if uid != 0 and not allows_others(_read(conf)):
        raise NotReady(
            f"{conf} does not say user_allow_other, so that nobody but the user of the mounts could look into one",
            hint=f"echo user_allow_other >> {conf}",
        )


def allows_others(fuse_conf: str) -> bool:
    """Tell whether fuse.conf(5) lets a user who is not root show others what he mounts."""
    return "user_allow_other" in (line.strip() for line in fuse_conf.splitlines())


def read_storages(name: str, mount: Mount) -> str:
    """Return rclone.conf as the administrator wrote it, the mount's own where there is one. Raises NotReady and NoPermission."""
    # As its unit names it, or the file itself.
    own = "rclone.mount.conf" if "CREDENTIALS_DIRECTORY" in os.environ else f"rclone.{name}.conf"
    text = read_credential(own) or read_credential("rclone.conf")
    if not text and not mount.remote.startswith(":"):
        raise NotReady(
            f"rclone.conf is missing: [rclone.{name}] mounts {mount.remote}, of which nothing is known",
            hint=f"install -m 0600 ~/.config/rclone/rclone.conf {ADMIN_CREDENTIALS}/rclone.conf",
        )
    if is_encrypted(text or ""):
        raise NotReady("rclone.conf is encrypted with a password, which nobody is there to type: take it off", hint="rclone config")
    return text or ""


def find_kind(storages: str, mount: Mount) -> str:
    """Return the type of the storage that is mounted ("s3"), "" where it is not in rclone.conf but named by its type. Raises
    NotReady where rclone.conf does not know it."""
    remote = name_of_remote(mount.remote)
    if not remote:
        return ""
    kinds = read_kinds(storages)
    if remote not in kinds:
        known = ", ".join(sorted(kinds)) or "none"
        raise NotReady(
            f"rclone.conf does not know the remote {show_path(remote)} of {show_path(mount.remote)}, only: {known}",
            hint="rclone --config /etc/plexguard/credentials/rclone.conf config",
        )
    return kinds[remote]


def may_sign(mount: Mount, kind: str) -> bool:
    """Tell whether rclone may be asked for signed addresses. kind: of the storage.

    Of another storage than S3 such an address would be public. At DEBUG rclone logs every answer of its remote control, and who
    reads the journal could follow the address.
    """
    return (kind == "s3" or name_of(mount.remote) == ":s3") and mount.log_level != "DEBUG"


def check_folder(path: str, uid: int, mounted: tuple[MountLine, ...]) -> None:
    """Raises NotReady where this user cannot mount. mounted: what is there already; then it is not looked at, it may hang."""
    if mounted:
        raise NotReady(f"{path}: {mounted[-1].source} ({mounted[-1].type}) is still mounted there", hint=f"umount -l {path}")
    try:
        status = os.lstat(path)
    except OSError as error:
        raise NotReady(f"{path}: the user of the mounts cannot come there: {error.strerror}", hint=f"namei -l {path}") from error
    if not stat.S_ISDIR(status.st_mode):
        raise NotReady(f"{path}: no folder", hint=f"namei -l {path}")
    if uid not in (0, status.st_uid):
        raise NotReady(
            f"{path}: it holds files that belong to no mount, and would hide them: move them away, or mount elsewhere",
            hint=f"ls -lA {path}",
        )


def read_table() -> str:
    return Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")


def check_cache(folder: Path) -> None:
    """Raises NotReady where this user cannot keep a cache."""
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise NotReady(
            f"{folder}: no folder that the user of the mounts can write to, and cache_folder names it",
            hint=f"install -d -o plexguard-media -m 0700 {folder}",
        )


# -- what it is given -------------------------------------------------------------------------------------------------


def find_owner(mount: Mount, plex: FoundPlex | None, container: FoundContainer | None) -> tuple[int, int]:
    """Return whose files are to seem those of the mount: as configured, else Plex's user as it was found, else Debian's of the
    name plex, else 1000."""
    uid, gid = mount.uid, mount.gid
    found_uid, found_gid = _plexs_own(plex, container)
    return (found_uid if uid < 0 else uid), (found_gid if gid < 0 else gid)


def _plexs_own(plex: FoundPlex | None, container: FoundContainer | None) -> tuple[int, int]:
    if plex is not None and plex.uid >= 0:
        return plex.uid, plex.gids[0] if plex.gids else plex.uid
    if container is not None and container.uid >= 0:
        return container.uid, container.gid if container.gid >= 0 else container.uid
    try:
        # Nobody has ever looked for Plex.
        user = pwd.getpwnam("plex")
    except KeyError:
        return _USUAL_UID, _USUAL_UID
    return user.pw_uid, user.pw_gid


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """rclone's remote control: address as rclone is given it, url as it is asked."""

    address: str
    url: str
    password: Secret

    @classmethod
    def make(cls, version: Version, places: Places) -> "Control":
        password = Secret(secrets.token_urlsafe(32))
        if version >= SOCKETS:
            address = f"unix://{places.runtime}/rc.sock"
            return cls(address=address, url=address, password=password)
        address = f"127.0.0.1:{_find_port()}"
        return cls(address=address, url=f"http://{address}", password=password)

    @property
    def htpasswd(self) -> str:
        """The line of htpasswd(5) for it. A quick hash: each question costs one, and nobody guesses 256 random bits."""
        digest = hashlib.sha1(self.password.reveal().encode("ascii"), usedforsecurity=False).digest()
        return f"{USER}:{{SHA}}{base64.b64encode(digest).decode('ascii')}\n"


def _find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_files(
    places: Places, control: Control, storages: str, *, program: str, mount: Mount, kind: str, version: Version
) -> None:
    """Write what rclone reads, then what its watchdog does. Raises IoFailed."""
    address = {
        **{"url": control.url, "user": USER, "password": control.password.reveal(), "pid": os.getpid()},
        **{"remote": mount.remote, "config": str(places.config), "rclone": program, "version": show_version(version)},
        "cache": "" if mount.cache_mode == "off" else str(places.cache),
        "signs": may_sign(mount, kind),
    }
    for path, text in (
        (places.config, f"{storages}\n"),
        (places.passwords, control.htpasswd),
        (places.address, f"{json.dumps(address)}\n"),
    ):
        write_atomic(path, text.encode("utf-8", "surrogateescape"), mode=_PRIVATE)


def make_command(
    mount: Mount, version: Version, control: Control, places: Places, *, program: str, owner: tuple[int, int]
) -> list[str]:
    """Return what becomes of this process. mount: resolved."""
    fixed = {"--uid": str(owner[0]), "--gid": str(owner[1]), "--cache-dir": str(places.cache)}
    return [
        *(program, "mount", f"--config={places.config}", f"--devname={mount.remote}"),
        *("--rc", f"--rc-addr={control.address}", f"--rc-htpasswd={places.passwords}", "--rc-serve"),
        *render(mount, version, fixed),
        *("--", mount.remote, mount.mount_point),
    ]


def make_environment(outer: Mapping[str, str], version: Version) -> dict[str, str]:
    """Return the environment of rclone."""
    kept = {name: outer[name] for name in _KEPT if name in outer}
    # By it rclone knows that it writes to the journal, also without --log-systemd.
    invocation = {"INVOCATION_ID": outer["INVOCATION_ID"]} if "INVOCATION_ID" in outer and logs_for_systemd(version) else {}
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8", **kept, **invocation}


def become(command: list[str], environment: Mapping[str, str]) -> NoReturn:
    """Be that program from here on."""
    # Ours ignores it, and what is ignored stays so.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execve(command[0], command, dict(environment))  # noqa: S606  # a list, and rclone is this process from now on


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
