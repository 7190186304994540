"""Echo requests and what answers them."""

import socket

import pytest

from plexguard.net_recover.network import is_echo_reply, make_echo

TOKEN = bytes(range(16))
IP_HEADER = b"\x45" + bytes(19)
LONG_HEADER = b"\x46" + bytes(23)


def reply(kind: int, token: bytes = TOKEN) -> bytes:
    return bytes([kind]) + bytes(7) + token


@pytest.mark.parametrize(
    ("packet", "family", "is_raw", "answers"),
    [
        (reply(0), socket.AF_INET, False, True),
        (IP_HEADER + reply(0), socket.AF_INET, True, True),
        (LONG_HEADER + reply(0), socket.AF_INET, True, True),
        (reply(129), socket.AF_INET6, True, True),
        (reply(129), socket.AF_INET6, False, True),
        (IP_HEADER + reply(8), socket.AF_INET, True, False),
        (reply(128), socket.AF_INET6, True, False),
        (IP_HEADER + reply(3), socket.AF_INET, True, False),
        (reply(0, bytes(16)), socket.AF_INET, False, False),
        (b"", socket.AF_INET, True, False),
        (IP_HEADER, socket.AF_INET, True, False),
    ],
    ids=["v4", "v4 raw", "options", "v6 raw", "v6", "own request", "own request v6", "unreachable", "another's", "empty", "cut"],
)
def test_only_the_answer_to_this_very_request_counts(packet: bytes, family: int, is_raw: bool, answers: bool) -> None:
    assert is_echo_reply(packet, family, TOKEN, is_raw=is_raw) is answers


def test_the_checksum_of_a_request_makes_its_sum_all_ones() -> None:
    packet = make_echo(8, TOKEN)

    total = sum(int.from_bytes(packet[n : n + 2], "big") for n in range(0, len(packet), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert total == 0xFFFF
    assert (packet[0], packet[8:]) == (8, TOKEN)
