"""Libraries are analysed one after the other, and what was found out is never more than some hours away from home."""

import itertools
import random
from dataclasses import replace

import pytest

from plexguard.cloud_run.section.analyze import AnalysisFailed
from plexguard.cloud_run.section.labour import LabourFailed
from tests.unit.cloud_run.section.analysing import PLAN, World, shelf

HOUR = 3600.0
MUSIC = {"kind": "artist", "items": 456_534, "analysed": 81_035}


def world(*shelves, **given) -> World:
    made = shelves or (shelf("1", "Films", items=351, analysed=315, per_s=0.5),)
    return World(shelves={one.library.key: one for one in made}, **given)


def test_each_library_is_analysed_to_its_end_and_kept_before_the_next():
    made = world(shelf("1", "Films", items=351, analysed=315), shelf("3", "Music", kind="artist", items=900, analysed=0))
    analysis = made.make()
    analysis.run()

    assert made.begun == [("warm", "Films"), ("analysis", "Films"), ("sonic", "Music")]
    assert {one.after.title: (one.before.analysed, one.after.analysed) for one in analysis.told.libraries.values()} == {
        "Films": (315, 351),
        "Music": (0, 900),
    }
    assert [analysed for _, analysed in made.kept] == [351, 1251]
    assert analysis.told.checkpoint is not None and analysis.told.checkpoint.path == "/kept/2"


def test_only_music_is_let_be_analysed_by_itself_and_only_meanwhile():
    made = world(shelf("3", "Music", kind="artist", items=900, analysed=0))
    made.make().run()

    assert made.during == ["asap"]
    assert made.settings["MusicAnalysisBehavior"] == "never"


def test_metadata_are_fetched_first_where_that_is_wanted():
    made = world(shelf("3", "Music", kind="artist", items=900, analysed=0))
    made.make(replace(PLAN, refreshes=True)).run()

    assert [what for what, _ in made.begun] == ["refresh", "sonic"]


def test_analysis_of_which_nothing_is_left_is_over_at_two_looks():
    made = world(shelf("1", "Films", items=351, analysed=350, per_s=0.5))
    made.make(replace(PLAN, monitoring="local_quick")).run()

    assert made.now_s <= 3 * 30 + 10


def test_what_is_analysed_already_is_not_begun():
    made = world(shelf("1", "Films", items=351, analysed=351), shelf("3", "Music", kind="artist", items=9, analysed=9))
    analysis = made.make()
    analysis.run()

    assert made.begun == [] and made.kept == [] and made.now_s < 1.0
    assert list(analysis.told.libraries) == ["1", "3"]


def test_account_without_a_pass_is_told_and_ends_nothing():
    made = world(shelf("3", "Music", kind="artist", items=900, analysed=0), pays=False)
    analysis = made.make()
    analysis.run()

    assert made.begun == [] and "takes a Plex Pass" in analysis.told.notes[0].text
    assert list(analysis.told.libraries) == ["3"]


def test_music_goes_without_its_sound_where_that_is_not_wanted():
    made = world(shelf("3", "Music", kind="artist", items=900, analysed=0))
    made.make(replace(PLAN, sonic=False)).run()

    assert made.begun == []


def test_analysis_that_stands_still_ends_with_what_was_found_out_kept():
    made = world(shelf("3", "Music", **MUSIC), faults={"stalled": [(5 * HOUR, 1e9)]})
    with pytest.raises(AnalysisFailed, match="the count stands still, and the processor is idle"):
        made.make().run()

    assert 6 * HOUR <= made.now_s < 7 * HOUR
    assert made.kept[-1][1] == made.shelves["3"].analysed


def test_plex_that_is_busy_with_something_else_is_named():
    made = world(shelf("3", "Music", **MUSIC, per_s=10.0), faults={"butler": [(HOUR, 4 * HOUR)]})
    analysis = made.make()
    analysis.run()

    assert any("the processor is busy, but the count stands still" in note.text for note in analysis.told.notes)
    assert made.shelves["3"].analysed == 456_534


@pytest.mark.parametrize("span", [(10.0, 600.0), (0.0, 60.0)])
def test_media_that_go_away_have_the_step_begun_again(span):
    made = world(shelf("1", "Films", items=5_000, analysed=0), faults={"gone": [span]})
    analysis = made.make()
    analysis.run()

    assert made.shelves["1"].analysed == 5_000
    assert [what for what, _ in made.begun].count("analysis") == 1 + (span[0] > 0)


SIGNALS = ("api", "database", "cpu")
SOME = [some for n in range(1, 4) for some in itertools.combinations(SIGNALS, n)]


@pytest.mark.parametrize("failing", SOME, ids=" and ".join)
def test_signals_that_fail_never_make_it_done(failing):
    made = world(shelf("3", "Music", kind="artist", items=100_000, analysed=0), faults={name: [(60.0, 1e9)] for name in failing})
    analysis = made.make()
    with pytest.raises(Exception, match=r"."):
        analysis.run()
    assert analysis.told.libraries == {}


@pytest.mark.parametrize("failing", SOME, ids=" and ".join)
def test_signals_that_fail_for_a_while_end_nothing_early(failing):
    made = world(
        shelf("3", "Music", kind="artist", items=50_000, analysed=0), faults={name: [(1_900.0, 9_000.0)] for name in failing}
    )
    analysis = made.make()
    analysis.run()
    assert made.shelves["3"].analysed == 50_000


@pytest.mark.parametrize("seed", range(12))
def test_three_days_with_faults_at_random_cost_no_more_than_the_hours_between_two_checkpoints(seed):
    """A machine may be lost at any moment: what it found out since the last checkpoint is lost with it."""
    dice = random.Random(seed)
    kinds = ("gone", "api", "database", "cpu", "butler", "full")
    faults = {kind: spans(dice, longest_s=1_500.0) for kind in kinds}
    made = world(shelf("3", "Music", **MUSIC, per_s=1.6), faults=faults)
    made.make().run()

    assert made.shelves["3"].analysed == 456_534
    times = [0.0, *(at_s for at_s, _ in made.kept)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(times) > 9
    # A disk that is full when a checkpoint is due costs one more.
    assert max(gaps) <= (2 if faults["full"] else 1) * PLAN.checkpoint_s + HOUR


def spans(dice: random.Random, *, longest_s: float) -> list[tuple[float, float]]:
    begins = sorted(dice.uniform(0, 70 * HOUR) for _ in range(dice.randrange(5)))
    return [(begin, begin + dice.uniform(1.0, longest_s)) for begin in begins]


@pytest.mark.parametrize("kind", ["movie", "artist"])
def test_plex_that_crashes_in_the_midst_analyses_again_and_is_not_called_done(kind):
    made = world(shelf("1", "Films", kind=kind, items=5_000, analysed=0), faults={"down": [(1_000.0, 1_030.0)]})
    analysis = made.make()
    analysis.run()

    assert made.shelves["1"].analysed == 5_000
    assert any("Plex was started anew in its midst" in note.text for note in analysis.told.notes)


def test_plex_that_stays_away_ends_the_analysis_with_what_was_found_out():
    made = world(shelf("1", "Films", items=500_000, analysed=0), faults={"down": [(1_000.0, 1e9)]})
    with pytest.raises(LabourFailed, match="Plex is gone for 15min"):
        made.make().run()
    assert made.now_s < 3_000.0 and made.kept
