"""The agenda: what is new, what waits, what is given up, and that nothing of it grows without end."""

import pytest

from plexguard.core.perms_request import Answer, Verdict
from plexguard.log_watch.decide import (
    MAX_REMEMBERED,
    MAX_TOLD,
    MAX_WAITING,
    MAX_WEAK_WAITING,
    Agenda,
    Case,
    judge_path,
    make_case,
    postpone,
)
from plexguard.log_watch.patterns import Complaint, Subject

NOW_S = 1000.0
REPEAT_S = 600.0


def case(path: str = "/srv/a.mkv", *, strong: bool = True, now_s: float = NOW_S) -> Case:
    return make_case(Complaint(pattern="open-denied", is_strong=strong, path=path), path, now_s)


def test_a_path_is_taken_once_and_again_after_a_while() -> None:
    agenda = Agenda(REPEAT_S)
    first = case()

    assert agenda.take(first, NOW_S)
    assert not agenda.take(first, NOW_S)
    agenda.replace(first, None)
    assert not agenda.take(first, NOW_S + REPEAT_S - 1)
    assert agenda.take(first, NOW_S + REPEAT_S)


def test_a_path_that_still_waits_is_not_taken_twice_however_long_it_waits() -> None:
    agenda = Agenda(REPEAT_S)
    agenda.take(case(), NOW_S)

    assert not agenda.take(case(), NOW_S + 10 * REPEAT_S)
    assert len(agenda.waiting) == 1


def test_parts_items_and_paths_are_different_cases() -> None:
    agenda = Agenda(REPEAT_S)
    complaints = [Complaint(pattern="x", subject=Subject(part=5)), Complaint(pattern="x", subject=Subject(item=5))]

    assert [agenda.take(make_case(one, "", NOW_S), NOW_S) for one in complaints] == [True, True]
    assert agenda.next(NOW_S, with_path=True) is None
    assert agenda.next(NOW_S, with_path=False) == make_case(complaints[0], "", NOW_S)


def test_the_strong_come_first_and_then_the_oldest() -> None:
    agenda = Agenda(REPEAT_S)
    for number, strong in enumerate([False, False, True, True]):
        agenda.take(case(f"/srv/{number}", strong=strong), NOW_S)

    order = []
    while (found := agenda.next(NOW_S, with_path=True)) is not None:
        order.append(found.path)
        agenda.replace(found, None)

    assert order == ["/srv/2", "/srv/3", "/srv/0", "/srv/1"]


def test_a_case_that_was_put_off_waits_for_its_turn() -> None:
    agenda = Agenda(REPEAT_S)
    agenda.take(case(), NOW_S)
    agenda.replace(case(), postpone(case(), Answer(verdict=Verdict.LATER, retry_s=30.0), NOW_S))

    assert agenda.next(NOW_S + 29, with_path=True) is None
    assert agenda.next(NOW_S + 30, with_path=True) is not None


def test_the_queue_is_bounded_what_does_not_fit_is_counted_and_may_come_again() -> None:
    agenda = Agenda(REPEAT_S)
    taken = [agenda.take(case(f"/srv/{number}"), NOW_S) for number in range(MAX_WAITING + 100)]

    assert (sum(taken), len(agenda.waiting), agenda.lost) == (MAX_WAITING, MAX_WAITING, 100)
    agenda.replace(case("/srv/0"), None)
    assert agenda.take(case(f"/srv/{MAX_WAITING + 1}"), NOW_S)


def test_weak_cases_leave_room_for_strong_ones() -> None:
    agenda = Agenda(REPEAT_S)
    for number in range(MAX_WAITING):
        agenda.take(case(f"/srv/{number}", strong=False), NOW_S)

    assert len(agenda.waiting) == MAX_WEAK_WAITING
    assert agenda.take(case("/srv/strong"), NOW_S)


def test_what_is_remembered_is_bounded() -> None:
    agenda = Agenda(REPEAT_S)
    for number in range(MAX_REMEMBERED * 2):
        agenda.remember(f"/srv/{number}", NOW_S)

    assert len(agenda._taken) == MAX_REMEMBERED
    assert agenda.is_new("/srv/0", NOW_S)
    assert not agenda.is_new(f"/srv/{MAX_REMEMBERED * 2 - 1}", NOW_S)


def test_the_journal_is_not_filled() -> None:
    agenda = Agenda(REPEAT_S)

    assert sum(agenda.may_tell(NOW_S) for _ in range(MAX_TOLD * 3)) == MAX_TOLD
    assert agenda.lost == MAX_TOLD * 2
    assert agenda.may_tell(NOW_S + REPEAT_S)


def test_silence_is_borne_with_growing_pauses_and_has_an_end() -> None:
    pauses, later, now_s = [], case(), NOW_S
    while (following := postpone(later, None, now_s)) is not None:
        pauses.append(following.due_s - now_s)
        later, now_s = following, following.due_s

    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_later_and_later_again_has_an_end() -> None:
    later: Case | None = case()
    now_s, count = NOW_S, 0
    while later is not None:
        later = postpone(later, Answer(verdict=Verdict.LATER, retry_s=900.0), now_s)
        now_s, count = now_s + 900, count + 1

    # Four times a quarter of an hour is an hour.
    assert count == 5


def test_later_at_once_is_no_loop() -> None:
    found = postpone(case(), Answer(verdict=Verdict.LATER, retry_s=0.0), NOW_S)

    assert found is not None
    assert found.due_s > NOW_S


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("/srv/media/a.mkv", True),
        ("/etc/shadow", True),  # whether it is below a root only the audit knows
        ("/srv/..a/b..", True),
        ("/srv/a\nb\udcff", True),
        ("/" + "x" * 4094, True),
        ("/" + "x" * 4095, False),
        ("/" + "é" * 2048, False),
        ("/srv/../etc/shadow", False),
        ("..", False),
        ("srv/a.mkv", False),
        ("-rf", False),
        ("", False),
        ("/srv/a\0b", False),
    ],
)
def test_judge_path(path: str, is_one: bool) -> None:
    assert (judge_path(path) == "") is is_one
