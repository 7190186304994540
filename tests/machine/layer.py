"""Prepared states of machines: what a preparation wrote is kept, and further machines start on top of it at once.

    prepared = Layer(READY, key=sha256_of_deb, prepare=lambda machine: machine.install(deb))
    with Machine(prepared) as machine: ...

A layer is in the cache folder beside the trees, so it also serves the next run. The newest few are kept.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.machine.machine import Machine, Network
from tests.machine.tree import RECIPE, Tree, cache_folder, is_still_at, locked

_KEPT = 12


@dataclass(frozen=True, slots=True)
class Layer:
    """A tree, or another layer, with what `prepare` did to a machine of it.

    key: says all that the result depends on besides what is below; equal keys are prepared once.
    """

    below: "Tree | Layer"
    key: str = field(kw_only=True)
    prepare: Callable[[Machine], object] = field(kw_only=True, compare=False)
    network: Network = field(default="private", kw_only=True)

    @property
    def full_key(self) -> str:
        below = self.below.key if isinstance(self.below, Tree) else self.below.full_key
        return hashlib.sha256("\n".join((RECIPE, below, self.network, self.key)).encode()).hexdigest()[:16]

    @property
    def needs_disk(self) -> tuple[str, ...]:
        return self.below.needs_disk

    def path(self) -> Path:
        """Return the folder of what was written, preparing it first if it isn't there."""
        path = _folder() / self.full_key
        if not path.is_dir():
            with locked(_lock_of(path)):
                if not path.is_dir():
                    self._build(path)
            remove_stale()
        return path

    def lowers(self) -> tuple[Path, ...]:
        return (self.path(), *self.below.lowers())

    @contextlib.contextmanager
    def held(self) -> Iterator[tuple[int, ...]]:
        """Keep the layer and those below from being removed, and give the file descriptors that do so."""
        with self.below.held() as others:
            descriptor = self._hold()
            try:
                yield (descriptor, *others)
            finally:
                os.close(descriptor)

    def _hold(self) -> int:
        while True:
            path = self.path()
            with contextlib.suppress(FileNotFoundError):
                descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
                fcntl.flock(descriptor, fcntl.LOCK_SH)
                if is_still_at(descriptor, path):
                    os.utime(path)
                    return descriptor
                os.close(descriptor)

    def _build(self, path: Path) -> None:
        # We hold the lock, so a folder of this name belongs to a builder that was killed.
        draft = path.with_name(f"{path.name}.building")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        try:
            with Machine(self.below, upper=draft, network=self.network) as machine:
                self.prepare(machine)
                machine.poweroff()
            _scrub(draft / "upper")
            (draft / "upper").rename(path)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def installed(below: Tree | Layer, deb: Path | str) -> Layer:
    """Return the layer in which a package file is installed."""
    digest = hashlib.sha256(Path(deb).read_bytes()).hexdigest()
    return Layer(below, key=f"deb {digest}", prepare=lambda machine: machine.install(deb))


def remove_stale() -> None:
    """Remove all but the newest layers, as far as no machine stands on them."""
    layers = [path for path in _folder().iterdir() if path.is_dir() and path.suffix != ".building"]
    for path in sorted(layers, key=_used_at, reverse=True)[_KEPT:]:
        _remove_unused(path)


def _remove_unused(path: Path) -> None:
    with locked(_lock_of(path)), contextlib.suppress(FileNotFoundError, BlockingIOError):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Renamed first: a removal that is interrupted must not leave half a layer under a good name.
            gone = path.rename(path.with_name(f"{path.name}.building"))
            shutil.rmtree(gone, ignore_errors=True)
            _lock_of(path).unlink(missing_ok=True)
        finally:
            os.close(descriptor)


def _scrub(upper: Path) -> None:
    """Take out what makes the prepared machine a particular one: its id and its journal."""
    machine_id = upper / "etc/machine-id"
    if machine_id.exists():
        machine_id.write_text("", encoding="ascii")
    for folder in (upper / "var/log/journal").glob("*"):
        shutil.rmtree(folder)


def _used_at(path: Path) -> float:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_mtime
    return 0.0


def _folder() -> Path:
    folder = cache_folder() / "layers"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _lock_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")
