"""The credentials of the channels reach the unit that sends, each with a fallback."""

from plexguard.core.units import Site
from plexguard.notify.config import CREDENTIALS, KINDS, Channel, Config
from plexguard.notify.units import drop_ins

SITE = Site(folders=(), mounts=())
FILE = "plexguard-notify.service.d/50-channels.conf"


def test_no_channel_is_no_drop_in():
    assert drop_ins(Config(), SITE) == {}


def test_kind_that_needs_none_is_no_drop_in():
    assert drop_ins(Config(channel={"me": Channel(kind="mail")}), SITE) == {}


def test_each_credential_has_a_file_and_a_fallback_that_is_not_empty():
    channels = {kind: Channel(kind=kind) for kind in KINDS}
    lines = drop_ins(Config(channel=channels), SITE)[FILE].splitlines()
    expected = {f"notify.{kind}.{what}" for kind, wanted in CREDENTIALS.items() for what in wanted}
    assert lines[0] == "[Service]"
    assert {f"LoadCredential={name}:/etc/plexguard/credentials/{name}" for name in expected} == {
        line for line in lines if line.startswith("Load")
    }
    assert {f"SetCredential={name}:none" for name in expected} == {line for line in lines if line.startswith("Set")}
    assert len(lines) == 1 + 2 * len(expected)


def test_order_of_the_file_does_not_change_the_drop_in():
    one, two = Channel(kind="ping"), Channel(kind="webhook")
    assert drop_ins(Config(channel={"a": one, "b": two}), SITE) == drop_ins(Config(channel={"b": two, "a": one}), SITE)


def test_channel_without_a_kind_breaks_nothing():
    assert drop_ins(Config(channel={"x": Channel()}), SITE) == {}
