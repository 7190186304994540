"""Renting and giving back at a fake of Scaleway that fails as the real one does."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from plexguard.cloud_run.providers.provider import OutOfStock, QuotaExceeded
from plexguard.cloud_run.providers.scaleway.provider import Scaleway
from plexguard.cloud_run.rent.acquire import acquire
from plexguard.cloud_run.rent.lease import Lease, Leases
from plexguard.cloud_run.rent.resources import Key, Kind, Resource
from plexguard.core.errors import IoFailed, MissingInput, NoPermission, PeerError, PlexguardError, Unavailable
from plexguard.core.secret import Secret
from tests.fakes.ports import FakeJournal
from tests.fakes.scaleway import FakeScaleway, Mishap, Timing
from tests.integration.cloud_run.child import ZONE, QuickClock, make_config, make_lease, make_order, make_world, reap

CREATE = {"method": "POST", "path": "/servers$"}


@pytest.fixture
def cloud() -> Iterator[FakeScaleway]:
    with FakeScaleway(timing=Timing.none()) as cloud:
        yield cloud


@pytest.fixture
def journal() -> FakeJournal:
    return FakeJournal()


def rent(
    cloud: FakeScaleway, state: Path, journal: FakeJournal, *, lease: Lease | None = None, type_name: str = "DEV1-S"
) -> Resource:
    world = make_world(cloud.url, state, active_state="active", journal=journal)
    lease = lease or make_lease(datetime.now(UTC))
    return acquire(world.provider, world.leases, lease, make_order(lease, type_name), journal)


def reaped(cloud: FakeScaleway, state: Path, journal: FakeJournal, *, active_state: str = "inactive", **more: object) -> int:
    return reap(make_world(cloud.url, state, active_state=active_state, journal=journal, **more), cloud.url, **more)


def servers(cloud: FakeScaleway) -> int:
    return [left.kind for left in cloud.left()].count("server")


def test_machine_runs_and_all_of_it_is_on_the_lease(cloud, tmp_path, journal):
    server = rent(cloud, tmp_path, journal)

    assert server.state == "running" and server.addresses
    read = make_world(cloud.url, tmp_path).leases.read("delta")
    assert read.lease.keys == (server.key, *server.parts)
    assert {key.kind for key in read.lease.keys} == {Kind.SERVER, Kind.LOCAL_VOLUME, Kind.ADDRESS}
    assert journal.names == ["cloud.instance-created"]


def test_what_a_machine_was_told_is_removed_and_its_key_is_let_in_by_a_tag(cloud, tmp_path, journal):
    lease = make_lease(datetime.now(UTC))
    world = make_world(cloud.url, tmp_path, active_state="active", journal=journal)
    order = replace(make_order(lease, "DEV1-S"), client_key="ssh-ed25519 AAAA+/= plexguard-delta\n")
    server = acquire(world.provider, world.leases, lease, order, journal)
    (made,) = [left for left in cloud.left() if left.kind == "server"]
    assert "AUTHORIZED_KEY=ssh-ed25519_AAAA+/=" in made.tags and "plexguard-run=delta" in made.tags
    assert cloud.world.servers[server.key.id].user_data

    # Removed already, and with its machine, is removed too.
    for _ in range(2):
        world.provider.forget_user_data(server.key)
    assert not cloud.world.servers[server.key.id].user_data
    world.provider.forget_user_data(replace(server.key, id="00000000-0000-4000-8000-000000000000"))


def test_block_volume_is_labelled_and_noted_before_the_machine_is_switched_on(cloud, tmp_path, journal):
    rent(cloud, tmp_path, journal, type_name="PRO2-S")

    asked = [(request.method, request.path.split("/")[1], request.path.rsplit("/", 1)[-1]) for request in cloud.requests]
    label = next(number for number, (method, api, _) in enumerate(asked) if method == "PATCH" and api == "block")
    assert label < asked.index(("POST", "instance", "action"))
    (volume,) = [left for left in cloud.left() if left.kind == "sbs_volume"]
    assert volume.name == make_lease(datetime.now(UTC)).label.name.rpartition(".")[0] + "." + volume.name.rpartition(".")[2]
    assert "plexguard-run=delta" in volume.tags


@pytest.mark.parametrize("kind", ["error-after", "drop-after", "error-before", "drop-before", "cut", "garbage", "too-many"])
def test_create_call_that_fails_makes_one_machine_all_the_same(kind, cloud, tmp_path, journal):
    cloud.set(mishaps=(Mishap(kind=kind, times=1, **CREATE),))

    assert rent(cloud, tmp_path, journal).state == "running"

    assert servers(cloud) == 1


def test_second_machine_that_comes_to_light_late_is_given_back(tmp_path, journal):
    # Of a call that got no answer, and whose machine no list showed while it was looked for.
    with FakeScaleway(timing=Timing.none()) as cloud:
        cloud.set(mishaps=(Mishap(kind="error-after", times=1, **CREATE),), listed_late_s=0.2)

        rent(cloud, tmp_path, journal)
        cloud.pass_time(60)
        assert reaped(cloud, tmp_path, journal) == 0

        assert cloud.left() == []


@pytest.mark.parametrize("path", ["/user_data/", "/action$", "/servers/[^/]+$", "/servers$", "/volumes"])
@pytest.mark.parametrize("kind", ["error-after", "drop-before", "too-many"])
def test_any_other_call_that_fails_once_is_made_up_for(kind, path, cloud, tmp_path, journal):
    cloud.set(mishaps=(Mishap(kind=kind, method="" if path != "/servers$" else "GET", path=path, times=1),))

    rent(cloud, tmp_path, journal, type_name="PRO2-S")
    assert servers(cloud) == 1
    cloud.set(mishaps=(Mishap(kind=kind, path=path, times=1),))

    assert reaped(cloud, tmp_path, journal) == 0
    assert cloud.left() == []


@pytest.mark.parametrize(
    ("faults", "error"),
    [
        ({"out_of_stock": ("DEV1-S",)}, OutOfStock),
        ({"out_of_stock": ("DEV1-S",), "out_of_stock_at": "poweron"}, OutOfStock),
        ({"quotas": {"DEV1-S": 0}}, QuotaExceeded),
        ({"quotas": {"DEV1-S": 0}, "quota_old": True}, QuotaExceeded),
        ({"denied": ("write:instance",)}, NoPermission),
        ({"key_expired": True}, NoPermission),
        ({"no_address": True}, Unavailable),
        ({"stuck": ("starting",)}, Unavailable),
        ({"mishaps": (Mishap(kind="error-before", **CREATE),)}, Unavailable),
    ],
    ids=["stock", "stock at poweron", "quota", "old quota", "rights", "key", "no address", "stuck", "no create"],
)
def test_renting_that_fails_says_why_and_is_given_back(faults, error, cloud, tmp_path, journal):
    cloud.set(**faults)

    with pytest.raises(error) as caught:
        rent(cloud, tmp_path, journal)

    assert caught.value.exit_code in (69, 76, 77)
    cloud.heal()
    cloud.pass_time(3600)
    assert reaped(cloud, tmp_path, journal) == 0
    assert cloud.left() == []


def test_machine_that_is_locked_is_told_as_one_that_goes_on_costing(cloud, tmp_path, journal):
    cloud.set(start_ends="locked")
    with pytest.raises(PeerError, match="locked"):
        rent(cloud, tmp_path, journal)

    assert reaped(cloud, tmp_path, journal) == 1

    assert "locked" in str(journal.values("cloud.destroy-failed")["reason"])


def test_image_that_is_not_there_rents_nothing(cloud, tmp_path):
    config = replace(make_config(cloud.url), image="debian_slink")

    with pytest.raises(MissingInput, match="debian_slink: no such image for DEV1-S in fr-par-1"):
        Scaleway(config, Secret(cloud.secret_key), QuickClock()).find_image(ZONE, "DEV1-S", is_local_disk=True)

    assert cloud.left() == []


@pytest.mark.parametrize("type_name", ["DEV1-S", "PRO2-S"])
@pytest.mark.parametrize(
    "faults",
    [
        {"volumes_stay": True},
        {"dynamic_ip_stays": True},
        {"listed_after_end_s": 0.05},
        {"mishaps": (Mishap(kind="in-use", method="DELETE", path="/volumes/", times=2),)},
        {"mishaps": (Mishap(kind="transient", method="DELETE", times=2),)},
        {"mishaps": (Mishap(kind="drop-after", method="POST", path="/action$", times=1),)},
    ],
    ids=["volumes stay", "address stays", "listed late", "in use", "transient", "no answer"],
)
def test_what_should_go_with_the_machine_and_stays_is_given_back(faults, type_name, cloud, tmp_path, journal):
    rent(cloud, tmp_path, journal, type_name=type_name)
    cloud.set(**faults)

    assert reaped(cloud, tmp_path, journal) == 0

    assert cloud.left() == []
    assert "cloud.instance-destroyed" in journal.names


def test_machine_whose_tags_were_lost_is_known_by_its_name(cloud, tmp_path, journal):
    cloud.set(tags_lost=True)
    rent(cloud, tmp_path, journal, type_name="PRO2-S")
    make_world(cloud.url, tmp_path).leases.forget("delta")

    assert reaped(cloud, tmp_path, journal) == 0

    assert cloud.left() == []


def test_without_a_disk_for_the_lease_nothing_is_asked_for(cloud, tmp_path, journal):
    (tmp_path / "state").write_text("a file where the folder should be")

    with pytest.raises(PlexguardError):
        rent(cloud, tmp_path / "state", journal)

    assert cloud.requests == [] and cloud.left() == []


def test_disk_that_fills_while_it_is_rented_leaves_nothing_behind(cloud, tmp_path, journal):
    class Full(Leases):
        def note(self, run: str, key: Key) -> None:
            raise IoFailed("Failed to write: No space left on device")

    world = make_world(cloud.url, tmp_path, active_state="active", journal=journal)
    lease = make_lease(datetime.now(UTC))
    with pytest.raises(IoFailed):
        acquire(world.provider, Full(tmp_path, journal), lease, make_order(lease, "PRO2-S"), journal)
    assert servers(cloud) == 1

    assert reaped(cloud, tmp_path, journal) == 0

    assert cloud.left() == []


@pytest.mark.parametrize(("zone", "type_name"), [("xx-nowhere-1", "DEV1-S"), (ZONE, "DEV9-S"), ("it-mil-1", "GP1-S")])
def test_zone_or_type_that_does_not_exist_rents_nothing(zone, type_name, cloud, tmp_path, journal):
    lease = replace(make_lease(datetime.now(UTC)), zone=zone)
    world = make_world(cloud.url, tmp_path, active_state="active", journal=journal)

    with pytest.raises(PlexguardError):
        acquire(world.provider, world.leases, lease, replace(make_order(lease, type_name), zone=zone), journal)

    assert cloud.left() == []


def test_machine_in_standby_and_one_that_is_switched_off_are_given_back(cloud, tmp_path, journal):
    for run in ("delta", "full"):
        rent(cloud, tmp_path, journal, lease=make_lease(datetime.now(UTC), run=run))
    standby, off = (left.id for left in cloud.left() if left.kind == "server")
    cloud.power_off_guest(standby)
    world = make_world(cloud.url, tmp_path)
    world.provider._api.ask("POST", f"/instance/v1/zones/{ZONE}/servers/{off}/action", body={"action": "poweroff"})

    assert reaped(cloud, tmp_path, journal) == 0

    assert cloud.left() == []


def test_machine_that_is_held_stays_until_its_deadline(cloud, tmp_path, journal):
    rent(cloud, tmp_path, journal)

    assert reaped(cloud, tmp_path, journal, active_state="active") == 0
    assert servers(cloud) == 1
    cloud.pass_time(timedelta(hours=96, minutes=1).total_seconds())
    assert reaped(cloud, tmp_path, journal, active_state="active") == 0

    assert cloud.left() == []


def test_wrong_clock_of_this_machine_ends_nothing_early(cloud, tmp_path, journal):
    # The deadline is compared with the provider's own time.
    rent(cloud, tmp_path, journal, lease=make_lease(datetime.now(UTC), keep=True))

    class Ahead(QuickClock):
        def now(self) -> datetime:
            return super().now() + timedelta(days=400)

    world = replace(make_world(cloud.url, tmp_path, journal=journal), clock=Ahead())

    assert reap(world, cloud.url) == 0
    assert servers(cloud) == 1


def test_machine_of_another_owner_is_left_alone(cloud, tmp_path, journal):
    lease = replace(make_lease(datetime.now(UTC), hours=1), owner="neighbour")
    rent(cloud, tmp_path / "theirs", journal, lease=lease)
    cloud.pass_time(7200)

    assert reaped(cloud, tmp_path / "ours", journal) == 0

    assert servers(cloud) == 1


def test_api_that_is_down_is_never_taken_for_nothing_there(cloud, tmp_path, journal):
    rent(cloud, tmp_path, journal)
    cloud.set(down_s=3600.0)

    assert reaped(cloud, tmp_path, journal) == 69
    assert reaped(cloud, tmp_path, journal) == 69
    assert (tmp_path / "delta/lease.json").exists()
    cloud.pass_time(3601)
    assert reaped(cloud, tmp_path, journal) == 0

    assert cloud.left() == []
    assert journal.names == [
        *("cloud.instance-created", "cloud.zone-unknown", "cloud.zone-known", "cloud.orphan-found", "cloud.instance-destroyed")
    ]


def test_list_that_is_refused_gives_nothing_back(cloud, tmp_path, journal):
    # Without the right to list block volumes nobody knows what is left.
    rent(cloud, tmp_path, journal, type_name="PRO2-S")
    cloud.set(denied=("block",))

    assert reaped(cloud, tmp_path, journal) == 69

    assert servers(cloud) == 1


def test_what_cannot_be_given_back_is_told_once_and_tried_again(cloud, tmp_path, journal):
    rent(cloud, tmp_path, journal)
    cloud.set(terminate_ignored=True)

    assert reaped(cloud, tmp_path, journal) == 1
    assert reaped(cloud, tmp_path, journal) == 1
    cloud.heal()
    assert reaped(cloud, tmp_path, journal) == 0

    assert cloud.left() == []
    told = ["cloud.orphan-found", "cloud.destroy-failed", "cloud.instance-destroyed"]
    assert journal.names[1:] == told


@pytest.mark.parametrize(("own_project", "is_left"), [(True, False), (False, True)])
def test_volume_without_a_label_goes_only_where_the_project_is_our_own(own_project, is_left, cloud, tmp_path, journal):
    # The call made the volume, and failed before it made the machine.
    cloud.set(mishaps=(Mishap(kind="half-created", **CREATE),))
    with pytest.raises(Unavailable):
        rent(cloud, tmp_path, journal, type_name="PRO2-S")
    cloud.heal()
    cloud.pass_time(3600)

    reaped(cloud, tmp_path, journal, own_project=own_project)

    assert bool(cloud.left()) is is_left


def test_what_was_spent_is_kept_and_is_what_the_meter_shows(cloud, tmp_path, journal):
    rent(cloud, tmp_path, journal)
    cloud.pass_time(timedelta(hours=5, minutes=30).total_seconds())

    reaped(cloud, tmp_path, journal)

    (spent,) = make_world(cloud.url, tmp_path).spent.read()
    assert spent.euros == pytest.approx(cloud.spent_eur(), abs=0.03)
    assert journal.values("cloud.instance-destroyed")["cost_euros"] == f"{spent.euros:.2f}"


def test_key_is_in_no_answer_error_or_event(cloud, tmp_path, journal):
    cloud.set(mishaps=(Mishap(kind="denied"),))

    with pytest.raises(NoPermission) as caught:
        rent(cloud, tmp_path, journal)

    assert cloud.secret_key not in f"{caught.value} {caught.value.hint} {caught.value!r}"
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and cloud.secret_key in file.read_text()]
