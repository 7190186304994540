"""The small parts: whose machines, what there is in words, amounts, units, what is around."""

from datetime import timedelta
from pathlib import Path

import pytest

from plexguard.cloud_run import around
from plexguard.cloud_run.choosing.estimate import Prices
from plexguard.cloud_run.config import Apply, Config
from plexguard.cloud_run.rent.lease import Leases
from plexguard.cloud_run.rent.money import find_spent, show_euros
from plexguard.cloud_run.rent.owner import find_owner
from plexguard.cloud_run.rent.resources import Kind, describe
from plexguard.cloud_run.units import drop_ins
from plexguard.core.errors import MissingInput
from plexguard.core.options import THING_NAME
from plexguard.core.units import Site
from tests.fakes.ports import BEGIN, FakeHost, FakeJournal
from tests.unit.cloud_run.samples import LEASE, key, server, volume

SITE = Site(folders=(), mounts=())


def write(folder: Path, text: str) -> Path:
    file = folder / "machine-id"
    file.write_text(text)
    return file


def test_owner_is_the_one_that_is_named_or_one_that_only_this_machine_has(tmp_path):
    one = find_owner("", file=write(tmp_path, "0123456789abcdef0123456789abcdef\n"))
    other = find_owner("", file=write(tmp_path, "1123456789abcdef0123456789abcdef\n"))

    assert find_owner("home", file=tmp_path / "gone") == "home"
    assert one != other and THING_NAME.fullmatch(one)
    # The id itself is given to nobody.
    assert "0123456789" not in one


@pytest.mark.parametrize("text", ["", "uninitialized\n"])
def test_machine_without_an_id_has_no_owner(text, tmp_path):
    with pytest.raises(MissingInput):
        find_owner("", file=write(tmp_path, text))


def test_things_are_counted_in_words():
    assert describe((server(), volume("a"), volume("b"))) == "1 server, 2 block volumes"
    assert describe(()) == ""


def test_cost_of_a_machine_is_that_of_its_hours_and_its_disk():
    disk = volume()
    machine = server(parts=(disk.key, key(Kind.ADDRESS, "a1")))
    prices = Prices(machine=0.2, disk_gb=0.001, address=0.004)

    (found,) = find_spent("delta", (machine, disk), prices, BEGIN + timedelta(hours=2, minutes=1))
    (unknown,) = find_spent("delta", (machine,), None, BEGIN)

    assert found.euros == pytest.approx(3 * (0.2 + 0.1 + 0.004))
    assert (unknown.euros, show_euros(unknown.euros), show_euros(1.005)) == (None, "unknown", "1.00")
    assert find_spent("delta", (disk,), prices, BEGIN) == ()


def test_reaper_is_wanted_only_where_something_may_be_rented():
    assert drop_ins(Config(), Apply(), SITE) == {}
    assert drop_ins(Config(provider="scaleway"), Apply(), SITE) == {
        "plexguard.target.d/50-cloud.conf": "[Unit]\nWants=plexguard-cloud-reaper.timer plexguard-cloud-resume.service\n"
    }


def test_lease_without_a_provider_is_found_around(tmp_path, monkeypatch):
    monkeypatch.setattr(around, "FOLDER", tmp_path)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    Leases(tmp_path, FakeJournal()).save(LEASE)

    found = around.look_around(Config(), Apply(), FakeHost())

    assert found.faults == ("[cloud-run] provider: missing, and something may be rented for delta",)
    assert around.look_around(Config(provider="ssh", ssh="nas"), Apply(), FakeHost()).faults == ()


def test_runs_on_this_machine_need_its_docker(tmp_path, monkeypatch):
    monkeypatch.setattr(around, "FOLDER", tmp_path)
    monkeypatch.setattr(around, "_has_docker", lambda: False)

    assert "apt install docker.io" in " ".join(around.look_around(Config(provider="local"), Apply(), FakeHost()).faults)
    monkeypatch.setattr(around, "_has_docker", lambda: True)
    assert around.look_around(Config(provider="local"), Apply(), FakeHost()).faults == ()


def test_only_what_works_on_this_machine_is_root_here():
    made = drop_ins(Config(provider="local"), Apply(), SITE)

    as_root = {name.partition("@")[0].rpartition("-")[2] for name, text in made.items() if "User=root\n" in text}
    assert as_root == {"database", "plex", "scan", "analyze", "export"}
    assert not any("User=" in text for text in drop_ins(Config(provider="ssh", ssh="nas"), Apply(), SITE).values())


def test_mistakes_in_the_files_of_runs_are_found_around(tmp_path, monkeypatch):
    for name, text in (("good", ""), ("bad", "x = 1\ny = 2\n"), ("Odd", "")):
        (tmp_path / f"{name}.toml").write_text(text)
    monkeypatch.setattr(around, "FOLDER", tmp_path)

    found = around.look_around(Config(), Apply(), FakeHost())

    assert [fault.removeprefix(str(tmp_path)) for fault in found.faults] == [
        "/bad.toml: x: unknown option",
        "/bad.toml: y: unknown option",
        "/Odd.toml: is no name of a run, allowed are a-z, 0-9 and -, at most 31 of them",
    ]
