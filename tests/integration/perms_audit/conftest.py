"""Folders that the tests of the audit share."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that an ordinary user can come to: pytest's own are closed to all others."""
    folder = Path(tempfile.mkdtemp(prefix="plexguard-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
