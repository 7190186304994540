"""From what a check finds to what is told and done."""

import dataclasses
from datetime import timedelta

import pytest

from plexguard.core.clock import Moment
from plexguard.core.events import Tell
from plexguard.core.guarded import Unproven
from plexguard.core.records import decode, encode
from plexguard.plex_probe import events
from plexguard.plex_probe.config import Config
from plexguard.plex_probe.decide import Plan, State, decide
from plexguard.plex_probe.ladder import AskRestart, Problem
from plexguard.plex_probe.look import Answer, Level, Look
from plexguard.plex_probe.observe import Observation
from plexguard.plex_probe.progress import Marks
from plexguard.plex_probe.server import SeenServer, ServerState
from plexguard.plex_probe.states import Verdict
from tests.fakes.ports import FakeClock
from tests.unit.plex_probe.samples import see

CONFIG = Config()
# Plex has answered before, at the address that the samples have.
KNOWN = State(answered="")


class Checks:
    """Checks one after the other, each given the state of the one before, as it comes from the disk."""

    def __init__(self, config: Config = CONFIG) -> None:
        self.clock = FakeClock()
        self.config = config
        self.state = State(answered="")
        self.told: list[str] = []
        self.values: list[dict[str, object]] = []
        self.restarts = 0

    def check(
        self,
        *answers: Answer,
        server: ServerState = ServerState.RUNNING,
        took_s: float = 18.0,
        after_s: float = 30.0,
        put_off: bool = False,
        refused: bool = False,
        update: str = "",
        progress: str | None = "",
        version: str = "",
        slow_s: float = 0.0,
        writing: bool | None = False,
        viewers: int | None = None,
        mounts: tuple[Unproven, ...] = (),
        connections: int = 0,
    ) -> Verdict:
        self.clock.pass_time(after_s)
        began = self.clock.moment()
        self.clock.pass_time(took_s)
        seen = see(*answers, server=server, update=update, version=version, latencies={"identity": slow_s})
        marks = Marks() if progress is None else Marks(log="log", database=f"database {progress}")
        seen = dataclasses.replace(
            seen,
            marks=marks,
            ask_was_put_off=put_off,
            ask_was_refused=refused,
            database_moves=writing,
            viewers=viewers,
            mounts=mounts,
            connections=connections,
        )
        plan = decide(seen, self.config, self.state, began, self.clock.moment())
        self.state = decode(State, encode(plan.state))
        for step in plan.steps:
            if isinstance(step, Tell):
                self.told.append(step.event.name)
                self.values.append(dict(step.values))
            else:
                self.restarts += 1
        return plan.state.verdict


# -- one check --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "event"),
    [
        (Answer.REFUSED, events.DOWN),
        (Answer.SILENT, events.HUNG),
        (Answer.FAILING, events.ERRORING),
        (Answer.BROKEN, events.ERRORING),
        (Answer.DATABASE_SILENT, events.DATABASE_BLOCKED),
        (Answer.MAINTENANCE, events.MAINTENANCE),
        (Answer.UNAUTHORIZED, events.MISCONFIGURED),
        (Answer.UNREACHABLE, events.MISCONFIGURED),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_each_fault_has_its_own_event(answer: Answer, event: object) -> None:
    now = FakeClock().moment()

    first = decide(see(answer, server=ServerState.REMOTE), CONFIG, KNOWN, now, now).steps[0]

    assert isinstance(first, Tell)
    assert first.event is event
    first.event.render(first.values)


def test_refusal_is_told_by_what_the_server_is() -> None:
    now = FakeClock().moment()

    (tell,) = decide(see(Answer.REFUSED, server=ServerState.STOPPED), CONFIG, KNOWN, now, now).steps

    assert isinstance(tell, Tell)
    assert tell.event is events.STOPPED


def test_a_container_that_is_unknown_for_a_moment_is_not_told() -> None:
    now = FakeClock().moment()
    seen = see(Answer.REFUSED, server=ServerState.UNKNOWN)

    first = decide(seen, CONFIG, KNOWN, now, now)
    second = decide(seen, CONFIG, first.state, now, now)

    assert (first.state.verdict, first.steps) == (Verdict.UNKNOWN, ())
    assert [step.event for step in second.steps if isinstance(step, Tell)] == [events.UNKNOWN]


@pytest.mark.parametrize("server", list(ServerState), ids=lambda server: server.name)
@pytest.mark.parametrize("answer", list(Answer), ids=lambda answer: answer.name)
def test_a_restart_is_asked_for_an_outage_of_a_server_of_ours_and_for_nothing_else(answer: Answer, server: ServerState) -> None:
    now = FakeClock().moment()

    plan = decide(see(answer, server=server), CONFIG, KNOWN, now, now)

    asked = AskRestart() in plan.steps
    ours = (ServerState.RUNNING, ServerState.DOWN, ServerState.LEFT_STOPPED)
    is_gone = server in (ServerState.DOWN, ServerState.LEFT_STOPPED)
    assert asked == ((answer in (Answer.REFUSED, Answer.SILENT) and server in ours) or (is_gone and not answer.is_conclusive))


def test_a_healthy_check_tells_nothing_and_remembers_how_long_it_took() -> None:
    now = FakeClock().moment()
    latencies = {"identity": 0.002, "database": 0.009}
    look = Look(answer=Answer.WELL, level=Level.DATABASE, version="1.43", latencies=latencies)

    plan = decide(Observation(looks=(look,), server=SeenServer(state=ServerState.RUNNING), viewers=2), CONFIG, KNOWN, now, now)

    assert plan == Plan(
        State(
            verdict=Verdict.HEALTHY,
            found_in_row=1,
            answered="",
            still_since=now,
            checked=now,
            version="1.43",
            latencies=latencies,
            viewers=2,
        )
    )


def test_the_version_is_remembered_while_plex_does_not_tell_it() -> None:
    now = FakeClock().moment()

    assert decide(see(Answer.SILENT), CONFIG, State(answered="", version="1.43"), now, now).state.version == "1.43"


# -- checks one after the other ---------------------------------------------------------------------------------------


def test_down_and_up_again_are_a_pair_and_the_second_carries_the_downtime() -> None:
    checks = Checks()
    checks.check(Answer.WELL, took_s=0)
    checks.check(Answer.REFUSED, server=ServerState.DOWN, took_s=3)

    checks.check(Answer.WELL, took_s=0, after_s=30)

    assert checks.told == ["plex.down", "plex.restart-asked", "plex.recovered"]
    assert checks.values[-1] == {"problem": "down", "downtime_s": 33.0, "restarts": 1}
    assert checks.state.problem is None


def test_a_fault_that_lasts_is_told_once() -> None:
    checks = Checks()

    for _ in range(50):
        checks.check(Answer.FAILING)

    assert checks.told == ["plex.erroring"]


def test_a_fault_that_becomes_another_is_told_again_and_stays_one_incident() -> None:
    checks = Checks()
    checks.check(Answer.DATABASE_SILENT)
    began = checks.state.problem

    checks.check(Answer.FAILING)

    assert checks.told == ["plex.database-blocked", "plex.erroring"]
    assert began is not None
    assert checks.state.problem is not None
    assert checks.state.problem.began == began.began


def test_the_downtime_counts_from_the_first_failed_look_even_if_that_was_in_a_start() -> None:
    checks = Checks()
    checks.check(Answer.REFUSED, server=ServerState.STARTING, took_s=0)
    checks.check(Answer.REFUSED, server=ServerState.RUNNING, took_s=0)

    checks.check(Answer.WELL, took_s=0)

    assert checks.values[-1]["downtime_s"] == 60.0


def test_a_start_that_ends_well_tells_nothing() -> None:
    checks = Checks()

    for _ in range(3):
        assert checks.check(Answer.REFUSED, server=ServerState.STARTING) is Verdict.STARTING
    checks.check(Answer.WELL)

    assert checks.told == []
    assert checks.restarts == 0
    assert checks.state.silent_since is None


def test_a_start_in_an_outage_neither_ends_nor_repeats_it() -> None:
    checks = Checks()
    checks.check(Answer.REFUSED, server=ServerState.DOWN)
    checks.check(Answer.REFUSED, server=ServerState.STARTING)
    checks.check(Answer.REFUSED, server=ServerState.DOWN)

    assert checks.told.count("plex.down") == 1


def test_a_server_that_starts_over_and_over_is_down_when_the_transition_limit_is_over() -> None:
    checks = Checks()

    verdicts = [checks.check(Answer.REFUSED, server=ServerState.STARTING, took_s=0, after_s=30) for _ in range(8)]

    assert verdicts == [Verdict.STARTING] * 6 + [Verdict.DOWN] * 2


def test_plex_started_again_hours_after_an_admin_stopped_it_is_given_its_time() -> None:
    # given: stopped on purpose for three hours
    checks = Checks()
    for _ in range(3):
        assert checks.check(Answer.REFUSED, server=ServerState.STOPPED, after_s=3600) is Verdict.STOPPED

    # when: it is started and does not answer yet
    verdict = checks.check(Answer.REFUSED, server=ServerState.STARTING)

    # then
    assert verdict is Verdict.STARTING
    assert checks.told == ["plex.stopped"]
    assert checks.restarts == 0


def test_an_upgrade_that_took_long_does_not_shorten_the_start_after_it() -> None:
    # given: an outage in which no restart is possible
    checks = Checks(dataclasses.replace(CONFIG, restart=False))
    for _ in range(20):
        checks.check(Answer.REFUSED, server=ServerState.DOWN)

    assert checks.check(Answer.REFUSED, server=ServerState.STARTING) is Verdict.STARTING


def test_an_outage_after_a_stop_on_purpose_is_an_incident_of_its_own() -> None:
    checks = Checks()
    checks.check(Answer.REFUSED, server=ServerState.STOPPED, after_s=3600)
    checks.check(Answer.REFUSED, server=ServerState.STARTING, after_s=7200, took_s=0)
    checks.check(Answer.REFUSED, server=ServerState.DOWN, after_s=30, took_s=0)

    assert checks.told == ["plex.stopped", "plex.down", "plex.restart-asked"]
    assert checks.values[1]["silent_s"] == 30.0


def test_a_stop_on_purpose_that_ends_well_is_a_pair_too() -> None:
    checks = Checks()
    checks.check(Answer.REFUSED, server=ServerState.STOPPED, took_s=0)
    checks.check(Answer.REFUSED, server=ServerState.STARTING, took_s=0)
    checks.check(Answer.WELL, took_s=0)

    assert checks.told == ["plex.stopped", "plex.recovered"]
    assert checks.values[-1] == {"problem": "stopped", "downtime_s": 60.0, "restarts": 0}


def test_a_recovery_names_the_outage_and_not_the_start_that_cured_it() -> None:
    checks = Checks()
    checks.check(Answer.WELL, took_s=0)
    checks.check(Answer.SILENT, took_s=15)
    checks.check(Answer.MAINTENANCE, took_s=0, after_s=30)

    checks.check(Answer.WELL, took_s=0, after_s=30)

    assert checks.told == ["plex.hung", "plex.restart-asked", "plex.maintenance", "plex.recovered"]
    assert checks.values[-1] == {"problem": "hung", "downtime_s": 75.0, "restarts": 1}


def test_maintenance_however_long_is_never_restarted_and_is_told_once() -> None:
    checks = Checks()

    for _ in range(1000):
        assert checks.check(Answer.MAINTENANCE, took_s=0) is Verdict.MAINTENANCE
    checks.check(Answer.WELL, took_s=0)

    assert checks.restarts == 0
    assert checks.told == ["plex.maintenance", "plex.maintenance-long", "plex.recovered"]


@pytest.mark.parametrize("answer", [Answer.FAILING, Answer.BROKEN, Answer.DATABASE_SILENT, Answer.UNAUTHORIZED, Answer.UNREACHABLE])
def test_what_is_no_outage_is_never_restarted_however_long_it_lasts(answer: Answer) -> None:
    checks = Checks()

    for _ in range(200):
        checks.check(answer)

    assert checks.restarts == 0
    assert len(checks.told) == 1


# -- restarts ---------------------------------------------------------------------------------------------------------


def test_an_outage_asks_for_a_restart_at_once() -> None:
    checks = Checks()

    checks.check(Answer.SILENT)

    assert checks.told == ["plex.hung", "plex.restart-asked"]
    assert checks.restarts == 1
    assert checks.values[-1] == {"number": 1, "limit": 2, "problem": "hung"}


def test_a_restart_is_counted_in_the_state_that_is_saved_before_it_is_asked_for() -> None:
    now = FakeClock().moment()

    plan = decide(see(Answer.SILENT), CONFIG, KNOWN, now, now)

    assert plan.state.problem == Problem(
        verdict=Verdict.HUNG, began=now, told=(Verdict.HUNG,), restarts=1, last_ask=now, ask_is_open=True
    )


def test_no_second_restart_before_the_first_had_its_start_grace() -> None:
    checks = Checks()
    checks.check(Answer.SILENT, took_s=0)

    checks.check(Answer.SILENT, took_s=0, after_s=59.9)
    assert checks.restarts == 1

    checks.check(Answer.SILENT, took_s=0, after_s=0.1)
    assert checks.restarts == 2


def test_a_spent_budget_is_told_loudly_once_and_looking_goes_on() -> None:
    checks = Checks()

    for _ in range(100):
        checks.check(Answer.SILENT)

    assert checks.restarts == 2
    assert checks.told.count("plex.gave-up") == 1
    assert checks.told[-1] == "plex.gave-up"
    assert checks.values[-1]["restarts"] == 2
    assert checks.state.checked == checks.clock.moment()


def test_a_recovery_after_giving_up_is_told_and_the_next_incident_has_its_own_budget() -> None:
    checks = Checks()
    for _ in range(20):
        checks.check(Answer.SILENT)

    checks.check(Answer.WELL)
    assert checks.told[-1] == "plex.recovered"

    for _ in range(20):
        checks.check(Answer.SILENT)
    assert checks.restarts == 4
    assert checks.told.count("plex.gave-up") == 2


def test_the_budget_of_an_incident_is_not_refilled_by_a_change_of_its_fault() -> None:
    checks = Checks()

    for _ in range(20):
        checks.check(Answer.SILENT)
        checks.check(Answer.REFUSED, server=ServerState.DOWN)
        checks.check(Answer.MAINTENANCE)
        checks.check(Answer.FAILING)

    assert checks.restarts == 2


@pytest.mark.parametrize("limit", [0, 1, 5])
def test_the_budget_is_the_configured_one(limit: int) -> None:
    checks = Checks(dataclasses.replace(CONFIG, max_restarts_per_incident=limit))

    for _ in range(50):
        checks.check(Answer.SILENT)

    assert checks.restarts == limit
    assert checks.told.count("plex.gave-up") == 1


def test_with_restart_switched_off_an_outage_is_left_to_a_person_at_once() -> None:
    checks = Checks(dataclasses.replace(CONFIG, restart=False))

    checks.check(Answer.SILENT)

    assert checks.told == ["plex.hung", "plex.gave-up"]
    assert checks.restarts == 0


def test_no_restart_is_asked_while_one_is_at_work_however_long_that_takes() -> None:
    checks = Checks()
    checks.check(Answer.SILENT)

    for _ in range(20):
        checks.check(Answer.SILENT, server=ServerState.RESTARTING)

    assert checks.restarts == 1
    assert checks.told == ["plex.hung", "plex.restart-asked"]


def test_an_ask_that_was_put_off_does_not_count_and_is_repeated_after_the_grace() -> None:
    # given: packages are being installed for ten minutes
    checks = Checks()
    for _ in range(12):
        checks.check(Answer.SILENT, put_off=True)
    asked_meanwhile = checks.restarts

    # when: that is over
    for _ in range(20):
        checks.check(Answer.SILENT)

    # then: both restarts of the incident are still to be had
    assert asked_meanwhile > 2
    # and asking again and again was told once
    assert checks.told[:2] == ["plex.hung", "plex.restart-asked"]
    assert checks.told.count("plex.restart-asked") <= 3
    assert checks.values[-1]["restarts"] == 2
    assert checks.told.count("plex.gave-up") == 1


def test_an_ask_is_taken_back_only_once() -> None:
    checks = Checks()
    checks.check(Answer.SILENT)
    checks.check(Answer.SILENT, put_off=True, after_s=10, took_s=0)
    checks.check(Answer.SILENT, put_off=True, after_s=10, took_s=0)

    assert checks.state.problem is not None
    assert checks.state.problem.restarts == 0


@pytest.mark.parametrize("server", [ServerState.STARTING, ServerState.REMOTE])
def test_an_outage_that_no_restart_of_ours_can_help_is_left_to_a_person_once(server: ServerState) -> None:
    checks = Checks()

    for _ in range(30):
        checks.check(Answer.REFUSED, server=server)

    assert checks.restarts == 0
    assert checks.told == ["plex.down", "plex.gave-up"]


def test_an_admin_who_stops_a_hung_plex_ends_the_restarts() -> None:
    checks = Checks()
    checks.check(Answer.SILENT)

    for _ in range(20):
        checks.check(Answer.REFUSED, server=ServerState.STOPPED)

    assert checks.restarts == 1
    assert checks.told == ["plex.hung", "plex.restart-asked", "plex.stopped"]


def test_a_container_whose_state_is_unknown_is_reported_and_never_restarted() -> None:
    checks = Checks()

    for _ in range(20):
        assert checks.check(Answer.SILENT, server=ServerState.UNKNOWN) is Verdict.UNKNOWN

    assert checks.told == ["plex.unknown"]
    assert checks.restarts == 0


# -- reboots and clocks -----------------------------------------------------------------------------------------------


def test_an_outage_that_outlives_a_reboot_keeps_its_budget_and_its_downtime() -> None:
    checks = Checks()
    for _ in range(20):
        checks.check(Answer.SILENT, took_s=0)
    before_s = 19 * 30.0

    checks.clock.reboot(down_s=100.0)
    checks.check(Answer.SILENT, took_s=0)
    checks.check(Answer.WELL, took_s=0)

    assert checks.restarts == 2
    assert checks.told.count("plex.hung") == 1
    assert checks.values[-1]["downtime_s"] == pytest.approx(before_s + 100.0 + 60.0)


@pytest.mark.parametrize("jump", [timedelta(days=-400), timedelta(days=400)], ids=["backwards", "forwards"])
def test_a_clock_that_is_set_changes_neither_downtime_nor_grace(jump: timedelta) -> None:
    checks = Checks()
    checks.check(Answer.SILENT, took_s=0)

    checks.clock.wall += jump
    checks.check(Answer.SILENT, took_s=0, after_s=30)
    assert checks.restarts == 1
    checks.check(Answer.WELL, took_s=0, after_s=30)

    assert checks.values[-1]["downtime_s"] == 60.0


def test_a_clock_that_went_backwards_in_a_reboot_gives_no_second_restart_before_the_grace() -> None:
    checks = Checks()
    checks.check(Answer.SILENT, took_s=0)

    checks.clock.reboot(down_s=-5000.0)
    checks.check(Answer.SILENT, took_s=0, after_s=59.0)
    assert checks.restarts == 1

    checks.check(Answer.SILENT, took_s=0, after_s=1.0)
    assert checks.restarts == 2


def test_limited_is_told_once_and_again_only_after_a_token_was_known() -> None:
    checks = Checks()
    for answer in (Answer.LIMITED, Answer.LIMITED, Answer.SILENT, Answer.LIMITED, Answer.WELL, Answer.LIMITED):
        checks.check(answer)

    assert [name for name in checks.told if name.endswith("limited")] == ["plex.limited", "plex.unlimited", "plex.limited"]


def test_state_of_an_older_version_without_the_newer_fields_is_read() -> None:
    moment = Moment(wall=FakeClock().now(), boot_id="b", uptime_s=1.0)
    old = encode(State(verdict=Verdict.HUNG, problem=Problem(verdict=Verdict.HUNG, began=moment)))
    del old["excused_since"]

    assert decode(State, old).problem == Problem(verdict=Verdict.HUNG, began=moment)


# -- updates ----------------------------------------------------------------------------------------------------------

APT = "apt-get (pid 7) holds /var/lib/dpkg/lock-frontend"


@pytest.mark.parametrize("server", [ServerState.STOPPED, ServerState.RUNNING, ServerState.DOWN, ServerState.STARTING])
def test_an_update_excuses_silence_and_is_told_with_what_it_changed(server: ServerState) -> None:
    checks = Checks()
    checks.check(Answer.WELL, version="1.42")
    for _ in range(5):
        assert checks.check(Answer.REFUSED, server=server, update=APT) is Verdict.UPDATING
    checks.check(Answer.REFUSED, server=ServerState.STARTING)
    checks.check(Answer.WELL, version="1.43")

    assert checks.told == ["plex.updating", "plex.updated", "plex.recovered"]
    assert checks.values[1] == {"before": "1.42", "after": "1.43"}
    assert checks.restarts == 0


def test_an_update_that_does_not_end_is_told_once_and_then_what_is_seen_and_never_restarted() -> None:
    checks = Checks()
    limit_s = CONFIG.update_limit.total_seconds()

    verdicts = [checks.check(Answer.SILENT, update=APT, took_s=0, after_s=60) for _ in range(200)]

    assert verdicts.count(Verdict.UPDATING) == limit_s // 60
    assert verdicts[-1] is Verdict.HUNG
    assert checks.told == ["plex.updating", "plex.hung", "plex.update-long"]
    assert checks.restarts == 0
    # and when it is over at last
    checks.check(Answer.SILENT)
    assert checks.restarts == 1


def test_a_unit_that_its_update_stopped_is_updating_however_long_that_takes() -> None:
    checks = Checks()

    verdicts = {checks.check(Answer.REFUSED, server=ServerState.STOPPED, update=APT, after_s=60) for _ in range(100)}

    assert verdicts == {Verdict.UPDATING}
    assert checks.told == ["plex.updating", "plex.update-long"]


def test_an_outage_after_an_update_is_an_incident_of_its_own() -> None:
    checks = Checks()
    checks.check(Answer.REFUSED, server=ServerState.STOPPED, update=APT, after_s=600, took_s=0)
    checks.check(Answer.REFUSED, server=ServerState.DOWN, after_s=30, took_s=0)

    assert checks.told == ["plex.updating", "plex.down", "plex.restart-asked"]
    assert checks.values[1]["silent_s"] == 0.0


def test_what_an_update_left_stopped_is_started_outside_the_budget() -> None:
    checks = Checks(dataclasses.replace(CONFIG, max_restarts_per_incident=0))
    checks.check(Answer.REFUSED, server=ServerState.STOPPED, update=APT)

    checks.check(Answer.REFUSED, server=ServerState.LEFT_STOPPED)
    checks.check(Answer.WELL)

    assert checks.told == ["plex.updating", "plex.down", "plex.left-stopped", "plex.recovered"]
    assert checks.restarts == 1
    assert checks.values[-1]["restarts"] == 0


def test_a_unit_that_does_not_start_after_its_update_is_not_started_for_ever() -> None:
    """A condition of the unit that does not hold leaves it inactive, as if nobody had started it."""
    checks = Checks()
    for _ in range(10):
        checks.check(Answer.REFUSED, server=ServerState.LEFT_STOPPED, after_s=120)

    assert checks.restarts == 1 + CONFIG.max_restarts_per_incident
    assert (checks.told.count("plex.left-stopped"), checks.told[-1]) == (1, "plex.gave-up")


def test_a_start_that_was_refused_is_no_restart_less() -> None:
    checks = Checks()
    checks.check(Answer.REFUSED, server=ServerState.LEFT_STOPPED)
    checks.check(Answer.REFUSED, server=ServerState.LEFT_STOPPED, put_off=True, took_s=0, after_s=10)

    assert checks.state.problem is not None
    assert checks.state.problem.restarts == 0


def refuse_for(checks: Checks, hours: int) -> None:
    for _ in range(hours * 60):
        checks.check(Answer.SILENT, refused=checks.restarts > 0, after_s=42)


def test_what_was_refused_for_good_is_asked_again_when_the_hour_is_over_and_told_once() -> None:
    checks = Checks()
    refuse_for(checks, 5)

    assert 4 <= checks.restarts <= 6
    assert checks.told == ["plex.hung", "plex.restart-asked", "plex.gave-up"]
    assert checks.state.problem is not None and checks.state.problem.restarts == 0


def test_what_is_granted_after_a_refusal_counts_and_is_given_up_anew() -> None:
    checks = Checks()
    refuse_for(checks, 2)
    asked = checks.restarts

    for _ in range(180):
        checks.check(Answer.SILENT, after_s=42)

    assert checks.restarts == asked + CONFIG.max_restarts_per_incident
    # The second restart is news again, and so is that none is left.
    assert checks.told[-2:] == ["plex.restart-asked", "plex.gave-up"]
    assert checks.values[-1]["restarts"] == CONFIG.max_restarts_per_incident


def test_a_version_that_was_never_known_did_not_change() -> None:
    checks = Checks()
    checks.check(Answer.WELL, version="1.42")
    checks.check(Answer.WELL, version="")
    checks.check(Answer.WELL, version="1.42")

    assert checks.told == []


# -- slowness, maintenance and long starts ----------------------------------------------------------------------------


def test_a_slow_plex_is_degraded_after_three_checks_and_well_after_three() -> None:
    checks = Checks()
    slow_s = CONFIG.slow.total_seconds()

    verdicts = [checks.check(Answer.WELL, slow_s=s) for s in (slow_s, slow_s, slow_s, 0, slow_s, 0, 0, 0)]

    assert [verdict.value for verdict in verdicts] == ["healthy"] * 2 + ["degraded"] * 5 + ["healthy"]
    assert checks.told == ["plex.degraded", "plex.recovered"]
    assert checks.restarts == 0


def test_slow_once_now_and_then_is_well() -> None:
    checks = Checks()

    for _ in range(50):
        checks.check(Answer.WELL, slow_s=4.9)
        checks.check(Answer.WELL, slow_s=4.9)
        checks.check(Answer.WELL)

    assert checks.told == []


def test_a_slow_answer_ends_an_outage() -> None:
    checks = Checks()
    checks.check(Answer.SILENT)

    assert checks.check(Answer.WELL, slow_s=4.0) is Verdict.HEALTHY
    assert checks.told[-1] == "plex.recovered"


def test_a_media_file_that_does_not_open_degrades_and_restarts_nothing() -> None:
    checks = Checks()

    for _ in range(20):
        checks.check(Answer.MEDIA_FAILED)

    assert checks.told == ["plex.degraded"]
    assert checks.restarts == 0


def test_maintenance_that_gets_on_may_take_hours() -> None:
    checks = Checks()

    for n in range(500):
        checks.check(Answer.MAINTENANCE, progress=f"wal {n // 20}", took_s=0)

    assert checks.told == ["plex.maintenance"]


def test_maintenance_that_stands_still_is_a_broken_update_and_told_once() -> None:
    checks = Checks()
    still = round(CONFIG.maintenance_limit.total_seconds() / 30)

    for _ in range(still):
        checks.check(Answer.MAINTENANCE, progress="wal 7", took_s=0)
    assert checks.told == ["plex.maintenance"]
    for _ in range(still):
        checks.check(Answer.MAINTENANCE, progress="wal 7", took_s=0)

    assert checks.told == ["plex.maintenance", "plex.maintenance-long"]
    assert "stands still" in str(checks.values[-1]["how"])
    assert checks.restarts == 0


def test_a_start_that_gets_on_is_given_time_and_one_that_stands_still_is_not() -> None:
    busy, idle = Checks(), Checks()
    for checks in (busy, idle):
        checks.check(Answer.REFUSED, server=ServerState.STARTING, progress="0", took_s=0)

    assert [busy.check(Answer.REFUSED, progress=str(n), took_s=0) for n in range(1, 10)] == [Verdict.STARTING] * 9
    assert idle.check(Answer.REFUSED, progress="0", took_s=0) is Verdict.DOWN
    # and not for ever
    verdicts = [busy.check(Answer.REFUSED, progress=str(n), took_s=0) for n in range(10, 60)]
    assert verdicts[-1] is Verdict.DOWN


def test_a_plex_that_hangs_is_not_starting_though_it_writes_its_log() -> None:
    checks = Checks()
    checks.check(Answer.WELL)

    assert checks.check(Answer.SILENT, progress="1") is Verdict.HUNG


def test_a_silent_plex_that_writes_its_database_is_busy_and_for_no_longer_than_its_limit() -> None:
    checks = Checks()
    limit_s = CONFIG.busy_limit.total_seconds()

    verdicts = [checks.check(Answer.SILENT, writing=True, took_s=0) for _ in range(40)]

    assert verdicts.count(Verdict.DATABASE_BLOCKED) == limit_s // 30
    assert verdicts[-1] is Verdict.HUNG
    assert checks.told == ["plex.database-blocked", "plex.hung", "plex.restart-asked", *checks.told[3:]]


def test_the_weekly_optimisation_restarts_nothing() -> None:
    checks = Checks()

    for _ in range(15):
        checks.check(Answer.SILENT, writing=True, took_s=0)
    checks.check(Answer.WELL)

    assert checks.told == ["plex.database-blocked", "plex.recovered"]
    assert checks.restarts == 0


@pytest.mark.parametrize(
    ("viewers", "writing", "restarts"), [(0, False, True), (1, False, False), (None, False, False), (0, True, False)]
)
def test_a_database_that_is_stuck_is_cured_when_nobody_watches(viewers: int | None, writing: bool, restarts: bool) -> None:
    checks = Checks()
    before = round(CONFIG.blocked_limit.total_seconds() / 30)

    for _ in range(before):
        checks.check(Answer.DATABASE_SILENT, took_s=0, viewers=viewers, writing=writing)
    assert checks.restarts == 0
    checks.check(Answer.DATABASE_SILENT, took_s=0, viewers=viewers, writing=writing)

    assert (checks.restarts > 0) == restarts
    assert checks.told == ["plex.database-blocked", "plex.restart-asked"][: 1 + restarts]


def test_a_database_that_was_written_to_once_more_is_waited_for_anew() -> None:
    checks = Checks()
    still = round(CONFIG.blocked_limit.total_seconds() / 30)

    for _ in range(3):
        for _ in range(still):
            checks.check(Answer.DATABASE_SILENT, took_s=0, viewers=0)
        checks.check(Answer.DATABASE_SILENT, took_s=0, viewers=0, writing=True)

    assert checks.restarts == 0


# -- mounts of its libraries ------------------------------------------------------------------------------------------


def dead(verdict: str) -> tuple[Unproven, ...]:
    return (Unproven(name="media", mount_point="/mnt/media", verdict=verdict, why=verdict),)


@pytest.mark.parametrize("verdict", ["hung", "degraded", "refusing"])
def test_a_plex_that_hangs_with_its_mount_is_not_restarted_and_the_mount_is_named(verdict: str) -> None:
    checks = Checks()

    for _ in range(40):
        checks.check(Answer.SILENT, mounts=dead(verdict))

    assert (checks.told, checks.restarts) == (["plex.hung"], 0)
    assert f"/mnt/media, which is {verdict}" in str(checks.values[0]["server"])
    assert "/mnt/media" in checks.state.detail


def test_a_plex_that_still_hangs_when_its_mount_is_proven_again_is_restarted_then() -> None:
    checks = Checks()

    checks.check(Answer.SILENT, mounts=dead("hung"))
    assert checks.restarts == 0
    checks.check(Answer.SILENT)

    assert (checks.told, checks.restarts) == (["plex.hung", "plex.restart-asked"], 1)


def test_a_database_that_is_stuck_with_its_mount_is_waited_for() -> None:
    checks = Checks()

    for _ in range(round(CONFIG.blocked_limit.total_seconds() / 30) + 2):
        checks.check(Answer.DATABASE_SILENT, took_s=0, viewers=0, mounts=dead("hung"))

    assert (checks.told, checks.restarts) == (["plex.database-blocked"], 0)


@pytest.mark.parametrize("verdict", ["stale", "absent", "empty", "foreign", "unknown"])
def test_a_mount_that_makes_nobody_wait_excuses_nothing(verdict: str) -> None:
    checks = Checks()

    checks.check(Answer.SILENT, mounts=dead(verdict))

    assert checks.restarts == 1


@pytest.mark.parametrize("answer", [Answer.REFUSED, Answer.FAILING], ids=["down", "deadlocked"])
def test_what_is_certainly_another_fault_is_cured_whatever_its_mount_does(answer: Answer) -> None:
    checks = Checks()

    server = ServerState.DOWN if answer is Answer.REFUSED else ServerState.RUNNING
    checks.check(answer, server=server, mounts=dead("hung"), connections=5000)

    assert checks.restarts == 1


# -- what looks like an outage and is none ----------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [Answer.SILENT, Answer.REFUSED, Answer.BROKEN])
def test_silence_after_maintenance_is_maintenance_for_its_limit(answer: Answer) -> None:
    checks = Checks()
    checks.check(Answer.MAINTENANCE)

    for _ in range(20):
        assert checks.check(answer) is Verdict.MAINTENANCE
    checks.check(Answer.WELL)

    assert checks.told == ["plex.maintenance", "plex.recovered"]
    assert checks.restarts == 0


def test_silence_after_maintenance_that_does_not_end_is_an_outage() -> None:
    checks = Checks()
    checks.check(Answer.MAINTENANCE)

    verdicts = [checks.check(Answer.SILENT, took_s=0, after_s=60) for _ in range(25)]

    assert verdicts.count(Verdict.MAINTENANCE) == 20
    assert verdicts[-1] is Verdict.HUNG


def test_a_database_that_cannot_be_seen_is_never_called_stuck() -> None:
    checks = Checks()

    for _ in range(200):
        checks.check(Answer.DATABASE_SILENT, took_s=0, viewers=0, writing=None)

    assert checks.restarts == 0


def test_a_writer_that_pauses_for_a_check_is_still_writing() -> None:
    checks = Checks()

    verdicts = [checks.check(Answer.SILENT, writing=n % 3 == 0, took_s=0) for n in range(15)]

    assert set(verdicts) == {Verdict.DATABASE_BLOCKED}


def test_an_address_at_which_nothing_has_ever_answered_is_a_matter_of_configuration() -> None:
    checks = Checks()
    checks.state = State()

    for _ in range(10):
        assert checks.check(Answer.REFUSED) is Verdict.MISCONFIGURED

    assert checks.told == ["plex.misconfigured"]
    assert "is its address another?" in str(checks.values[0]["detail"])
    checks.check(Answer.WELL, version="1.43")
    assert checks.check(Answer.REFUSED) is Verdict.DOWN


def test_a_plex_that_is_back_but_refuses_the_token_has_recovered() -> None:
    checks = Checks()
    for _ in range(4):
        checks.check(Answer.UNAUTHORIZED, after_s=86_400)
        checks.check(Answer.REFUSED, server=ServerState.DOWN)
        checks.check(Answer.UNAUTHORIZED)

    assert checks.restarts == 4
    assert checks.told.count("plex.recovered") == 4
    assert "plex.gave-up" not in checks.told


def test_an_update_and_the_maintenance_after_it_are_each_told_when_they_take_too_long() -> None:
    checks = Checks()
    for _ in range(20):
        checks.check(Answer.REFUSED, server=ServerState.STOPPED, update=APT, after_s=60)
    for _ in range(80):
        checks.check(Answer.MAINTENANCE, progress="still", after_s=60)

    assert checks.told == ["plex.updating", "plex.update-long", "plex.maintenance", "plex.maintenance-long"]


def test_a_fault_that_changes_at_every_check_is_told_once_each() -> None:
    checks = Checks(dataclasses.replace(CONFIG, restart=False))

    for _ in range(100):
        checks.check(Answer.SILENT)
        checks.check(Answer.DATABASE_SILENT)

    assert checks.told == ["plex.hung", "plex.gave-up", "plex.database-blocked"]


def test_the_downtime_holds_no_time_in_which_plex_served() -> None:
    checks = Checks()
    for _ in range(3):
        checks.check(Answer.WELL, slow_s=3.0, after_s=86_400)
    checks.check(Answer.REFUSED, server=ServerState.DOWN, took_s=0, after_s=30)
    checks.check(Answer.WELL, took_s=0, after_s=30)

    assert checks.values[-1]["downtime_s"] == 30.0


def test_a_plex_that_is_started_again_and_again_is_told_once_an_hour() -> None:
    checks = Checks()

    for _ in range(30):
        checks.check(Answer.WELL, took_s=0)
        checks.check(Answer.REFUSED, server=ServerState.STARTING, took_s=0)

    assert checks.told == ["plex.crash-loop"]
    assert checks.restarts == 0
    for _ in range(60):
        checks.check(Answer.WELL, took_s=0)
        checks.check(Answer.REFUSED, server=ServerState.STARTING, took_s=0)
    assert checks.told == ["plex.crash-loop"] * 2


def test_the_end_of_a_loop_is_told_once_when_plex_serves_for_long() -> None:
    checks = Checks()
    for _ in range(4):
        checks.check(Answer.WELL, took_s=0)
        checks.check(Answer.REFUSED, server=ServerState.STARTING, took_s=0)

    for _ in range(29):
        checks.check(Answer.WELL, took_s=0)
    assert checks.told == ["plex.crash-loop"]
    checks.check(Answer.WELL, took_s=0)
    checks.check(Answer.WELL, took_s=0)

    assert checks.told == ["plex.crash-loop", "plex.loop-ended"]
    assert checks.values[-1] == {"seconds": 900.0}


def test_a_loop_is_not_over_while_plex_is_away() -> None:
    checks = Checks()
    for _ in range(4):
        checks.check(Answer.WELL, took_s=0)
        checks.check(Answer.REFUSED, server=ServerState.STARTING, took_s=0)

    checks.check(Answer.REFUSED, server=ServerState.STOPPED, took_s=0, after_s=2000)
    assert "plex.loop-ended" not in checks.told
    checks.check(Answer.WELL, took_s=0)

    assert checks.told[-2:] == ["plex.loop-ended", "plex.recovered"]


def test_an_ask_that_becomes_possible_after_giving_up_ends_as_loudly() -> None:
    checks = Checks()
    for _ in range(8):
        checks.check(Answer.REFUSED, server=ServerState.STARTING, took_s=0)
    for _ in range(60):
        checks.check(Answer.REFUSED)

    assert checks.told == ["plex.down", "plex.gave-up", "plex.restart-asked", "plex.restart-asked", "plex.gave-up"]


def test_another_server_begins_with_nothing_known() -> None:
    checks = Checks()
    checks.state = dataclasses.replace(State(answered="http://10.0.0.1:32400"), version="1.42", found_in_row=7)
    checks.check(Answer.WELL, version="1.43")

    assert checks.told == []
    assert checks.state.found_in_row == 1
