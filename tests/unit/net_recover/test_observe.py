"""What the check sees: content with the first answer, certain only after several looks, and exact about what is missing."""

import dataclasses
import json

import pytest

from plexguard.core.host import CommandTimeout, Completed
from plexguard.core.manager import Unit
from plexguard.net_recover.config import Config
from plexguard.net_recover.holders import Holder
from plexguard.net_recover.links import Addresses, Neighbour
from plexguard.net_recover.network import Reply
from plexguard.net_recover.observe import Eyes, Observation, Seen, Watching, observe, take_look
from tests.fakes.ports import FakeClock, FakeHost, FakeManager
from tests.unit.net_recover.files import FilesNetwork

CONFIG = Config()
ROUTES = "head\neth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
RESOLVED = Completed(code=0, stdout="52.1.1.1    STREAM plex.tv\n52.1.1.1    DGRAM\n2606:4700::7 STREAM\n", stderr="")
NOT_FOUND = Completed(code=2, stdout="", stderr="")


def neighbours(*states: tuple[str, str]) -> Completed:
    return Completed(
        code=0, stdout=json.dumps([{"dst": dst, "confirmed": 0, "state": [state]} for dst, state in states]), stderr=""
    )


class Bench:
    def __init__(self, *answering: str, names: object = RESOLVED, gateway: str = "REACHABLE", others: tuple[str, ...] = ()) -> None:
        self.network = FilesNetwork(FilesNetwork.with_link("eth0").files, answering=answering)
        self.network.files["/proc/net/route"] = ROUTES
        self.network.files["/run/systemd/netif/links/2"] = "ADMIN_STATE=configured\n"
        addresses = Completed(
            code=0, stdout='[{"addr_info": [{"family": "inet", "local": "192.0.2.2", "scope": "global"}]}]', stderr=""
        )
        self.host = FakeHost(
            {
                "getent ahosts": names,  # type: ignore[dict-item]
                "ip -s -json address": addresses,
                "ip -s -json neighbour show to": neighbours(("192.0.2.1", gateway)),
                "ip -s -json neighbour show dev": neighbours(*((address, "STALE") for address in others)),
            }
        )
        self.clock = FakeClock()
        runs = ("systemd-networkd.service", "systemd-resolved.service")
        self.manager = FakeManager(*(Unit(name=name, load_state="loaded", active_state="active") for name in runs))
        self.asked_watching = 0

    def eyes(self) -> Eyes:
        def ask() -> Watching:
            self.asked_watching += 1
            return Watching.NOBODY

        return Eyes(network=self.network, host=self.host, manager=self.manager, clock=self.clock, ask_watching=ask)

    def see(self, config: Config = CONFIG, **given: object) -> Observation:
        return observe(self.eyes(), config, **given)  # type: ignore[arg-type]


# -- the cheap way ----------------------------------------------------------------------------------------------------


def test_a_network_that_is_well_costs_one_question_and_one_name() -> None:
    bench = Bench("1.1.1.1")

    seen = bench.see()

    assert seen.is_well
    assert (seen.looks, seen.interface) == (1, "eth0")
    assert [{words.split()[0] for words in asked} for asked in bench.network.asked] == [{"1.1.1.1", "8.8.8.8"}]
    assert bench.host.ran == [["getent", "ahosts", "plex.tv."]]
    assert (bench.clock.slept, bench.asked_watching) == ([], 0)


@pytest.mark.parametrize("method", ["icmp", "tcp 443"])
def test_one_endpoint_that_answers_by_any_method_is_the_internet(method: str) -> None:
    assert Bench(f"9.9.9.9 {method}").see().is_well


def test_a_refusal_proves_nothing() -> None:
    bench = Bench(names=NOT_FOUND)
    bench.network.replies = {"*": Reply.REFUSED}

    assert bench.see().answered is None


def test_one_name_that_resolves_is_enough() -> None:
    bench = Bench("1.1.1.1")
    bench.host.answers["getent ahosts plex.tv."] = CommandTimeout("no end within 8 s")

    seen = bench.see()

    assert seen.is_well
    assert [(name.name, bool(name.addresses)) for name in seen.names] == [("plex.tv", False), ("debian.org", True)]


def test_without_names_to_ask_dns_is_not_checked() -> None:
    bench = Bench("1.1.1.1", names=NOT_FOUND)

    assert bench.see(dataclasses.replace(CONFIG, dns_names=())).is_well
    assert bench.host.ran == []


# -- certainty --------------------------------------------------------------------------------------------------------


def test_a_loss_is_certain_after_all_looks_only() -> None:
    bench = Bench(names=NOT_FOUND)

    seen = bench.see()

    assert (seen.looks, seen.answered) == (3, None)
    assert bench.clock.slept == [2.0, 2.0]
    # each look asked the first two, then all four
    assert sum(len(asked) == 8 for asked in bench.network.asked) == 3


def test_a_network_that_answers_at_the_last_look_is_well() -> None:
    bench = Bench(names=NOT_FOUND)
    bench.clock.sleep = lambda _seconds: bench.network.answering.add("8.8.8.8") or bench.host.answers.update(getent=RESOLVED)  # type: ignore[method-assign, func-returns-value]
    del bench.host.answers["getent ahosts"]
    bench.host.answers["getent"] = NOT_FOUND

    seen = bench.see()

    assert seen.is_well
    assert seen.looks == 2


def test_names_that_do_not_resolve_are_looked_at_as_often() -> None:
    bench = Bench("1.1.1.1", names=NOT_FOUND)

    seen = bench.see()

    assert seen.answered is not None
    assert not seen.resolves
    assert seen.looks == 3


def test_where_the_endpoints_are_blocked_whom_a_name_leads_to_is_asked() -> None:
    bench = Bench("2606:4700::7 tcp 443")

    assert bench.see().is_well


def test_a_router_that_answers_every_name_with_its_own_address_is_not_the_internet() -> None:
    own = Completed(code=0, stdout="192.168.1.1 STREAM plex.tv\n", stderr="")

    assert Bench("192.168.1.1", names=own).see().answered is None


def test_the_way_by_which_it_was_seen_is_the_one_that_is_examined() -> None:
    # IPv4 is gone, and a router still announces IPv6.
    bench = Bench(names=NOT_FOUND)
    bench.network.files["/proc/net/route"] = ""
    zero = "0" * 32
    bench.network.files["/proc/net/ipv6_route"] = f"{zero} 00 {zero} 00 fe80{'0' * 27}a 00000400 1 0 00000003 eth0\n"

    assert bench.see(known=Seen(interface="eth0", version=4)).route is None
    assert bench.see(known=Seen(interface="eth0", version=6)).route is not None


def test_without_a_route_names_are_not_waited_for() -> None:
    bench = Bench()
    bench.network.files["/proc/net/route"] = ""

    bench.see()

    assert not [argv for argv in bench.host.ran if argv[0] == "getent"]


# -- what is missing --------------------------------------------------------------------------------------------------


def test_what_is_missing_is_examined() -> None:
    bench = Bench(names=NOT_FOUND, gateway="FAILED")

    seen = bench.see()

    assert seen.link is not None and seen.link.carrier
    assert seen.addresses == Addresses(found=("192.0.2.2",))
    assert seen.route is not None and seen.route.gateway == "192.0.2.1"
    assert (seen.gateway, seen.held.by, seen.has_resolved) == (Neighbour.SILENT, Holder.NETWORKD, True)
    assert not seen.others_answer
    assert bench.asked_watching == 1


@pytest.mark.parametrize("reply", [Reply.ANSWERED, Reply.REFUSED])
def test_a_gateway_that_says_anything_is_there(reply: Reply) -> None:
    bench = Bench(names=NOT_FOUND, gateway="FAILED")
    bench.network.replies = {"192.0.2.1": reply}

    assert bench.see().gateway is Neighbour.ANSWERS


def test_a_gateway_that_drops_everything_is_known_by_its_link_layer_address() -> None:
    assert Bench(names=NOT_FOUND, gateway="REACHABLE").see().gateway is Neighbour.ANSWERS


@pytest.mark.parametrize("reply", [Reply.ANSWERED, Reply.REFUSED])
def test_others_on_the_link_tell_that_the_link_works(reply: Reply) -> None:
    bench = Bench(names=NOT_FOUND, gateway="FAILED", others=("192.0.2.9",))
    bench.network.replies = {"192.0.2.9": reply}

    assert bench.see().others_answer


def test_others_that_are_silent_too_tell_nothing() -> None:
    bench = Bench(names=NOT_FOUND, gateway="FAILED", others=("192.0.2.9",))

    assert not bench.see().others_answer
    assert ("192.0.2.9 icmp", "192.0.2.9 tcp 443") in bench.network.asked


def test_others_that_answer_for_their_link_layer_address_alone_are_there() -> None:
    bench = Bench(names=NOT_FOUND, gateway="FAILED", others=("192.0.2.9",))
    bench.network.ask_takes = lambda: bench.clock.pass_time(2.0)
    bench.host.answers["ip -s -json neighbour show to 192.0.2.9"] = neighbours(("192.0.2.9", "REACHABLE"))

    assert bench.see().others_answer


def test_others_are_left_in_peace_while_the_gateway_answers() -> None:
    bench = Bench(names=NOT_FOUND, gateway="REACHABLE", others=("192.0.2.9",))

    bench.see()

    assert not [asked for asked in bench.network.asked if "192.0.2.9 icmp" in asked]


def test_an_interface_that_is_gone_is_the_one_that_is_remembered() -> None:
    bench = Bench(names=NOT_FOUND)
    bench.network.files.clear()

    seen = bench.see(known=Seen(interface="eth0", version=4))

    assert seen.interface == "eth0"
    assert seen.link is not None and not seen.link.exists


def test_for_a_person_everything_is_asked() -> None:
    bench = Bench("1.1.1.1")

    seen = bench.see(whole=True)

    assert {(answer.target.address, answer.target.method) for answer in seen.answers} == {
        (endpoint, method) for endpoint in CONFIG.endpoints for method in ("icmp", "tcp 443")
    }
    assert len(seen.names) == 2
    assert seen.link is not None


def test_a_look_that_gets_no_answer_does_not_wait_for_names() -> None:
    bench = Bench()

    take_look(bench.eyes(), CONFIG)

    assert bench.host.ran == []
