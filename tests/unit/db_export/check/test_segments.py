"""Inner nodes of the search."""

import pytest

from plexguard.db_export.check.segments import BadNode, read_children

NODE = b"\x01\x05" + b"\x03abc" + b"\x01\x02zz" + b"\x00\x01b"


def test_children_are_one_more_than_the_words() -> None:
    assert read_children(NODE) == (1, [5, 6, 7, 8])
    assert read_children(b"\x02\x81\x01") == (2, [129])


@pytest.mark.parametrize(
    "node",
    [b"", b"\x01", b"\x00\x05", b"\x01\x00", NODE[:-1], b"\x01\x05\x03abc\x00\x01a", b"\x01\x05\x03abc\x07\x01z", b"\x01\x05\x80"],
    ids=["empty", "short", "leaf", "nowhere", "cut", "out-of-order", "shares-too-much", "endless-number"],
)
def test_node_without_sense_is_refused(node: bytes) -> None:
    with pytest.raises(BadNode):
        read_children(node)
