"""Have plexguard be on a run's machine, mount the storage there and prove it; and take away what was brought.

The other machine is asked in commands alone, each with a limit; all of it may be done again from the beginning.
"""

from collections.abc import Callable

from plexguard.cloud_run.storage import parcel
from plexguard.cloud_run.storage.choose import GID, UID, Media, read_point, units_of
from plexguard.cloud_run.storage.judge import PROPERTIES, NotMounted, explain, is_proven, read_units
from plexguard.cloud_run.there import remote_files
from plexguard.core.clock import Clock
from plexguard.core.errors import NoPermission, SystemRefused, Unavailable
from plexguard.core.host import CommandError, Commands

_CALL_S = 30.0
# A new mount that has a long listing to begin with.
_READ_S = 120.0
_PAUSE_S = 2.0
_LINES = "200"
_IN_MEMORY = ("tmpfs", "ramfs")


def bring(there: Commands, media: Media, *, storages: str, files: bytes) -> None:
    """Put everything there. storages: the rclone.conf, of this remote alone. files: of parcel.pack(). What an earlier attempt has
    brought is replaced. Raises NoPermission, SystemRefused and what the connection raises.
    """
    if there.run(["id", "-u"], timeout_s=_CALL_S).stdout.strip() != "0":
        raise NoPermission("what mounts is for root, and this login is another's", hint='ssh = "root@HOST" in [cloud-run]')
    _check_free(there)
    there.run(["install", "-d", "-m", "0700", parcel.SECRETS], timeout_s=_CALL_S)
    kind = there.run(["stat", "--file-system", "--format=%T", parcel.SECRETS], timeout_s=_CALL_S).stdout.strip()
    if kind not in _IN_MEMORY:
        raise SystemRefused(f"{parcel.SECRETS}: is on a disk there ({kind}), where no secret may go")
    remote_files.put(there, storages.encode("utf-8", "surrogateescape"), parcel.STORAGES)
    bundle = f"{parcel.SECRETS}/files.tar"
    remote_files.put(there, files, bundle)
    there.run(["tar", "--extract", "--no-overwrite-dir", f"--file={bundle}", "--directory=/"], timeout_s=_CALL_S)
    there.run(["rm", "-f", "--", bundle], timeout_s=_CALL_S)
    there.run(["systemd-sysusers", parcel.SYSUSERS], timeout_s=_CALL_S)
    there.run(["systemd-tmpfiles", "--create", parcel.TMPFILES], timeout_s=_CALL_S)
    there.run(["systemctl", "daemon-reload"], timeout_s=_CALL_S)
    # It waits, and is told no more, after a start that failed.
    there.run(["systemctl", "reset-failed", *units_of(media)], timeout_s=_CALL_S, check=False)


def _check_free(there: Commands) -> None:
    """Raises SystemRefused where plexguard is installed already: what is an administrator's own is not overwritten."""
    listed = there.run(["ls", "-d", "--", parcel.SUITE, parcel.PROGRAM, parcel.CONFIG], timeout_s=_CALL_S, check=False)
    found = listed.stdout.split()
    if found and parcel.SUITE not in found:
        raise SystemRefused(
            f"plexguard is installed there: {found[0]} is not this run's", hint='provider = "local", on that machine'
        )


def prove(there: Commands, media: Media, *, clock: Clock, tell: Callable[[str], None], limit_s: float) -> str:
    """Start the mount, and wait until its watchdog has proven it, and Plex's user can read it. Return what was read.

    limit_s: how long after its start the storage may be away. tell: is told how far it is. Raises NotMounted, in the words of who
    is asked there, and what the connection raises.
    """
    since = there.run(["date", "+%s"], timeout_s=_CALL_S).stdout.strip()
    there.run(["systemctl", "start", "--no-block", *units_of(media)], timeout_s=_CALL_S)
    try:
        _await_proof(there, media, clock=clock, tell=tell, deadline_s=clock.monotonic_s() + limit_s)
        return _read_as_plex(there, media)
    except NotMounted as error:
        said = explain(_read_journal(there, media, since))
        raise NotMounted(f"{media.remote}: {error}{f': {said}' if said else ''}", hint=_hint(media)) from error


def _hint(media: Media) -> str:
    return f"keep the machine to look at (keep = true), and there: journalctl -u {units_of(media)[1]}"


def _await_proof(there: Commands, media: Media, *, clock: Clock, tell: Callable[[str], None], deadline_s: float) -> None:
    ask = ["systemctl", "show", f"--property={','.join(PROPERTIES)}", *units_of(media)]
    while True:
        units = read_units(there.run(ask, timeout_s=_CALL_S).stdout)
        mount, watchdog = map(units.get, units_of(media))
        if is_proven(mount, watchdog):
            return
        state = (watchdog.text if watchdog is not None else "") or "nothing is known yet"
        if clock.monotonic_s() >= deadline_s:
            raise NotMounted(f"is not proven: {state}")
        tell(f"waiting for the proof of {media.name}: {state}")
        clock.sleep(_PAUSE_S)


def _read_as_plex(there: Commands, media: Media) -> str:
    """Return the name of a file that Plex's user has found and read there. Raises NotMounted."""
    # find(1) goes back to where it began: a login begins in root's home, which is nobody else's.
    plex = ["env", "--chdir=/", "setpriv", f"--reuid={UID}", f"--regid={GID}", "--clear-groups", "--no-new-privs", "--"]
    try:
        # Of no bytes, it would prove nothing.
        found = there.run([*plex, "find", media.point, "-type", "f", "-size", "+0c", "-print", "-quit"], timeout_s=_READ_S).stdout
        path = found.removesuffix("\n")
        if not path:
            raise NotMounted(f"user {UID} finds no file below {media.point}")
        there.run([*plex, "dd", f"if={path}", "of=/dev/null", "bs=64K", "count=1", "status=none"], timeout_s=_READ_S)
    except CommandError as error:
        raise NotMounted(f"user {UID} cannot read it: {error}") from error
    return path


def _read_journal(there: Commands, media: Media, since: str) -> str:
    units = (word for unit in units_of(media) for word in ("-u", unit))
    ask = ["journalctl", "--quiet", "--output=json", f"--since=@{since}", "-n", _LINES, *units]
    try:
        return there.run(ask, timeout_s=_CALL_S, check=False).stdout
    except (CommandError, Unavailable):
        return ""


def take_away(there: Commands, *, stays: bool) -> None:
    """Unmount what was mounted there, and remove the secret; on a machine that stays, all that was brought. What is not there is
    done already. Raises SystemRefused where something is still mounted, and what the connection raises.
    """
    # First of all: what follows may hang. Units that run have a copy of their own, which goes with them.
    there.run(["rm", "-rf", "--", parcel.SECRETS], timeout_s=_CALL_S)
    point = ""
    if there.run(["test", "-e", parcel.SUITE], timeout_s=_CALL_S, check=False).code == 0:
        point = read_point(there.run(["cat", parcel.CONFIG], timeout_s=_CALL_S, check=False).stdout)
        # The watchdog first: it would have the mount made anew.
        for pattern in (f"plexguard-rclone{part}@*.service" for part in ("-watchdog", "-inside", "")):
            there.run(["systemctl", "stop", pattern], timeout_s=_CALL_S)
    # findmnt(8) ends with 1 where nothing is; with anything else it cannot tell.
    if point and there.run(["findmnt", "--mountpoint", point], timeout_s=_CALL_S, check=False).code != 1:
        raise SystemRefused(f"{point}: is still mounted there")
    if stays and point:
        drop_ins = ["find", parcel.UNITS, "-maxdepth", "1", "-name", "plexguard-rclone*@*.d"]
        listed = there.run(drop_ins, timeout_s=_CALL_S, check=False).stdout.split()
        there.run(["rm", "-rf", "--", *parcel.MADE, *listed], timeout_s=_CALL_S)
        there.run(["systemctl", "daemon-reload"], timeout_s=_CALL_S)
