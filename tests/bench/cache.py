"""Large data sets below build/bench, made once: they take longer to make than most to measure."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.bench.measure import ROOT

_FOLDER = ROOT / "build/bench"


def cached(name: str, make: Callable[[Path], None], *makers: Path) -> Path:
    """Return the folder of a data set, which nobody changes; made when it is not there, or one of the files that make it has changed."""
    digest = hashlib.sha256(b"".join(maker.read_bytes() for maker in makers)).hexdigest()[:12]
    place = _FOLDER / f"{name}-{digest}"
    if not place.exists():
        for old in _FOLDER.glob(f"{name}-*"):
            shutil.rmtree(old)
        making = _FOLDER / f"{name}.making"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        make(making)
        making.rename(place)
    return place
