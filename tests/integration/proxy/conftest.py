"""A real Chromium, for pages that ask at the door."""

from tests.integration.browser import browser, chromium

__all__ = ["browser", "chromium"]
