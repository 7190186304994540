import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory, where a sync waits for no disk."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as made:
        yield Path(made)
