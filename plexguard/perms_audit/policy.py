"""How media should be: which mode and owner where, and what is left out. Pure: answers from paths alone."""

import dataclasses
import fnmatch
import re
from dataclasses import dataclass

from plexguard.core.events import Mode
from plexguard.core.mounts import is_below
from plexguard.perms_audit.access import Identity
from plexguard.perms_audit.roots import Root

_SPECIAL_BITS = 0o7000


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """How files and folders should be. exact: modes are as configured, no bit more or less; else only what lacks is added.
    uid, gid: -1 where any owner will do."""

    exact: bool = False
    file_mode: Mode = Mode(0o644)
    dir_mode: Mode = Mode(0o755)
    uid: int = -1
    gid: int = -1

    @property
    def is_by_access(self) -> bool:
        """Whether all that counts is that Plex can read."""
        return not self.exact and self.uid < 0 and self.gid < 0

    @property
    def is_by_public_mode(self) -> bool:
        """Whether a file must have one mode, which everybody can read, whoever owns it."""
        return self.exact and self.uid < 0 and self.gid < 0 and self.file_mode & 0o444 == 0o444

    def fits(self, mode: int, uid: int, gid: int, *, is_folder: bool) -> bool:
        """Tell whether an inode is as wanted, whoever can read it."""
        if (self.uid >= 0 and uid != self.uid) or (self.gid >= 0 and gid != self.gid):
            return False
        return not self.exact or mode == self.new_mode(mode, is_folder=is_folder)

    def new_mode(self, mode: int, *, is_folder: bool) -> Mode:
        """Return the mode that one in need of repair gets. A folder keeps its set-id and sticky bits."""
        wanted = self.dir_mode if is_folder else self.file_mode
        if not self.exact:
            return Mode(mode | wanted)
        return Mode((mode & _SPECIAL_BITS) | wanted) if is_folder else wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is wanted, where, and for whom. overrides: (folder, its want), the innermost wins. excludes: absolute paths, or
    patterns of names (glob(7)). identity: whom Plex runs as, None when nobody knows. guarded: the mount points of
    plexguard-rclone-watchdog(8). guard_uid: whose the folders below them are, -1 for nobody."""

    roots: tuple[Root, ...]
    want: Want = Want()
    overrides: tuple[tuple[str, Want], ...] = ()
    excludes: tuple[str, ...] = ()
    identity: Identity | None = None
    guarded: tuple[str, ...] = ()
    guard_uid: int = -1

    def is_same(self, other: "Policy") -> bool:
        """Tell whether two policies want the same of the same folders for the same user, whatever is mounted there just now."""
        # A FUSE mount that comes and goes below a root changes nothing for who watches only local file systems.
        ours, theirs = ({(r.path, r.configured) for r in p.roots if not r.remote and not r.guarded} for p in (self, other))
        same_roots = ours == theirs
        return same_roots and dataclasses.replace(self, roots=()) == dataclasses.replace(other, roots=())

    def is_apart(self, root: Root, path: str) -> bool:
        """Tell whether a path, whole, is a guarded mount point in a root, or lies below one: bare or covered it is closed on
        purpose, and what is mounted there is a root of its own."""
        return any(is_below(path, point) and point != root.path and is_below(point, root.path) for point in self.guarded)

    def want_of(self, path: str) -> Want:
        """Return what is wanted of a path."""
        fitting = [(len(folder), want) for folder, want in self.overrides if is_below(path, folder)]
        return max(fitting, key=lambda item: item[0])[1] if fitting else self.want


class Excludes:
    """What is left out, prepared for being asked often."""

    def __init__(self, excludes: tuple[str, ...]) -> None:
        patterns = [fnmatch.translate(pattern) for pattern in excludes if "/" not in pattern]
        self._names = re.compile("|".join(patterns)) if patterns else None
        self._paths = tuple(path for path in excludes if "/" in path)

    def excludes(self, name: str, path: str) -> bool:
        """Tell whether an entry is left out. name: its own name; path: the whole of it."""
        return bool(self._names is not None and self._names.match(name)) or path in self._paths

    def excludes_root(self, path: str) -> bool:
        """Tell whether a root lies in what is left out by its path."""
        return any(is_below(path, excluded) for excluded in self._paths)

    def excludes_below(self, path: str, root: str) -> bool:
        """Tell whether a path, or a folder between it and its root, is left out."""
        parts = path[len(root.rstrip("/")) :].strip("/").split("/")
        place = root.rstrip("/")
        for name in parts if parts != [""] else ():
            place = f"{place}/{name}"
            if self.excludes(name, place):
                return True
        return False
