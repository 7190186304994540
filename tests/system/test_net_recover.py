"""The network recovery on machines with a real interface, gateway and DNS, held by each of Debian's three managers.

The test runs each check itself, as the timer would: so it knows when one is over, and none comes in between.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.machine import Machine
from tests.machine.managers import (
    INTERFACE,
    Manager,
    address_of,
    await_online,
    connects,
    delete_default_route,
    flush_address,
    gateway_of,
    managed,
    pings,
    point_resolver_nowhere,
    poison_cache,
    resolves,
    set_interface_down,
)
from tests.machine.network import GATEWAY, PLAYER, Fault, Lan, can_run_network
from tests.system.conftest import assert_clean_journal, await_event, configure, events

pytestmark = pytest.mark.skipif(can_run_network() is not None, reason=str(can_run_network()))

NETWORKD, NETWORK_MANAGER, IFUPDOWN = Manager
CHECK = "plexguard-net-recover"
REBOOT = "plexguard-reboot"
STATE = "/var/lib/plexguard/net-recover"
# Few and short waits: a test knows what came of a check within seconds.
QUICK = """
[net-recover]
timeout = "500ms"
looks = 2
pause = "100ms"
step_timeout = "5s"
grace = "0s"
dns_names = ["plex.tv"]
"""
EXPECTED = ("net.lost", "net.left-alone", "net.gave-up", "reboot.rebooting")
MANAGERS = pytest.mark.parametrize("manager", Manager)


# In a container the boot id is a file that is bound over the outer machine's; a unit with a /proc of its own sees that one,
# which no reboot in here changes.
BOOT_ID = "/proc/sys/kernel/random/boot_id"
COPY_BOOT_ID = f"C /run/boot-id 0444 - - - {BOOT_ID}\n"
OWN_BOOT_ID = f"[Service]\nBindReadOnlyPaths=/run/boot-id:{BOOT_ID}\n"


@contextlib.contextmanager
def house(deb: Path, manager: Manager, more: str = "max_rounds = 1\n", *, timer: bool = False) -> Iterator[tuple[Lan, Machine]]:
    """A machine with the package that has been seen online and says that it is up for more than an hour, so
    that no round of an earlier boot counts; more: configuration."""
    with Lan() as lan, Machine(managed(manager, deb=deb), network=lan, uptime_s=4000) as machine:
        await_online(machine)
        give_boot_id(machine)
        # Debian's own has every boot wait for a network, and fail without.
        machine.systemctl("disable", "--now", "haproxy.service")
        configure(machine, QUICK + more)
        if not timer:
            # Not for this boot alone.
            machine.systemctl("disable", "--now", f"{CHECK}.timer")
        assert check(machine) == []
        yield lan, machine
        assert_clean_journal(machine, allowed=EXPECTED)


def give_boot_id(machine: Machine) -> None:
    machine.write("/etc/tmpfiles.d/boot-id.conf", COPY_BOOT_ID)
    machine.run(["systemd-tmpfiles", "--create", "boot-id.conf"])
    for unit in (CHECK, REBOOT):
        machine.write(f"/etc/systemd/system/{unit}.service.d/own-boot-id.conf", OWN_BOOT_ID)
    machine.systemctl("daemon-reload")


def check(machine: Machine) -> list[str]:
    """Run one check to its end; return what it told, in order."""
    cursor = machine.cursor()
    machine.systemctl("start", CHECK, timeout_s=300)
    return told(machine, cursor)


def told(machine: Machine, cursor: str) -> list[str]:
    """Return the events of the check and of the reboot; a verdict, step or reason that matters goes with the name."""
    entries = [entry for entry in machine.journal(since_cursor=cursor) if entry.get("SYSLOG_IDENTIFIER") in (CHECK, REBOOT)]
    return [" ".join((name, *_details(entry))) for entry in entries if (name := entry.get("PLEXGUARD_EVENT"))]


def _details(entry: dict[str, str]) -> list[str]:
    wanted = {"net.lost": "KIND", "net.step": "STEP", "net.step-failed": "STEP", "net.step-done": "STEP", "net.recovered": "HELPED"}
    field = wanted.get(entry["PLEXGUARD_EVENT"])
    return [entry[f"PLEXGUARD_{field}"]] if field else []


def helped(kind: str, *steps: str) -> list[str]:
    """Return what is told when the last of these steps helped."""
    failed = [line for step in steps[:-1] for line in (f"net.step {step}", f"net.step-failed {step}")]
    last = steps[-1]
    return [f"net.lost {kind}", *failed, f"net.step {last}", f"net.step-done {last}", f"net.recovered {last}"]


def gave_up(kind: str, *steps: str) -> list[str]:
    tried = [line for step in steps for line in (f"net.step {step}", f"net.step-failed {step}")]
    return [f"net.lost {kind}", *tried, "net.round", "net.gave-up"]


def is_online(machine: Machine) -> bool:
    return connects(machine, "1.1.1.1") and resolves(machine)


SOFT, HARD, RESTART, FLUSH = "soft reset", "hard reset", "service restart", "DNS flush"
BY_ITSELF = ["net.recovered by itself"]


def left_alone(kind: str) -> list[str]:
    return [f"net.lost {kind}", "net.left-alone"]


# What a step on this machine mends


@pytest.mark.parametrize(
    ("damage", "kind"), [(flush_address, "no-address"), (delete_default_route, "no-gateway")], ids=["address", "route"]
)
@MANAGERS
def test_address_or_route_that_got_lost_is_brought_back_by_the_gentlest_step(
    deb: Path, manager: Manager, damage: Callable[[Machine], None], kind: str
) -> None:
    with house(deb, manager) as (_, machine):
        damage(machine)
        assert not connects(machine, "1.1.1.1")

        lines = check(machine)

        assert lines == helped(kind, HARD if manager is IFUPDOWN else SOFT)
        assert is_online(machine)
        assert (address_of(machine)[:8], gateway_of(machine)) == ("10.77.0.", GATEWAY)


def test_port_that_needs_its_link_to_go_down_is_freed_by_the_hard_step(deb: Path) -> None:
    with house(deb, NETWORKD) as (lan, machine):
        lan.cause(Fault.PORT)
        flush_address(machine)

        assert check(machine) == helped("no-address", SOFT, HARD)

        assert is_online(machine)


def test_service_that_hangs_is_restarted_when_softer_steps_did_not_help(deb: Path) -> None:
    with house(deb, NETWORKD) as (_, machine):
        machine.write("/etc/systemd/system/systemd-networkd.service.d/quick.conf", "[Service]\nTimeoutStopSec=2s\n")
        machine.systemctl("daemon-reload")
        machine.systemctl("kill", "--signal=STOP", "systemd-networkd")
        flush_address(machine)

        assert check(machine) == helped("no-address", SOFT, HARD, RESTART)

        assert is_online(machine)


def test_name_that_the_resolver_wrongly_remembers_as_missing_is_flushed(deb: Path) -> None:
    with house(deb, NETWORKD) as (lan, machine):
        poison_cache(machine, lan, "plex.tv")

        assert check(machine) == helped("no-dns", FLUSH)

        assert is_online(machine)


def test_resolver_that_is_not_there_is_exchanged_by_who_wrote_it(deb: Path) -> None:
    with house(deb, NETWORK_MANAGER) as (_, machine):
        point_resolver_nowhere(machine)

        assert check(machine) == helped("no-dns", FLUSH)

        assert is_online(machine)


# What no step mends: it is told, and the network comes back by itself


@pytest.mark.parametrize(
    ("manager", "lines"),
    [
        (NETWORKD, gave_up("no-link", SOFT, HARD, RESTART)),
        (NETWORK_MANAGER, gave_up("no-link", SOFT, HARD, RESTART)),
        (IFUPDOWN, left_alone("no-link")),
    ],
    ids=[*Manager],
)
def test_cable_that_is_out_is_told_and_the_network_is_back_with_it(deb: Path, manager: Manager, lines: list[str]) -> None:
    with house(deb, manager) as (lan, machine):
        lan.cause(Fault.LINK)

        assert check(machine) == lines
        assert check(machine) == []

        lan.mend(Fault.LINK)
        await_online(machine)
        assert check(machine) == BY_ITSELF


@MANAGERS
def test_gateway_that_is_away_costs_the_machine_neither_address_nor_house_until_the_last_round(deb: Path, manager: Manager) -> None:
    with house(deb, manager, "max_rounds = 2\n") as (lan, machine):
        lan.cause(Fault.GATEWAY)

        lines = check(machine)

        assert (lines[0], lines[-1]) == ("net.lost no-gateway", "net.left-alone" if manager is IFUPDOWN else "net.round")
        assert address_of(machine) and pings(machine, PLAYER)
        lan.mend(Fault.GATEWAY)
        await_online(machine)
        assert check(machine) == BY_ITSELF


@MANAGERS
def test_gateway_that_is_away_while_others_answer_is_left_alone(deb: Path, manager: Manager) -> None:
    with house(deb, manager) as (lan, machine):
        assert pings(machine, PLAYER)
        lan.cause(Fault.GATEWAY)

        assert check(machine) == left_alone("no-gateway")

        assert address_of(machine) and gateway_of(machine) == GATEWAY


@MANAGERS
def test_internet_that_is_away_behind_the_gateway_is_left_alone(deb: Path, manager: Manager) -> None:
    with house(deb, manager) as (lan, machine):
        lan.cause(Fault.UPSTREAM)

        assert check(machine) == left_alone("no-internet")
        assert check(machine) == []

        lan.mend(Fault.UPSTREAM)
        await_online(machine)
        assert check(machine) == BY_ITSELF


@pytest.mark.parametrize("fault", [Fault.DNS_SILENT, Fault.DNS_SERVFAIL])
@MANAGERS
def test_name_server_that_does_not_work_is_told_and_never_taken_for_a_lost_link(deb: Path, manager: Manager, fault: Fault) -> None:
    with house(deb, manager) as (lan, machine):
        lan.cause(fault)

        lines = check(machine)

        assert lines == (left_alone("no-dns") if manager is IFUPDOWN else gave_up("no-dns", FLUSH, SOFT))
        assert connects(machine, "1.1.1.1")
        lan.mend(fault)
        await_online(machine)
        assert check(machine) == BY_ITSELF


@MANAGERS
def test_interface_that_was_switched_off_stays_off(deb: Path, manager: Manager) -> None:
    with house(deb, manager) as (_, machine):
        set_interface_down(machine)

        assert check(machine) == left_alone("switched-off")

        assert "state DOWN" in machine.run(["ip", "link", "show", "dev", INTERFACE]).stdout


@MANAGERS
def test_network_without_icmp_is_well(deb: Path, manager: Manager) -> None:
    with house(deb, manager) as (lan, machine):
        lan.cause(Fault.ICMP)

        assert check(machine) == []


def test_one_endpoint_of_four_is_enough(deb: Path) -> None:
    with house(deb, NETWORKD) as (_, machine):
        for endpoint in ("1.1.1.1", "8.8.8.8", "208.67.222.222"):
            machine.run(["ip", "route", "add", "blackhole", endpoint])

        assert check(machine) == []


def test_timer_mends_the_network_by_itself(deb: Path) -> None:
    with house(deb, NETWORKD, 'max_rounds = 1\ninterval = "10s"\n', timer=True) as (_, machine):
        cursor = machine.cursor()

        flush_address(machine)

        await_event(machine, "net.recovered", timeout_s=60, since_cursor=cursor)
        assert is_online(machine)


def test_rounds_of_an_hour_are_counted_so_that_a_fault_that_returns_is_not_stepped_at_for_ever(deb: Path) -> None:
    with house(deb, NETWORKD) as (_, machine):
        flush_address(machine)
        check(machine)
        flush_address(machine)

        # The same loss so soon after the recovery is not told anew; that nothing is done about it is.
        assert check(machine) == ["net.put-off"]

        assert not address_of(machine)
        machine.run([CHECK, "--reset-budget"])
        assert check(machine)[-1] == f"net.recovered {SOFT}"


# Only looking


@MANAGERS
def test_dry_run_says_what_it_would_do_and_changes_nothing(deb: Path, manager: Manager) -> None:
    with house(deb, manager) as (_, machine):
        flush_address(machine)
        before, cursor = machine.run(["sh", "-c", f"sha256sum {STATE}/*"]).stdout, machine.cursor()

        done = machine.run([CHECK, "--dry-run"], check=False)

        assert done.returncode == 1
        assert "verdict          no-address" in done.stdout
        assert f"step             {HARD if manager is IFUPDOWN else SOFT}" in done.stdout
        assert f"held by {manager.value}" in done.stdout
        assert not address_of(machine)
        assert machine.run(["sh", "-c", f"sha256sum {STATE}/*"]).stdout == before
        assert told(machine, cursor) == []


# The reboot


def boots(machine: Machine) -> int:
    return len({entry["_BOOT_ID"] for entry in machine.journal()})


@pytest.mark.parametrize("manager", [NETWORKD, NETWORK_MANAGER])
def test_machine_is_rebooted_once_and_not_a_second_time(deb: Path, manager: Manager) -> None:
    with house(deb, manager, "max_rounds = 1\nreboot = true\n") as (lan, machine):
        first, before = machine.pid, boots(machine)
        lan.cause(Fault.LINK)

        machine.systemctl("start", CHECK, check=False, timeout_s=300)

        machine.await_reboot(first, timeout_s=180)
        second, cursor = machine.pid, machine.cursor()
        assert len(events(machine, "reboot.rebooting")) == 1
        assert check(machine)[0] == "reboot.done"
        asked = await_event(machine, "reboot.refused", timeout_s=60)
        assert "budget is spent" in asked["MESSAGE"]
        assert check(machine) == []
        assert machine.pid == second and boots(machine) == before + 1
        assert len(events(machine, "reboot.rebooting")) == 1

        lan.mend(Fault.LINK)
        machine.reboot()
        await_online(machine)
        assert "reboot.done" not in check(machine)
        assert "reboot.done" in told(machine, cursor)


def test_network_that_is_back_with_the_reboot_is_told_so(deb: Path) -> None:
    with house(deb, NETWORKD, "max_rounds = 1\nreboot = true\n") as (lan, machine):
        first = machine.pid
        # A boot of the machine makes its link go down, which no step of a first round may do.
        lan.cause(Fault.PORT)

        machine.systemctl("start", CHECK, check=False, timeout_s=300)

        machine.await_reboot(first, timeout_s=180)
        await_online(machine)
        assert check(machine) == ["reboot.done", "net.recovered reboot"]
        assert events(machine, "reboot.done")[0]["PLEXGUARD_VERDICT"] == "back"


def test_shutdown_that_somebody_forbids_is_not_forced(deb: Path) -> None:
    with house(deb, NETWORKD, "max_rounds = 1\nreboot = true\n") as (lan, machine):
        first = machine.pid
        update = machine.spawn(["systemd-inhibit", "--mode=block", "--what=shutdown", "--who=upgrade", "sleep", "1000"])
        machine.wait_for(lambda: "upgrade" in machine.run(["systemd-inhibit", "--list"]).stdout, timeout_s=20, what="inhibitor")
        lan.cause(Fault.LINK)

        check(machine)

        refused = await_event(machine, "reboot.refused", timeout_s=60)
        assert "forbidden by upgrade" in refused["MESSAGE"]
        assert machine.pid == first and events(machine, "reboot.rebooting") == []
        update.terminate()


def test_reboot_is_off_unless_it_is_configured(deb: Path) -> None:
    with house(deb, NETWORKD) as (lan, machine):
        lan.cause(Fault.LINK)
        check(machine)
        cursor = machine.cursor()

        machine.systemctl("start", REBOOT)

        assert "reboot = false" in await_event(machine, "reboot.refused", timeout_s=30, since_cursor=cursor)["MESSAGE"]
        assert events(machine, "reboot.asked") == []
