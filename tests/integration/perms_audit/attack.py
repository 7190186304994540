"""An attack on whoever changes modes below a folder of somebody else's: links swapped in while root is on its way.

The scene: media of an ordinary user, a secret of root's beside them with the same names in it, and a ledger of root's that the
user may write and hence may give more names to. The attacker runs as that user, in processes of its own, and exchanges files
and folders for links to the secret and back as fast as the kernel lets it. Whoever then changes a mode by path, or checks
first and changes after, opens the secret.
"""

import ctypes
import hashlib
import mmap
import os
import random
import shutil
import signal
import struct
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

# Ids that nobody has: the media's owner, who attacks, and the one who must be able to read.
ATTACKER, READER = 54321, 54322
_ATTACKERS = 2
_SHOWS, _SEASONS, _FILMS = 4, 3, 25
_AT_FDCWD, _EXCHANGE = -100, 2
# How often the attacker exchanges in one go before it does something else.
_MOST_FLIPS = 60
_libc = ctypes.CDLL(None, use_errno=True)


class Scene:
    """The folders of an attack; `with` removes them. root: the media. The secret and the ledger must stay as they are."""

    def __init__(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="plexguard-attack-"))
        self.base.chmod(0o755)
        # The root's own folder is the attacker's too, so that the root itself can be swapped.
        self.pool, self.root = self.base / "pool", self.base / "pool/media"
        self.secret, self.ledger, self.away = self.base / "secret", self.base / "ledger/ledger", self.base / "away"
        self.shows = [f"Show {number}" for number in range(_SHOWS)]
        self.seasons = [f"{show}/Season {number}" for show in self.shows for number in range(_SEASONS)]
        self.films = [f"{season}/Disc/film {number}.mkv" for season in self.seasons for number in range(_FILMS)]
        self._make()
        self._before = self._look()

    def __enter__(self) -> "Scene":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        shutil.rmtree(self.base)

    def assert_untouched(self) -> None:
        """Mode, owner, content and times of the change are those of the beginning: nothing was changed, not even and back."""
        changed = [(now, before) for now, before in zip(self._look(), self._before, strict=True) if now != before]
        assert not changed, f"(now, before): {changed[:3]}"

    def is_hit(self) -> bool:
        return self._look() != self._before

    def _make(self) -> None:
        aside = [self.away / str(number) for number in range(_ATTACKERS)]
        for folder in (self.secret, self.pool, self.root, self.ledger.parent, self.away, *aside):
            folder.mkdir()
        for film in self.films:
            for tree, mode in ((self.root, 0o644), (self.secret, 0o600)):
                os.makedirs(os.path.dirname(tree / film), exist_ok=True)
                (tree / film).write_bytes(b"film")
                (tree / film).chmod(mode)
        for path in (self.root, *self.root.rglob("*"), self.pool, *aside):
            os.chown(path, ATTACKER, ATTACKER)
        for path in self.secret.rglob("*"):
            path.chmod(0o700 if path.is_dir() else 0o600)
        self.secret.chmod(0o700)
        self.ledger.write_bytes(b"ledger")
        os.chown(self.ledger, 0, ATTACKER)
        self.ledger.chmod(0o660)

    def _look(self) -> list[tuple[object, ...]]:
        kept = [(path, os.lstat(path)) for path in sorted([self.secret, *self.secret.rglob("*")])]
        seen: list[tuple[object, ...]] = [
            (path, s.st_mode, s.st_uid, s.st_gid, s.st_mtime_ns, s.st_ctime_ns, _digest(path)) for path, s in kept
        ]
        # A further name of the ledger changes its ctime.
        status = os.lstat(self.ledger)
        return [*seen, (self.ledger, status.st_mode, status.st_uid, status.st_gid, _digest(self.ledger))]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


class Attack:
    """Attacks a scene for the length of a `with` block. swaps: how often something was exchanged so far."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._pids: list[int] = []
        self._counts = mmap.mmap(-1, 8 * _ATTACKERS)

    def __enter__(self) -> "Attack":
        for number in range(_ATTACKERS):
            pid = os.fork()
            if pid == 0:
                _attack(self._scene, number, self._counts)
            self._pids.append(pid)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        alive = [pid for pid in self._pids if os.waitpid(pid, os.WNOHANG) == (0, 0)]
        for pid in alive:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        assert alive == self._pids, "an attacker ended by itself"

    @property
    def swaps(self) -> int:
        return sum(struct.unpack_from(f"<{_ATTACKERS}Q", self._counts))


# -- the attacker -----------------------------------------------------------------------------------------------------


def _attack(scene: Scene, number: int, counts: mmap.mmap) -> None:
    """An attacker's life, until it is killed. Each has shows of its own, so that none undoes another's swaps."""
    try:
        os.setgroups([])
        os.setresgid(ATTACKER, ATTACKER, ATTACKER)
        os.setresuid(ATTACKER, ATTACKER, ATTACKER)
        attacker = _Attacker(scene, number)
        moves = attacker.moves()
        while True:
            random.choice(moves)()
            struct.pack_into("<Q", counts, 8 * number, attacker.swaps)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


class _Attacker:
    """Does one swap after the other. Each leaves the media as it found them, by descriptor: the root may be swapped meanwhile."""

    def __init__(self, scene: Scene, number: int) -> None:
        self._scene = scene
        self._shows = scene.shows[number::_ATTACKERS]
        self._seasons = [season for season in scene.seasons if season.split("/")[0] in self._shows]
        self._films = [film for film in scene.films if film.split("/")[0] in self._shows]
        self._is_first = number == 0
        self._root = os.open(scene.root, os.O_PATH | os.O_DIRECTORY)
        self._pool = os.open(scene.pool, os.O_PATH | os.O_DIRECTORY)
        self._aside = os.open(scene.away / str(number), os.O_PATH | os.O_DIRECTORY)
        self.swaps = 0

    def moves(self) -> list[Callable[[], None]]:
        """Return what it does, what it often does more than once."""
        often = [self._spoil, self._exchange_folder, self._exchange_parent, self._exchange_film] * 4
        seldom = [self._rename_folder, self._move_out, self._exchange_inner]
        # One alone links: names of the ledger that come and go beside them would only be in the way.
        return [*often, *seldom, *([self._carry_link, self._carry_folder] * 2 if self._is_first else [self._exchange_root])]

    def _spoil(self) -> None:
        """Make media that the victim should repair."""
        for film in random.sample(self._films, 12):
            os.chmod(film, random.choice([0o000, 0o600, 0o640]), dir_fd=self._root)
        os.chmod(random.choice(self._seasons), 0o700, dir_fd=self._root)

    def _exchange_folder(self) -> None:
        self._exchange(random.choice(self._seasons))

    def _exchange_inner(self) -> None:
        self._exchange(random.choice(self._seasons) + "/Disc")

    def _exchange_parent(self) -> None:
        self._exchange(random.choice(self._shows))

    def _exchange_film(self) -> None:
        self._exchange(random.choice(self._films))

    def _exchange(self, path: str) -> None:
        os.symlink(self._scene.secret / path, "link", dir_fd=self._aside)
        self._flip(os.fsencode(path), self._root, most=_MOST_FLIPS)

    def _exchange_root(self) -> None:
        os.symlink(self._scene.secret, "link", dir_fd=self._aside)
        self._flip(os.fsencode(self._scene.root.name), self._pool, most=4)

    def _flip(self, name: bytes, folder: int, *, most: int) -> None:
        """Exchange a name for the link, and back, some times."""
        for _ in range(random.randint(1, most)):
            for is_link in (True, False):
                done = _libc.renameat2(self._aside, b"link", folder, name, _EXCHANGE)
                assert done == 0, os.strerror(ctypes.get_errno())
                # The time between a victim's look and its change is anything from a microsecond to a batch.
                if random.random() < 0.02:
                    time.sleep(random.uniform(0, 0.004) if is_link else random.uniform(0, 0.001))
            self.swaps += 2
        os.unlink("link", dir_fd=self._aside)

    def _rename_folder(self) -> None:
        """Exchange it in the steps that any system has."""
        season = random.choice(self._seasons)
        os.rename(season, "folder", src_dir_fd=self._root, dst_dir_fd=self._aside)
        os.symlink(self._scene.secret / season, season, dir_fd=self._root)
        os.unlink(season, dir_fd=self._root)
        os.rename("folder", season, src_dir_fd=self._aside, dst_dir_fd=self._root)
        self.swaps += 2

    def _move_out(self) -> None:
        """Move a show out of the root and back, with whoever is in it: "..", from there, is another place."""
        show = random.choice(self._shows)
        os.rename(show, "show", src_dir_fd=self._root, dst_dir_fd=self._aside)
        time.sleep(random.uniform(0, 0.002))
        os.rename("show", show, src_dir_fd=self._aside, dst_dir_fd=self._root)
        self.swaps += 2

    def _carry_link(self) -> None:
        """Give the ledger one name among the media, and carry it to and fro: a walk meets it twice and may count two names."""
        self._carry([f"{season}/Disc/ledger" for season in random.sample(self._seasons, 2)], link="")

    def _carry_folder(self) -> None:
        """The same with the folder that it lies in, which leaves the ledger's own ctime as it was."""
        season, other = random.sample(self._seasons, 2)
        self._carry([f"{season}/Disc", f"{other}/Extras"], link="/ledger")

    def _carry(self, names: list[str], *, link: str) -> None:
        """Link the ledger at the first name, or below it, and rename that to the second and back many times."""
        first = names[0]
        os.link(self._scene.ledger, first + link, dst_dir_fd=self._root)
        for _ in range(random.randint(10, 100)):
            os.rename(*names, src_dir_fd=self._root, dst_dir_fd=self._root)
            names.reverse()
            self.swaps += 1
            time.sleep(random.uniform(0, 0.002))
        if names[0] != first:
            os.rename(*names, src_dir_fd=self._root, dst_dir_fd=self._root)
        os.unlink(first + link, dir_fd=self._root)
