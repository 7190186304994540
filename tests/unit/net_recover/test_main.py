"""The command: what it keeps, what it tells after a boot, and what only a person asks of it."""

import dataclasses
import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from plexguard.core.clock import Moment
from plexguard.core.errors import IoFailed
from plexguard.core.found import FoundPlex, Server
from plexguard.core.program import Ports
from plexguard.core.published import RebootSeen
from plexguard.core.state import StateFile
from plexguard.net_recover import __main__ as command
from plexguard.net_recover.config import Config
from plexguard.net_recover.decide import State
from plexguard.net_recover.history import Record, open_history
from plexguard.net_recover.ladder import Problem
from plexguard.net_recover.reboot.decide import Budget, Notice
from plexguard.net_recover.states import Verdict
from tests.fakes.ports import FakeJournal, FakeNotifier
from tests.unit.net_recover.world import World, WorldHost, WorldManager


class Installed:
    """The program with its folders below a temporary one, and the world's network."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.world = World()
        self.journal = FakeJournal()
        self.notifier = FakeNotifier()
        for name in ("net-recover", "reboot"):
            (root / name).mkdir()
        ports = Ports(
            journal=self.journal,
            clock=self.world.clock,
            host=WorldHost(self.world),
            manager=WorldManager(self.world),
            notifier=self.notifier,
        )
        monkeypatch.setattr(command, "STATE_ROOT", root)
        monkeypatch.setattr(command, "SystemNetwork", lambda: self.world)
        monkeypatch.setattr(command, "read_plex", lambda _journal: FoundPlex(server=Server.NONE))
        monkeypatch.setattr(command, "state_directory", lambda name: root / name)
        monkeypatch.setattr(command, "runtime_directory", lambda name: root / "run" / name)
        monkeypatch.setattr(command, "read_all", lambda: read_all_of(root))
        monkeypatch.setattr(command.program, "open_ports", lambda _name: ports)
        monkeypatch.setattr(command.program, "load_config", lambda _path, section: self.configs.get(section) or section())
        self.configs: dict[type, object] = {Config: Config(grace=timedelta(0))}

    def run(self, *arguments: str) -> int:
        return int(command.cli.main(list(arguments), prog_name="plexguard-net-recover", standalone_mode=False) or 0)

    @property
    def state(self) -> State:
        return StateFile(self.root / "net-recover/state.json", State, schema=1, journal=self.journal).load() or State()

    def save_budget(self, budget: Budget) -> None:
        StateFile(self.root / "reboot/state.json", Budget, schema=1, journal=self.journal).save(budget)

    def load_budget(self) -> Budget | None:
        return StateFile(self.root / "reboot/state.json", Budget, schema=1, journal=self.journal).load()


def read_all_of(root: Path) -> tuple[Record, ...]:
    from plexguard.net_recover.history import read_all

    return read_all(root)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    return Installed(tmp_path, monkeypatch)


def test_a_check_that_finds_all_well_keeps_its_state_and_shows_its_status(installed: Installed) -> None:
    assert installed.run() == 0

    assert installed.state.verdict is Verdict.ONLINE
    assert installed.journal.names == []
    ((status,),) = installed.notifier.told
    assert status.startswith("STATUS=Network: online (1.1.1.1 answers in 10 ms (icmp)")


@pytest.mark.parametrize(("fault", "code"), [("gateway", 1), ("upstream", 1), ("dns", 1)])
def test_a_loss_is_an_exit_code(installed: Installed, fault: str, code: int) -> None:
    installed.world.break_down(fault)

    assert installed.run() == code


def test_a_dry_run_changes_nothing(installed: Installed, capsys: pytest.CaptureFixture[str]) -> None:
    installed.run()
    before = {path: path.read_bytes() for path in installed.root.rglob("*") if path.is_file()}
    installed.world.break_down("gateway")

    assert installed.run("--dry-run") == 1

    assert {path: path.read_bytes() for path in installed.root.rglob("*") if path.is_file()} == before
    assert (installed.world.steps, installed.journal.names) == ([], [])
    assert "step             soft reset" in capsys.readouterr().out


def test_a_dry_run_for_programs_is_json(installed: Installed, capsys: pytest.CaptureFixture[str]) -> None:
    assert installed.run("--dry-run", "--format", "json") == 0

    assert json.loads(capsys.readouterr().out)["verdict"] == "online"


def test_the_history_is_what_was_told(installed: Installed, capsys: pytest.CaptureFixture[str]) -> None:
    installed.run()
    installed.world.break_down("upstream")
    installed.run()
    capsys.readouterr()

    assert installed.run("history") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines] == ["net.lost", "net.left-alone"]
    for arguments in (["history", "--format", "json"], ["--format", "json", "history"]):
        installed.run(*arguments)
        assert [row["event"] for row in json.loads(capsys.readouterr().out)] == ["net.lost", "net.left-alone"]


# -- after a reboot ---------------------------------------------------------------------------------------------------


def leave(installed: Installed) -> Moment:
    now = installed.world.clock.moment()
    installed.save_budget(Budget(reboots=(RebootSeen(at=now, is_dated=True),), notice=Notice(at=now, reason="no-gateway: x")))
    return now


@pytest.mark.parametrize(("fault", "verdict"), [("", "back"), ("upstream", "still lost")])
def test_the_end_of_a_reboot_is_told_once_in_the_first_check_after_it(installed: Installed, fault: str, verdict: str) -> None:
    installed.run()
    leave(installed)
    installed.world.clock.reboot(down_s=45.0)
    installed.world.clock.pass_time(120.0)
    installed.world.break_down(fault)

    installed.run()
    installed.run()

    assert installed.journal.names.count("reboot.done") == 1
    values = next(values for event, values in installed.journal.sent if event.name == "reboot.done")
    assert values["verdict"] == verdict
    assert float(str(values["away_s"])) == pytest.approx(45.0, abs=60.0)


def test_a_notice_of_this_very_boot_is_not_told(installed: Installed) -> None:
    installed.run()
    leave(installed)

    installed.run()

    assert installed.journal.names == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 7}'])
def test_a_budget_that_cannot_be_read_stops_no_check(installed: Installed, text: str) -> None:
    (installed.root / "reboot/state.json").write_text(text)

    assert installed.run() == 0


# -- by hand ----------------------------------------------------------------------------------------------------------


def test_the_budgets_are_reset_by_hand_and_that_is_told(installed: Installed) -> None:
    installed.run()
    now = leave(installed)
    folder = installed.root / "net-recover"
    problem = Problem(verdict=Verdict.NO_GATEWAY, began=now, round=3, round_ended=now, gave_up=True, reboot_asked=now)
    state = dataclasses.replace(installed.state, problem=problem, rounds=(now, now, now))
    StateFile(folder / "state.json", State, schema=1, journal=installed.journal).save(state)

    assert installed.run("--reset-budget") == 0

    budget, fresh = installed.load_budget(), installed.state
    assert budget is not None
    assert budget.reboots == ()
    assert fresh.rounds == ()
    assert fresh.problem is not None
    assert (fresh.problem.round, fresh.problem.gave_up) == (0, False)
    assert installed.journal.names == ["net.budget-reset"]
    assert [record.event for record in open_history(folder).read()] == ["net.budget-reset"]


def test_the_budgets_are_reset_where_no_reboot_was_ever_asked_for(installed: Installed) -> None:
    installed.run()
    # Its unit makes this folder, when it is started for the first time.
    (installed.root / "reboot").rmdir()

    assert installed.run("--reset-budget") == 0

    assert installed.journal.names == ["net.budget-reset"]


def test_a_reboot_that_nobody_asked_for_is_refused_and_nothing_is_looked_at(installed: Installed) -> None:
    assert installed.run("reboot") == os.EX_UNAVAILABLE

    assert installed.journal.values("reboot.refused")["reason"] == "reboot = false in [net-recover]"
    assert installed.world.steps == ["timedatectl show --property=NTPSynchronized --value"]


def test_a_check_that_is_at_work_is_not_joined(installed: Installed) -> None:
    from plexguard.core.errors import TryAgain
    from plexguard.core.state import exclusive_lock

    installed.run()
    with exclusive_lock(installed.root / "run/net-recover/lock"), pytest.raises(TryAgain):
        installed.run()


def test_a_budget_that_cannot_be_read_does_not_count_as_none(installed: Installed) -> None:
    installed.configs[Config] = Config(reboot=True)
    installed.run()
    now = installed.world.clock.moment()
    problem = Problem(verdict=Verdict.NO_GATEWAY, began=now, gave_up=True)
    state = dataclasses.replace(installed.state, problem=problem)
    StateFile(installed.root / "net-recover/state.json", State, schema=1, journal=installed.journal).save(state)
    (installed.root / "reboot/state.json").write_text("{")

    assert installed.run("reboot") == os.EX_TEMPFAIL

    assert "the budget is spent" in str(installed.journal.values("reboot.refused")["reason"])


def test_a_loss_that_cannot_be_saved_is_told_once_and_so_is_the_disk(installed: Installed) -> None:
    installed.run()
    installed.world.break_down("gateway")
    # As little as a full disk it takes a new state.
    obstacle = installed.root / f"net-recover/.state.json.{os.getpid()}"
    obstacle.mkdir()

    with pytest.raises(IoFailed):
        installed.run()
    codes = {installed.run() for _ in range(5)}

    assert codes == {1}
    assert installed.journal.names == ["net.lost", "net.put-off"]
    obstacle.rmdir()
    installed.run()
    assert "net.step" in installed.journal.names and installed.world.steps
    assert not (installed.root / "run/net-recover/state.json").exists()
