"""Drop-ins from the configuration and the machine, and the calendars in them."""

from pathlib import Path

import pytest

from plexguard.core import config
from plexguard.core.drop_ins import (
    find_bad_calendars,
    find_changed_units,
    find_mistakes,
    find_running_services,
    make_drop_ins,
    make_instances,
    read_drop_ins,
    read_groups,
)
from plexguard.core.errors import ConfigError
from plexguard.core.found import FoundPlex, Server
from plexguard.core.host import Completed
from plexguard.core.manager import Unit
from plexguard.core.mounts import MountPoint
from tests.fakes.ports import FakeHost, FakeManager

GOOD = Completed(code=0, stdout="", stderr="")
BAD = Completed(code=1, stdout="", stderr="Failed to parse calendar specification")


def settings(folder: Path, text: str) -> config.Settings:
    file = folder / "plexguard.toml"
    file.write_text(text)
    return config.read(file, {})


def test_make_drop_ins_is_the_same_for_the_same_configuration(tmp_path: Path) -> None:
    text = '[perms-audit]\nroots = ["/srv/media"]\ninterval = "1h"\n[plex-probe]\ninterval = "1min"\n'

    assert make_drop_ins(settings(tmp_path, text), None, (), {}) == make_drop_ins(settings(tmp_path, text), None, (), {}) != {}


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("", None),
        ('[plex]\nunit = "plexmediaserver.service"\n', None),
        ('[plex]\nunit = "plex-at-home.service"\n', "[Unit]\nBefore=plex-at-home.service\n"),
    ],
    ids=["nothing", "the default by its name", "another"],
)
def test_make_drop_ins_knows_the_unit_of_plex(tmp_path: Path, text: str, made: str | None) -> None:
    found = make_drop_ins(settings(tmp_path, text), None, (), {}).get("plexguard-db-export-finish.service.d/50-plex.conf")

    assert (found and found.partition("\n")[2]) == made


def test_make_drop_ins_names_every_mistake_of_every_section(tmp_path: Path) -> None:
    text = '[perms-audit]\nroots = ["media"]\n[plex-probe]\ninterval = "soon"\nlooks = 99\n[speed]\n'

    with pytest.raises(ConfigError) as caught:
        make_drop_ins(settings(tmp_path, text + "x = 1\n"), None, (), {})

    assert len(caught.value.mistakes) == 4


def test_make_drop_ins_keeps_fuse_and_network_roots_out_of_read_write_paths(tmp_path: Path) -> None:
    mounts = (MountPoint(path="/srv/nas", type="nfs4"), MountPoint(path="/srv/cloud", type="fuse.rclone"))

    made = make_drop_ins(settings(tmp_path, '[perms-audit]\nroots = ["/srv/nas/a", "/srv/cloud", "/srv/disk"]\n'), None, mounts, {})

    text = "".join(made.values())
    assert "/srv/disk" in text
    assert "nas" not in text
    assert "cloud" not in text


def test_make_drop_ins_keeps_guarded_mount_points_out_of_read_write_paths_before_they_are_mounted(tmp_path: Path) -> None:
    text = '[perms-audit]\nroots = ["/srv/cloud/films", "/srv/disk"]\n[rclone.films]\nmount_point = "/srv/cloud"\n'

    made = make_drop_ins(settings(tmp_path, text), None, (MountPoint(path="/", type="ext4"),), {})

    audits = "".join(content for name, content in made.items() if "perms" in name)
    assert "/srv/disk" in audits
    assert "cloud" not in audits


def test_groups_that_this_machine_has_no_name_for_are_left_out(tmp_path: Path) -> None:
    # given: a container's Plex, whose group is one of the container
    found = FoundPlex(server=Server.CONTAINER, gids=(4242, 997), preferences="/srv/plex/Preferences.xml")

    strange = make_drop_ins(settings(tmp_path, ""), found, (), {})
    known = make_drop_ins(settings(tmp_path, ""), found, (), {997: "plex"})

    assert "SupplementaryGroups=" not in "".join(strange.values())
    assert "SupplementaryGroups=997\n" in "".join(known.values())


def test_read_groups_of_this_machine(tmp_path: Path) -> None:
    file = tmp_path / "group"
    file.write_bytes(b"root:x:0:\nplex:x:997:anna,bert\n\n# no group\n+nis::::\nodd\xff:x:12:\n")

    assert read_groups(file) == {0: "root", 997: "plex", 12: "odd\N{REPLACEMENT CHARACTER}"}


# -- what changed -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ({}, {}, ()),
        ({"a.timer.d/50.conf": "x"}, {"a.timer.d/50.conf": "x"}, ()),
        ({}, {"a.timer.d/50.conf": "x"}, ("a.timer",)),
        ({"a.timer.d/50.conf": "x"}, {}, ("a.timer",)),
        ({"a.timer.d/50.conf": "x"}, {"a.timer.d/50.conf": "y"}, ("a.timer",)),
        ({"a.timer.d/50.conf": "x"}, {"a.timer.d/60.conf": "x"}, ("a.timer",)),
        ({}, {"b.service.d/1.conf": "x", "a.timer.d/2.conf": "x", "b.service.d/3.conf": ""}, ("a.timer", "b.service")),
    ],
    ids=["nothing", "the same", "appeared", "went", "changed", "moved", "several, in order, once each"],
)
def test_find_changed_units_by_their_drop_ins(before: dict[str, str], after: dict[str, str], changed: tuple[str, ...]) -> None:
    assert find_changed_units(before, after) == changed


def test_services_that_stay_running_are_found_among_the_changed() -> None:
    manager = FakeManager(
        Unit(name="a.service", load_state="loaded", active_state="active"),
        Unit(name="audit.service", load_state="loaded", active_state="activating"),
        Unit(name="c.timer", load_state="loaded", active_state="active"),
        Unit(name="rclone@.service", load_state="loaded", active_state="active"),
    )

    assert find_running_services(["a.service", "audit.service", "off.service", "c.timer", "rclone@.service"], manager) == (
        "a.service",
    )


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
    made = make_drop_ins(settings(tmp_path, '[perms-audit]\nroots = ["/srv/Amélie"]\n'), None, (), {})
    for name, content in {**made, "ssh.service.d/x.conf": "not ours"}.items():
        (tmp_path / "out" / name).parent.mkdir(parents=True)
        (tmp_path / "out" / name).write_text(content)

    assert read_drop_ins(tmp_path / "out") == made != {}
    assert read_drop_ins(tmp_path / "away") == {}


def test_an_instance_is_a_copy_of_its_template_the_administrators_own_first(tmp_path: Path) -> None:
    own, shipped = tmp_path / "etc", tmp_path / "usr"
    for folder, text in ((own, "[Unit]\nDescription=mine %i\n"), (shipped, "[Unit]\nDescription=theirs %i\n")):
        folder.mkdir()
        (folder / "plexguard-x@.service").write_text(text)
    (shipped / "plexguard-y@.service").write_text("[Unit]\nDescription=y\n")

    made = make_instances(["plexguard-x@a.b.service", "plexguard-y@a.service", "plexguard-gone@a.service"], (own, shipped))

    assert {name: text.partition("\n")[2] for name, text in made.items()} == {
        "plexguard-x@a.b.service": "[Unit]\nDescription=mine %i\n",
        "plexguard-y@a.service": "[Unit]\nDescription=y\n",
    }
    assert all(text.startswith("# Made by plexguard-generator: ") for text in made.values())
