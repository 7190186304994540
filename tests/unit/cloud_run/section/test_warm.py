"""Many files are read at once, and what could not be read is told by its kind."""

import time

import pytest

from plexguard.cloud_run.section import warm as module
from plexguard.cloud_run.section.warm import FIRST_BYTES, warm
from plexguard.core.clock import SystemClock

CLOCK = SystemClock()


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"Film {n}.mkv" for n in range(300)]
    for path in paths:
        path.write_bytes(b"film")
    return list(map(str, paths))


def test_all_are_read_and_what_is_not_there_is_counted(files, tmp_path):
    (tmp_path / "folder").mkdir()

    warmed = warm([*files, str(tmp_path / "gone.mkv"), str(tmp_path / "folder")], CLOCK)

    assert (warmed.read, warmed.missing, warmed.unreadable, warmed.late) == (300, 1, 1, 0)
    assert "of 302 files 1 missing, 1 unreadable" in warmed.faults and "gone.mkv: No such file" in warmed.faults


def test_more_are_read_at_once_as_long_as_that_brings_more(files, monkeypatch):
    def slow(path: str) -> None:
        time.sleep(0.02)

    monkeypatch.setattr(module, "_read", slow)

    warmed = warm(files * 4, CLOCK)

    assert warmed.read == 1_200 and warmed.at_once >= 16


def test_one_that_hangs_keeps_no_other_from_being_read(files, monkeypatch):
    def hang(path: str) -> None:
        if path in files[:3]:
            time.sleep(2.0)

    monkeypatch.setattr(module, "_read", hang)

    warmed = warm(files, CLOCK, limit_s=0.2)

    assert (warmed.read, warmed.late) == (297, 3)
    assert "no answer within 0.2 s" in warmed.faults


def test_only_the_beginning_is_read(tmp_path, monkeypatch):
    file = tmp_path / "large"
    file.write_bytes(bytes(3 * FIRST_BYTES))

    assert warm([str(file)], CLOCK).read == 1
    assert warm([], CLOCK).done == 0
