"""What of the root side of a request stands in its unit as well."""

from pathlib import Path

import pytest

from plexguard.core.spans import parse_span
from plexguard.perms_audit.request.act import LONGEST_LOOK, WAIT_S

UNIT = Path(__file__).parents[4] / "units/plexguard-perms-request.service"


@pytest.mark.parametrize("option", ["TimeoutStartSec", "WatchdogSec"])
def test_the_service_manager_waits_for_two_of_the_longest_cycles(option: str) -> None:
    (limit,) = (line.partition("=")[2] for line in UNIT.read_text().splitlines() if line.startswith(f"{option}="))

    assert parse_span(limit).total_seconds() >= 2 * (WAIT_S + LONGEST_LOOK.total_seconds())
