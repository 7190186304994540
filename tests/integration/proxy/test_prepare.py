"""Where HAProxy could listen, and where it could not: tried before anything is given to it."""

import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from plexguard.core.endpoints import Endpoint
from plexguard.proxy.observe import find_absent, find_taken
from plexguard.proxy.prepare import ConfigurationRefused, check_free
from tests.fakes.upstream import Upstream
from tests.integration.proxy.door import Door

# For documentation: no interface has it.
NOWHERE = Endpoint(address="192.0.2.250", port=32401)


@pytest.fixture
def plex() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.close()


def test_port_of_another_program_is_refused_with_its_address():
    with socket.create_server(("127.0.0.1", 0)) as other:
        place = Endpoint(address="127.0.0.1", port=other.getsockname()[1])
        with pytest.raises(ConfigurationRefused, match=f"it cannot listen at {place}: Address already in use"):
            check_free((place,))


def test_port_of_our_own_haproxy_is_free_for_the_one_that_follows(plex):
    with Door(plex.url) as door:
        assert find_taken(door.config.listen) == {}
        assert door.get("/identity").status == 200


def test_address_that_the_machine_lacks_is_absent_and_not_taken():
    assert find_absent((Endpoint(address="127.0.0.1", port=1), NOWHERE)) == (NOWHERE.address,)
    assert find_taken((NOWHERE,)) == {}


def test_absent_address_does_not_keep_the_door_shut(plex):
    door = Door(plex.url)
    door.config = replace(door.config, listen=(*door.config.listen, NOWHERE))
    with door:
        assert door.get("/identity").status == 200
