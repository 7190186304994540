"""What the status is told of exports."""

import os
from pathlib import Path

import pytest

from plexguard.core.published import BACKUPS
from plexguard.db_export.state import note_bad, note_failed
from tests.fakes.ports import BEGIN, FakeJournal


def test_what_is_kept_is_found_and_read_by_the_status_which_is_another_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "db-export"
    (root / "archives").mkdir(parents=True)
    monkeypatch.setenv("STATE_DIRECTORY", str(root))
    before = os.umask(0o077)
    try:
        note_failed(FakeJournal(), "the disk is full", BEGIN)
    finally:
        os.umask(before)

    ((name, reading),) = BACKUPS.look_each(tmp_path)

    assert (name, reading.record.failure if reading.record else None) == ("library", "the disk is full")
    kept = root / "backups" / "library" / "state.json"
    assert [path.stat().st_mode & 0o005 for path in (kept.parent.parent, kept.parent, kept)] == [0o005, 0o005, 0o004]


def test_of_a_bad_archive_that_is_not_the_newest_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))

    note_bad(FakeJournal(), tmp_path / "other.tar.zst", "bits", BEGIN)

    assert list(tmp_path.iterdir()) == []
