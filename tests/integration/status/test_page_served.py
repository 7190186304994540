"""The page and the server it belongs to: what the one answers, the other shows."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from plexguard.core.published import SpeedLine, SpeedResult
from plexguard.core.responses import Response
from plexguard.status.overview import PlexView, ProblemView, State, Thing
from plexguard.status.server.serve import PAGE
from tests.fakes.told import FakeEvents, tell
from tests.integration.browser import Browser
from tests.integration.status.serving import Running, Sources, serving

pytestmark = pytest.mark.xdist_group("chromium")

NOW = datetime.now(UTC)
HOSTILE = "<img src=x onerror=alert(1)> $(reboot) \x1b[31m"


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


@dataclass
class House:
    browser: Browser
    server: Running
    url: str


@pytest.fixture
def house(browser: Browser, tmp_path: Path) -> Iterator[House]:
    told = (
        tell("plex.down", ago(hours=5), looks=3, server="a unit", processes="none"),
        tell("plex.recovered", ago(hours=5, minutes=-2), problem="down", downtime_s=120.0, restarts=1),
        tell("speed.result", ago(hours=14)),
    )
    result = SpeedResult(download_bit_per_s=938e6, upload_bit_per_s=41e6, ping_ms=9.0, server="New York")
    checks = [
        Response(
            at=int(ago(minutes=10 * n).timestamp()),
            verdict="healthy",
            latencies={"tcp": 0.0004, "identity": 0.004, "database": 0.011},
        )
        for n in range(130)
    ]
    checks[30:40] = [Response(at=check.at, verdict="down", failed="tcp") for check in checks[30:40]]
    sources = Sources(
        events=FakeEvents(told),
        responses=tuple(checks),
        speed=(SpeedLine(time=ago(hours=14), day="2026-11-21", result=result),),
    )
    with serving(tmp_path, sources, page=PAGE) as server:
        yield House(browser, server, f"http://127.0.0.1:{server.port}/")


def test_page_shows_what_the_server_knows(house):
    browser = house.browser
    browser.open(house.url)
    browser.wait_link("live")
    browser.wait_text("#verdict", "All is well")
    browser.wait_text("#problems", "2 people are watching")
    browser.wait_text("#events", "Plex answers again after 120 s")
    browser.wait_text("#timeline", "1 incident, all over")
    browser.wait_text("#timeline", "2 min")
    browser.wait_text("#response .readout", "usual 11 ms")
    browser.wait_text("#speed .readout", "download 938 Mbit/s, upload 41 Mbit/s, ping 9 ms")
    assert browser.find("#response .failed")
    browser.run("[...document.querySelectorAll('#events summary')].find((s) => s.textContent.includes('Plex is down')).click()")
    browser.wait_text("#events .runbook", "What to do")
    assert browser.find("#events .runbook code")
    assert not browser.text("footer").count("Not read")
    assert browser.console() == []


@pytest.mark.parametrize("span", ["7d", "30d"])
def test_every_range_is_answered(house, span):
    browser = house.browser
    browser.open(house.url)
    browser.wait_text("#timeline", "1 incident")
    browser.run(f"document.getElementById('range-{span}').click()")
    browser.wait(lambda: browser.run("return document.querySelector('#timeline .tick') !== null"), "a time line")
    browser.wait_text("#timeline", "1 incident")
    assert "Not read" not in browser.text("footer")


@pytest.mark.parametrize("choice", ["changes and problems", "problems", "errors"])
def test_every_choice_of_events_is_answered(house, choice):
    browser = house.browser
    browser.open(house.url)
    browser.wait(lambda: len(browser.find("#events > li")) == 3, "all events")
    browser.find("#priority")[0].send_keys(choice)
    browser.wait(lambda: len(browser.find("#events details")) < 3, "fewer")
    assert "Not read" not in browser.text("footer")


def test_older_events_are_answered(house):
    browser = house.browser
    house.server.sources.events.add(*(tell("perms.repaired", ago(hours=4, minutes=-n), n) for n in range(120)))
    browser.open(house.url)
    browser.wait(lambda: len(browser.find("#events > li")) >= 50, "a page")
    while more := browser.find("#more button"):
        shown = len(browser.find("#events > li"))
        more[0].click()
        browser.wait(lambda shown=shown: len(browser.find("#events > li")) > shown, "more")
    ids = browser.run("return [...document.querySelectorAll('#events > li')].map((row) => row.dataset.key)")
    assert len(ids) == len(set(ids)) == 123


def test_an_incident_comes_over_the_stream_and_its_texts_stay_text(house):
    browser = house.browser
    browser.open(house.url)
    browser.wait_link("live")
    browser.wait_text("#verdict", "All is well")
    house.server.sources.change(
        healthy=False,
        problems=(ProblemView(text=HOSTILE, since=ago(minutes=3), command=f"ls {HOSTILE}"),),
        things=(Thing(name="plex", title="Plex", state=State.PROBLEM, summary=HOSTILE, details=((HOSTILE, HOSTILE),)),),
        plex=PlexView(verdict="down", detail=HOSTILE, consecutive_failures=6),
    )
    house.server.sources.events.add(tell("plex.down", datetime.now(UTC), 1, looks=3, server=HOSTILE, processes="none"))
    browser.wait_text("#events > li:first-child", "<img src=x")
    browser.wait_text("#timeline", "1 of them going on")
    browser.wait_text("#verdict h1", "<img src=x onerror=alert(1)>")
    browser.wait_text("#problems", "6 checks in a row failed")
    assert browser.run("return document.querySelectorAll('main img').length") == 0
    assert browser.console() == []


def test_a_server_that_ends_is_seen_and_what_was_known_stays(browser, tmp_path):
    with serving(tmp_path, page=PAGE) as server:
        browser.open(f"http://127.0.0.1:{server.port}/")
        browser.wait_link("live")
        browser.wait_text("#verdict", "All is well")
    browser.wait_link("away")
    browser.wait_text("#away", "Last heard")
    assert "All is well" in browser.text("#verdict")
