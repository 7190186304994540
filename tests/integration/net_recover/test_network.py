"""Real questions over the loopback interface: who answers, who refuses, who is silent; all at once, within one limit."""

import os
import socket
import time
from collections.abc import Iterator

import pytest

from plexguard.net_recover.links import read_link
from plexguard.net_recover.network import ICMP, Reply, SystemNetwork, Target
from tests.loopback import free_port

NETWORK = SystemNetwork()
NEEDS_RAW = pytest.mark.skipif(os.geteuid() != 0, reason="a raw socket needs root")


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def silent() -> Iterator[int]:
    """A listener whose queue is full: further connections get no answer."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        waiting = []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(server.getsockname())
            waiting.append(client)
        yield server.getsockname()[1]
        for client in waiting:
            client.close()


def ask(*targets: Target, timeout_s: float = 5.0, whole: bool = True) -> list[Reply]:
    return [answer.reply for answer in NETWORK.ask(targets, timeout_s=timeout_s, whole=whole)]


def test_who_listens_answers_and_who_does_not_refuses(listener: int) -> None:
    assert ask(Target("127.0.0.1", listener), Target("127.0.0.1", free_port())) == [Reply.ANSWERED, Reply.REFUSED]


def test_an_answer_has_its_time(listener: int) -> None:
    (answer,) = NETWORK.ask([Target("127.0.0.1", listener)], timeout_s=5.0, whole=True)

    assert answer.seconds is not None
    assert 0.0 <= answer.seconds < 5.0


def test_silence_lasts_until_the_limit_and_no_longer(silent: int) -> None:
    began = time.monotonic()

    assert ask(Target("127.0.0.1", silent), timeout_s=0.3) == [Reply.SILENT]

    assert time.monotonic() - began >= 0.3


def test_the_first_answer_is_enough_and_nobody_else_is_waited_for(listener: int, silent: int) -> None:
    # A limit that no test would wait for.
    assert ask(Target("127.0.0.1", silent), Target("127.0.0.1", listener), timeout_s=3600.0, whole=False) == [
        Reply.SILENT,
        Reply.ANSWERED,
    ]


@NEEDS_RAW
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_an_echo_comes_back_and_not_our_own_request(address: str) -> None:
    if address == "::1" and not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("no IPv6 here")

    assert ask(Target(address, ICMP)) == [Reply.ANSWERED]


@NEEDS_RAW
def test_two_echoes_at_once_are_told_apart() -> None:
    assert ask(Target("127.0.0.1", ICMP), Target("127.0.0.2", ICMP)) == [Reply.ANSWERED, Reply.ANSWERED]


def test_what_leads_nowhere_is_told_at_once() -> None:
    # An address of another kind than any route: nothing is waited for.
    assert ask(Target("255.255.255.255", 443), timeout_s=3600.0)[0] in (Reply.UNREACHABLE, Reply.DENIED)


def test_an_interface_that_is_gone_makes_its_addresses_unreachable() -> None:
    assert ask(Target("fe80::1%gone0", 443), timeout_s=3600.0) == [Reply.UNREACHABLE]


def test_no_socket_is_left_behind(listener: int) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        ask(Target("127.0.0.1", listener), Target("127.0.0.1", free_port()))

    assert len(os.listdir("/proc/self/fd")) == before


def test_the_loopback_interface_is_no_ethernet() -> None:
    assert "lo" in NETWORK.interfaces()
    link = read_link(NETWORK, "lo")
    assert (link.exists, link.is_up, link.kind) == (True, True, "tunnel")


def test_a_file_that_cannot_be_read_says_nothing() -> None:
    assert NETWORK.read("/nonexistent") == NETWORK.read("/sys/class/net") == ""
