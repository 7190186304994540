"""When the configuration was last changed."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from plexguard.status.apply.observe import find_last_change


def touch(path: Path, at: int) -> None:
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        path.touch()
    os.utime(path, (at, at))


@pytest.mark.parametrize("newest", ["plexguard.toml", "plexguard.toml.d/10.toml", "plexguard.toml.d"])
def test_the_latest_of_file_drop_ins_and_their_folder_counts(tmp_path: Path, newest: str) -> None:
    for name in ("plexguard.toml.d/10.toml", "plexguard.toml", "plexguard.toml.d"):
        touch(tmp_path / name, 1000)
    touch(tmp_path / newest, 5000)

    assert find_last_change(tmp_path / "plexguard.toml", tmp_path / "credentials") == datetime.fromtimestamp(5000, UTC)


@pytest.mark.parametrize("newest", ["credentials", "credentials/notify.phone.url"])
def test_a_credential_counts_since_a_service_is_handed_it_when_it_starts(tmp_path: Path, newest: str) -> None:
    for name in ("credentials/notify.phone.url", "plexguard.toml", "credentials"):
        touch(tmp_path / name, 1000)
    touch(tmp_path / newest, 5000)

    assert find_last_change(tmp_path / "plexguard.toml", tmp_path / "credentials") == datetime.fromtimestamp(5000, UTC)


def test_files_that_are_no_drop_ins_do_not_count(tmp_path: Path) -> None:
    touch(tmp_path / "plexguard.toml", 1000)
    touch(tmp_path / "plexguard.toml.d/10.toml~", 5000)
    os.utime(tmp_path / "plexguard.toml.d", (2000, 2000))

    assert find_last_change(tmp_path / "plexguard.toml", tmp_path / "credentials") == datetime.fromtimestamp(2000, UTC)


def test_a_configuration_that_is_not_there_never_changed(tmp_path: Path) -> None:
    assert find_last_change(tmp_path / "plexguard.toml", tmp_path / "credentials") == datetime.fromtimestamp(0, UTC)
