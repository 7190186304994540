"""Answers of Scaleway as they were recorded, and as they should not be."""

import copy

import pytest

from plexguard.cloud_run.providers.provider import OutOfStock, QuotaExceeded
from plexguard.cloud_run.providers.scaleway import parse
from plexguard.cloud_run.providers.scaleway.api import Busy, NotThere, Unsure, judge
from plexguard.cloud_run.rent.resources import Kind
from plexguard.core.errors import NoPermission, PeerError
from tests.unit.cloud_run.samples import LABEL, ZONE, key

# Cut from a recording of 2025-11; ids are made up.
SERVER = {
    "id": "12ee0000-0000-4000-8000-000000000001",
    "name": LABEL.name,
    "commercial_type": "DEV1-S",
    "state": "running",
    "state_detail": "booting kernel",
    "volumes": {
        "0": {"boot": False, "volume_type": "sbs_volume", "id": "517a0000-0000-4000-8000-000000000002", "state": "available"},
        "1": {"boot": False, "volume_type": "l_ssd", "id": "517a0000-0000-4000-8000-000000000003"},
    },
    "tags": list(LABEL.tags),
    "public_ips": [
        {"id": "fe3a0000-0000-4000-8000-000000000004", "address": "51.15.129.35", "dynamic": True, "family": "inet"},
        {"id": "fe3a0000-0000-4000-8000-000000000005", "address": "51.15.129.36", "dynamic": False, "family": "inet"},
        {"id": "fe3a0000-0000-4000-8000-000000000006", "address": "2001:bc8::1", "dynamic": False, "family": "inet6"},
    ],
    "creation_date": "2025-11-04T10:13:59.706596+00:00",
}


def changed(**values):
    return {**copy.deepcopy(SERVER), **values}


def test_server_has_its_label_its_volumes_and_the_address_that_came_with_it():
    found = parse.parse_server(SERVER, ZONE)

    assert (found.label, found.type, found.state) == (LABEL, "DEV1-S", "running")
    assert found.parts == (
        key(Kind.BLOCK_VOLUME, "517a0000-0000-4000-8000-000000000002"),
        key(Kind.LOCAL_VOLUME, "517a0000-0000-4000-8000-000000000003"),
        # A reserved one is somebody's.
        key(Kind.ADDRESS, "fe3a0000-0000-4000-8000-000000000004"),
    )
    assert found.addresses == ("51.15.129.35", "51.15.129.36")
    assert found.created.isoformat() == "2025-11-04T10:13:59.706596+00:00"


@pytest.mark.parametrize(
    "row",
    [
        None,
        [],
        {},
        changed(id=7),
        changed(id="../../servers"),
        changed(id=""),
        changed(state=None),
        changed(volumes={"0": {"id": "1"}}),
    ],
)
def test_answer_that_makes_no_sense_is_refused(row):
    with pytest.raises(PeerError):
        parse.parse_server(row, ZONE)


def test_volumes_tell_whom_they_belong_to():
    block = {"id": "1", "name": "Debian_sbs_volume_0", "size": 10, "tags": [], "status": "in_use"}
    taken = {**block, "references": [{"product_resource_id": "12ee"}]}
    local = {"id": "2", "name": "Debian", "size": 10, "volume_type": "l_ssd", "state": "available"}

    assert parse.parse_block_volume(taken, ZONE).holder == "12ee"
    assert parse.parse_block_volume({**block, "references": []}, ZONE).holder == ""
    assert parse.parse_local_volume({**local, "server": {"id": "12ee", "name": "x"}}, ZONE).holder == "12ee"
    assert parse.parse_local_volume({**local, "server": None}, ZONE).holder == ""


def test_volume_is_known_by_the_name_that_it_was_given():
    row = {"id": "2", "name": LABEL.name, "size": 10, "volume_type": "l_ssd", "server": None}

    assert parse.parse_local_volume(row, ZONE).label == LABEL


def test_offer_is_read_with_its_price_and_whether_one_is_free():
    row = {"ncpus": 2, "ram": 2147483648, "hourly_price": 0.008976, "volumes_constraint": {"min_size": 0, "max_size": 20 * 10**9}}

    found = parse.parse_offer("DEV1-S", row, "scarce")
    busy = parse.parse_offer("DEV1-S", {**row, "volumes_constraint": None, "end_of_service": True}, "shortage")

    assert (found.hourly_euros, found.local_disk_bytes, found.is_free, found.is_ending) == (0.008976, 20 * 10**9, True, False)
    assert (busy.local_disk_bytes, busy.is_free, busy.is_ending) == (0, False, True)


@pytest.mark.parametrize("price", ["0.01", None, float("nan"), -1, True])
def test_price_that_is_none_is_refused(price):
    with pytest.raises(PeerError):
        parse.parse_offer("X", {"ncpus": 2, "ram": 1, "hourly_price": price}, "")


@pytest.mark.parametrize(
    ("status", "answer", "kind"),
    [
        (400, {"type": "invalid_arguments", "message": "invalid argument(s)"}, PeerError),
        (401, {"type": "denied_authentication", "method": "api_key", "reason": "expired"}, NoPermission),
        (403, {"type": "permissions_denied", "details": [{"action": "read", "resource": "snapshot"}]}, NoPermission),
        (403, {"type": "invalid_request_error", "message": "Quota exceeded for this resource."}, QuotaExceeded),
        (403, {"type": "quotas_exceeded", "details": [{"resource": "gp1_s", "quota": 0, "current": 0}]}, QuotaExceeded),
        (404, {"type": "not_found", "resource": "instance_server"}, NotThere),
        (404, None, NotThere),
        (409, {"type": "transient_state", "current_state": "updating"}, Busy),
        (409, {"type": "conflict", "message": "Group is in use"}, Busy),
        (412, {"type": "precondition_failed", "precondition": "resource_still_in_use"}, Busy),
        (412, {"type": "precondition_failed", "precondition": "attribute_must_be_set"}, PeerError),
        (429, None, Busy),
        (500, None, Unsure),
        (503, {"type": "out_of_stock", "resource": "server"}, OutOfStock),
        (503, "<html>", Unsure),
        (302, None, PeerError),
    ],
)
def test_refusals_mean_what_was_recorded(status, answer, kind):
    assert type(judge(status, answer, "POST /x", "req-1")) is kind


def test_words_of_a_refusal_are_passed_on_with_the_id_that_support_asks_for():
    answer = {"type": "invalid_arguments", "message": "bad", "details": [{"argument_name": "image", "reason": "required"}]}

    assert str(judge(400, answer, "POST /servers", "req-1")) == "POST /servers: bad image required (request req-1)"


def test_image_is_the_one_that_the_type_can_start_from():
    rows = [{"id": "a", "compatible_commercial_types": ["GP1-S"]}, {"id": "b", "compatible_commercial_types": ["DEV1-S"]}]

    assert (parse.find_image(rows, "DEV1-S"), parse.find_image(rows, "PRO2-S")) == ("b", "")
