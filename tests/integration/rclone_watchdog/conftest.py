"""Storages with a library, and mounts of them by a real rclone, for the tests of what watches mounts."""

from collections.abc import Iterator
from typing import get_args

import pytest

from tests.fakes.mounted import Mounted, give_control_files
from tests.fakes.storage import Kind, Storage, make_library


@pytest.fixture(scope="session", autouse=True)
def kernel_control_files() -> None:
    """What the product asks of the kernel, it asks where systemd has it."""
    give_control_files()


@pytest.fixture(params=get_args(Kind))
def storage(request: pytest.FixtureRequest) -> Iterator[Storage]:
    """A storage of each kind, with a library of 48 files."""
    with Storage(request.param) as storage:
        make_library(storage.bucket)
        yield storage


@pytest.fixture
def s3() -> Iterator[Storage]:
    with Storage("s3") as storage:
        make_library(storage.bucket)
        yield storage


@pytest.fixture
def mounted(s3: Storage) -> Iterator[Mounted]:
    """That storage, mounted by Debian's rclone, with limits of seconds."""
    with Mounted(s3) as mounted:
        yield mounted
