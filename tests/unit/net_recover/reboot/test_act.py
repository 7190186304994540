"""Counted and announced before it happens; taken back when it certainly did not."""

import os
from pathlib import Path

import pytest

from plexguard.core.errors import IoFailed
from plexguard.core.host import CommandFailed, CommandTimeout, Completed
from plexguard.core.state import StateFile
from plexguard.net_recover.decide import State
from plexguard.net_recover.history import Teller, open_history
from plexguard.net_recover.ladder import Problem
from plexguard.net_recover.observe import Watching
from plexguard.net_recover.reboot.act import COMMAND, reboot, refuse
from plexguard.net_recover.reboot.decide import Budget, Known, RebootObservation, Refuse
from plexguard.net_recover.states import Verdict
from tests.fakes.ports import FakeClock, FakeHost, FakeJournal

SEEN = RebootObservation(verdict=Verdict.NO_LINK, detail="eth0 has no carrier", watching=Watching.NOBODY, update="", inhibitors=())


class Bench:
    def __init__(self, folder: Path, answer: Completed | Exception) -> None:
        self.clock, self.journal = FakeClock(), FakeJournal()
        self.host = FakeHost({"systemctl": answer})
        self.file = StateFile(folder / "state.json", Budget, schema=1, journal=self.journal)
        self.teller = Teller(self.journal, open_history(folder), self.clock)
        problem = Problem(verdict=Verdict.NO_LINK, began=self.clock.moment(), gave_up=True)
        self.known = Known(checked=State(problem=problem), is_synchronised=True)

    def reboot(self, budget: Budget) -> int:
        return reboot(SEEN, self.known, budget, file=self.file, host=self.host, clock=self.clock, teller=self.teller)


OK = Completed(code=0, stdout="", stderr="")


def test_the_reboot_is_counted_with_its_notice_and_told_before_it_is_made(tmp_path: Path) -> None:
    seen: list[tuple[Budget | None, list[str]]] = []
    bench = Bench(tmp_path, OK)
    bench.host.answers["systemctl"] = lambda _argv: seen.append((bench.file.load(), list(bench.journal.names))) or OK  # type: ignore[func-returns-value]

    assert bench.reboot(Budget()) == 0

    ((budget, told),) = seen
    assert budget is not None and len(budget.reboots) == 1
    assert budget.notice is not None and "eth0 has no carrier" in budget.notice.reason
    assert told == ["reboot.rebooting"]


def test_inhibitors_are_respected_by_the_command_too() -> None:
    assert COMMAND[-2:] == ("reboot", "--check-inhibitors=yes")


def test_a_reboot_that_cannot_be_counted_does_not_happen(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "away", OK)

    with pytest.raises(IoFailed):
        bench.reboot(Budget())

    assert (bench.host.ran, bench.journal.names) == ([], [])


def test_a_reboot_that_was_forbidden_in_the_last_second_is_taken_back_and_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path, CommandFailed('Operation inhibited by "dpkg"'))

    assert bench.reboot(Budget()) == os.EX_TEMPFAIL

    assert bench.journal.names == ["reboot.rebooting", "reboot.refused"]
    budget = bench.file.load()
    assert budget is not None
    assert (budget.reboots, budget.notice) == ((), None)


def test_a_reboot_whose_answer_was_lost_stays_counted(tmp_path: Path) -> None:
    bench = Bench(tmp_path, CommandFailed("Call to Reboot failed: Connection timed out"))

    assert bench.reboot(Budget()) == os.EX_TEMPFAIL

    budget = bench.file.load()
    assert budget is not None
    assert len(budget.reboots) == 1
    assert budget.notice is not None


def test_a_reboot_of_which_nothing_is_heard_stays_counted(tmp_path: Path) -> None:
    bench = Bench(tmp_path, CommandTimeout("no end within 60 s"))

    with pytest.raises(CommandTimeout):
        bench.reboot(Budget())

    budget = bench.file.load()
    assert budget is not None and len(budget.reboots) == 1


def test_a_refusal_of_the_same_kind_is_told_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, OK)
    budget = Budget()
    for refusal in (Refuse("streams", "a"), Refuse("streams", "b"), Refuse("budget", "c"), Refuse("streams", "d")):
        assert refuse(refusal, budget, file=bench.file, teller=bench.teller) == os.EX_TEMPFAIL
        budget = bench.file.load() or Budget()

    assert [values["reason"] for _, values in bench.journal.sent] == ["a", "c", "d"]


def test_a_refusal_for_good_has_another_exit_code(tmp_path: Path) -> None:
    bench = Bench(tmp_path, OK)

    assert refuse(Refuse("switched-off", "x", passing=False), Budget(), file=bench.file, teller=bench.teller) == os.EX_UNAVAILABLE
