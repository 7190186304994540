"""What an archive would take away is known before Plex is stopped for it."""

import pytest

from plexguard.db_export.apply.judge import WouldLose, compare, refuse_loss, refuse_missing
from plexguard.db_export.database.libraries import Kind, LibraryCount
from plexguard.db_export.paths.observe import Place
from plexguard.db_export.paths.survey import Seen


def count(title: str, items: int, section: int = 1) -> LibraryCount:
    return LibraryCount(section=section, title=title, kind=Kind.MOVIE, items=items)


def test_libraries_are_compared_by_their_titles():
    changes = compare([count("Films", 100), count("Music", 5)], [count("Shows", 7, 3), count("Films", 112, 9)])

    assert list(map(str, changes)) == ["Films 100 → 112 (+12)", "Music 5 → none (-5)", "Shows none → 7 (+7)"]


@pytest.mark.parametrize(("after", "is_refused"), [(112, False), (100, False), (95, False), (94, True), (0, True)])
def test_library_that_has_shrunk_too_much_is_refused(after, is_refused):
    changes = compare([count("Films", 100)], [count("Films", after)])

    if is_refused:
        with pytest.raises(WouldLose, match="Films 100"):
            refuse_loss(changes, most_percent=5)
    else:
        refuse_loss(changes, most_percent=5)


def test_library_that_would_be_gone_is_refused_however_empty_it_is():
    for items in (0, 3):
        with pytest.raises(WouldLose, match="Own"):
            refuse_loss(compare([count("Own", items)], []), most_percent=100)


def seen(title: str, *, total: int, missing: int = 0, untold: int = 0) -> Seen:
    found = Seen(place=Place(section=1, title=title, root="/Media"), here="/Media", total=total, checked=total - untold)
    found.missing["/Media"] = tuple(map(str, range(missing)))
    found.untold["it hangs"] = untold
    return found


@pytest.mark.parametrize(
    ("missing", "untold", "is_refused"), [(0, 0, False), (10, 0, False), (11, 0, True), (0, 11, True), (5, 6, True)]
)
def test_files_that_are_not_there_or_cannot_be_told_are_refused(missing, untold, is_refused):
    found = [seen("Films", total=60), seen("Films", total=40, missing=missing, untold=untold)]

    if is_refused:
        with pytest.raises(WouldLose, match=r"Films: 89 of 100"):
            refuse_missing(found, least_percent=90)
    else:
        refuse_missing(found, least_percent=90)


def test_library_without_files_has_none_missing():
    refuse_missing([seen("Films", total=0)], least_percent=90)
