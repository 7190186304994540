"""Who listens on a port, from the form of /proc/net/tcp."""

from plexguard.core.listeners import parse_listeners

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:7E90 00000000:0000 0A 00000000:00000000 00:00000000 00000000   995        0 1234 1
   1: 00000000:7E90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1235 1
   2: 0100007F:7E90 0100007F:8001 01 00000000:00000000 00:00000000 00000000  1001        0 1236 1
   3: 0100007F:17E9 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1002        0 1237 1
garbage
"""


def test_only_who_listens_on_that_very_port_is_named() -> None:
    assert parse_listeners(TABLE, 32400) == (995, 0)
    assert parse_listeners(TABLE, 6121) == (1002,)
    assert parse_listeners(TABLE, 1) == ()
    assert parse_listeners("", 32400) == ()
