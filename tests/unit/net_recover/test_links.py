"""What the kernel says, as it says it."""

import json

import pytest

from plexguard.core.host import CommandFailed, Completed
from plexguard.net_recover.links import (
    Addresses,
    Link,
    Neighbour,
    Route,
    await_neighbour,
    choose_interface,
    find_route_interface,
    parse_ipv4_routes,
    parse_ipv6_routes,
    read_addresses,
    read_link,
    read_neighbour,
    read_others,
    read_routes,
)
from tests.fakes.ports import FakeClock, FakeHost
from tests.unit.net_recover.files import FilesNetwork

# As a machine of Debian 12 printed them.
IPV4 = """\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
"""
IPV6 = """\
fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe80000000000000000000000000000a 00000400 00000003 00000000 00000003     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
"""
ROUTE = Route(interface="eth0", gateway="192.0.2.1")


def answer(*items: object, code: int = 0) -> Completed:
    return Completed(code=code, stdout=json.dumps(items), stderr="")


def host(words: str, *items: object) -> FakeHost:
    return FakeHost({words: answer(*items)})


# -- routes -----------------------------------------------------------------------------------------------------------


def test_default_routes_are_found_among_the_others() -> None:
    assert parse_ipv4_routes(IPV4) == (Route(interface="eth0", gateway="192.0.2.1", metric=0),)
    assert parse_ipv6_routes(IPV6) == (Route(interface="eth0", version=6, gateway="fe80::a", metric=1024),)


def test_a_gateway_of_the_link_alone_is_reached_by_its_interface() -> None:
    assert Route(interface="eth0", gateway="fe80::a").gateway_address == "fe80::a%eth0"
    assert ROUTE.gateway_address == "192.0.2.1"


def test_a_route_that_rejects_is_none() -> None:
    assert parse_ipv4_routes(IPV4.replace("\t0003\t", "\t0203\t")) == ()
    assert parse_ipv6_routes(IPV6.replace("00000003     eth0", "00000203     eth0")) == ()


@pytest.mark.parametrize("text", ["", "\n", "Iface\tDestination\n", "eth0 0 0\n"])
def test_a_table_without_rows_has_no_routes(text: str) -> None:
    assert parse_ipv4_routes(text) == parse_ipv6_routes(text) == ()


def test_ipv4_comes_first_and_the_lower_metric_before_the_higher() -> None:
    rows = IPV4 + "wlan0\t00000000\t010200C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
    rows = rows.replace("eth0\t00000000\t010200C0\t0003\t0\t0\t0\t", "eth0\t00000000\t010200C0\t0003\t0\t0\t700\t")
    network = FilesNetwork({"/proc/net/route": rows, "/proc/net/ipv6_route": IPV6})

    assert [(route.interface, route.metric) for route in read_routes(network)] == [("wlan0", 600), ("eth0", 700), ("eth0", 1024)]


# -- links ------------------------------------------------------------------------------------------------------------


def test_an_interface_with_a_cable() -> None:
    assert read_link(FilesNetwork.with_link("eth0"), "eth0") == Link(name="eth0", index=2)


def test_an_interface_that_is_switched_off_tells_of_no_carrier() -> None:
    link = read_link(FilesNetwork.with_link("eth0", flags="0x1002", carrier=""), "eth0")

    assert (link.exists, link.is_up, link.carrier) == (True, False, False)


def test_an_interface_that_is_gone() -> None:
    assert not read_link(FilesNetwork({}), "eth0").exists


@pytest.mark.parametrize(("kind", "is_stacked"), [("bridge", True), ("bond", True), ("vlan", True), ("wlan", False), ("", False)])
def test_what_is_built_of_other_interfaces_is_known(kind: str, is_stacked: bool) -> None:
    link = read_link(FilesNetwork.with_link("eth0", devtype=kind), "eth0")

    assert (link.kind, link.is_stacked) == (kind or "ether", is_stacked)


@pytest.mark.parametrize("number", ["65534", "512", "772"], ids=["tun or wireguard", "ppp", "loopback"])
def test_what_is_no_ethernet_is_a_tunnel(number: str) -> None:
    assert read_link(FilesNetwork.with_link("tun0", type_number=number), "tun0").kind == "tunnel"


# -- which interface --------------------------------------------------------------------------------------------------


def choose(network: FilesNetwork, *routes: Route, remembered: str = "") -> str:
    return choose_interface(network, routes, remembered=remembered)


def test_the_interface_by_which_the_network_was_seen_is_the_one_whatever_other_has_a_route() -> None:
    assert choose(FilesNetwork.with_link("eth1"), Route(interface="eth1"), remembered="eth0") == "eth0"
    assert choose(FilesNetwork({}), remembered="eth0") == "eth0"


def test_else_it_is_that_of_the_default_route() -> None:
    assert choose(FilesNetwork.with_link("eth0"), ROUTE) == "eth0"


def test_a_tunnel_is_passed_over() -> None:
    network = FilesNetwork({**FilesNetwork.with_link("tun0", type_number="65534").files, **FilesNetwork.with_link("eth0").files})

    assert find_route_interface(network, (Route(interface="tun0"), ROUTE)) == "eth0"
    assert find_route_interface(network, (Route(interface="tun0"),)) == ""


def test_with_nothing_known_it_is_a_real_one_that_has_a_carrier() -> None:
    files = {
        **FilesNetwork.with_link("enp1s0", carrier="0", real=True).files,
        **FilesNetwork.with_link("enp2s0", real=True).files,
        **FilesNetwork.with_link("docker0", devtype="bridge").files,
    }

    assert choose(FilesNetwork(files)) == "enp2s0"
    assert choose(FilesNetwork(FilesNetwork.with_link("docker0", devtype="bridge").files)) == ""


# -- addresses and neighbours -----------------------------------------------------------------------------------------


def test_only_addresses_that_lead_beyond_the_link_count() -> None:
    found = {
        "addr_info": [
            {"family": "inet", "local": "192.0.2.2", "scope": "global"},
            {"family": "inet", "local": "169.254.7.7", "scope": "link"},
            {"family": "inet6", "local": "fe80::1", "scope": "link"},
        ]
    }

    assert read_addresses(host("ip -s -json address show dev eth0", found), "eth0") == Addresses(found=("192.0.2.2",))
    assert read_addresses(host("ip -s -json address show dev eth0", {}), "eth0") == Addresses()


def test_addresses_of_the_other_ip_do_not_count_where_one_is_meant() -> None:
    found = {
        "addr_info": [
            {"family": "inet", "local": "192.0.2.2", "scope": "global"},
            {"family": "inet6", "local": "fd00::2", "scope": "global", "dynamic": True},
        ]
    }
    machine = host("ip -s -json address", found)

    assert read_addresses(machine, "eth0", version=4) == Addresses(found=("192.0.2.2",))
    assert read_addresses(machine, "eth0", version=6) == Addresses(found=("fd00::2",), is_leased=True)


def test_an_address_that_was_given_for_a_time_is_known() -> None:
    found = {"addr_info": [{"family": "inet", "local": "192.0.2.2", "scope": "global", "dynamic": True}]}

    assert read_addresses(host("ip -s -json address", found), "eth0") == Addresses(found=("192.0.2.2",), is_leased=True)


@pytest.mark.parametrize("text", ["", "not JSON", '[{"addr_info": [7]}]', "[7]", '{"a": 1}'])
def test_an_answer_that_makes_no_sense_is_no_address_and_no_lack_of_one(text: str) -> None:
    found = read_addresses(FakeHost({"ip": Completed(code=0, stdout=text, stderr="")}), "eth0")

    assert found == (None if text else Addresses())


def test_without_the_command_nothing_can_be_told() -> None:
    assert read_addresses(FakeHost(), "eth0") is None
    assert read_neighbour(FakeHost({"ip": CommandFailed("x")}), ROUTE, asked_s=5.0) == (Neighbour.UNKNOWN, False)
    assert read_others(FakeHost(), "eth0", gateway="192.0.2.1") == ()


@pytest.mark.parametrize(
    ("state", "known", "is_open"),
    [
        ("REACHABLE", Neighbour.ANSWERS, False),
        ("STALE", Neighbour.UNKNOWN, True),
        ("DELAY", Neighbour.UNKNOWN, True),
        ("PROBE", Neighbour.UNKNOWN, True),
        ("INCOMPLETE", Neighbour.SILENT, True),
        ("FAILED", Neighbour.SILENT, False),
        ("PERMANENT", Neighbour.UNKNOWN, False),
        ("NOARP", Neighbour.UNKNOWN, False),
    ],
)
def test_only_what_the_kernel_has_found_out_just_now_is_taken(state: str, known: Neighbour, is_open: bool) -> None:
    found = host("ip -s -json neighbour show to 192.0.2.1 dev eth0", {"dst": "192.0.2.1", "confirmed": 1, "state": [state]})

    assert read_neighbour(found, ROUTE, asked_s=5.0) == (known, is_open)


@pytest.mark.parametrize(("confirmed", "asked_s"), [(35, 5.0), (2, 2.9), (0, 0.5)])
def test_a_neighbour_that_has_not_spoken_since_it_was_asked_is_not_known_to_be_there(confirmed: int, asked_s: float) -> None:
    found = host("ip -s -json neighbour", {"dst": "192.0.2.1", "confirmed": confirmed, "state": ["REACHABLE"]})

    assert read_neighbour(found, ROUTE, asked_s=asked_s) == (Neighbour.UNKNOWN, True)


def test_a_neighbour_that_was_never_asked_is_not_silent() -> None:
    assert read_neighbour(host("ip -s -json neighbour"), ROUTE, asked_s=5.0) == (Neighbour.UNKNOWN, False)


class Changing:
    """Neighbour states one after the other."""

    def __init__(self, *states: str) -> None:
        self.states = list(states)

    def __call__(self, _argv: object) -> Completed:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return answer({"dst": "192.0.2.1", "confirmed": 10_000, "state": [state]})


class Asking:
    """Asks, which takes a while; answers from the nth time on."""

    def __init__(self, clock: FakeClock, *, answers_from: int = 1000) -> None:
        self.times = 0
        self._clock = clock
        self._answers_from = answers_from

    def __call__(self) -> bool:
        self.times += 1
        self._clock.pass_time(2.0)
        return self.times >= self._answers_from


def wait(clock: FakeClock, asking: Asking, *states: str) -> Neighbour:
    return await_neighbour(FakeHost({"ip": Changing(*states)}), clock, ROUTE, since_s=clock.uptime_s, ask=asking)


def test_a_gateway_that_speaks_is_there_whatever_the_kernel_knows() -> None:
    clock = FakeClock()

    assert wait(clock, Asking(clock, answers_from=1), "FAILED") is Neighbour.ANSWERS
    assert wait(clock, Asking(clock, answers_from=3), "DELAY") is Neighbour.ANSWERS


def test_the_kernel_gets_its_time_to_find_out_and_is_asked_again_meanwhile() -> None:
    clock = FakeClock()
    asking = Asking(clock)

    assert wait(clock, asking, "REACHABLE", "DELAY", "PROBE", "FAILED") is Neighbour.SILENT
    assert asking.times == 4


def test_a_gateway_that_died_a_moment_ago_is_found_out_before_the_wait_is_over() -> None:
    # 45 s REACHABLE, 5 s DELAY, 3 s PROBE: the longest that a kernel takes.
    clock = FakeClock()
    states = ["REACHABLE"] * 18 + ["DELAY", "DELAY", "PROBE", "FAILED"]

    assert wait(clock, Asking(clock), *states) is Neighbour.SILENT


def test_a_kernel_that_never_finds_out_is_not_waited_for_without_end() -> None:
    clock = FakeClock()
    began_s = clock.uptime_s

    assert wait(clock, Asking(clock), "STALE") is Neighbour.UNKNOWN
    assert clock.uptime_s - began_s < 65


def test_others_on_the_link_are_those_who_are_not_the_gateway() -> None:
    found = host(
        "ip -s -json neighbour show dev eth0",
        {"dst": "192.0.2.1", "state": ["REACHABLE"]},
        {"dst": "192.0.2.9", "state": ["STALE"]},
        {"dst": "192.0.2.10", "state": ["FAILED"]},
        {"dst": "ff02::1", "state": ["NOARP"]},
    )

    assert read_others(found, "eth0", gateway="192.0.2.1") == ("192.0.2.9",)
    assert read_others(found, "eth0", gateway="192.0.2.9") == ("192.0.2.1",)
