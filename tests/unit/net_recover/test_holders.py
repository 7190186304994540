"""Who holds the interface, and whether somebody switched it off there."""

import pytest

from plexguard.core.host import CommandFailed, CommandTimeout, Completed
from plexguard.core.manager import Unit
from plexguard.net_recover.holders import Held, Holder, find_holder, is_running
from plexguard.net_recover.links import Link
from tests.fakes.ports import FakeHost, FakeManager
from tests.unit.net_recover.files import FilesNetwork

LINK = Link(name="eth0", index=2)
NETWORKD, NETWORK_MANAGER = "systemd-networkd.service", "NetworkManager.service"


def done(text: str, *, code: int = 0) -> Completed:
    return Completed(code=code, stdout=text, stderr="")


def running(*names: str) -> FakeManager:
    return FakeManager(*(Unit(name=name, load_state="loaded", active_state="active") for name in names))


def find(*units: str, files: dict[str, str] | None = None, link: Link = LINK, **answers: object) -> Held:
    commands = {name.replace("_", " "): answer for name, answer in answers.items()}
    return find_holder(link, network=FilesNetwork(files or {}), manager=running(*units), host=FakeHost(commands))  # type: ignore[arg-type]


@pytest.mark.parametrize("state", ["configured", "configuring", "pending", "failed"])
def test_networkd_holds_what_it_does_not_call_unmanaged(state: str) -> None:
    assert find(NETWORKD, files={"/run/systemd/netif/links/2": f"ADMIN_STATE={state}\n"}) == Held(by=Holder.NETWORKD)


@pytest.mark.parametrize("text", ["ADMIN_STATE=unmanaged\n", "", "OPER_STATE=routable\n"])
def test_networkd_does_not_hold_the_rest(text: str) -> None:
    assert find(NETWORKD, files={"/run/systemd/netif/links/2": text}).by is Holder.NOBODY


def test_a_networkd_that_was_stopped_holds_nothing_though_its_files_stay() -> None:
    assert find(files={"/run/systemd/netif/links/2": "ADMIN_STATE=configured\n"}).by is Holder.NOBODY


@pytest.mark.parametrize("state", ["connected", "connecting (getting IP configuration)", "disconnected", "unavailable"])
def test_network_manager_holds_its_devices_in_every_state(state: str) -> None:
    assert find(NETWORK_MANAGER, nmcli=done(f"lo:unmanaged\neth0:{state}\n")).by is Holder.NETWORK_MANAGER


@pytest.mark.parametrize("state", ["unmanaged", "connected (externally)"])
def test_network_manager_leaves_to_others_what_is_theirs(state: str) -> None:
    up = {"/run/network/ifstate": "lo=lo\neth0=eth0\n"}

    assert find(NETWORK_MANAGER, files=up, nmcli=done(f"eth0:{state}\n")).by is Holder.IFUPDOWN


def test_a_name_with_a_colon_is_read_as_nmcli_writes_it() -> None:
    link = Link(name="eth0:1", index=2)

    assert find(NETWORK_MANAGER, link=link, nmcli=done("eth0\\:1:connected\n")).by is Holder.NETWORK_MANAGER


def find_with_reason(state: str, reason: str) -> Held:
    answers = {
        "nmcli -t -f DEVICE,STATE device": done(f"eth0:{state}\nlo:connected (externally)\n"),
        "nmcli -t -f GENERAL.REASON device show eth0": done(f"GENERAL.REASON:{reason}\n"),
    }
    return find(NETWORK_MANAGER, **answers)


def test_a_device_that_was_disconnected_by_a_person_is_switched_off() -> None:
    assert find_with_reason("disconnected", "39 (Device disconnected by user or client)").switched_off


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("disconnected", "5 (IP configuration could not be reserved (no available address, timeout, etc.))"),
        ("disconnected", "0 (No reason given)"),
        ("disconnected", ""),
        ("unavailable", "40 (Carrier/link changed)"),
        ("connected", "39 (Device disconnected by user or client)"),
    ],
)
def test_a_device_that_failed_or_is_back_is_not_switched_off(state: str, reason: str) -> None:
    assert find_with_reason(state, reason) == Held(by=Holder.NETWORK_MANAGER)


def test_a_network_manager_that_hangs_holds_what_nobody_else_does() -> None:
    hangs = CommandTimeout("nmcli: no end within 5 s")

    assert find(NETWORK_MANAGER, nmcli=hangs).by is Holder.NETWORK_MANAGER
    assert find(NETWORK_MANAGER, nmcli=hangs, files={"/run/network/ifstate": "eth0=eth0\n"}).by is Holder.IFUPDOWN
    assert find(NETWORK_MANAGER, nmcli=CommandFailed("not running")).by is Holder.NOBODY
    assert find(nmcli=hangs).by is Holder.NOBODY


def test_ifupdown_holds_what_is_up_and_what_is_only_configured() -> None:
    assert find(files={"/run/network/ifstate": "lo=lo\neth0=eth0\n"}).by is Holder.IFUPDOWN
    assert find(ifquery=done("address: 192.0.2.2\n")).by is Holder.IFUPDOWN
    # By DHCP there are no options to print.
    assert find(ifquery=done("")).by is Holder.IFUPDOWN
    assert find(files={"/run/network/ifstate": "lo=lo\n"}, ifquery=CommandFailed("unknown interface eth0")).by is Holder.NOBODY


def test_an_interface_with_a_name_that_no_command_should_see_is_nobodys() -> None:
    link = Link(name="-x;reboot", index=2)

    assert find(NETWORKD, files={"/run/systemd/netif/links/2": "ADMIN_STATE=configured\n"}, link=link).by is Holder.NOBODY


def test_an_interface_that_is_gone_is_nobodys_though_it_is_configured() -> None:
    gone = Link(name="eth0", exists=False, is_up=False, carrier=False)

    assert find(link=gone, ifquery=done("")).by is Holder.NOBODY


def test_a_service_manager_that_does_not_answer_runs_nothing() -> None:
    class Deaf(FakeManager):
        def unit(self, name: str) -> Unit:
            raise CommandFailed("Failed to connect to bus")

    assert not is_running(NETWORKD, Deaf())
