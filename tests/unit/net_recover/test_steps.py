"""Which steps fit, and the commands they are, for each who holds the interface."""

import dataclasses

import pytest

from plexguard.net_recover.holders import Holder
from plexguard.net_recover.links import Route
from plexguard.net_recover.steps import Patient, Step, find_steps, make_commands

PATIENT = Patient(holder=Holder.NETWORKD, interface="eth0", has_resolved=True)
MANAGED = [holder for holder in Holder if holder is not Holder.NOBODY]
EACH_HOLDER = pytest.mark.parametrize("holder", MANAGED, ids=lambda holder: holder.value)


def patient(holder: Holder, **changes: object) -> Patient:
    return dataclasses.replace(PATIENT, holder=holder, **changes)  # type: ignore[arg-type]


def line(step: Step, given: Patient) -> str:
    return "\n".join(" ".join(command) for command in make_commands(step, given))


def test_a_round_goes_from_gentle_to_hard() -> None:
    assert find_steps(PATIENT) == (Step.SOFT, Step.HARD, Step.RESTART)
    assert find_steps(patient(Holder.NETWORK_MANAGER)) == (Step.SOFT, Step.HARD, Step.RESTART)


def test_ifupdown_has_one_way_and_its_service_is_not_restarted() -> None:
    assert find_steps(patient(Holder.IFUPDOWN)) == (Step.HARD,)


def test_ifupdown_takes_nothing_that_it_may_not_give_again() -> None:
    route = Route(interface="eth0", gateway="192.0.2.1")

    assert find_steps(patient(Holder.IFUPDOWN, has_address=True, route=route)) == ()
    assert find_steps(patient(Holder.IFUPDOWN, for_names=True)) == (Step.DNS_FLUSH,)
    assert find_steps(patient(Holder.IFUPDOWN, for_names=True, has_resolved=False)) == ()
    assert find_steps(patient(Holder.IFUPDOWN, is_stacked=True)) == ()
    assert find_steps(patient(Holder.IFUPDOWN, has_address=True)) == (Step.HARD,)


@pytest.mark.parametrize("holder", [Holder.NETWORKD, Holder.NETWORK_MANAGER])
def test_for_names_nothing_is_taken_hard(holder: Holder) -> None:
    assert find_steps(patient(holder, for_names=True)) == (Step.DNS_FLUSH, Step.SOFT)


def test_a_flush_needs_somebody_who_remembers() -> None:
    assert find_steps(patient(Holder.NETWORKD, for_names=True, has_resolved=False)) == (Step.SOFT,)
    assert find_steps(patient(Holder.NOBODY, for_names=True)) == (Step.DNS_FLUSH,)
    assert find_steps(patient(Holder.NOBODY, for_names=True, has_resolved=False)) == ()


def test_what_nobody_holds_is_not_touched() -> None:
    assert find_steps(patient(Holder.NOBODY)) == ()


@pytest.mark.parametrize("holder", [Holder.NETWORKD, Holder.NETWORK_MANAGER])
def test_a_bridge_is_never_taken_down(holder: Holder) -> None:
    assert find_steps(patient(holder, is_stacked=True)) == (Step.SOFT,)


@EACH_HOLDER
@pytest.mark.parametrize("for_names", [True, False], ids=["names", "link"])
@pytest.mark.parametrize("has_address", [True, False], ids=["address", "none"])
def test_every_step_has_a_command(holder: Holder, for_names: bool, has_address: bool) -> None:
    given = patient(holder, for_names=for_names, has_address=has_address, route=Route(interface="eth0", gateway="192.0.2.1"))
    for step in find_steps(given):
        assert make_commands(step, given)


def test_the_soft_reset_is_the_managers_own() -> None:
    assert line(Step.SOFT, PATIENT) == "networkctl reconfigure eth0"
    assert line(Step.SOFT, patient(Holder.NETWORKD, for_names=True)) == "networkctl renew eth0"
    assert line(Step.SOFT, patient(Holder.NETWORK_MANAGER)) == "nmcli --wait 30 device reapply eth0"


def test_a_leased_address_is_not_thrown_away_while_the_gateway_that_may_give_it_is_silent() -> None:
    keeping = {"has_address": True, "is_leased": True, "route": Route(interface="eth0", gateway="192.0.2.1")}

    assert find_steps(patient(Holder.NETWORKD, **keeping)) == (Step.SOFT, Step.RESTART)
    assert line(Step.SOFT, patient(Holder.NETWORKD, **keeping)) == "networkctl renew eth0"
    assert find_steps(patient(Holder.NETWORK_MANAGER, **keeping)) == (Step.SOFT,)
    # but at the very end, since it may be a port of the switch that hangs
    for holder in (Holder.NETWORKD, Holder.NETWORK_MANAGER):
        assert Step.HARD in find_steps(patient(holder, is_last_round=True, **keeping))


def test_the_flush_reaches_every_cache_there_is() -> None:
    assert line(Step.DNS_FLUSH, PATIENT) == "resolvectl flush-caches\nresolvectl reset-server-features"
    assert line(Step.DNS_FLUSH, patient(Holder.NETWORK_MANAGER, has_resolved=False)) == "nmcli --wait 30 general reload dns-full"


@EACH_HOLDER
def test_what_goes_down_comes_up_by_the_same_job_of_the_service_manager(holder: Holder) -> None:
    (command,) = make_commands(Step.HARD, patient(holder))

    assert command[0] == "systemd-run"
    own = command.index("--")
    down = " ".join(command[own + 1 :])
    assert down in ("/sbin/ip link set dev eth0 down", "/sbin/ifdown --force eth0")
    after = [word.removeprefix("--property=ExecStopPost=") for word in command[:own] if "ExecStopPost" in word]
    up = "/sbin/ip link set dev eth0 up" if "/sbin/ip " in down else "/sbin/ifup --force eth0"
    # A pause that is cut short, or is no program, must not keep it down.
    assert after[:2] == ["-/usr/bin/sleep 2", up]
    # A DHCP client that ifup leaves behind must outlive the job.
    assert "--property=KillMode=process" in command


def test_a_hard_reset_has_the_manager_set_the_interface_up_again() -> None:
    assert "ExecStopPost=-/usr/bin/networkctl reconfigure eth0" in line(Step.HARD, PATIENT)
    assert "ExecStopPost=-/usr/bin/nmcli --wait 30 device connect eth0" in line(Step.HARD, patient(Holder.NETWORK_MANAGER))


def test_the_service_that_is_restarted_is_the_one_that_holds_the_interface() -> None:
    assert line(Step.RESTART, PATIENT).endswith("restart systemd-networkd.service")
    assert line(Step.RESTART, patient(Holder.NETWORK_MANAGER)).endswith("restart NetworkManager.service")
    assert make_commands(Step.RESTART, patient(Holder.IFUPDOWN)) == ()


def test_only_the_flush_leaves_the_interface_alone() -> None:
    assert [step for step in Step if not step.touches_interface] == [Step.DNS_FLUSH]
