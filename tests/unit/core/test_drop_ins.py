"""Drop-ins from the configuration and the machine, and the calendars in them."""

from pathlib import Path

import pytest

from plexguard.core import config
from plexguard.core.drop_ins import find_bad_calendars, find_mistakes, make_drop_ins, read_drop_ins
from plexguard.core.errors import ConfigError
from plexguard.core.host import Completed
from plexguard.core.mounts import MountPoint
from tests.fakes.ports import FakeHost

GOOD = Completed(code=0, stdout="", stderr="")
BAD = Completed(code=1, stdout="", stderr="Failed to parse calendar specification")


def settings(folder: Path, text: str) -> config.Settings:
    file = folder / "plexguard.toml"
    file.write_text(text)
    return config.read(file, {})


def test_make_drop_ins_is_the_same_for_the_same_configuration(tmp_path: Path) -> None:
    text = '[perms-audit]\nroots = ["/srv/media"]\ninterval = "1h"\n[plex-probe]\ninterval = "1min"\n'

    assert make_drop_ins(settings(tmp_path, text), None, ()) == make_drop_ins(settings(tmp_path, text), None, ()) != {}


def test_make_drop_ins_names_every_mistake_of_every_section(tmp_path: Path) -> None:
    text = '[perms-audit]\nroots = ["media"]\n[plex-probe]\ninterval = "soon"\nlooks = 99\n[speed]\n'

    with pytest.raises(ConfigError) as caught:
        make_drop_ins(settings(tmp_path, text + "x = 1\n"), None, ())

    assert len(caught.value.mistakes) == 4


def test_make_drop_ins_keeps_fuse_and_network_roots_out_of_read_write_paths(tmp_path: Path) -> None:
    mounts = (MountPoint(path="/srv/nas", type="nfs4"), MountPoint(path="/srv/cloud", type="fuse.rclone"))

    made = make_drop_ins(settings(tmp_path, '[perms-audit]\nroots = ["/srv/nas/a", "/srv/cloud", "/srv/disk"]\n'), None, mounts)

    text = "".join(made.values())
    assert "/srv/disk" in text
    assert "nas" not in text
    assert "cloud" not in text


# -- calendars --------------------------------------------------------------------------------------------------------


def test_the_shipped_calendars_are_not_asked_about(tmp_path: Path) -> None:
    host = FakeHost()

    assert find_bad_calendars(settings(tmp_path, '[perms-audit]\nfull_calendar = "*-*-* 05:30"\n'), host) == ()
    assert host.ran == []


def test_a_calendar_of_the_admin_is_asked_of_systemd(tmp_path: Path) -> None:
    host = FakeHost({"systemd-analyze": GOOD})

    assert find_bad_calendars(settings(tmp_path, '[perms-audit]\nfull_calendar = "Sun 03:00"\n'), host) == ()
    assert host.ran == [["systemd-analyze", "calendar", "--", "Sun 03:00"]]


def test_a_calendar_that_is_none_is_named_with_its_file_and_option(tmp_path: Path) -> None:
    (mistake,) = find_bad_calendars(
        settings(tmp_path, '[perms-audit]\nfull_calendar = "sometimes"\n'), FakeHost({"systemd-analyze": BAD})
    )

    assert str(tmp_path) in mistake
    assert "[perms-audit] full_calendar" in mistake
    assert '"sometimes"' in mistake


def test_find_mistakes_tells_those_of_the_file_before_it_asks_about_calendars(tmp_path: Path) -> None:
    text = '[perms-audit]\nfull_calendar = "sometimes"\nfile_mode = "999"\n[plex-probe]\nlooks = 99\n'

    assert len(find_mistakes(settings(tmp_path, text), FakeHost())) == 2
    assert find_mistakes(settings(tmp_path, ""), FakeHost()) == ()


def test_read_drop_ins_gives_back_what_was_made_and_nothing_of_others(tmp_path: Path) -> None:
    made = make_drop_ins(settings(tmp_path, '[perms-audit]\nroots = ["/srv/Amélie"]\n'), None, ())
    for name, content in {**made, "ssh.service.d/x.conf": "not ours"}.items():
        (tmp_path / "out" / name).parent.mkdir(parents=True)
        (tmp_path / "out" / name).write_text(content)

    assert read_drop_ins(tmp_path / "out") == made != {}
    assert read_drop_ins(tmp_path / "away") == {}
