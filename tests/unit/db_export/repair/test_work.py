"""The room that a repair needs, and copies that read around what the disk cannot."""

import pytest

from plexguard.core.errors import IoFailed
from plexguard.db_export.repair import work
from plexguard.db_export.repair.work import FOLDER, copy_file, parse_available, work_folder
from tests.fakes.libraries import make_plex


def test_available_memory_is_read():
    assert parse_available("MemTotal: 5 kB\nMemAvailable:   1024 kB\n") == 1024 * 1024
    assert parse_available("") is None


def test_a_block_that_the_disk_cannot_read_is_zeros_in_the_copy(tmp_path, monkeypatch):
    source, pread = tmp_path / "a", work.os.pread
    source.write_bytes(b"x" * 10_000)

    def fail_in_the_second_block(fd, size, at):
        if at < 8192 and at + size > 4096:
            raise OSError(5, "Input/output error")
        return pread(fd, size, at)

    monkeypatch.setattr(work.os, "pread", fail_in_the_second_block)
    assert copy_file(source, tmp_path / "b") == 4096
    assert (tmp_path / "b").read_bytes() == b"x" * 4096 + bytes(4096) + b"x" * 1808


def test_what_cannot_be_opened_is_an_error(tmp_path):
    with pytest.raises(IoFailed, match="Failed to copy"):
        copy_file(tmp_path / "none", tmp_path / "b")


def test_what_a_killed_run_has_left_is_removed_and_the_folder_goes_in_the_end(tmp_path):
    data = make_plex(tmp_path / "Plex Media Server", films=1, episodes=0, tracks=0)
    left = data.databases / FOLDER
    left.mkdir()
    (left / "half").write_bytes(b"1")
    with work_folder(data) as folder:
        assert folder == left
        assert list(folder.iterdir()) == []
    assert not left.exists()
