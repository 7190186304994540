"""HAProxy's configuration as text: what must and what must not be in it. That HAProxy takes it, the integration tests show."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from plexguard.core.endpoints import Endpoint
from plexguard.proxy.config import Config, Paths
from plexguard.proxy.kinds import KINDS
from plexguard.proxy.render.common import BODIES, MAIN, Places
from plexguard.proxy.render.front import render_front
from plexguard.proxy.render.pictures import render_pictures

URL = "http://127.0.0.1:32400"


def front(config: Config | None = None, url: str = URL) -> str:
    return render_front(config or Config(), url, Places())[MAIN]


def section(text: str, head: str) -> list[str]:
    """Return the lines below a head."""
    found = re.search(rf"^{re.escape(head)}\n((?: .*\n|\n)*)", text + "\n", re.MULTILINE)
    assert found is not None, head
    return [line.strip() for line in found[1].splitlines() if line.strip()]


def test_it_listens_on_this_machine_only():
    binds = re.findall(r"^    bind (\S+)", front(), re.MULTILINE)
    assert [bind for bind in binds if not bind.startswith("unix@")] == ["127.0.0.1:32402", "127.0.0.1:32401"]


def test_it_listens_where_it_is_told_and_has_no_metrics_without_an_address():
    told = front(replace(Config(), listen=(Endpoint(address="::1", port=1),), metrics_listen=()))
    assert section(told, "frontend plexguard")[0] == "bind [::1]:1"
    assert "prometheus" not in told


@pytest.mark.parametrize(
    ("backend", "limit"),
    [("metadata", "10000ms"), ("picture", "10000ms"), ("media", "30000ms"), ("transcode", "60000ms"), ("stream", "2073600000ms")],
)
def test_each_kind_has_its_limit(backend, limit):
    assert f"timeout server {limit}" in section(front(), f"backend {backend}")


def test_limits_are_configured():
    told = front(replace(Config(), metadata_limit=timedelta(seconds=7)))
    assert "timeout server 7000ms" in section(told, "backend metadata")
    assert "{ var(txn.took) -m int ge 7000000 }" in told


@pytest.mark.parametrize(("backend", "repeats"), [("metadata", True), ("picture", True), ("media", False), ("transcode", False)])
def test_what_ran_out_of_time_is_repeated_for_lists_and_pictures_only(backend, repeats):
    (reasons,) = [line for line in section(front(), f"backend {backend}") if line.startswith("retry-on")]
    assert ("response-timeout" in reasons) is repeats
    assert "429" not in reasons and " 500" not in reasons


def test_breaker_is_as_configured():
    told = front(replace(Config(), open_after=7, open_after_checks=4, close_after=2))
    (server,) = [line for line in section(told, "backend metadata") if line.startswith("server plex")]
    assert "fall 4 rise 2 observe layer7 error-limit 7 on-error mark-down" in server


def test_every_way_to_plex_is_behind_the_gate():
    for line in re.findall(r"^    server \S+ 127\.0\.0\.1:32400.*$", front(), re.MULTILINE):
        assert "track metadata/plex" in line or "check inter" in line


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("http://[::1]:32400", "[::1]:32400 "),
        ("http://media.lan:8080", "media.lan:8080 "),
        ("https://127.0.0.1:32400", "127.0.0.1:32400 ssl verify none "),
        ("https://plex.lan", "plex.lan:32400 ssl verify required ca-file @system-ca sni str(plex.lan) verifyhost plex.lan "),
    ],
)
def test_plex_is_reached_at_its_address(url, server):
    assert any(line.startswith(f"server plex {server}") for line in section(front(url=url), "backend metadata"))


def test_defaults_hold_no_answer_with_a_format():
    # HAProxy 2.6 dies of one when it is needed.
    assert not [line for line in section(front(), "defaults") if line.startswith("http-error")]


def test_nobody_is_woken_by_a_server_that_is_down():
    assert "log /run/systemd/journal/dev-log format local local0 info notice" in section(front(), "global")


def test_query_and_headers_are_not_logged():
    (line,) = [line for line in section(front(), "frontend plexguard") if line.startswith("log-format")]
    assert not re.search(r"%r\b|%HU|%HQ|%hr|%hs", line)
    assert re.findall(r"capture\.[^)]*\)", line) == ["capture.req.uri,field(1,?)"]


def test_no_line_has_more_words_than_haproxy_reads():
    for text in (front(), render_pictures(Config(), URL, Places())[MAIN]):
        assert max(len(line.split()) for line in text.splitlines() if not line.strip().startswith("#")) < 64


def test_configured_paths_come_before_those_that_are_known():
    told = section(front(replace(Config(), path={"x": Paths(kind="transcode", paths=("/a/*",))})), "frontend plexguard")
    assert "acl own_transcode path_reg -- '(^/a/.*$)'" in told
    kinds = [line for line in told if line.startswith("use_backend") and "body_size" not in line]
    assert kinds[0] == "use_backend transcode if own_transcode"


def test_what_no_pattern_knows_is_metadata_after_one_look():
    told = [line for line in section(front(), "frontend plexguard") if line.startswith("use_backend")]
    look = next(line for line in told if line.startswith("use_backend metadata"))
    for kind in KINDS:
        assert all(f"({pattern})" in look for pattern in kind.patterns)


def test_pictures_are_stored_where_they_are_not_looked_for_while_plex_is_there():
    rules = section(render_pictures(Config(), URL, Places())[MAIN], "frontend pictures")
    assert [rule for rule in rules if rule.split()[1] in ("cache-use", "cache-store")] == [
        "http-request cache-use pictures if away",
        "http-request cache-use nothing",
        "http-response cache-store pictures if { var(txn.store) -m found }",
    ]


def test_maps_hold_an_answer_for_each_form_before_the_breaker_has_spoken():
    files = render_front(Config(), URL, Places())
    for name in BODIES.values():
        assert {line.partition(" ")[0] for line in files[name].splitlines()} == {"json", "html", "xml", "wait"}


def test_process_of_before_a_reload_lives_on_for_longer_than_a_pause():
    def ms(name: str) -> int:
        found = re.search(rf"^    {name} (\d+)ms$", front(), re.MULTILINE)
        assert found is not None
        return int(found[1])

    assert ms("hard-stop-after") > 7 * ms("timeout client")


def test_who_dawdles_over_the_metrics_does_not_stay():
    assert {"timeout client 10s", "maxconn 100"} <= set(section(front(), "frontend metrics"))


@pytest.mark.parametrize("backend", ["metadata", "media", "transcode"])
def test_third_attempt_goes_by_the_hop_that_knows_the_time(backend):
    servers = [line.split() for line in section(front(), f"backend {backend}") if line.startswith("server ")]
    assert [words[1] for words in servers if words[-2:] != ["weight", "0"]] == ["plex", "last"]


def test_address_that_may_be_missing_at_boot_does_not_keep_the_door_shut():
    listen = tuple(Endpoint(address=address, port=32401) for address in ("127.0.0.1", "::1", "0.0.0.0", "192.0.2.7"))
    text = render_front(Config(listen=listen), "http://127.0.0.1:32400", Places())[MAIN]
    assert [line.split()[1] for line in text.splitlines() if line.endswith(" transparent")] == ["192.0.2.7:32401"]
