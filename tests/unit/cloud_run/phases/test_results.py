"""What was brought home: room for it, that it is whole, and what stays of earlier runs."""

import hashlib
from pathlib import Path

import pytest

from plexguard.cloud_run.phases import results
from plexguard.cloud_run.phases.results import NotWhole
from plexguard.cloud_run.section.told import Packed
from plexguard.core.errors import IoFailed

HOME = "plexguard.home.delta.2026"


def packed(path: Path, size_bytes: int = 7, content: bytes = b"archive") -> Packed:
    return Packed(path=str(path), size_bytes=size_bytes, sha256=hashlib.sha256(content).hexdigest())


def test_disk_without_room_is_told_before_anything_is_carried(tmp_path):
    folder = tmp_path / "delta/results" / HOME
    folder.mkdir(parents=True)
    results.refuse_full(folder, (packed(tmp_path / "there"),))

    with pytest.raises(IoFailed, match="are to be brought there") as refused:
        results.refuse_full(folder, (packed(tmp_path / "there", size_bytes=1 << 60),))

    assert "plexguard-cloud-hold@delta" in refused.value.hint


class Run:
    """What comes of each attempt to fetch a file."""

    def __init__(self, *contents: bytes) -> None:
        self.contents = list(contents)
        self.troubles: list[str] = []

    def fetch(self, _run: object, _source: str, target: str, *, total: int) -> str:
        # As rsync does: what is there already and has its size is not carried again.
        if not Path(target).exists() or Path(target).stat().st_size != total:
            Path(target).write_bytes(self.contents.pop(0))
        return target

    def tell_trouble(self, detail: str) -> None:
        self.troubles.append(detail)


@pytest.mark.parametrize("damaged", [(), (b"arch",), (b"archivf", b"")], ids=["at once", "cut off", "damaged, then empty"])
def test_file_that_is_not_what_was_packed_is_fetched_anew(tmp_path, monkeypatch, damaged):
    run = Run(*damaged, b"archive")
    monkeypatch.setattr(results, "fetch", run.fetch)

    here = results.bring(run, packed(Path("/there/plex.tar.zst")), tmp_path)

    assert here.read_bytes() == b"archive" and run.contents == []
    assert len(run.troubles) == len(damaged)


def test_file_that_never_arrives_whole_is_not_taken(tmp_path, monkeypatch):
    run = Run(*(b"archivf",) * 9)
    monkeypatch.setattr(results, "fetch", run.fetch)

    with pytest.raises(NotWhole, match="is not what was packed there, 3 times"):
        results.bring(run, packed(Path("/there/plex.tar.zst")), tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_the_last_three_stay(tmp_path):
    names = [f"plexguard.home.delta.202611{day:02}T000000Z" for day in (20, 3, 11, 1, 30)]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "plex.tar.zst").touch()

    results.forget_old(tmp_path / names[2])

    assert sorted(one.name[-10:-8] for one in tmp_path.iterdir()) == ["11", "20", "30"]
