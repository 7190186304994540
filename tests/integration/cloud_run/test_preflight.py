"""The preflight: what keeps a machine from being had is told in words, before anything is rented."""

import json
from pathlib import Path

import pytest

from plexguard.cloud_run.phases import mount, preflight
from tests.fakes.scaleway import FakeScaleway
from tests.integration.cloud_run.test_commands import Bench, bench, cloud

__all__ = ["bench", "cloud"]


@pytest.fixture(autouse=True)
def _no_plex_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "read_plex", lambda _journal: None)


def test_machine_and_image_are_chosen_and_nothing_is_rented(bench: Bench, cloud: FakeScaleway) -> None:
    assert bench("phase", "preflight", "delta") == 0

    state = json.loads((bench.state / "delta/state.json").read_text())
    assert state["choice"]["offer"]["type"] == "GP1-S"
    assert state["image"] == "plexinc/pms-docker:latest"
    assert cloud.left() == []


@pytest.mark.parametrize(
    ("faults", "code", "words"),
    [
        ({"key_expired": True}, 77, "The key is expired"),
        ({"denied": ("instance",)}, 77, "lacks a right, InstancesFullAccess"),
        ({"denied": ("block",)}, 77, "lacks a right, BlockStorageFullAccess"),
    ],
    ids=["expired", "no machines", "no block storage"],
)
def test_right_that_is_missing_is_named(
    bench: Bench, cloud: FakeScaleway, capsys: pytest.CaptureFixture[str], faults: dict[str, object], code: int, words: str
) -> None:
    cloud.set(**faults)

    assert bench("phase", "preflight", "delta") == code
    assert words in capsys.readouterr().err
    assert cloud.left() == []


def test_image_that_the_zone_does_not_have_is_told(
    bench: Bench, cloud: FakeScaleway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.write(bench.config.read_text().partition("\n")[2] + 'image = "debian_sarge"\n')

    assert bench("phase", "preflight", "delta") == 66
    assert "debian_sarge: no such image for GP1-S in fr-par-1" in capsys.readouterr().err
    assert cloud.left() == []


def test_run_that_may_cost_too_much_does_not_begin(bench: Bench, cloud: FakeScaleway, capsys: pytest.CaptureFixture[str]) -> None:
    bench.write_run('instance = "superpower"\n')

    assert bench("phase", "preflight", "delta") == 1

    assert "EUR, and may not cost more than 20.00" in capsys.readouterr().err
    assert {request.method for request in cloud.requests} == {"GET"}
    assert bench("phase", "instance", "delta") == 75 and cloud.left() == []


def test_machine_is_not_rented_for_a_plex_that_would_see_no_media(
    bench: Bench, cloud: FakeScaleway, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.write_run("", media="")

    assert bench("phase", "preflight", "delta") == 78
    assert "mount: missing, allowed is one of [rclone.NAME]: none; or media = " in capsys.readouterr().err
    assert cloud.left() == []


@pytest.mark.parametrize(
    ("conf", "words"),
    [
        ("", "does not know the remote s3"),
        ("[other]\ntype = s3\n", "does not know the remote s3, only: other"),
        ("RCLONE_ENCRYPT_V0:\nabc\n", "is encrypted with a password"),
        ("[s3]\ntype = local\n", "a folder of this machine"),
        ("[s3]\ntype = sftp\nkey_file = /root/.ssh/id\n", "key_file names a file of this machine"),
    ],
    ids=["none", "another", "encrypted", "local", "key file"],
)
def test_storage_that_cannot_be_opened_elsewhere_is_told_before_anything_is_rented(
    bench: Bench,
    cloud: FakeScaleway,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    conf: str,
    words: str,
) -> None:
    home = bench.folder / "home.toml"
    home.write_text('[rclone.media]\nremote = "s3:media"\nmount_point = "/mnt/media"\n')
    monkeypatch.setattr(mount, "DEFAULT_PATH", home)
    (bench.folder / "credentials/rclone.conf").write_text(conf)
    bench.write_run("", media='mount = "media"\n')

    assert bench("phase", "preflight", "delta") == 65
    assert words in capsys.readouterr().err
    assert cloud.left() == []


def test_name_that_no_image_has_is_a_mistake_in_the_file(
    bench: Bench, cloud: FakeScaleway, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.write_run('image = "--privileged me/plex"\n')

    assert bench("phase", "preflight", "delta") == 78
    assert "image" in capsys.readouterr().err
