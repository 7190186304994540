"""What is written on things is read back, and what others write is none of ours."""

import string
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.cloud_run.rent.labels import make_label, read_label
from tests.unit.cloud_run.samples import LABEL

NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,30}", fullmatch=True)
TIMES = st.integers(946684800, 221845392000).map(lambda s: datetime.fromtimestamp(s, UTC))
FOREIGN = st.lists(st.text(max_size=30), max_size=5)


@given(owner=NAMES, run=NAMES, deadline=TIMES, foreign=FOREIGN)
def test_label_is_read_back_from_its_tags_whatever_else_is_there(owner, run, deadline, foreign):
    label = make_label(owner=owner, run=run, deadline=deadline)
    others = [tag for tag in foreign if not tag.startswith(("suite=", "plexguard-"))]

    assert read_label([*label.tags, *others], "anything") == label


@given(owner=NAMES, run=NAMES, deadline=TIMES, foreign=FOREIGN)
def test_label_is_read_back_from_its_name_where_tags_were_lost(owner, run, deadline, foreign):
    label = make_label(owner=owner, run=run, deadline=deadline)
    others = [tag for tag in foreign if not tag.startswith(("suite=", "plexguard-"))]

    assert read_label(others, label.name) == label


@given(owner=NAMES, run=NAMES, deadline=TIMES)
def test_name_holds_only_what_a_name_at_scaleway_may(owner, run, deadline):
    allowed = string.ascii_letters + string.digits + ". -"
    assert set(make_label(owner=owner, run=run, deadline=deadline).name) <= set(allowed)


@given(tags=st.lists(st.text(max_size=40), max_size=6), name=st.text(max_size=60))
def test_what_others_write_never_fails(tags, name):
    read_label(tags, name)


def test_deadline_is_the_same_in_any_zone_and_in_whole_seconds():
    paris = timezone(timedelta(hours=1))
    label = make_label(owner="home", run="delta", deadline=datetime(2026, 11, 25, 13, 0, 0, 999_999, paris))

    assert label.deadline == datetime(2026, 11, 25, 12, tzinfo=UTC)
    assert label.name == "plexguard.home.delta.20261125T120000Z"


@pytest.mark.parametrize(
    "name",
    [
        "job",
        "plexguard.home.delta",
        "plexguard.home.delta.20261325T120000Z",
        "plexguard.home.de_lta.20261125T120000Z",
        "plexguard.home..20261125T120000Z",
        "xplexguard.home.delta.20261125T120000Z",
        "plexguard.home.delta.20261125T120000Z.",
    ],
)
def test_name_that_is_none_of_ours_is_no_label(name):
    assert read_label([], name) is None


def test_tags_of_another_suite_are_no_label():
    assert read_label(["suite=other", *LABEL.tags[1:]], "") is None
    assert read_label(LABEL.tags[:-1], "") is None
