"""The fake cloud keeps the promises of SCALEWAY.md: states, lists, what survives what, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest

from tests.fakes.ports import FakeClock
from tests.fakes.scaleway import PROJECT, FakeScaleway
from tests.integration.fakes.scaleway_calls import GB, ZONE, Caller, kinds, run

LOCAL_EUR_H, BLOCK_EUR_H, GP1_S_EUR_H, IP_EUR_H = 0.0044, 0.0118, 0.19074, 0.004


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def cloud(clock: FakeClock) -> Iterator[FakeScaleway]:
    with FakeScaleway(clock=clock) as cloud:
        yield cloud


@pytest.fixture
def caller(cloud: FakeScaleway) -> Caller:
    return Caller(cloud.url)


# A server's life.


def test_a_new_server_is_stopped_and_only_its_disk_bills(cloud: FakeScaleway, caller: Caller) -> None:
    server = caller.server(caller.create())

    assert (server["state"], server["allowed_actions"], server["public_ips"]) == ("stopped", ["poweron", "backup"], [])
    assert cloud.spent_eur() == pytest.approx(LOCAL_EUR_H)
    assert kinds(cloud) == ["l_ssd", "server"]


@pytest.mark.parametrize(("kind", "seconds"), [("l_ssd", 16), ("sbs_volume", 5)])
def test_it_starts_in_the_time_its_disk_takes(cloud: FakeScaleway, caller: Caller, kind: str, seconds: float) -> None:
    server = caller.create(kind=kind)

    assert caller.act(server, "poweron").json["task"]["id"] == "00000000-0000-0000-0000-000000000000"
    seen = []
    for _ in range(3):
        shown = caller.server(server)
        assert (shown["state"], shown["public_ips"]) == ("starting", [])
        seen.append(shown["state_detail"])
        cloud.pass_time(seconds * 0.34)

    assert seen == ["allocating node", "provisioning node", "starting"]
    assert caller.state(server) == "running"


def test_the_dynamic_address_comes_pending_and_goes_with_the_stop(cloud: FakeScaleway, caller: Caller) -> None:
    server = caller.create()
    caller.act(server, "poweron")
    cloud.pass_time(16)
    (ip,) = caller.server(server)["public_ips"]
    assert (ip["state"], ip["dynamic"], ip["family"]) == ("pending", True, "inet")
    cloud.pass_time(2)
    assert caller.server(server)["public_ip"]["state"] == "attached"
    assert caller.ask("GET", "ips").json == {"ips": []}

    caller.act(server, "poweroff")
    cloud.pass_time(10)

    assert caller.server(server)["public_ips"] == []
    assert kinds(cloud) == ["l_ssd", "server"]


@pytest.mark.parametrize(
    ("path", "state", "allowed"),
    [
        ([], "stopped", {"poweron"}),
        (["poweron!"], "starting", {"stop_in_place"}),
        (["poweron"], "running", {"poweroff", "terminate", "reboot", "stop_in_place"}),
        (["poweron", "poweroff!"], "stopping", {"stop_in_place"}),
        (["poweron", "terminate!"], "stopping", set()),
        (["poweron", "stop_in_place"], "stopped in place", {"poweron", "poweroff", "terminate", "reboot"}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else None,
)
def test_each_state_allows_what_it_says(
    cloud: FakeScaleway, caller: Caller, path: list[str], state: str, allowed: set[str]
) -> None:
    refused = {"poweron", "poweroff", "terminate", "reboot", "stop_in_place"} - allowed
    server = caller.create()
    for step in path:
        assert caller.act(server, step.rstrip("!")).status == 202
        cloud.pass_time(0 if step.endswith("!") else 60)

    shown = caller.server(server)
    assert (shown["state"], set(shown["allowed_actions"]) - {"backup"}) == (state, allowed)
    for action in refused:
        assert (reply := caller.act(server, action)).status == 400 and reply.kind == "invalid_request_error"


def test_terminate_takes_server_local_disk_and_address(cloud: FakeScaleway, caller: Caller) -> None:
    server = run(cloud, caller)

    assert caller.act(server, "terminate").status == 202
    assert caller.server(server)["state_detail"] == "terminating"
    cloud.pass_time(5)

    gone = caller.ask("GET", f"servers/{server}")
    assert (gone.status, gone.kind, gone.json["resource"]) == (404, "not_found", "instance_server")
    assert cloud.left() == []


def test_terminate_leaves_the_block_volume_nameless_and_the_reserved_address(cloud: FakeScaleway, caller: Caller) -> None:
    ip = caller.ask("POST", "ips", {"project": PROJECT, "type": "routed_ipv4", "tags": ["job=1"]}).json["ip"]["id"]
    server = run(cloud, caller, kind="sbs_volume", public_ips=[ip])
    (volume,) = (row["id"] for row in caller.server(server)["volumes"].values())

    caller.act(server, "terminate")
    cloud.pass_time(5)

    assert caller.ask("GET", f"servers/{server}").status == 404
    detaching = caller.block("GET", f"volumes/{volume}").json
    assert (detaching["status"], detaching["references"][0]["status"]) == ("in_use", "detaching")
    in_use = caller.block("DELETE", f"volumes/{volume}")
    assert (in_use.status, in_use.json["precondition"]) == (412, "resource_still_in_use")
    cloud.pass_time(5)
    left = caller.block("GET", f"volumes/{volume}").json
    assert (left["name"], left["tags"]) == ("Debian Bookworm_sbs_volume_0", [])
    assert (left["status"], left["references"]) == ("available", [])
    assert caller.ask("GET", f"ips/{ip}").json["ip"]["server"] is None
    assert kinds(cloud) == ["ip", "sbs_volume"]
    assert caller.block("DELETE", f"volumes/{volume}").status == 204 == caller.ask("DELETE", f"ips/{ip}").status
    assert cloud.left() == []


def test_deleting_a_stopped_server_leaves_its_local_disk(cloud: FakeScaleway, caller: Caller) -> None:
    server = caller.create()
    (volume,) = (row["id"] for row in caller.server(server)["volumes"].values())
    assert caller.ask("DELETE", f"volumes/{volume}").kind == "precondition_failed"

    assert caller.ask("DELETE", f"servers/{server}").status == 204

    assert kinds(cloud) == ["l_ssd"]
    shown = caller.ask("GET", f"volumes/{volume}").json["volume"]
    assert (shown["server"], shown["name"]) == (None, "Debian Bookworm")
    assert caller.ask("DELETE", f"volumes/{volume}").status == 204
    assert caller.ask("DELETE", f"volumes/{volume}").status == 404
    assert cloud.left() == []


def test_a_volume_that_is_there_is_taken_and_given_back(cloud: FakeScaleway, caller: Caller) -> None:
    wish = {"name": "data", "project": PROJECT, "volume_type": "l_ssd", "size": 20 * GB}
    volume = caller.ask("POST", "volumes", wish).json["volume"]["id"]
    root = {"volume_type": "l_ssd", "size": 20 * GB}
    server = caller.create(volumes={"0": root, "1": {"id": volume}})
    assert caller.server(server)["volumes"]["1"]["id"] == volume
    taken = caller.ask("POST", "servers", caller.wish(volumes={"0": root, "1": {"id": volume}}))
    assert (taken.kind, kinds(cloud)) == ("precondition_failed", ["l_ssd", "l_ssd", "server"])

    caller.ask("DELETE", f"servers/{server}")

    assert caller.ask("GET", f"volumes/{volume}").json["volume"]["server"] is None


def test_a_running_server_is_not_deleted_and_a_protected_one_not_terminated(cloud: FakeScaleway, caller: Caller) -> None:
    server = run(cloud, caller, protected=True)

    assert caller.ask("DELETE", f"servers/{server}").status == 400
    assert caller.act(server, "terminate").kind == "precondition_failed"
    caller.ask("PATCH", f"servers/{server}", {"protected": False})
    assert caller.act(server, "terminate").status == 202


def test_poweroff_in_the_guest_is_standby_and_bills_on(cloud: FakeScaleway, caller: Caller) -> None:
    server = run(cloud, caller)

    cloud.power_off_guest(server)
    assert caller.state(server) == "running"
    cloud.pass_time(10)
    assert caller.state(server) == "stopped in place"
    cloud.pass_time(10 * 3600)

    assert [row.hours for row in cloud.meter() if row.kind == "server"] == [11]
    assert all(row.is_open for row in cloud.meter())
    caller.act(server, "terminate")
    cloud.pass_time(5)
    assert cloud.left() == []


# What is put in and found again.


def test_user_data_is_text_as_it_was_put(caller: Caller) -> None:
    server, text = caller.create(), "#cloud-config\nname: Zoë 💿\n".encode()
    place = f"servers/{server}/user_data"

    assert caller.ask("PATCH", f"{place}/cloud-init", text).status == 204
    assert caller.ask("PATCH", f"{place}/foo", b"bar").status == 204

    assert caller.ask("GET", place).json == {"user_data": ["cloud-init", "foo"]}
    shown = caller.ask("GET", f"{place}/cloud-init")
    assert (shown.body, shown.headers["Content-Type"]) == (text, "text/plain; charset=utf-8")
    assert caller.ask("DELETE", f"{place}/cloud-init").status == 204
    missing = caller.ask("GET", f"{place}/cloud-init")
    assert (missing.status, missing.body) == (404, b"")
    assert caller.ask("PATCH", f"{place}/foo", {"bar": 1}).status == 400


def test_servers_are_found_by_all_tags_by_part_of_the_name_and_by_state(cloud: FakeScaleway, caller: Caller) -> None:
    run(cloud, caller, name="job-10", tags=["a", "b"])
    caller.create(name="job-1", tags=["a"])
    caller.create(name="other", tags=[])

    assert caller.names(tags="a,b") == ["job-10"]
    assert sorted(caller.names(tags="a")) == ["job-1", "job-10"]
    assert sorted(caller.names(name="ob-1")) == ["job-1", "job-10"]
    assert caller.names(state="running") == ["job-10"]
    assert caller.names(project="1e57c0de-0000-4000-8000-00000000dead") == []
    assert caller.names(order="creation_date_asc")[0] == "job-10"
    assert caller.names(commercial_type="GP1-M") == []
    assert caller.ask("GET", "servers", at="nl-ams-1").json == {"servers": []}
    assert caller.ask("GET", "servers", tag="a").status == 400


def test_a_list_comes_by_pages_with_its_total_in_a_header(caller: Caller) -> None:
    for n in range(3):
        caller.create(name=f"job-{n}")

    page = caller.ask("GET", "servers", per_page=2, page=2)

    assert (len(page.json["servers"]), page.headers["X-Total-Count"]) == (1, "3")
    assert 'rel="last"' in page.headers["Link"]
    assert caller.ask("GET", "servers", per_page=101).kind == "invalid_arguments"
    types = caller.ask("GET", "products/servers", per_page=100)
    assert len(types.json["servers"]) == 100 < int(types.headers["X-Total-Count"])


def test_block_volumes_are_found_by_any_tag_and_by_their_server(caller: Caller) -> None:
    server = caller.create(kind="sbs_volume")
    (held,) = caller.block("GET", "volumes", product_resource_id=server).json["volumes"]
    assert caller.ask("GET", f"volumes/{held['id']}").json["resource"] == "instance_volume"
    assert caller.block("PATCH", f"volumes/{held['id']}", {"name": "job-1", "tags": ["a"]}).status == 200

    found = caller.block("GET", "volumes", tags="other,a").json

    assert (found["total_count"], found["volumes"][0]["name"]) == (1, "job-1")
    assert caller.block("GET", "volumes", tags="other").json == {"volumes": [], "total_count": 0}
    assert caller.ask("GET", "volumes").json == {"volumes": []}


def test_an_image_is_of_one_zone_one_kind_and_one_architecture(caller: Caller) -> None:
    rows = caller.ask("GET", "/marketplace/v2/local-images", image_label="debian_bookworm", zone=ZONE, type="instance_sbs").json
    assert [row["arch"] for row in rows["local_images"]] == ["arm64", "x86_64"] and rows["total_count"] == 2
    unknown = caller.ask("GET", "/marketplace/v2/local-images", image_label="debian_sid", zone=ZONE)
    assert (unknown.status, unknown.json["resource"]) == (404, "MarketplaceImage")
    assert caller.ask("POST", "servers", caller.wish(image="debian_bookworm")).status == 404
    assert caller.ask("POST", "servers", caller.wish(image=caller.image(zone="nl-ams-1"))).status == 404
    refused = caller.ask("POST", "servers", caller.wish(kind="sbs_volume", image=rows["local_images"][0]["id"]))
    assert refused.status == 400 and "arm64" in refused.json["message"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"commercial_type": None},
        {"commercial_type": "GP9-S"},
        {"commercial_type": "START1-L"},
        {"project": None},
        {"organization": PROJECT},
        {"image": None},
        {"name": "job_1"},
        {"tags": "a"},
        {"labels": []},
        {"volumes": {"0": {"volume_type": "l_ssd", "size": 9 * GB}}},
        {"volumes": {"0": {"volume_type": "l_ssd", "size": 301 * GB}}},
        {"volumes": {"0": {"volume_type": "l_ssd", "name": "root"}}},
        {"volumes": {"0": {"volume_type": "sbs_volume"}}},
        {"volumes": {"0": {"volume_type": "b_ssd"}}},
        {"commercial_type": "PRO2-S"},
        {"dynamic_ip_required": "yes"},
        {"enable_ipv6": True},
    ],
    ids=str,
)
def test_a_create_that_makes_no_sense_is_refused_and_leaves_nothing(
    cloud: FakeScaleway, caller: Caller, wrong: dict[str, object]
) -> None:
    reply = caller.ask("POST", "servers", caller.wish(**wrong))

    assert reply.status == 400 and reply.kind in {"invalid_arguments", "invalid_request_error"}
    assert cloud.left() == []


def test_a_type_is_refused_where_it_is_not_offered(caller: Caller) -> None:
    assert caller.ask("POST", "servers", caller.wish(zone="it-mil-1"), at="it-mil-1").status == 400
    names: set[str] = set()
    for page in (1, 2):
        names |= set(caller.ask("GET", "products/servers", at="it-mil-1", per_page=100, page=page).json["servers"])
    assert "GP1-S" not in names and "PRO2-S" in names


def test_who_has_no_key_or_the_wrong_one_is_turned_away(cloud: FakeScaleway) -> None:
    for token, reason in (("", "invalid_argument"), ("5ca1e3a7-0000-4000-8000-0000000000ff", "not_found")):
        reply = Caller(cloud.url, token=token).ask("GET", "servers")
        assert (reply.status, reply.kind, reply.json["reason"]) == (401, "denied_authentication", reason)
    cloud.set(key_expired=True)
    assert Caller(cloud.url).ask("GET", "servers").json["reason"] == "expired"
    cloud.heal()
    foreign = Caller(cloud.url).ask("POST", "ips", {"project": "1e57c0de-0000-4000-8000-00000000dead"})
    assert (foreign.status, foreign.kind) == (403, "permissions_denied")


def test_what_is_not_there_is_told_apart(caller: Caller) -> None:
    assert caller.ask("GET", "nonsense").kind == "unknown_resource"
    assert caller.ask("GET", "servers", at="fr-par-9").kind == "invalid_arguments"
    assert caller.ask("PUT", "servers", {}).status == 405
    assert caller.ask("POST", "servers", b"{").status == 400


def test_answers_carry_the_clouds_own_time_and_a_request_id(cloud: FakeScaleway, caller: Caller, clock: FakeClock) -> None:
    cloud.pass_time(3600)

    first, second = caller.ask("GET", "servers"), caller.ask("GET", "ips")

    assert parsedate_to_datetime(first.headers["Date"]) == clock.now() + timedelta(hours=1)
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]


def test_a_security_group_in_use_stays_and_mail_stays_blocked(caller: Caller) -> None:
    wish = {"name": "g", "project": PROJECT, "stateful": True, "inbound_default_policy": "drop", "tags": []}
    group = caller.ask("POST", "security_groups", wish).json["security_group"]["id"]
    server = caller.create(security_group=group)
    rule = {"protocol": "TCP", "direction": "inbound", "action": "accept", "ip_range": "203.0.113.7/32", "dest_port_from": 22}

    rules = caller.ask("PUT", f"security_groups/{group}/rules", {"rules": [{**rule, "position": 1}]}).json["rules"]

    assert [(row["dest_port_from"], row["editable"]) for row in rules] == [(25, False), (465, False), (587, False), (22, True)]
    assert (caller.ask("DELETE", f"security_groups/{group}").status, caller.server(server)["security_group"]["id"]) == (409, group)
    caller.ask("DELETE", f"servers/{server}")
    assert caller.ask("DELETE", f"security_groups/{group}").status == 204


# What it costs.


@pytest.mark.parametrize(
    ("lasts_s", "server_h", "disk_h"),
    [(60, 1, 1), (3600, 1, 1), (3601, 2, 3601 / 3600), (72 * 3600, 72, 72)],
)
def test_an_instance_bills_by_started_hours_and_its_disk_by_time(
    cloud: FakeScaleway, caller: Caller, lasts_s: float, server_h: float, disk_h: float
) -> None:
    server = caller.create()
    caller.act(server, "poweron")
    cloud.pass_time(lasts_s - 5)
    caller.act(server, "terminate")
    cloud.pass_time(1000)

    bill = {row.kind: row for row in cloud.meter()}
    assert (bill["server"].hours, bill["volume"].hours) == (pytest.approx(server_h), pytest.approx(disk_h))
    assert bill["server"].eur == pytest.approx(server_h * GP1_S_EUR_H)
    assert bill["volume"].eur == pytest.approx(disk_h * LOCAL_EUR_H)
    assert not any(row.is_open for row in bill.values())


def test_who_asks_late_pays_no_more(cloud: FakeScaleway, caller: Caller) -> None:
    server = run(cloud, caller)
    caller.act(server, "terminate")
    cloud.pass_time(100 * 3600)

    assert cloud.spent_eur() == pytest.approx(GP1_S_EUR_H + LOCAL_EUR_H + IP_EUR_H)


def test_each_uninterrupted_time_bills_an_hour_at_least(cloud: FakeScaleway, caller: Caller) -> None:
    server = caller.create()
    for action in ("poweron", "poweroff") * 3:
        assert caller.act(server, action).status == 202
        cloud.pass_time(5 * 3600)
        caller.state(server)

    # Each ends ten seconds after the poweroff.
    assert [row.hours for row in cloud.meter() if row.kind == "server"] == [6, 6, 6]


def test_standby_does_not_interrupt_what_bills(cloud: FakeScaleway, caller: Caller) -> None:
    server = run(cloud, caller)
    for action in ("stop_in_place", "poweron", "reboot"):
        assert caller.act(server, action).status == 202
        cloud.pass_time(60)
        caller.state(server)

    assert [row.hours for row in cloud.meter() if row.kind == "server"] == [1]


def test_what_is_left_over_bills_until_it_is_deleted(cloud: FakeScaleway, caller: Caller) -> None:
    ip = caller.ask("POST", "ips", {"project": PROJECT}).json["ip"]["id"]
    caller.ask("DELETE", f"servers/{caller.create(kind='sbs_volume')}")
    cloud.pass_time(10 * 3600)

    assert cloud.spent_eur() == pytest.approx(10 * (BLOCK_EUR_H + IP_EUR_H))
    assert caller.ask("DELETE", f"ips/{ip}").status == 204
    cloud.pass_time(10 * 3600)
    assert cloud.spent_eur() == pytest.approx(20 * BLOCK_EUR_H + 10 * IP_EUR_H)
