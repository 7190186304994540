"""A machine that is refused, or is another than ours: what can be had instead is, and of what cannot nothing is left."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest

from plexguard.cloud_run.phases import preflight
from plexguard.cloud_run.rent.keys import Keys
from plexguard.core.ssh import Login
from tests.fakes.scaleway import FakeScaleway
from tests.fakes.sshd import Sshd, running_sshd
from tests.integration.cloud_run.test_commands import Bench, bench, cloud

__all__ = ["bench", "cloud"]


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("ssh") / "sshd") as made:
        yield made


@pytest.fixture(autouse=True)
def _another_machine_answers(monkeypatch: pytest.MonkeyPatch, sshd: Sshd) -> None:
    """At the address of every machine a server answers with a key that is not the one that the machine was told."""
    login = Keys.login

    def find(self: Keys, name: str, address: str) -> Login:
        return replace(login(self, name, f"[127.0.0.1]:{sshd.port}"), address="127.0.0.1", port=sshd.port)

    monkeypatch.setattr(Keys, "login", find)
    monkeypatch.setattr(preflight, "read_plex", lambda _journal: None)


def rent(bench: Bench) -> int:
    """Go through the first two phases, and return how the second has ended."""
    assert bench("phase", "preflight", "delta") == 0
    return bench("phase", "instance", "delta")


def assert_given_back(bench: Bench, cloud: FakeScaleway) -> None:
    assert bench("release", "instance", "delta") == 0
    assert cloud.left() == []
    assert not (bench.state / "delta/lease.json").exists()


def asked_for(cloud: FakeScaleway) -> list[tuple[str, str]]:
    """Return the types and zones of the machines that were asked for."""
    creations = [one for one in cloud.requests if one.method == "POST" and one.path.endswith("/servers")]
    return [(json.loads(one.body)["commercial_type"], one.path.split("/")[4]) for one in creations]


def test_machine_that_is_not_the_one_that_was_told_is_given_back(
    bench: Bench, cloud: FakeScaleway, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rent(bench) == 76

    assert "its host key is not the one in known_hosts" in capsys.readouterr().err
    assert [one.kind for one in cloud.left()].count("server") == 1
    assert_given_back(bench, cloud)


@pytest.mark.parametrize(
    "faults",
    [
        {"quotas": {"GP1-S": 0}},
        {"quotas": {"GP1-S": 0}, "quota_old": True},
        {"out_of_stock": ("GP1-S",), "out_of_stock_shown": False},
        {"out_of_stock": ("GP1-S",), "out_of_stock_shown": False, "out_of_stock_at": "poweron"},
    ],
    ids=["quota", "older quota", "stock", "stock at poweron"],
)
def test_refusal_leads_to_the_next_zone_and_then_to_what_may_stand_in(
    faults: dict[str, object], bench: Bench, cloud: FakeScaleway, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.write(bench.config.read_text().partition("\n")[2] + 'zones = ["fr-par-1", "nl-ams-1"]\nmax_cost = 100\n')
    cloud.set(**faults)

    assert rent(bench) == 76

    assert asked_for(cloud) == [("GP1-S", "fr-par-1"), ("GP1-S", "nl-ams-1"), ("PRO2-S", "fr-par-1")]
    assert "no GP1-S can be had" in capsys.readouterr().err
    assert {one.zone for one in cloud.left()} == {"fr-par-1"}
    assert_given_back(bench, cloud)


def test_quota_that_nothing_is_below_ends_the_run_and_names_what_was_tried(
    bench: Bench, cloud: FakeScaleway, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.write_run('type = "GP1-S"\n')
    cloud.set(quotas={"GP1-S": 0})

    assert rent(bench) == 69

    assert "GP1-S in fr-par-1: refused when it was asked for" in capsys.readouterr().err
    assert len(asked_for(cloud)) == 1
    assert_given_back(bench, cloud)


def test_right_to_rent_that_is_missing_is_named_and_asked_for_once(
    bench: Bench, cloud: FakeScaleway, capsys: pytest.CaptureFixture[str]
) -> None:
    # It may look, which is all that the preflight does.
    cloud.set(denied=("write:instance",))

    assert rent(bench) == 77

    assert "The key lacks a right, InstancesFullAccess" in capsys.readouterr().err
    assert len(asked_for(cloud)) == 1
    assert_given_back(bench, cloud)


def test_right_to_volumes_that_is_missing_is_named_and_the_machine_ends(
    bench: Bench, cloud: FakeScaleway, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.write_run('type = "PRO2-S"\nmax_cost = 100\n')
    cloud.set(denied=("write:block",))

    assert rent(bench) == 77
    assert "The key lacks a right, BlockStorageFullAccess" in capsys.readouterr().err

    # The volume is none that this key may delete; the lease keeps it known, and it is told.
    assert bench("release", "instance", "delta") == 1
    assert [one.kind for one in cloud.left()] == ["sbs_volume"]
    assert "BlockStorageFullAccess" in capsys.readouterr().err
    cloud.heal()
    assert bench("reaper") == 0
    assert cloud.left() == []


def test_reaper_finds_what_a_lease_that_was_lost_had_in_another_zone(bench: Bench, cloud: FakeScaleway) -> None:
    bench.write(bench.config.read_text().partition("\n")[2] + 'zones = ["fr-par-1", "nl-ams-1"]\n')
    cloud.set(out_of_stock=("GP1-S@fr-par-1",))
    assert rent(bench) == 76
    assert {one.zone for one in cloud.left()} == {"nl-ams-1"}
    shutil.rmtree(bench.state / "delta")

    assert bench("reaper") == 0

    assert cloud.left() == []
