"""The inner nodes of a full-text index. Pure. Source: https://www.sqlite.org/fts3.html#segment_btree_interior_nodes."""


class BadNode(Exception):
    """A node makes no sense."""


def read_children(node: bytes) -> tuple[int, list[int]]:
    """Return the height of an inner node, and the blocks of the nodes below it. Raises BadNode."""
    height, at = _varint(node, 0)
    first, at = _varint(node, at)
    if not 1 <= height <= 30 or first <= 0:
        raise BadNode(f"an inner node of height {height} leads to block {first}")
    terms = 0
    last = b""
    while at < len(node):
        shared, at = _varint(node, at) if terms else (0, at)
        length, at = _varint(node, at)
        term = last[:shared] + node[at : at + length]
        at += length
        if length == 0 or shared > len(last) or at > len(node) or (terms and term <= last):
            raise BadNode("the words of an inner node are out of order")
        last = term
        terms += 1
    return height, list(range(first, first + terms + 1))


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if at >= len(raw):
            break
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
    raise BadNode("a number in an inner node has no end")
