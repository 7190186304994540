"""[status]: what may be listened at, under which names."""

import pytest

from plexguard.core.endpoints import Endpoint
from plexguard.core.units import Site
from plexguard.status.config import LISTEN, NAMES, Config
from plexguard.status.server.serve import find_names
from plexguard.status.units import drop_ins

SITE = Site(folders=(), mounts=())


def config(*listen: str) -> Config:
    return Config(listen=LISTEN.parse(list(listen)))


def test_one_address_needs_no_list() -> None:
    assert LISTEN.parse("0.0.0.0:80") == LISTEN.parse(["0.0.0.0:80"]) == (Endpoint(address="0.0.0.0", port=80),)


@pytest.mark.parametrize(
    "value", [[], "localhost:80", "127.0.0.1", 80, ["127.0.0.1:1"] * 2, [f"127.0.0.1:{n}" for n in range(1, 18)], "127.0.0.1:80\n"]
)
def test_addresses_that_are_none(value: object) -> None:
    with pytest.raises(ValueError):
        LISTEN.parse(value)


@pytest.mark.parametrize("value", ["media.lan", ["media lan"], ["a/b"], [""], [1], ["*"], ["media:80"], ["x" * 254]])
def test_names_that_are_none(value: object) -> None:
    with pytest.raises(ValueError):
        NAMES.parse(value)


def test_names_are_the_configured_ones_and_the_addresses() -> None:
    asked = Config(listen=LISTEN.parse(["192.168.1.5:80", "[fd00::1]:80"]), names=NAMES.parse(["media.lan"]))
    assert find_names(asked) == ("media.lan", "192.168.1.5", "[fd00::1]")


def test_the_default_needs_no_drop_in() -> None:
    assert drop_ins(Config(), SITE) == {}


@pytest.mark.parametrize(
    ("listen", "lines"),
    [
        (["127.0.0.1:80"], ["ListenStream=127.0.0.1:80"]),
        (["[::1]:32480", "127.0.0.1:32480"], ["ListenStream=[::1]:32480", "ListenStream=127.0.0.1:32480"]),
        (["0.0.0.0:32480"], ["ListenStream=0.0.0.0:32480"]),
        # Not there yet when the machine starts.
        (["192.168.1.5:32480"], ["ListenStream=192.168.1.5:32480", "FreeBind=yes"]),
    ],
)
def test_drop_in_replaces_the_address(listen: list[str], lines: list[str]) -> None:
    assert drop_ins(config(*listen), SITE) == {
        "plexguard-status.socket.d/50-listen.conf": "\n".join(["[Socket]", "ListenStream=", *lines]) + "\n"
    }
