"""A run's machine that is out of reach: told once, when it lasts, and again when it is reached."""

from typing import Any, cast

import pytest

from plexguard.cloud_run.phases.work import Reach, Work
from tests.fakes.ports import FakeJournal


class Run:
    name = "delta"

    def __init__(self) -> None:
        self.ports = self
        self.journal = FakeJournal()
        self.lines: list[str] = []

    def tell(self, line: str, **_: Any) -> None:
        self.lines.append(line)


@pytest.mark.parametrize(
    ("away", "told"),
    [
        ([0.0, 5.0, 55.0], []),
        ([5.0, 65.0, 600.0], ["cloud.line-lost", "cloud.line-back"]),
    ],
    ids=["for a moment", "for minutes"],
)
def test_line_that_is_lost_for_a_minute_is_told_once_and_when_it_is_back(away: list[float], told: list[str]) -> None:
    run = Run()
    reach = Reach(cast(Work, run))
    for _ in range(2):
        for seconds in away:
            reach.note(seconds, "no route to host")
        reach.note(away[-1], "")
        reach.note(0.0, "")

    assert run.journal.names == told * 2
    assert all("no route to host" in line for line in run.lines) and len(run.lines) == 2 * len(away)
