"""The breaker, deciding over a real HAProxy, before a Plex that hangs, errs, goes away and comes back."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from plexguard.core.clock import SystemClock
from plexguard.core.published import ProbeSeen, ProxySeen
from plexguard.proxy import act, prepare
from plexguard.proxy.decide import Phase, Trigger
from tests.fakes.upstream import Upstream
from tests.integration.proxy.door import Door
from tests.waiting import await_true

LIBRARIES = b'{"MediaContainer":{"size":0}}'


def serving(peer, _asked):
    peer.answer(200, LIBRARIES, "Content-Type: application/json")


def failing(peer, _asked):
    peer.answer(500, b"", "Content-Type: text/html")


def hanging(peer, _asked):
    peer.hang()


def only_checks(then):
    """plexguard's own checks are answered well."""
    return lambda peer, asked: serving(peer, asked) if asked.header("User-Agent") == "plexguard" else then(peer, asked)


@pytest.fixture
def plex() -> Iterator[Upstream]:
    upstream = Upstream(serving)
    yield upstream
    upstream.close()


@pytest.fixture
def door(plex: Upstream) -> Iterator[Door]:
    with Door(plex.url) as opened:
        opened.guard()
        yield opened


def await_phase(door: Door, phase: Phase, *, timeout_s: float = 20) -> None:
    await_true(lambda: door.phase is phase, what=f"the breaker is {phase.value}", timeout_s=timeout_s)


def told(door: Door, name: str) -> dict[str, object]:
    """Return the values of the only event of that name, when it has been told: that comes after the phase."""
    await_true(lambda: name in door.journal.names, what=f"{name} is told")
    return door.journal.values(name)


def from_callers(plex: Upstream) -> list[str]:
    return [asked.path for asked in plex.asked if asked.header("User-Agent") != "plexguard"]


def test_fifth_failure_in_a_row_opens_and_the_sixth_request_does_not_reach_plex(plex, door):
    plex.script = only_checks(failing)
    assert [door.get("/library/sections").status for _ in range(7)] == [500] * 5 + [503] * 2
    await_phase(door, Phase.OPEN)
    assert door.breaker.state.trigger is Trigger.TRAFFIC
    assert from_callers(plex) == ["/library/sections"] * 5


def test_one_good_answer_ends_a_row_of_failures(plex, door):
    plex.script = lambda peer, asked: failing(peer, asked) if "bad" in asked.path else serving(peer, asked)
    assert [door.get("/hubs/bad" if n % 5 else "/hubs").status for n in range(20)].count(503) == 0


def test_time_outs_count_while_they_are_repeated(plex):
    # HAProxy counts a request when it is given up; the breaker counts each attempt.
    with Door(plex.url, open_after=5) as door:
        door.guard()
        plex.script = only_checks(hanging)
        threads = [threading.Thread(target=lambda: door.get("/library/sections")) for _ in range(6)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        await_phase(door, Phase.OPEN)
        opened_s = time.monotonic() - began
        for thread in threads:
            thread.join(10)
        assert opened_s < 1.9
        assert len(from_callers(plex)) <= 12


@pytest.mark.parametrize("fault", ["503", "hang", "reset"])
def test_one_broken_item_that_is_asked_for_again_and_again_is_one_failure_each_time(plex, fault):
    """Each request is made three times, and HAProxy counts up to five columns for it."""

    def fail(peer, _asked):
        peer.answer(503, b"") if fault == "503" else peer.hang() if fault == "hang" else peer.reset()

    with Door(plex.url, metadata_limit=timedelta(milliseconds=300)) as door:
        door.guard()
        plex.script = only_checks(fail)
        for failures in range(1, 5):
            assert door.get("/library/metadata/7").status in (503, 504)
            await_true(lambda n=failures: door.breaker.state.failures == n, what=f"{failures} failures in a row")
        assert door.phase is Phase.CLOSED
        door.get("/library/metadata/7")
        await_phase(door, Phase.OPEN)
        assert door.breaker.state.trigger is Trigger.TRAFFIC


def test_failed_checks_open_it_without_any_traffic(plex, door):
    plex.script = hanging
    await_phase(door, Phase.OPEN)
    assert door.breaker.state.trigger is Trigger.CHECKS
    opened = told(door, "proxy.opened")
    assert opened["reason"] == "down" and opened["detail"] == "3 checks in a row have failed"


def test_open_lets_nothing_through_and_half_open_only_checks(plex):
    with Door(plex.url, open_for=timedelta(seconds=2)) as door:
        door.guard()
        plex.script = failing
        await_phase(door, Phase.OPEN)
        asked = len(plex.asked)
        # At a tenth of a second each, for as long as it is open.
        while door.phase is Phase.OPEN and door.breaker.state.trials == 0:
            assert door.get("/library/sections").status == 503
            time.sleep(0.05)
        await_true(lambda: len(plex.asked) > asked, what="a check of the half-open breaker")
        assert from_callers(plex) == []
        # It fails, and shuts again.
        await_phase(door, Phase.OPEN)


def test_it_closes_after_three_good_checks_and_tells_how_long_it_was_open(plex, door):
    plex.script = failing
    await_phase(door, Phase.OPEN)
    plex.script = serving
    checks = len(plex.asked)
    await_phase(door, Phase.CLOSED)
    assert len(plex.asked) - checks >= 3
    assert door.get("/library/sections").status == 200
    assert told(door, "proxy.closed")["downtime_s"] > 1
    assert [name for name in door.journal.names if name.startswith("proxy.")] == ["proxy.opened", "proxy.half-open", "proxy.closed"]


def test_waiting_crowd_does_not_trample_plex_when_it_comes_back(plex, door):
    plex.script = hanging
    await_phase(door, Phase.OPEN)
    crowd = [threading.Thread(target=lambda: door.get("/library/sections")) for _ in range(50)]
    for thread in crowd:
        thread.start()
    await_phase(door, Phase.HALF_OPEN)
    for thread in crowd:
        thread.join(10)
    assert from_callers(plex) == []


def seen(verdict: str) -> ProbeSeen:
    return ProbeSeen(verdict=verdict, checked=SystemClock().moment())


@pytest.mark.parametrize(
    ("verdict", "reason"), [("maintenance", "maintenance"), ("updating", "updating"), ("starting", "restarting"), ("hung", "down")]
)
def test_verdict_of_the_probe_opens_it_with_its_reason(plex, door, verdict, reason):
    time.sleep(0.2)
    door.probe = seen(verdict)
    await_phase(door, Phase.OPEN)
    # The gate is shut first, and what is said follows.
    got = await_true(
        lambda: (
            json.loads((found := door.get("/library/sections", Accept="application/json")).body).get("reason") == reason and found
        ),
        what="a refusal with its reason",
    )
    answer = json.loads(got.body)
    assert (got.status, answer["error"]) == (503, "Service unavailable")
    # They may be a second apart: the one is changed after the other.
    assert 1 <= answer["retry_after_s"] <= 5 and 1 <= int(got.headers["retry-after"]) <= 5
    assert (door.breaker.state.trigger, told(door, "proxy.opened")["trigger"]) == (Trigger.VERDICT, "verdict")


def test_old_verdict_does_not_open_what_checks_have_closed(plex, door):
    time.sleep(0.2)
    door.probe = seen("down")
    await_phase(door, Phase.OPEN)
    await_phase(door, Phase.CLOSED)
    time.sleep(1)
    assert door.phase is Phase.CLOSED


def test_drain_turns_away_and_ready_lets_in_after_checks(plex, door):
    act.drain(door.runtime, door.marker)
    await_phase(door, Phase.OPEN)
    time.sleep(2.5)
    assert (door.get("/library/sections").status, from_callers(plex)) == (503, [])
    plex.script = only_checks(hanging)
    checks = len(plex.asked)
    act.let_go(door.runtime, door.marker, is_guarded=True)
    assert door.get("/library/sections").status == 503
    plex.script = serving
    await_phase(door, Phase.CLOSED)
    assert len(plex.asked) - checks >= 3 and door.get("/library/sections").status == 200


def test_open_breaker_stays_open_through_a_reload_and_keeps_its_reason(plex):
    with Door(plex.url, open_for=timedelta(seconds=30)) as door:
        door.guard()
        time.sleep(0.2)
        door.probe = seen("maintenance")
        await_phase(door, Phase.OPEN)
        door.reload()
        plex.asked.clear()
        assert [door.get("/library/sections").status for _ in range(50)] == [503] * 50
        await_true(
            lambda: json.loads(door.get("/", Accept="application/json").body)["reason"] == "maintenance", what="the reason is back"
        )
        assert plex.asked == []


def test_breaker_that_starts_again_goes_on_where_it_was(plex):
    with Door(plex.url, open_for=timedelta(seconds=30)) as door:
        door.guard()
        plex.script = failing
        await_phase(door, Phase.OPEN)
        published = door.folder / "state.json"
        await_true(lambda: json.loads(published.read_text())["phase"] == "open", what="it is published")
        assert json.loads(published.read_text())["opens"] == 1
        door.guard()
        assert door.phase is Phase.OPEN


def test_proxy_that_starts_again_is_shut_again(plex):
    with Door(plex.url, open_for=timedelta(seconds=30)) as door:
        door.guard()
        plex.script = failing
        await_phase(door, Phase.OPEN)
        door.stop("run")
        door.start("run")
        await_true(lambda: not door.runtime.look().lets_through, what="the gate is shut again")


@pytest.mark.parametrize("drained", [False, True])
def test_proxy_that_crashes_while_it_is_shut_begins_shut(plex, drained):
    with Door(plex.url) as door:
        door.stop("run")
        prepare.make_servers(Path(door.places.run), door.url, is_shut=True, is_drained=drained)
        door.start("run")
        assert [door.get(path).status for path in ("/hubs", "/library/parts/1/2/a.mkv")] == [503, 503]
        assert plex.asked == [] and door.runtime.look().is_drained is drained
        if not drained:
            # Nobody else is there to open it.
            await_true(lambda: door.get("/hubs").status == 200, what="HAProxy's own checks open it")


def test_drained_door_stays_so_when_the_proxy_begins_anew_and_leads_to_another_plex(plex, door):
    act.drain(door.runtime, door.marker)
    await_phase(door, Phase.OPEN)
    prepare.make_servers(Path(door.places.run), door.url, is_shut=False, is_drained=False)
    door.stop("run")
    door.start("run")
    await_true(lambda: door.runtime.look().is_drained, what="it is drained again")
    time.sleep(2)
    assert door.runtime.look().is_drained


def test_door_that_is_let_go_without_a_breaker_is_opened_by_haproxy(plex):
    with Door(plex.url) as door:
        act.drain(door.runtime, door.marker)
        assert door.get("/hubs").status == 503
        assert act.let_go(door.runtime, door.marker, is_guarded=False)
        await_true(lambda: door.get("/hubs").status == 200, what="HAProxy's own checks open it")


def test_haproxy_guards_by_itself_when_the_breaker_is_gone(plex):
    with Door(plex.url) as door:
        door.shut()
        act.release(door.runtime)
        await_true(lambda: door.runtime.look().lets_through, what="HAProxy's own checks open it")
        plex.close()
        await_true(lambda: not door.runtime.look().lets_through, what="and shut it")


def test_stranger_at_the_port_of_plex_is_not_believed(plex, door):
    def lie(peer, _asked):
        peer.answer(200, b"<html>hello</html>", "Content-Type: text/html")

    plex.script = lie
    await_phase(door, Phase.OPEN)


def test_state_is_published_for_others(door):
    record = json.loads((door.folder / "state.json").read_text())
    assert record.pop("schema") == act.STATE_SCHEMA
    assert record["phase"] == "closed" and set(record) == set(ProxySeen.__dataclass_fields__)


def test_callers_who_do_not_end_what_they_send_do_not_shut_the_door_for_others(plex, door):
    stalled = []
    for path in ("/library/metadata/1/posters", "/library/sections", "/library/parts/1/2/file.mkv") * 3:
        peer = socket.create_connection(("127.0.0.1", door.port), 10)
        stalled.append(peer)
        peer.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n".encode() + b"x" * 50_000)
    for peer in stalled:
        with contextlib.closing(peer):
            assert b" 504 " in peer.recv(4096)
    # What became of a request after these is known: so it is of these.
    plex.script = only_checks(failing)
    assert door.get("/library/sections").status == 500
    await_true(lambda: door.breaker.state.failures == 1, what="the one failure that counts")
    assert door.journal.names == [] and door.phase is Phase.CLOSED
