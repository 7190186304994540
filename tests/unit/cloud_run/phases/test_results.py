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


@pytest.mark.parametrize("content", [b"archive", b"archivf"])
def test_file_is_held_against_what_was_packed(tmp_path, monkeypatch, content):
    here = tmp_path / "plex.tar.zst"
    here.write_bytes(content)
    monkeypatch.setattr(results, "fetch", lambda run, source, target, total: target)

    if content == b"archive":
        assert results.bring(None, packed(Path("/there/plex.tar.zst")), tmp_path) == here
    else:
        with pytest.raises(NotWhole, match="is not what was packed there"):
            results.bring(None, packed(Path("/there/plex.tar.zst")), tmp_path)


def test_the_last_three_stay(tmp_path):
    names = [f"plexguard.home.delta.202611{day:02}T000000Z" for day in (20, 3, 11, 1, 30)]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "plex.tar.zst").touch()

    results.forget_old(tmp_path / names[2])

    assert sorted(one.name[-10:-8] for one in tmp_path.iterdir()) == ["11", "20", "30"]
