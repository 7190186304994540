"""From looks and the server's state to a verdict, and from verdicts to what is told and done."""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta

import pytest

from plexguard.core.clock import Moment
from plexguard.core.records import decode, encode
from plexguard.plex_probe import events
from plexguard.plex_probe.config import Config
from plexguard.plex_probe.decide import OUTAGES, AskRestart, Plan, Problem, State, Tell, Verdict, decide, judge
from plexguard.plex_probe.observe import Answer, Look, Observation, ServerState
from tests.fakes.ports import FakeClock

CONFIG = Config()
LIMIT_S = CONFIG.transition_limit.total_seconds()


def see(*answers: Answer, server: ServerState = ServerState.RUNNING, looks: int = 3) -> Observation:
    given = answers if len(answers) > 1 or answers[0].is_conclusive else answers * looks
    return Observation(looks=tuple(Look(answer=answer) for answer in given), server=server)


class Checks:
    """Checks one after the other, each given the state of the one before, as it comes from the disk."""

    def __init__(self, config: Config = CONFIG) -> None:
        self.clock = FakeClock()
        self.config = config
        self.state = State()
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
    ) -> Verdict:
        self.clock.pass_time(after_s)
        began = self.clock.moment()
        self.clock.pass_time(took_s)
        seen = dataclasses.replace(see(*answers, server=server), ask_was_put_off=put_off)
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

SPOKEN = {
    Answer.WELL: Verdict.HEALTHY,
    Answer.LIMITED: Verdict.HEALTHY,
    Answer.MAINTENANCE: Verdict.MAINTENANCE,
    Answer.UNAUTHORIZED: Verdict.MISCONFIGURED,
}
PLAIN = {
    Answer.REFUSED: Verdict.REFUSED,
    Answer.SILENT: Verdict.HUNG,
    Answer.DATABASE_SILENT: Verdict.DATABASE_BLOCKED,
    Answer.FAILING: Verdict.ERRORING,
    Answer.BROKEN: Verdict.ERRORING,
    Answer.UNREACHABLE: Verdict.MISCONFIGURED,
}
STOPPED = PLAIN | {Answer.REFUSED: Verdict.STOPPED, Answer.SILENT: Verdict.STOPPED, Answer.UNREACHABLE: Verdict.STOPPED}
UNKNOWN = PLAIN | {Answer.REFUSED: Verdict.UNKNOWN, Answer.SILENT: Verdict.UNKNOWN}
STARTING = dict.fromkeys(PLAIN, Verdict.STARTING)
TABLE = {
    ServerState.RUNNING: PLAIN,
    ServerState.DOWN: PLAIN,
    ServerState.REMOTE: PLAIN,
    ServerState.STOPPED: STOPPED,
    ServerState.UNKNOWN: UNKNOWN,
    ServerState.STARTING: STARTING,
    ServerState.RESTARTING: STARTING,
}


def rows() -> Iterator[object]:
    for server, verdicts in TABLE.items():
        for answer, verdict in (SPOKEN | verdicts).items():
            yield pytest.param(answer, server, verdict, id=f"{answer.name} {server.name}")


@pytest.mark.parametrize(("answer", "server", "verdict"), rows())
def test_judge_by_answer_and_server(answer: Answer, server: ServerState, verdict: Verdict) -> None:
    assert judge(see(answer, server=server), 0.0, CONFIG) is verdict


def test_the_table_is_whole() -> None:
    assert set(SPOKEN | PLAIN) == set(Answer)
    assert set(TABLE) == set(ServerState)


@pytest.mark.parametrize("server", [ServerState.STARTING, ServerState.RESTARTING])
@pytest.mark.parametrize(("answer", "verdict"), PLAIN.items(), ids=lambda value: value.name)
def test_a_start_excuses_nothing_beyond_the_transition_limit(answer: Answer, verdict: Verdict, server: ServerState) -> None:
    assert judge(see(answer, server=server), LIMIT_S - 0.1, CONFIG) is Verdict.STARTING
    assert judge(see(answer, server=server), LIMIT_S, CONFIG) is verdict


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        pytest.param((Answer.SILENT, Answer.SILENT, Answer.SILENT), Verdict.HUNG, id="every look hung"),
        pytest.param((Answer.REFUSED, Answer.REFUSED, Answer.SILENT), Verdict.HUNG, id="refused, then hung"),
        pytest.param((Answer.SILENT, Answer.REFUSED, Answer.REFUSED), Verdict.REFUSED, id="hung, then gone"),
        pytest.param((Answer.FAILING, Answer.FAILING, Answer.SILENT), Verdict.ERRORING, id="errors, and one slow look"),
        pytest.param(
            (Answer.DATABASE_SILENT, Answer.DATABASE_SILENT, Answer.SILENT), Verdict.DATABASE_BLOCKED, id="a busy database"
        ),
        pytest.param((Answer.SILENT, Answer.DATABASE_SILENT, Answer.SILENT), Verdict.DATABASE_BLOCKED, id="alive in the middle"),
        pytest.param((Answer.UNREACHABLE, Answer.UNREACHABLE, Answer.REFUSED), Verdict.MISCONFIGURED, id="no route, then refused"),
    ],
)
def test_an_outage_is_certain_only_when_every_look_met_it(answers: tuple[Answer, ...], verdict: Verdict) -> None:
    assert judge(see(*answers), 0.0, CONFIG) is verdict


def test_a_server_that_ended_by_itself_in_the_middle_of_a_look_is_certainly_gone() -> None:
    assert judge(see(Answer.BROKEN, Answer.REFUSED, Answer.REFUSED, server=ServerState.DOWN), 0.0, CONFIG) is Verdict.REFUSED


def test_only_silence_and_refusal_are_outages() -> None:
    assert frozenset({Verdict.REFUSED, Verdict.HUNG}) == OUTAGES


@pytest.mark.parametrize(
    ("answer", "event"),
    [
        (Answer.REFUSED, events.REFUSED),
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

    first = decide(see(answer, server=ServerState.REMOTE), CONFIG, State(), now, now).steps[0]

    assert isinstance(first, Tell)
    assert first.event is event
    first.event.render(first.values)


@pytest.mark.parametrize(("server", "event"), [(ServerState.STOPPED, events.STOPPED), (ServerState.UNKNOWN, events.UNKNOWN)])
def test_refusal_is_told_by_what_the_server_is(server: ServerState, event: object) -> None:
    now = FakeClock().moment()

    (tell,) = decide(see(Answer.REFUSED, server=server), CONFIG, State(), now, now).steps

    assert isinstance(tell, Tell)
    assert tell.event is event


@pytest.mark.parametrize("server", list(ServerState), ids=lambda server: server.name)
@pytest.mark.parametrize("answer", list(Answer), ids=lambda answer: answer.name)
def test_a_restart_is_asked_for_an_outage_of_a_server_of_ours_and_for_nothing_else(answer: Answer, server: ServerState) -> None:
    now = FakeClock().moment()

    plan = decide(see(answer, server=server), CONFIG, State(), now, now)

    asked = AskRestart() in plan.steps
    assert asked == (answer in (Answer.REFUSED, Answer.SILENT) and server in (ServerState.RUNNING, ServerState.DOWN))


def test_a_healthy_check_tells_nothing_and_remembers_how_long_it_took() -> None:
    now = FakeClock().moment()
    look = Look(answer=Answer.WELL, version="1.43", identity_s=0.002, libraries_s=0.009)

    plan = decide(Observation(looks=(look,), server=ServerState.RUNNING), CONFIG, State(), now, now)

    assert plan == Plan(State(verdict=Verdict.HEALTHY, checked=now, version="1.43", identity_s=0.002, libraries_s=0.009))


def test_the_version_is_remembered_while_plex_does_not_tell_it() -> None:
    now = FakeClock().moment()

    assert decide(see(Answer.SILENT), CONFIG, State(version="1.43"), now, now).state.version == "1.43"


# -- checks one after the other ---------------------------------------------------------------------------------------


def test_down_and_up_again_are_a_pair_and_the_second_carries_the_downtime() -> None:
    checks = Checks()
    checks.check(Answer.WELL, took_s=0)
    checks.check(Answer.REFUSED, server=ServerState.DOWN, took_s=3)

    checks.check(Answer.WELL, took_s=0, after_s=30)

    assert checks.told == ["plex.refused", "plex.restart-asked", "plex.recovered"]
    assert checks.values[-1] == {"problem": "refused", "downtime_s": 33.0, "restarts": 1}
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

    assert checks.told.count("plex.refused") == 1


def test_a_server_that_starts_over_and_over_is_down_when_the_transition_limit_is_over() -> None:
    checks = Checks()

    verdicts = [checks.check(Answer.REFUSED, server=ServerState.STARTING, took_s=0, after_s=30) for _ in range(8)]

    assert verdicts == [Verdict.STARTING] * 6 + [Verdict.REFUSED] * 2


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

    assert checks.told == ["plex.stopped", "plex.refused", "plex.restart-asked"]
    assert checks.values[1]["silent_s"] == 30.0


def test_a_stop_on_purpose_that_ends_well_is_a_pair_too() -> None:
    checks = Checks()
    checks.check(Answer.REFUSED, server=ServerState.STOPPED, took_s=0)
    checks.check(Answer.REFUSED, server=ServerState.STARTING, took_s=0)
    checks.check(Answer.WELL, took_s=0)

    assert checks.told == ["plex.stopped", "plex.recovered"]
    assert checks.values[-1] == {"problem": "stopped", "downtime_s": 60.0, "restarts": 0}


def test_maintenance_however_long_is_never_restarted_and_is_told_once() -> None:
    checks = Checks()

    for _ in range(1000):
        assert checks.check(Answer.MAINTENANCE, took_s=0) is Verdict.MAINTENANCE
    checks.check(Answer.WELL, took_s=0)

    assert checks.restarts == 0
    assert checks.told == ["plex.maintenance", "plex.recovered"]


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

    plan = decide(see(Answer.SILENT), CONFIG, State(), now, now)

    assert plan.state.problem == Problem(verdict=Verdict.HUNG, began=now, restarts=1, last_ask=now, ask_is_open=True)


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
    assert checks.told == ["plex.refused", "plex.gave-up"]


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


def test_a_clock_that_went_backwards_in_a_reboot_gives_no_second_restart() -> None:
    checks = Checks()
    checks.check(Answer.SILENT, took_s=0)

    checks.clock.reboot(down_s=-5000.0)
    for _ in range(3):
        checks.check(Answer.SILENT)

    assert checks.restarts == 1


def test_limited_is_told_once_and_again_only_after_a_token_was_known() -> None:
    checks = Checks()
    for answer in (Answer.LIMITED, Answer.LIMITED, Answer.SILENT, Answer.LIMITED, Answer.WELL, Answer.LIMITED):
        checks.check(answer)

    assert checks.told.count("plex.limited") == 2


def test_state_of_an_older_version_without_the_newer_fields_is_read() -> None:
    moment = Moment(wall=FakeClock().now(), boot_id="b", uptime_s=1.0)
    old = encode(State(verdict=Verdict.HUNG, problem=Problem(verdict=Verdict.HUNG, began=moment)))
    del old["changing_since"]

    assert decode(State, old).problem == Problem(verdict=Verdict.HUNG, began=moment)
