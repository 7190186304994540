"""Showing it, once and again and again."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from plexguard.status.act import exit_code, watch
from plexguard.status.overview import Overview, State
from tests.fakes.ports import FakeClock
from tests.unit.status.test_decide import hung
from tests.unit.status.world import overview


class WatchedClock(FakeClock):
    """A person looks on for so many refreshes, then presses Ctrl-C."""

    def __init__(self, refreshes: int) -> None:
        super().__init__()
        self._left = refreshes

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self._left -= 1
        if self._left == 0:
            raise KeyboardInterrupt


def look(*found: Overview, output: str = "text") -> int:
    looks: Iterator[Overview] = iter(found)
    return watch(lambda: next(looks), WatchedClock(len(found)), output=output)


def test_each_change_is_a_line_where_there_is_no_screen(capsys: pytest.CaptureFixture[str]) -> None:
    well = overview()

    assert look(well, well, overview(probe=hung())) == 1

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(well.things) + 2
    assert [line.partition(" ")[2] for line in lines[-2:]] == [
        "Plex: problem: hung for 3 min: no answer",
        "Streams: unknown: Plex does not tell who watches",
    ]


def test_each_look_is_a_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert look(overview(probe=hung()), overview(), output="json") == 0

    assert [json.loads(line)["healthy"] for line in capsys.readouterr().out.splitlines()] == [False, True]


def test_a_hostile_text_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    (first, *_) = overview().things

    look(replace(overview(), things=(replace(first, summary="a\n\x1b[2Jb"),)))

    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize(
    ("healthy", "states", "code"),
    [
        (True, [State.WELL, State.WARNING], 0),
        (False, [State.UNKNOWN, State.PROBLEM], 1),
        (False, [State.UNKNOWN, State.WARNING], 69),
    ],
)
def test_the_exit_code_tells_what_is_wrong_from_what_is_not_known(healthy: bool, states: list[State], code: int) -> None:
    assert exit_code(healthy, states) == code
