"""The mount table, as text: which file system a path is on, and which mounts should be there. Asks no file system."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# File systems that another machine or a user's program stands behind: they can hang, lie about modes, and be gone.
_REMOTE_TYPES = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "lustre", "afs", "ncpfs", "beegfs", "virtiofs", "autofs"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MountPoint:
    """A mount, or a line of fstab(5). is_optional: it need not be there (noauto), as a disk that is plugged in."""

    path: str
    type: str
    is_optional: bool = False

    @property
    def is_remote(self) -> bool:
        """Whether the file system is a network's or a FUSE program's."""
        return self.type in _REMOTE_TYPES or self.type.startswith("fuse")


def parse_mountinfo(text: str) -> tuple[MountPoint, ...]:
    """Parse /proc/self/mountinfo (proc_pid_mountinfo(5)); a later mount on the same path hides the earlier one.

    A folder that is bound onto itself is no mount: ReadWritePaths= makes one of every root, and an unmounted root would
    look mounted from inside the unit.
    """
    found: dict[str, _Line] = {}
    for text_line in text.split("\n"):  # and not splitlines(): the kernel escapes no other line end in a path
        before, separator, after = text_line.partition(" - ")
        fields = before.split(" ")
        if separator and len(fields) > 4 and after:
            line = _Line(path=unescape(fields[4]), type=after.split(" ")[0], device=fields[2], root=unescape(fields[3]))
            found.pop(line.path, None)
            found[line.path] = line
    return tuple(
        MountPoint(path=line.path, type=line.type) for line in found.values() if not _is_bound_to_itself(line, found.values())
    )


def find_numbered(text: str, number: str) -> MountPoint | None:
    """Return the mount of a number, as proc_pid_fdinfo(5) names it, of /proc/self/mountinfo."""
    line = next((line for line in text.split("\n") if line.startswith(number + " ")), "")
    fields, after = line.split(" "), line.partition(" - ")[2]
    return MountPoint(path=unescape(fields[4]), type=after.split(" ")[0]) if len(fields) > 4 and after else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A line of the table. root: which folder of the file system is mounted there."""

    path: str
    type: str
    device: str
    root: str


def _is_bound_to_itself(line: _Line, lines: Iterable[_Line]) -> bool:
    """Tell whether a mount shows what would be there without it: the same folder of the same file system."""
    outer = max((o for o in lines if o is not line and is_below(line.path, o.path)), key=lambda o: len(o.path), default=None)
    if outer is None or outer.device != line.device:
        return False
    below = line.path[len(outer.path.rstrip("/")) :]
    return line.root == outer.root.rstrip("/") + below


def parse_fstab(text: str) -> tuple[MountPoint, ...]:
    """Parse /etc/fstab (fstab(5)): the mounts that the administrator means to be there, swap left out."""
    lines = (re.split(r"[ \t]+", line.strip(" \t")) for line in text.split("\n") if not line.lstrip().startswith("#"))
    return tuple(
        MountPoint(path=unescape(f[1]).rstrip("/") or "/", type=f[2], is_optional="noauto" in ",".join(f[3:4]).split(","))
        for f in lines
        if len(f) >= 3 and f[1].startswith("/")
    )


def mount_of(path: str, mounts: Iterable[MountPoint]) -> MountPoint:
    """Return the mount that a path lies on, by name alone."""
    best = MountPoint(path="/", type="")
    for mount in mounts:
        if is_below(path, mount.path) and len(mount.path) >= len(best.path):
            best = mount
    return best


def is_below(path: str, folder: str) -> bool:
    """Tell whether a path is a folder or lies in it: whole names, so /srv/TVShows is not below /srv/TV."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def find_unmounted(folder: str, mounts: tuple[MountPoint, ...], fstab: tuple[MountPoint, ...], last_mount: str) -> str:
    """Return the mount point that a folder needs and that is not there, or "".

    Needed is what fstab(5) names at or above the folder, what it names below without noauto (a disk that is plugged in now
    and then), and what the folder was on when it was last found well.
    """
    present = {mount.path for mount in mounts}
    above = [mount.path for mount in fstab if is_below(folder, mount.path)]
    needed = [*above, *(mount.path for mount in fstab if is_below(mount.path, folder) and not mount.is_optional)]
    if last_mount and is_below(folder, last_mount):
        needed.append(last_mount)
    # The outermost: without it, those below it mean nothing.
    return min((path for path in needed if path != "/" and path not in present), key=len, default="")


def read_mounts() -> tuple[MountPoint, ...]:
    return parse_mountinfo(Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape"))


def read_fstab() -> tuple[MountPoint, ...]:
    try:
        return parse_fstab(Path("/etc/fstab").read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError:
        return ()


def unescape(field: str) -> str:
    """Return a field of a mount table as it is meant: blanks, and what else would end it, are written \\NNN there."""
    return re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), field)
