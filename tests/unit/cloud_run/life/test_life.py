"""The life of a run, without a machine: what each phase notes, how an end is told apart, what a boot leaves to be taken up."""

from dataclasses import replace
from datetime import timedelta

import pytest

from plexguard.cloud_run.commands import phase as phases
from plexguard.cloud_run.commands import resume, status
from plexguard.cloud_run.commands.logs import make_argv
from plexguard.cloud_run.config import Config
from plexguard.cloud_run.life import progress, runs
from plexguard.cloud_run.life.chain import PHASES, phase_unit, run_unit
from plexguard.cloud_run.life.run_file import RunFile
from plexguard.cloud_run.life.state import DONE, FAILED
from plexguard.cloud_run.phases.settle import settle
from plexguard.cloud_run.rent.lease import Leases
from plexguard.cloud_run.there.jobs import JobGone
from plexguard.core.errors import PeerError, TryAgain
from plexguard.core.host import Completed
from plexguard.core.manager import SystemdManager, Unit
from plexguard.core.program import Ports
from plexguard.core.ssh import ConnectionLost
from tests.fakes.ports import BEGIN, FakeClock, FakeHost, FakeJournal, FakeManager, FakeNotifier
from tests.unit.cloud_run.samples import DEADLINE, LEASE

LOCAL = Config(provider="local", owner="home")
FIRST = phase_unit(PHASES[0], "delta")


@pytest.fixture
def ports(tmp_path, monkeypatch):
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/delta.toml").write_text("")
    for function in (runs.read_run, runs.find_runs, runs.keep_run):
        monkeypatch.setitem(function.__kwdefaults__, "folder", tmp_path / "runs")
    host = FakeHost(
        answers={
            "nproc": Completed(code=0, stdout="4\n", stderr=""),
            "cat /proc/meminfo": Completed(code=0, stdout="MemTotal: 8000000 kB\n", stderr=""),
            "uname": Completed(code=0, stdout="Linux\n", stderr=""),
        }
    )
    return Ports(journal=FakeJournal(), clock=FakeClock(), host=host, manager=FakeManager(), notifier=FakeNotifier())


@pytest.fixture
def work(ports):
    return phases.open_work(LOCAL, ports, "delta", RunFile())


@pytest.fixture
def leases(ports, tmp_path):
    return Leases(tmp_path / "state", ports.journal)


def go_through(work, *, until=None):
    """Do the phases up to one, which is begun alone."""
    work.book.open(deadline=DEADLINE)
    for phase in PHASES:
        work.book.begin(phase)
        if phase == "instance":
            work.book.change(rented=work.ports.clock.now())
        if phase == until:
            return
        work.book.end(phase, is_done=phase in ("database", "scan"))


# -- what a phase notes -------------------------------------------------------------------------------------------------


def test_phase_is_refused_when_the_one_before_was_cut_off(work):
    go_through(work, until="mount")

    with pytest.raises(TryAgain, match="mount was cut off"):
        work.book.begin("database")
    with pytest.raises(TryAgain, match="mount was cut off"):
        work.book.refuse_gap()


def test_phase_is_refused_when_the_run_is_over_and_its_machine_is_held(work):
    go_through(work, until="scan")
    work.book.close(FAILED, failure="scan: x")

    with pytest.raises(TryAgain, match="it is over"):
        work.book.begin("mount")


def test_what_is_done_for_good_is_not_to_be_done_again(work):
    go_through(work, until="analyze")
    work.book.begin(PHASES[0])
    work.book.end(PHASES[0], is_done=False)

    begun = []
    for phase in PHASES[1:6]:
        begun.append(work.book.begin(phase))
        if begun[-1]:
            work.book.end(phase, is_done=False)

    assert begun == [True, True, False, True, False]


def test_cost_is_that_of_every_hour_begun_since_the_machine_was_asked_for(work, ports):
    go_through(work, until="instance")
    work.book.change(hourly_euros=0.25)
    ports.clock.pass_time(3601)
    work.tell("x")
    so_far = work.book.state.cost_euros
    work.book.close(DONE)
    ports.clock.pass_time(36_000)

    assert (so_far, work.book.change(line="y").cost_euros) == (0.5, 0.5)


def test_phase_that_fails_is_told_once_with_its_hint(ports, work):
    go_through(work, until="mount")

    assert phases.run(LOCAL, ports, "database", "delta") == 75

    assert ports.journal.names == ["cloud.run-failed"]
    assert work.book.state.failure == "database: mount was cut off before it was done"


@pytest.mark.parametrize(("lost", "code"), [(1, 0), (30, 0), (100_000, 69)])
def test_connection_that_is_lost_in_its_midst_ends_a_phase_only_when_that_lasts(ports, work, monkeypatch, lost, code):
    go_through(work, until="export")
    work.book.end("export", is_done=False)
    calls = []

    class Losing:
        def work(self, run):
            calls.append(run.name)
            if len(calls) <= lost:
                raise ConnectionLost("the connection to the machine is lost")

    monkeypatch.setattr(phases, "find_phase", lambda _name: Losing())

    assert phases.run(LOCAL, ports, "export", "delta") == code
    assert len(calls) == lost + 1 if code == 0 else len(calls) > 1000


def test_file_that_is_changed_changes_no_run_that_has_begun(ports, work, tmp_path):
    (tmp_path / "runs/delta.toml").write_text('monitoring = "local_quick"\n')
    assert phases.run(LOCAL, ports, "preflight", "delta") == 0
    (tmp_path / "runs/delta.toml").write_text("colour = 1\n")

    assert phases.run(LOCAL, ports, "instance", "delta") == 0
    assert runs.read_kept("delta", work.book.folder).monitoring == "local_quick"


def test_machine_that_was_booted_in_the_midst_is_set_up_again(ports, work, monkeypatch):
    done = []

    class Phase:
        def __init__(self, name):
            self.name = name

        def work(self, _work):
            done.append(self.name)
            if done == ["scan"]:
                raise JobGone("booted")

    monkeypatch.setattr(phases, "find_phase", Phase)
    go_through(work, until="scan")

    phases._work("scan", work)

    assert done == ["scan", "mount", "plex", "scan"]


# -- how it has ended ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("units", "phase", "failure"),
    [
        ({}, "stopped", ""),
        ({"scan": Unit(name="", result="oom-kill", started_s=5)}, "failed", "scan: the service manager ended it: oom-kill"),
        # It never came to say that it begins.
        (
            {"scan": Unit(name="", started_s=5), "analyze": Unit(name="", result="exit-code", started_s=6)},
            "failed",
            "analyze: the service manager ended it: exit-code",
        ),
        # Left of a run before.
        ({"scan": Unit(name="", started_s=5), "analyze": Unit(name="", result="exit-code", started_s=4)}, "stopped", ""),
    ],
)
def test_end_that_nobody_noted_is_told_by_the_units(work, ports, units, phase, failure):
    go_through(work, until="scan")
    ports.manager.units = {phase_unit(one, "delta"): replace(unit, name=phase_unit(one, "delta")) for one, unit in units.items()}

    settle(work)
    settle(work)

    assert (work.book.state.phase, work.book.state.failure) == (phase, failure)
    assert ports.journal.names == ["cloud.run-failed" if failure else "cloud.run-stopped"]


def test_run_goes_on_over_a_shutdown_and_where_the_manager_does_not_say(work, ports, monkeypatch):
    go_through(work, until="scan")
    ports.manager.stopping = True
    settle(work)

    def refuse():
        raise PeerError("no bus")

    monkeypatch.setattr(ports.manager, "is_stopping", refuse)
    settle(work)

    assert work.book.state.ended is None


@pytest.mark.parametrize("said", ["", "offline", "unknown"])
def test_manager_that_does_not_say_is_not_taken_for_one_that_runs(said):
    def ask(word):
        host = FakeHost(answers={"systemctl is-system-running": Completed(code=1, stdout=f"{word}\n", stderr="")})
        return SystemdManager(host).is_stopping()

    with pytest.raises(PeerError):
        ask(said)
    assert (ask("stopping"), ask("degraded")) == (True, False)


# -- after a boot -------------------------------------------------------------------------------------------------------


class Starting(FakeManager):
    """Starts what it is told to, at the given try."""

    def __init__(self, *, at_try=1):
        super().__init__()
        self.left = at_try
        self.started = []

    def start(self, name, *, timeout_s=None):
        self.left -= 1
        if self.left > 0:
            raise PeerError("no bus yet")
        self.started.append(name)
        self.units[FIRST] = Unit(name=FIRST, active_state="active")


def cut_off(work, leases, *, ended=False, keep=False):
    go_through(work, until="scan")
    if ended:
        work.book.close(DONE)
    leases.save(replace(LEASE, provider="local", zone="localhost", keep=keep, units=(run_unit("delta"),)))
    work.ports.clock.reboot()


@pytest.mark.parametrize("at_try", [1, 3])
def test_run_that_was_cut_off_is_started_again(work, ports, leases, at_try):
    cut_off(work, leases)
    manager = Starting(at_try=at_try)

    assert resume.run(LOCAL, replace(ports, manager=manager)) == 0
    assert manager.started == [run_unit("delta")] and leases.read("delta") is not None


def test_first_phase_takes_up_what_an_earlier_boot_has_rented(ports, work, leases):
    ports.clock.pass_time(0.25)  # what is rented knows whole seconds
    for phase in PHASES[:2]:
        assert phases.run(LOCAL, ports, phase, "delta") == 0
    ports.clock.reboot()

    assert phases.run(LOCAL, ports, PHASES[0], "delta") == 0

    assert "cloud.run-resumed" in ports.journal.names and work.book.state.resumed == 1
    assert leases.read("delta").lease.made.boot_id == ports.clock.boot_id


def test_run_whose_first_phase_fails_at_boot_is_given_back(work, ports, leases):
    cut_off(work, leases)
    manager = FakeManager(Unit(name=FIRST, active_state="failed"))

    assert resume.run(LOCAL, replace(ports, manager=manager)) == 1
    assert leases.read("delta") is None


def test_run_that_is_kept_is_taken_up_too(work, ports, leases):
    cut_off(work, leases, keep=True)
    manager = Starting()

    resume.run(LOCAL, replace(ports, manager=manager))

    assert manager.started == [run_unit("delta")]


@pytest.mark.parametrize(("keep", "is_left"), [(False, False), (True, True)])
def test_run_that_was_over_is_not_begun_again(work, ports, leases, keep, is_left):
    cut_off(work, leases, ended=True, keep=keep)
    manager = Starting()

    assert resume.run(LOCAL, replace(ports, manager=manager)) == 0
    assert manager.started == [] and (leases.read("delta") is not None) is is_left


def test_run_that_cannot_be_started_is_given_back(work, ports, leases):
    cut_off(work, leases)

    assert resume.run(LOCAL, replace(ports, manager=Starting(at_try=99))) == 1
    assert leases.read("delta") is None


# -- how far it is ------------------------------------------------------------------------------------------------------


def test_line_of_a_run_says_where_it_is_and_what_it_costs(work):
    go_through(work, until="scan")
    work.book.change(hourly_euros=0.25)
    work.tell("Films", done=3, total=9)

    going = progress.make_progress("delta", work.book.state, is_active=True, now=BEGIN + timedelta(hours=1, minutes=1))
    cut = progress.make_progress("delta", work.book.state, is_active=False, now=BEGIN)

    assert progress.show(going).startswith("delta: scan since 2026-03-01 ") and "3 of 9, Films, 0.50 EUR so far" in progress.show(
        going
    )
    assert "cut off" in progress.show(cut) and "cut off" not in progress.show(going)
    work.book.close(DONE)
    kept = progress.make_progress("delta", work.book.state, is_active=True, has_machine=True, now=BEGIN)
    assert "0.25 EUR, and 0.25 an hour for its machine until 2026-03-05" in progress.show(kept)
    assert progress.show(progress.make_progress("delta", None, is_active=False, now=BEGIN)) == "delta: was never begun"


@pytest.mark.parametrize(("outcome", "code"), [(DONE, 0), (FAILED, 1)])
def test_watch_ends_with_the_run(work, ports, capsys, monkeypatch, outcome, code):
    go_through(work, until="scan")
    ports.manager.units = {FIRST: Unit(name=FIRST, active_state="active")}
    ticks = iter([lambda: None, lambda: work.tell("Films"), lambda: work.book.close(outcome)])
    monkeypatch.setattr(ports.clock, "sleep", lambda seconds: next(ticks)())

    assert status.follow(ports, "delta") == code
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and "Films" in lines[1] and lines[2].startswith(f"delta: {outcome}")


def test_watch_ends_when_nothing_of_the_run_is_active_for_a_while(work, ports, capsys):
    go_through(work, until="scan")

    assert status.follow(ports, "delta") == 1
    assert "cut off" in capsys.readouterr().out and len(ports.clock.slept) == 4


def test_watch_waits_for_a_run_that_is_just_beginning(work, ports, capsys, monkeypatch):
    go_through(work, until="scan")
    work.book.close(DONE)
    ports.manager.units = {FIRST: Unit(name=FIRST, active_state="activating")}
    monkeypatch.setattr(ports.clock, "sleep", lambda seconds: ports.manager.units.clear())

    assert status.follow(ports, "delta") == 0
    assert capsys.readouterr().out.startswith("delta: done")


def test_logs_are_those_of_the_units_of_a_run():
    assert make_argv("delta", follow=True) == ["journalctl", "--unit=plexguard-cloud-*@delta.service", "--follow"]
