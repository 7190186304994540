"""A check in words."""

import dataclasses
import os

import pytest

from plexguard.core.found import FoundPlex, Server
from plexguard.core.guarded import Unproven
from plexguard.core.published import ProxySeen
from plexguard.plex_probe.config import Config
from plexguard.plex_probe.decide import State, decide
from plexguard.plex_probe.explain import describe, describe_door, explain_check
from plexguard.plex_probe.ladder import Problem
from plexguard.plex_probe.look import Answer, Level, Look
from plexguard.plex_probe.observe import Observation
from plexguard.plex_probe.server import SeenServer, ServerState
from plexguard.plex_probe.states import Verdict
from tests.fakes.ports import FakeClock
from tests.unit.plex_probe.samples import see

CONFIG = Config()
FOUND = FoundPlex(server=Server.UNIT, name="plexmediaserver.service", url="http://127.0.0.1:32400")
SERVER = SeenServer(state=ServerState.RUNNING, detail="plexmediaserver.service is active (running, result success)")


def explain(seen: Observation, *, past: State | None = None, config: Config = CONFIG) -> dict[str, list[str]]:
    """Return the texts of the rows by their names."""
    now = FakeClock().moment()
    past = past or State(answered="")
    text = explain_check(FOUND, seen, decide(seen, config, past, now, now), config, past=past, in_day=3)
    rows: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, rest = line.partition(" ")
        rows.setdefault(name, []).append(rest.strip())
    return rows


def test_every_level_is_shown_with_its_time() -> None:
    latencies = {"tcp": 0.001, "identity": 0.002, "token": 0.003, "database": 0.02}
    look = Look(answer=Answer.WELL, level=Level.DATABASE, latencies=latencies)

    rows = explain(Observation(looks=(look,), server=SERVER, processes="Plex Media Serv (pid 7, sleeping)", viewers=2))

    assert [rows[level.value][0].partition("  ")[0] for level in Level] == [
        "1 ms",
        "2 ms",
        "3 ms",
        "20 ms",
        "not asked (read_media = false)",
    ]
    assert rows["viewers"] == ["2"]
    assert rows["update"] == ["none at work"]
    assert rows["restarts"] == ["0 of 2 in this outage, 3 of 6 in 24 h"]
    assert rows["verdict"] == ["healthy"]
    assert rows["follows"] == ["nothing: all is well"]


def test_the_level_that_fails_is_named_and_those_behind_it_were_not_asked() -> None:
    looks = (
        Look(answer=Answer.SILENT, level=Level.IDENTITY, detail="/identity: no whole answer in time", latencies={"tcp": 0.0}),
    ) * 3

    rows = explain(Observation(looks=looks, server=SERVER))

    assert rows["identity"] == ["failed: /identity: no whole answer in time"]
    assert rows["token"] == rows["database"] == ["not asked"]
    assert rows["looks"] == ["3: no answer, no answer, no answer"]
    # What would follow has not happened.
    assert rows["restarts"] == ["0 of 2 in this outage, 3 of 6 in 24 h"]
    assert rows["verdict"] == ["hung"]
    assert rows["follows"] == ["would tell plex.hung", "would tell plex.restart-asked", "would ask for a restart"]


@pytest.mark.parametrize(("uid", "hint"), [(0, ""), (65534, ", which only root may read")])
def test_without_a_token_it_says_what_could_not_be_asked(monkeypatch: pytest.MonkeyPatch, uid: int, hint: str) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    look = Look(answer=Answer.LIMITED, level=Level.TOKEN, latencies={"tcp": 0.0, "identity": 0.001})

    rows = explain(Observation(looks=(look,), server=SERVER))

    assert rows["token"] == [f"not asked: no token is known{hint}"]
    assert rows["viewers"] == ["not told"]


def test_slowness_that_is_not_certain_yet_is_shown_as_such() -> None:
    rows = explain(see(Answer.WELL, latencies={"identity": 3.0}))

    assert rows["verdict"] == ["healthy, not yet degraded"]


def test_after_giving_up_nothing_follows() -> None:
    clock = FakeClock()
    state = State(answered="")
    for _ in range(10):
        clock.pass_time(90)
        state = decide(see(Answer.SILENT), CONFIG, state, clock.moment(), clock.moment()).state

    now = clock.moment()
    plan = decide(see(Answer.SILENT), CONFIG, state, now, now)

    assert "no more restarts are tried" in explain_check(FOUND, see(Answer.SILENT), plan, CONFIG, past=state, in_day=2)


def test_restarts_that_are_switched_off_are_shown_so() -> None:
    assert explain(see(Answer.WELL), config=dataclasses.replace(CONFIG, restart=False))["restarts"] == [
        "none are made (restart = false)"
    ]


def test_one_line_tells_version_verdict_times_and_what_failed() -> None:
    now = FakeClock().moment()
    well = see(Answer.WELL, version="1.43", latencies={"tcp": 0.001, "identity": 0.002, "database": 0.02})
    looks = (
        Look(answer=Answer.SILENT, level=Level.IDENTITY, detail="/identity: no whole answer in time", latencies={"tcp": 0.0}),
    ) * 3
    hung = Observation(looks=looks, server=SERVER)

    assert (
        describe(decide(well, CONFIG, State(answered=""), now, now).state) == "Plex 1.43: healthy (identity 2 ms, database 20 ms)"
    )
    assert describe(decide(hung, CONFIG, State(answered=""), now, now).state) == "Plex: hung (/identity: no whole answer in time)"


def test_the_front_door_is_told_as_far_as_it_is_known() -> None:
    clock = FakeClock()
    then = clock.moment()
    shut = ProxySeen(phase="open", opened=then, trigger="checks", text="Plex is down", seen=then)
    clock.pass_time(40)

    assert describe_door(None, clock.moment()) == ""
    assert describe_door(ProxySeen(phase="closed", seen=then), clock.moment()) == "requests pass to Plex"
    assert describe_door(shut, clock.moment()) == "open for 40 s, callers are turned away: Plex is down (checks)"
    clock.pass_time(60)
    assert describe_door(shut, clock.moment()) == "not known: its breaker has not looked for 100 s"


def test_the_front_door_has_a_row() -> None:
    seen, now, past = see(Answer.WELL), FakeClock().moment(), State(answered="")
    plan = decide(seen, CONFIG, past, now, now)

    assert "\ndoor        shut\n" in explain_check(FOUND, seen, plan, CONFIG, past=past, in_day=0, door="shut")
    assert "\ndoor" not in explain_check(FOUND, seen, plan, CONFIG, past=past, in_day=0)


def test_a_mount_that_is_not_proven_is_named_with_what_follows_from_it() -> None:
    mount = Unproven(name="media", mount_point="/mnt/media", verdict="hung", why="hung: no answer for 40 s")
    seen = dataclasses.replace(see(Answer.SILENT), mounts=(mount,))
    past = State(
        answered="", verdict=Verdict.HUNG, problem=Problem(verdict=Verdict.HUNG, began=FakeClock().moment(), told=(Verdict.HUNG,))
    )

    rows = explain(seen, past=past)

    assert rows["mounts"] == ["/mnt/media is not proven (hung: no answer for 40 s)"]
    assert rows["follows"] == ["nothing: no restart brings back /mnt/media"]
    assert explain(see(Answer.WELL))["mounts"] == ["none of its libraries is on a guarded mount that is not proven"]
