"""The commands as a person runs them, with a fake of Scaleway: what they print, and their exit codes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from plexguard.cloud_run import __main__ as cloud_run
from plexguard.cloud_run.life import runs
from plexguard.cloud_run.rent.acquire import acquire
from plexguard.core import program
from plexguard.core.program import run
from tests.fakes.ports import FakeJournal
from tests.fakes.scaleway import FakeScaleway, Timing
from tests.integration.cloud_run.child import OWNER, PROJECT, OneUnit, QuickClock, make_lease, make_order, make_world

NO_MEDIA = 'media = ""\n'


@pytest.fixture
def cloud() -> Iterator[FakeScaleway]:
    with FakeScaleway(timing=Timing.none()) as cloud:
        yield cloud


class Bench:
    """A machine with a configuration, a key and a run named delta."""

    def __init__(self, folder: Path, cloud: FakeScaleway, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.cloud = folder, cloud
        self.config = folder / "plexguard.toml"
        self.runs = folder / "runs"
        self.state = folder / "state"
        self.unit = OneUnit("inactive")
        self.runs.mkdir()
        (folder / "credentials").mkdir()
        self.write_key(cloud.secret_key)
        self.write(f'provider = "scaleway"\nproject = "{PROJECT}"\nowner = "{OWNER}"\napi = "{cloud.url}"\n')
        self.write_run("")
        monkeypatch.setenv("STATE_DIRECTORY", str(self.state))
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder / "credentials"))
        monkeypatch.delenv("JOURNAL_STREAM", raising=False)
        for function in (runs.read_run, runs.find_runs, runs.keep_run):
            monkeypatch.setitem(function.__kwdefaults__, "folder", self.runs)
        real = program.open_ports
        monkeypatch.setattr(program, "open_ports", lambda name: replace(real(name), manager=self.unit, clock=QuickClock()))

    def write(self, text: str) -> None:
        self.config.write_text(f"[cloud-run]\n{text}")

    def write_run(self, text: str, *, media: str = NO_MEDIA) -> None:
        (self.runs / "delta.toml").write_text(media + text)

    def write_key(self, key: str) -> None:
        (self.folder / "credentials/scaleway.secret-key").write_text(key + "\n")

    def __call__(self, *arguments: str) -> int:
        return run("cloud-run", cloud_run.cli, ["--config", str(self.config), *arguments])

    def rent(self, *, type_name: str = "GP1-S", **lease: object) -> None:
        world = make_world(self.cloud.url, self.state, active_state="active", journal=FakeJournal())
        made = replace(make_lease(datetime.now(UTC)), **lease)
        acquire(world.provider, world.leases, made, make_order(made, type_name), world.journal)


@pytest.fixture
def bench(tmp_path: Path, cloud: FakeScaleway, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, cloud, monkeypatch)


def test_runs_are_named(bench, capsys):
    assert bench() == 0
    assert capsys.readouterr().out == "delta\n"


def test_plan_tells_the_machine_and_what_it_costs_and_rents_nothing(bench, cloud, capsys):
    assert bench("plan", "delta") == 0

    out, err = capsys.readouterr()
    rows = dict(line.split(None, 1) for line in out.splitlines())
    assert rows["machine"] == "GP1-S in fr-par-1, from scaleway: 8 processors, 32G of memory, 100 GB of local disk"
    assert rows["container"] == "24G of memory, 2G of swap, 8 processors"
    assert rows["cost"].startswith("19.12 EUR at the most, without tax: 96 h of machine 18.31")
    assert err == ""
    assert cloud.left() == [] and {request.method for request in cloud.requests} == {"GET"}


def test_plan_that_is_too_dear_is_told(bench, capsys):
    bench.write_run('instance = "superpower"\n')

    assert bench("plan", "delta") == 1

    assert "20.00 EUR, which is less: this run would not begin" in capsys.readouterr().out


def test_plan_tells_what_stands_in_and_what_was_lowered(bench, cloud, capsys):
    cloud.set(out_of_stock=("GP1-S",))
    bench.write_run('memory = "64G"\nmax_cost = 100\n')

    assert bench("plan", "--format", "json", "delta") == 0

    out, err = capsys.readouterr()
    assert json.loads(out)["machine"]["offer"]["type"] == "PRO2-S"
    assert "<5>delta gets a PRO2-S in fr-par-1: no GP1-S can be had\n" in err
    assert "<5>Plex's container of delta gets 31.5G of memory and 8 processors: PRO2-S has no room for 64G" in err


def test_plan_for_this_machine_costs_nothing(bench, capsys):
    bench.write('provider = "local"\n')

    assert bench("plan", "delta") == 0

    assert "0.00 EUR at the most" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("plan", "full"), 66, "there is no such run"),
        (("plan", "Delta"), 64, "is no name of a run"),
        (("destroy", "../x"), 64, "is no name of a run"),
    ],
)
def test_run_that_is_none_is_told(arguments, code, told, bench, capsys):
    assert bench(*arguments) == code
    assert told in capsys.readouterr().err


def test_mistakes_of_a_run_are_told_all_at_once(bench, capsys):
    bench.write_run('instance = "huge"\nlimit = 3\n')

    assert bench("plan", "delta") == 78

    assert len(capsys.readouterr().err.splitlines()) == 2


def test_wrong_key_is_told_and_is_not_shown(bench, cloud, capsys):
    bench.write_key("00000000-aaaa-4000-8000-00000000beef")

    assert bench("plan", "delta") == 77
    assert bench("orphans") == 69

    out, err = capsys.readouterr()
    assert "scaleway.secret-key" in err
    assert "beef" not in out + err


@pytest.mark.parametrize("command", [("orphans",), ("cost",), ("plan", "delta"), ("destroy", "delta")])
def test_without_a_provider_commands_say_so_in_a_line(command, bench, capsys):
    bench.write("")

    assert bench(*command) == 78

    (line,) = capsys.readouterr().err.splitlines()
    assert "The cloud is not configured" in line


def test_without_a_provider_the_reaper_says_so_in_a_line_and_is_done(bench, capsys):
    bench.write("")

    assert bench("reaper") == 0

    out, err = capsys.readouterr()
    assert (len(out.splitlines()), err) == (1, "")


def test_without_a_provider_a_lease_is_not_passed_over(bench, cloud, capsys):
    bench.rent()
    bench.write("")

    assert bench("reaper") == 78

    assert "something may be rented for delta" in capsys.readouterr().err


def test_orphans_tells_what_is_held_by_whom_and_what_is_not(bench, cloud, capsys):
    assert bench("orphans") == 0
    assert capsys.readouterr().out == "nothing is rented\n"
    bench.rent()

    bench.unit.active_state = "active"
    assert bench("orphans") == 0
    held = capsys.readouterr().out.splitlines()
    bench.unit.active_state = "failed"
    assert bench("orphans", "--format", "json") == 1
    found = json.loads(capsys.readouterr().out)

    assert held[0].startswith("held     server ") and held[0].endswith("delta: plexguard-test@delta.service is active")
    assert found["orphans"][0]["kind"] == "server" and found["held"] == []


def test_cost_tells_what_is_rented_now_and_what_was(bench, cloud, capsys):
    assert bench("cost") == 0
    assert capsys.readouterr().out == "nothing was rented yet\n"
    bench.rent()
    cloud.pass_time(3 * 3600 + 60)

    assert bench("cost") == 0
    running = capsys.readouterr().out
    assert bench("reaper") == 0
    capsys.readouterr()
    assert bench("cost", "--format", "json") == 0
    past = json.loads(capsys.readouterr().out)

    assert running.startswith("running ") and "GP1-S in fr-par-1  3.0 h  0.7" in running
    assert (past["running"], past["past"][0]["run"]) == ([], "delta")


def test_destroy_gives_back_a_machine_that_is_kept_and_nothing_of_another_run(bench, cloud, capsys):
    bench.rent(keep=True)
    bench.rent(run="full", keep=True)

    assert bench("destroy", "delta") == 0

    assert [left.name.split(".")[2] for left in cloud.left() if left.kind == "server"] == ["full"]
    assert "All that was rented for delta in fr-par-1 is given back" in capsys.readouterr().err
    assert bench("destroy", "delta") == 0
    assert capsys.readouterr().out == "nothing is rented for delta\n"


def test_destroy_leaves_to_a_unit_what_that_holds(bench, cloud, capsys):
    bench.rent()
    bench.unit.active_state = "active"

    assert bench("destroy", "delta") == 75

    assert "systemctl stop plexguard-cloud-run@delta.service" in capsys.readouterr().err
    assert cloud.left()


def test_plan_of_a_run_asks_little(bench, cloud):
    bench("plan", "delta")
    # Two pages of types, and two of which are free.
    assert len(cloud.requests) == 4
