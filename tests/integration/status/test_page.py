"""The status page in a real Chromium: what it shows, what it survives, and who can use it."""

import re

import pytest
from selenium.webdriver.common.keys import Keys

from plexguard.core.records import decode, encode
from plexguard.status.overview import Overview
from tests.fakes.status_api import RUNBOOK, ago, event, ill, incident, make_ill, series, thing, timeline, told, well
from tests.integration.browser import SIZES

# One browser at a time is enough for a machine.
pytestmark = pytest.mark.xdist_group("chromium")

HOSTILE = (
    "<script>document.title = 'taken'</script>",
    "<img src=x onerror=\"document.title = 'taken'\">",
    "\"'><svg onload=\"document.title = 'taken'\">",
    "{{constructor.constructor('document.title = 1')()}}",
    "\u202etxet eht snrut\u202c \x00\x1b[31m\ud800",
    "javascript:document.title='taken'",
)


def test_page_loads_and_says_that_all_is_well(browser, api):
    api.told = told()
    browser.open(api.url)
    browser.wait_link("live")
    browser.wait_text("#verdict", "All is well")
    browser.wait_text("#events", "Plex answers again after 48 s")
    browser.wait_text("#timeline", "No incident")
    browser.wait_text("#response", "latest")
    assert browser.run("return document.querySelectorAll('#things > li').length") == len(api.overview["things"])
    assert "✓ All is well" in browser.driver.title
    assert browser.console() == []


def test_what_is_wrong_is_said_first_with_since_when_and_a_command(browser, api):
    make_ill(api)
    browser.open(api.url)
    browser.wait_text("#verdict h1", "2 things are wrong")
    for problem in api.overview["problems"]:
        assert problem["text"] in browser.text("#problems")
        assert problem["command"] in browser.text("#problems code")
    assert "for 12 min" in browser.text("#problems")
    # Each state has a word and a shape.
    words = browser.run(
        "return [...document.querySelectorAll('#things > li')].map((card) => [card.className, card.querySelector('.badge').textContent, card.querySelector('.badge path').getAttribute('d')])"
    )
    assert {word for _, word, _ in words} == {"well", "warning", "problem", "unknown", "off"}
    assert len({tuple(row) for row in [(word, shape) for _, word, shape in words]}) == 5
    assert "70 %" in browser.text("#runs .big")
    assert "analyze: 83211 of 118020" in browser.text("#runs")
    assert "€ 5.62" in browser.text("#runs")
    mounts = browser.text("#mounts")
    assert "files open after 9 s" in mounts
    assert all(words in mounts for words in ("9.2 s", "31 GB", "50 GB", "hung: no bytes for 40 s"))
    assert "held for mount media" in browser.text("#things")
    assert "253 MB" in browser.text("#backups")
    assert "4 waiting" in browser.text("#channels")
    assert "0 of 6 left" in browser.text("#budgets")
    assert "plexguard-speed-test.timer" in browser.text("#timers")
    assert browser.console() == []


def test_one_problem_is_the_headline_itself(browser, api):
    api.overview = ill()
    api.overview["problems"] = api.overview["problems"][:1]
    browser.open(api.url)
    browser.wait_text("#verdict h1", "Plex hangs: it takes connections and does not answer")
    assert browser.find("#verdict")[0].get_attribute("role") == "status"


@pytest.mark.parametrize(
    ("states", "healthy", "headline"),
    [
        (["well", "off"], True, "All is well"),
        (["well", "warning"], True, "Nothing is down, 1 thing to look at"),
        (["well", "unknown"], False, "T1: as it is"),
        (["unknown", "unknown"], False, "2 things are not known"),
        (["unknown", "problem"], False, "T1: as it is"),
        (["problem", "problem", "unknown"], False, "2 things are wrong"),
        (["well"], False, "Something is wrong"),
    ],
)
def test_headline_says_what_is_the_matter_when_no_problem_has_a_name(browser, api, states, healthy, headline):
    api.overview |= {
        "healthy": healthy,
        "things": [thing(f"t{number}", f"T{number}", state, "as it is") for number, state in enumerate(states)],
    }
    browser.open(api.url)
    browser.wait(lambda: browser.text("#verdict h1") == headline, headline)


def test_problems_of_what_nobody_has_looked_at_yet_are_no_alarm(browser, api):
    api.overview |= {
        "healthy": False,
        "things": [thing("plex", "Plex", "unknown", "not looked at yet")],
        "problems": [{"text": "Plex: not looked at yet"}, {"text": "Network: not looked at yet"}],
    }
    browser.open(api.url)
    browser.wait_text("#verdict h1", "2 things to look at")
    assert browser.find("#verdict .verdict.warning")


def test_a_page_that_has_no_width_yet_draws_nothing_wrong(browser, api):
    browser.open(api.url)
    browser.wait_text("#verdict", "All is well")
    browser.run("document.querySelector('main').hidden = true")
    browser.wait(lambda: browser.run("return document.getElementById('timeline').clientWidth") == 0, "no width")
    browser.run("document.getElementById('range-7d').click()")
    browser.wait(lambda: any("series?range=7d" in path for path in api.asked), "asked")
    browser.run("document.querySelector('main').hidden = false")
    browser.look()
    browser.wait_text("#timeline", "No incident")
    assert browser.console() == []


def test_parts_that_are_not_there_are_not_shown(browser, api):
    browser.open(api.url)
    browser.wait_text("#verdict", "All is well")
    for part in ("runs", "mounts", "backups"):
        assert not browser.find(f"#{part}-section")[0].is_displayed()


def test_an_incident_is_shown_as_it_happens(browser, api):
    browser.open(api.url)
    browser.wait_text("#verdict", "All is well")
    browser.wait(lambda: api.streams == 1, "a stream")
    api.timelines["24h"] = timeline("24h", [incident("plex.down", "Plex is down", "error", ago(seconds=5), None)])
    api.overview = ill()
    api.push("overview", api.overview)
    api.tell(event("plex.down", "Plex does not take connections", "error", **RUNBOOK))
    browser.wait_text("#verdict", "2 things are wrong")
    browser.wait_text("#events > li:first-child", "Plex does not take connections")
    browser.wait_text("#timeline", "1 incident, 1 of them going on")
    assert browser.find("#timeline .band.open.problem")
    assert browser.driver.title.startswith("✗ 2 things are wrong")


def test_the_same_event_twice_is_shown_once(browser, api):
    one = event("plex.down", "Plex does not take connections", "error")
    browser.open(api.url)
    browser.wait_link("live")
    browser.wait(lambda: api.streams == 1, "a stream")
    api.tell(one)
    api.push("told", one)
    api.tell(event("plex.recovered", "Plex is back"))
    browser.wait_text("#events", "Plex is back")
    assert browser.text("#events").count("Plex does not take connections") == 1


def test_hostile_texts_stay_text(browser, api):
    make_ill(api)
    for number, text in enumerate(HOSTILE):
        api.overview["things"].append(thing(text, text, "problem", text, details=[[text, text]], command=text))
        api.overview["problems"].append({"text": text, "since": text, "command": text})
        api.overview["timers"].append({"unit": text, "last": text, "next": None, "result": text})
        api.overview["mounts"].append({"name": text, text: text, "state": text, "summary": text, "command": text})
        api.overview["channels"].append({"name": text, "kind": text, "state": text, "reason": text, "waiting": text})
        api.overview["budgets"].append({"name": text, "period": text})
        api.overview["cloud_runs"].append({"name": text, "phase": text})
        api.told.append(event("plex.down", f"{text} {number}", "error", fields={text: text}, meaning=text, action=f"Do:\n  {text}"))
        more = incident("plex.down", text, "error", ago(hours=1), None, about=text, area=text)
        api.timelines["24h"]["incidents"].append(more)
        api.series["24h"]["response"].append({"at": ago(minutes=1), "seconds": None, "slowest": None, "verdict": text})
    api.overview["host"] = HOSTILE[0]
    browser.open(api.url)
    browser.wait_text("#events", HOSTILE[0])
    browser.wait_text("#timeline", HOSTILE[1])
    for summary in browser.find("#events summary"):
        browser.run("arguments[0].click()", summary)
    browser.wait_text("#events .runbook code", HOSTILE[0])
    browser.wait_text("#things", HOSTILE[2])
    assert browser.driver.title != "taken"
    assert browser.run("return document.querySelectorAll('script').length") == 1
    assert browser.run("return document.querySelectorAll('main img, main script, [onload], [onerror]').length") == 0
    assert browser.console() == []


@pytest.mark.parametrize(
    "answer",
    [None, [], {}, "text", 7, {"healthy": None}, {"healthy": False}, {"things": "no", "problems": {}, "plex": [], "timers": 3}],
    ids=str,
)
def test_answers_that_make_no_sense_break_nothing(browser, api, answer):
    api.overview = answer
    api.told = [None, 7, {}, {"id": "a"}, {"id": "b", "at": "never", "severity": 3, "fields": [], "runbook": None}]
    api.timelines["24h"] = answer
    api.series["24h"] = {"from": ago(hours=24), "to": ago(), "response": [None, {}, {"at": ago(), "seconds": "1"}], "speed": "none"}
    browser.open(api.url)
    browser.wait_text("#verdict h1", "omething is wrong" if answer == {"healthy": False} else "does not say how it is")
    browser.wait(lambda: len(browser.find("#events > li")) == 2, "two events")
    browser.wait_text("#response", "no answer")
    assert browser.console() == []


def test_missing_fields_are_left_out(browser, api):
    nulls = {
        "things": [{"name": "plex"}, {"title": "Plex", "details": [[], ["a"], None], "since": None}],
        "problems": [{"text": None}],
        "timers": [{"unit": "a.timer", "last": None, "next": None, "result": None}],
        "budgets": [{"name": "Restarts", "used": None, "limit": None}],
        "channels": [{"name": "phone", "waiting": None}],
        "mounts": [{}],
        "backups": [{"size_bytes": None}],
        "cloud_runs": [{"name": "delta", "done": None, "total": 0, "eta": None, "began": None, "cost_euros": None}],
    }
    api.overview = well() | nulls | {"healthy": False}
    browser.open(api.url)
    browser.wait_text("#verdict h1", "2 things are not known")
    browser.wait_text("#runs", "not known yet")
    shown = browser.text("main")
    assert not re.findall(r"undefined|null|NaN|Invalid|\[object", shown)


def test_huge_lists_are_cut(browser, api):
    api.overview["things"] = [thing(f"t{number}", f"Thing {number} {'x' * 5000}", "well", "y" * 50_000) for number in range(2000)]
    api.timelines["30d"] = timeline(
        "30d",
        [
            incident("plex.down", f"Plex was down {number}", "error", ago(minutes=3 * number + 3), ago(minutes=3 * number + 1))
            for number in range(5000)
        ],
    )
    api.told = [event("plex.down", f"Event {number} {'z' * 3000}", "error") for number in range(1000)]
    browser.open(api.url)
    browser.wait_text("#events", "Event 0")
    browser.run("document.getElementById('range-30d').click()")
    browser.wait_text("#timeline", "5000 incidents")
    browser.run("document.querySelector('[data-act=all-incidents]').click()")
    browser.wait_text("#timeline", "4500 more are not listed")
    assert browser.run("return document.querySelectorAll('*').length") < 12_000
    assert browser.run("return document.documentElement.scrollWidth") == SIZES["desktop"][0]


def test_older_events_are_asked_for(browser, api):
    api.told = [event("plex.recovered", f"Event {number}", at=ago(minutes=number)) for number in range(120)]
    browser.open(api.url)
    for shown in (50, 100, 120):
        browser.wait(lambda shown=shown: len(browser.find("#events > li")) == shown, f"{shown} events")
        if shown < 120:
            browser.find("#more button")[0].click()
    assert not browser.find("#more button")


def test_only_problems_are_shown_when_asked_for(browser, api):
    api.told = told()
    browser.open(api.url)
    browser.wait(lambda: len(browser.find("#events > li")) == 8, "all events")
    browser.find("#priority")[0].send_keys("problems")
    browser.wait(lambda: len(browser.find("#events > li")) == 2, "problems only")
    browser.wait(lambda: api.streams == 1, "a stream")
    api.tell(event("perms.audited", "Examined 3 files", "info"))
    api.tell(event("plex.down", "Plex does not take connections", "error"))
    browser.wait_text("#events", "Plex does not take connections")
    assert "Examined 3 files" not in browser.text("#events")


# -- when the server is not what it should be ---------------------------------------------------------------------------


def test_page_greys_out_when_the_server_goes_away_and_comes_back(browser, api):
    api.told = told()
    browser.open(api.url)
    browser.wait_link("live")
    browser.wait_text("#verdict", "All is well")
    browser.wait_text("#events", "Plex answers again")
    api.stop()
    browser.wait_link("away")
    browser.wait_text("#away", "Last heard")
    browser.wait(lambda: re.search(r"Last heard [1-9]\d* s ago", browser.text("#away")), "seconds that pass")
    assert "grayscale(1)" in browser.run("return getComputedStyle(document.querySelector('main')).filter")
    assert "no connection" in browser.text("#link")
    # What was known is still there, and is not said to be so now.
    assert "Last heard: All is well" in browser.text("#verdict")
    assert browser.driver.title.startswith("? no connection")
    assert "Plex answers again" in browser.text("#events")
    browser.screenshot("away")
    api.told.insert(0, event("net.lost", "While you were not listening", "warning"))
    api.overview = ill()
    api.start()
    browser.wait_link("live")
    browser.wait_text("#events", "While you were not listening")
    browser.wait_text("#verdict", "2 things are wrong")
    assert browser.driver.title.startswith("✗ 2 things")
    assert "Last heard" not in browser.text("#verdict")
    assert not browser.find("#away")[0].is_displayed()
    assert browser.run("return getComputedStyle(document.querySelector('main')).filter") == "none"


def test_trying_again_can_be_asked_for(browser, api):
    browser.open(api.url)
    browser.wait_link("live")
    api.stop()
    browser.wait_text("#away", "Next try in")
    api.start()
    browser.find("#away button")[0].click()
    browser.wait_link("live")


def test_a_stream_that_breaks_off_is_taken_up_again_without_alarm(browser, api):
    browser.open(api.url)
    browser.wait_link("live")
    browser.run(
        "window.seen = []; new MutationObserver(() => window.seen.push(document.body.dataset.link)).observe(document.body, {attributes: true})"
    )
    browser.wait(lambda: api.streams == 1, "a stream")
    api.end_streams()
    browser.wait(lambda: browser.run("return window.seen.at(-1)") == "live", "live again")
    assert "away" not in browser.run("return window.seen")
    browser.wait(lambda: api.streams == 1, "a new stream")
    api.tell(event("plex.down", "Plex does not take connections", "error"))
    browser.wait_text("#events", "Plex does not take connections")


@pytest.mark.parametrize("mode", ["busy", "cut", "foreign"])
def test_bad_answers_at_the_first_load_are_said_and_asked_again(browser, api, mode):
    api.mode = mode
    browser.open(api.url)
    browser.wait_text("#timeline", "tried again")
    browser.wait_text("#footer", "Not read")
    api.mode = "well"
    browser.wait_text("#verdict", "All is well")
    browser.wait_text("#timeline", "No incident")
    browser.wait(lambda: "Not read" not in browser.text("#footer"), "everything read")


def test_slow_answers_come_late_and_in_their_place(browser, api):
    api.mode = "slow"
    api.timelines["7d"] = timeline("7d", [incident("plex.down", "Of the week", "error", ago(days=2), ago(days=1))])
    api.timelines["30d"] = timeline("30d", [incident("plex.down", "Of the month", "error", ago(days=20), ago(days=19))])
    browser.open(api.url)
    browser.run("document.getElementById('range-7d').click()")
    api.mode = "well"
    browser.run("document.getElementById('range-30d').click()")
    browser.wait_text("#timeline", "Of the month")
    browser.wait_text("#verdict", "All is well")
    # The answer of the week arrives after that of the month.
    browser.wait(lambda: sum("range=7d" in path for path in api.asked) == 2, "both asked")
    assert (
        browser.driver.execute_async_script(
            "setTimeout(() => arguments[0](document.querySelector('#timeline').textContent), 1500)"
        ).count("Of the week")
        == 0
    )


def test_messages_of_the_stream_that_make_no_sense_break_nothing(browser, api):
    browser.open(api.url)
    browser.wait_link("live")
    browser.wait(lambda: api.streams == 1, "a stream")
    for data in ("{", "null", "[]", '{"id": 3}', '"text"'):
        api.push("told", data)
    api.push("overview", "{")
    api.tell(event("plex.down", "Plex does not take connections", "error"))
    browser.wait_text("#events", "Plex does not take connections")
    assert "All is well" in browser.text("#verdict")
    assert browser.console() == []


def test_a_browser_with_a_wrong_clock_counts_by_the_server(browser, api):
    make_ill(api)
    late = "const real = Date; const shift = 3 * 3600e3; globalThis.Date = class extends real { constructor(...a) { a.length ? super(...a) : super(real.now() + shift); } static now() { return real.now() + shift; } };"
    added = browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": late})
    try:
        browser.open(api.url)
        browser.wait_text("#problems", "for 12 min")
    finally:
        browser.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


# -- without a mouse, on a phone, in the dark ---------------------------------------------------------------------------


def test_ranges_are_chosen_with_the_arrow_keys(browser, api):
    api.timelines["7d"] = timeline("7d", [incident("plex.down", "Of the week", "error", ago(days=2), ago(days=1))])
    browser.open(api.url)
    browser.wait_text("#timeline", "No incident")
    browser.run("document.getElementById('range-24h').focus()")
    browser.press(Keys.ARROW_RIGHT)
    assert browser.focused() == "range-7d"
    browser.wait_text("#timeline", "Of the week")
    assert [tab.get_attribute("aria-selected") for tab in browser.find("[role=tab]")] == ["false", "true", "false"]
    assert [tab.get_attribute("tabindex") for tab in browser.find("[role=tab]")] == ["-1", "0", "-1"]
    assert browser.find("#history")[0].get_attribute("aria-labelledby") == "range-7d"
    browser.press(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert browser.focused() == "range-30d"
    browser.press(Keys.HOME)
    assert browser.focused() == "range-24h"
    browser.wait_text("#timeline", "No incident")


def test_runbooks_are_unfolded_with_the_keyboard_and_stay_open_while_events_come(browser, api):
    api.told = told()
    browser.open(api.url)
    browser.wait_text("#events", "Plex hangs")
    browser.run("[...document.querySelectorAll('#events summary')].find((s) => s.textContent.includes('Plex hangs')).focus()")
    browser.press(Keys.ENTER)
    browser.wait_text("#events .runbook", RUNBOOK["meaning"])
    assert [title.text for title in browser.find("#events .runbook h4")] == [
        "What it means",
        "How it was decided",
        "What plexguard did",
        "What to do",
        "Details",
    ]
    assert [code.text for code in browser.find("#events .runbook code")] == [
        line.strip() for line in RUNBOOK["action"].split("\n") if line.startswith(" ")
    ]
    browser.press(Keys.TAB)
    before = browser.focused()
    browser.wait(lambda: api.streams == 1, "a stream")
    api.tell(event("plex.down", "Plex does not take connections", "error"))
    browser.wait_text("#events > li:first-child", "Plex does not take connections")
    assert browser.focused() == before
    assert browser.run("return document.activeElement.dataset.copy") == "plexguard-plex-probe --explain"
    assert len(browser.find("#events details[open]")) == 1


def test_a_command_is_copied_with_the_keyboard(browser, api):
    make_ill(api)
    browser.open(api.url)
    browser.wait_text("#verdict", "2 things are wrong")
    browser.run(
        "window.copied = []; navigator.clipboard.writeText = async (line) => window.copied.push(line); document.querySelector('#problems .copy').focus()"
    )
    browser.press(Keys.ENTER)
    browser.wait_text("#toast", "Copied: plexguard-plex-probe --explain")
    assert browser.run("return window.copied") == ["plexguard-plex-probe --explain"]


def test_a_command_is_selected_where_there_is_no_clipboard(browser, api):
    make_ill(api)
    browser.open(api.url)
    browser.wait_text("#verdict", "2 things are wrong")
    browser.run(
        "navigator.clipboard.writeText = async () => { throw new Error('no'); }; document.execCommand = () => false; document.querySelector('#problems .copy').click()"
    )
    browser.wait_text("#toast", "Ctrl+C")
    assert browser.run("return getSelection().toString()") == "plexguard-plex-probe --explain"


def test_a_chart_is_read_point_by_point_with_the_keyboard_and_as_a_table(browser, api):
    browser.open(api.url)
    browser.wait_text("#response", "latest")
    browser.run("document.querySelector('#response .plot').focus()")
    last = browser.find("#response .plot")[0].get_attribute("aria-valuetext")
    browser.press(Keys.ARROW_LEFT)
    plot = browser.find("#response .plot")[0]
    assert plot.get_attribute("aria-valuenow") == str(len(series("24h")["response"]) - 2)
    assert plot.get_attribute("aria-valuetext") != last
    assert browser.find("#response .cursor")
    assert plot.get_attribute("aria-valuetext") in browser.text("#response .readout")
    browser.press(Keys.HOME)
    assert browser.find("#response .plot")[0].get_attribute("aria-valuenow") == "0"
    browser.press(Keys.TAB, Keys.ENTER)
    browser.wait(lambda: len(browser.find("#response tbody tr")) == 288, "a row for each point")
    assert "no answer" in browser.text("#response") or "hung" in browser.text("#response tbody")


def test_everything_that_can_be_done_is_reached_with_tab_and_shows_it(browser, api):
    make_ill(api)
    browser.open(api.url)
    browser.wait_text("#verdict", "2 things are wrong")
    browser.wait_text("#events", "Plex hangs")
    browser.wait_text("#response", "latest")
    wanted = browser.run(
        "return [...document.querySelectorAll('a, button, select, summary, [tabindex=\"0\"]')].filter((e) => e.tabIndex >= 0 && e.checkVisibility()).length"
    )
    seen = []
    browser.run("document.activeElement.blur(); window.scrollTo(0, 0)")
    for _ in range(wanted):
        browser.press(Keys.TAB)
        seen.append(
            browser.run(
                "const e = document.activeElement; const s = getComputedStyle(e); return [[...document.querySelectorAll('*')].indexOf(e), e.nodeName, s.outlineStyle, parseFloat(s.outlineWidth)]"
            )
        )
    assert len({position for position, *_ in seen}) == wanted
    assert [position for position, *_ in seen] == sorted(position for position, *_ in seen)
    assert not [row for row in seen if row[2] == "none" or row[3] < 2]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
def test_page_fits_and_can_be_read(browser, api, size, theme):
    make_ill(api)
    api.told[3]["message"] = "A path that nobody can break: " + "/srv/media/" + "x" * 300
    browser.look(size=size, theme=theme)
    browser.open(api.url)
    browser.wait_link("live")
    for place, words in (("#events", "A path that"), ("#timeline", "6 incidents"), ("#speed", "latest"), ("#verdict", "2 things")):
        browser.wait_text(place, words)
    browser.screenshot(f"{theme}-{size}")
    for summary in browser.find("#events summary, .table summary"):
        browser.run("arguments[0].click()", summary)
    browser.wait_text("#events .runbook", "How it was decided")
    assert browser.run("return document.documentElement.scrollWidth") == SIZES[size][0]
    assert browser.faint_texts() == []
    assert browser.run(_TOO_SMALL) == []
    height = browser.run("return document.documentElement.scrollHeight")
    browser.resize(SIZES[size][0], height, is_mobile=size == "phone")
    browser.screenshot(f"{theme}-{size}-whole")
    assert browser.console() == []


# What is pressed with a finger is 24 px at least each way (WCAG 2.2, 2.5.8; links within a text are left out).
_TOO_SMALL = """
return [...document.querySelectorAll("button, select, summary, .jump a")].filter((e) => e.checkVisibility()).map((e) => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])
  .filter(([, box]) => box.width < 24 || box.height < 24).map(([html, box]) => [html, box.width, box.height]);
"""


def test_drawings_follow_the_width_of_the_window(browser, api):
    browser.open(api.url)
    browser.wait_text("#speed", "latest")
    for width in (700, 1280, 360):
        browser.resize(width, 900)
        fits = "return [...document.querySelectorAll('.drawing')].every((d) => d.width.baseVal.value === Math.floor(d.parentElement.clientWidth))"
        browser.wait(lambda fits=fits: browser.run(fits), f"drawings for {width}")


def test_times_have_their_exact_moment(browser, api):
    make_ill(api)
    browser.open(api.url)
    browser.wait_text("#events", "Plex hangs")
    times = browser.run("return [...document.querySelectorAll('time')].map((t) => [t.dateTime, t.title])")
    assert len(times) > 20
    assert not [row for row in times if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", row[0]) or not row[1]]


def test_times_are_in_the_zone_of_the_browser(browser, api):
    api.overview["things"][0]["since"] = "2026-03-01T23:30:00+00:00"
    zone = {"timezoneId": "Asia/Tokyo"}
    browser.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", zone)
    try:
        browser.open(api.url)
        browser.wait_text("#things", "2 Mar, 08:30")
        browser.wait_text("#footer", "Asia/Tokyo")
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ""})


def test_a_journal_that_does_not_reach_back_is_said(browser, api):
    api.timelines["24h"]["complete"] = False
    browser.open(api.url)
    browser.wait_text("#timeline", "does not reach back so far")


@pytest.mark.parametrize("house", [well, ill], ids=["well", "ill"])
def test_the_fake_says_what_the_server_says(house):
    told_by_fake = house()
    overview = decode(Overview, told_by_fake)
    assert told_by_fake.keys() == encode(overview).keys()
    for part in ("things", "problems", "timers", "budgets", "channels", "mounts", "trash", "backups", "cloud_runs"):
        assert [one.keys() for one in told_by_fake[part]] == [one.keys() for one in encode(overview)[part]]
