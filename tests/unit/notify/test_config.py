"""The section [notify]: what a channel may be given, and what several options together have wrong."""

from datetime import time

import pytest

from plexguard.core import config as core_config
from plexguard.core.errors import ConfigError
from plexguard.notify.config import ADDRESSES, CREDENTIALS, GLOBS, KINDS, QUIET, RATES, WEB, Channel, Config, Quiet

AIRTABLE = {"kind": "airtable", "base": "appFAKE0123456789", "table": "Log"}


def take(tmp_path, text: str) -> Config:
    file = tmp_path / "plexguard.toml"
    file.write_text(text, encoding="utf-8")
    settings = core_config.read(file, {})
    taken = settings.take(Config)
    settings.check(["notify"])
    return taken


def mistakes(tmp_path, text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        take(tmp_path, text)
    return caught.value.mistakes


def test_channels_have_names_of_their_own(tmp_path):
    config = take(
        tmp_path, '[notify.channel.night]\nkind = "mail"\nto = ["me@example.org"]\n[notify.channel.log]\nkind = "webhook"\n'
    )
    assert {name: channel.kind for name, channel in config.channel.items()} == {"night": "mail", "log": "webhook"}
    assert config.channel["night"].to == ("me@example.org",)


def test_channel_without_a_kind_is_a_mistake(tmp_path):
    (told,) = mistakes(tmp_path, "[notify.channel.x]\n")
    assert "[notify.channel.x] kind: missing" in told


def test_option_of_another_kind_is_a_mistake(tmp_path):
    (told,) = mistakes(tmp_path, '[notify.channel.x]\nkind = "mail"\ntable = "Log"\n')
    assert 'table: is not for kind "mail", only for airtable' in told


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_channel_without_mistakes(kind):
    assert Channel(**{**(AIRTABLE if kind == "airtable" else {}), "kind": kind}).find_mistakes() == ()


def test_every_kind_has_its_limit_and_its_credentials():
    assert set(RATES) == set(CREDENTIALS) == set(KINDS)


@pytest.mark.parametrize(
    "values, said",
    [
        ({"base": ""}, "base: missing"),
        ({"base": "app/../x"}, "base: missing or no id"),
        ({"table": ""}, "table: missing"),
        ({"name_field": "", "time_field": "", "message_field": ""}, "nothing to send"),
        ({"time_field": "Name"}, "the same field twice"),
        ({"rate": 6}, "Airtable bears 5 calls"),
    ],
    ids=lambda value: value if isinstance(value, str) else "+".join(value),
)
def test_airtable_mistakes(values, said):
    (told,) = Channel(**{**AIRTABLE, **values}).find_mistakes()
    assert said in told


def test_mail_to_nobody_is_a_mistake():
    assert Channel(kind="mail", to=()).find_mistakes() == ("to: nobody is named",)


@pytest.mark.parametrize(
    "kind, rate, calls", [("webhook", 0, 10.0), ("airtable", 0, 5.0), ("mail", 0, 1.0), ("apprise", 0, 1.0), ("webhook", 3, 3.0)]
)
def test_rate_is_what_the_kind_bears_unless_told(kind, rate, calls):
    assert Channel(kind=kind, rate=rate).calls_per_second == calls


def test_pings_stay_within_five_a_minute():
    assert Channel(kind="ping").calls_per_second * 60 <= 5


@pytest.mark.parametrize(
    "quiet, inside, outside",
    [
        ("22:00-07:00", (time(22), time(23, 59), time(0), time(6, 59)), (time(7), time(12), time(21, 59))),
        ("12:30-14:00", (time(12, 30), time(13, 59)), (time(12, 29), time(14), time(0))),
    ],
)
def test_quiet_hours_hold(quiet, inside, outside):
    parsed = QUIET.parse(quiet)
    assert isinstance(parsed, Quiet)
    assert all(map(parsed.holds, inside)) and not any(map(parsed.holds, outside))


@pytest.mark.parametrize(
    "kind, good",
    [
        (QUIET, ""),
        (QUIET, "22:00-07:00"),
        (WEB, ""),
        (WEB, "https://example.org"),
        (WEB, "http://[::1]:8080/hook?x=1"),
        (GLOBS, ["plex.*", "perms.repaired"]),
        (ADDRESSES, ["root", "me+plex@example.org"]),
    ],
    ids=str,
)
def test_value_is_shown_as_it_is_written(kind, good):
    import tomllib

    assert tomllib.loads(f"x = {kind.show(kind.parse(good))}")["x"] == good


@pytest.mark.parametrize(
    "kind, bad",
    [
        *((QUIET, value) for value in ("22-7", "24:00-07:00", "07:00-07:00", 5)),
        *(
            (WEB, value)
            for value in (
                "example.org",
                "ftp://x",
                "https://me:x@example.org/",
                "http://a b",
                "http://x:0/",
                "http://x:99999/",
                "http://x/\u00e4",
            )
        ),
        *((GLOBS, value) for value in ("plex.*", ["Plex Hung"], [5], ["a;b"])),
        *(
            (ADDRESSES, value)
            for value in ("root", ["a b"], ["me@x,you@y"], ["-oQ/tmp x"], ["me@x\nBcc: y"], ["|/bin/sh"], ["/etc/passwd"])
        ),
    ],
    ids=str,
)
def test_value_that_makes_no_sense_is_refused(kind, bad):
    with pytest.raises(ValueError):
        kind.parse(bad)
