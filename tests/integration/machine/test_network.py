"""The network of a test machine keeps what it promises: it answers, each fault does what it says, and nothing is left."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.machine.test_machine import descendants
from tests.machine import Machine, MachineError, can_run
from tests.machine.keeper import start_time
from tests.machine.managers import (
    INTERFACE,
    Manager,
    address_of,
    await_online,
    connects,
    delete_default_route,
    flush_address,
    gateway_of,
    has_carrier,
    managed,
    pings,
    point_resolver_nowhere,
    poison_cache,
    resolves,
    set_interface_down,
)
from tests.machine.network import ENDPOINTS, GATEWAY, PLAYER, WEB, Fault, Lan, can_run_network
from tests.waiting import await_true

REASON = can_run() or can_run_network()
if REASON and os.environ.get("CI") == "true":
    pytest.fail(REASON, pytrace=False)
if REASON:
    pytest.skip(f"NO TEST MACHINES: {REASON}", allow_module_level=True)

# One worker runs them all: the fixtures below boot a machine a manager, and several tests use it.
pytestmark = [pytest.mark.machine, pytest.mark.xdist_group("network")]

PROJECT = Path(__file__).parents[3]
# unshare, the keeper, and three times dnsmasq.
PROCESSES = 5
OWNER = """
    import time
    from tests.machine.network import Lan
    with Lan() as lan:
        print(flush=True)
        time.sleep(1000)
"""
ENDS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[Lan, Machine]]:
    with Lan() as lan, Machine(managed(Manager.NETWORKD), network=lan) as machine:
        await_online(machine)
        yield lan, machine


@pytest.mark.parametrize(
    ("manager", "suite"),
    [*((manager, "bookworm") for manager in Manager), *((manager, "trixie") for manager in Manager)],
)
def test_manager_gets_address_gateway_and_resolver_by_dhcp(manager: Manager, suite: str) -> None:
    with Lan() as lan, Machine(managed(manager, suite=suite), network=lan) as machine:
        await_online(machine)

        assert address_of(machine).startswith("10.77.0.")
        assert gateway_of(machine) == GATEWAY
        assert machine.failed_units() == []
        assert machine.run(["getent", "ahostsv4", "plex.tv"]).stdout.split()[0] == WEB


def test_endpoints_answer_icmp_tcp_and_dns(house: tuple[Lan, Machine]) -> None:
    _, machine = house

    for endpoint in ENDPOINTS:
        assert pings(machine, endpoint)
        assert connects(machine, endpoint, 53)
        assert connects(machine, endpoint, 443)
    assert not connects(machine, ENDPOINTS[0], 4444)


def test_interface_is_named_as_wanted_and_is_the_only_one() -> None:
    with Lan(interface="enp1s0") as lan, Machine(network=lan) as machine:
        assert sorted(machine.run(["ls", "/sys/class/net"]).stdout.split()) == ["enp1s0", "lo"]


# Faults


def test_link_lost_is_a_carrier_lost_and_comes_back(house: tuple[Lan, Machine]) -> None:
    lan, machine = house

    lan.cause(Fault.LINK)

    assert not has_carrier(machine)
    assert not connects(machine, ENDPOINTS[0])
    lan.mend(Fault.LINK)
    assert has_carrier(machine)
    await_online(machine)


def test_dead_gateway_keeps_the_link_and_answers_nothing(house: tuple[Lan, Machine]) -> None:
    lan, machine = house

    lan.cause(Fault.GATEWAY)

    assert has_carrier(machine)
    machine.run(["ip", "neighbour", "flush", "all"])
    assert not pings(machine, GATEWAY)
    assert not resolves(machine)
    assert "REACHABLE" not in machine.run(["ip", "neighbour", "show", GATEWAY]).stdout
    lan.mend(Fault.GATEWAY)
    await_online(machine)


def test_dead_gateway_leaves_others_in_the_house_alive(house: tuple[Lan, Machine]) -> None:
    lan, machine = house

    lan.cause(Fault.GATEWAY)

    assert pings(machine, PLAYER)
    lan.mend(Fault.GATEWAY)
    await_online(machine)


def test_stuck_port_has_a_carrier_and_is_freed_when_the_link_goes_down(house: tuple[Lan, Machine]) -> None:
    lan, machine = house

    lan.cause(Fault.PORT)

    assert has_carrier(machine)
    assert not pings(machine, GATEWAY)
    assert not pings(machine, PLAYER)
    set_interface_down(machine)
    machine.run(["ip", "link", "set", "dev", INTERFACE, "up"])
    await_online(machine)


def test_dead_upstream_leaves_the_gateway_alive(house: tuple[Lan, Machine]) -> None:
    lan, machine = house

    lan.cause(Fault.UPSTREAM)

    assert pings(machine, GATEWAY)
    assert connects(machine, GATEWAY, 53)
    assert not any(pings(machine, endpoint) or connects(machine, endpoint) for endpoint in ENDPOINTS)
    lan.mend(Fault.UPSTREAM)
    await_online(machine)


@pytest.mark.parametrize("fault", [Fault.DNS_SILENT, Fault.DNS_SERVFAIL, Fault.DNS_LIES])
def test_dead_dns_leaves_the_endpoints_alive(house: tuple[Lan, Machine], fault: Fault) -> None:
    lan, machine = house

    lan.cause(fault)

    assert not resolves(machine, f"{fault}.example.com")
    assert pings(machine, GATEWAY)
    assert connects(machine, ENDPOINTS[0])
    lan.mend(fault)
    await_online(machine)


def test_false_dns_server_says_what_its_fault_is_called(house: tuple[Lan, Machine]) -> None:
    lan, machine = house
    said = {}

    for fault in (Fault.DNS_SERVFAIL, Fault.DNS_LIES):
        lan.cause(fault)
        said[fault] = machine.run(["resolvectl", "query", f"what-{fault}.example.com"], check=False).stderr
        lan.mend(fault)

    assert "SERVFAIL" in said[Fault.DNS_SERVFAIL]
    assert "not found" in said[Fault.DNS_LIES]


def test_without_icmp_all_else_works(house: tuple[Lan, Machine]) -> None:
    lan, machine = house

    lan.cause(Fault.ICMP)

    assert not any(pings(machine, address) for address in (GATEWAY, *ENDPOINTS))
    assert connects(machine, ENDPOINTS[0], 53)
    assert resolves(machine)
    lan.mend(Fault.ICMP)
    assert pings(machine, GATEWAY)


def test_unknown_fault_is_refused(house: tuple[Lan, Machine]) -> None:
    lan, _ = house

    with pytest.raises(MachineError, match="Failed to cause flood"):
        lan.cause("flood")  # type: ignore[arg-type]


def test_fault_outlives_a_reboot_and_the_cable_is_plugged_in_again() -> None:
    with Lan() as lan, Machine(managed(Manager.IFUPDOWN), network=lan, allow_degraded=True) as machine:
        await_online(machine)
        lan.cause(Fault.LINK)

        machine.reboot(timeout_s=120)

        assert not has_carrier(machine)
        lan.mend(Fault.LINK)
        assert has_carrier(machine)
        machine.reboot(timeout_s=120)
        await_online(machine)


# Damages in the machine


@pytest.mark.parametrize("damage", [flush_address, delete_default_route, set_interface_down], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("manager", Manager)
def test_damage_takes_the_machine_offline(manager: Manager, damage) -> None:
    with Lan() as lan, Machine(managed(manager), network=lan) as machine:
        await_online(machine)

        damage(machine)

        assert not connects(machine, ENDPOINTS[0])


def test_poisoned_cache_denies_a_name_until_it_is_flushed(house: tuple[Lan, Machine]) -> None:
    lan, machine = house

    poison_cache(machine, lan)

    assert not resolves(machine)
    assert resolves(machine, "other.example.com")
    machine.run(["resolvectl", "flush-caches"])
    assert resolves(machine)


def test_resolver_that_does_not_exist_leaves_only_names_without_answer() -> None:
    with Lan() as lan, Machine(managed(Manager.NETWORKD), network=lan) as machine:
        await_online(machine)

        point_resolver_nowhere(machine)

        assert not resolves(machine)
        assert connects(machine, ENDPOINTS[0])


# Nothing is left


def test_outer_interfaces_and_routes_are_untouched() -> None:
    before = outer_network()

    with Lan() as lan, Machine(managed(Manager.NETWORKD), network=lan) as machine:
        await_online(machine)
        lan.cause(Fault.UPSTREAM)
        assert outer_network() == before

    assert outer_network() == before


def outer_network() -> list[str]:
    """Return links, addresses, routes and named namespaces of the outer machine, without what only counts down."""
    shown = [["ip", "-o", "link"], ["ip", "route", "show", "table", "all"], ["ip", "netns", "list"]]
    return [subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30).stdout for argv in shown]


def test_nothing_is_left_after_a_normal_end_and_after_an_exception() -> None:
    before = set(descendants(os.getpid()))
    with Lan():
        normal = set(descendants(os.getpid())) - before
    with pytest.raises(ZeroDivisionError), Lan():
        failed = set(descendants(os.getpid())) - before
        raise ZeroDivisionError

    assert min(len(normal), len(failed)) >= PROCESSES
    assert not any(start_time(pid) for pid in normal | failed)


@ENDS
def test_nothing_is_left_when_the_owner_is_ended_by(number: signal.Signals) -> None:
    owner = subprocess.Popen([sys.executable, "-c", textwrap.dedent(OWNER)], cwd=PROJECT, stdout=subprocess.PIPE)
    assert owner.stdout is not None
    with owner.stdout:
        owner.stdout.readline()
    processes = descendants(owner.pid)
    assert len(processes) >= PROCESSES

    owner.send_signal(number)

    owner.wait(timeout=20)
    await_true(lambda: not any(start_time(pid) for pid in processes))
