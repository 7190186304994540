"""A burst is told as one: first singly, then in sums, and with what its files have in common."""

import pytest

from plexguard.core.events import Mode
from plexguard.perms_audit import events
from plexguard.perms_audit.access import Ownership
from plexguard.perms_audit.decide import Finding, Repair
from plexguard.perms_audit.report import SINGLE, Report, carry, keep_left, put_words, tell_ended
from tests.fakes.ports import FakeJournal

ROOT = "/srv/media"


def repair(path: str, *, mode: int = 0o000, uid: int = 99_000, is_folder: bool = False, denied: bool = True) -> Repair:
    finding = Finding(0, path, is_folder, Ownership(mode, uid, uid), denied, 1, 1, 1)
    return Repair(finding, Mode(0o755 if is_folder else 0o644), "no r for others")


def tell(*steps: Repair, dry: bool = False) -> FakeJournal:
    journal = FakeJournal()
    report = Report(journal, run="20260301T120000-abcd")
    for step in steps:
        report.tell(step, f"{ROOT}/{step.finding.path}", root=ROOT, dry=dry)
    report.flush()
    return journal


def sums(journal: FakeJournal) -> dict[object, object]:
    return {values["folder"]: values["count"] for event, values in journal.sent if event.name == "perms.repaired-many"}


def test_a_few_repairs_are_told_one_by_one() -> None:
    journal = tell(*(repair(f"{number}.mkv", uid=number) for number in range(SINGLE)))

    assert journal.names == ["perms.repaired"] * SINGLE


def test_a_burst_is_told_singly_at_first_and_then_summed_up_by_folder() -> None:
    journal = tell(*(repair(f"Show {number % 4}/{number}.mkv", uid=number) for number in range(1320)))

    assert journal.names.count("perms.repaired") == SINGLE
    assert len(journal.names) == SINGLE + 4
    assert sum(int(str(count)) for count in sums(journal).values()) == 1320 - SINGLE
    assert set(sums(journal)) == {f"{ROOT}/Show {number}" for number in range(4)}


def test_sums_of_too_many_folders_are_one_sum() -> None:
    journal = tell(*(repair(f"Show {number}/a.mkv", uid=number) for number in range(200)))

    assert sums(journal) == {ROOT: 200 - SINGLE}


def test_files_of_one_owner_with_one_mode_have_one_cause_that_is_named() -> None:
    journal = tell(*(repair(f"{number}.mkv", mode=0o600) for number in range(12)))

    assert journal.values("perms.one-cause") == {
        "count": 12,
        "owner": "99000",
        "mode": 0o600,
        "umask": 0o066,
        "path": f"{ROOT}/0.mkv",
    }


def test_a_umask_of_777_is_named_as_what_takes_every_bit_away() -> None:
    journal = tell(*(repair(f"{number}.mkv", mode=0o000) for number in range(12)))

    assert journal.values("perms.one-cause")["umask"] == 0o666


def test_few_files_several_owners_folders_and_owners_alone_are_no_one_cause() -> None:
    few = [repair(f"{number}.mkv", mode=0o600) for number in range(9)]
    several = [repair(f"{number}.mkv", mode=0o600, uid=number) for number in range(20)]
    folders = [repair(f"{number}", mode=0o700, is_folder=True) for number in range(20)]
    owners = [repair(f"{number}.mkv", mode=0o640, denied=False) for number in range(20)]

    for steps in (few, several, folders, owners):
        assert "perms.one-cause" not in tell(*steps).names


def test_a_dry_run_is_told_in_full() -> None:
    journal = tell(*(repair(f"{number}.mkv", uid=number) for number in range(200)), dry=True)

    assert journal.names == ["perms.found"] * 200


def test_after_a_flush_it_begins_anew() -> None:
    journal = FakeJournal()
    report = Report(journal, run="", single=2)
    for _ in range(2):
        for number in range(3):
            report.tell(repair(f"{number}.mkv", uid=number), f"{ROOT}/{number}.mkv", root=ROOT)
        report.flush()
    report.flush()

    assert journal.names == ["perms.repaired", "perms.repaired", "perms.repaired-many"] * 2


# -- what lasts -------------------------------------------------------------------------------------------------------

FAULT = put_words(events.ROOT_FAULT, "/srv/a: b", "MISSING")
OTHER_FAULT = put_words(events.ROOT_FAULT, "/srv/a: b", "EMPTY")
BLOCKED = put_words(events.BLOCKED, "/srv/a: b", "/srv: x")
READ_ONLY = put_words(events.READ_ONLY, "/srv/a: b")
LEFT = put_words(events.NOT_REPAIRED, "/srv/a: b", "is a set-id file: no media")
UNSEEN = put_words(events.UNSEEN, "/srv/a: b", "Input/output error")


@pytest.mark.parametrize(
    ("before", "name"),
    [(FAULT, "perms.root-well"), (BLOCKED, "perms.unblocked"), (READ_ONLY, "perms.writable")],
    ids=["fault", "blocked", "read-only"],
)
def test_what_lasted_and_is_over_is_told_for_its_root(before: str, name: str) -> None:
    journal = FakeJournal()

    tell_ended({before: 1, put_words(events.NO_MEDIA, "/srv/a: b", "x"): 2}, {}, (), journal)

    assert journal.names == [name]
    assert journal.values(name) == {"root": "/srv/a: b"}


@pytest.mark.parametrize(
    ("before", "now", "faulty"),
    [
        ((FAULT,), (FAULT,), "/srv/a: b"),
        ((FAULT,), (OTHER_FAULT,), "/srv/a: b"),
        ((READ_ONLY, BLOCKED), (FAULT,), "/srv/a: b"),
        ((READ_ONLY, BLOCKED, LEFT), (), "/srv"),
        ((FAULT,), (), "/srv/a: b"),
        ((), (FAULT,), "/srv/a: b"),
    ],
    ids=["lasts", "another fault", "nothing is known of it", "it lies in what has a fault", "left out", "begins"],
)
def test_what_lasts_or_is_not_known_is_not_told_as_over(before: tuple[str, ...], now: tuple[str, ...], faulty: str) -> None:
    journal = FakeJournal()

    tell_ended(dict.fromkeys(before, 1), dict.fromkeys(now, 1), (faulty,), journal)

    assert journal.names == []


@pytest.mark.parametrize(("words", "reason"), [(LEFT, "is a set-id file: no media"), (UNSEEN, "Input/output error")])
def test_a_cause_that_is_over_is_told_with_its_reason(words: str, reason: str) -> None:
    journal = FakeJournal()

    tell_ended({words: 3, BLOCKED: 1}, {BLOCKED: 1}, (), journal)
    tell_ended({words: 3}, {words: 1}, (), journal)
    tell_ended({words: 3}, {FAULT: 1}, ("/srv/a: b",), journal)

    assert journal.names == ["perms.settled"]
    assert journal.values("perms.settled") == {"root": "/srv/a: b", "reason": reason}


def test_what_was_not_repaired_is_kept_until_a_full_audit_finds_none() -> None:
    assert keep_left({}, {LEFT: 2, UNSEEN: 1}, (), recent=True) == {LEFT: 2}
    assert keep_left({LEFT: 2}, {}, (), recent=True) == {LEFT: 2}
    assert keep_left({LEFT: 2}, {FAULT: 1}, ("/srv/a: b",), recent=False) == {LEFT: 2}
    assert keep_left({LEFT: 2}, {LEFT: 3}, (), recent=False) == {LEFT: 3}
    assert keep_left({LEFT: 2}, {UNSEEN: 1}, (), recent=False) == {}


def test_the_fault_of_a_library_on_a_mount_that_fails_ends_when_it_is_seen_again() -> None:
    journal = FakeJournal()

    out = carry({FAULT: 1}, {}, ("/srv",))
    tell_ended({FAULT: 1}, out, ("/srv",), journal)
    tell_ended(out, carry(out, {}, ()), (), journal)

    assert journal.names == ["perms.root-well"]


def test_what_was_told_of_a_root_is_carried_over_an_outage_and_then_ends() -> None:
    journal = FakeJournal()

    out = carry({BLOCKED: 1, UNSEEN: 2, FAULT: 1}, {OTHER_FAULT: 1}, ("/srv/a: b",))
    back = carry(out, {}, ())
    tell_ended(out, back, (), journal)

    assert out == {BLOCKED: 1, UNSEEN: 2, OTHER_FAULT: 1}
    assert back == {}
    assert sorted(journal.names) == ["perms.root-well", "perms.settled", "perms.unblocked"]
