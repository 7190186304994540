"""Whether Plex is restarted: asked again at the moment of acting, with a budget that outlives processes and boots."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from plexguard.core.found import FoundPlex, Server
from plexguard.core.guarded import Unproven
from plexguard.core.records import decode, encode
from plexguard.plex_probe.config import Config
from plexguard.plex_probe.decide import State
from plexguard.plex_probe.look import Answer, Level, Look
from plexguard.plex_probe.restart.decide import Budget, Refuse, Restart, RestartObservation, Told, decide, read_told
from plexguard.plex_probe.server import SeenServer, ServerState
from plexguard.plex_probe.states import Verdict
from tests.fakes.ports import FakeClock

CONFIG = Config()
FOUND = FoundPlex(server=Server.UNIT, name="plexmediaserver.service")


def meet(
    answer: Answer = Answer.SILENT,
    *,
    server: ServerState = ServerState.RUNNING,
    update: str = "",
    found: FoundPlex = FOUND,
    level: Level = Level.IDENTITY,
    **given: Any,
) -> RestartObservation:
    """Return what the root side sees: a hung Plex, if nothing else is said."""
    return RestartObservation(
        found=found,
        look=Look(answer=answer, level=level),
        server=SeenServer(state=server, detail="plexmediaserver.service is active", update=update),
        **given,
    )


HUNG = meet()


def spend(budget: Budget, clock: FakeClock, *, config: Config = CONFIG) -> Budget | None:
    """Ask for a restart; return the budget after it as it comes from the disk, or None when it was refused."""
    step = decide(HUNG, config, budget, Told(), clock.moment())
    return decode(Budget, encode(step.budget)) if isinstance(step, Restart) else None


def count_restarts(clock: FakeClock, *, every_s: float, times: int, config: Config = CONFIG) -> int:
    budget, done = Budget(), 0
    for _ in range(times):
        spent = spend(budget, clock, config=config)
        budget, done = (spent, done + 1) if spent is not None else (budget, done)
        clock.pass_time(every_s)
    return done


def refusal(seen: RestartObservation = HUNG, config: Config = CONFIG, budget: Budget | None = None) -> str:
    return refuse(seen, config, budget).reason


def refuse(seen: RestartObservation = HUNG, config: Config = CONFIG, budget: Budget | None = None) -> Refuse:
    step = decide(seen, config, budget or Budget(), Told(), FakeClock().moment())
    assert isinstance(step, Refuse)
    return step


def test_a_hung_plex_is_restarted_and_the_restart_counted() -> None:
    now = FakeClock().moment()

    step = decide(HUNG, CONFIG, Budget(), Told(), now)

    assert isinstance(step, Restart)
    assert (step.server, step.name) == (Server.UNIT, "plexmediaserver.service")
    assert step.budget == Budget(restarts=(now,), unfinished=now)
    assert "no answer" in step.reason


@pytest.mark.parametrize(("answer", "limit_s"), [(Answer.SILENT, 10.0), (Answer.REFUSED, 60.0)], ids=["hung", "refused"])
def test_a_plex_that_is_certainly_hung_gets_less_time_to_stop(answer: Answer, limit_s: float) -> None:
    step = decide(meet(answer), CONFIG, Budget(), Told(), FakeClock().moment())

    assert isinstance(step, Restart)
    assert step.stop_timeout_s == limit_s


@pytest.mark.parametrize(
    "answer", [answer for answer in Answer if answer not in (Answer.REFUSED, Answer.SILENT)], ids=lambda a: a.name
)
def test_a_plex_that_came_back_meanwhile_is_left_alone(answer: Answer) -> None:
    assert "no outage" in refusal(meet(answer))


@pytest.mark.parametrize(
    "server",
    [s for s in ServerState if s not in (ServerState.RUNNING, ServerState.DOWN, ServerState.LEFT_STOPPED)],
    ids=lambda s: s.name,
)
def test_a_plex_that_is_stopped_or_in_transition_or_unknown_is_left_alone(server: ServerState) -> None:
    assert server.value in refusal(meet(server=server))


@pytest.mark.parametrize("server", [Server.REMOTE, Server.NONE], ids=lambda s: s.name)
def test_only_a_plex_of_this_machine_can_be_restarted(server: Server) -> None:
    assert "no Plex on this machine" in refusal(meet(found=FoundPlex(server=server)))


def test_no_restart_while_an_update_is_at_work() -> None:
    assert "apt-get (pid 7)" in refusal(meet(update="apt-get (pid 7) holds a lock"))


def test_no_restart_where_the_admin_switched_it_off() -> None:
    assert "restart = false" in refusal(config=dataclasses.replace(CONFIG, restart=False))


def test_a_container_is_restarted_like_a_unit() -> None:
    seen = meet(found=FoundPlex(server=Server.CONTAINER, name="plex"), server=ServerState.DOWN)

    step = decide(seen, CONFIG, Budget(), Told(), FakeClock().moment())

    assert isinstance(step, Restart)
    assert (step.server, step.name) == (Server.CONTAINER, "plex")


def test_what_passes_by_itself_is_told_apart_from_what_a_person_must_decide() -> None:
    clock = FakeClock()
    spent = Budget(restarts=(clock.moment(), clock.moment()))

    assert refuse(meet(Answer.WELL)).passing
    assert refuse(meet(server=ServerState.STARTING)).passing
    assert refuse(meet(update="apt-get (pid 7) holds a lock")).passing
    assert not refuse(meet(found=FoundPlex(server=Server.NONE))).passing
    assert not refuse(config=dataclasses.replace(CONFIG, restart=False)).passing
    assert not refuse(budget=spent).passing


# -- the budget -------------------------------------------------------------------------------------------------------


def test_one_outage_gets_two_restarts_and_the_reason_names_the_option() -> None:
    clock = FakeClock()
    budget = spend(Budget(), clock)
    assert budget is not None
    clock.pass_time(300)
    budget = spend(budget, clock)
    assert budget is not None
    clock.pass_time(300)

    step = decide(HUNG, CONFIG, budget, Told(), clock.moment())

    assert isinstance(step, Refuse)
    assert "max_restarts_per_incident" in step.reason


def test_a_watcher_that_asks_every_thirty_seconds_for_an_hour_gets_two_restarts() -> None:
    assert count_restarts(FakeClock(), every_s=30, times=120) == 2


@pytest.mark.parametrize("every_s", [30, 1000, 3599, 3600, 7000])
def test_a_day_never_sees_more_restarts_than_its_budget(every_s: float) -> None:
    assert count_restarts(FakeClock(), every_s=every_s, times=int(86_400 // every_s)) <= CONFIG.max_restarts_per_day


def test_restarts_of_many_outages_end_at_the_days_budget_and_the_reason_names_the_option() -> None:
    clock = FakeClock()
    budget = Budget()
    for _ in range(6):
        spent = spend(budget, clock)
        assert spent is not None
        budget = spent
        clock.pass_time(3600)

    step = decide(HUNG, CONFIG, budget, Told(), clock.moment())

    assert isinstance(step, Refuse)
    assert "max_restarts_per_day" in step.reason


def test_a_day_after_the_first_restart_there_is_one_again() -> None:
    # given: six restarts, each for an outage of its own
    clock, budget = FakeClock(), Budget()
    for _ in range(6):
        budget = budget.spend(clock.moment())
        clock.pass_time(3600)

    # when: 23 h 59 min after the first
    clock.pass_time(86_400 - 6 * 3600 - 60)
    assert spend(budget, clock) is None

    # then: after 24 h
    clock.pass_time(60)
    assert spend(budget, clock) is not None


def test_the_budget_outlives_a_reboot() -> None:
    clock = FakeClock()
    budget = spend(Budget(), clock)
    assert budget is not None
    clock.pass_time(60)
    budget = spend(budget, clock)
    assert budget is not None

    clock.reboot(down_s=120)

    assert spend(budget, clock) is None


@pytest.mark.parametrize("jump", [timedelta(days=-3000), timedelta(days=3000)], ids=["backwards", "forwards"])
def test_a_clock_that_is_set_gives_no_further_restart(jump: timedelta) -> None:
    clock = FakeClock()
    budget = spend(Budget(), clock)
    assert budget is not None
    budget = spend(budget, clock)
    assert budget is not None

    clock.wall += jump

    assert spend(budget, clock) is None


def test_a_clock_that_went_backwards_in_a_reboot_counts_what_was_before_as_just_now() -> None:
    clock = FakeClock()
    budget = spend(Budget(), clock)
    assert budget is not None
    budget = spend(budget, clock)
    assert budget is not None

    clock.reboot(down_s=-400 * 86_400.0)

    assert spend(budget, clock) is None


def test_the_record_stays_small() -> None:
    clock, budget = FakeClock(), Budget()

    for _ in range(500):
        budget = budget.spend(clock.moment())
        clock.pass_time(10)

    assert len(budget.restarts) <= 101
    assert budget.in_day(clock.moment()) > CONFIG.max_restarts_per_day


def test_restarts_of_the_day_before_yesterday_are_forgotten() -> None:
    clock = FakeClock()
    budget = Budget().spend(clock.moment())

    clock.pass_time(2 * 86_400)

    assert len(budget.spend(clock.moment()).restarts) == 1


@pytest.mark.parametrize("limit", [0, 1])
@pytest.mark.parametrize("name", ["max_restarts_per_incident", "max_restarts_per_day"])
def test_the_budgets_are_the_configured_ones(name: str, limit: int) -> None:
    assert count_restarts(FakeClock(), every_s=10, times=20, config=dataclasses.replace(CONFIG, **{name: limit})) == limit


# -- for media that it cannot read ------------------------------------------------------------------------------------

MEDIA = meet(Answer.WELL, unreadable=3, is_in_use=False)


def test_a_plex_that_answers_is_restarted_for_media_when_nobody_uses_it() -> None:
    step = decide(MEDIA, CONFIG, Budget(), Told(), FakeClock().moment())

    assert isinstance(step, Restart)
    assert "3 media files" in step.reason


@pytest.mark.parametrize("in_use", [True, None], ids=["somebody watches", "nobody can tell"])
def test_a_restart_for_media_waits_until_nobody_is_known_to_use_plex(in_use: bool | None) -> None:
    refused = refuse(dataclasses.replace(MEDIA, is_in_use=in_use))

    assert refused.passing


def test_a_restart_for_media_has_the_same_budget() -> None:
    clock, budget = FakeClock(), Budget()
    for _ in range(CONFIG.max_restarts_per_day):
        budget = budget.spend(clock.moment())

    assert "spent" in refusal(MEDIA, budget=budget)


@pytest.mark.parametrize("answer", [Answer.MAINTENANCE, Answer.DATABASE_SILENT, Answer.FAILING, Answer.UNAUTHORIZED])
def test_a_plex_that_is_not_well_is_not_restarted_for_media(answer: Answer) -> None:
    assert "no outage" in refusal(meet(answer, unreadable=3, is_in_use=False))


# -- who watches, deadlocks, and the end of an update -----------------------------------------------------------------


@pytest.mark.parametrize("answer", [Answer.SILENT, Answer.REFUSED], ids=lambda a: a.name)
def test_where_somebody_is_known_to_watch_nothing_is_restarted(answer: Answer) -> None:
    step = refuse(meet(answer, is_in_use=True))

    assert "somebody watches" in step.reason
    assert step.passing


def test_what_hangs_for_everybody_need_not_tell_who_watches() -> None:
    assert isinstance(decide(meet(is_in_use=None), CONFIG, Budget(), Told(), FakeClock().moment()), Restart)


@pytest.mark.parametrize(("connections", "restarts"), [(999, False), (1000, True)])
def test_errors_for_thousands_are_a_deadlock_that_a_restart_cures(connections: int, restarts: bool) -> None:
    step = decide(meet(Answer.FAILING, connections=connections), CONFIG, Budget(), Told(), FakeClock().moment())

    assert isinstance(step, Restart) == restarts
    if isinstance(step, Restart):
        assert step.stop_timeout_s == 10.0


def test_a_plex_that_answers_elsewhere_is_not_restarted() -> None:
    assert "answers at http://127" in refusal(meet(Answer.REFUSED, elsewhere="http://127.0.0.1:32400"))


def test_what_an_update_left_stopped_is_started_though_every_budget_is_spent() -> None:
    clock = FakeClock()
    config = dataclasses.replace(CONFIG, max_restarts_per_day=0, max_restarts_per_incident=0)
    spent = Budget(restarts=(clock.moment(),) * 6)

    step = decide(meet(Answer.REFUSED, server=ServerState.LEFT_STOPPED), config, spent, Told(), clock.moment())

    assert isinstance(step, Restart)
    assert step.budget.restarts == spent.restarts


def test_an_update_left_stopped_is_not_started_where_restarts_are_switched_off() -> None:
    seen = meet(Answer.REFUSED, server=ServerState.LEFT_STOPPED)

    assert "restart = false" in refusal(seen, dataclasses.replace(CONFIG, restart=False))


def test_a_budget_that_a_clock_in_the_far_future_has_stamped_is_free_again_after_a_day() -> None:
    clock = FakeClock()
    clock.wall += timedelta(days=4000)
    spent = Budget(restarts=(clock.moment(),) * CONFIG.max_restarts_per_day)
    clock.reboot()
    clock.wall -= timedelta(days=4000)

    clock.pass_time(86_000.0)
    assert "in 24 hours are spent" in refusal_at(spent, clock)
    clock.pass_time(400.0)
    assert isinstance(decide(HUNG, CONFIG, spent, Told(), clock.moment()), Restart)


def refusal_at(budget: Budget, clock: FakeClock) -> str:
    step = decide(HUNG, CONFIG, budget, Told(), clock.moment())
    assert isinstance(step, Refuse)
    return step.reason


@pytest.mark.parametrize(("is_in_use", "restarts"), [(False, True), (True, False), (None, False)])
def test_a_database_that_is_stuck_is_cured_where_nobody_is_known_to_be_at_it(is_in_use: bool | None, restarts: bool) -> None:
    seen = meet(Answer.DATABASE_SILENT, level=Level.DATABASE, is_in_use=is_in_use)

    assert isinstance(decide(seen, CONFIG, Budget(), Told(), FakeClock().moment()), Restart) == restarts


def test_a_plex_that_does_not_even_tell_who_watches_is_left_alone_while_it_is_alive() -> None:
    assert "no outage" in refusal(meet(Answer.DATABASE_SILENT, level=Level.TOKEN, is_in_use=False))


WATCHED = Refuse("somebody watches", passing=True)
SPENT = Refuse("6 restarts in 24 hours are spent", passing=False)


def test_a_refusal_that_passes_is_news_when_it_is_another_or_an_hour_old() -> None:
    clock = FakeClock()
    budget = Budget().note_refusal(WATCHED, clock.moment())

    clock.pass_time(3599)
    assert budget.has_told(WATCHED, clock.moment())
    assert not budget.has_told(Refuse("an update is at work", passing=True), clock.moment())
    assert budget.note_refusal(WATCHED, clock.moment()) == budget
    clock.pass_time(1)
    assert not budget.has_told(WATCHED, clock.moment())
    assert not budget.spend(clock.moment()).has_told(WATCHED, clock.moment())
    assert not Budget().has_told(Refuse("", passing=True), clock.moment())


def test_a_refusal_for_good_that_comes_again_each_hour_is_told_once() -> None:
    clock = FakeClock()
    budget = Budget().note_refusal(SPENT, clock.moment())

    for _ in range(10):
        clock.pass_time(3700)
        assert budget.has_told(SPENT, clock.moment())
        budget = budget.note_refusal(SPENT, clock.moment())

    clock.pass_time(7200)
    assert not budget.has_told(SPENT, clock.moment())


# -- what the probe has published, believed where it speaks against a restart -----------------------------------------


def doubt(told: Told, **given: Any) -> str:
    step = decide(meet(**given), CONFIG, Budget(), told, FakeClock().moment())
    return step.reason if isinstance(step, Refuse) else ""


def test_what_was_in_maintenance_just_now_is_left_alone() -> None:
    assert "in maintenance" in doubt(Told(in_maintenance=True))
    assert doubt(Told(in_maintenance=True), server=ServerState.DOWN) == ""


def test_an_address_at_which_nothing_has_ever_answered_is_not_restarted_for() -> None:
    assert "is Plex's address another" in doubt(Told(has_answered=False), answer=Answer.REFUSED)
    assert doubt(Told(has_answered=False), answer=Answer.REFUSED, server=ServerState.DOWN) == ""


def test_a_database_that_is_being_written_to_is_waited_for_and_not_for_ever() -> None:
    assert "being written to" in doubt(Told(silent_s=599.0), is_writing=True)
    assert doubt(Told(silent_s=600.0), is_writing=True) == ""


def test_what_the_probe_tells_is_read_and_what_is_old_or_missing_is_not() -> None:
    clock = FakeClock()
    found = FoundPlex(server=Server.UNIT, name="x", url="http://127.0.0.1:32400")
    state = State(verdict=Verdict.MAINTENANCE, answered=found.url, checked=clock.moment(), silent_since=clock.moment())
    clock.pass_time(60)

    assert read_told(state, found, clock.moment()) == Told(in_maintenance=True, silent_s=60.0)
    clock.pass_time(60)
    assert read_told(state, found, clock.moment()) == Told()
    assert not read_told(None, found, clock.moment()).has_answered
    assert not read_told(State(), found, clock.moment()).has_answered
    assert not read_told(dataclasses.replace(state, answered="http://10.0.0.1:32400"), found, clock.moment()).has_answered


def test_a_restart_of_ours_is_known_for_an_hour() -> None:
    clock = FakeClock()
    budget = Budget(unfinished=clock.moment())

    assert budget.was_ours(clock.moment())
    clock.pass_time(3600)
    assert not budget.was_ours(clock.moment())
    assert not Budget().was_ours(clock.moment())


@pytest.mark.parametrize(
    ("answer", "level"), [(Answer.SILENT, Level.IDENTITY), (Answer.DATABASE_SILENT, Level.DATABASE)], ids=["hung", "stuck"]
)
def test_a_plex_that_may_wait_for_its_mount_is_left_until_that_is_back(answer: Answer, level: Level) -> None:
    mount = Unproven(name="media", mount_point="/mnt/media", verdict="hung", why="hung")

    refused = refuse(meet(answer, level=level, is_in_use=False, mounts=(mount,)))

    assert (refused.reason, refused.passing) == ("it may wait for its mount /mnt/media, which is hung", True)


@pytest.mark.parametrize("verdict", ["stale", "unknown"])
def test_a_mount_that_makes_nobody_wait_is_no_reason_against_a_restart(verdict: str) -> None:
    mount = Unproven(name="media", mount_point="/mnt/media", verdict=verdict, why=verdict)

    assert isinstance(decide(meet(mounts=(mount,)), CONFIG, Budget(), Told(), FakeClock().moment()), Restart)


def test_a_plex_that_is_gone_is_started_whatever_its_mount_does() -> None:
    mount = Unproven(name="media", mount_point="/mnt/media", verdict="hung", why="hung")
    gone = meet(Answer.REFUSED, server=ServerState.DOWN, mounts=(mount,))

    assert isinstance(decide(gone, CONFIG, Budget(), Told(), FakeClock().moment()), Restart)
