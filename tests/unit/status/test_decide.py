"""The overview: what is well, what is not, and what nobody can tell."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from plexguard.core import published
from plexguard.core.clock import Moment
from plexguard.core.events import FilePath
from plexguard.core.found import FoundPlex, Server
from plexguard.core.manager import Timer, Unit
from plexguard.core.published import Reading
from plexguard.core.records import encode
from plexguard.core.unreadable import Record, Unreadable
from plexguard.status.act import judge
from plexguard.status.decide import decide
from plexguard.status.observe import JournalSeen, Limits
from plexguard.status.overview import State
from plexguard.status.show import plain, render
from tests.unit.status.test_incidents import fold, tell
from tests.unit.status.world import NOW, NOW_S, before, make_seen, overview, state, thing, wall, with_unit

W, P, U, X, O = State.WARNING, State.PROBLEM, State.UNKNOWN, State.WELL, State.OFF  # noqa: E741
PROBE_TIMER = "plexguard-plex-probe.timer"


def hung(**changes: Any) -> published.ProbeSeen:
    values = {"detail": "no answer", "level": "identity", "found": "hung", "found_in_row": 3, "checked": before(12)}
    return published.ProbeSeen(**{"verdict": "hung", "problem": published.PlexProblemSeen(began=before(180)), **values, **changes})


def test_a_machine_on_which_all_is_well_is_healthy() -> None:
    found = overview()

    assert {thing.name: thing.state for thing in found.things if thing.state not in (X, O)} == {}
    assert found.healthy
    assert found.problems == ()
    assert judge(found) == 0


def test_the_overview_is_json() -> None:
    found = json.loads(json.dumps(encode(overview(probe=hung()))))

    assert (found["host"], found["healthy"], found["plex"]["verdict"], found["at"]) == (
        "house",
        False,
        "hung",
        NOW.wall.isoformat(),
    )
    assert found["things"][0]["details"][0] == ["server", "unit plexmediaserver.service at http://127.0.0.1:32400"]


# -- Plex -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        ("healthy", X),
        ("degraded", W),
        ("down", P),
        ("hung", P),
        ("erroring", P),
        ("database-blocked", P),
        ("maintenance", W),
        ("updating", W),
        ("starting", W),
        ("stopped", O),
        ("misconfigured", P),
        ("unknown", U),
        ("a word of a later version", P),
    ],
)
def test_a_verdict_of_the_probe_has_a_state(verdict: str, expected: State) -> None:
    assert state("plex", probe=published.ProbeSeen(verdict=verdict, checked=before(12))) is expected


def test_a_hung_plex_is_a_problem_with_its_begin_and_the_command_that_shows_more() -> None:
    found = overview(probe=hung())

    (problem,) = found.problems
    assert problem.text == "Plex: hung for 3 min: no answer"
    assert (problem.since, problem.command) == (wall(180), "plexguard-plex-probe --explain")
    assert (found.plex.consecutive_failures, found.healthy, judge(found)) == (3, False, 1)


def test_a_plex_that_was_given_up_is_left_to_a_person() -> None:
    given_up = hung(verdict="degraded", problem=published.PlexProblemSeen(began=before(180), restarts=2, gave_up=True))

    assert "left to you" in thing("plex", probe=given_up).summary


def test_silence_that_is_not_certain_yet_is_no_health() -> None:
    assert state("plex", probe=published.ProbeSeen(verdict="healthy", checked=before(1), silent_since=before(9))) is W


@pytest.mark.parametrize(("age_s", "expected"), [(200, X), (220, P)])
def test_what_the_probe_found_too_long_ago_is_a_problem_of_its_own(age_s: float, expected: State) -> None:
    found = overview(probe=published.ProbeSeen(verdict="healthy", checked=before(age_s), viewers=2))

    assert found.things[0].state is expected
    assert (found.plex.verdict, found.plex.viewers) == (("healthy", 2) if expected is X else ("unknown", None))


@pytest.mark.parametrize("ahead_s", [60, 1e9, 1e300])
def test_what_claims_to_be_from_the_future_is_not_known(ahead_s: float) -> None:
    probe = published.ProbeSeen(verdict="healthy", checked=replace(NOW, uptime_s=NOW_S + ahead_s))

    assert state("plex", probe=probe) is U
    assert overview(probe=probe).plex.verdict == "unknown"


@pytest.mark.parametrize(
    "began", [replace(NOW, uptime_s=-1e300), replace(NOW, boot_id="other", wall=datetime(1, 1, 1, tzinfo=UTC))]
)
def test_a_time_that_no_calendar_has_spoils_nothing(began: Moment) -> None:
    found = overview(probe=hung(problem=published.PlexProblemSeen(began=began)))

    assert found.things[0].state is P
    assert plain(render(found))


def test_a_longer_interval_makes_the_probe_stale_later() -> None:
    old = published.ProbeSeen(verdict="healthy", checked=before(600))

    assert state("plex", probe=old, limits=Limits(probe_interval=timedelta(minutes=5))) is X


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"active_state": "inactive", "file_state": "disabled"}, "is disabled"),
        ({"active_state": "inactive", "file_state": "masked"}, "is masked"),
        ({"active_state": "failed", "file_state": "masked"}, "is masked"),
        ({"active_state": "inactive"}, "is stopped"),
        ({"active_state": "failed"}, "has failed"),
        ({"load_state": "not-found"}, "is not installed"),
    ],
)
def test_a_probe_whose_timer_starts_nothing_is_a_problem_even_when_its_last_check_was_just_now(
    change: dict[str, str], words: str
) -> None:
    found = thing("plex", units=with_unit(PROBE_TIMER, **change))

    assert found.state is P
    assert found.summary.startswith(f"{PROBE_TIMER} {words}")
    assert found.command


def test_a_probe_that_never_ran_is_not_known() -> None:
    assert state("plex", probe=None) is U


def test_a_machine_that_was_just_started_has_a_moment_to_look() -> None:
    just_up = Moment(wall=NOW.wall, boot_id="boot-2", uptime_s=40.0)

    found = decide(make_seen(now=just_up, now_s=40.0, probe=published.ProbeSeen(verdict="healthy", checked=before(600))))

    assert (found.things[0].state, found.plex.verdict) == (W, "unknown")


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        (Reading(record=None), "has not been looked for yet"),
        (Reading(record=None, why="Failed to read it: Permission denied"), "Permission denied"),
        (Reading(record=FoundPlex(server=Server.NONE, missing="there is none")), "there is none"),
    ],
)
def test_which_server_is_plex_may_be_unknown(reading: Reading[FoundPlex], words: str) -> None:
    found = overview(plex=reading)

    assert found.things[0].state is U
    assert words in found.things[0].summary
    assert judge(found) == 69


def test_a_state_that_cannot_be_read_is_never_well() -> None:
    found = thing("plex", probe=Reading(record=None, why="Failed to read it: Permission denied"))

    assert (found.state, found.summary) == (U, "Failed to read it: Permission denied")


@pytest.mark.parametrize(
    ("viewers", "expected", "words"),
    [(0, X, "nobody"), (1, X, "1 player is"), (3, X, "3 players are"), (None, U, "does not tell")],
)
def test_streams_are_told(viewers: int | None, expected: State, words: str) -> None:
    found = overview(probe=published.ProbeSeen(verdict="healthy", checked=before(1), viewers=viewers))

    assert found.things[1].state is expected
    assert words in found.things[1].summary
    # Not to know who watches is no fault.
    assert found.healthy


# -- network and speed ------------------------------------------------------------------------------------------------


def network(verdict: str, **changes: Any) -> published.NetworkSeen:
    return published.NetworkSeen(**{"verdict": verdict, "checked": before(20), **changes})


@pytest.mark.parametrize(
    ("verdict", "expected"), [("online", X), ("no-dns", P), ("no-internet", P), ("no-link", P), ("switched-off", W), ("unknown", U)]
)
def test_a_verdict_of_the_network_check_has_a_state(verdict: str, expected: State) -> None:
    assert state("network", network=network(verdict)) is expected


def test_a_loss_that_was_given_up_says_so() -> None:
    lost = network("no-gateway", problem=published.LossSeen(began=before(600), gave_up=True))

    found = thing("network", network=lost)

    assert found.since == wall(600)
    assert "for 10 min" in found.summary
    assert "left to you" in found.summary


def test_a_network_check_that_somebody_switched_off_is_off_and_one_that_stopped_is_a_problem() -> None:
    off = with_unit("plexguard-net-recover.timer", active_state="inactive", file_state="disabled")
    stopped = with_unit("plexguard-net-recover.timer", active_state="inactive")

    assert (state("network", units=off), state("network", units=stopped)) == (O, P)


@pytest.mark.parametrize(
    ("changes", "expected", "words"),
    [
        ({}, X, "93.4 Mbit/s down, 21.0 up, ping 12 ms, 10 h ago"),
        ({"speed_lines": ()}, W, "no test has succeeded yet"),
        ({"speed_lines": (published.SpeedLine(time=wall(60), day="", failure="no answer"),)}, W, "yet: no answer"),
        ({"speed": published.SpeedSeen(missing="speedtest-cli")}, W, "no command speedtest-cli"),
        ({"speed": published.SpeedSeen(slow=("upload",))}, W, "upload below the usual"),
        ({"speed": Reading(record=None, why="torn")}, U, "torn"),
        ({"units": with_unit("plexguard-speed-test.timer", active_state="inactive", file_state="disabled")}, O, "disabled"),
    ],
)
def test_the_line_has_a_speed(changes: dict[str, Any], expected: State, words: str) -> None:
    found = thing("speed", **changes)

    assert found.state is expected
    assert words in found.summary


def test_a_speed_of_days_ago_is_none_of_now() -> None:
    (line,) = make_seen().speed_lines

    assert state("speed", speed_lines=(replace(line, time=wall(5 * 86_400)),)) is W


# -- media ------------------------------------------------------------------------------------------------------------


def test_media_that_stay_unreadable_are_a_problem_with_a_command_that_a_shell_takes() -> None:
    paths = {"/srv/it's.mkv": Unreadable(since=before(30), reason="r"), "/srv/b.mkv": Unreadable(since=before(900), reason="r")}

    found = thing("permissions", unreadable=Record(paths=paths))

    assert (found.state, found.since) == (P, wall(900))
    assert found.summary == "2 media files stay unreadable to Plex: /srv/it's.mkv"
    assert found.command == """plexguard-perms-audit explain '/srv/it'"'"'s.mkv'"""


@pytest.mark.parametrize(
    ("changes", "expected", "words"),
    [
        ({}, X, "60 s ago and left nothing"),
        ({"audit": published.AuditSeen(mounts={"/m": "/"}, left_out=("/mnt/a",))}, X, "left out /mnt/a: not proven then"),
        ({"audit": None}, U, "no audit has succeeded yet"),
        ({"audit": published.AuditSeen()}, U, "no audit has succeeded yet"),
        ({"audit": published.AuditSeen(mounts={"/m": "/"}, told={"read-only": 3, "other": 1})}, W, "left 4: read-only"),
        ({"audit": Reading(record=None, why="torn")}, U, "torn"),
        ({"units": with_unit("plexguard-perms-audit.timer", active_state="inactive")}, W, "is stopped"),
        (
            {
                "units": with_unit(
                    "plexguard-perms-audit.service", active_state="failed", result="exit-code", exit_code=1, ended_s=NOW_S
                )
            },
            W,
            "ended with exit-code, code 1",
        ),
    ],
)
def test_permissions_are_as_the_last_audit_left_them(changes: dict[str, Any], expected: State, words: str) -> None:
    found = thing("permissions", **changes)

    assert found.state is expected
    assert words in found.summary


def test_an_audit_of_hours_ago_is_a_warning() -> None:
    units = {
        name: replace(unit, started_s=1.0, ended_s=2.0) if unit.started_s else unit for name, unit in make_seen().units.items()
    }

    assert state("permissions", units=units) is W


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, X),
        ({"logs": published.LogsSeen(folder="/l", unreadable={"logs": before(60)})}, W),
        ({"logs": None}, U),
        ({"units": with_unit("plexguard-log-watch.service", active_state="inactive")}, W),
        ({"units": with_unit("plexguard-log-watch.service", active_state="inactive", file_state="disabled")}, O),
        ({"units": {}, "manager_why": "no bus"}, U),
    ],
)
def test_the_log_is_followed_or_not(changes: dict[str, Any], expected: State) -> None:
    assert state("logs", **changes) is expected


# -- what comes with later parts --------------------------------------------------------------------------------------


def test_without_mounts_and_runs_each_is_off() -> None:
    found = overview()

    assert (found.mounts, found.cloud_runs) == ((), ())
    assert {state(name) for name in ("mounts", "trash", "cloud", "notifications")} == {O}


def test_where_no_archive_was_made_yet_it_is_said_how_one_is() -> None:
    never = thing("backups", backups={})
    off = thing("backups", backups={}, units=with_unit("plexguard-db-export.timer", active_state="inactive", file_state="disabled"))

    assert (never.state, never.command) == (W, "systemctl start plexguard-db-export.service")
    assert (off.state, off.command) == (O, "systemctl enable --now plexguard-db-export.timer")


@pytest.mark.parametrize(
    ("backup", "expected"),
    [
        (published.BackupSeen(database="library", made=wall(3_600), path="/b"), X),
        (published.BackupSeen(database="library", made=wall(8 * 86_400)), X),
        (published.BackupSeen(database="library", made=wall(10 * 86_400)), W),
        (published.BackupSeen(database="library", made=wall(3_600), failure="disk full"), W),
        (published.BackupSeen(database="library"), P),
        (Reading(record=None), U),
    ],
)
def test_a_backup_that_never_was_is_a_problem(backup: Any, expected: State) -> None:
    assert state("backups", backups={"library": backup}) is expected


@pytest.mark.parametrize(("phase", "expected"), [("scan", X), ("done", X), ("stopped", X), ("failed", P)])
def test_a_run_in_the_cloud_is_shown(phase: str, expected: State) -> None:
    run = published.CloudRunSeen(phase=phase, began=wall(60), updated=wall(1), done=3, total=9, eta=wall(-7_200), cost_euros=1.5)
    found = overview(cloud_runs={"delta": run})

    assert found.cloud_runs[0].cost_euros == 1.5
    assert [thing.state for thing in found.things if thing.name == "cloud"] == [expected]


NOTIFY = "plexguard-notify.service"
HOOK = published.ChannelSeen(name="hook", kind="webhook", waiting=7, oldest=wall(60), dropped=2, state="failed", reason="refused")


def notify(*channels: published.ChannelSeen, trouble: str = "") -> published.NotifySeen:
    return published.NotifySeen(checked=before(30), channels=channels, trouble=trouble)


def test_the_worst_channel_says_how_notifications_are() -> None:
    found = overview(notify=notify(published.ChannelSeen(name="home", kind="mail"), HOOK))

    assert [problem.text for problem in found.problems] == ["Notifications: 2 channels, 7 unsent, 2 dropped; hook: refused"]
    assert [(channel.name, channel.waiting, channel.state) for channel in found.channels] == [("home", 0, X), ("hook", 7, P)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, X),
        ({"state": "quiet", "waiting": 3, "oldest": wall(20_000)}, X),
        ({"state": "waiting", "waiting": 3, "oldest": wall(60)}, X),
        ({"state": "waiting", "waiting": 3, "oldest": wall(1_801)}, W),
        ({"state": "a word of a later version"}, P),
    ],
)
def test_what_waits_for_long_is_late_but_in_quiet_hours(changes: dict[str, Any], expected: State) -> None:
    assert state("notifications", notify=notify(published.ChannelSeen(name="home", kind="mail", **changes))) is expected


def test_events_that_cannot_be_taken_are_a_problem() -> None:
    assert state("notifications", notify=notify(published.ChannelSeen(name="home", kind="mail"), trouble="disk full")) is P


@pytest.mark.parametrize(("active", "expected"), [("active", P), ("inactive", P), ("activating", P)])
def test_nothing_is_sent_by_a_service_that_does_not_run(active: str, expected: State) -> None:
    units = with_unit(NOTIFY, active_state=active, file_state="enabled", started_s=5.0, ended_s=9.0)

    found = thing("notifications", units=units, notify=notify(HOOK))

    assert found.state is expected
    assert ("does not run" in found.summary) is (active == "inactive")


# -- the machinery ----------------------------------------------------------------------------------------------------


def test_a_unit_that_failed_is_a_problem_by_its_name() -> None:
    failed = with_unit("plexguard-discover.service", active_state="failed", result="timeout", ended_s=NOW_S - 90)

    found = overview(units=failed)

    (problem,) = found.problems
    assert problem.text == "plexguard-discover.service has failed (timeout)"
    assert (problem.since, problem.command) == (wall(90), "journalctl -x -e -u plexguard-discover.service")
    assert judge(found) == 1


def test_a_check_that_found_something_is_no_unit_that_failed() -> None:
    found = with_unit("plexguard-plex-probe.service", active_state="failed", result="exit-code", exit_code=1)

    assert state("units", units=found) is X


def test_a_service_that_had_nothing_to_do_is_no_fault() -> None:
    ended = with_unit(NOTIFY, active_state="inactive", file_state="enabled", started_s=5.0, left_active_s=6.0, ended_s=6.0)
    stopped = with_unit(NOTIFY, active_state="inactive", file_state="enabled", started_s=5.0, left_active_s=6.0, ended_s=7.0)

    skipped = with_unit(NOTIFY, active_state="inactive", file_state="enabled", started_s=0.0, was_skipped=True)
    waits = with_unit(NOTIFY, active_state="inactive", file_state="enabled", started_s=0.0)

    assert (state("units", units=ended), state("units", units=stopped)) == (X, W)
    assert (state("units", units=skipped), state("units", units=waits)) == (X, W)


def test_what_is_on_and_does_not_run_is_a_warning_by_its_name() -> None:
    found = overview(units=with_unit("plexguard-perms-guard.service", active_state="inactive"))

    assert [problem.command for problem in found.problems] == ["systemctl start plexguard-perms-guard.service"]
    assert found.healthy


@pytest.mark.parametrize("file_state", ["enabled", "disabled"])
def test_without_the_target_nothing_is_guarded(file_state: str) -> None:
    assert state("units", units=with_unit("plexguard.target", active_state="inactive", file_state=file_state)) is P


def test_what_somebody_switched_off_is_shown() -> None:
    off = with_unit("plexguard-speed-test.timer", active_state="inactive", file_state="disabled")

    assert thing("units", units=off).details == (("disabled", "plexguard-speed-test.timer"),)


def test_a_manager_that_does_not_answer_leaves_the_units_unknown_and_no_timers() -> None:
    found = overview(units={}, timers={}, manager_why="no bus")

    assert [thing.state for thing in found.things if thing.name == "units"] == [U]
    assert (found.timers, found.things[0].state) == ((), X)


def test_a_timer_has_run_when_its_service_has() -> None:
    name = "plexguard-perms-audit-full"
    units = with_unit(f"{name}.service", started_s=0.0)
    first_start = {f"{name}.timer": Timer(name=f"{name}.timer", last=wall(5), next=wall(-60))}
    long_ago = {f"{name}.timer": Timer(name=f"{name}.timer", last=wall(NOW_S + 5))}

    def view(units: dict[str, Unit], timers: dict[str, Timer]) -> tuple[object, str]:
        (found,) = [timer for timer in overview(units=units, timers=timers).timers if timer.unit == f"{name}.timer"]
        return found.last, found.result

    assert view(units, first_start) == (None, "")
    assert view(units, long_ago) == (wall(NOW_S + 5), "")
    assert view(with_unit(f"{name}.service", active_state="activating"), first_start) == (wall(61), "running")
    assert view(with_unit(f"{name}.service", result="timeout"), first_start) == (wall(61), "timeout")


def told(*events: Any) -> JournalSeen:
    return JournalSeen(incidents=fold(list(events)), since=wall(7 * 86_400))


def test_what_was_told_and_is_not_over_is_shown_with_its_runbook() -> None:
    found = overview(told=told(tell("container.docker-lost", -600)))

    (problem,) = found.problems
    assert problem.command == "journalctl -x PLEXGUARD_EVENT=container.docker-lost"
    assert found.healthy


def test_a_problem_that_comes_again_as_another_is_shown_with_the_runbook_of_what_it_is_now() -> None:
    fault = {"mount": "films", "path": FilePath("/mnt/films"), "reason": "why", "signals": "kernel", "silent_s": 1.0}
    proven = {"mount": "films", "problem": "absent", "downtime_s": 5.0, "remounts": 0}
    found = overview(
        told=told(tell("mount.absent", -600, **fault), tell("mount.proven", -590, **proven), tell("mount.hung", -500, **fault))
    )

    (problem,) = [problem for problem in found.problems if "films" in problem.text]
    assert "hangs" in problem.text
    assert problem.command == "journalctl -x PLEXGUARD_EVENT=mount.hung"


def test_what_is_grave_and_not_over_is_a_problem() -> None:
    assert state("events", told=told(tell("perms.unhealthy", -600, path=FilePath("/m")))) is P


@pytest.mark.parametrize(
    "events",
    [
        (tell("perms.unhealthy", -600, path=FilePath("/m")), tell("perms.healthy", -300, path=FilePath("/m"), downtime_s=300.0)),
        # Its state is newer than its events, and says that it is well.
        (tell("plex.hung", -600),),
        (tell("net.lost", -600),),
        (tell("config.invalid", -600),),
    ],
)
def test_what_is_over_is_only_counted(events: tuple[Any, ...]) -> None:
    found = thing("events", told=told(*events))

    assert (found.state, found.summary) == (X, "1 incident in 24 h")


def test_a_journal_that_is_younger_than_a_day_says_so() -> None:
    found = thing("events", told=JournalSeen(since=wall(600)))

    assert (found.state, found.summary) == (X, "0 incidents since 2026-03-01 11:50 UTC, where the journal begins")


def test_a_user_who_may_not_read_the_journal_is_told_how() -> None:
    found = overview(told=JournalSeen(why="no right"))

    assert [problem.text for problem in found.problems] == ["Events: no right"]
    assert "systemd-journal" in found.problems[0].command
    assert judge(found) == 69


def test_a_journal_that_was_not_read_whole_is_a_warning() -> None:
    assert state("events", told=JournalSeen(since=wall(3_600), why="it is long")) is W


def test_mistakes_in_the_configuration_are_problems_one_by_one() -> None:
    found = overview(mistakes=("a.toml: one", "b.toml: two"))

    assert [problem.text for problem in found.problems] == ["a.toml: one", "b.toml: two"]
    assert judge(found) == 1


def test_what_is_grave_comes_first() -> None:
    found = overview(probe=None, speed_lines=(), network=network("no-dns"))

    assert [problem.text.partition(":")[0] for problem in found.problems] == ["Network", "Plex", "Speed"]


# -- budgets ----------------------------------------------------------------------------------------------------------


def test_budgets_count_what_was_used_within_their_period() -> None:
    found = overview(
        restarts=published.RestartsSeen(restarts=(before(90_000), before(80_000), before(10))),
        probe=hung(problem=published.PlexProblemSeen(began=before(60), restarts=1)),
        network=network("no-dns", rounds=(before(4_000), before(10))),
        reboots=published.RebootsSeen(reboots=(published.RebootSeen(at=before(10), is_dated=True),)),
        limits=Limits(reboot=True),
    )

    used = {budget.name: (budget.used, budget.limit, budget.left) for budget in found.budgets}
    assert used == {
        "restarts of Plex": (2, 6, 4),
        "restarts of Plex in this outage": (1, 2, 1),
        "rounds of network steps": (1, 3, 2),
        "reboots": (1, 1, 0),
        "speed tests": (0, 4, 4),
    }


def test_what_is_switched_off_has_no_budget() -> None:
    found = overview(limits=Limits(restart=False, reboot=False))

    assert {budget.limit for budget in found.budgets if budget.name in ("restarts of Plex", "reboots")} == {0}


def test_a_budget_whose_record_cannot_be_read_is_not_made_up() -> None:
    found = overview(restarts=Reading(record=None, why="torn"))

    assert "restarts of Plex" not in [budget.name for budget in found.budgets]


@pytest.mark.parametrize(("zone", "used"), [("UTC", 3), ("Pacific/Kiritimati", 1)])
def test_speed_tests_are_counted_by_the_days_of_their_zone(zone: str, used: int) -> None:
    days = {"2026-03-01": published.SpeedDay(attempts=3), "2026-03-02": published.SpeedDay(attempts=1)}

    found = decide(make_seen(speed=published.SpeedSeen(days=days), limits=Limits(speed_zone=ZoneInfo(zone))))

    assert [budget.used for budget in found.budgets if budget.name == "speed tests"] == [used]
