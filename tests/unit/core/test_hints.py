"""Hints from who reads Plex's log to who proves a mount."""

import os
from pathlib import Path

from plexguard.core.hints import give_hint, last_hint


def test_each_hint_is_seen_as_another_and_only_by_its_own_mount(tmp_path: Path) -> None:
    assert last_hint("media", tmp_path) == 0

    give_hint("media", tmp_path)
    first = last_hint("media", tmp_path)
    os.utime(tmp_path / "dead.media", ns=(1, 1))
    give_hint("media", tmp_path)

    assert 0 < first <= last_hint("media", tmp_path)
    assert last_hint("other", tmp_path) == 0


def test_a_hint_that_cannot_be_given_harms_nobody(tmp_path: Path) -> None:
    give_hint("media", tmp_path / "none")

    assert last_hint("media", tmp_path / "none") == 0
