"""Every switch of the fake cloud does what it says: to the caller, and to what exists afterwards."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

import pytest

from tests.fakes.ports import FakeClock
from tests.fakes.scaleway import PROJECT, SECRET_KEY, FakeScaleway, FaultError, Mishap
from tests.fakes.scaleway.faults import KINDS
from tests.integration.fakes.scaleway_calls import GB, Caller, Reply, kinds, run
from tests.waiting import await_true

CREATE = {"method": "POST", "path": "/servers$"}


@pytest.fixture
def cloud() -> Iterator[FakeScaleway]:
    with FakeScaleway(clock=FakeClock()) as cloud:
        yield cloud


@pytest.fixture
def caller(cloud: FakeScaleway) -> Caller:
    return Caller(cloud.url)


# What befalls single requests.


@pytest.mark.parametrize(
    ("kind", "status", "left"),
    [
        ("too-many", 429, []),
        ("error-before", 500, []),
        ("denied", 403, []),
        ("out-of-stock", 412, []),
        ("quota", 403, []),
        ("half-created", 500, ["l_ssd"]),
        ("error-after", 500, ["l_ssd", "server"]),
        ("garbage", 200, ["l_ssd", "server"]),
    ],
)
def test_a_create_that_fails_leaves_what_its_fault_says(
    cloud: FakeScaleway, caller: Caller, kind: str, status: int, left: list[str]
) -> None:
    wish = caller.wish()
    cloud.set(mishaps=(Mishap(kind=kind, times=1, **CREATE),))

    assert caller.ask("POST", "servers", wish).status == status
    assert kinds(cloud) == left
    assert cloud.requests[-1].status == status
    assert caller.ask("POST", "servers", wish).status == 201


@pytest.mark.parametrize(
    ("kind", "error", "left"),
    [
        ("drop-before", http.client.RemoteDisconnected, []),
        ("drop-after", http.client.RemoteDisconnected, ["l_ssd", "server"]),
        ("hang-before", TimeoutError, []),
        ("hang-after", TimeoutError, ["l_ssd", "server"]),
        ("cut", http.client.IncompleteRead, ["l_ssd", "server"]),
    ],
)
def test_a_create_without_an_answer_leaves_what_its_fault_says(
    cloud: FakeScaleway, caller: Caller, kind: str, error: type[Exception], left: list[str]
) -> None:
    wish = caller.wish()
    cloud.set(mishaps=(Mishap(kind=kind, **CREATE),))
    caller.timeout_s = 0.3

    with pytest.raises(error):
        caller.ask("POST", "servers", wish)

    await_true(lambda: kinds(cloud) == left)
    assert cloud.requests[-1].acted == bool(left)


def test_every_kind_of_mishap_is_known_and_no_other() -> None:
    assert all(Mishap(kind=kind) for kind in KINDS)
    with pytest.raises(FaultError, match="flood"):
        Mishap(kind="flood")


def test_a_mishap_comes_as_often_as_it_says_after_those_it_skips(cloud: FakeScaleway, caller: Caller) -> None:
    mishap = Mishap(kind="too-many", method="GET", skip=1, times=2)
    cloud.set(mishaps=(mishap,))

    assert [caller.ask("GET", "servers").status for _ in range(5)] == [200, 429, 429, 200, 200]
    cloud.set(mishaps=(mishap,))
    assert [caller.ask("GET", "servers").status for _ in range(3)] == [200, 429, 429]


def test_too_many_requests_are_told_without_a_word(cloud: FakeScaleway, caller: Caller) -> None:
    cloud.set(requests_per_s=3)

    replies = [caller.ask("GET", "servers") for _ in range(5)]

    assert [reply.status for reply in replies] == [200, 200, 200, 429, 429]
    assert (replies[-1].body, replies[-1].headers["X-Envoy-Ratelimited"]) == (b"", "true")
    assert "Retry-After" not in replies[-1].headers
    cloud.pass_time(1)
    assert caller.ask("GET", "servers").status == 200


def test_errors_of_what_stands_before_the_api_are_no_json(cloud: FakeScaleway, caller: Caller) -> None:
    cloud.set(mishaps=(Mishap(kind="error-before", status=502),))

    reply = caller.ask("GET", "servers")

    assert reply.status == 502 and reply.body.startswith(b"upstream") and reply.headers["Content-Type"] == "text/plain"


@pytest.mark.parametrize("slow", [{"slow_s": 60.0}, {"mishaps": (Mishap(kind="slow", delay_s=60.0),)}], ids=str)
def test_who_does_not_wait_for_a_slow_answer_has_been_heard(cloud: FakeScaleway, caller: Caller, slow: dict[str, object]) -> None:
    wish = caller.wish()
    cloud.set(**slow)
    caller.timeout_s = 0.2

    with pytest.raises(TimeoutError):
        caller.ask("POST", "servers", wish)

    assert kinds(cloud) == ["l_ssd", "server"]


def test_who_waits_for_a_slow_answer_gets_it(cloud: FakeScaleway, caller: Caller) -> None:
    cloud.set(slow_s=0.05, mishaps=(Mishap(kind="slow", delay_s=0.05),))

    assert caller.ask("GET", "servers").status == 200


@pytest.mark.parametrize("how", ["503", "drop"])
def test_an_outage_lasts_its_hour(cloud: FakeScaleway, caller: Caller, how: str) -> None:
    def ask() -> int | None:
        try:
            return caller.ask("GET", "servers").status
        except http.client.RemoteDisconnected:
            return None

    cloud.set(down_s=3600.0, down_how=how)
    assert ask() == (503 if how == "503" else None)
    cloud.pass_time(3599)
    assert ask() == (503 if how == "503" else None)
    cloud.pass_time(1)
    assert ask() == 200


# What befalls resources.


def test_what_is_new_is_listed_late_and_found_late(cloud: FakeScaleway, caller: Caller) -> None:
    cloud.set(listed_late_s=30.0, found_late_s=10.0)
    ip = caller.ask("POST", "ips", {"project": PROJECT}).json["ip"]["id"]
    server = caller.create()

    assert caller.ask("GET", f"servers/{server}").status == 404 == caller.ask("GET", f"ips/{ip}").status
    cloud.pass_time(10)
    assert caller.ask("GET", f"servers/{server}").status == 200
    assert caller.names() == [] == caller.ask("GET", "volumes").json["volumes"] == caller.ask("GET", "ips").json["ips"]
    cloud.pass_time(20)
    assert caller.names() == ["job-1"] and len(caller.ask("GET", "ips").json["ips"]) == 1


def test_what_is_gone_is_still_listed_for_a_while(cloud: FakeScaleway, caller: Caller) -> None:
    cloud.set(listed_after_end_s=30.0)
    server = run(cloud, caller)
    caller.act(server, "terminate")
    cloud.pass_time(5)

    assert (caller.names(), caller.ask("GET", f"servers/{server}").status) == (["job-1"], 404)
    cloud.pass_time(30)
    assert caller.names() == []


def test_what_an_action_changes_is_shown_late(cloud: FakeScaleway, caller: Caller) -> None:
    cloud.set(shown_late_s=3.0)
    server = caller.create()
    caller.act(server, "poweron")

    assert (caller.state(server), caller.act(server, "poweron").status) == ("stopped", 400)
    cloud.pass_time(3)
    assert caller.state(server) == "starting"
    cloud.pass_time(60)
    caller.act(server, "terminate")
    assert caller.state(server) == "running"
    cloud.pass_time(5)
    assert caller.ask("GET", f"servers/{server}").status == 404


def test_a_switch_changes_nothing_of_what_was(cloud: FakeScaleway, caller: Caller) -> None:
    server = run(cloud, caller)
    caller.act(server, "terminate")
    cloud.pass_time(5)

    cloud.set(terminate_ignored=True)

    assert cloud.left() == []


@pytest.mark.parametrize(("what", "zones"), [("GP1-S", {}), ("GP1-S@fr-par-1", {"nl-ams-1"}), ("*@fr-par-1", {"nl-ams-1"})])
def test_out_of_stock_is_of_a_type_a_zone_or_both(cloud: FakeScaleway, caller: Caller, what: str, zones: set[str]) -> None:
    cloud.set(out_of_stock=(what,))

    for zone in ("fr-par-1", "nl-ams-1"):
        stock = {}
        for page in (1, 2):
            stock |= caller.ask("GET", "products/servers/availability", at=zone, per_page=100, page=page).json["servers"]
        reply = caller.ask("POST", "servers", caller.wish(zone=zone), at=zone)
        if zone in zones:
            assert (stock["GP1-S"]["availability"], reply.status) == ("available", 201)
        else:
            assert (stock["GP1-S"]["availability"], reply.kind) == ("shortage", "out_of_stock")
    assert len(cloud.left()) == 2 * len(zones)


def test_out_of_stock_may_show_only_on_poweron(cloud: FakeScaleway, caller: Caller) -> None:
    cloud.set(out_of_stock=("GP1-S",), out_of_stock_at="poweron", out_of_stock_shown=False)
    server = caller.create()

    assert caller.act(server, "poweron").kind == "out_of_stock"
    assert caller.state(server) == "stopped"


@pytest.mark.parametrize("old", [False, True])
def test_a_quota_is_told_in_either_shape(cloud: FakeScaleway, caller: Caller, old: bool) -> None:
    cloud.set(quotas={"GP1-S": 1, "ips": 0}, quota_old=old)
    caller.create()

    replies = caller.ask("POST", "servers", caller.wish()), caller.ask("POST", "ips", {"project": PROJECT})

    for reply in replies:
        assert reply.status == 403
        if old:
            assert reply.kind == "invalid_request_error" and reply.json["message"] == "Quota exceeded for this resource."
        else:
            assert reply.kind == "quotas_exceeded" and reply.json["details"][0].keys() == {"resource", "quota", "current"}
    assert kinds(cloud) == ["l_ssd", "server"]


@pytest.mark.parametrize("quota", [0, 1])
def test_a_volume_quota_met_by_a_create_leaves_nothing(cloud: FakeScaleway, caller: Caller, quota: int) -> None:
    cloud.set(quotas={"volumes": quota})
    disk = {"volume_type": "l_ssd", "size": 20 * GB}
    wish = caller.wish(volumes={"0": disk, "1": {**disk, "name": "data"}})

    assert caller.ask("POST", "servers", wish).kind == "quotas_exceeded"
    assert cloud.left() == []


def test_a_key_may_lack_one_set_of_rights_or_only_writing(cloud: FakeScaleway, caller: Caller) -> None:
    cloud.set(denied=("block", "write:instance"))

    assert caller.block("GET", "volumes").json["details"] == [{"action": "read", "resource": "block"}]
    assert caller.ask("GET", "servers").status == 200
    assert (denied := caller.ask("POST", "servers", {})).status == 403 and denied.kind == "permissions_denied"


def test_tags_may_be_lost(cloud: FakeScaleway, caller: Caller) -> None:
    cloud.set(tags_lost=True)

    assert caller.server(caller.create())["tags"] == []


def test_terminate_may_leave_local_disk_and_an_address_that_bills(cloud: FakeScaleway, caller: Caller) -> None:
    cloud.set(volumes_stay=True, dynamic_ip_stays=True)
    server = run(cloud, caller)
    caller.act(server, "terminate")
    cloud.pass_time(5 * 3600)

    assert kinds(cloud) == ["ip", "l_ssd"]
    assert {row.kind for row in cloud.meter() if row.is_open} == {"ip", "volume"}
    (ip,) = caller.ask("GET", "ips").json["ips"]
    (volume,) = caller.ask("GET", "volumes").json["volumes"]
    assert (ip["server"], volume["server"]) == (None, None)
    assert caller.ask("DELETE", f"ips/{ip['id']}").status == 204 == caller.ask("DELETE", f"volumes/{volume['id']}").status


def test_a_server_may_be_stuck_on_its_way_and_bills(cloud: FakeScaleway, caller: Caller) -> None:
    cloud.set(stuck=("starting", "stopping"))
    server = caller.create()
    caller.act(server, "poweron")
    cloud.pass_time(7 * 3600)
    assert caller.state(server) == "starting"
    cloud.heal()
    assert caller.state(server) == "running"
    cloud.set(stuck=("stopping",))
    caller.act(server, "terminate")
    cloud.pass_time(3 * 3600)
    assert caller.state(server) == "stopping"

    cloud.heal()

    assert cloud.left() == []
    assert [row.hours for row in cloud.meter() if row.kind == "server"] == [10]


def test_terminate_may_be_accepted_and_ignored(cloud: FakeScaleway, caller: Caller) -> None:
    cloud.set(terminate_ignored=True)
    server = run(cloud, caller)

    assert caller.act(server, "terminate").status == 202
    cloud.pass_time(60)
    assert caller.state(server) == "running"


@pytest.mark.parametrize(("end", "again"), [("stopped", 202), ("locked", 423)])
def test_poweron_may_end_elsewhere(cloud: FakeScaleway, caller: Caller, end: str, again: int) -> None:
    cloud.set(start_ends=end)
    server = caller.create()
    caller.act(server, "poweron")
    cloud.pass_time(60)

    assert (caller.state(server), caller.act(server, "poweron").status) == (end, again)


def test_a_running_server_may_never_get_an_address(cloud: FakeScaleway, caller: Caller) -> None:
    cloud.set(no_address=True)

    assert caller.server(run(cloud, caller))["public_ips"] == []


@pytest.mark.parametrize(
    "wrong", [{"slowness": 1}, {"stuck": ["running"]}, {"down_how": "404"}, {"mishaps": [{"sort": "x"}]}], ids=str
)
def test_a_switch_that_cannot_be_is_refused(cloud: FakeScaleway, wrong: dict[str, object]) -> None:
    with pytest.raises(FaultError):
        cloud.set(**wrong)


def test_an_outage_uses_up_no_mishap(cloud: FakeScaleway, caller: Caller) -> None:
    cloud.set(down_s=60.0, mishaps=(Mishap(kind="denied", times=1),))
    assert caller.ask("GET", "servers").status == 503
    cloud.pass_time(60)
    assert [caller.ask("GET", "servers").status for _ in range(2)] == [403, 200]


def test_a_fake_that_was_left_refuses_and_comes_back_where_it_was(cloud: FakeScaleway, caller: Caller) -> None:
    server = caller.create()
    cloud.__exit__(None, None, None)
    with pytest.raises(ConnectionRefusedError):
        caller.ask("GET", "servers")

    cloud.__enter__()

    assert caller.state(server) == "stopped"


def test_every_request_is_recorded(cloud: FakeScaleway, caller: Caller) -> None:
    caller.ask("GET", "servers", tags="a")
    reply: Reply = caller.ask("POST", "servers", {"x": 1})

    first, second = cloud.requests
    assert (first.number, first.method, first.query, first.status) == (1, "GET", "tags=a", 200)
    assert (second.number, second.path.rsplit("/", 1)[-1], second.body, second.status) == (2, "servers", '{"x": 1}', reply.status)
    assert first.at == cloud.now()
    assert SECRET_KEY not in repr(cloud.requests)
