"""What is rented is given back though the disk is full, a file is wrong or a call is refused; and what is paid for is not thrown away."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from plexguard.cloud_run.commands import resume
from plexguard.cloud_run.life.run_file import RunFile
from plexguard.cloud_run.life.state import Book
from plexguard.cloud_run.phases import preflight
from plexguard.cloud_run.phases.work import Work
from plexguard.cloud_run.providers.scaleway.provider import Scaleway
from plexguard.cloud_run.reap.act import carry_out
from plexguard.cloud_run.reap.decide import decide
from plexguard.cloud_run.reap.world import World
from plexguard.cloud_run.reap.world import look as look_around
from plexguard.cloud_run.rent.acquire import acquire
from plexguard.core import program
from plexguard.core.errors import PeerError, Unavailable
from plexguard.core.manager import Unit
from plexguard.core.secret import Secret
from tests.fakes.ports import FakeClock, FakeJournal, fake_ports
from tests.fakes.scaleway import SECRET_KEY, FakeScaleway
from tests.integration.cloud_run import test_commands
from tests.integration.cloud_run.child import QuickClock, make_config, make_lease, make_order, make_world
from tests.integration.cloud_run.test_commands import Bench, bench, cloud

__all__ = ["bench", "cloud"]


@contextmanager
def full_disk() -> Iterator[None]:
    """Have no file take a byte more."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def rented(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A run that is under way, with its machine. What it tells takes no disk."""
    bench.rent()
    real = program.open_ports
    monkeypatch.setattr(program, "open_ports", lambda name: replace(real(name), journal=FakeJournal()))
    book = Book(bench.state, "delta", clock=QuickClock(), journal=FakeJournal())
    book.open(deadline=datetime.now(UTC) + timedelta(hours=96))
    book.begin("preflight")
    bench.unit.unit = lambda name: Unit(name=name)  # type: ignore[method-assign]
    return bench


def test_disk_that_is_full_keeps_no_machine(rented: Bench, cloud: FakeScaleway) -> None:
    with full_disk():
        assert rented("release", "instance", "delta") != 0
    assert cloud.left() == []


def test_disk_that_is_full_keeps_no_machine_from_the_reaper(rented: Bench, cloud: FakeScaleway) -> None:
    with full_disk():
        rented("reaper")
    assert cloud.left() == []


@pytest.mark.parametrize("command", [("release", "instance", "delta"), ("reaper",), ("destroy", "delta")], ids=lambda c: c[0])
def test_mistake_in_the_configuration_of_anything_else_keeps_no_machine(
    rented: Bench, cloud: FakeScaleway, command: tuple[str, ...]
) -> None:
    rented.config.write_text(rented.config.read_text() + "\n[plex]\nbogus = 1\n")
    assert rented(*command) == 0
    assert cloud.left() == []


def test_zone_of_a_run_is_looked_in_though_its_lease_is_torn(bench: Bench, cloud: FakeScaleway) -> None:
    bench.write(bench.config.read_text().partition("\n")[2].replace("api", 'zones = ["nl-ams-1"]\napi'))
    bench.write_run('zone = "fr-par-1"\n')
    bench.rent()
    (bench.state / "delta/lease.json").unlink()
    assert bench("reaper") == 0
    assert cloud.left() == []


def test_lease_that_cannot_be_read_is_removed_when_a_person_has_all_given_back(
    rented: Bench, cloud: FakeScaleway, capsys: pytest.CaptureFixture[str]
) -> None:
    lease = rented.state / "delta/lease.json"
    lease.write_text(lease.read_text()[:20])
    assert rented("reaper") == 0 and lease.exists()

    assert rented("destroy", "delta") == 0

    assert cloud.left() == [] and not lease.exists()
    assert "could not be read, and is removed" in capsys.readouterr().out


@pytest.mark.parametrize("status", [500, 429])
def test_volume_that_cannot_be_labelled_keeps_no_machine(
    bench: Bench, cloud: FakeScaleway, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    bench.rent(type_name="PRO2-S")

    def refuse(*_: object) -> None:
        raise Unavailable(str(status))

    monkeypatch.setattr(Scaleway, "_mark", refuse)
    bench("reaper")
    assert [one for one in cloud.left() if one.kind == "server"] == []


@pytest.mark.parametrize("days", [30, -5])
def test_clock_that_is_wrong_is_told_before_anything_is_rented(
    bench: Bench, cloud: FakeScaleway, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], days: int
) -> None:
    class Off(test_commands.QuickClock):  # type: ignore[name-defined,misc]
        def now(self) -> datetime:
            return super().now() + timedelta(days=days)  # type: ignore[no-any-return]

    monkeypatch.setattr(preflight, "read_plex", lambda _journal: None)
    real = program.open_ports
    monkeypatch.setattr(program, "open_ports", lambda name: replace(real(name), clock=Off()))
    assert bench("phase", "preflight", "delta") == 71
    assert "this machine's clock says" in capsys.readouterr().err


# -- a run that is taken up ---------------------------------------------------------------------------------------------


@pytest.fixture
def world(bench: Bench, cloud: FakeScaleway) -> World:
    return make_world(cloud.url, bench.state, active_state="active", journal=FakeJournal())


def take_up(world: World) -> str:
    """Rent as a run does that has a machine since an earlier boot, and return which it gets."""
    read = world.leases.read("delta")
    assert read is not None and read.lease is not None
    return acquire(world.provider, world.leases, read.lease, make_order(read.lease, "GP1-S"), world.journal).key.id


def rent(world: World) -> str:
    lease = make_lease(datetime.now(UTC))
    return acquire(world.provider, world.leases, lease, make_order(lease, "GP1-S"), world.journal).key.id


def test_machine_that_is_gone_is_replaced_by_none(world: World, cloud: FakeScaleway) -> None:
    rent(world)
    seen = world.provider.list("fr-par-1")
    world.provider.destroy([one for one in seen.resources if one.label], make_lease(datetime.now(UTC)).label, lambda _: None)
    with pytest.raises(PeerError, match="the machine that was rented is gone"):
        take_up(world)
    assert cloud.left() == []


def test_machine_that_has_powered_itself_off_is_switched_on_again(world: World, cloud: FakeScaleway) -> None:
    first = rent(world)
    cloud.power_off_guest(first)
    assert take_up(world) == first
    assert [one.id for one in cloud.left() if one.kind == "server"] == [first]


def test_provider_that_is_away_for_a_while_is_waited_for(bench: Bench, cloud: FakeScaleway, world: World) -> None:
    rent(world)
    clock = FakeClock()
    asked = []

    class Away(Scaleway):
        def find_login(self, server, keys):  # type: ignore[no-untyped-def]
            asked.append(clock.monotonic_s())
            if len(asked) < 20:
                raise Unavailable("no route")

    provider = Away(make_config(cloud.url), Secret(SECRET_KEY), clock)
    ports = fake_ports(clock=clock)
    keys = world.leases.keys_of("delta")
    work = Work(
        name="delta",
        file=RunFile(),
        config=make_config(cloud.url),
        ports=ports,
        world=replace(world, provider=provider, clock=clock),
        book=Book(bench.state, "delta", clock=clock, journal=FakeJournal()),
        keys=keys,
    )
    with work.machine() as machine:
        assert machine is ports.host
    assert asked[-1] - asked[0] > 300


def test_return_that_fails_at_boot_is_the_reapers(bench: Bench, cloud: FakeScaleway, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_lease(datetime.now(UTC)).made
    bench.rent(made=replace(made, boot_id="an earlier one", uptime_s=made.uptime_s + 1e6))
    config, ports = make_config(cloud.url), program.open_ports("cloud-run")
    cloud.set(down_s=3600, down_how="drop")
    assert resume.run(config, ports) != 0
    cloud.heal()
    ours = make_world(cloud.url, bench.state, active_state="inactive", journal=FakeJournal())
    assert carry_out(decide(look_around(config, ours)), ours) == 0
    assert cloud.left() == []


def test_nothing_is_kept_where_nothing_is(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    world = make_world(bench.cloud.url, bench.state, active_state="inactive", journal=FakeJournal())
    world.leases.save(replace(make_lease(datetime.now(UTC)), keep=True))
    assert bench("release", "instance", "delta") == 0
    assert world.leases.read("delta") is None
    assert "goes on costing money" not in capsys.readouterr().err


def test_state_of_a_line_is_worth_no_run(rented: Bench) -> None:
    book = Book(rented.state, "delta", clock=QuickClock(), journal=FakeJournal())
    config, ports = make_config(rented.cloud.url), fake_ports()
    world = make_world(rented.cloud.url, rented.state, active_state="active", journal=FakeJournal())
    work = Work(
        name="delta", file=RunFile(), config=config, ports=ports, world=world, book=book, keys=world.leases.keys_of("delta")
    )
    with full_disk():
        work.tell("Films", done=1, total=2)
    assert json.loads((rented.state / "delta/state.json").read_text())["line"] == ""
