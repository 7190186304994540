"""What a run has done, in numbers and in words."""

from dataclasses import replace
from datetime import timedelta

from plexguard.cloud_run.life.state import State, Step
from plexguard.cloud_run.life.summary import make_summary, show_libraries, show_seconds
from plexguard.cloud_run.server.counting import Counted
from tests.fakes.ports import BEGIN
from tests.unit.cloud_run.samples import MADE

FILMS = Counted(section=1, title="Films", kind="movie", items=315, trashed=0, analysed=0)
MUSIC = Counted(section=3, title="Music", kind="artist", items=456_534, trashed=0, analysed=81_035)
STATE = State(
    phase="done",
    began=BEGIN,
    updated=BEGIN,
    deadline=BEGIN + timedelta(hours=96),
    ended=BEGIN + timedelta(minutes=61),
    rented=BEGIN,
    hourly_euros=0.2,
    before=(FILMS, MUSIC),
    after=(replace(FILMS, items=351), replace(MUSIC, analysed=456_534), replace(FILMS, section=5, title="Kids", items=5)),
    steps={"instance": Step(began=MADE, seconds=95.4), "scan": Step(began=MADE, seconds=3_600.2)},
)


def test_each_library_is_told_with_what_it_gained():
    summary = make_summary(STATE)

    assert show_libraries(summary) == (
        "Films 315 → 351 (+36), 0 % analysed; Music 456,534 → 456,534 (+0), 100 % analysed; Kids 0 → 5 (+5), 0 % analysed"
    )
    assert [one.analysed - one.analysed_before for one in summary.libraries] == [0, 375_499, 0]
    assert show_seconds(summary) == "instance 1min 35s, scan 1h"
    assert summary.cost_euros == 0.4


def test_run_that_brought_nothing_home_says_so():
    summary = make_summary(replace(STATE, after=()))

    assert summary.libraries == ()
    assert show_libraries(summary) == "no library was worked on"
