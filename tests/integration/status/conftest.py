"""A house for a real Chromium to look at."""

from collections.abc import Iterator

import pytest

from tests.fakes.status_api import StatusApi
from tests.integration.browser import browser, chromium

__all__ = ["api", "browser", "chromium"]


@pytest.fixture
def api() -> Iterator[StatusApi]:
    with StatusApi() as served:
        yield served
