"""Looking around a configuration."""

from pathlib import Path

import pytest

from plexguard.core import config
from plexguard.core.host import CommandFailed
from plexguard.core.manager import Unit
from plexguard.status.check.observe import CredentialFile, observe
from tests.fakes.ports import FakeManager


def read(folder: Path, text: str) -> config.Settings:
    (folder / "plexguard.toml").write_text(text)
    return config.read(folder / "plexguard.toml", {})


def test_files_are_looked_at_and_not_into(tmp_path: Path) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "plex.token").write_text("secret")
    (folder / "plex.token").chmod(0o640)
    (folder / "link").symlink_to("plex.token")

    found = observe(read(tmp_path, ""), FakeManager(), folder=folder).credentials

    assert found is not None
    link, token = found
    assert (link.name, link.is_file) == ("link", False)
    assert token == CredentialFile(path=str(folder / "plex.token"), mode=0o640, uid=token.uid)


def test_no_folder_is_no_file(tmp_path: Path) -> None:
    assert observe(read(tmp_path, ""), FakeManager(), folder=tmp_path / "nowhere").credentials == ()


def test_programs_with_options_of_their_own_are_configured(tmp_path: Path) -> None:
    settings = read(tmp_path, '[speed-test]\nat = "03:00"\n[plex-probe]\n[plex]\nserver = "auto"\n')

    assert observe(settings, FakeManager(), folder=tmp_path).configured == {"speed-test"}


@pytest.mark.parametrize(
    ("channel", "needed"),
    [
        ('kind = "webhook"', ("notify.x.url",)),
        ('kind = "webhook"\nurl = "https://example.org/"', ()),
        ('kind = "airtable"\nbase = "appX"\ntable = "T"', ("notify.x.token",)),
        ('kind = "apprise"', ("notify.x.url",)),
        ('kind = "mail"', ()),
    ],
)
def test_what_a_channel_cannot_do_without_is_needed(tmp_path: Path, channel: str, needed: tuple[str, ...]) -> None:
    assert observe(read(tmp_path, f"[notify.channel.x]\n{channel}\n"), FakeManager(), folder=tmp_path).needed == needed


def test_units_are_those_of_the_suite_and_none_without_a_manager(tmp_path: Path) -> None:
    manager = FakeManager(Unit(name="plexguard-plex-probe.timer"), Unit(name="ssh.service"))

    assert [unit.name for unit in observe(read(tmp_path, ""), manager, folder=tmp_path).units] == ["plexguard-plex-probe.timer"]
    manager.fail["find-units"] = CommandFailed("no bus")
    assert observe(read(tmp_path, ""), manager, folder=tmp_path).units == ()


def test_where_the_programs_listen_is_known(tmp_path: Path) -> None:
    found = observe(read(tmp_path, '[proxy]\nlisten = ["[::1]:32401"]\n'), FakeManager(), folder=tmp_path).listen

    assert {place: [str(one) for one in ends] for place, ends in found.items()} == {
        "[status] listen": ["127.0.0.1:32480"],
        "[proxy] listen": ["[::1]:32401"],
        "[proxy] metrics_listen": ["127.0.0.1:32402"],
    }
