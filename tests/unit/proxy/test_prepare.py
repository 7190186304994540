"""What HAProxy says against a configuration, for people; and whose servers a state file is about."""

import pytest

from plexguard.core.config import read
from plexguard.core.endpoints import ENDPOINTS
from plexguard.core.errors import ConfigError
from plexguard.core.found import FoundPlex, Server
from plexguard.core.host import Completed
from plexguard.proxy import prepare
from plexguard.proxy.config import Config
from plexguard.proxy.prepare import differs, is_same_plex, summarize
from plexguard.proxy.render.common import MAIN, SERVERS, Places
from plexguard.proxy.render.front import render_front
from tests.fakes.ports import FakeClock, FakeHost

SAID = """[NOTICE]   (22739) : haproxy version is 2.6.12-1+deb12u4
[NOTICE]   (22739) : path to executable is /usr/sbin/haproxy
[ALERT]    (22739) : config : parsing [haproxy.cfg:36] : error detected while parsing ACL 'away' : missing fetch method.
[ALERT]    (22739) : config : Error(s) found in configuration file : haproxy.cfg
[ALERT]    (22739) : config : Fatal errors found in configuration.
"""


def test_alerts_are_told_and_nothing_else():
    assert summarize(SAID) == "parsing [haproxy.cfg:36] : error detected while parsing ACL 'away' : missing fetch method."


def test_something_is_told_whatever_was_said():
    assert summarize("") == "no reason given"
    assert summarize("what?\n") == "what?"


def test_state_is_of_use_only_for_the_same_plex(tmp_path):
    here = render_front(Config(), "http://127.0.0.1:32400", Places())
    assert not is_same_plex(here, tmp_path) and differs(here, tmp_path)
    (tmp_path / MAIN).write_text(here[MAIN])
    assert is_same_plex(here, tmp_path) and not differs(here, tmp_path)
    assert not is_same_plex(render_front(Config(), "http://127.0.0.1:32401", Places()), tmp_path)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("listen = []", "[proxy] listen: found []"),
        ('metrics_listen = ["127.0.0.1:32401"]', "[proxy] metrics_listen: found 127.0.0.1:32401, where listen has 127.0.0.1:32401"),
        ('listen = ["0.0.0.0:32402"]', "[proxy] metrics_listen: found 127.0.0.1:32402, where listen has 0.0.0.0:32402"),
    ],
)
def test_door_that_is_nowhere_or_where_its_metrics_are_is_a_mistake(tmp_path, text, mistake):
    (tmp_path / "plexguard.toml").write_text(f"[proxy]\n{text}\n")
    settings = read(tmp_path / "plexguard.toml", {})
    settings.take(Config)
    with pytest.raises(ConfigError) as caught:
        settings.check()
    assert mistake in str(caught.value)


def test_door_is_never_where_plex_is():
    ends = ENDPOINTS.parse(["127.0.0.1:32401", "192.0.2.7:32400"])
    found = FoundPlex(server=Server.UNIT, url="http://127.0.0.1:32400")
    assert prepare.find_clashes(Config(), found) == ()
    (clash,) = prepare.find_clashes(Config(listen=ends), found)
    assert clash == "[proxy] listen: found 192.0.2.7:32400, where Plex itself answers"
    (clash,) = prepare.find_clashes(Config(metrics_listen=ends[1:]), found)
    assert "metrics_listen" in clash


NO_NAME = "[ALERT]    (1) : config : [haproxy.cfg:7] : 'server metadata/plex' : could not resolve address 'plex.lan'.\n"


@pytest.mark.parametrize(("known_after", "is_taken"), [(0, True), (5, True), (1000, False)])
def test_name_that_is_not_known_yet_is_waited_for(tmp_path, known_after, is_taken):
    host, clock, asked = FakeHost(), FakeClock(), []

    def run(argv):
        asked.append(argv)
        is_known = len(asked) > known_after
        return Completed(code=int(not is_known), stdout="", stderr="" if is_known else NO_NAME)

    host.answers[prepare.HAPROXY] = run
    began_s = clock.monotonic_s()
    files = render_front(Config(), "http://plex.lan:32400", Places())
    if is_taken:
        prepare.check_patiently(files, host, clock, folder=tmp_path)
    else:
        with pytest.raises(prepare.NameUnknown, match="could not resolve"):
            prepare.check_patiently(files, host, clock, folder=tmp_path)
    # The start of its unit has 90 s.
    assert clock.monotonic_s() - began_s < 75


def test_configuration_that_is_wrong_is_not_waited_for(tmp_path):
    host, clock = FakeHost(), FakeClock()
    host.answers[prepare.HAPROXY] = Completed(code=1, stdout="", stderr=SAID)
    with pytest.raises(prepare.ConfigurationRefused):
        prepare.check_patiently(render_front(Config(), "http://127.0.0.1:32400", Places()), host, clock, folder=tmp_path)
    assert len(host.ran) == 1


@pytest.mark.parametrize(
    ("url", "shut", "drained", "line"),
    [
        ("http://127.0.0.1:32400", False, False, ""),
        ("http://127.0.0.1:32400", True, False, "1 metadata 1 plex 127.0.0.1 0 0 "),
        ("http://[::1]:32400", True, True, "1 metadata 1 plex ::1 0 1 "),
        ("http://127.0.0.1:32400", False, True, "1 metadata 1 plex 127.0.0.1 0 1 "),
        ("http://plex.lan:32400", True, True, ""),
    ],
)
def test_proxy_that_takes_nobodys_place_begins_as_it_is_wanted(tmp_path, url, shut, drained, line):
    prepare.make_servers(tmp_path, url, is_shut=shut, is_drained=drained)
    version, head, *servers = (tmp_path / SERVERS).read_text().splitlines()
    assert (version, head[:7]) == ("1", "# be_id")
    assert [server[: len(line)] for server in servers] == ([line] if line else [])
    assert all(len(server.split()) == len(head.split()) - 1 for server in servers)
