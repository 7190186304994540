"""Leases on disk."""

import json
from dataclasses import replace

import pytest

from plexguard.cloud_run.config import Config
from plexguard.cloud_run.providers.provider import Order
from plexguard.cloud_run.providers.ssh import Ssh
from plexguard.cloud_run.rent.acquire import acquire
from plexguard.cloud_run.rent.lease import Leases
from plexguard.cloud_run.rent.resources import Kind
from plexguard.core.errors import DataError, TryAgain
from tests.fakes.ports import FakeClock, FakeJournal
from tests.unit.cloud_run.samples import LABEL, LEASE, key


@pytest.fixture
def leases(tmp_path):
    return Leases(tmp_path, FakeJournal())


def test_lease_is_read_back_whole(leases):
    lease = LEASE.with_key(key(Kind.SERVER, "s1")).with_key(key(Kind.BLOCK_VOLUME, "v1"))
    leases.save(lease)

    assert leases.read("delta").lease == lease
    assert leases.read_all() == {"delta": leases.read("delta")}
    assert lease.label == LABEL


def test_no_lease_is_none_and_no_folder_is_no_lease(leases, tmp_path):
    assert leases.read("delta") is None
    assert Leases(tmp_path / "gone", FakeJournal()).read_all() == {}


def test_key_is_added_once(leases):
    leases.save(LEASE)
    for _ in range(2):
        leases.note("delta", key(Kind.SERVER, "s1"))

    assert leases.read("delta").lease.keys == (key(Kind.SERVER, "s1"),)


def test_without_a_lease_nothing_is_noted(leases):
    with pytest.raises(DataError, match="there is no lease"):
        leases.note("delta", key(Kind.SERVER, "s1"))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1}', '{"schema": 99}'])
def test_lease_that_cannot_be_read_is_not_taken_for_none_and_stays(text, leases, tmp_path):
    (tmp_path / "delta").mkdir()
    file = tmp_path / "delta/lease.json"
    file.write_text(text)

    read = leases.read("delta")

    assert read.lease is None and str(file) in read.why
    assert leases.read_all() == {"delta": read}
    # The labels go on telling until when.
    assert file.read_text() == text


def test_lease_of_another_run_is_none(leases, tmp_path):
    leases.save(LEASE)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/lease.json").write_text((tmp_path / "delta/lease.json").read_text())

    assert leases.read("full").lease is None


def test_lease_is_forgotten_and_forgetting_again_is_nothing(leases):
    leases.save(LEASE)
    for _ in range(2):
        leases.forget("delta")

    assert leases.read_all() == {}


def test_only_one_is_at_it(leases):
    with leases.hold("delta"), pytest.raises(TryAgain), leases.hold("delta"):
        pass
    with leases.hold("delta"), leases.hold("full"):
        pass


def test_file_says_what_the_page_says(leases, tmp_path):
    leases.save(replace(LEASE, keep=True).with_key(key(Kind.SERVER, "s1")))

    found = json.loads((tmp_path / "delta/lease.json").read_text())

    assert found["keys"] == [{"kind": "server", "id": "s1", "zone": "fr-par-1"}]
    assert (found["schema"], found["deadline"], found["keep"]) == (1, "2026-03-05T12:00:00+00:00", True)


def test_keys_of_a_machine_go_with_its_lease_whoever_forgets_it(leases, tmp_path):
    leases.save(LEASE)
    keys = leases.keys_of("delta")
    keys.folder.mkdir()
    keys.client.write_text("private")

    leases.forget("delta")

    assert keys.folder == tmp_path / "delta/keys" and not keys.folder.exists()


def test_machine_that_is_there_anyway_is_for_one_run_at_a_time(leases):
    there = replace(LEASE, provider="ssh", zone="root@host")
    leases.save(replace(there, run="full"))
    provider = Ssh(Config(provider="ssh", ssh="root@host"), FakeClock())
    order = Order(label=there.label, zone=there.zone, type="root@host", image="", disk_bytes=0, is_local_disk=False)

    with pytest.raises(TryAgain, match="the run full works on that machine"):
        acquire(provider, leases, there, order, FakeJournal())

    assert leases.read("delta") is None
    leases.forget("full")
    assert acquire(provider, leases, there, order, FakeJournal()).name == "root@host"
