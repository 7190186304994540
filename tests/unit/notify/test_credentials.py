"""Channels' secrets: found under their names, missed in plain words, hidden in every part."""

import pytest

from plexguard.core.secret import Secret, mask
from plexguard.notify.config import Channel, Config
from plexguard.notify.credentials import find_missing, read_credentials


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    return tmp_path


def test_credential_is_read_under_the_channel_s_name(folder):
    (folder / "notify.log.url").write_text("https://example.org/x\n", encoding="ascii")
    (folder / "notify.log.hmac").write_text("none", encoding="ascii")
    found = read_credentials("log", Channel(kind="webhook"))
    assert {what: secret.reveal() for what, secret in found.items()} == {"url": "https://example.org/x"}


@pytest.mark.parametrize(
    "channel, given, said",
    [
        (Channel(kind="webhook"), {}, '/etc/plexguard/credentials/notify.x.url (mode 0600) or set "url"'),
        (Channel(kind="ping"), {}, "notify.x.url"),
        (Channel(kind="apprise"), {}, "notify.x.url (mode 0600)"),
        (Channel(kind="airtable"), {}, "notify.x.token (mode 0600)"),
        (Channel(kind="airtable", url="http://127.0.0.1:1"), {}, "notify.x.token"),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_missing_credential_is_told_with_the_file_to_write(channel, given, said):
    assert said in find_missing("x", channel, given)


@pytest.mark.parametrize(
    "channel, given",
    [
        (Channel(kind="mail"), {}),
        (Channel(kind="webhook", url="https://example.org/"), {}),
        (Channel(kind="webhook"), {"url": Secret("https://example.org/")}),
        (Channel(kind="airtable"), {"token": Secret("pat")}),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_nothing_is_missed_that_is_not_needed(channel, given):
    assert find_missing("x", channel, given) == ""


def test_what_channels_cannot_do_without_is_named():
    airtable = Channel(kind="airtable", base="appX", table="Log")
    config = Config(
        channel={"log": airtable, "me": Channel(kind="mail"), "x": Channel(), "hook": Channel(kind="webhook", url="http://h/")}
    )

    assert config.needed_credentials() == ("notify.log.token",)


def test_every_part_of_a_secret_address_is_hidden(folder):
    (folder / "notify.a.url").write_text(
        "tgram://99887766554:AAtopsecretbot/-100777888999 https://hooks.example.org/T0PSECRET1/x?key=s3cr3tkey0", encoding="ascii"
    )
    read_credentials("a", Channel(kind="apprise"))
    said = mask("Cannot POST /T0PSECRET1/x on hooks.example.org, bot AAtopsecretbot, key s3cr3tkey0")
    assert said == "Cannot POST /***/x on hooks.example.org, bot ***, key ***"
