"""What [net-recover] takes and refuses."""

from pathlib import Path

import pytest

from plexguard.core import config
from plexguard.core.errors import ConfigError
from plexguard.net_recover.config import ADDRESSES, HOST_NAMES, INTERFACE, Config


def load(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "plexguard.toml"
    file.write_text(f"[net-recover]\n{text}\n", encoding="utf-8")
    settings = config.read(file, {})
    taken = settings.take(Config)
    settings.check(("net-recover",))
    return taken


def test_the_endpoints_of_the_seeds_are_the_default_and_a_reboot_is_not() -> None:
    assert Config().endpoints == ("1.1.1.1", "8.8.8.8", "208.67.222.222", "9.9.9.9")
    assert not Config().reboot


def test_endpoints_of_both_kinds_of_ip_are_taken(tmp_path: Path) -> None:
    taken = load(tmp_path, 'endpoints = ["192.0.2.1", "2606:4700:4700::1111"]\ndns_names = []\ninterface = "enp3s0.7"')

    assert taken.endpoints == ("192.0.2.1", "2606:4700:4700::1111")
    assert (taken.dns_names, taken.interface) == ((), "enp3s0.7")


@pytest.mark.parametrize("value", [[], ["one.one.one.one"], ["1.1.1"], [1], "1.1.1.1", ["1.1.1.1"] * 9, ["1.1.1.1; reboot"]])
def test_endpoints_are_addresses_and_some(value: object) -> None:
    with pytest.raises(ValueError):
        ADDRESSES.parse(value)


@pytest.mark.parametrize("value", [["plex"], ["-x.tv"], ["a b.tv"], ["plex.tv."], ["x." * 127 + "tv" * 10], [""], "plex.tv"])
def test_names_are_whole_host_names(value: object) -> None:
    with pytest.raises(ValueError):
        HOST_NAMES.parse(value)


@pytest.mark.parametrize("value", ["-eth0", "eth 0", "eth/0", "a" * 16, 0, "eth0\n", "%i"])
def test_an_interface_is_a_name_that_may_go_into_a_command(value: object) -> None:
    with pytest.raises(ValueError):
        INTERFACE.parse(value)


@pytest.mark.parametrize(
    "line", ["max_rounds = 4", "max_reboots_per_day = 2", 'min_between_reboots = "23h"', "looks = 1", 'interval = "5s"']
)
def test_no_budget_can_be_set_wider_than_promised(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigError):
        load(tmp_path, line)


def test_what_is_shown_can_be_read_again() -> None:
    assert ADDRESSES.show(Config().endpoints) == '["1.1.1.1", "8.8.8.8", "208.67.222.222", "9.9.9.9"]'
    assert HOST_NAMES.show(()) == "[]"
    assert INTERFACE.show("") == '""'
