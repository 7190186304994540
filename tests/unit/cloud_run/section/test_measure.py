"""How fast a storage gives its files is read from large ones, and what cannot be told is said."""

import re

import pytest

from plexguard.cloud_run.section import measure as module
from plexguard.cloud_run.section.measure import measure
from plexguard.core.clock import SystemClock

CLOCK = SystemClock()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "_LARGE_BYTES", 1 << 20)
    monkeypatch.setattr(module, "_LOOK_S", 1.0)


def write(folder, name: str, size_bytes: int) -> None:
    with (folder / name).open("wb") as file:
        file.truncate(size_bytes)


def test_large_files_are_read_and_small_ones_are_not(tmp_path):
    (tmp_path / "Films").mkdir()
    write(tmp_path / "Films", "a.mkv", 4 << 20)
    write(tmp_path, "b.mkv", 4 << 20)
    write(tmp_path, "c.nfo", 100)

    said = measure(str(tmp_path), CLOCK)

    assert re.fullmatch(r"the storage gives [0-9.]+ [KMGT]?i?B a second, with 4 files read at once", said), said


def test_storage_of_which_that_cannot_be_told_is_not_called_slow(tmp_path):
    write(tmp_path, "c.nfo", 100)

    assert "cannot be told" in measure(str(tmp_path), CLOCK)
    assert "cannot be told" in measure(str(tmp_path / "gone"), CLOCK)


def test_file_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    write(tmp_path, "a.mkv", 4 << 20)
    found = module._find_large
    monkeypatch.setattr(module, "_find_large", lambda point: [*found(point), f"{point}/gone.mkv"])

    assert "of these failed:" in (said := measure(str(tmp_path), CLOCK)) and "gone.mkv: No such file" in said
