"""What `plexguard-proxy show` says: true of each state, and never "well" of what is not known."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from plexguard.core.clock import Moment
from plexguard.core.published import ProxySeen
from plexguard.proxy.config import Config
from plexguard.proxy.report import Shown, render
from plexguard.proxy.runtime import Counters, Gate

NOW = Moment(wall=datetime(2026, 11, 21, 12, tzinfo=UTC), boot_id="b", uptime_s=10_000)
UP = Gate(status="no check", is_held=True, counters=Counters(good=40, bad=2, waits=1))


def before(seconds: float) -> Moment:
    return replace(NOW, wall=NOW.wall - timedelta(seconds=seconds), uptime_s=NOW.uptime_s - seconds)


def seen(phase: str, *, trigger: str = "", text: str = "", since_s: float = 12, opened_s: float | None = None) -> ProxySeen:
    opened = before(since_s if opened_s is None else opened_s) if phase != "closed" else None
    return ProxySeen(phase=phase, since=before(since_s), opened=opened, trigger=trigger, text=text, opens=3, seen=before(12))


def shown(published: ProxySeen | None, gate: Gate | None = UP, **more: object) -> Shown:
    usual = Shown(
        published=published,
        gate=gate,
        fault="",
        may_ask=True,
        config=Config(),
        url="http://127.0.0.1:32400",
        absent=(),
        now=NOW.wall,
    )
    return replace(usual, **more)


def rows(shown: Shown) -> dict[str, str]:
    return dict(line.split(maxsplit=1) for line in render(shown).splitlines() if not line.startswith(" "))


def test_open_door_is_said_to_pass_requests():
    told = shown(seen("closed"))
    assert told.passes
    assert rows(told)["breaker"] == "closed for 12s: requests reach Plex"
    assert rows(told)["door"] == "127.0.0.1:32401 to http://127.0.0.1:32400"
    assert rows(told)["requests"] == "40 answered by Plex, 2 failed, 1 under way"


def test_shut_door_has_a_reason_and_says_what_comes_next():
    told = shown(seen("open", trigger="checks", text="Plex does not answer"), replace(UP, status="DOWN"))
    assert not told.passes
    assert rows(told)["reason"] == "Plex does not answer (opened by checks that failed in a row)"
    assert rows(told)["next"].startswith("in 48s checks look whether Plex is back; 3 good checks in a row")
    assert rows(told)["see"] == "plexguard-plex-probe --explain"


def test_second_time_round_it_is_told_how_long_callers_have_been_turned_away():
    told = shown(seen("half-open", trigger="traffic", text="Plex fails", since_s=2, opened_s=65), replace(UP, status="DOWN"))
    assert rows(told)["away"].startswith("1min 5s,")
    assert rows(told)["next"].startswith("3 good checks in a row")


def test_drained_door_says_how_it_is_let_go():
    told = shown(seen("open", trigger="drain", text="Plex is being worked on"), replace(UP, status="MAINT"))
    assert rows(told)["next"].startswith("plexguard-proxy ready ")


def test_what_the_breaker_last_wrote_is_not_believed_when_haproxy_is_away():
    told = shown(seen("closed"), None, fault="/run/x: No such file or directory")
    assert not told.passes
    assert rows(told)["breaker"].startswith("not known") and rows(told)["see"] == "systemctl status plexguard-proxy.service"


def test_who_may_not_ask_haproxy_is_told_so_and_still_sees_the_breaker():
    told = shown(seen("closed"), None, fault="Permission denied", may_ask=False)
    assert told.passes
    assert rows(told)["breaker"].startswith("closed") and "only root" in rows(told)["requests"]


@pytest.mark.parametrize("published", [None, replace(seen("closed"), seen=before(600))], ids=["never", "long ago"])
def test_breaker_that_says_nothing_is_not_shown_as_closed(published):
    told = shown(published, replace(UP, status="UP", is_held=False))
    assert rows(told)["breaker"].startswith("not at work") and "lets requests through" in rows(told)["breaker"]
    assert not shown(published, None, may_ask=False).passes


def test_mistakes_in_the_configuration_do_not_hide_the_breaker():
    told = shown(seen("closed"), config=None)
    assert "check-config" in rows(told)["door"] and rows(told)["breaker"].startswith("closed")


def test_address_that_the_machine_lacks_is_named():
    assert "this machine does not have 192.0.2.7 now" in render(shown(seen("closed"), absent=("192.0.2.7",)))
